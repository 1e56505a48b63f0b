//! What the cluster knows about itself: brokers, topics, their configuration, producer id blocks.
//!
//! [`ClusterImage`] is the state, [`Command`] a change somebody asks for, [`ClusterImage::apply`]
//! the only way from one image to the next. Applying is deterministic: ids and times come in with
//! the command, so that every node of a quorum arrives at the same image.

mod apply;
mod command;
mod features;
mod image;

#[cfg(test)]
mod tests;

pub use command::{Command, CommandError, NewTopic, Outcome};
pub use features::{FEATURES, Feature, FinalizedFeatures};
pub use image::{BrokerImage, ClusterImage, ConfigImage, ConfigKind, PartitionImage, TopicImage};
