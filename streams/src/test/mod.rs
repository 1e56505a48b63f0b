//! A topology driven by hand: no log, no threads, no clock but yours.
//!
//! The driver runs the same tasks as the runtime, over topics that are vectors. It commits after
//! every record unless told otherwise, so that nothing is held back; it can crash, which loses what
//! was not committed, and come back from backends and changelogs.

mod driver;
mod log;
mod topic;

pub use driver::{TestDriverBuilder, TopologyTestDriver};
pub use topic::{TestInputTopic, TestOutputTopic, TestRecord};
