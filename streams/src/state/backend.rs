//! Where committed state lies: the interface of storage engines.

use std::fmt;
use std::ops::{Bound, ControlFlow};

use uuid::Uuid;

/// A failure of a state store.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The storage engine failed.
    #[error("store {store}: {action} failed")]
    Backend {
        /// Store and partition.
        store: String,
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Operators that share a store disagree about what it caches.
    #[error("store {store} caches {found}, not {expected}")]
    CacheType {
        /// Store.
        store: String,
        /// What the operator expects.
        expected: &'static str,
        /// What there is.
        found: &'static str,
    },
    /// What lies in the store cannot be read.
    #[error(
        "store {store}: an entry of {bytes} bytes is damaged; delete the state directory to rebuild it from the changelog"
    )]
    Damaged {
        /// Store and partition.
        store: String,
        /// Length of the entry.
        bytes: usize,
    },
    /// Another thread of the process was given the partition and has opened it.
    #[error("store {store} was taken over by another thread of this process")]
    TakenOver {
        /// Store and partition.
        store: String,
    },
}

/// One partition of one store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId {
    /// Name of the store.
    pub store: String,
    /// Partition of the task that owns it.
    pub partition: i32,
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.store, self.partition)
    }
}

/// How far into which changelog a backend has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Id of the changelog topic: a topic of the same name made anew is another one.
    pub topic_id: Uuid,
    /// First offset of the changelog whose record is not in the backend.
    pub offset: i64,
    /// When it was last known that the changelog had nothing that the store did not have, in ms of
    /// the wall clock; 0 if that is not known. Compaction drops a deletion some time after it was
    /// written: what was deleted long after this moment cannot be learned from `offset` on.
    pub confirmed_at: i64,
}

/// Called with key and value; says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Called with key, value and timestamp (ms); says whether to go on.
pub type VisitEntry<'a> = dyn FnMut(&[u8], &[u8], i64) -> ControlFlow<()> + 'a;

/// A storage engine; one for each process.
pub trait StateBackend: Send + Sync {
    /// Opens a partition of a store, creating it if need be. A partition that cannot be read is set
    /// aside and comes back empty, without a checkpoint.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    fn open(&self, id: &StoreId) -> Result<Box<dyn StateStore>, StateError>;

    /// Makes all that was written durable as far as the engine can. The changelog is the real
    /// durability: losing writes here only makes the next restore longer.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    fn flush(&self) -> Result<(), StateError>;
}

/// A partition of a store in a storage engine. Written from one thread, read from many.
///
/// Writes between two checkpoints need not be atomic: replaying the changelog from the older
/// checkpoint repairs them. A checkpoint must never be durable before the writes it follows.
pub trait StateStore: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError>;

    /// Writes entries; `None` deletes. Called with keys in ascending order, because engines like it.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    fn write(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateError>;

    /// Visits the entries in a range in ascending order of keys.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StateError>;

    /// Whether there is no entry.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    fn is_empty(&self) -> Result<bool, StateError>;

    /// The last checkpoint.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    fn checkpoint(&self) -> Result<Option<Checkpoint>, StateError>;

    /// Replaces the checkpoint, after all writes before it.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    fn set_checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), StateError>;

    /// Deletes every entry and the checkpoint.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    fn clear(&mut self) -> Result<(), StateError>;
}
