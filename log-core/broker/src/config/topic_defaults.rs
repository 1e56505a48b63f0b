//! What a broker gives to topics that do not set their own.

use std::collections::BTreeMap;

use super::topic_keys::{BrokerName, TOPIC_KEYS, Unit};

/// Values for topics that do not set their own, from the broker settings that stand for them, such
/// as `log.retention.hours` for `retention.ms`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicDefaults {
    /// By name of the broker setting.
    given: BTreeMap<&'static str, String>,
    /// By name of the topic setting.
    resolved: BTreeMap<&'static str, String>,
}

impl TopicDefaults {
    /// Takes over the value of a broker setting that topics have a default from.
    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        self.given.insert(name, value);
        for key in TOPIC_KEYS {
            let given = key
                .broker_names
                .iter()
                .find_map(|name| self.given.get(name.name).map(|value| (name, value)));
            if let Some((name, value)) = given {
                self.resolved.insert(key.name, in_topic_unit(name, value));
            }
        }
    }

    /// The default of the topic setting `name`, if the broker has one of its own.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.resolved.get(name).map(String::as_str)
    }

    /// The value of the broker setting `name`, if it was given.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }
}

fn in_topic_unit(name: &BrokerName, value: &str) -> String {
    let factor = match name.unit {
        Unit::Same => return value.to_owned(),
        Unit::EndlessBelowZero => 1,
        Unit::Minutes => 60_000,
        Unit::Hours => 3_600_000,
    };
    match value.trim().parse::<i64>() {
        // Less than nothing means no limit, in any unit.
        Ok(value) if value < 0 => "-1".to_owned(),
        Ok(value) => value.saturating_mul(factor).to_string(),
        Err(_) => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::TopicDefaults;

    #[test]
    fn the_finer_unit_wins_over_the_coarser_whatever_comes_first() {
        let mut defaults = TopicDefaults::default();
        defaults.set("log.retention.hours", "2".into());
        assert_eq!(defaults.get("retention.ms"), Some("7200000"));
        defaults.set("log.retention.minutes", "3".into());
        assert_eq!(defaults.get("retention.ms"), Some("180000"));
        defaults.set("log.retention.ms", "4".into());
        defaults.set("log.retention.minutes", "5".into());
        assert_eq!(defaults.get("retention.ms"), Some("4"));
        defaults.set("log.roll.hours", "1".into());
        assert_eq!(defaults.get("segment.ms"), Some("3600000"));
        let mut endless = TopicDefaults::default();
        endless.set("log.retention.hours", "-1".into());
        assert_eq!(endless.get("retention.ms"), Some("-1"));
    }
}
