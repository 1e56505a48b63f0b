//! What a store is, before there is one.

use std::collections::BTreeMap;

/// How keys of a store look in its changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLayout {
    /// As in the store.
    Plain,
    /// In the store the start of the window (eight bytes, big-endian, so that windows lie in the
    /// order of time), then the key; in the changelog Kafka's order: key, start, four zero bytes.
    Window,
}

/// A store that a topology declares: its name is its identity across versions of the topology.
#[derive(Clone, Debug)]
pub struct StoreSpec {
    /// Name, unique in the topology. The changelog is `<application>-<name>-changelog`.
    pub name: String,
    /// Whether it has a changelog. Without, its contents do not survive a move or a crash.
    pub changelog: bool,
    /// How its keys look in the changelog.
    pub layout: KeyLayout,
    /// Topic configs of the changelog, over the defaults (`cleanup.policy=compact`).
    pub changelog_config: BTreeMap<String, String>,
}

impl StoreSpec {
    /// A store of keys and values with a changelog.
    pub fn key_value(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            changelog: true,
            layout: KeyLayout::Plain,
            changelog_config: BTreeMap::new(),
        }
    }

    /// A store of windows with a changelog. Its keys begin with the start of the window.
    pub fn window(name: impl Into<String>) -> Self {
        Self {
            layout: KeyLayout::Window,
            ..Self::key_value(name)
        }
    }

    /// The same without a changelog.
    #[must_use]
    pub fn without_changelog(mut self) -> Self {
        self.changelog = false;
        self
    }

    /// The same with a topic config for the changelog.
    #[must_use]
    pub fn changelog_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.changelog_config.insert(key.into(), value.into());
        self
    }
}
