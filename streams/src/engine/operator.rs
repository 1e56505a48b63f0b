//! What a node of the graph does.

use std::sync::Arc;

use super::{Chunk, EngineError, TaskContext};

/// Which time moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeKind {
    /// The greatest timestamp among the records that the task has processed, in ms.
    Stream,
    /// The wall clock, in ms since the epoch.
    Wall,
}

/// One node of a task's graph. Called once per batch, from one thread at a time.
///
/// The order within a commit: any number of `process` and `on_time`, then `flush` once for every
/// operator, parents before children; then stores, offsets and produced records are committed
/// together. What an operator keeps outside its stores is lost in a crash, and must be rebuilt from
/// them in `init`.
pub trait Operator: Send {
    /// Called once, when the stores have been restored and before the first record.
    ///
    /// # Errors
    /// Stops the task.
    fn init(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        let _ = cx;
        Ok(())
    }

    /// Works on the records that came from the parent at position `port` in the list of parents
    /// the node was added with, and hands results on with [`TaskContext::forward`].
    ///
    /// # Errors
    /// Stops the task.
    fn process(
        &mut self,
        port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError>;

    /// Whether [`on_time`](Self::on_time) is to be called. Asked once.
    fn wants_time(&self) -> bool {
        false
    }

    /// Called when time has moved to `now` (ms): stream time after the batch that moved it, wall
    /// time as often as the task is driven.
    ///
    /// # Errors
    /// Stops the task.
    fn on_time(
        &mut self,
        kind: TimeKind,
        now: i64,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let _ = (kind, now, cx);
        Ok(())
    }

    /// Called before a commit: write what is cached to the stores and forward what was held back.
    ///
    /// # Errors
    /// Stops the task.
    fn flush(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        let _ = cx;
        Ok(())
    }
}

/// Makes the operator of a node, once for each task.
pub type OperatorFactory = Arc<dyn Fn() -> Box<dyn Operator> + Send + Sync>;

/// Hands chunks on as they are: what a source or a sink does unless told otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassThrough;

impl PassThrough {
    /// A factory of it.
    pub fn factory() -> OperatorFactory {
        Arc::new(|| Box::new(Self))
    }
}

impl Operator for PassThrough {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        cx.forward(chunk);
        Ok(())
    }
}
