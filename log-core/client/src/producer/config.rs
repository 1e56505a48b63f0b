//! What a producer is configured with.

use std::sync::Arc;
use std::time::Duration;

use headwater_wire::records::Compression;

use super::interceptor::ProducerInterceptor;
use crate::config::ConfigError;

/// How much of a write must have happened before it is answered (`acks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// `0`: the broker does not answer; offsets are unknown and losses go unnoticed.
    None,
    /// `1`: the leader has it.
    Leader,
    /// `all`: every in-sync replica has it.
    All,
}

impl Acks {
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// Batching, delivery and transactions of a producer. Names and defaults are Kafka's.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// `acks`. All.
    pub acks: Acks,
    /// `batch.size`: a batch is sent once it has this many bytes, before compression. 16 KiB.
    pub batch_size: usize,
    /// `linger.ms`: how long a batch that is not full waits for more. 5 ms.
    pub linger: Duration,
    /// `buffer.memory`: bytes of batches not yet acknowledged; appends wait beyond it. 32 MiB.
    pub buffer_memory: usize,
    /// `compression.type`. None.
    pub compression: Compression,
    /// `compression.gzip.level` (1 to 9, -1), `compression.lz4.level` (1 to 17; 9 is the fast
    /// compressor, every other one the high-compression one) or `compression.zstd.level` (-131072
    /// to 22), whichever the codec is (KIP-390); `None` is its default.
    pub compression_level: Option<i32>,
    /// `enable.idempotence`: no duplicates and no reordering when the producer retries. Needs
    /// `acks=all`. On.
    pub enable_idempotence: bool,
    /// `max.in.flight.requests.per.connection`: at most 5 when idempotent. 5.
    pub max_in_flight_requests_per_connection: usize,
    /// `max.request.size`: the largest request, and the largest record, in bytes. 1 MiB.
    pub max_request_size: usize,
    /// `retries`: how often a batch is sent again; `delivery.timeout.ms` is the better bound.
    /// 2147483647.
    pub retries: u32,
    /// `partitioner.ignore.keys`: choose partitions as for records without a key (KIP-794). Off.
    pub partitioner_ignore_keys: bool,
    /// `partitioner.adaptive.partitioning.enable`: choose partitions less often for which batches
    /// wait (KIP-794). On.
    pub partitioner_adaptive_partitioning_enable: bool,
    /// `interceptor.classes`: shown records before and batches after they are sent (KIP-42). None.
    pub interceptors: Vec<Arc<dyn ProducerInterceptor>>,
    /// `delivery.timeout.ms`: how long after its first record a batch may be in the making, in
    /// flight or tried again before its records fail. 2 min.
    pub delivery_timeout: Duration,
    /// `request.timeout.ms`: how long one request may take before it is tried again. 30 s.
    pub request_timeout: Duration,
    /// `max.block.ms`: the longest [`Producer::send`](crate::Producer::send) waits for metadata or
    /// for room, and the longest a transactional call waits. 60 s.
    pub max_block: Duration,
    /// `transactional.id`: makes the producer transactional, and fences earlier producers with the
    /// same id (KIP-98). Needs idempotence.
    pub transactional_id: Option<String>,
    /// `transaction.timeout.ms`: the broker aborts transactions older than this. 60 s.
    pub transaction_timeout: Duration,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            batch_size: 16 << 10,
            linger: Duration::from_millis(5),
            buffer_memory: 32 << 20,
            compression: Compression::None,
            compression_level: None,
            enable_idempotence: true,
            max_in_flight_requests_per_connection: 5,
            max_request_size: 1 << 20,
            retries: i32::MAX.unsigned_abs(),
            partitioner_ignore_keys: false,
            partitioner_adaptive_partitioning_enable: true,
            interceptors: Vec::new(),
            delivery_timeout: Duration::from_secs(120),
            request_timeout: Duration::from_secs(30),
            max_block: Duration::from_secs(60),
            transactional_id: None,
            transaction_timeout: Duration::from_secs(60),
        }
    }
}

impl ProducerConfig {
    /// Defaults with a transactional id.
    pub fn transactional(transactional_id: impl Into<String>) -> Self {
        Self {
            transactional_id: Some(transactional_id.into()),
            ..Self::default()
        }
    }

    /// Refuses what cannot work, as Kafka's producer does.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.enable_idempotence && self.acks != Acks::All {
            return Err(ConfigError::new(
                "acks",
                "must be all when enable.idempotence is on",
            ));
        }
        if self.enable_idempotence && self.retries == 0 {
            let reason = "must be above 0 when enable.idempotence is on";
            return Err(ConfigError::new("retries", reason));
        }
        self.validate_level()?;
        if self.transactional_id.is_some() && !self.enable_idempotence {
            let reason = "must be on when transactional.id is set";
            return Err(ConfigError::new("enable.idempotence", reason));
        }
        if self.transactional_id.as_ref().is_some_and(String::is_empty) {
            return Err(ConfigError::new("transactional.id", "is empty"));
        }
        let in_flight = self.max_in_flight_requests_per_connection;
        if in_flight == 0 || (self.enable_idempotence && in_flight > 5) {
            let reason = "must be 1 to 5 when enable.idempotence is on, and at least 1 without";
            return Err(ConfigError::new(
                "max.in.flight.requests.per.connection",
                reason,
            ));
        }
        if self.delivery_timeout < self.linger + self.request_timeout {
            let reason = "must be at least linger.ms + request.timeout.ms";
            return Err(ConfigError::new("delivery.timeout.ms", reason));
        }
        if self.buffer_memory < self.batch_size {
            return Err(ConfigError::new(
                "buffer.memory",
                "must be at least batch.size",
            ));
        }
        if self.max_request_size > self.buffer_memory {
            return Err(ConfigError::new(
                "max.request.size",
                "must not be above buffer.memory",
            ));
        }
        Ok(())
    }

    fn validate_level(&self) -> Result<(), ConfigError> {
        let Some(level) = self.compression_level else {
            return Ok(());
        };
        let (name, is_valid, reason) = match self.compression {
            Compression::Gzip => (
                "compression.gzip.level",
                level == -1 || (1..=9).contains(&level),
                "must be 1 to 9, or -1",
            ),
            Compression::Zstd => (
                "compression.zstd.level",
                (-131_072..=22).contains(&level),
                "must be -131072 to 22",
            ),
            Compression::Lz4 => (
                "compression.lz4.level",
                (1..=17).contains(&level),
                "must be 1 to 17",
            ),
            Compression::None | Compression::Snappy => (
                "compression.type",
                false,
                "has no levels; leave the level out",
            ),
        };
        if is_valid {
            return Ok(());
        }
        Err(ConfigError::new(name, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(ProducerConfig::default().validate(), Ok(()));
        assert_eq!(ProducerConfig::transactional("orders").validate(), Ok(()));
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        let name = |config: ProducerConfig| config.validate().err().map(|error| error.name);
        let base = ProducerConfig::default;
        let refused = [
            (
                ProducerConfig {
                    acks: Acks::Leader,
                    ..base()
                },
                "acks",
            ),
            (
                ProducerConfig {
                    enable_idempotence: false,
                    ..ProducerConfig::transactional("orders")
                },
                "enable.idempotence",
            ),
            (ProducerConfig::transactional(""), "transactional.id"),
            (
                ProducerConfig {
                    max_in_flight_requests_per_connection: 6,
                    ..base()
                },
                "max.in.flight.requests.per.connection",
            ),
            (
                ProducerConfig {
                    delivery_timeout: Duration::from_secs(1),
                    ..base()
                },
                "delivery.timeout.ms",
            ),
            (
                ProducerConfig {
                    retries: 0,
                    ..base()
                },
                "retries",
            ),
            (
                ProducerConfig {
                    compression: Compression::Gzip,
                    compression_level: Some(10),
                    ..base()
                },
                "compression.gzip.level",
            ),
            (
                ProducerConfig {
                    compression: Compression::Lz4,
                    compression_level: Some(18),
                    ..base()
                },
                "compression.lz4.level",
            ),
            (
                ProducerConfig {
                    buffer_memory: 1,
                    ..base()
                },
                "buffer.memory",
            ),
        ];
        for (config, expected) in refused {
            assert_eq!(name(config).as_deref(), Some(expected));
        }
    }
}
