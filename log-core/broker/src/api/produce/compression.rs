//! `compression.type`: batches that came in another codec than the topic's are compressed again.

use bytes::BytesMut;
use headwater_wire::ErrorCode;
use headwater_wire::records::{
    BATCH_HEADER_LEN, BatchHeader, Compression, NO_TIMESTAMP, RecordBatch, TimestampType,
    patch_create_time,
};

use super::opened::Opened;
use super::validate::{Refusal, unsound};
use crate::config::TopicConfig;

/// The batch as the topic stores it. Costs nothing unless the topic has a codec of its own and the
/// batch came in another; a level alone is no reason.
pub(super) fn in_topics_compression(
    config: &TopicConfig,
    opened: Opened,
) -> Result<RecordBatch, Refusal> {
    let Some(wanted) = config.compression else {
        return stamped_by_client(opened.batch);
    };
    let came_in = opened.batch.header.compression().map_err(unsound)?;
    if came_in == wanted {
        return stamped_by_client(opened.batch);
    }
    let most = config.max_message_bytes as usize;
    let is_stored_plain = wanted == Compression::None;
    // What is found to be too large while it is decompressed is not decompressed to the end.
    let bytes_max = if is_stored_plain { most } else { usize::MAX };
    let records = opened.into_records(config, bytes_max).map_err(unsound)?;
    let check_size = |size: usize| {
        if size <= most {
            return Ok(());
        }
        Err(Refusal::new(
            ErrorCode::MessageTooLarge,
            format!(
                "stored as compression.type={wanted} the batch has {size} bytes; max.message.bytes is {most}"
            ),
        ))
    };
    if is_stored_plain {
        check_size(BATCH_HEADER_LEN + records.body().len())?;
    }
    let batch = records.recompressed(wanted, config.compression_level);
    let batch = batch.map_err(unsound)?;
    check_size(batch.header.size_in_bytes())?;
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

    use super::{Opened, in_topics_compression};
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
        let stored =
            in_topics_compression(&config("uncompressed", 600_000), Opened::new(small.clone()));
        assert!(stored.expect("it fits").header.size_in_bytes() > 500_000);
        let refused = in_topics_compression(&config("uncompressed", 400_000), Opened::new(small));
        let refused = refused.expect_err("it does not");
        assert_eq!(refused.code, ErrorCode::MessageTooLarge);
        assert!(refused.message.contains("400000"), "{}", refused.message);

        let huge = inflating(40 << 20);
        assert!(huge.header.size_in_bytes() < 100_000);
        let refused = in_topics_compression(&config("gzip", 100_000), Opened::new(huge.clone()));
        let refused = refused.expect_err("beyond the limit");
        assert_eq!(refused.code, ErrorCode::MessageTooLarge);
        assert!(
            refused.message.contains("decompress"),
            "{}",
            refused.message
        );
        let stored = in_topics_compression(&config("gzip", 1 << 20), Opened::new(huge));
        assert!(stored.is_ok(), "what a topic of this size may hold");
    }
}
