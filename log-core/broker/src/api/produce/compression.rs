//! `compression.type`: batches that came in another codec than the topic's are compressed again.

use headwater_wire::ErrorCode;
use headwater_wire::records::{DecompressionLimits, RecordBatch};

use super::validate::{Refusal, unsound};
use crate::config::TopicConfig;

/// The batch as the topic stores it. Costs nothing unless the topic has a codec of its own and the
/// batch came in another; a level alone is no reason.
pub(super) fn in_topics_compression(
    config: &TopicConfig,
    batch: RecordBatch,
) -> Result<RecordBatch, Refusal> {
    let Some(wanted) = config.compression else {
        return Ok(batch);
    };
    if batch.header.compression().map_err(unsound)? == wanted {
        return Ok(batch);
    }
    let limits = DecompressionLimits::default();
    let batch = batch
        .recompressed(wanted, config.compression_level, limits)
        .map_err(unsound)?;
    let size = batch.header.size_in_bytes();
    if size > config.max_message_bytes as usize {
        return Err(Refusal::new(
            ErrorCode::MessageTooLarge,
            format!(
                "stored as compression.type={wanted} the batch has {size} bytes; max.message.bytes is {}",
                config.max_message_bytes
            ),
        ));
    }
    Ok(batch)
}
