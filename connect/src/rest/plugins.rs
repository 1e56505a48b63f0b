//! `/connector-plugins`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};

use super::body::{object, properties};
use super::error::RestError;
use crate::worker::Worker;

pub(super) async fn list(State(worker): State<Worker>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let connectors_only = !query.split('&').any(|pair| pair == "connectorsOnly=false");
    Json(worker.plugins(connectors_only)).into_response()
}

pub(super) async fn config(
    State(worker): State<Worker>,
    Path(plugin): Path<String>,
) -> Result<Response, RestError> {
    Ok(Json(worker.plugin_config(&plugin)?).into_response())
}

pub(super) async fn validate(
    State(worker): State<Worker>,
    Path(plugin): Path<String>,
    body: Bytes,
) -> Result<Response, RestError> {
    let properties = properties(object(&body)?)?;
    Ok(Json(worker.validate(&plugin, &properties)?).into_response())
}
