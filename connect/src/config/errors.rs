//! What is wrong with a configuration, key by key.

use std::fmt;

/// One key and what is wrong with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The key.
    pub key: String,
    /// What is wrong, naming the key and the value.
    pub message: String,
}

/// Everything wrong with a configuration. Never empty when returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, thiserror::Error)]
pub struct ConfigErrors {
    /// One entry for each fault; a key may have several.
    pub errors: Vec<FieldError>,
}

impl ConfigErrors {
    /// One fault. The message should name key and value.
    pub fn single(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            errors: vec![FieldError {
                key: key.into(),
                message: message.into(),
            }],
        }
    }

    /// Kafka's text for a value that cannot be: `Invalid value … for configuration …: …`.
    pub fn invalid(key: &str, value: &str, reason: &str) -> Self {
        Self::single(
            key,
            format!("Invalid value {value} for configuration {key}: {reason}"),
        )
    }

    /// Adds a fault.
    pub fn push(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError {
            key: key.into(),
            message: message.into(),
        });
    }

    /// Adds all faults of another check.
    pub fn merge(&mut self, other: ConfigErrors) {
        self.errors.extend(other.errors);
    }

    /// Whether there is no fault.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// An error if there is any fault.
    ///
    /// # Errors
    /// Itself, if it is not empty.
    pub fn into_result(self) -> Result<(), ConfigErrors> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}", error.message)?;
        }
        Ok(())
    }
}
