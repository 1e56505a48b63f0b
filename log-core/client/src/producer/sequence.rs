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

/// Batches that a broker remembers of a producer and partition, to know duplicates by.
const REMEMBERED: usize = 5;

/// The sequence numbers of a partition's batches under one epoch.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    next: i32,
    /// The batches from the first that is not known to be in the log on, in sending order: first
    /// sequence number, and whether it is settled.
    window: VecDeque<(i32, bool)>,
    /// Whether the brokers know this epoch: a batch of it is in the log.
    is_known: bool,
}

impl Sequences {
    /// The first sequence number of the next batch, of `records` records.
    pub(crate) fn assign(&mut self, records: i32) -> i32 {
        let base = self.next;
        self.next = advance(base, records);
        self.window.push_back((base, false));
        base
    }

    /// Whether every batch before this one is settled.
    pub(crate) fn is_first(&self, base: i32) -> bool {
        self.window.front().is_some_and(|(first, _)| *first == base)
    }

    /// Whether a batch may go out while `in_flight` are: a new one, or one sent before.
    ///
    /// A broker that does not know a producer takes whatever sequence number comes first. So the
    /// first batch of an epoch goes alone: were the second to overtake it, over a new connection
    /// say, it would not be noticed. And a batch that was sent before is known as a duplicate only
    /// while no more than four have followed it.
    pub(crate) fn may_send(&self, is_new: bool, in_flight: usize) -> bool {
        (self.is_known || in_flight == 0) && (!is_new || self.window.len() < REMEMBERED)
    }

    /// A batch has become several, which share its numbers in order.
    pub(crate) fn split(&mut self, base: i32, parts: impl Iterator<Item = i32>) {
        let Some(position) = self.window.iter().position(|(first, _)| *first == base) else {
            return;
        };
        let behind = self.window.split_off(position);
        self.window.extend(parts.map(|first| (first, false)));
        self.window.extend(behind.into_iter().skip(1));
    }

    /// A batch is in the log.
    pub(crate) fn acked(&mut self, base: i32) {
        self.is_known = true;
        self.settle(base);
    }

    /// A batch is in the log or never will be.
    pub(crate) fn settle(&mut self, base: i32) {
        for (_, is_settled) in self.window.iter_mut().filter(|(first, _)| *first == base) {
            *is_settled = true;
        }
        while self
            .window
            .front()
            .is_some_and(|(_, is_settled)| *is_settled)
        {
            self.window.pop_front();
        }
    }

    /// Where a batch stands among those not settled, to bring retries back into order.
    pub(crate) fn rank(&self, base: i32) -> usize {
        self.window
            .iter()
            .position(|(first, _)| *first == base)
            .unwrap_or(self.window.len())
    }

    /// Begins again at 0, in a new epoch.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }
}

/// A batch as it was when it went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentAs {
    /// Whether it has a sequence number.
    pub(crate) is_sequenced: bool,
    /// Whether every batch before it was known to be in the log by then.
    pub(crate) is_first: bool,
}

/// What an answer means for a batch.
pub(crate) fn judge(code: ErrorCode, sent: SentAs, is_transactional: bool) -> Verdict {
    match code {
        ErrorCode::None | ErrorCode::DuplicateSequenceNumber => Verdict::Done,
        // Sent while another was under way, it may only have come too early; that it is the first
        // by now says nothing, for the other may have come since. Sent alone, it is the broker that
        // misses what it had acknowledged.
        ErrorCode::OutOfOrderSequenceNumber if sent.is_sequenced => {
            match (sent.is_first, is_transactional) {
                (false, _) => Verdict::Retry,
                (true, false) => Verdict::Restart,
                (true, true) => Verdict::Fail,
            }
        }
        // The broker has forgotten the producer.
        ErrorCode::UnknownProducerId if sent.is_sequenced && !is_transactional => Verdict::Restart,
        code if code.is_retriable() => Verdict::Retry,
        _ => Verdict::Fail,
    }
}

/// Sequence numbers go from `i32::MAX` on to 0.
pub(super) fn advance(base: i32, records: i32) -> i32 {
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
    fn the_first_batch_of_an_epoch_goes_alone() {
        let mut sequences = Sequences::default();
        assert!(sequences.may_send(true, 0));
        let first = sequences.assign(3);
        assert!(!sequences.may_send(true, 1));
        sequences.acked(first);
        assert!(sequences.may_send(true, 4));
        sequences.restart();
        assert!(!sequences.may_send(true, 1));
    }

    #[test]
    fn no_batch_goes_out_that_would_make_the_broker_forget_one_in_doubt() {
        let mut sequences = Sequences::default();
        let bases: Vec<i32> = (0..6).map(|_| sequences.assign(1)).collect();
        sequences.acked(bases[0]);
        assert!(!sequences.may_send(true, 5));
        for base in &bases[2..] {
            sequences.acked(*base);
        }
        assert!(sequences.is_first(bases[1]), "the second is in doubt");
        assert!(!sequences.may_send(true, 0));
        assert!(sequences.may_send(false, 0), "it may go itself");
        sequences.acked(bases[1]);
        assert!(sequences.may_send(true, 0));
    }

    #[test]
    fn a_gap_is_only_believed_of_a_batch_that_went_out_alone() {
        let code = ErrorCode::OutOfOrderSequenceNumber;
        let sent = |is_first| SentAs {
            is_sequenced: true,
            is_first,
        };
        assert_eq!(judge(code, sent(false), false), Verdict::Retry);
        assert_eq!(judge(code, sent(false), true), Verdict::Retry);
        assert_eq!(judge(code, sent(true), false), Verdict::Restart);
        assert_eq!(judge(code, sent(true), true), Verdict::Fail);
    }

    #[test]
    fn a_duplicate_is_in_the_log() {
        let sent = SentAs {
            is_sequenced: true,
            is_first: true,
        };
        assert_eq!(
            judge(ErrorCode::DuplicateSequenceNumber, sent, false),
            Verdict::Done
        );
    }

    #[test]
    fn passing_errors_are_tried_again_and_lasting_ones_fail() {
        let sent = SentAs {
            is_sequenced: false,
            is_first: true,
        };
        assert_eq!(
            judge(ErrorCode::NotLeaderOrFollower, sent, false),
            Verdict::Retry
        );
        assert_eq!(
            judge(ErrorCode::MessageTooLarge, sent, false),
            Verdict::Fail
        );
        assert_eq!(judge(ErrorCode::InvalidRecord, sent, false), Verdict::Fail);
    }

    #[test]
    fn parts_of_a_batch_stand_in_its_place() {
        let mut sequences = Sequences::default();
        let first = sequences.assign(10);
        let second = sequences.assign(5);
        sequences.split(first, [0, 4, 7].into_iter());
        assert!(sequences.is_first(0));
        assert_eq!((sequences.rank(4), sequences.rank(second)), (1, 3));
        sequences.acked(0);
        sequences.acked(4);
        assert!(sequences.is_first(7));
        sequences.acked(7);
        assert!(sequences.is_first(second));
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
