use std::borrow::Cow;

use bytes::Bytes;

use super::header::{COMPRESSION_MASK, LENGTH_OVERHEAD, LOG_APPEND_TIME};
use super::patch::seal;
use super::{
    BATCH_HEADER_LEN, BatchError, BatchHeader, Compression, DecompressionLimits, NO_TIMESTAMP,
    RecordBatch, Records, TimestampType,
};

impl RecordBatch {
    /// The same batch with its records compressed by `codec`: records, offsets, timestamps, headers
    /// and the producer's fields are those of this batch. Its records are looked into to be sure
    /// that they are what the header says; of their times the header says the largest. Where the
    /// batch was stamped as a whole, each of its records is.
    ///
    /// # Errors
    /// Records that are malformed, that exceed `limits`, that are not numbered one by one or whose
    /// timestamp is negative, which no other batch may hold in Kafka either; a level that the codec
    /// does not have.
    pub fn recompressed(
        &self,
        codec: Compression,
        level: Option<i32>,
        limits: DecompressionLimits,
    ) -> Result<Self, BatchError> {
        self.records_within(limits)?.recompressed(codec, level)
    }
}

impl Records {
    /// The batch that these records came from, with its records compressed by `codec`: as
    /// [`RecordBatch::recompressed`], for who has looked into it anyway.
    ///
    /// # Errors
    /// Those of [`RecordBatch::recompressed`], but for the limits.
    pub fn recompressed(
        &self,
        codec: Compression,
        level: Option<i32>,
    ) -> Result<RecordBatch, BatchError> {
        let original = self.header();
        let times = self.check()?;
        if times.earliest < NO_TIMESTAMP {
            return Err(BatchError::Field {
                base_offset: original.base_offset,
                field: "timestamp",
                value: times.earliest,
            });
        }
        let (base_timestamp, body) = match original.timestamp_type() {
            TimestampType::CreateTime => {
                let body: &[u8] = self.body();
                (original.base_timestamp, Cow::from(body))
            }
            TimestampType::LogAppendTime => (times.latest, stamped_alike(self)?.into()),
        };
        let bytes = original.to_bytes().to_vec();
        let mut bytes = codec.compress(&body, level, bytes)?;
        let length = bytes.len().saturating_sub(LENGTH_OVERHEAD);
        let length = i32::try_from(length).map_err(|_| BatchError::Compress {
            codec,
            reason: "the batch would be longer than 2 GiB".to_owned(),
        })?;
        let header = BatchHeader {
            batch_length: length,
            attributes: original.attributes & !(COMPRESSION_MASK | LOG_APPEND_TIME) | codec.code(),
            base_timestamp,
            max_timestamp: times.latest,
            ..*original
        };
        if let Some(place) = bytes.first_chunk_mut::<BATCH_HEADER_LEN>() {
            *place = header.to_bytes();
        }
        seal(&mut bytes)?;
        let bytes = Bytes::from(bytes);
        Ok(RecordBatch {
            header: BatchHeader::parse(&bytes)?,
            bytes,
        })
    }
}

/// The records as they lie in a batch whose base timestamp is the timestamp of each of them.
fn stamped_alike(records: &Records) -> Result<Vec<u8>, BatchError> {
    let mut body = Vec::with_capacity(records.body().len());
    for (offset_delta, record) in (0_i32..).zip(records.iter()) {
        record?.put(&mut body, offset_delta, 0);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, BatchOptions, Header};
    use super::{BatchError, Compression, DecompressionLimits, RecordBatch, TimestampType};

    fn batch(codec: Compression) -> Result<RecordBatch, BatchError> {
        let mut builder = BatchBuilder::new(BatchOptions {
            compression: codec,
            base_offset: 7,
            producer_id: 9,
            producer_epoch: 2,
            base_sequence: 5,
            is_transactional: true,
            ..BatchOptions::default()
        });
        let header = Header {
            key: "h",
            value: Some(b"v"),
        };
        for index in 0..100 {
            let value = format!("a value that repeats itself, {}", index % 3);
            builder.append(
                1_000 + index,
                Some(b"key"),
                Some(value.as_bytes()),
                &[header],
            )?;
        }
        let mut bytes = builder.build()?;
        RecordBatch::split_from(&mut bytes)?.ok_or(BatchError::Truncated {
            needed: 1,
            available: 0,
        })
    }

    #[test]
    fn records_and_everything_the_header_says_of_them_stay() -> Result<(), BatchError> {
        let limits = DecompressionLimits::default();
        for from in Compression::ALL {
            let original = batch(from)?;
            for to in Compression::ALL {
                let other = original.recompressed(to, None, limits)?;
                other.verify_crc()?;
                assert_eq!(other.header.compression()?, to);
                assert_eq!(other.bytes.len(), other.header.size_in_bytes());
                assert_eq!(other.records()?.body(), original.records()?.body());
                let mut expected = original.header;
                expected.attributes = other.header.attributes;
                expected.batch_length = other.header.batch_length;
                expected.crc = other.header.crc;
                assert_eq!(other.header, expected);
                assert!(other.header.is_transactional());
            }
        }
        Ok(())
    }

    #[test]
    fn the_stamp_of_a_batch_becomes_that_of_each_record() -> Result<(), BatchError> {
        let mut builder = BatchBuilder::new(BatchOptions {
            log_append_time: Some(5_000),
            ..BatchOptions::default()
        });
        let header = Header {
            key: "h",
            value: None,
        };
        builder.append(1_000, Some(b"key"), None, &[header])?;
        builder.append(2_000, None, Some(b"value"), &[])?;
        let mut bytes = builder.build()?;
        let original = RecordBatch::split_from(&mut bytes)?.ok_or(BatchError::Empty)?;
        let limits = DecompressionLimits::default();
        let other = original.recompressed(Compression::Gzip, None, limits)?;
        let header = other.header;
        assert_eq!(header.timestamp_type(), TimestampType::CreateTime);
        assert_eq!(
            (header.base_timestamp, header.max_timestamp),
            (5_000, 5_000)
        );
        let (before, after) = (original.records()?, other.records()?);
        assert_eq!(after.check()?.earliest, 5_000);
        for (before, after) in before.iter().zip(after.iter()) {
            let (before, after) = (before?, after?);
            assert_eq!((before.offset, before.key), (after.offset, after.key));
            assert_eq!(
                (before.value, before.headers.len()),
                (after.value, after.headers.len())
            );
        }
        Ok(())
    }

    #[test]
    fn levels_are_the_codecs_and_bombs_do_not_go_off() -> Result<(), BatchError> {
        let limits = DecompressionLimits::default();
        let plain = batch(Compression::None)?;
        let fast = plain.recompressed(Compression::Zstd, Some(-5), limits)?;
        let dense = plain.recompressed(Compression::Zstd, Some(19), limits)?;
        assert!(dense.bytes.len() <= fast.bytes.len());
        let none_like_it = plain.recompressed(Compression::Gzip, Some(10), limits);
        assert!(matches!(none_like_it, Err(BatchError::Compress { .. })));
        let tight = DecompressionLimits {
            max_bytes: 100,
            ..limits
        };
        let bomb = dense.recompressed(Compression::None, None, tight);
        assert!(matches!(bomb, Err(BatchError::DecompressedTooLarge { .. })));
        Ok(())
    }
}
