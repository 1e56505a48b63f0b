//! Features of the cluster and the levels they may be at (KIP-584).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A feature that this release knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Kafka's name.
    pub name: &'static str,
    /// Lowest level supported.
    pub min: i16,
    /// Highest level supported, which a new cluster starts at.
    pub max: i16,
}

/// Every feature, by name.
///
/// - `group.version` 1: groups of the consumer protocol (KIP-848). They cannot be switched off.
/// - `metadata.version` 30 is the level of Kafka 4.3, whose requests are served. What the quorum
///   keeps has a format of its own, so there is no other level to choose.
/// - `transaction.version` 1: flexible records of the coordinator; clients add partitions to their
///   transactions. 2: writes add them, and each transaction has an epoch of its own (KIP-890).
pub const FEATURES: &[Feature] = &[
    Feature {
        name: "group.version",
        min: 1,
        max: 1,
    },
    Feature {
        name: "metadata.version",
        min: 30,
        max: 30,
    },
    Feature {
        name: "transaction.version",
        min: 1,
        max: 2,
    },
];

impl Feature {
    /// The feature of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FEATURES.iter().find(|feature| feature.name == name)
    }

    /// Whether this release supports the level.
    pub fn supports(&self, level: i16) -> bool {
        (self.min..=self.max).contains(&level)
    }
}

/// The levels that the cluster has agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalizedFeatures {
    /// Position in the quorum's log of the last change; 0 before the first.
    pub epoch: i64,
    /// Levels by name.
    pub levels: BTreeMap<String, i16>,
}

impl FinalizedFeatures {
    /// The level of a feature; 0 if it has none.
    pub fn level(&self, name: &str) -> i16 {
        self.levels.get(name).copied().unwrap_or(0)
    }

    /// The levels of this release for the features that have none yet, which a cluster starts
    /// with; `None` if all have theirs.
    pub fn missing(&self) -> Option<BTreeMap<String, i16>> {
        let missing: BTreeMap<_, _> = FEATURES
            .iter()
            .filter(|feature| !self.levels.contains_key(feature.name))
            .map(|feature| (feature.name.to_owned(), feature.max))
            .collect();
        (!missing.is_empty()).then_some(missing)
    }
}
