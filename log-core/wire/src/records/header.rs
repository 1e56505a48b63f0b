use super::{BatchError, Compression};

/// Length of a batch header in bytes; records start behind it.
pub const BATCH_HEADER_LEN: usize = 61;

/// Producer id of a batch whose producer is not idempotent.
pub const NO_PRODUCER_ID: i64 = -1;

/// Timestamp of a record that has none.
pub const NO_TIMESTAMP: i64 = -1;

/// Bytes before the part that the length field counts: base offset and the length itself.
pub(super) const LENGTH_OVERHEAD: usize = 12;
/// Where the part covered by the checksum starts.
pub(super) const CRC_START: usize = 21;

pub(super) const COMPRESSION_MASK: i16 = 0x07;
pub(super) const LOG_APPEND_TIME: i16 = 0x08;
pub(super) const TRANSACTIONAL: i16 = 0x10;
pub(super) const CONTROL: i16 = 0x20;
pub(super) const DELETE_HORIZON: i16 = 0x40;

/// Who stamped the records of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer, record by record.
    CreateTime,
    /// The broker, once for the batch: every record has the batch's largest timestamp.
    LogAppendTime,
}

/// The 13 fields in front of a batch's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record when the batch was written; stays when compaction removes it.
    pub base_offset: i64,
    /// Bytes of the batch behind this field.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch, -1 before that.
    pub partition_leader_epoch: i32,
    /// Format version, always 2.
    pub magic: i8,
    /// CRC-32C of everything from the attributes to the end.
    pub crc: u32,
    /// Compression, timestamp type and the transactional, control and delete-horizon flags.
    pub attributes: i16,
    /// Distance from the base offset to the last record's offset; survives compaction.
    pub last_offset_delta: i32,
    /// Timestamp that the records' deltas count from, in ms; the delete horizon if that flag is
    /// set.
    pub base_timestamp: i64,
    /// Largest timestamp of the records in ms, or the append time.
    pub max_timestamp: i64,
    /// Producer id, [`NO_PRODUCER_ID`] if the producer is not idempotent.
    pub producer_id: i64,
    /// Epoch of the producer id, -1 if there is none.
    pub producer_epoch: i16,
    /// Sequence number of the first record, -1 if there is none.
    pub base_sequence: i32,
    /// Records in the batch; fewer than offsets once compaction removed some.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which may end before the batch does.
    ///
    /// The checksum is not looked at; see
    /// [`RecordBatch::verify_crc`](super::RecordBatch::verify_crc).
    ///
    /// # Errors
    /// [`BatchError::Truncated`] if `bytes` is shorter than a header, and the error that says so if
    /// magic, length, a count or a delta cannot be right.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(raw) = bytes.first_chunk::<BATCH_HEADER_LEN>() else {
            return Err(BatchError::Truncated {
                available: bytes.len(),
                needed: BATCH_HEADER_LEN,
            });
        };
        let header = Self::from_raw(raw);
        header.check()?;
        Ok(header)
    }

    fn from_raw(raw: &[u8; BATCH_HEADER_LEN]) -> Self {
        fn at<const N: usize>(raw: &[u8; BATCH_HEADER_LEN], start: usize) -> [u8; N] {
            let mut field = [0; N];
            field.copy_from_slice(&raw[start..start + N]);
            field
        }
        Self {
            base_offset: i64::from_be_bytes(at(raw, 0)),
            batch_length: i32::from_be_bytes(at(raw, 8)),
            partition_leader_epoch: i32::from_be_bytes(at(raw, 12)),
            magic: i8::from_be_bytes(at(raw, 16)),
            crc: u32::from_be_bytes(at(raw, 17)),
            attributes: i16::from_be_bytes(at(raw, 21)),
            last_offset_delta: i32::from_be_bytes(at(raw, 23)),
            base_timestamp: i64::from_be_bytes(at(raw, 27)),
            max_timestamp: i64::from_be_bytes(at(raw, 35)),
            producer_id: i64::from_be_bytes(at(raw, 43)),
            producer_epoch: i16::from_be_bytes(at(raw, 51)),
            base_sequence: i32::from_be_bytes(at(raw, 53)),
            record_count: i32::from_be_bytes(at(raw, 57)),
        }
    }

    fn check(&self) -> Result<(), BatchError> {
        if self.magic != 2 {
            return Err(BatchError::Magic(self.magic));
        }
        check_length(self.batch_length)?;
        self.compression()?;
        let field = |field, value| BatchError::Field {
            base_offset: self.base_offset,
            field,
            value,
        };
        if self.last_offset_delta < 0 {
            return Err(field("last offset delta", self.last_offset_delta.into()));
        }
        if self.base_offset < 0
            || self
                .base_offset
                .checked_add(i64::from(self.last_offset_delta) + 1)
                .is_none()
        {
            return Err(field("base offset", self.base_offset));
        }
        // One record an offset at most; compaction leaves fewer.
        if self.record_count < 0
            || i64::from(self.record_count) > i64::from(self.last_offset_delta) + 1
        {
            return Err(field("record count", self.record_count.into()));
        }
        Ok(())
    }

    /// The header as it stands on the wire.
    pub fn to_bytes(&self) -> [u8; BATCH_HEADER_LEN] {
        let mut raw = [0; BATCH_HEADER_LEN];
        raw[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        raw[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        raw[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        raw[16..17].copy_from_slice(&self.magic.to_be_bytes());
        raw[17..21].copy_from_slice(&self.crc.to_be_bytes());
        raw[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        raw[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        raw[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        raw[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        raw[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        raw[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        raw[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        raw[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        raw
    }

    /// Length of the whole batch in bytes, header included.
    pub fn size_in_bytes(&self) -> usize {
        LENGTH_OVERHEAD + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// Offset of the last record, whether or not compaction removed it.
    pub fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(self.last_offset_delta.into())
    }

    /// Offset that follows this batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Sequence number of the last record; wraps from `i32::MAX` to 0. -1 if there is none.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        (last % (i64::from(i32::MAX) + 1)) as i32
    }

    /// Whether an idempotent producer wrote the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch holds control records, which applications never see.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// When tombstones and markers of this batch may go, in ms since the epoch (KIP-534).
    pub fn delete_horizon(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Compression of the records.
    ///
    /// # Errors
    /// [`BatchError::UnknownCompression`]; never for a header that [`parse`](Self::parse) returned.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        Compression::from_code(self.attributes & COMPRESSION_MASK)
    }

    /// Who stamped the records.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }
}

/// Checks a length field before anything is read or reserved for it.
pub(super) fn check_length(batch_length: i32) -> Result<(), BatchError> {
    if batch_length < (BATCH_HEADER_LEN - LENGTH_OVERHEAD) as i32 {
        return Err(BatchError::Length(batch_length));
    }
    Ok(())
}
