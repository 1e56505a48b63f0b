//! The sparse index of a segment: offsets and times in one file.
//!
//! An entry about every 4 KiB of log says where a batch starts and the largest timestamp before it.
//! A growing segment's entries are in memory; a closed one's are read from its file, by binary
//! search. A closed index ends with an entry for the segment's end, so that it shows by itself
//! whether it is whole.
//!
//! The index is derived: every entry has a checksum that starts from the file's header, which names
//! segment and revision, and every position found is compared with the batch there.

mod file;

use headwater_wire::records::BatchHeader;

pub(crate) use file::IndexFile;

use crate::segment::SegmentHeader;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// Base offset of a batch, from the segment's base offset.
    pub(crate) relative_offset: u32,
    /// Where it starts in the segment, in bytes.
    pub(crate) position: u32,
    /// Largest timestamp (ms) of all batches before it, -1 if none.
    pub(crate) largest_before: i64,
}

/// What is known of a segment's index in memory.
#[derive(Debug)]
pub(crate) struct SegmentIndex {
    header: SegmentHeader,
    entries: Entries,
    /// Bytes appended since the last entry.
    since_entry: u64,
}

#[derive(Debug)]
enum Entries {
    /// The segment grows. The first `persisted` entries are in the file, unless it must be
    /// written anew.
    Growing {
        entries: Vec<IndexEntry>,
        persisted: usize,
        must_rewrite: bool,
    },
    /// The segment is closed; the file has this many entries, the last being its end.
    Closed { count: usize },
}

impl SegmentIndex {
    pub(crate) fn new(header: SegmentHeader) -> Self {
        let entries = Entries::Growing {
            entries: Vec::new(),
            persisted: 0,
            must_rewrite: false,
        };
        Self {
            header,
            entries,
            since_entry: 0,
        }
    }

    /// An index whose first entries were read back from its file, which has `count` of them. What
    /// comes behind the usable ones must not be taken for entries later.
    pub(crate) fn growing(header: SegmentHeader, entries: Vec<IndexEntry>, count: usize) -> Self {
        let must_rewrite = entries.len() != count;
        let persisted = if must_rewrite { 0 } else { count };
        Self {
            header,
            entries: Entries::Growing {
                entries,
                persisted,
                must_rewrite,
            },
            since_entry: 0,
        }
    }

    pub(crate) fn closed(header: SegmentHeader, count: usize) -> Self {
        Self {
            header,
            entries: Entries::Closed { count },
            since_entry: 0,
        }
    }

    /// Counts a batch appended at `position` and gives it an entry if it is time for one.
    pub(crate) fn note(
        &mut self,
        batch: &BatchHeader,
        position: u64,
        largest_before: i64,
        interval: u32,
    ) {
        if self.since_entry > u64::from(interval) {
            let relative_offset = u32::try_from(batch.base_offset - self.header.base_offset);
            if let (Entries::Growing { entries, .. }, Ok(relative_offset), Ok(position)) =
                (&mut self.entries, relative_offset, u32::try_from(position))
            {
                entries.push(IndexEntry {
                    relative_offset,
                    position,
                    largest_before,
                });
            }
            self.since_entry = 0;
        }
        self.since_entry += batch.size_in_bytes() as u64;
    }

    /// Forgets entries at or behind `position`; the file must be written anew.
    pub(crate) fn truncate(&mut self, position: u64) {
        self.since_entry = 0;
        if let Entries::Growing {
            entries,
            persisted,
            must_rewrite,
        } = &mut self.entries
        {
            entries.retain(|entry| u64::from(entry.position) < position);
            (*persisted, *must_rewrite) = (0, true);
        }
    }

    /// Makes a closed index grow again, with the entries read from its file.
    pub(crate) fn reopen(&mut self, mut entries: Vec<IndexEntry>, position: u64) {
        entries.retain(|entry| u64::from(entry.position) < position);
        self.since_entry = 0;
        self.entries = Entries::Growing {
            entries,
            persisted: 0,
            must_rewrite: true,
        };
    }

    /// Entries that are not in the file yet, behind how many, and whether to start it anew.
    pub(crate) fn unpersisted(&self) -> Option<(Vec<IndexEntry>, usize)> {
        match &self.entries {
            Entries::Growing {
                entries,
                must_rewrite: true,
                ..
            } => Some((entries.clone(), 0)),
            Entries::Growing {
                entries, persisted, ..
            } if *persisted < entries.len() => Some((
                entries.get(*persisted..).unwrap_or_default().to_vec(),
                *persisted,
            )),
            _ => None,
        }
    }

    /// Bytes that the file has, or will have once the segment is closed.
    pub(crate) fn size_in_bytes(&self) -> u64 {
        let count = match &self.entries {
            Entries::Growing { entries, .. } => entries.len(),
            Entries::Closed { count } => *count,
        };
        count as u64 * IndexFile::ENTRY_BYTES
    }

    /// How many entries the file has.
    pub(crate) fn persisted_count(&self) -> usize {
        match &self.entries {
            Entries::Growing { persisted, .. } => *persisted,
            Entries::Closed { count } => *count,
        }
    }

    /// How many entries a sync of the index would make durable.
    pub(crate) fn unpersisted_count(&self) -> usize {
        match &self.entries {
            Entries::Growing {
                must_rewrite: true, ..
            } => usize::MAX,
            Entries::Growing {
                entries, persisted, ..
            } => entries.len() - persisted,
            Entries::Closed { .. } => 0,
        }
    }

    /// Notes that the file has the first `count` entries.
    pub(crate) fn set_persisted(&mut self, count: usize) {
        if let Entries::Growing {
            persisted,
            must_rewrite,
            ..
        } = &mut self.entries
        {
            *persisted = count;
            *must_rewrite = false;
        }
    }

    /// Notes that the file is complete with `count` entries, and lets go of those in memory.
    pub(crate) fn close(&mut self, count: usize) {
        self.entries = Entries::Closed { count };
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.entries, Entries::Closed { .. })
    }

    /// Finds the last entry for which `is_before` holds, given that it holds for a first part of
    /// them. The closure is the file to look into if the index is closed.
    pub(crate) fn last_before(
        &self,
        open: impl FnOnce() -> Option<IndexFile>,
        is_before: impl Fn(&IndexEntry) -> bool,
    ) -> Option<IndexEntry> {
        match &self.entries {
            Entries::Growing { entries, .. } => {
                let count = entries.partition_point(is_before);
                entries.get(count.checked_sub(1)?).copied()
            }
            Entries::Closed { count } => {
                let file = open()?;
                let (mut low, mut high) = (0, *count);
                let mut found = None;
                while low < high {
                    let middle = low + (high - low) / 2;
                    let entry = file.entry(middle)?;
                    if is_before(&entry) {
                        found = Some(entry);
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                found
            }
        }
    }

    pub(crate) fn header(&self) -> SegmentHeader {
        self.header
    }
}
