//! A stream divided by predicates, asked in order.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::{Chunk, EngineError, Operator, OperatorFactory, TaskContext};

use super::super::Data;
use super::super::rows::Rows;

pub(in crate::dsl) type Predicate<K, V> = Arc<dyn Fn(&K, &V) -> bool + Send + Sync>;

/// The predicates of the branches in order, filled while the topology is built. Records that fit
/// none are dropped unless the last predicate takes all.
pub(in crate::dsl) type Predicates<K, V> = Arc<Mutex<Vec<Predicate<K, V>>>>;

struct Branch<K, V> {
    predicates: Vec<Predicate<K, V>>,
}

impl<K: Data, V: Data> Operator for Branch<K, V> {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let mut rows: Rows<K, V> = chunk.downcast(cx.node())?;
        rows.decode(cx)?;
        let pairs = rows.keys.values().iter().zip(rows.values.values());
        let chosen: Vec<Option<usize>> = pairs
            .map(|(key, value)| self.predicates.iter().position(|takes| takes(key, value)))
            .collect();
        for branch in 0..self.predicates.len() {
            let keep: Vec<bool> = chosen.iter().map(|found| *found == Some(branch)).collect();
            if keep.contains(&true) {
                let mut part = rows.clone();
                part.retain(&keep);
                cx.forward_to(branch, Chunk::columnar(part));
            }
        }
        Ok(())
    }
}

pub(in crate::dsl) fn factory<K: Data, V: Data>(predicates: &Predicates<K, V>) -> OperatorFactory {
    let predicates = predicates.clone();
    Arc::new(move || {
        Box::new(Branch {
            predicates: predicates.lock().clone(),
        })
    })
}
