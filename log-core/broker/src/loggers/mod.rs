//! Loggers and their levels, seen and changed while the broker runs (KIP-412).
//!
//! A logger is a name that diagnostics are written under: with `tracing` a target, which is the
//! path of a module unless the code says otherwise, written with dots as Kafka's loggers are. The broker sets up no subscriber. The process
//! that it runs in hands it [`Loggers`] in its [`Environment`](crate::Environment):
//! [`ProcessLoggers`] where `tracing_subscriber` is used, or [`NoLoggers`].

mod level;
mod levels;
mod names;
mod process;

use std::collections::BTreeMap;
use std::fmt::Debug;

pub use level::LogLevel;
pub use process::ProcessLoggers;

/// Name of the logger whose level holds where no other does.
pub const ROOT: &str = "root";

/// The loggers of the process that a broker runs in.
pub trait Loggers: Debug + Send + Sync {
    /// All loggers, by name, with the levels in force. [`ROOT`] is one of them, if there are any.
    fn levels(&self) -> BTreeMap<String, LogLevel>;

    /// Gives loggers levels of their own, one after the other and all at once. `None` takes away
    /// the level that a logger has of its own. What the process logs follows before this returns.
    ///
    /// # Errors
    /// [`LevelsNotChanged`]; all levels are as before then.
    fn change(&self, changes: &[(String, Option<LogLevel>)]) -> Result<(), LevelsNotChanged>;
}

/// Why levels of loggers were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelsNotChanged {
    /// Nothing is logged under the name.
    #[error("there is no logger {0}")]
    NoSuchLogger(String),
    /// The root logger has nothing to fall back on.
    #[error("the root logger always has a level; set another instead of removing it")]
    RootHasLevel,
    /// What filters the diagnostics did not take the levels.
    #[error("the levels cannot be put in force: {0}")]
    NotInForce(String),
}

/// A process that shows no loggers, so that there are none to change. As Kafka answers where it
/// does not know its logging library.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLoggers;

impl Loggers for NoLoggers {
    fn levels(&self) -> BTreeMap<String, LogLevel> {
        BTreeMap::new()
    }

    fn change(&self, changes: &[(String, Option<LogLevel>)]) -> Result<(), LevelsNotChanged> {
        match changes.first() {
            None => Ok(()),
            Some((name, _)) => Err(LevelsNotChanged::NoSuchLogger(name.clone())),
        }
    }
}
