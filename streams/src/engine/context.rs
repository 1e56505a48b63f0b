//! What an operator sees of its task.

use std::collections::BTreeMap;
use std::fmt;

use crate::state::{Store, TypedCache};

use super::{Chunk, EngineError};

/// A task: the number of its sub-topology and of the partition it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Number of the sub-topology, from 0.
    pub subtopology: u32,
    /// Partition of every input topic.
    pub partition: i32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}

/// What a node has counted since its task was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records it was given.
    pub processed: u64,
    /// Records it dropped: null keys or values where they mean nothing, negative timestamps,
    /// undecodable bytes under a policy that skips. Kafka's `dropped-records`.
    pub dropped: u64,
    /// Records that came after their window had closed.
    pub late: u64,
}

impl Counters {
    /// Adds `other`.
    pub fn add(&mut self, other: Self) {
        self.processed += other.processed;
        self.dropped += other.dropped;
        self.late += other.late;
    }
}

/// Where a forwarded chunk goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AllChildren,
    Child(usize),
}

/// The part of a task that its operators share.
#[derive(Debug)]
pub(crate) struct TaskState {
    pub(crate) id: TaskId,
    pub(crate) stream_time: i64,
    pub(crate) wall_time: i64,
    /// Topic and partition being read, for errors.
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// Survives a restart with the committed offsets.
    pub(crate) marks: BTreeMap<String, i64>,
    pub(crate) skip_undecodable: bool,
    /// Whether caches may hold results back until the commit.
    pub(crate) caching: bool,
    pub(crate) cache_bytes: usize,
}

/// What an operator sees of its task while it is called.
pub struct TaskContext<'a> {
    pub(crate) node: &'a str,
    pub(crate) state: &'a mut TaskState,
    pub(crate) stores: &'a mut [Store],
    /// Positions in `stores` of the operator's own stores.
    pub(crate) own_stores: &'a [usize],
    pub(crate) forwarded: &'a mut Vec<(Target, Chunk)>,
    pub(crate) counters: &'a mut Counters,
    pub(crate) has_children: bool,
}

impl TaskContext<'_> {
    /// Name of the node.
    pub fn node(&self) -> &str {
        self.node
    }

    /// The task.
    pub fn task_id(&self) -> TaskId {
        self.state.id
    }

    /// Hands `chunk` to every child. Empty chunks are dropped. Children run after the operator
    /// returns, in the order of forwarding.
    pub fn forward(&mut self, chunk: Chunk) {
        if !chunk.is_empty() {
            self.forwarded.push((Target::AllChildren, chunk));
        }
    }

    /// Hands `chunk` to the child at position `child`, in the order in which children were added.
    pub fn forward_to(&mut self, child: usize, chunk: Chunk) {
        if !chunk.is_empty() {
            self.forwarded.push((Target::Child(child), chunk));
        }
    }

    /// The store at `position` in the list of stores the node was added with.
    ///
    /// # Errors
    /// [`EngineError::NoSuchStore`].
    pub fn store(&mut self, position: usize) -> Result<&mut Store, EngineError> {
        let found = self.own_stores.get(position).copied();
        match found.and_then(|index| self.stores.get_mut(index)) {
            Some(store) => Ok(store),
            None => Err(EngineError::NoSuchStore {
                node: self.node.to_owned(),
                position,
            }),
        }
    }

    /// The typed cache `C` of the store at `position`, made by `make` when it is first asked for,
    /// together with the store behind it. Operators that share a store share its cache.
    ///
    /// # Errors
    /// [`EngineError::NoSuchStore`], or [`EngineError::State`] if the cache is of another type.
    pub fn cached_store<C: TypedCache>(
        &mut self,
        position: usize,
        make: impl FnOnce() -> C,
    ) -> Result<(&mut C, &mut crate::state::ByteStore), EngineError> {
        Ok(self.store(position)?.cached(make)?)
    }

    /// Whether anybody gets what is forwarded.
    pub fn has_children(&self) -> bool {
        self.has_children
    }

    /// Bytes that the typed cache of each store may keep between commits.
    pub fn cache_bytes(&self) -> usize {
        self.state.cache_bytes
    }

    /// Greatest timestamp of the records processed so far, in ms; −1 before the first.
    pub fn stream_time(&self) -> i64 {
        self.state.stream_time
    }

    /// Wall clock in ms since the epoch, as of the last time the task was driven.
    pub fn wall_time(&self) -> i64 {
        self.state.wall_time
    }

    /// Topic and partition whose records are being processed.
    pub fn input(&self) -> (&str, i32) {
        (&self.state.topic, self.state.partition)
    }

    /// A number that the operator stored under `name` with [`set_mark`](Self::set_mark). Names are
    /// the operator's own: the node's name is put before them.
    pub fn mark(&self, name: &str) -> Option<i64> {
        self.state
            .marks
            .get(&format!("{}/{name}", self.node))
            .copied()
    }

    /// Stores a number that survives restarts: it is committed with the offsets, in their metadata.
    /// It must never go down, since after a rebalance the greatest known value counts. For
    /// watermarks and observed stream time; keep names short and few.
    pub fn set_mark(&mut self, name: &str, value: i64) {
        let key = format!("{}/{name}", self.node);
        let mark = self.state.marks.entry(key).or_insert(value);
        *mark = (*mark).max(value);
    }

    /// Counts `records` as dropped.
    pub fn count_dropped(&mut self, records: u64) {
        self.counters.dropped += records;
    }

    /// Counts `records` as late.
    pub fn count_late(&mut self, records: u64) {
        self.counters.late += records;
    }

    /// Whether undecodable records are skipped and counted instead of stopping the application.
    pub fn skips_undecodable(&self) -> bool {
        self.state.skip_undecodable
    }

    /// Whether results may be held back until the commit, one for each key. When not, every record
    /// gives its result at once (a record cache of 0 bytes).
    pub fn caching(&self) -> bool {
        self.state.caching
    }
}
