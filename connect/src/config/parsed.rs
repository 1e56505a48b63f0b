//! Typed values of a configuration.

use std::collections::HashMap;

/// A value after parsing.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigValue {
    /// Of a boolean key.
    Boolean(bool),
    /// Of a string, class or password key.
    String(String),
    /// Of an int, short or long key.
    Integer(i64),
    /// Of a double key.
    Double(f64),
    /// Of a list key.
    List(Vec<String>),
}

/// A configuration that has been checked: every key of its definition, typed.
///
/// A key that was left out and has no default is absent.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(super) values: HashMap<String, ConfigValue>,
}

impl Config {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&ConfigValue> {
        self.values.get(key)
    }

    /// The text of a string, class or password key.
    pub fn string(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(ConfigValue::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The text of a key that is required or has a default; empty otherwise.
    pub fn text(&self, key: &str) -> String {
        self.string(key).unwrap_or_default().to_owned()
    }

    /// The value of a boolean key; false if absent.
    pub fn boolean(&self, key: &str) -> bool {
        matches!(self.get(key), Some(ConfigValue::Boolean(true)))
    }

    /// The value of an int, short or long key.
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.get(key) {
            Some(ConfigValue::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// An integer that is not negative, such as a size; 0 if absent.
    pub fn count(&self, key: &str) -> usize {
        self.integer(key)
            .and_then(|value| usize::try_from(value).ok())
            .unwrap_or(0)
    }

    /// The items of a list key; none if absent.
    pub fn list(&self, key: &str) -> &[String] {
        match self.get(key) {
            Some(ConfigValue::List(items)) => items,
            _ => &[],
        }
    }
}
