//! What has a configuration, and how it is shown and changed: shared by the APIs about that.

mod entries;
mod loggers;
mod named_once;
mod resource;

/// What IncrementalAlterConfigs does to a setting.
pub(super) const SET: i8 = 0;
pub(super) const DELETE: i8 = 1;
pub(super) const APPEND: i8 = 2;
pub(super) const SUBTRACT: i8 = 3;

pub(super) use entries::{ConfigEntry, entries, entry_count, topic_entries};
pub(super) use loggers::{alter_levels, levels};
pub(super) use named_once::{NamedOnce, outcome};
pub(super) use resource::{Kind, Resource};
