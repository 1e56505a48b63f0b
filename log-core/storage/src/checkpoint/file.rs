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
    entries: Mutex<RawEntries>,
}

/// An encoded checkpoint. Of two of a partition, that with the higher number was captured later.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) entry: Vec<u8>,
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

    /// Puts an entry into the file to be written, unless a later one is there. Gives what was there.
    pub(crate) fn set(&self, id: TopicPartitionId, entry: Numbered) -> Option<Numbered> {
        let mut entries = self.entries.lock();
        let before = entries.get(&id).cloned();
        if before
            .as_ref()
            .is_none_or(|before| before.number < entry.number)
        {
            entries.insert(id, entry);
        }
        before
    }

    /// Takes back what [`CheckpointFile::set`] put.
    pub(crate) fn put_back(&self, id: TopicPartitionId, before: Option<Numbered>) {
        let mut entries = self.entries.lock();
        match before {
            Some(before) => entries.insert(id, before),
            None => entries.remove(&id),
        };
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
        for numbered in entries.values() {
            out.put_bytes(&numbered.entry);
        }
        drop(entries);
        self.register.store_uncached(&out)
    }
}

type RawEntries = BTreeMap<TopicPartitionId, Numbered>;

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
        let numbered = Numbered {
            number: 0,
            entry: bytes.to_vec(),
        };
        raw.insert(entry.id, numbered);
        checkpoints.entries.insert(entry.id, entry);
    }
    fields.is_empty().then_some((checkpoints, raw))
}
