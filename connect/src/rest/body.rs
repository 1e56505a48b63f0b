//! Bodies of requests.

use axum::body::Bytes;
use serde_json::{Map, Value as Json};

use super::error::RestError;
use crate::config::Properties;
use crate::worker::InitialState;

/// A JSON object; anything else is a bad request.
pub(super) fn object(body: &Bytes) -> Result<Map<String, Json>, RestError> {
    match serde_json::from_slice(body) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(RestError::bad_request(
            "The request body must be a JSON object",
        )),
        Err(error) => Err(RestError::bad_request(format!(
            "The request body is not JSON: {error}"
        ))),
    }
}

/// A configuration. Numbers and booleans become text, as some tools send them.
pub(super) fn properties(object: Map<String, Json>) -> Result<Properties, RestError> {
    let mut properties = Properties::new();
    for (key, value) in object {
        match text_of(&key, value)? {
            Some(text) => {
                properties.insert(key, text);
            }
            None => {
                let reason = "Null value can not be supplied as the configuration value.";
                return Err(RestError::bad_request(format!(
                    "Invalid value null for configuration {key}: {reason}"
                )));
            }
        }
    }
    Ok(properties)
}

/// The text of a configuration's value; `None` for null.
pub(super) fn text_of(key: &str, value: Json) -> Result<Option<String>, RestError> {
    match value {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text)),
        Json::Bool(_) | Json::Number(_) => Ok(Some(value.to_string())),
        Json::Array(_) | Json::Object(_) => Err(RestError::bad_request(format!(
            "The value of {key} must be text, not {value}"
        ))),
    }
}

/// The body of a creation.
pub(super) struct CreateRequest {
    pub(super) name: String,
    pub(super) properties: Properties,
    pub(super) initial: InitialState,
}

impl CreateRequest {
    pub(super) fn parse(body: &Bytes) -> Result<Self, RestError> {
        let mut object = object(body)?;
        let config = match object.remove("config") {
            Some(Json::Object(config)) => properties(config)?,
            None | Some(Json::Null) => Properties::new(),
            Some(_) => return Err(RestError::bad_request("config must be a JSON object")),
        };
        let name = match object.remove("name") {
            Some(Json::String(name)) => name.trim().to_owned(),
            None | Some(Json::Null) => config.get("name").cloned().unwrap_or_default(),
            Some(_) => return Err(RestError::bad_request("name must be a string")),
        };
        if name.is_empty() {
            return Err(RestError::bad_request("The request body must have a name"));
        }
        let initial = match object.remove("initial_state") {
            None | Some(Json::Null) => InitialState::Running,
            Some(Json::String(state)) => match state.to_ascii_uppercase().as_str() {
                "RUNNING" => InitialState::Running,
                "PAUSED" => InitialState::Paused,
                "STOPPED" => InitialState::Stopped,
                _ => {
                    let message = "initial_state must be one of RUNNING, PAUSED, STOPPED";
                    return Err(RestError::bad_request(message));
                }
            },
            Some(_) => return Err(RestError::bad_request("initial_state must be a string")),
        };
        if let Some(stranger) = object.keys().next() {
            return Err(RestError::bad_request(format!(
                "Unrecognized field {stranger:?}"
            )));
        }
        Ok(Self {
            name,
            properties: config,
            initial,
        })
    }
}
