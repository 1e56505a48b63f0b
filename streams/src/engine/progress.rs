//! What a task commits beside its offsets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Times that survive a restart, as the metadata of committed offsets. Numbers only grow, so that of
/// several partitions' metadata the greatest counts.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub(super) struct Progress {
    #[serde(rename = "t")]
    pub(super) stream_time: i64,
    #[serde(rename = "m", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) marks: BTreeMap<String, i64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            stream_time: -1,
            marks: BTreeMap::new(),
        }
    }
}

impl Progress {
    /// What another wrote, or nothing: metadata of a foreign tool is no reason to stop.
    pub(super) fn parse(metadata: &str) -> Self {
        serde_json::from_str(metadata).unwrap_or_default()
    }

    pub(super) fn to_metadata(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.stream_time = self.stream_time.max(other.stream_time);
        for (name, value) in &other.marks {
            let mark = self.marks.entry(name.clone()).or_insert(*value);
            *mark = (*mark).max(*value);
        }
    }
}
