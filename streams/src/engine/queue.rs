//! Records that wait to be processed, and which comes next.

use std::collections::VecDeque;

use super::{InputPosition, NodeId, RawChunk, SourceRole, TimestampExtractor};

/// The records of one input partition.
pub(super) struct InputQueue {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) source: NodeId,
    /// Tables before streams, then the order of sources: who goes first at equal timestamps.
    rank: (SourceRole, usize),
    extractor: Option<TimestampExtractor>,
    one_by_one: bool,
    waiting: VecDeque<Waiting>,
    records: usize,
    /// Offset after the last record that was fetched, and any control records after it.
    position: i64,
    /// Records between the position and the end of the partition, if known.
    lag: Option<i64>,
    /// Greatest timestamp processed.
    pub(super) partition_time: i64,
    /// Whether something was taken since the last commit.
    pub(super) moved: bool,
}

struct Waiting {
    chunk: RawChunk,
    next: usize,
}

/// What the next record of a queue is sorted by.
type Order = (i64, SourceRole, usize);

impl InputQueue {
    pub(super) fn new(
        topic: String,
        partition: i32,
        source: NodeId,
        rank: (SourceRole, usize),
        extractor: Option<TimestampExtractor>,
        one_by_one: bool,
        begin: &InputPosition,
    ) -> Self {
        Self {
            topic,
            partition,
            source,
            rank,
            extractor,
            one_by_one,
            waiting: VecDeque::new(),
            records: 0,
            position: begin.offset,
            lag: None,
            partition_time: -1,
            // A position that was never committed is, even if nothing comes: who waits for the
            // application to reach the end need not tell an empty partition from an unread one.
            moved: begin.metadata.is_empty(),
        }
    }

    /// Adds fetched records; returns how many were dropped for a negative timestamp. Records before
    /// the position are skipped: the first batch after a restart may begin with some.
    pub(super) fn add(&mut self, mut chunk: RawChunk, next_offset: i64) -> u64 {
        let seen = chunk
            .meta
            .offsets
            .iter()
            .take_while(|offset| **offset < self.position)
            .count();
        if seen > 0 {
            chunk = chunk.slice(seen..chunk.len());
        }
        if let Some(extract) = &self.extractor {
            for (row, timestamp) in chunk.meta.timestamps.iter_mut().enumerate() {
                *timestamp = extract(chunk.keys.get(row), chunk.values.get(row), *timestamp);
            }
        }
        let before = chunk.len();
        if chunk.meta.timestamps.iter().any(|timestamp| *timestamp < 0) {
            let keep: Vec<bool> = chunk.meta.timestamps.iter().map(|t| *t >= 0).collect();
            chunk.keys.retain(&keep);
            chunk.values.retain(&keep);
            chunk.meta.retain(&keep);
        }
        let dropped = before - chunk.len();
        self.records += chunk.len();
        if !chunk.is_empty() {
            self.waiting.push_back(Waiting { chunk, next: 0 });
        }
        self.advance(next_offset);
        dropped as u64
    }

    fn advance(&mut self, position: i64) {
        if position > self.position {
            self.position = position;
            if self.waiting.is_empty() {
                self.moved = true;
            }
        }
    }

    pub(super) fn set_fetched(&mut self, position: i64, lag: Option<i64>) {
        self.advance(position);
        self.lag = lag;
    }

    pub(super) fn position(&self) -> i64 {
        self.position
    }

    pub(super) fn len(&self) -> usize {
        self.records
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether nothing waits although the partition has, or may have, more.
    pub(super) fn may_have_more(&self) -> bool {
        self.is_empty() && self.lag.is_none_or(|lag| lag > 0)
    }

    /// Offset to commit: that of the next record to be processed.
    pub(super) fn committable(&self) -> i64 {
        match self.waiting.front() {
            Some(head) => head
                .chunk
                .meta
                .offsets
                .get(head.next)
                .copied()
                .unwrap_or(self.position),
            None => self.position,
        }
    }

    pub(super) fn head(&self) -> Option<Order> {
        let head = self.waiting.front()?;
        let timestamp = *head.chunk.meta.timestamps.get(head.next)?;
        Some((timestamp, self.rank.0, self.rank.1))
    }

    /// Takes records from the head on, up to `max`, for as long as each comes before `until`.
    pub(super) fn take(&mut self, until: Option<Order>, max: usize) -> Option<RawChunk> {
        let head = self.waiting.front_mut()?;
        let rest = head.chunk.meta.timestamps.get(head.next..)?;
        let most = if self.one_by_one { 1 } else { max.max(1) };
        let count = match until {
            None => rest.len().min(most),
            Some(until) => rest
                .iter()
                .take(most)
                .take_while(|timestamp| (**timestamp, self.rank.0, self.rank.1) < until)
                .count()
                .max(1),
        };
        let taken = head.next..head.next + count;
        self.records -= count;
        self.moved = true;
        let chunk = if taken.end == head.chunk.len() {
            let whole = self.waiting.pop_front()?.chunk;
            if taken.start == 0 {
                whole
            } else {
                whole.slice(taken)
            }
        } else {
            head.next = taken.end;
            head.chunk.slice(taken)
        };
        let newest = chunk.meta.timestamps.iter().copied().max().unwrap_or(-1);
        self.partition_time = self.partition_time.max(newest);
        Some(chunk)
    }
}
