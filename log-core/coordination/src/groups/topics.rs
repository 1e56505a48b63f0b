//! What the machines know of topics, and of settings made for single groups.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

/// The topics of the cluster, and the settings of groups, as of one moment. Immutable.
pub trait TopicsView: Send + Sync {
    /// Grows with every change; what was seen in a lower version may be outdated.
    fn version(&self) -> u64;

    /// Id of the topic with this name, and its number of partitions.
    fn find(&self, name: &str) -> Option<(Uuid, i32)>;

    /// Name of the topic with this id.
    fn name_of(&self, id: Uuid) -> Option<&str>;

    /// Calls `each` with the name of every topic.
    fn for_each_name(&self, each: &mut dyn FnMut(&str));

    /// What was set for this group alone.
    fn group_settings(&self, group_id: &str) -> GroupSettings {
        let _ = group_id;
        GroupSettings::default()
    }
}

/// Dynamic configuration of one group; `None` leaves the broker's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSettings {
    /// `consumer.session.timeout.ms`.
    pub session_timeout: Option<Duration>,
    /// `consumer.heartbeat.interval.ms`.
    pub heartbeat_interval: Option<Duration>,
    /// `consumer.assignment.interval.ms`.
    pub assignment_interval: Option<Duration>,
}

/// A [`TopicsView`] to pass along.
#[derive(Clone)]
pub struct Topics(Arc<dyn TopicsView>);

impl Topics {
    /// Passes `view` along.
    pub fn new(view: Arc<dyn TopicsView>) -> Self {
        Self(view)
    }

    pub(super) fn version(&self) -> u64 {
        self.0.version()
    }

    pub(super) fn find(&self, name: &str) -> Option<(Uuid, i32)> {
        self.0.find(name)
    }

    pub(super) fn name_of(&self, id: Uuid) -> Option<&str> {
        self.0.name_of(id)
    }

    pub(super) fn for_each_name(&self, each: &mut dyn FnMut(&str)) {
        self.0.for_each_name(each);
    }

    pub(super) fn group_settings(&self, group_id: &str) -> GroupSettings {
        self.0.group_settings(group_id)
    }

    /// Ids of the topics that exist among `names`.
    pub(super) fn ids<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> BTreeSet<Uuid> {
        names
            .into_iter()
            .filter_map(|name| self.find(name))
            .map(|(id, _)| id)
            .collect()
    }
}

/// No topics.
struct Nothing;

impl TopicsView for Nothing {
    fn version(&self) -> u64 {
        0
    }

    fn find(&self, _name: &str) -> Option<(Uuid, i32)> {
        None
    }

    fn name_of(&self, _id: Uuid) -> Option<&str> {
        None
    }

    fn for_each_name(&self, _each: &mut dyn FnMut(&str)) {}
}

impl Default for Topics {
    fn default() -> Self {
        Self(Arc::new(Nothing))
    }
}

impl PartialEq for Topics {
    fn eq(&self, other: &Self) -> bool {
        self.version() == other.version()
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
