//! The table of what a client metrics subscription can set (KIP-714). Subscriptions are kept and
//! shown; clients are not asked for their metrics.

use std::collections::BTreeMap;

use super::value::{Check, Shape, Value, ValueKind};

/// One setting of subscriptions.
pub(crate) struct MetricsKey {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) default: &'static str,
    pub(crate) doc: &'static str,
}

/// Why a subscription was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMetricsConfig {
    #[error("unknown client metrics configuration: {0}")]
    UnknownName(String),
    #[error("invalid value {value} for {name}: {reason}")]
    Value {
        name: String,
        value: String,
        reason: String,
    },
    #[error(
        "{0} is no pattern to match clients with: write SELECTOR=REGEX, with one of client_instance_id, client_id, client_software_name, client_software_version, client_source_address, client_source_port"
    )]
    Pattern(String),
}

/// What a pattern may look at.
const SELECTORS: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// Checks what a subscription sets.
pub(crate) fn check_metrics(values: &BTreeMap<String, String>) -> Result<(), InvalidMetricsConfig> {
    for (name, text) in values {
        let key = METRICS_KEYS.iter().find(|key| key.name == name);
        let key = key.ok_or_else(|| InvalidMetricsConfig::UnknownName(name.clone()))?;
        let read = key
            .shape
            .read(text)
            .map_err(|reason| InvalidMetricsConfig::Value {
                name: name.clone(),
                value: text.clone(),
                reason,
            })?;
        if let Value::List(items) = read
            && name == "match"
        {
            let is_pattern = |item: &&String| {
                item.split_once('=').is_some_and(|(selector, pattern)| {
                    SELECTORS.contains(&selector.trim()) && !pattern.trim().is_empty()
                })
            };
            if let Some(item) = items.iter().find(|item| !is_pattern(item)) {
                return Err(InvalidMetricsConfig::Pattern(item.clone()));
            }
        }
    }
    Ok(())
}

/// All settings of subscriptions, by name.
pub(crate) static METRICS_KEYS: &[MetricsKey] = &[
    MetricsKey {
        name: "interval.ms",
        shape: Shape {
            kind: ValueKind::Int,
            check: Check::Within(100, 3_600_000),
        },
        default: "300000",
        doc: "How often clients are to push their metrics, in milliseconds. Kept without effect: clients are not asked.",
    },
    MetricsKey {
        name: "match",
        shape: Shape {
            kind: ValueKind::List,
            check: Check::Any,
        },
        default: "",
        doc: "Which clients are meant, as SELECTOR=REGEX; all if it is empty. Kept without effect: clients are not asked.",
    },
    MetricsKey {
        name: "metrics",
        shape: Shape {
            kind: ValueKind::List,
            check: Check::Any,
        },
        default: "",
        doc: "Beginnings of the names of the metrics wanted. Kept without effect: clients are not asked.",
    },
];
