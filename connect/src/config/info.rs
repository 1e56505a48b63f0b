//! The answer to a validation, as Kafka Connect's REST interface gives it.

use serde::{Deserialize, Serialize};

/// A key's definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigKeyInfo {
    /// The key.
    pub name: String,
    /// Its type, in upper case.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it must be set.
    pub required: bool,
    /// What it is when left out.
    pub default_value: Option<String>,
    /// HIGH, MEDIUM or LOW.
    pub importance: String,
    /// What it does.
    pub documentation: String,
    /// The group of the form it belongs to.
    pub group: Option<String>,
    /// Its place in the group, from 1; -1 without a group.
    pub order: i32,
    /// NONE, SHORT, MEDIUM or LONG.
    pub width: String,
    /// The name that a form shows.
    pub display_name: String,
    /// Keys whose meaning depends on it.
    pub dependents: Vec<String>,
}

/// A key's value and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigValueInfo {
    /// The key.
    pub name: String,
    /// The value: as given, or the default.
    pub value: Option<String>,
    /// Values that would do.
    pub recommended_values: Vec<String>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// Whether a form shows it.
    pub visible: bool,
}

/// A key's definition and value. A key that was given but is not defined has no definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigPairInfo {
    /// The definition.
    pub definition: Option<ConfigKeyInfo>,
    /// The value.
    pub value: ConfigValueInfo,
}

/// The answer to a validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigInfos {
    /// The connector's class.
    pub name: String,
    /// Faults in all keys.
    pub error_count: usize,
    /// Groups of the form, in order.
    pub groups: Vec<String>,
    /// All keys.
    pub configs: Vec<ConfigPairInfo>,
}

impl ConfigInfos {
    /// The faults of all keys.
    pub fn errors(&self) -> impl Iterator<Item = &str> {
        self.configs
            .iter()
            .flat_map(|pair| pair.value.errors.iter().map(String::as_str))
    }
}
