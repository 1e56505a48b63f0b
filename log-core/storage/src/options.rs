//! How a node's storage is set up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::fail_stop::{AbortProcess, FailStop};

/// Sizes of the journal. It takes up to `file_bytes * files_max` on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    /// Size of a journal file in bytes, a multiple of 4 KiB. No append may be larger.
    pub file_bytes: u64,
    /// Size of the very first file, smaller so that a new node starts at once.
    pub first_file_bytes: u64,
    /// Most files at a time, at least 2.
    pub files_max: usize,
    /// Most bytes that gather for the next sync; twice this is the journal's memory. Appends wait
    /// while it is reached.
    pub group_bytes: u64,
    /// How long an append waits for room in the journal before it is refused. Appends block their
    /// thread, which others need to make room, by deleting for one.
    pub room_wait: Duration,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            first_file_bytes: 8 << 20,
            files_max: 4,
            group_bytes: 8 << 20,
            room_wait: Duration::from_secs(10),
        }
    }
}

/// Who does the work behind the appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Background {
    /// Two threads: one commits the journal, one syncs segments and checkpoints.
    #[default]
    Threads,
    /// The caller, by [`Storage::step_journal`](crate::Storage::step_journal) and
    /// [`Storage::step_syncer`](crate::Storage::step_syncer): everything in one thread, so that a
    /// simulation repeats.
    Stepped,
}

/// How a node's storage is set up.
#[derive(Debug, Clone)]
pub struct StorageOptions {
    /// The node's data directory; made if it does not exist.
    pub data_dir: PathBuf,
    /// The cluster that the directory must belong to; a new directory joins it.
    pub cluster_id: String,
    /// The node that the directory must belong to.
    pub node_id: i32,
    /// Sizes of the journal.
    pub journal: JournalOptions,
    /// Who does the background work.
    pub background: Background,
    /// A segment is synced once this many new bytes are in it.
    pub sync_bytes: u64,
    /// The same for topics with `durability=relaxed`.
    pub relaxed_sync_bytes: u64,
    /// Longest time for which bytes of a relaxed topic stay unsynced.
    pub relaxed_sync_interval: Duration,
    /// Checkpoints are written at least this often while there is something new.
    pub checkpoint_interval: Duration,
    /// Kafka's `producer.id.expiration.ms` (KIP-854).
    pub producer_id_expiration: Duration,
    /// Memory for the keys of one compaction run, in bytes. A log with more new keys takes several
    /// runs over what is before them. The keys of one batch are always taken together, so the
    /// largest batch may add its own to this.
    pub compaction_bytes: usize,
    /// What happens after a failed sync.
    pub fail_stop: Arc<dyn FailStop>,
}

impl StorageOptions {
    /// The defaults for a data directory.
    pub fn new(data_dir: impl Into<PathBuf>, cluster_id: impl Into<String>, node_id: i32) -> Self {
        Self {
            data_dir: data_dir.into(),
            cluster_id: cluster_id.into(),
            node_id,
            journal: JournalOptions::default(),
            background: Background::default(),
            sync_bytes: 1 << 20,
            relaxed_sync_bytes: 256 << 10,
            relaxed_sync_interval: Duration::from_millis(100),
            checkpoint_interval: Duration::from_secs(5),
            producer_id_expiration: Duration::from_secs(24 * 60 * 60),
            compaction_bytes: 32 << 20,
            fail_stop: Arc::new(AbortProcess),
        }
    }
}
