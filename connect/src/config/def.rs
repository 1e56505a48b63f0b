//! What keys a configuration may have, and parsing by it.

use std::collections::BTreeMap;

use super::errors::ConfigErrors;
use super::info::{ConfigInfos, ConfigKeyInfo, ConfigPairInfo, ConfigValueInfo};
use super::key::{ConfigKey, ConfigType};
use super::parsed::{Config, ConfigValue};
use super::{Importance, Properties, Width};

/// The keys that a configuration may have. A key that is not among them is an error, with the
/// nearest one named: a misspelt key that is silently ignored costs its user a day.
#[derive(Clone, Debug, Default)]
pub struct ConfigDef {
    keys: Vec<ConfigKey>,
    prefixes: Vec<String>,
}

impl ConfigDef {
    /// A definition of these keys, in the order a form shows them.
    pub fn new(keys: impl IntoIterator<Item = ConfigKey>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            prefixes: Vec::new(),
        }
    }

    /// Lets through keys that begin with `prefix`; whoever owns them checks them.
    pub fn allow_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefixes.push(prefix.into());
        self
    }

    /// All keys of both; of a key that both have, the first stays.
    pub fn merged(mut self, other: ConfigDef) -> Self {
        for key in other.keys {
            if !self.keys.iter().any(|known| known.name == key.name) {
                self.keys.push(key);
            }
        }
        self.prefixes.extend(other.prefixes);
        self
    }

    /// The keys.
    pub fn keys(&self) -> &[ConfigKey] {
        &self.keys
    }

    /// Types every value.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every fault of every key, unknown keys among them.
    pub fn parse(&self, properties: &Properties) -> Result<Config, ConfigErrors> {
        let mut config = Config::default();
        let mut errors = ConfigErrors::default();
        for key in &self.keys {
            match read(key, properties.get(&key.name).map(String::as_str)) {
                Ok(Some(value)) => {
                    config.values.insert(key.name.clone(), value);
                }
                Ok(None) => {}
                Err(messages) => {
                    messages
                        .into_iter()
                        .for_each(|message| errors.push(&key.name, message));
                }
            }
        }
        for name in properties.keys().filter(|name| !self.knows(name)) {
            errors.push(name, self.unknown(name));
        }
        errors.into_result().map(|()| config)
    }

    /// Checks every key and reports on each, as Kafka Connect's `validate` does.
    /// `extra` are faults found by checks across keys.
    pub fn validate(
        &self,
        name: &str,
        properties: &Properties,
        extra: &ConfigErrors,
    ) -> ConfigInfos {
        let mut groups: Vec<String> = Vec::new();
        let mut orders: BTreeMap<&str, i32> = BTreeMap::new();
        let mut configs = Vec::new();
        let extra_of = |key: &str| {
            let found = extra.errors.iter().filter(move |error| error.key == key);
            found.map(|error| error.message.clone()).collect::<Vec<_>>()
        };
        for key in &self.keys {
            let mut order = -1;
            if let Some(group) = &key.group {
                if !groups.contains(group) {
                    groups.push(group.clone());
                }
                let last = orders.entry(group).or_insert(0);
                *last += 1;
                order = *last;
            }
            let given = properties.get(&key.name);
            let mut errors = read(key, given.map(String::as_str))
                .err()
                .unwrap_or_default();
            for message in extra_of(&key.name) {
                if !errors.contains(&message) {
                    errors.push(message);
                }
            }
            let value = ConfigValueInfo {
                name: key.name.clone(),
                value: given.or(key.default.as_ref()).cloned(),
                recommended_values: key.recommended.clone(),
                errors,
                visible: true,
            };
            configs.push(ConfigPairInfo {
                definition: Some(key_info(key, order)),
                value,
            });
        }
        let mut strangers: Vec<&str> = properties.keys().map(String::as_str).collect();
        strangers.extend(extra.errors.iter().map(|error| error.key.as_str()));
        strangers.sort_unstable();
        strangers.dedup();
        for stranger in strangers {
            if self.keys.iter().any(|key| key.name == stranger) {
                continue;
            }
            let mut errors = extra_of(stranger);
            if !self.knows(stranger) {
                errors.push(self.unknown(stranger));
            }
            if errors.is_empty() {
                continue;
            }
            errors.dedup();
            let value = ConfigValueInfo {
                name: stranger.to_owned(),
                value: properties.get(stranger).cloned(),
                recommended_values: Vec::new(),
                errors,
                visible: true,
            };
            configs.push(ConfigPairInfo {
                definition: None,
                value,
            });
        }
        let error_count = configs.iter().map(|pair| pair.value.errors.len()).sum();
        ConfigInfos {
            name: name.to_owned(),
            error_count,
            groups,
            configs,
        }
    }

    /// The definitions of all keys, as Kafka Connect's `GET /connector-plugins/…/config` lists
    /// them.
    pub fn key_infos(&self) -> Vec<ConfigKeyInfo> {
        let infos = self.validate("", &Properties::new(), &ConfigErrors::default());
        infos
            .configs
            .into_iter()
            .filter_map(|pair| pair.definition)
            .collect()
    }

    fn knows(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.name == name)
            || self
                .prefixes
                .iter()
                .any(|prefix| name.starts_with(prefix.as_str()))
    }

    fn unknown(&self, name: &str) -> String {
        let nearest = self
            .keys
            .iter()
            .map(|key| (distance(name, &key.name), key.name.as_str()))
            .filter(|(distance, _)| *distance <= 2.max(name.len() / 4))
            .min();
        match nearest {
            Some((_, known)) => format!("Unknown configuration {name}. Did you mean {known}?"),
            None => format!("Unknown configuration {name}"),
        }
    }
}

fn key_info(key: &ConfigKey, order: i32) -> ConfigKeyInfo {
    let importance = match key.importance {
        Importance::High => "HIGH",
        Importance::Medium => "MEDIUM",
        Importance::Low => "LOW",
    };
    let width = match key.width {
        Width::None => "NONE",
        Width::Short => "SHORT",
        Width::Medium => "MEDIUM",
        Width::Long => "LONG",
    };
    ConfigKeyInfo {
        name: key.name.clone(),
        kind: key.kind.name().to_owned(),
        required: key.required,
        default_value: key.default.clone(),
        importance: importance.to_owned(),
        documentation: key.doc.clone(),
        group: key.group.clone(),
        order,
        width: width.to_owned(),
        display_name: key.display_name.clone(),
        dependents: key.dependents.clone(),
    }
}

/// The typed value of a key, its default, or nothing.
fn read(key: &ConfigKey, given: Option<&str>) -> Result<Option<ConfigValue>, Vec<String>> {
    let name = &key.name;
    let Some(text) = given.or(key.default.as_deref()) else {
        if key.required {
            let message =
                format!("Missing required configuration \"{name}\" which has no default value.");
            return Err(vec![message]);
        }
        return Ok(None);
    };
    let text = if key.kind == ConfigType::Password {
        text
    } else {
        text.trim()
    };
    let shown = if key.kind == ConfigType::Password {
        "[hidden]"
    } else {
        text
    };
    let invalid =
        |reason: &str| format!("Invalid value {shown} for configuration {name}: {reason}");
    let number = |low: i64, high: i64| match text.parse::<i64>() {
        Ok(value) if (low..=high).contains(&value) => Ok(ConfigValue::Integer(value)),
        _ => Err(vec![invalid(&format!(
            "Not a number of type {}",
            key.kind.name()
        ))]),
    };
    let value = match key.kind {
        ConfigType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" => ConfigValue::Boolean(true),
            "false" => ConfigValue::Boolean(false),
            _ => return Err(vec![invalid("Expected value to be either true or false")]),
        },
        ConfigType::Int => number(i64::from(i32::MIN), i64::from(i32::MAX))?,
        ConfigType::Short => number(i64::from(i16::MIN), i64::from(i16::MAX))?,
        ConfigType::Long => number(i64::MIN, i64::MAX)?,
        ConfigType::Double => match text.parse() {
            Ok(value) => ConfigValue::Double(value),
            Err(_) => return Err(vec![invalid("Not a number of type DOUBLE")]),
        },
        ConfigType::List if text.is_empty() => ConfigValue::List(Vec::new()),
        ConfigType::List => {
            ConfigValue::List(text.split(',').map(|item| item.trim().to_owned()).collect())
        }
        ConfigType::String | ConfigType::Class | ConfigType::Password => {
            ConfigValue::String(text.to_owned())
        }
    };
    let failed: Vec<String> = key
        .validators
        .iter()
        .filter_map(|check| check(text).err().map(|reason| invalid(&reason)))
        .collect();
    if failed.is_empty() {
        Ok(Some(value))
    } else {
        Err(failed)
    }
}

/// Insertions, deletions and replacements between two names.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, a) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (b, above) in right.iter().zip(row.iter().skip(1)) {
            before = (before + 1)
                .min(above + 1)
                .min(diagonal + usize::from(a != *b));
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(pairs: &[(&str, &str)]) -> Properties {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn def() -> ConfigDef {
        ConfigDef::new([
            ConfigKey::string("topic", None).required().group("Common"),
            ConfigKey::int("batch.size", Some(2000))
                .at_least(1)
                .group("Common"),
            ConfigKey::boolean("tail", Some(false)),
            ConfigKey::string("format", Some("text")).one_of(&["text", "json"]),
            ConfigKey::list("fields", ""),
        ])
        .allow_prefix("value.converter.")
    }

    #[test]
    fn values_are_typed_and_defaults_filled_in() {
        let config = def()
            .parse(&properties(&[
                ("topic", " t "),
                ("fields", "a, b"),
                ("tail", "TRUE"),
            ]))
            .unwrap();
        assert_eq!(config.string("topic"), Some("t"));
        assert_eq!(config.integer("batch.size"), Some(2000));
        assert!(config.boolean("tail"));
        assert_eq!(config.list("fields"), ["a", "b"]);
    }

    #[test]
    fn every_fault_is_reported_in_kafkas_words() {
        let errors = def()
            .parse(&properties(&[
                ("batch.size", "x"),
                ("tail", "maybe"),
                ("format", "xml"),
                ("value.converter.schemas.enable", "x"),
            ]))
            .unwrap_err();
        let messages: Vec<&str> = errors.errors.iter().map(|error| &*error.message).collect();
        assert_eq!(
            messages,
            [
                "Missing required configuration \"topic\" which has no default value.",
                "Invalid value x for configuration batch.size: Not a number of type INT",
                "Invalid value maybe for configuration tail: Expected value to be either true or false",
                "Invalid value xml for configuration format: String must be one of: text, json",
            ]
        );
        let errors = def()
            .parse(&properties(&[("topic", "t"), ("batch.size", "0")]))
            .unwrap_err();
        assert_eq!(
            errors.to_string(),
            "Invalid value 0 for configuration batch.size: Value must be at least 1"
        );
    }

    #[test]
    fn a_misspelt_key_is_an_error_that_names_the_right_one() {
        let given = properties(&[("topic", "t"), ("batch.sise", "1"), ("zzz", "1")]);
        let errors = def().parse(&given).unwrap_err();
        assert_eq!(
            errors.to_string(),
            "Unknown configuration batch.sise. Did you mean batch.size?; Unknown configuration zzz"
        );
        let infos = def().validate("C", &given, &ConfigErrors::default());
        assert_eq!(infos.error_count, 2);
        assert_eq!(infos.groups, ["Common"]);
        let stranger = infos
            .configs
            .iter()
            .find(|pair| pair.value.name == "zzz")
            .unwrap();
        assert_eq!(stranger.definition, None);
    }

    #[test]
    fn edit_distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
