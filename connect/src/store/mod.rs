//! What a worker keeps in the log: configurations, statuses and source offsets, each in a
//! compacted topic in Kafka Connect's own format, so that a cluster's topics can be taken over
//! from Kafka Connect and given back.

mod config_store;
mod offset_store;
mod status_store;
#[cfg(test)]
mod test_log;
mod topic_reader;
mod topics;

pub(crate) use config_store::{ConfigStore, TargetState};
pub(crate) use offset_store::OffsetStore;
pub(crate) use status_store::StatusStore;
pub(crate) use topics::{TopicRequest, ensure_topic};
