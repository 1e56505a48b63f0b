//! Walking over a segment's batches by their headers.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use headwater_env::DiskFile;
use headwater_wire::records::{BATCH_HEADER_LEN, BatchHeader, ControlMarker, RecordBatch};

use crate::error::{Corruption, FileError};

/// Why a walk ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    #[error(transparent)]
    Damaged(#[from] Corruption),
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads batch headers one after the other, in chunks, jumping over what it need not see.
#[derive(Debug)]
pub(crate) struct BatchScanner {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    position: u64,
    end: u64,
    chunk: usize,
    buffer: Vec<u8>,
    /// Where in the file the buffer starts.
    start: u64,
}

impl BatchScanner {
    pub(super) fn new(
        file: Arc<dyn DiskFile>,
        path: PathBuf,
        position: u64,
        end: u64,
        chunk: usize,
    ) -> Self {
        let chunk = chunk.max(BATCH_HEADER_LEN);
        Self {
            file,
            path,
            position,
            end,
            chunk,
            buffer: Vec::new(),
            start: position,
        }
    }

    /// The next batch's header and position, without moving on; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<(u64, BatchHeader)>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let header = match self.bytes(BATCH_HEADER_LEN)? {
            Some(bytes) => BatchHeader::parse(bytes).map_err(|e| e.to_string()),
            None => Err("the file ends inside a batch".to_owned()),
        };
        let header = header.map_err(|reason| self.damaged(reason))?;
        if header.size_in_bytes() as u64 > self.end - self.position {
            return Err(self
                .damaged("the file ends inside a batch".to_owned())
                .into());
        }
        Ok(Some((self.position, header)))
    }

    /// Moves behind the batch.
    pub(crate) fn skip(&mut self, header: &BatchHeader) {
        self.position += header.size_in_bytes() as u64;
    }

    /// The next batch's header and position; moves behind it.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, BatchHeader)>, ScanError> {
        let next = self.peek()?;
        if let Some((_, header)) = &next {
            self.skip(header);
        }
        Ok(next)
    }

    /// The next batch whole, its checksum verified; moves behind it.
    pub(crate) fn next_verified(&mut self) -> Result<Option<(u64, RecordBatch)>, ScanError> {
        let Some((position, header)) = self.peek()? else {
            return Ok(None);
        };
        let bytes = match self.bytes(header.size_in_bytes())? {
            Some(bytes) => Bytes::copy_from_slice(bytes),
            None => {
                return Err(self
                    .damaged("the file ends inside a batch".to_owned())
                    .into());
            }
        };
        let batch = RecordBatch { header, bytes };
        batch
            .verify_crc()
            .map_err(|error| self.damaged(error.to_string()))?;
        self.skip(&header);
        Ok(Some((position, batch)))
    }

    /// The next batch's header, position and, if it is a control batch, marker; moves behind it.
    pub(crate) fn next_with_marker(
        &mut self,
    ) -> Result<Option<(u64, BatchHeader, Option<ControlMarker>)>, ScanError> {
        match self.peek()? {
            Some((_, header)) if header.is_control() => {
                let Some((position, batch)) = self.next_verified()? else {
                    return Ok(None);
                };
                let marker = marker_of(&batch).map_err(|error| self.damaged(error.to_string()))?;
                Ok(Some((position, header, marker)))
            }
            Some((position, header)) => {
                self.skip(&header);
                Ok(Some((position, header, None)))
            }
            None => Ok(None),
        }
    }

    /// The next `len` bytes, read if the buffer does not have them; `None` past the end.
    fn bytes(&mut self, len: usize) -> Result<Option<&[u8]>, FileError> {
        let mut at =
            usize::try_from(self.position.saturating_sub(self.start)).unwrap_or(usize::MAX);
        if self.position < self.start || self.buffer.len().saturating_sub(at) < len {
            self.buffer.clear();
            let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
            self.file
                .read_to(
                    &mut self.buffer,
                    self.position,
                    len.max(self.chunk).min(left),
                )
                .map_err(FileError::new("read", &self.path))?;
            self.start = self.position;
            at = 0;
        }
        Ok(self.buffer.get(at..).and_then(|bytes| bytes.get(..len)))
    }

    fn damaged(&self, reason: String) -> Corruption {
        Corruption {
            path: self.path.clone(),
            position: self.position,
            reason,
        }
    }
}

/// The transaction marker in a control batch; `None` for batches of records.
pub(crate) fn marker_of(
    batch: &RecordBatch,
) -> Result<Option<ControlMarker>, headwater_wire::records::BatchError> {
    if !batch.header.is_control() {
        return Ok(None);
    }
    let records = batch.records()?;
    match records.iter().next() {
        Some(record) => ControlMarker::parse(&record?),
        None => Ok(None),
    }
}
