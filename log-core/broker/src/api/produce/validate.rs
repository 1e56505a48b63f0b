//! What a batch must be like to be appended, in the order in which Kafka looks at it.

use bytes::{Bytes, BytesMut};
use headwater_wire::ErrorCode;
use headwater_wire::messages::produce::BatchIndexAndErrorMessage;
use headwater_wire::records::{
    BATCH_HEADER_LEN, BatchError, BatchHeader, Compression, NO_TIMESTAMP, RecordBatch, RecordRef,
    TimestampType, patch_max_timestamp,
};

use super::opened::Opened;
use crate::config::TopicConfig;

/// First Produce version whose clients read zstd.
const ZSTD_FROM: i16 = 7;

/// Records that one request is told of by number. Each takes some 150 bytes.
pub(super) const FAULTS_MAX: usize = 1_000;

/// Why a partition's records were not appended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: String,
    /// The records to blame, if it is not the batch as a whole (KIP-467).
    pub(super) records: Vec<BatchIndexAndErrorMessage>,
    /// Whether the batch was read and laid before the log.
    pub(super) is_judged: bool,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            records: Vec::new(),
            is_judged: true,
        }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}

/// A partition's records as exactly one whole batch. Nothing is said of the log where they are not.
pub(super) fn only_batch(
    records: Option<&Bytes>,
    version: i16,
) -> Result<Result<RecordBatch, BatchError>, Refusal> {
    let unread = |refusal: Refusal| Refusal {
        is_judged: false,
        ..refusal
    };
    let mut rest = records.cloned().unwrap_or_default();
    let batch = match RecordBatch::split_from(&mut rest) {
        Ok(batch) => batch,
        Err(error @ BatchError::Field { .. }) => return Ok(Err(error)),
        // Clients of before zstd have their codec looked at here, those of after in the log.
        Err(error @ BatchError::UnknownCompression(_)) if version >= ZSTD_FROM => {
            return Ok(Err(error));
        }
        Err(error) => return Err(unread(unsound(error))),
    };
    // The beginning of another batch, cut off, is dropped as in Kafka.
    let is_only = matches!(RecordBatch::split_from(&mut rest), Ok(None));
    let Some(batch) = batch.filter(|_| is_only) else {
        return Err(unread(Refusal::new(
            ErrorCode::InvalidRecord,
            "a partition's records must be exactly one whole record batch",
        )));
    };
    let compression = batch.header.compression().map_err(unsound)?;
    if compression == Compression::Zstd && version < ZSTD_FROM {
        return Err(unread(Refusal::new(
            ErrorCode::UnsupportedCompressionType,
            "zstd needs Produce version 7 or later",
        )));
    }
    Ok(Ok(batch))
}

/// Checks that a batch is sound and that the topic may hold it. What it says of its records' times
/// is put right where the records are read anyway.
pub(super) fn validate(
    config: &TopicConfig,
    batch: Result<RecordBatch, BatchError>,
    now: i64,
) -> Result<Opened, Refusal> {
    let batch = batch.map_err(unsound)?;
    let header = &batch.header;
    let invalid = |reason: String| Err(Refusal::new(ErrorCode::InvalidRecord, reason));
    if header.base_offset != 0 {
        return invalid(format!(
            "the batch begins at offset {}; offsets are given here, and a client begins at 0",
            header.base_offset
        ));
    }
    let size = header.size_in_bytes();
    if size > config.max_message_bytes as usize {
        return Err(Refusal::new(
            ErrorCode::MessageTooLarge,
            format!(
                "the batch has {size} bytes; max.message.bytes is {}",
                config.max_message_bytes
            ),
        ));
    }
    batch.verify_crc().map_err(unsound)?;
    if header.record_count < 1 || header.last_offset_delta != header.record_count - 1 {
        return invalid(format!(
            "the batch counts {} records and ends at offset delta {}",
            header.record_count, header.last_offset_delta
        ));
    }
    if header.is_control() {
        return invalid("clients do not write control batches".to_owned());
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return invalid("a batch with a producer id needs a sequence number".to_owned());
    }
    let mut opened = Opened::new(with_read_records(batch)?);
    check_timestamps(config, &mut opened, now)?;
    if config.log.cleanup.compact {
        check_keys(config, &mut opened)?;
    }
    Ok(opened)
}

/// The batch, once its records are known to be readable, with the largest of their timestamps in
/// its header: indexes and retention go by that. Compressed records are left alone. Negative
/// timestamps are taken, as Kafka takes them.
fn with_read_records(batch: RecordBatch) -> Result<RecordBatch, Refusal> {
    let header = &batch.header;
    if header.compression().map_err(unsound)? != Compression::None {
        if batch.bytes.len() <= BATCH_HEADER_LEN {
            return Err(Refusal::new(
                ErrorCode::InvalidRecord,
                "the batch ends behind its header, without any of the records that it counts",
            ));
        }
        return Ok(batch);
    }
    let times = batch.records().and_then(|records| records.check());
    let latest = times.map_err(unsound)?.latest;
    if latest == header.max_timestamp || header.timestamp_type() == TimestampType::LogAppendTime {
        return Ok(batch);
    }
    let mut bytes = BytesMut::from(batch.bytes.as_ref());
    patch_max_timestamp(&mut bytes, latest).map_err(unsound)?;
    let bytes = bytes.freeze();
    let header = BatchHeader::parse(&bytes).map_err(unsound)?;
    Ok(RecordBatch { header, bytes })
}

pub(super) fn unsound(error: BatchError) -> Refusal {
    let code = match error {
        // Formats of old are known and not taken; others are no batches at all.
        BatchError::Magic(0 | 1)
        | BatchError::Field { .. }
        | BatchError::Record { .. }
        | BatchError::Decompress { .. } => ErrorCode::InvalidRecord,
        BatchError::UnknownCompression(_) => ErrorCode::UnsupportedCompressionType,
        // Clients split such a batch and try again.
        BatchError::DecompressedTooLarge { .. } => ErrorCode::MessageTooLarge,
        _ => ErrorCode::CorruptMessage,
    };
    Refusal::new(code, error.to_string())
}

/// Largest timestamp that the topic takes, if there is one.
fn latest_timestamp(config: &TopicConfig, now: i64) -> Option<i64> {
    let span = config.timestamp_after_max?;
    Some(now.saturating_add(millis(span)))
}

/// Whether the batch says that it was stamped here, where it may not. Of a topic that keeps the
/// producers' times Kafka takes it for the time of every record.
fn claims_stamp(config: &TopicConfig, header: &BatchHeader) -> bool {
    header.timestamp_type() == TimestampType::LogAppendTime
        && (config.log.timestamp_type == TimestampType::LogAppendTime
            || header.max_timestamp == NO_TIMESTAMP)
}

/// Whether the timestamps of the batch's records are looked at one by one.
pub(super) fn looks_at_timestamps(config: &TopicConfig, header: &BatchHeader, now: i64) -> bool {
    claims_stamp(config, header)
        || config.log.timestamp_type == TimestampType::CreateTime
            && (config.timestamp_before_max.is_some()
                || latest_timestamp(config, now)
                    .is_some_and(|latest| header.max_timestamp > latest))
}

fn check_timestamps(config: &TopicConfig, opened: &mut Opened, now: i64) -> Result<(), Refusal> {
    let header = opened.batch.header;
    if claims_stamp(config, &header) {
        let reason = "its batch says that it was stamped here; a client stamps with its own time";
        return blame(config, opened, ErrorCode::InvalidTimestamp, |_| {
            Some(reason.to_owned())
        });
    }
    if !looks_at_timestamps(config, &header, now) {
        return Ok(());
    }
    if let Some(latest) = latest_timestamp(config, now)
        && header.max_timestamp > latest
    {
        blame(config, opened, ErrorCode::InvalidTimestamp, |record| {
            (record.timestamp > latest).then(|| {
                format!(
                    "timestamp {} is further ahead of the broker's clock than message.timestamp.after.max.ms allows",
                    record.timestamp
                )
            })
        })?;
        // No record has the time that the batch claims.
        return Err(Refusal::new(
            ErrorCode::InvalidTimestamp,
            format!(
                "timestamp {} is further ahead of the broker's clock than message.timestamp.after.max.ms allows",
                header.max_timestamp
            ),
        ));
    }
    let Some(before) = config.timestamp_before_max else {
        return Ok(());
    };
    let earliest = now.saturating_sub(millis(before));
    blame(config, opened, ErrorCode::InvalidTimestamp, |record| {
        let early = record.timestamp != NO_TIMESTAMP && record.timestamp < earliest;
        early.then(|| {
            format!(
                "timestamp {} is further behind the broker's clock than message.timestamp.before.max.ms allows",
                record.timestamp
            )
        })
    })
}

fn check_keys(config: &TopicConfig, opened: &mut Opened) -> Result<(), Refusal> {
    blame(config, opened, ErrorCode::InvalidRecord, |record| {
        let reason = "a compacted topic cannot accept a record without a key";
        record.key.is_none().then(|| reason.to_owned())
    })
}

/// Looks at every record and refuses the batch if `fault` finds one or more of them wrong. Of very
/// many only the first are named: compressed, a batch may hold many times as many as it has bytes.
fn blame(
    config: &TopicConfig,
    opened: &mut Opened,
    code: ErrorCode,
    fault: impl Fn(&RecordRef<'_>) -> Option<String>,
) -> Result<(), Refusal> {
    let records = opened.records(config).map_err(unsound)?;
    let mut faults = Vec::new();
    let mut count = 0_usize;
    for (index, record) in (0_i32..).zip(records.iter()) {
        let Some(message) = fault(&record.map_err(unsound)?) else {
            continue;
        };
        count += 1;
        if faults.len() < FAULTS_MAX {
            faults.push(BatchIndexAndErrorMessage {
                batch_index: index,
                batch_index_error_message: Some(message),
            });
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let message = format!("{count} records of the batch were refused");
    Err(Refusal {
        code,
        message,
        records: faults,
        is_judged: true,
    })
}

fn millis(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use headwater_wire::records::{BatchBuilder, BatchOptions, Compression, RecordBatch};

    use super::{FAULTS_MAX, Opened, check_keys};
    use crate::config::{TopicConfig, TopicDefaults};

    #[test]
    fn of_very_many_wrong_records_the_first_are_named_and_all_are_counted() {
        let options = BatchOptions {
            compression: Compression::Zstd,
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options);
        for _ in 0..FAULTS_MAX * 20 {
            builder.append(0, None, None, &[]).expect("it has room");
        }
        let mut bytes = builder.build().expect("it is a batch");
        let batch = RecordBatch::split_from(&mut bytes).expect("sound");
        let config = TopicConfig::new(&TopicDefaults::default(), &BTreeMap::new());
        let config = config.expect("the defaults are valid");
        let mut opened = Opened::new(batch.expect("one"));
        let refusal = check_keys(&config, &mut opened).expect_err("without keys");
        assert_eq!(refusal.records.len(), FAULTS_MAX);
        assert!(
            refusal.message.starts_with("20000 records"),
            "{}",
            refusal.message
        );
    }
}
