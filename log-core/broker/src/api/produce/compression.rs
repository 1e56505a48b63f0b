//! `compression.type`: batches that came in another codec than the topic's are compressed again.

use bytes::BytesMut;
use headwater_wire::ErrorCode;
use headwater_wire::records::{
    BatchHeader, Compression, DecompressionLimits, NO_TIMESTAMP, RecordBatch, TimestampType,
    patch_create_time,
};

use super::validate::{Refusal, unsound};
use crate::config::TopicConfig;

/// Times `max.message.bytes` to which a batch may decompress where it is looked into. Text of the
/// most regular kind seldom shrinks as much.
const RATIO_MAX: usize = 64;
/// Bytes to which any batch may decompress.
const BYTES_FLOOR: usize = 32 << 20;

/// To what a batch of the topic may decompress to be looked into: a multiple of what the topic
/// takes, so that a small request cannot keep the broker busy for seconds.
pub(super) fn looking_limits(config: &TopicConfig) -> DecompressionLimits {
    let defaults = DecompressionLimits::default();
    let most = (config.max_message_bytes as usize).saturating_mul(RATIO_MAX);
    DecompressionLimits {
        max_bytes: most.max(BYTES_FLOOR).min(defaults.max_bytes),
        ..defaults
    }
}

/// The batch as the topic stores it. Costs nothing unless the topic has a codec of its own and the
/// batch came in another; a level alone is no reason.
pub(super) fn in_topics_compression(
    config: &TopicConfig,
    batch: RecordBatch,
) -> Result<RecordBatch, Refusal> {
    let Some(wanted) = config.compression else {
        return stamped_by_client(batch);
    };
    if batch.header.compression().map_err(unsound)? == wanted {
        return stamped_by_client(batch);
    }
    let mut limits = looking_limits(config);
    if wanted == Compression::None {
        // What is found to be too large while it is decompressed is not decompressed to the end.
        limits.max_bytes = config.max_message_bytes as usize;
    }
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

/// The batch without the claim that it was stamped here, which only the log makes.
fn stamped_by_client(batch: RecordBatch) -> Result<RecordBatch, Refusal> {
    if batch.header.timestamp_type() == TimestampType::CreateTime {
        return Ok(batch);
    }
    let mut bytes = BytesMut::from(batch.bytes.as_ref());
    let latest = batch.header.max_timestamp.max(NO_TIMESTAMP);
    patch_create_time(&mut bytes, latest).map_err(unsound)?;
    let bytes = bytes.freeze();
    let header = BatchHeader::parse(&bytes).map_err(unsound)?;
    Ok(RecordBatch { header, bytes })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use headwater_wire::ErrorCode;
    use headwater_wire::records::{BatchBuilder, BatchOptions, Compression, RecordBatch};

    use super::in_topics_compression;
    use crate::config::{TopicConfig, TopicDefaults};

    fn config(compression: &str, max_message_bytes: usize) -> TopicConfig {
        let values = [
            ("compression.type", compression.to_owned()),
            ("max.message.bytes", max_message_bytes.to_string()),
        ];
        let values: BTreeMap<_, _> = values.map(|(name, value)| (name.to_owned(), value)).into();
        TopicConfig::new(&TopicDefaults::default(), &values).expect("valid")
    }

    /// A batch of so many bytes, all but some of which are nothing when they are compressed.
    fn inflating(bytes: usize) -> RecordBatch {
        let mut state = 1_u32;
        let mut value: Vec<u8> = Vec::with_capacity(bytes);
        while value.len() < 60_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            value.extend(state.to_be_bytes().iter().take(2));
        }
        value.resize(bytes, b'a');
        let mut builder = BatchBuilder::new(BatchOptions {
            compression: Compression::Zstd,
            ..BatchOptions::default()
        });
        builder
            .append(0, None, Some(&value), &[])
            .expect("it has room");
        let mut bytes = builder.build().expect("it is a batch");
        let batch = RecordBatch::split_from(&mut bytes).expect("sound");
        batch.expect("one")
    }

    #[test]
    fn a_batch_is_decompressed_only_as_far_as_it_can_be_accepted() {
        let small = inflating(500_000);
        let stored = in_topics_compression(&config("uncompressed", 600_000), small.clone());
        assert!(stored.expect("it fits").header.size_in_bytes() > 500_000);
        let refused = in_topics_compression(&config("uncompressed", 400_000), small);
        let refused = refused.expect_err("it does not");
        assert_eq!(refused.code, ErrorCode::MessageTooLarge);
        assert!(refused.message.contains("400000"), "{}", refused.message);

        let huge = inflating(40 << 20);
        assert!(huge.header.size_in_bytes() < 100_000);
        let refused = in_topics_compression(&config("gzip", 100_000), huge.clone());
        let refused = refused.expect_err("beyond the limit");
        assert_eq!(refused.code, ErrorCode::MessageTooLarge);
        assert!(
            refused.message.contains("decompress"),
            "{}",
            refused.message
        );
        let stored = in_topics_compression(&config("gzip", 1 << 20), huge);
        assert!(stored.is_ok(), "what a topic of this size may hold");
    }
}
