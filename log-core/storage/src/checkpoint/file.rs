//! The node's checkpoints on disk.

use std::collections::BTreeMap;
use std::path::Path;

use parking_lot::Mutex;

use super::CheckpointEntry;
use crate::encoding::{Fields, PutFields};
use crate::error::{Corruption, OpenError};
use crate::id::TopicPartitionId;
use crate::lsn::Lsn;
use crate::medium::Medium;
use crate::raft::{Register, RegisterError};
use crate::sealed::Magic;

const MAGIC: Magic = *b"HWCHECKP";

/// What the file held when it was opened.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// Which incarnation wrote it, 0 if none.
    pub(crate) incarnation: u64,
    /// First frame of that incarnation that is still needed.
    pub(crate) tail: Lsn,
    pub(crate) entries: BTreeMap<TopicPartitionId, CheckpointEntry>,
}

/// The file, and its entries as they will be written next.
#[derive(Debug)]
pub(crate) struct CheckpointFile {
    register: Register,
    entries: Mutex<BTreeMap<TopicPartitionId, Vec<u8>>>,
}

impl CheckpointFile {
    pub(crate) fn open(medium: Medium, path: &Path) -> Result<(Self, Checkpoints), OpenError> {
        let register = Register::open_as(medium, path, MAGIC)?;
        let Some(bytes) = register.take() else {
            let file = Self {
                register,
                entries: Mutex::new(BTreeMap::new()),
            };
            return Ok((file, Checkpoints::default()));
        };
        let Some((checkpoints, raw)) = decode(&bytes) else {
            return Err(OpenError::Corrupt(Corruption {
                path: path.to_owned(),
                position: 0,
                reason: "its checkpoints cannot be read".to_owned(),
            }));
        };
        Ok((
            Self {
                register,
                entries: Mutex::new(raw),
            },
            checkpoints,
        ))
    }

    /// Puts entries into the file to be written.
    pub(crate) fn set(&self, id: TopicPartitionId, entry: Vec<u8>) {
        self.entries.lock().insert(id, entry);
    }

    pub(crate) fn remove(&self, id: &TopicPartitionId) {
        self.entries.lock().remove(id);
    }

    pub(crate) fn retain(&self, is_kept: impl Fn(&TopicPartitionId) -> bool) {
        self.entries.lock().retain(|id, _| is_kept(id));
    }

    /// Writes the file durably.
    pub(crate) fn store(&self, incarnation: u64, tail: Lsn) -> Result<(), RegisterError> {
        let mut out = Vec::new();
        out.put_u64(incarnation);
        out.put_u64(tail.get());
        let entries = self.entries.lock();
        out.put_len(entries.len());
        for entry in entries.values() {
            out.put_bytes(entry);
        }
        drop(entries);
        self.register.store_uncached(&out)
    }
}

type RawEntries = BTreeMap<TopicPartitionId, Vec<u8>>;

fn decode(bytes: &[u8]) -> Option<(Checkpoints, RawEntries)> {
    let mut fields = Fields::new(bytes);
    let incarnation = fields.u64()?;
    let tail = Lsn::new(fields.u64()?);
    let mut checkpoints = Checkpoints {
        incarnation,
        tail,
        entries: BTreeMap::new(),
    };
    let mut raw = BTreeMap::new();
    for _ in 0..fields.u32()? {
        let bytes = fields.bytes()?;
        let entry = CheckpointEntry::decode(bytes)?;
        raw.insert(entry.id, bytes.to_vec());
        checkpoints.entries.insert(entry.id, entry);
    }
    fields.is_empty().then_some((checkpoints, raw))
}
