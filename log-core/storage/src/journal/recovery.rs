//! Reading the journal of the last incarnation: damage to what was synced is told from a torn tail.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use headwater_env::Disk;

use super::file::{self, FileHeader, JournalFile};
use super::frame::{BLOCK, FrameKind, GROUP_HEADER, GroupHeader, group_size, take_frame};
use super::writer::seed;
use crate::error::{Corruption, FileError, OpenError};
use crate::id::TopicPartitionId;
use crate::lsn::Lsn;
use crate::medium::Medium;

/// A frame to be replayed.
#[derive(Debug, Clone)]
pub(crate) struct RecoveredFrame {
    pub(crate) kind: FrameKind,
    pub(crate) lsn: Lsn,
    pub(crate) id: TopicPartitionId,
    pub(crate) position: i64,
    pub(crate) payload: Bytes,
}

/// The journal files that an incarnation left, oldest first.
#[derive(Debug)]
pub(crate) struct JournalScan {
    incarnation: u64,
    files: Vec<(FileHeader, JournalFile)>,
    /// Files of other incarnations, never used, or with a damaged first block.
    others: Vec<JournalFile>,
}

impl JournalScan {
    /// Finds the files of `incarnation`. `tail` is the first frame that is still needed.
    pub(crate) fn open(
        medium: &Medium,
        dir: &Path,
        incarnation: u64,
        tail: Lsn,
    ) -> Result<Self, OpenError> {
        let disk: &dyn Disk = medium.disk.as_ref();
        let mut found = BTreeMap::new();
        let mut others = Vec::new();
        for entry in disk.list(dir).map_err(FileError::new("list", dir))? {
            if file::parse_name(&entry.name).is_none() {
                continue;
            }
            let journal_file = JournalFile::open(medium, dir.join(&entry.name))?;
            match journal_file.read_header()? {
                Some(header) if header.incarnation == incarnation => {
                    found.insert(header.sequence, (header, journal_file));
                }
                _ => others.push(journal_file),
            }
        }
        // Files are recycled oldest first, so what is needed is the unbroken run up to the newest.
        let mut files: Vec<(FileHeader, JournalFile)> = Vec::new();
        for (_, next) in found.into_iter().rev() {
            match files.last() {
                Some((header, _)) if header.sequence != next.0.sequence + 1 => others.push(next.1),
                _ => files.push(next),
            }
        }
        files.reverse();
        // A file that was free may have been half overwritten under its old first block.
        let needed = files
            .partition_point(|(header, _)| header.first <= tail)
            .max(1)
            - 1;
        others.extend(files.drain(..needed).map(|(_, file)| file));
        match files.first() {
            Some((header, _)) if header.first <= tail => Ok(Self {
                incarnation,
                files,
                others,
            }),
            _ => Err(OpenError::Corrupt(Corruption {
                path: dir.to_owned(),
                position: 0,
                reason: format!(
                    "the journal file with frame {tail} of incarnation {incarnation} is missing"
                ),
            })),
        }
    }

    /// Calls `visit` for each frame in order and returns the last frame's number.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] if a frame that was synced is damaged; frames before it may have been
    /// visited. What `visit` returns.
    pub(crate) fn replay(
        &self,
        mut visit: impl FnMut(RecoveredFrame) -> Result<(), OpenError>,
    ) -> Result<Lsn, OpenError> {
        let Some((first, _)) = self.files.first() else {
            return Ok(Lsn::ZERO);
        };
        let mut expected = first.first;
        let mut chain = first.predecessor;
        if first.sequence == 0 && chain != seed(self.incarnation) {
            return Err(self.damaged(0, 0, expected));
        }
        for (index, (header, file)) in self.files.iter().enumerate() {
            if header.first != expected || header.predecessor != chain {
                // The file was opened after all before it was synced.
                return Err(self.damaged(index.saturating_sub(1), BLOCK, expected));
            }
            let mut position = BLOCK;
            while let Some(group) = self.read_group(file, header, position, expected, chain)? {
                let mut rest: &[u8] = &group;
                while !rest.is_empty() {
                    let Some(frame) = take_frame(&mut rest, self.incarnation, expected, chain)
                    else {
                        return self.end(index, position, expected);
                    };
                    chain = frame.crc;
                    visit(RecoveredFrame {
                        kind: frame.kind,
                        lsn: expected,
                        id: frame.id,
                        position: frame.position,
                        payload: group.slice_ref(frame.payload),
                    })?;
                    expected = expected.next();
                }
                position += group_size(group.len() as u64);
            }
            if index + 1 == self.files.len() {
                return self.end(index, position, expected);
            }
        }
        Ok(expected.previous())
    }

    /// The frames of the group at `position`, unchecked; `None` if the next group is not there.
    fn read_group(
        &self,
        file: &JournalFile,
        header: &FileHeader,
        position: u64,
        expected: Lsn,
        chain: u32,
    ) -> Result<Option<Bytes>, OpenError> {
        let mut bytes = Vec::new();
        file.file
            .read_to(&mut bytes, position, GROUP_HEADER)
            .map_err(FileError::new("read", &file.path))?;
        let Some(group) = GroupHeader::decode(&bytes) else {
            return Ok(None);
        };
        let end = position + group_size(group.frame_bytes.into());
        let follows = group.incarnation == self.incarnation
            && group.sequence == header.sequence
            && group.first == expected
            && group.predecessor == chain
            && end <= file.len;
        if !follows {
            return Ok(None);
        }
        bytes.clear();
        let len = usize::try_from(group.frame_bytes).unwrap_or(usize::MAX);
        file.file
            .read_to(&mut bytes, position + GROUP_HEADER as u64, len)
            .map_err(FileError::new("read", &file.path))?;
        Ok(Some(Bytes::from(bytes)))
    }

    /// The frames end before `expected`. Looks behind `position` for a group that says `expected`
    /// had been synced: then it is not the end but damage.
    fn end(&self, index: usize, position: u64, expected: Lsn) -> Result<Lsn, OpenError> {
        for (later, (_, file)) in self.files.iter().enumerate().skip(index) {
            let from = if later == index { position } else { BLOCK };
            if self.is_named_synced(file, from, expected)? {
                return Err(self.damaged(index, position, expected));
            }
        }
        for file in &self.others {
            if self.is_named_synced(file, BLOCK, expected)? {
                return Err(self.damaged(index, position, expected));
            }
        }
        Ok(expected.previous())
    }

    fn is_named_synced(
        &self,
        file: &JournalFile,
        from: u64,
        expected: Lsn,
    ) -> Result<bool, OpenError> {
        const CHUNK: usize = 1 << 20;
        let mut bytes = Vec::new();
        let mut at = from;
        while at < file.len {
            bytes.clear();
            let read = file
                .file
                .read_to(&mut bytes, at, CHUNK)
                .map_err(FileError::new("read", &file.path))?;
            if read == 0 {
                break;
            }
            let names_it = bytes
                .chunks(BLOCK as usize)
                .filter_map(GroupHeader::decode)
                .any(|group| {
                    group.incarnation == self.incarnation && group.last_synced >= expected
                });
            if names_it {
                return Ok(true);
            }
            at += read as u64;
        }
        Ok(false)
    }

    fn damaged(&self, index: usize, position: u64, expected: Lsn) -> OpenError {
        let path = self
            .files
            .get(index)
            .map(|(_, file)| file.path.clone())
            .unwrap_or_default();
        OpenError::Corrupt(Corruption {
            path,
            position,
            reason: format!("frame {expected} was synced but cannot be read"),
        })
    }
}
