//! Kafka Connect's REST interface over loopback: paths, codes and bodies as its tools expect them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail as its asserts do"
)]

mod support;

use std::net::SocketAddr;
use std::path::Path;

use headwater_connect::config::{ConfigDef, ConfigKey, Properties};
use headwater_connect::spi::{ConnectError, ConnectorConfig, SourceConnector, SourceTask};
use headwater_connect::worker::{Worker, WorkerConfig};
use headwater_connect::{Plugins, rest};
use serde_json::{Value, json};
use support::{Answer, Log, Process, path_in, request, worker_config};

/// A worker and its interface.
struct Served {
    process: Process,
    address: SocketAddr,
    _log: Log,
}

fn served(config: WorkerConfig) -> Served {
    let log = Log::start();
    let process = Process::start(&log, config);
    let worker: Worker = process.worker.clone();
    let address = process.run(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(rest::serve(listener, worker, std::future::pending()));
        address
    });
    Served {
        process,
        address,
        _log: log,
    }
}

impl Served {
    fn get(&self, path: &str) -> Answer {
        request(self.address, "GET", path, None)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        request(self.address, method, path, Some(&body.to_string()))
    }

    fn call(&self, method: &str, path: &str) -> Answer {
        request(self.address, method, path, None)
    }

    fn until_state(&self, name: &str, state: &str) {
        self.process.until(state, |worker| {
            let status = worker.status(name).unwrap();
            status.tasks.first().is_some_and(|task| task.state == state)
        });
    }
}

fn file_source(dir: &Path) -> Value {
    let file = path_in(dir, "in.txt");
    std::fs::write(&file, "one\n").unwrap();
    json!({ "connector.class": "FileStreamSource", "file": file, "topic": "lines", "tasks.max": 1 })
}

fn is_empty(answer: &Answer) {
    assert_eq!(answer.body, "", "{answer:?}");
    assert!(!answer.headers.contains("content-type"), "{answer:?}");
}

#[test]
fn a_connector_lives_by_kafkas_codes_and_bodies() {
    let (dir, served) = (tempfile::tempdir().unwrap(), served(worker_config()));
    let root = served.get("/").json();
    assert!(
        root["kafka_cluster_id"].is_string() && root["version"].is_string(),
        "{root}"
    );
    assert_eq!(served.get("/connectors").json(), json!([]));

    let config = file_source(dir.path());
    let created = served.send(
        "POST",
        "/connectors/",
        &json!({ "name": "a", "config": config }),
    );
    assert_eq!(created.status, 201, "{created:?}");
    let location = format!("location: http://{}/connectors/a", served.address);
    assert!(created.headers.contains(&location), "{created:?}");
    let mut expected = config.clone();
    expected["name"] = "a".into();
    // Numbers become text, as Kafka Connect's reader makes them.
    expected["tasks.max"] = "1".into();
    let info = json!({
        "name": "a",
        "config": expected,
        "tasks": [{ "connector": "a", "task": 0 }],
        "type": "source",
    });
    assert_eq!(created.json(), info);
    assert_eq!(served.get("/connectors/a").json(), info);
    assert_eq!(served.get("/connectors/a/config").json(), expected);
    assert_eq!(served.get("/connectors/").json(), json!(["a"]));
    let tasks = json!([{ "id": { "connector": "a", "task": 0 }, "config": expected }]);
    assert_eq!(served.get("/connectors/a/tasks").json(), tasks);

    served.until_state("a", "RUNNING");
    let worker_id = served.process.worker.config().worker_id.clone();
    let running = json!({ "state": "RUNNING", "worker_id": worker_id });
    let mut task = running.clone();
    task["id"] = 0.into();
    let status = json!({ "name": "a", "connector": running, "tasks": [task], "type": "source" });
    assert_eq!(served.get("/connectors/a/status").json(), status);
    assert_eq!(served.get("/connectors/a/tasks/0/status").json(), task);
    let expanded = served
        .get("/connectors?expand=status&expand=info&expand=nothing")
        .json();
    assert_eq!(expanded, json!({ "a": { "status": status, "info": info } }));

    served.process.until("the first offset", |worker| {
        worker.progress("a")[0].source.rows == 1
    });
    let offsets = served.get("/connectors/a/offsets").json();
    assert_eq!(
        offsets["offsets"][0]["offset"],
        json!({ "position": 4, "rows": 1 })
    );
    assert_eq!(
        served.get("/connectors/a/topics").json(),
        json!({ "a": { "topics": ["lines"] } })
    );
    assert_eq!(served.call("PUT", "/connectors/a/topics/reset").status, 202);
    assert_eq!(
        served.get("/connectors/a/topics").json(),
        json!({ "a": { "topics": [] } })
    );

    let again = served.send(
        "POST",
        "/connectors",
        &json!({ "name": "a", "config": config }),
    );
    assert_eq!(
        (again.status, again.message()),
        (409, "Connector a already exists".to_owned())
    );
    let same = served.send("PUT", "/connectors/a/config", &config);
    assert_eq!((same.status, same.json()), (200, info));
    let patched = served.send(
        "PATCH",
        "/connectors/a/config",
        &json!({ "batch.size": 5, "tasks.max": null }),
    );
    assert_eq!(patched.status, 200);
    let config = patched.json()["config"].clone();
    assert_eq!(config["batch.size"], "5");
    assert_eq!(config.get("tasks.max"), None);

    is_empty(&served.call("PUT", "/connectors/a/pause"));
    served.until_state("a", "PAUSED");
    assert_eq!(served.call("PUT", "/connectors/a/pause").status, 202);
    assert_eq!(served.call("PUT", "/connectors/a/resume").status, 202);
    served.until_state("a", "RUNNING");
    let stopped = served.call("PUT", "/connectors/a/stop");
    assert_eq!(stopped.status, 204);
    is_empty(&stopped);
    let status = served.get("/connectors/a/status").json();
    assert_eq!(
        (&status["connector"]["state"], &status["tasks"]),
        (&json!("STOPPED"), &json!([]))
    );
    assert_eq!(served.call("PUT", "/connectors/a/resume").status, 202);
    served.until_state("a", "RUNNING");

    assert_eq!(served.call("POST", "/connectors/a/restart").status, 204);
    let restarted = served.call("POST", "/connectors/a/restart?includeTasks=true");
    assert_eq!(restarted.status, 202);
    assert_eq!(restarted.json()["tasks"][0]["state"], "RESTARTING");
    assert_eq!(
        served.call("POST", "/connectors/a/tasks/0/restart").status,
        204
    );
    let deleted = served.call("DELETE", "/connectors/a");
    assert_eq!(deleted.status, 204);
    is_empty(&deleted);
    assert_eq!(served.get("/connectors/a/status").status, 404);
}

#[test]
fn what_is_not_there_is_told_in_kafkas_words() {
    let served = served(worker_config());
    let told = |method: &str, path: &str| {
        let answer = served.call(method, path);
        assert_eq!(answer.status, 404, "{answer:?}");
        answer.message()
    };
    assert_eq!(told("GET", "/connectors/c"), "Connector c not found");
    assert_eq!(told("GET", "/connectors/c/config"), "Connector c not found");
    assert_eq!(
        told("GET", "/connectors/c/status"),
        "No status found for connector c"
    );
    assert_eq!(told("GET", "/connectors/c/tasks"), "Connector c not found");
    assert_eq!(
        told("GET", "/connectors/c/tasks/0/status"),
        "No status found for task c-0"
    );
    assert_eq!(
        told("POST", "/connectors/c/restart"),
        "Unknown connector: c"
    );
    assert_eq!(
        told("POST", "/connectors/c/tasks/9/restart"),
        "Unknown connector: c"
    );
    assert_eq!(told("PUT", "/connectors/c/pause"), "Unknown connector c");
    assert_eq!(told("DELETE", "/connectors/c"), "Connector c not found");
    assert_eq!(
        told("GET", "/connectors/c/offsets"),
        "Connector c not found"
    );
    assert_eq!(
        told("GET", "/connector-plugins/Nope/config"),
        "Unknown plugin Nope."
    );
    assert_eq!(told("GET", "/nothing"), "HTTP 404 Not Found");
    let wrong = served.call("DELETE", "/connectors");
    assert_eq!(
        (wrong.status, wrong.message()),
        (405, "HTTP 405 Method Not Allowed".to_owned())
    );
    assert_eq!(
        served.get("/connectors/c/topics").json(),
        json!({ "c": { "topics": [] } })
    );
}

#[test]
fn a_wrong_configuration_is_refused_with_every_fault() {
    let (dir, served) = (tempfile::tempdir().unwrap(), served(worker_config()));
    let mut config = file_source(dir.path());
    config["batch.sise"] = "7".into();
    config["tasks.max"] = "0".into();
    config["value.converter"] = "Nope".into();
    let refused = served.send("PUT", "/connectors/a/config", &config);
    assert_eq!(refused.status, 400);
    let message = refused.message();
    assert!(
        message.starts_with(
            "Connector configuration is invalid and contains the following 3 error(s):\n"
        ),
        "{message}"
    );
    for part in [
        "Invalid value 0 for configuration tasks.max: Value must be at least 1",
        "Unknown configuration batch.sise. Did you mean batch.size?",
        "Invalid value Nope for configuration value.converter: Failed to find any class",
        "\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(served.get("/connectors").json(), json!([]));
    for (body, part) in [
        ("{bad", "not JSON"),
        ("[]", "must be a JSON object"),
        (r#"{"name":"x","config":{"file":{}}}"#, "must be text"),
        (
            r#"{"name":"x","config":{"file":null}}"#,
            "Null value can not be supplied",
        ),
        (
            r#"{"name":"x","config":{},"initial_state":"DANCING"}"#,
            "initial_state",
        ),
        (
            r#"{"name":"x","config":{"name":"y","connector.class":"FileStreamSource"}}"#,
            "doesn't match",
        ),
        (
            r#"{"name":"x","config":{}}"#,
            "Missing required configuration \"connector.class\"",
        ),
    ] {
        let answer = request(served.address, "POST", "/connectors", Some(body));
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.message().contains(part), "{answer:?}");
    }
}

#[test]
fn validation_answers_for_every_key() {
    let served = served(worker_config());
    let plugins = served.get("/connector-plugins").json();
    let classes: Vec<(&str, &str)> = plugins
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| {
            (
                plugin["class"].as_str().unwrap(),
                plugin["type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        classes,
        [
            (
                "org.apache.kafka.connect.file.FileStreamSinkConnector",
                "sink"
            ),
            (
                "org.apache.kafka.connect.file.FileStreamSourceConnector",
                "source"
            ),
        ]
    );
    let all = served.get("/connector-plugins?connectorsOnly=false").json();
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .any(|plugin| plugin["type"] == "converter")
    );
    let path = "/connector-plugins/FileStreamSink/config/validate";
    let body =
        json!({ "connector.class": "FileStreamSink", "name": "x", "topics": "a", "oops": 1 });
    let answer = served.send("PUT", path, &body);
    assert_eq!(answer.status, 200);
    let infos = answer.json();
    assert_eq!(
        infos["name"],
        "org.apache.kafka.connect.file.FileStreamSinkConnector"
    );
    assert_eq!(infos["error_count"], 2);
    assert!(
        infos["groups"]
            .as_array()
            .unwrap()
            .contains(&json!("Error Handling"))
    );
    let of = |name: &str| {
        let configs = infos["configs"].as_array().unwrap();
        configs
            .iter()
            .find(|config| config["value"]["name"] == name)
            .cloned()
            .unwrap()
    };
    let file = of("file");
    assert_eq!(file["definition"]["required"], true);
    assert_eq!(file["definition"]["default_value"], Value::Null);
    assert_eq!(
        file["value"]["errors"],
        json!(["Missing required configuration \"file\" which has no default value."])
    );
    let keys: Vec<&String> = file["definition"].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "name",
            "type",
            "required",
            "default_value",
            "importance",
            "documentation",
            "group",
            "order",
            "width",
            "display_name",
            "dependents"
        ]
    );
    assert_eq!(of("oops")["definition"], Value::Null);
    assert_eq!(
        of("errors.tolerance")["value"]["recommended_values"],
        json!(["none", "all"])
    );
    let other = served.send(
        "PUT",
        path,
        &json!({ "connector.class": "FileStreamSource" }),
    );
    assert_eq!(other.status, 400);
    assert!(
        other
            .message()
            .ends_with("does not match request type FileStreamSink")
    );
    let keys = served.get("/connector-plugins/JsonConverter/config").json();
    assert!(
        keys.as_array()
            .unwrap()
            .iter()
            .any(|key| key["name"] == "schemas.enable")
    );
}

#[test]
fn names_of_any_characters_come_back() {
    let (dir, served) = (tempfile::tempdir().unwrap(), served(worker_config()));
    let config = file_source(dir.path());
    for (name, path) in [
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        ("a->b.Mirror", "a-%3Eb.Mirror"),
        ("50%25", "50%2525"),
        ("zürich", "z%C3%BCrich"),
    ] {
        let body = json!({ "name": name, "config": config, "initial_state": "stopped" });
        let created = served.send("POST", "/connectors", &body);
        assert_eq!(created.status, 201, "{created:?}");
        let location = format!("/connectors/{path}").to_ascii_lowercase();
        assert!(created.headers.contains(&location), "{created:?}");
        let path = format!("/connectors/{path}");
        assert_eq!(served.get(&path).json()["name"], name);
        assert_eq!(
            served.get(&format!("{path}/status")).json()["connector"]["state"],
            "STOPPED"
        );
        assert_eq!(served.call("DELETE", &path).status, 204);
        assert_eq!(served.get(&path).status, 404);
    }
}

/// A source with a secret and no rows.
struct Safe;

impl ConnectorConfig for Safe {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new([ConfigKey::password("password").required()])
    }
}

#[async_trait::async_trait]
impl SourceConnector for Safe {
    async fn start(&mut self, properties: &Properties) -> Result<(), ConnectError> {
        assert_eq!(
            properties["password"], "s3cret",
            "the connector itself gets the secret"
        );
        Ok(())
    }

    fn task_configs(&self, _max_tasks: usize) -> Result<Vec<Properties>, ConnectError> {
        Ok(Vec::new())
    }

    fn task(&self) -> Box<dyn SourceTask> {
        unreachable!("it has no tasks")
    }
}

#[test]
fn secrets_are_masked_and_a_mask_keeps_them() {
    let plugins =
        Plugins::default().with_source("com.example.SafeConnector", "1", || Box::new(Safe));
    let served = served(WorkerConfig {
        plugins,
        ..worker_config()
    });
    let config = json!({ "connector.class": "Safe", "password": "s3cret" });
    let created = served.send("PUT", "/connectors/safe/config", &config);
    assert_eq!(
        (created.status, &created.json()["config"]["password"]),
        (201, &json!("[hidden]"))
    );
    let mut shown = served.get("/connectors/safe/config").json();
    shown["tasks.max"] = "2".into();
    assert_eq!(
        served.send("PUT", "/connectors/safe/config", &shown).status,
        200
    );
    let status = served.get("/connectors/safe/status").json();
    assert_eq!(status["connector"]["state"], "RUNNING", "{status}");
    assert_eq!(served.get("/connectors/safe/tasks").json(), json!([]));
}
