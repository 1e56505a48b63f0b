//! Sequence numbers of one partition, and what an answer means for them (KIP-98, KIP-360).
//!
//! Pure: the sender tells what was sent and what came back, and is told what to do.

use std::collections::VecDeque;

use headwater_wire::ErrorCode;

/// Who an idempotent producer is to the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// What to do with a batch once its answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is in the log.
    Done,
    /// It goes out again as it is.
    Retry,
    /// It goes out again, but the partition has to begin a new epoch first.
    Restart,
    /// It is not in the log and will not get there.
    Fail,
}

/// The sequence numbers of a partition's batches under one epoch.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    next: i32,
    /// First sequence numbers of the batches sent and not yet known to be in the log, ascending
    /// in sending order.
    unacked: VecDeque<i32>,
}

impl Sequences {
    /// The first sequence number of the next batch, of `records` records.
    pub(crate) fn assign(&mut self, records: i32) -> i32 {
        let base = self.next;
        self.next = advance(base, records);
        self.unacked.push_back(base);
        base
    }

    /// Whether every batch before this one is known to be in the log.
    pub(crate) fn is_first(&self, base: i32) -> bool {
        self.unacked.front() == Some(&base)
    }

    /// Takes a batch out that is in the log, or that never will be.
    pub(crate) fn settle(&mut self, base: i32) {
        self.unacked.retain(|unacked| *unacked != base);
    }

    /// Where a batch stands among those not settled, to bring retries back into order.
    pub(crate) fn rank(&self, base: i32) -> usize {
        self.unacked
            .iter()
            .position(|unacked| *unacked == base)
            .unwrap_or(self.unacked.len())
    }

    /// Begins again at 0, in a new epoch.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
        self.unacked.clear();
    }

    /// What an answer means for the batch that began at `base`.
    pub(crate) fn judge(&self, code: ErrorCode, base: Option<i32>, transactional: bool) -> Verdict {
        match code {
            ErrorCode::None | ErrorCode::DuplicateSequenceNumber => Verdict::Done,
            // Behind one that failed and will be sent again first, it only came too early. At the
            // head, the broker misses what it had acknowledged, or has forgotten the producer.
            ErrorCode::OutOfOrderSequenceNumber => match base {
                Some(base) if !self.is_first(base) => Verdict::Retry,
                Some(_) if !transactional => Verdict::Restart,
                _ => Verdict::Fail,
            },
            ErrorCode::UnknownProducerId if base.is_some() && !transactional => Verdict::Restart,
            code if code.is_retriable() => Verdict::Retry,
            _ => Verdict::Fail,
        }
    }
}

/// Sequence numbers go from `i32::MAX` on to 0.
fn advance(base: i32, records: i32) -> i32 {
    let next = (i64::from(base) + i64::from(records)) % (i64::from(i32::MAX) + 1);
    i32::try_from(next).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_records_and_wrap_to_zero() {
        let mut sequences = Sequences::default();
        assert_eq!(sequences.assign(10), 0);
        assert_eq!(sequences.assign(1), 10);
        assert_eq!(sequences.assign(5), 11);
        assert_eq!(advance(i32::MAX, 1), 0);
        assert_eq!(advance(i32::MAX - 1, 5), 3);
    }

    #[test]
    fn a_gap_behind_an_unsettled_batch_is_tried_again() {
        let mut sequences = Sequences::default();
        let (first, second) = (sequences.assign(3), sequences.assign(3));
        let code = ErrorCode::OutOfOrderSequenceNumber;
        assert_eq!(sequences.judge(code, Some(second), false), Verdict::Retry);
        assert_eq!(sequences.judge(code, Some(first), false), Verdict::Restart);
        assert_eq!(sequences.judge(code, Some(first), true), Verdict::Fail);
        sequences.settle(first);
        assert_eq!(sequences.judge(code, Some(second), false), Verdict::Restart);
    }

    #[test]
    fn a_duplicate_is_in_the_log() {
        let sequences = Sequences::default();
        let verdict = sequences.judge(ErrorCode::DuplicateSequenceNumber, Some(0), false);
        assert_eq!(verdict, Verdict::Done);
    }

    #[test]
    fn passing_errors_are_tried_again_and_lasting_ones_fail() {
        let sequences = Sequences::default();
        let judge = |code| sequences.judge(code, None, false);
        assert_eq!(judge(ErrorCode::NotLeaderOrFollower), Verdict::Retry);
        assert_eq!(judge(ErrorCode::MessageTooLarge), Verdict::Fail);
        assert_eq!(judge(ErrorCode::InvalidRecord), Verdict::Fail);
    }

    #[test]
    fn ranks_bring_retries_back_into_sending_order() {
        let mut sequences = Sequences::default();
        let bases: Vec<i32> = (0..4).map(|_| sequences.assign(2)).collect();
        sequences.settle(0);
        let ranks: Vec<usize> = bases[1..]
            .iter()
            .map(|base| sequences.rank(*base))
            .collect();
        assert_eq!(ranks, [0, 1, 2]);
        sequences.restart();
        assert_eq!(sequences.assign(1), 0);
    }
}
