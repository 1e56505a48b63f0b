//! What a pass of compaction may take.

/// Slows compaction down, and ends it.
pub trait CompactionPace: Send + Sync {
    /// Told after `bytes` were read or written; may sleep for that, but not for long once `is_over`:
    /// then the log is deleted, and its deletion waits. False ends the pass: what was not replaced
    /// by then stays as it is.
    fn spend(&self, bytes: u64, is_over: &dyn Fn() -> bool) -> bool;
}

/// As fast as the disk is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unhurried;

impl CompactionPace for Unhurried {
    fn spend(&self, _bytes: u64, _is_over: &dyn Fn() -> bool) -> bool {
        true
    }
}

/// What a pass of compaction may take.
#[derive(Clone, Copy)]
pub struct CompactionLimits<'a> {
    /// Logs compacted at a time. Kafka's `log.cleaner.threads`.
    pub threads: usize,
    /// Memory for keys of all threads together, in bytes. Kafka's
    /// `log.cleaner.dedupe.buffer.size`. A log with more new keys takes several runs over what is
    /// before them. The keys of one batch are always taken together, so the largest batch may add
    /// its own to this.
    pub memory_bytes: usize,
    /// What slows it down. Kafka's `log.cleaner.io.max.bytes.per.second`.
    pub pace: &'a dyn CompactionPace,
}
