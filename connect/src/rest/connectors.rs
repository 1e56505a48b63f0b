//! `/connectors` and what is below it.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::body::{CreateRequest, object, properties, text_of};
use super::error::RestError;
use crate::worker::{ConnectorInfo, ConnectorStatus, State as TaskState, Worker};

type Answer = Result<Response, RestError>;

pub(super) async fn list(State(worker): State<Worker>, RawQuery(query): RawQuery) -> Answer {
    let query = query.unwrap_or_default();
    let expand: Vec<&str> = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("expand="))
        .collect();
    let names = worker.connectors();
    if expand.is_empty() {
        return Ok(Json(names).into_response());
    }
    let mut all = Map::new();
    for name in names {
        let mut entry = Map::new();
        for what in &expand {
            // A connector that has been deleted meanwhile is left out.
            let value = match *what {
                "status" => worker.status(&name).ok().map(serde_json::to_value),
                "info" => worker.connector(&name).ok().map(serde_json::to_value),
                _ => None,
            };
            if let Some(value) = value {
                let value = value.map_err(|error| RestError::internal(&error))?;
                entry.insert((*what).to_owned(), value);
            }
        }
        all.insert(name, Value::Object(entry));
    }
    Ok(Json(Value::Object(all)).into_response())
}

pub(super) async fn create(
    State(worker): State<Worker>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let request = CreateRequest::parse(&body)?;
    let created = worker.create_connector(&request.name, request.properties, request.initial);
    Ok(created_answer(&headers, &created.await?))
}

fn created_answer(headers: &HeaderMap, info: &ConnectorInfo) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let location = format!("http://{host}/connectors/{}", percent_encoded(&info.name));
    (
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(info),
    )
        .into_response()
}

fn percent_encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

pub(super) async fn info(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    Ok(Json(worker.connector(&name)?).into_response())
}

pub(super) async fn delete(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    worker.delete_connector(&name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn config(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    Ok(Json(worker.connector(&name)?.config).into_response())
}

pub(super) async fn put_config(
    State(worker): State<Worker>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let properties = properties(object(&body)?)?;
    let (info, is_new) = worker.put_connector(&name, properties).await?;
    if is_new {
        return Ok(created_answer(&headers, &info));
    }
    Ok(Json(info).into_response())
}

pub(super) async fn patch_config(
    State(worker): State<Worker>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer {
    let mut properties = worker.connector(&name)?.config;
    for (key, value) in object(&body)? {
        match text_of(&key, value)? {
            Some(text) => properties.insert(key, text),
            None => properties.remove(&key),
        };
    }
    let (info, _) = worker.put_connector(&name, properties).await?;
    Ok(Json(info).into_response())
}

pub(super) async fn status(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    Ok(Json(worker.status(&name)?).into_response())
}

pub(super) async fn tasks(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    Ok(Json(worker.task_configs(&name)?).into_response())
}

/// A task's number; what is none is no task either.
fn number(name: &str, task: &str) -> Result<usize, RestError> {
    task.parse()
        .map_err(|_| RestError::not_found(format!("Unknown task: {name}-{task}")))
}

pub(super) async fn task_status(
    State(worker): State<Worker>,
    Path((name, task)): Path<(String, String)>,
) -> Answer {
    let id = number(&name, &task)?;
    let none = || RestError::not_found(format!("No status found for task {name}-{task}"));
    let status = worker.status(&name).map_err(|_| none())?;
    let task = status
        .tasks
        .into_iter()
        .find(|status| status.id == id)
        .ok_or_else(none)?;
    Ok(Json(task).into_response())
}

fn unknown(name: &str) -> String {
    format!("Unknown connector: {name}")
}

pub(super) async fn restart_task(
    State(worker): State<Worker>,
    Path((name, task)): Path<(String, String)>,
) -> Answer {
    let id = number(&name, &task)?;
    let restarted = worker.restart_task(&name, id).await;
    restarted.map_err(|error| RestError::or_unknown(error, unknown))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn restart(
    State(worker): State<Worker>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = query.unwrap_or_default();
    let has = |flag: &str| query.split('&').any(|pair| pair.eq_ignore_ascii_case(flag));
    let (include_tasks, only_failed) = (has("includeTasks=true"), has("onlyFailed=true"));
    let before = worker
        .status(&name)
        .map_err(|_| RestError::not_found(unknown(&name)))?;
    let restarted = worker.restart(&name, include_tasks, only_failed).await;
    restarted.map_err(|error| RestError::or_unknown(error, unknown))?;
    if !include_tasks && !only_failed {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let plan = restart_plan(before, include_tasks, only_failed);
    Ok((StatusCode::ACCEPTED, Json(plan)).into_response())
}

/// The status with what is restarted marked so.
fn restart_plan(
    mut status: ConnectorStatus,
    include_tasks: bool,
    only_failed: bool,
) -> ConnectorStatus {
    let restarting = TaskState::Restarting.name().to_owned();
    let is_meant = |state: &str| !only_failed || state == TaskState::Failed.name();
    if is_meant(&status.connector.state) {
        status.connector.state.clone_from(&restarting);
        status.connector.trace = None;
    }
    for task in status.tasks.iter_mut().filter(|_| include_tasks) {
        if is_meant(&task.state) {
            task.state.clone_from(&restarting);
            task.trace = None;
        }
    }
    status
}

fn unknown_target(name: &str) -> String {
    format!("Unknown connector {name}")
}

pub(super) async fn pause(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    let paused = worker.pause(&name).await;
    paused.map_err(|error| RestError::or_unknown(error, unknown_target))?;
    Ok(StatusCode::ACCEPTED.into_response())
}

pub(super) async fn resume(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    let resumed = worker.resume(&name).await;
    resumed.map_err(|error| RestError::or_unknown(error, unknown_target))?;
    Ok(StatusCode::ACCEPTED.into_response())
}

pub(super) async fn stop(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    let stopped = worker.stop(&name).await;
    stopped.map_err(|error| RestError::or_unknown(error, unknown_target))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn topics(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    let topics = worker.topics(&name);
    let body = BTreeMap::from([(name, json!({ "topics": topics }))]);
    Ok(Json(body).into_response())
}

pub(super) async fn reset_topics(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    worker.reset_topics(&name).await;
    Ok(StatusCode::ACCEPTED.into_response())
}

pub(super) async fn offsets(State(worker): State<Worker>, Path(name): Path<String>) -> Answer {
    Ok(Json(worker.offsets(&name).await?).into_response())
}
