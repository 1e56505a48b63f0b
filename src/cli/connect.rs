//! `headwater connect`: the worker's REST interface from the command line.

use std::io::Write;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};

use super::bootstrap::name_and_value;
use crate::stdout::Stdout;

#[derive(Debug, Args)]
pub(super) struct Server {
    /// The worker's REST address
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8083",
        global = true
    )]
    server: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum Connect {
    /// Names of the connectors, one a line
    List {
        #[command(flatten)]
        server: Server,
    },
    /// The connector classes the worker knows
    Plugins {
        #[command(flatten)]
        server: Server,
    },
    /// Create a connector, or change its configuration
    Create {
        /// The connector's name
        name: String,
        /// One configuration key
        #[arg(short, long = "config", value_name = "NAME=VALUE", value_parser = name_and_value)]
        config: Vec<(String, String)>,
        /// A JSON file with the configuration, or with `name` and `config`
        #[arg(short, long)]
        file: Option<std::path::PathBuf>,
        #[command(flatten)]
        server: Server,
    },
    /// A connector's state and its tasks', as JSON
    Status(Named),
    /// A connector's configuration, as JSON
    Config(Named),
    /// How far a connector has come, as JSON
    Offsets(Named),
    /// Stop a connector's work, keeping its tasks
    Pause(Named),
    /// Let a paused or stopped connector work again
    Resume(Named),
    /// Stop a connector and let go of its tasks
    Stop(Named),
    /// Restart a connector and its failed tasks
    Restart(Named),
    /// Delete a connector
    Delete(Named),
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The connector's name
    name: String,
    #[command(flatten)]
    server: Server,
}

impl Connect {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { server } => {
                for name in server
                    .get("/connectors")
                    .await?
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    writeln!(Stdout::lock(), "{}", name.as_str().unwrap_or_default())?;
                }
                Ok(())
            }
            Self::Plugins { server } => print_json(&server.get("/connector-plugins").await?),
            Self::Create {
                name,
                config,
                file,
                server,
            } => {
                let config = configuration(config, file.as_deref())?;
                let path = format!("/connectors/{name}/config");
                let made = server
                    .ask(Method::PUT, &path, Some(Value::Object(config)))
                    .await?;
                print_json(&made)
            }
            Self::Status(of) => print_json(&of.get("/status").await?),
            Self::Config(of) => print_json(&of.get("/config").await?),
            Self::Offsets(of) => print_json(&of.get("/offsets").await?),
            Self::Pause(of) => of.tell(Method::PUT, "/pause").await,
            Self::Resume(of) => of.tell(Method::PUT, "/resume").await,
            Self::Stop(of) => of.tell(Method::PUT, "/stop").await,
            Self::Restart(of) => {
                of.tell(Method::POST, "/restart?includeTasks=true&onlyFailed=true")
                    .await
            }
            Self::Delete(of) => of.tell(Method::DELETE, "").await,
        }
    }
}

impl Named {
    async fn get(&self, below: &str) -> anyhow::Result<Value> {
        self.server
            .get(&format!("/connectors/{}{below}", self.name))
            .await
    }

    async fn tell(&self, method: Method, below: &str) -> anyhow::Result<()> {
        let path = format!("/connectors/{}{below}", self.name);
        self.server.ask(method, &path, None).await.map(|_| ())
    }
}

impl Server {
    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let url = format!("http://{}{path}", self.server);
        let mut request = reqwest::Client::new().request(method, &url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let unreachable = || format!("no Connect worker answers at {}; see --server", self.server);
        let response = request.send().await.with_context(unreachable)?;
        let status = response.status();
        let text = response.text().await.with_context(unreachable)?;
        let body = match text.is_empty() {
            true => Value::Null,
            false => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
        if !status.is_success() {
            bail!("{}", refusal(status, &body));
        }
        Ok(body)
    }
}

fn refusal(status: StatusCode, body: &Value) -> String {
    match body.get("message").and_then(Value::as_str) {
        Some(message) => message.to_owned(),
        None => format!("the worker answered {status}"),
    }
}

fn configuration(
    pairs: Vec<(String, String)>,
    file: Option<&std::path::Path>,
) -> anyhow::Result<Map<String, Value>> {
    let mut config = Map::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        let inner = value.get("config").unwrap_or(&value);
        let Value::Object(object) = inner else {
            bail!(
                "{} is not a JSON object of configuration keys",
                path.display()
            );
        };
        config.extend(object.clone());
    }
    config.extend(
        pairs
            .into_iter()
            .map(|(name, value)| (name, Value::String(value))),
    );
    if config.is_empty() {
        bail!("give the configuration with --config NAME=VALUE or --file");
    }
    Ok(config)
}

fn print_json(value: &Value) -> anyhow::Result<()> {
    writeln!(Stdout::lock(), "{}", serde_json::to_string_pretty(value)?)?;
    Ok(())
}
