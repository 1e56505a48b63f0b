//! What must be found after a power cut, kept beside the storage by the test itself.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "part of a test")]

use std::collections::BTreeMap;

use headwater_storage::{KnownPartition, LogConfig, Lsn, TopicPartitionId};
use headwater_wire::records::RecordBatch;

use super::{Node, known, read_all};

/// One possible state of a partition.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Everything appended that was not truncated, by base offset.
    pub batches: Vec<RecordBatch>,
    /// Offset behind the last acknowledged record.
    pub acked: i64,
    pub log_start: i64,
}

impl State {
    pub fn end(&self) -> i64 {
        self.batches
            .last()
            .map_or(0, |batch| batch.header.next_offset())
    }
}

/// A partition: its possible states, more than one only while a change is under way.
#[derive(Debug, Clone)]
pub struct Expected {
    pub config: LogConfig,
    pub is_relaxed: bool,
    pub states: Vec<State>,
    /// Appends not yet acknowledged, with the offset behind each.
    pub pending: Vec<(Lsn, i64)>,
}

impl Expected {
    pub fn new(config: &LogConfig, is_relaxed: bool) -> Self {
        Self {
            config: config.clone(),
            is_relaxed,
            states: vec![State::default()],
            pending: Vec::new(),
        }
    }

    pub fn now(&mut self) -> &mut State {
        self.states.last_mut().unwrap()
    }

    /// A change begins whose outcome is this state.
    pub fn begin(&mut self, change: impl FnOnce(&mut State)) {
        let mut changed = self.now().clone();
        change(&mut changed);
        self.states.push(changed);
    }

    /// The change is done: the earlier states must not come back.
    pub fn finish(&mut self) {
        self.states.drain(..self.states.len() - 1);
    }
}

#[derive(Debug, Clone, Default)]
pub struct Oracle {
    pub partitions: BTreeMap<TopicPartitionId, Expected>,
    /// Deleted for good: must not come back, not even if the metadata still knew them.
    pub deleted: Vec<(TopicPartitionId, LogConfig)>,
}

impl Oracle {
    pub fn known(&self) -> Vec<KnownPartition> {
        let live = self
            .partitions
            .iter()
            .map(|(id, expected)| known(*id, &expected.config));
        let deleted = self.deleted.iter().map(|(id, config)| known(*id, config));
        live.chain(deleted).collect()
    }

    /// Acknowledges what is durable up to `lsn`.
    pub fn acknowledge(&mut self, lsn: Lsn) {
        for expected in self.partitions.values_mut() {
            let done = expected
                .pending
                .iter()
                .take_while(|(l, _)| *l <= lsn)
                .count();
            for (_, end) in expected.pending.drain(..done) {
                let state = expected.states.last_mut().unwrap();
                state.acked = state.acked.max(end);
            }
        }
    }

    /// Compares a recovered node with what must be there; `lost` counts relaxed records that are not.
    pub fn check(&self, node: &Node, keeps_everything: bool, lost: &mut u64) -> Result<(), String> {
        if !node.recovery.quarantined.is_empty() || !node.recovery.strays.is_empty() {
            let reasons: Vec<_> = node
                .storage
                .partitions()
                .iter()
                .filter_map(|log| log.unusable())
                .collect();
            return Err(format!("{:?} {reasons:?}", node.recovery));
        }
        for (id, _) in &self.deleted {
            let end = node.partition(*id).log_end_offset();
            if end != 0 {
                return Err(format!(
                    "{id} was deleted and has records up to {end} again"
                ));
            }
        }
        for (id, expected) in &self.partitions {
            let attempts: Vec<String> = expected
                .states
                .iter()
                .filter_map(|state| {
                    self.check_partition(node, *id, expected, state, keeps_everything, lost)
                        .err()
                })
                .collect();
            if attempts.len() == expected.states.len() {
                return Err(format!("partition {id}: {}", attempts.join("; or ")));
            }
        }
        Ok(())
    }

    fn check_partition(
        &self,
        node: &Node,
        id: TopicPartitionId,
        expected: &Expected,
        state: &State,
        keeps_everything: bool,
        lost: &mut u64,
    ) -> Result<(), String> {
        let log = node.partition(id);
        let (start, end) = (log.log_start_offset(), log.log_end_offset());
        if start > state.log_start || (start < state.log_start && !expected.is_relaxed) {
            return Err(format!("starts at {start}, not {}", state.log_start));
        }
        // A relaxed log under a cut may be found anywhere between, as its files go one by one.
        let least = expected
            .states
            .iter()
            .map(|state| state.acked)
            .min()
            .unwrap_or(0);
        let needed = match (expected.is_relaxed, keeps_everything) {
            (true, true) => least,
            (true, false) => 0,
            (false, _) => state.acked,
        };
        if end < needed || end > state.end() {
            return Err(format!(
                "ends at {end}, acked {}, appended {}",
                needed,
                state.end()
            ));
        }
        if expected.is_relaxed {
            *lost += (state.acked - end).max(0) as u64;
        }
        let found = read_all(&log, start);
        let wanted: Vec<_> = state
            .batches
            .iter()
            .filter(|batch| batch.header.last_offset() >= start && batch.header.base_offset < end)
            .cloned()
            .collect();
        if found != wanted {
            return Err(format!(
                "holds {:?}, not {:?}",
                found
                    .iter()
                    .map(|b| b.header.base_offset)
                    .collect::<Vec<_>>(),
                wanted
                    .iter()
                    .map(|b| b.header.base_offset)
                    .collect::<Vec<_>>()
            ));
        }
        check_producers(&log, &found)
    }
}

/// What the batches say of their producers must be what the log knows.
fn check_producers(
    log: &headwater_storage::PartitionLog,
    batches: &[RecordBatch],
) -> Result<(), String> {
    let mut model: BTreeMap<i64, (i32, Option<i64>)> = BTreeMap::new();
    for batch in batches
        .iter()
        .filter(|batch| batch.header.has_producer_id())
    {
        let header = &batch.header;
        let entry = model.entry(header.producer_id).or_insert((-1, None));
        if header.is_control() {
            entry.1 = None;
        } else {
            entry.0 = header.last_sequence();
            if header.is_transactional() {
                entry.1 = entry.1.or(Some(header.base_offset));
            }
        }
    }
    let known: BTreeMap<_, _> = log
        .producers()
        .into_iter()
        .map(|p| (p.producer_id, (p.last_sequence, p.transaction_start)))
        .collect();
    for (id, (sequence, start)) in model {
        let Some((known_sequence, known_start)) = known.get(&id).copied() else {
            return Err(format!("producer {id} is forgotten"));
        };
        // A transaction may have begun, and a sequence been used, before the log's start.
        let is_same = (sequence == -1 || known_sequence == sequence)
            && (start == known_start || known_start.is_some_and(|s| s < log.log_start_offset()));
        if !is_same {
            return Err(format!(
                "producer {id} is at {known_sequence} {known_start:?}, not {sequence} {start:?}"
            ));
        }
    }
    Ok(())
}
