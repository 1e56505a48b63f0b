//! `headwater sql`: a statement, or a shell, over PostgreSQL's protocol.

use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use futures::StreamExt;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::output::Format;
use super::{shell, table::Table};

/// Longest wait for the server's greeting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Rows that wait for more to line up with are shown after this.
const PATIENCE: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct Sql {
    /// The statement; without it a shell opens
    #[arg(short, long)]
    command: Option<String>,
    /// How rows are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The node's SQL address
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5433")]
    server: String,
}

impl Sql {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = connect(&self.server).await?;
        match self.command {
            Some(statement) => print_result(&client, &statement, self.format).await,
            None => shell::run(&client, self.format).await,
        }
    }
}

async fn connect(server: &str) -> anyhow::Result<Client> {
    let (host, port) = server
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
        .with_context(|| format!("{server:?} is not HOST:PORT"))?;
    let mut config = tokio_postgres::Config::new();
    config
        .host(host)
        .port(port)
        .user("headwater")
        .dbname("headwater");
    config.application_name("headwater sql");
    let (client, connection) = tokio::time::timeout(CONNECT_TIMEOUT, config.connect(NoTls))
        .await
        .map_err(anyhow::Error::from)
        .and_then(|connected| Ok(connected?))
        .with_context(|| format!("no SQL server answers at {server}; see --server"))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the SQL connection ended");
        }
    });
    Ok(client)
}

/// Runs `statement` and prints its rows as they come.
pub(super) async fn print_result(
    client: &Client,
    statement: &str,
    format: Format,
) -> anyhow::Result<()> {
    // Rows come as text; only JSON needs to know what was a number.
    let types = match format {
        Format::Json => column_types(client, statement).await,
        Format::Table | Format::Csv => Vec::new(),
    };
    let mut messages = pin!(client.simple_query_raw(statement).await.map_err(told)?);
    let mut table = Table::new(format, types);
    loop {
        // A query without end may pause; what has come is shown meanwhile.
        let Ok(next) = tokio::time::timeout(PATIENCE, messages.next()).await else {
            table.flush()?;
            continue;
        };
        let Some(message) = next else { break };
        match message.map_err(told)? {
            SimpleQueryMessage::RowDescription(columns) => {
                table.begin(
                    columns
                        .iter()
                        .map(|column| column.name().to_owned())
                        .collect(),
                )?;
            }
            SimpleQueryMessage::Row(row) => {
                table.row(
                    (0..row.len())
                        .map(|at| row.get(at).map(str::to_owned))
                        .collect(),
                )?;
            }
            _ => table.end()?,
        }
    }
    table.end()
}

async fn column_types(client: &Client, statement: &str) -> Vec<Type> {
    match client.prepare(statement).await {
        Ok(prepared) => prepared
            .columns()
            .iter()
            .map(|column| column.type_().clone())
            .collect(),
        // The statement itself will say what is wrong with it.
        Err(_) => Vec::new(),
    }
}

/// What the server said, without the protocol around it.
fn told(error: tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(said) => {
            let hint = said
                .hint()
                .map(|hint| format!(" ({hint})"))
                .unwrap_or_default();
            anyhow::anyhow!("{}{hint}", said.message())
        }
        None => error.into(),
    }
}
