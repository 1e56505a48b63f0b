//! Errors as Kafka Connect's REST interface gives them.

use std::fmt;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::worker::WorkerError;

/// An error with its status; the body is `{"error_code": …, "message": …}`.
#[derive(Debug)]
pub(super) struct RestError {
    status: StatusCode,
    message: String,
}

impl RestError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(super) fn internal(error: &impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }

    /// The message that Kafka Connect gives for an unknown connector differs by resource.
    pub(super) fn or_unknown(error: WorkerError, text: impl Fn(&str) -> String) -> Self {
        match error {
            WorkerError::UnknownConnector(name) => Self::not_found(text(&name)),
            other => other.into(),
        }
    }
}

impl From<WorkerError> for RestError {
    fn from(error: WorkerError) -> Self {
        let status = match &error {
            WorkerError::UnknownConnector(_)
            | WorkerError::UnknownTask { .. }
            | WorkerError::NoStatus(_)
            | WorkerError::UnknownPlugin(_) => StatusCode::NOT_FOUND,
            WorkerError::Exists(_) => StatusCode::CONFLICT,
            WorkerError::InvalidConfig(_) | WorkerError::BadRequest(_) => StatusCode::BAD_REQUEST,
            WorkerError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            WorkerError::Log(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        let body = json!({ "error_code": self.status.as_u16(), "message": self.message });
        (self.status, Json(body)).into_response()
    }
}
