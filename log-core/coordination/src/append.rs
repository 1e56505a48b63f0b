//! What the machines write to their internal topic, and read back from it.

use bytes::Bytes;

/// Names one append of a machine. Grows with each append, so that "everything up to this" has a
/// meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AppendId(pub(crate) u64);

/// A producer's identity: its id and the epoch it writes under (KIP-98).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProducerIdentity {
    /// The producer id, never negative.
    pub id: i64,
    /// The producer epoch, never negative.
    pub epoch: i16,
}

/// One key and value for the internal topic, in Kafka's own format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The encoded key, version first.
    pub key: Bytes,
    /// The encoded value, version first; `None` deletes the key.
    pub value: Option<Bytes>,
}

/// The end of a producer's transaction in this partition (KIP-98).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marker {
    /// Whose transaction ends, and the epoch that fences what may still be on its way.
    pub producer: ProducerIdentity,
    /// The leader epoch of the transaction's `__transaction_state` partition.
    pub coordinator_epoch: i32,
    /// Whether the transaction was committed; otherwise it was aborted.
    pub committed: bool,
    /// Whether the producer's epoch is one that none of the transaction's records have (KIP-890);
    /// otherwise they have it too. Not in the log: what is replayed says no.
    pub bumps_epoch: bool,
}

/// One atomic write to the machine's partition: a single record batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Append {
    /// Ordinary records.
    Records(Vec<Record>),
    /// Records of a producer's transaction: a transactional batch without sequence numbers.
    Transactional(ProducerIdentity, Vec<Record>),
    /// A control batch that ends a producer's transaction.
    Marker(Marker),
}

/// One entry of the internal topic as it is replayed, in the order of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogEntry<'a> {
    /// A data record.
    Record {
        /// The encoded key.
        key: &'a [u8],
        /// The encoded value, or `None` for a tombstone.
        value: Option<&'a [u8]>,
        /// The producer, if the record's batch is transactional.
        producer: Option<ProducerIdentity>,
    },
    /// A control record.
    Marker(Marker),
}
