//! Batches whose records are looked into: which ones, and that each is decompressed only once.

use headwater_wire::messages::produce::ProduceRequest;
use headwater_wire::records::{
    BatchError, BatchHeader, Compression, DecompressionLimits, RecordBatch, Records,
};

use super::validate::looks_at_timestamps;
use crate::config::TopicConfig;
use crate::topics::TopicMap;

/// Times `max.message.bytes` to which a batch may decompress where it is looked into. Text of the
/// most regular kind seldom shrinks as much.
const RATIO_MAX: usize = 64;
/// Bytes to which any batch may decompress.
const BYTES_FLOOR: usize = 32 << 20;

/// To what a batch of the topic may decompress to be looked into: a multiple of what the topic
/// takes, so that a small request cannot keep the broker busy for seconds.
fn looking_limits(config: &TopicConfig) -> DecompressionLimits {
    let defaults = DecompressionLimits::default();
    let most = (config.max_message_bytes as usize).saturating_mul(RATIO_MAX);
    DecompressionLimits {
        max_bytes: most.max(BYTES_FLOOR).min(defaults.max_bytes),
        ..defaults
    }
}

/// A batch with its records, once somebody has looked at them.
pub(super) struct Opened {
    pub(super) batch: RecordBatch,
    records: Option<Records>,
}

impl Opened {
    pub(super) fn new(batch: RecordBatch) -> Self {
        Self {
            batch,
            records: None,
        }
    }

    /// The batch's records, to be looked at under the configuration of its topic.
    pub(super) fn records(&mut self, config: &TopicConfig) -> Result<&Records, BatchError> {
        let records = match self.records.take() {
            Some(records) => records,
            None => self.batch.records_within(looking_limits(config))?,
        };
        Ok(self.records.insert(records))
    }

    /// The batch's records, to be stored otherwise. Where nobody has looked at them before they
    /// decompress to `bytes_max` at most.
    pub(super) fn into_records(
        self,
        config: &TopicConfig,
        bytes_max: usize,
    ) -> Result<Records, BatchError> {
        if let Some(records) = self.records {
            return Ok(records);
        }
        let mut limits = looking_limits(config);
        limits.max_bytes = limits.max_bytes.min(bytes_max);
        self.batch.records_within(limits)
    }
}

/// Whether any batch of the request is decompressed or compressed before it is appended, which
/// takes a hundred times as long as all else that is done with it.
pub(super) fn is_laborious(
    topics: &TopicMap,
    request: &ProduceRequest,
    now: impl Fn() -> i64,
) -> bool {
    request.topic_data.iter().any(|topic| {
        topic.partition_data.iter().any(|data| {
            let header = data.records.as_deref().map(BatchHeader::parse);
            let Some(Ok(header)) = header else {
                return false;
            };
            let found = topics.find(topic.topic_id, &topic.name);
            found.is_ok_and(|topic| is_opened(&topic.config, &header, &now))
        })
    })
}

fn is_opened(config: &TopicConfig, header: &BatchHeader, now: impl Fn() -> i64) -> bool {
    let Ok(compression) = header.compression() else {
        return false;
    };
    if config
        .compression
        .is_some_and(|wanted| wanted != compression)
    {
        return true;
    }
    compression != Compression::None
        && (config.log.cleanup.compact || looks_at_timestamps(config, header, now()))
}
