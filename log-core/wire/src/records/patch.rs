use super::header::{CRC_START, LOG_APPEND_TIME};
use super::{BATCH_HEADER_LEN, BatchError};

/// Writes the offset and leader epoch that an append assigned into a batch, in place.
///
/// Both lie outside the checksum, so nothing else changes.
///
/// # Errors
/// [`BatchError::Truncated`] if `batch` is shorter than a header.
pub fn patch_assigned(
    batch: &mut [u8],
    base_offset: i64,
    leader_epoch: i32,
) -> Result<(), BatchError> {
    let header = header_of(batch)?;
    header[0..8].copy_from_slice(&base_offset.to_be_bytes());
    header[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
    Ok(())
}

/// Stamps a whole batch with the broker's time (`message.timestamp.type=LogAppendTime`), in place.
///
/// Every record then reads as having `timestamp` (ms). The checksum is computed anew over `batch`,
/// which must be exactly one batch.
///
/// # Errors
/// [`BatchError::Truncated`] if `batch` is shorter than a header.
pub fn patch_log_append_time(batch: &mut [u8], timestamp: i64) -> Result<(), BatchError> {
    let header = header_of(batch)?;
    let attributes = i16::from_be_bytes([header[21], header[22]]) | LOG_APPEND_TIME;
    header[21..23].copy_from_slice(&attributes.to_be_bytes());
    header[35..43].copy_from_slice(&timestamp.to_be_bytes());
    seal(batch)
}

/// Writes the largest timestamp of a batch's records (ms) into a batch that says another, in place.
///
/// The checksum is computed anew over `batch`, which must be exactly one batch.
///
/// # Errors
/// [`BatchError::Truncated`] if `batch` is shorter than a header.
pub fn patch_max_timestamp(batch: &mut [u8], timestamp: i64) -> Result<(), BatchError> {
    header_of(batch)?[35..43].copy_from_slice(&timestamp.to_be_bytes());
    seal(batch)
}

/// Writes that the producer stamped each record, the largest timestamp being `timestamp` (ms), in
/// place. Undoes [`patch_log_append_time`], except that the largest timestamp of before is lost.
///
/// The checksum is computed anew over `batch`, which must be exactly one batch.
///
/// # Errors
/// [`BatchError::Truncated`] if `batch` is shorter than a header.
pub fn patch_create_time(batch: &mut [u8], timestamp: i64) -> Result<(), BatchError> {
    let header = header_of(batch)?;
    let attributes = i16::from_be_bytes([header[21], header[22]]) & !LOG_APPEND_TIME;
    header[21..23].copy_from_slice(&attributes.to_be_bytes());
    patch_max_timestamp(batch, timestamp)
}

/// Writes an idempotent producer's id, epoch and first sequence number into a batch, in place.
///
/// For a producer whose epoch was bumped between building a batch and sending it. The checksum is
/// computed anew over `batch`, which must be exactly one batch.
///
/// # Errors
/// [`BatchError::Truncated`] if `batch` is shorter than a header.
pub fn patch_producer_state(
    batch: &mut [u8],
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
) -> Result<(), BatchError> {
    let header = header_of(batch)?;
    header[43..51].copy_from_slice(&producer_id.to_be_bytes());
    header[51..53].copy_from_slice(&producer_epoch.to_be_bytes());
    header[53..57].copy_from_slice(&base_sequence.to_be_bytes());
    seal(batch)
}

/// Computes the checksum of a whole batch and writes it into the header.
pub(super) fn seal(batch: &mut [u8]) -> Result<(), BatchError> {
    let crc = crc32c::crc32c(batch.get(CRC_START..).unwrap_or_default());
    header_of(batch)?[17..21].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}

fn header_of(batch: &mut [u8]) -> Result<&mut [u8; BATCH_HEADER_LEN], BatchError> {
    let available = batch.len();
    batch
        .first_chunk_mut::<BATCH_HEADER_LEN>()
        .ok_or(BatchError::Truncated {
            available,
            needed: BATCH_HEADER_LEN,
        })
}
