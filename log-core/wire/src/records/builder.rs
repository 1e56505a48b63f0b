use bytes::Bytes;

use super::header::{CONTROL, DELETE_HORIZON, LENGTH_OVERHEAD, LOG_APPEND_TIME, TRANSACTIONAL};
use super::patch::seal;
use super::{BATCH_HEADER_LEN, BatchError, BatchHeader, Compression, NO_PRODUCER_ID, NO_TIMESTAMP};
use crate::varint;

/// What a [`BatchBuilder`] writes into the header. The default is a producer's plain batch.
#[derive(Debug, Clone)]
pub struct BatchOptions {
    /// Compression of the records.
    pub compression: Compression,
    /// Level of the compression; `None` is the codec's default. Snappy has none.
    pub compression_level: Option<i32>,
    /// Offset of the first record; producers send 0 and the broker assigns.
    pub base_offset: i64,
    /// Epoch of the leader; producers send -1 and the broker assigns.
    pub partition_leader_epoch: i32,
    /// Producer id, or [`NO_PRODUCER_ID`].
    pub producer_id: i64,
    /// Epoch of the producer id, -1 without one.
    pub producer_epoch: i16,
    /// Sequence number of the first record, -1 without one.
    pub base_sequence: i32,
    /// Whether the batch is part of a transaction.
    pub is_transactional: bool,
    /// Whether it holds control records.
    pub is_control: bool,
    /// Marks the records as stamped by the broker at this time (ms).
    pub log_append_time: Option<i64>,
    /// Earliest time (ms) at which compaction may drop the batch's tombstones (KIP-534).
    pub delete_horizon: Option<i64>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            compression: Compression::None,
            compression_level: None,
            base_offset: 0,
            partition_leader_epoch: -1,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: -1,
            base_sequence: -1,
            is_transactional: false,
            is_control: false,
            log_append_time: None,
            delete_horizon: None,
        }
    }
}

/// A record header to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The header's name.
    pub key: &'a str,
    /// Its value, which may be null.
    pub value: Option<&'a [u8]>,
}

/// Builds one batch, record by record, in one buffer.
#[derive(Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    /// Room for the header, then the records, uncompressed.
    buffer: Vec<u8>,
    base_timestamp: i64,
    max_timestamp: i64,
    record_count: i32,
    /// -1 while there are no records.
    last_offset_delta: i32,
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new(options: BatchOptions) -> Self {
        Self::with_capacity(options, 0)
    }

    /// An empty batch with room for `bytes` of records before the buffer has to grow.
    pub fn with_capacity(options: BatchOptions, bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(BATCH_HEADER_LEN.saturating_add(bytes));
        buffer.resize(BATCH_HEADER_LEN, 0);
        Self {
            base_timestamp: options.delete_horizon.unwrap_or(NO_TIMESTAMP),
            max_timestamp: NO_TIMESTAMP,
            options,
            buffer,
            record_count: 0,
            last_offset_delta: -1,
        }
    }

    /// Appends a record with the next offset and returns its distance from the base offset.
    ///
    /// # Errors
    /// [`BatchError::Full`] if the batch's 32-bit lengths cannot hold it; the batch is unchanged.
    #[inline]
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<i32, BatchError> {
        let offset_delta = self
            .last_offset_delta
            .checked_add(1)
            .ok_or(BatchError::Full("another record"))?;
        self.append_delta(offset_delta, timestamp, key, value, headers)
    }

    /// Appends a record at a given offset, as compaction does, which keeps the offsets of records.
    ///
    /// # Errors
    /// [`BatchError::Full`] as for [`append`](Self::append), or if `offset` is not above the last
    /// one or too far above the base offset.
    pub fn append_at(
        &mut self,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<i32, BatchError> {
        let delta = self.delta_of(offset)?;
        if delta <= self.last_offset_delta {
            return Err(BatchError::Full("an offset that is not above the last"));
        }
        self.append_delta(delta, timestamp, key, value, headers)
    }

    /// Makes the batch reach up to `offset` though no record stands there, as compaction does when
    /// it removes a batch's last record.
    ///
    /// # Errors
    /// [`BatchError::Full`] if `offset` is below the last record's or too far above the base
    /// offset.
    pub fn extend_to(&mut self, offset: i64) -> Result<(), BatchError> {
        let delta = self.delta_of(offset)?;
        if delta < self.last_offset_delta {
            return Err(BatchError::Full("a last offset below the last record's"));
        }
        self.last_offset_delta = delta;
        Ok(())
    }

    fn delta_of(&self, offset: i64) -> Result<i32, BatchError> {
        offset
            .checked_sub(self.options.base_offset)
            .and_then(|delta| i32::try_from(delta).ok())
            .filter(|delta| *delta >= 0)
            .ok_or(BatchError::Full("an offset so far from the base offset"))
    }

    fn append_delta(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<i32, BatchError> {
        const FULL: BatchError = BatchError::Full("a record so large");
        if self.record_count == 0 && self.options.delete_horizon.is_none() {
            self.base_timestamp = timestamp;
        }
        // Wrapping here and when reading, so that any two timestamps may share a batch.
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let header_count = i32::try_from(headers.len()).map_err(|_| FULL)?;
        let headers_len: usize = headers
            .iter()
            .map(|h| bytes_len(Some(h.key.as_bytes())) + bytes_len(h.value))
            .sum();
        let length = 1
            + varint::len_i64(timestamp_delta)
            + varint::len_i32(offset_delta)
            + bytes_len(key)
            + bytes_len(value)
            + varint::len_i32(header_count)
            + headers_len;
        let length_i32 = i32::try_from(length).map_err(|_| FULL)?;
        let grown = self.buffer.len() + varint::len_i32(length_i32) + length;
        if grown > i32::MAX as usize {
            return Err(FULL);
        }

        let out = &mut self.buffer;
        varint::put_i32(out, length_i32);
        out.push(0);
        varint::put_i64(out, timestamp_delta);
        varint::put_i32(out, offset_delta);
        put_bytes(out, key);
        put_bytes(out, value);
        varint::put_i32(out, header_count);
        for header in headers {
            put_bytes(out, Some(header.key.as_bytes()));
            put_bytes(out, header.value);
        }

        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.record_count += 1;
        self.last_offset_delta = offset_delta;
        Ok(offset_delta)
    }

    /// Sets what an idempotent producer knows only when it sends: id, epoch and first sequence.
    pub fn set_producer_state(&mut self, id: i64, epoch: i16, base_sequence: i32) {
        self.options.producer_id = id;
        self.options.producer_epoch = epoch;
        self.options.base_sequence = base_sequence;
    }

    /// Number of records so far.
    pub fn record_count(&self) -> usize {
        usize::try_from(self.record_count).unwrap_or(0)
    }

    /// Whether there are no records yet.
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Size of the batch so far in bytes, header included, before compression.
    pub fn size_in_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Largest number of bytes that a record can add before compression.
    pub fn record_size_max(
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> usize {
        // Length, attributes, timestamp delta, offset delta, header count at their longest.
        const FIXED: usize = 5 + 1 + 10 + 5 + 5;
        headers
            .iter()
            .map(|header| bytes_len(Some(header.key.as_bytes())) + bytes_len(header.value))
            .fold(
                FIXED + bytes_len(key) + bytes_len(value),
                usize::saturating_add,
            )
    }

    /// Compresses the records, writes header and checksum, and returns the batch.
    ///
    /// # Errors
    /// [`BatchError::Empty`] without records, unless [`extend_to`](Self::extend_to) made the batch
    /// keep its place; [`BatchError::Compress`] if the codec fails.
    pub fn build(self) -> Result<Bytes, BatchError> {
        if self.last_offset_delta < 0 {
            return Err(BatchError::Empty);
        }
        let codec = self.options.compression;
        let mut header = self.header();
        let mut batch = match codec {
            Compression::None => self.buffer,
            _ => {
                let records = self.buffer.get(BATCH_HEADER_LEN..).unwrap_or_default();
                let mut batch = Vec::with_capacity(BATCH_HEADER_LEN + records.len() / 2);
                batch.resize(BATCH_HEADER_LEN, 0);
                codec.compress(records, self.options.compression_level, batch)?
            }
        };
        header.batch_length = i32::try_from(batch.len() - LENGTH_OVERHEAD)
            .map_err(|_| BatchError::Full("what compression made of it"))?;
        if let Some(room) = batch.first_chunk_mut() {
            *room = header.to_bytes();
        }
        seal(&mut batch)?;
        Ok(Bytes::from(batch))
    }

    fn header(&self) -> BatchHeader {
        let options = &self.options;
        let mut attributes = options.compression.code();
        for (flag, is_set) in [
            (LOG_APPEND_TIME, options.log_append_time.is_some()),
            (TRANSACTIONAL, options.is_transactional),
            (CONTROL, options.is_control),
            (DELETE_HORIZON, options.delete_horizon.is_some()),
        ] {
            if is_set {
                attributes |= flag;
            }
        }
        BatchHeader {
            base_offset: options.base_offset,
            batch_length: 0,
            partition_leader_epoch: options.partition_leader_epoch,
            magic: 2,
            crc: 0,
            attributes,
            last_offset_delta: self.last_offset_delta,
            base_timestamp: self.base_timestamp,
            max_timestamp: options.log_append_time.unwrap_or(self.max_timestamp),
            producer_id: options.producer_id,
            producer_epoch: options.producer_epoch,
            base_sequence: options.base_sequence,
            record_count: self.record_count,
        }
    }
}

/// Bytes that a nullable byte string takes, its length included.
#[inline]
pub(super) fn bytes_len(bytes: Option<&[u8]>) -> usize {
    // Lengths beyond 32 bits never get as far as being written.
    bytes.map_or(1, |bytes| {
        varint::len_u64((bytes.len() as u64) << 1) + bytes.len()
    })
}

#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => out.push(1),
        Some(bytes) => {
            varint::put_i32(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}
