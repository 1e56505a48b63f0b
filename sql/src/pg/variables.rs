//! Session variables that clients set as they connect. Only values that say how the server already
//! behaves are accepted; nothing is accepted and then ignored.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::SqlError;

/// A variable with what it is, and the values that may be set (any, if there are none).
const VARIABLES: [(&str, &str, &[&str]); 14] = [
    ("application_name", "", &[]),
    ("extra_float_digits", "1", &["0", "1", "2", "3"]),
    ("client_encoding", "UTF8", &["utf8", "utf-8", "unicode"]),
    ("server_encoding", "UTF8", &["utf8"]),
    ("datestyle", "ISO, MDY", &["iso", "iso,mdy", "iso, mdy"]),
    ("intervalstyle", "postgres", &["postgres"]),
    ("timezone", "UTC", &["utc", "gmt", "etc/utc"]),
    ("standard_conforming_strings", "on", &["on", "true"]),
    ("search_path", "public", &["public", "\"$user\",public"]),
    (
        "transaction_isolation",
        "read committed",
        &["read committed"],
    ),
    ("transaction_read_only", "on", &["on"]),
    (
        "default_transaction_isolation",
        "read committed",
        &["read committed"],
    ),
    ("server_version", "16.6", &[]),
    ("max_identifier_length", "63", &[]),
];

/// The variables of one connection.
#[derive(Debug, Default)]
pub(super) struct Variables {
    set: Mutex<HashMap<String, String>>,
}

impl Variables {
    pub(super) fn get(&self, name: &str) -> Result<String, SqlError> {
        let name = canonical(name);
        if let Some(value) = self.set.lock().get(name) {
            return Ok(value.clone());
        }
        VARIABLES
            .iter()
            .find(|(n, _, _)| *n == name)
            .map(|(_, value, _)| (*value).to_owned())
            .ok_or_else(|| unknown(name))
    }

    pub(super) fn set(&self, name: &str, value: &str) -> Result<(), SqlError> {
        let name = canonical(name);
        let Some((name, _, allowed)) = VARIABLES.iter().find(|(n, _, _)| *n == name) else {
            return Err(unknown(name));
        };
        let is_fixed = matches!(*name, "server_version" | "max_identifier_length");
        let wanted = value.to_lowercase();
        let is_default = wanted == "default";
        if is_fixed || !(is_default || allowed.is_empty() || allowed.contains(&wanted.as_str())) {
            return Err(SqlError::Unsupported(format!("{name} = {value}")));
        }
        let mut set = self.set.lock();
        if is_default {
            set.remove(*name);
        } else {
            set.insert((*name).to_owned(), value.to_owned());
        }
        Ok(())
    }
}

fn canonical(name: &str) -> &str {
    match name {
        "time_zone" => "timezone",
        "names" => "client_encoding",
        "transaction_isolation_level" => "transaction_isolation",
        other => other,
    }
}

fn unknown(name: &str) -> SqlError {
    SqlError::Unsupported(format!("session variable {name}"))
}
