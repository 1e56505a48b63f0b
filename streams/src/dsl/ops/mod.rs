//! The operators behind the DSL, one file for each.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::{Chunk, ColumnarChunk, EngineError, Operator, OperatorFactory, TaskContext};
use crate::state::CacheError;

pub(super) mod aggregate;
pub(super) mod branch;
pub(super) mod fold;
pub(super) mod join;
pub(super) mod sink;
pub(super) mod source;
pub(super) mod stateless;
pub(super) mod table;
pub(super) mod table_source;
pub(super) mod view;
pub(super) mod window_aggregate;

/// An operator without state: a function from a batch to what it forwards.
struct BatchOperator<C, F> {
    work: Arc<F>,
    chunk: PhantomData<fn(C)>,
}

impl<C, F> Operator for BatchOperator<C, F>
where
    C: ColumnarChunk,
    F: Fn(C, &mut TaskContext<'_>) -> Result<(), EngineError> + Send + Sync + 'static,
{
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        (self.work)(chunk.downcast(cx.node())?, cx)
    }
}

/// A factory of operators that do `work` on batches of type `C`.
fn batch_operator<C, F>(work: F) -> OperatorFactory
where
    C: ColumnarChunk,
    F: Fn(C, &mut TaskContext<'_>) -> Result<(), EngineError> + Send + Sync + 'static,
{
    let work = Arc::new(work);
    Arc::new(move || {
        Box::new(BatchOperator {
            work: work.clone(),
            chunk: PhantomData,
        })
    })
}

/// Whether a table's changes carry old values. Switched on while the topology is built, by
/// operators downstream that need them; read when tasks are made.
#[derive(Clone, Default)]
pub(super) struct SendOld(Arc<AtomicBool>);

impl SendOld {
    pub(super) fn request(&self) {
        // Written while building, read after: the hand-over of the topology orders the two.
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A failure of a typed cache, as one of `node`.
fn cache_failed(node: &str, error: CacheError) -> EngineError {
    match error {
        CacheError::State(error) => error.into(),
        CacheError::Codec(error) => EngineError::Operator {
            node: node.to_owned(),
            source: Box::new(error),
        },
    }
}
