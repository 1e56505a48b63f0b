//! What has a configuration, and how it is shown and changed: shared by the APIs about that.

mod entries;
mod named_once;
mod resource;

pub(super) use entries::{ConfigEntry, entries, topic_entries};
pub(super) use named_once::{NamedOnce, outcome};
pub(super) use resource::{Kind, Resource};
