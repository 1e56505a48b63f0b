use headwater_wire::records::{
    BatchBuilder, BatchHeader, BatchOptions, ControlMarker, TransactionResult,
};

use super::*;
use crate::encoding::Fields;

fn batch(id: i64, epoch: i16, sequence: i32, records: usize, transactional: bool) -> BatchHeader {
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: id,
        producer_epoch: epoch,
        base_sequence: sequence,
        is_transactional: transactional,
        ..BatchOptions::default()
    });
    for _ in 0..records {
        builder.append(0, None, Some(b"v"), &[]).unwrap();
    }
    BatchHeader::parse(&builder.build().unwrap()).unwrap()
}

struct Log {
    states: ProducerStates,
    end: i64,
}

impl Log {
    fn new() -> Self {
        Self {
            states: ProducerStates::default(),
            end: 0,
        }
    }

    fn append(&mut self, mut header: BatchHeader) -> Result<Verdict, ProducerError> {
        let verdict = self.states.check(&header, None, AppendOrigin::Client)?;
        if verdict == Verdict::Append {
            header.base_offset = self.end;
            self.end = header.next_offset();
            assert_eq!(self.states.apply(&header, None, 0), None);
        }
        Ok(verdict)
    }

    fn mark(
        &mut self,
        id: i64,
        epoch: i16,
        result: TransactionResult,
        coordinator_epoch: i32,
    ) -> Result<Option<AbortedTransaction>, ProducerError> {
        let mut header = batch(id, epoch, -1, 1, true);
        let marker = Some(ControlMarker {
            result,
            coordinator_epoch,
        });
        self.states
            .check(&header, marker, AppendOrigin::Coordinator)?;
        header.base_offset = self.end;
        self.end = header.next_offset();
        Ok(self.states.apply(&header, marker, 0))
    }
}

fn out_of_order(expected: i32, found: i32) -> Result<Verdict, ProducerError> {
    Err(ProducerError::OutOfOrderSequence {
        producer_id: 1,
        producer_epoch: 0,
        expected,
        found,
    })
}

#[test]
fn sequences_follow_and_the_last_five_batches_are_recognised() {
    let mut log = Log::new();
    for n in 0..7 {
        assert_eq!(
            log.append(batch(1, 0, n * 3, 3, false)),
            Ok(Verdict::Append)
        );
    }
    for n in 2..7 {
        let base_offset = i64::from(n) * 3;
        let duplicate = Verdict::Duplicate {
            base_offset,
            last_offset: base_offset + 2,
        };
        assert_eq!(log.append(batch(1, 0, n * 3, 3, false)), Ok(duplicate));
    }
    assert_eq!(
        log.append(batch(1, 0, 3, 3, false)),
        out_of_order(21, 3),
        "beyond five"
    );
    assert_eq!(
        log.append(batch(1, 0, 18, 2, false)),
        out_of_order(21, 18),
        "another length"
    );
    assert_eq!(
        log.append(batch(1, 0, 22, 1, false)),
        out_of_order(21, 22),
        "a gap"
    );
    assert_eq!(log.append(batch(1, 0, 21, 1, false)), Ok(Verdict::Append));
    assert_eq!(
        log.append(batch(2, 0, 9, 1, false)),
        Ok(Verdict::Append),
        "not known yet"
    );
}

#[test]
fn sequences_wrap_to_zero() {
    let mut log = Log::new();
    log.append(batch(1, 0, i32::MAX - 1, 4, false)).unwrap();
    let again = log.append(batch(1, 0, i32::MAX - 1, 4, false)).unwrap();
    assert_eq!(
        again,
        Verdict::Duplicate {
            base_offset: 0,
            last_offset: 3
        }
    );
    assert_eq!(log.append(batch(1, 0, 3, 1, false)), out_of_order(2, 3));
    assert_eq!(log.append(batch(1, 0, 2, 1, false)), Ok(Verdict::Append));
    log.append(batch(1, 0, 3, i32::MAX as usize % 7, false))
        .unwrap();
}

#[test]
fn a_new_epoch_starts_at_zero_and_fences_the_old() {
    let mut log = Log::new();
    log.append(batch(1, 0, 0, 1, false)).unwrap();
    let error = log.append(batch(1, 1, 1, 1, false)).unwrap_err();
    assert!(matches!(
        error,
        ProducerError::OutOfOrderSequence {
            expected: 0,
            found: 1,
            ..
        }
    ));
    log.append(batch(1, 1, 0, 1, false)).unwrap();
    let fenced = ProducerError::EpochFenced {
        producer_id: 1,
        found: 0,
        current: 1,
    };
    assert_eq!(log.append(batch(1, 0, 1, 1, false)), Err(fenced));
    assert_eq!(
        log.append(batch(1, 0, 0, 1, false)),
        Err(fenced),
        "old duplicates too"
    );
}

#[test]
fn markers_end_transactions_and_fence() {
    let mut log = Log::new();
    log.append(batch(1, 0, 0, 2, true)).unwrap();
    log.append(batch(2, 0, 0, 2, true)).unwrap();
    assert_eq!(log.states.first_open(), Some(0));
    let plain = log.append(batch(1, 0, 2, 1, false));
    assert_eq!(plain, Err(ProducerError::NotTransactional(1)));
    assert!(log.states.has_open_transaction(1, 0));
    assert!(!log.states.has_open_transaction(1, 1));

    assert_eq!(log.mark(1, 0, TransactionResult::Commit, 5), Ok(None));
    assert_eq!(log.states.first_open(), Some(2));
    let aborted = AbortedTransaction {
        producer_id: 2,
        first_offset: 2,
        last_offset: 5,
    };
    assert_eq!(
        log.mark(2, 1, TransactionResult::Abort, 5),
        Ok(Some(aborted))
    );
    assert_eq!(log.states.first_open(), None);

    let fenced = ProducerError::CoordinatorFenced {
        producer_id: 2,
        found: 4,
        current: 5,
    };
    assert_eq!(log.mark(2, 1, TransactionResult::Abort, 4), Err(fenced));
    assert!(
        log.mark(2, 0, TransactionResult::Abort, 6).is_err(),
        "an old epoch"
    );
    assert!(
        log.append(batch(2, 0, 2, 1, true)).is_err(),
        "the marker's epoch counts"
    );
    assert_eq!(
        log.mark(2, 1, TransactionResult::Abort, 6),
        Ok(None),
        "nothing open"
    );
}

#[test]
fn batches_that_come_together_are_judged_one_after_the_other() {
    let mut log = Log::new();
    log.append(batch(1, 0, 0, 2, false)).unwrap();
    let good = [
        batch(1, 0, 2, 2, false),
        batch(1, 0, 4, 1, false),
        batch(3, 0, 0, 1, false),
    ];
    let check = |batches: &[BatchHeader]| {
        log.states
            .check_all(batches.iter().map(|b| (b, None)), AppendOrigin::Client)
    };
    assert_eq!(check(&good), Ok(Verdict::Append));
    let gap = [batch(1, 0, 2, 2, false), batch(1, 0, 5, 1, false)];
    assert_eq!(check(&gap), out_of_order(4, 5));
}

#[test]
fn a_snapshot_restores_everything_and_expiry_spares_open_transactions() {
    let mut log = Log::new();
    for id in 0..20 {
        for sequence in 0..id as i32 {
            log.append(batch(id, 0, sequence, 1, id % 3 == 0)).unwrap();
        }
    }
    let mut bytes = Vec::new();
    log.states.encode(&mut bytes);
    let mut fields = Fields::new(&bytes);
    assert_eq!(
        ProducerStates::decode(&mut fields),
        Some(log.states.clone())
    );
    assert!(fields.is_empty());
    for len in 0..bytes.len() {
        assert_eq!(
            ProducerStates::decode(&mut Fields::new(&bytes[..len])),
            None
        );
    }
    log.states.expire(1);
    let left: Vec<i64> = log
        .states
        .summaries()
        .iter()
        .map(|p| p.producer_id)
        .collect();
    assert_eq!(left, [3, 6, 9, 12, 15, 18]);
}

#[test]
fn a_producer_known_only_by_markers_starts_at_zero() {
    let mut log = Log::new();
    log.mark(1, 3, TransactionResult::Abort, 0).unwrap();
    let error = log.append(batch(1, 3, 7, 1, true)).unwrap_err();
    assert!(matches!(
        error,
        ProducerError::OutOfOrderSequence { expected: 0, .. }
    ));
    assert_eq!(log.append(batch(1, 3, 0, 1, true)), Ok(Verdict::Append));
}

#[test]
fn an_unknown_producer_starts_anywhere_but_in_a_transaction_of_version_2() {
    let states = ProducerStates::default();
    let header = batch(1, 0, 5, 1, true);
    assert_eq!(
        states.check(&header, None, AppendOrigin::Client),
        Ok(Verdict::Append)
    );
    assert_eq!(
        states.check(&header, None, AppendOrigin::FirstOfTransaction),
        out_of_order(0, 5)
    );
    let first = batch(1, 0, 0, 1, true);
    assert_eq!(
        states.check(&first, None, AppendOrigin::FirstOfTransaction),
        Ok(Verdict::Append)
    );
}

#[test]
fn a_marker_of_version_2_does_not_end_the_next_transaction() {
    let mut log = Log::new();
    let marker = Some(ControlMarker {
        result: TransactionResult::Commit,
        coordinator_epoch: 0,
    });
    log.append(batch(1, 0, 0, 1, true)).unwrap();
    let end = batch(1, 1, -1, 1, true);
    let check = |log: &Log| log.states.check(&end, marker, AppendOrigin::CoordinatorV2);
    assert_eq!(check(&log), Ok(Verdict::Append));
    log.mark(1, 1, TransactionResult::Commit, 0).unwrap();
    assert_eq!(check(&log), Ok(Verdict::Append), "once more does no harm");
    log.append(batch(1, 1, 0, 1, true)).unwrap();
    assert!(
        matches!(check(&log), Err(ProducerError::EpochFenced { .. })),
        "delayed into the next transaction"
    );
}

#[test]
fn batches_do_not_overtake_one_that_was_held_back() {
    let mut log = Log::new();
    log.states.hold_back(&batch(1, 0, 0, 2, true), 10);
    log.states.hold_back(&batch(1, 0, 2, 2, true), 10);
    assert_eq!(log.append(batch(1, 0, 2, 2, true)), out_of_order(0, 2));
    assert_eq!(log.append(batch(1, 0, 0, 2, true)), Ok(Verdict::Append));
    assert_eq!(log.append(batch(1, 0, 2, 2, true)), Ok(Verdict::Append));

    log.states.hold_back(&batch(2, 0, 4, 1, true), 10);
    log.states.expire(11);
    assert_eq!(log.append(batch(2, 0, 6, 1, true)), Ok(Verdict::Append));
    for id in 0..5_000 {
        log.states.hold_back(&batch(id, 0, 0, 1, true), 10);
    }
}

#[test]
fn no_more_producers_are_remembered_than_there_is_room_for() {
    let mut states = ProducerStates::default();
    let mut header = batch(0, 0, 0, 1, true);
    assert_eq!(states.apply(&header, None, 0), None);
    header = batch(0, 0, 0, 1, false);
    for id in 1..=PRODUCERS_MAX as i64 {
        header.producer_id = id;
        states.apply(&header, None, id);
    }
    let left: Vec<i64> = states.summaries().iter().map(|p| p.producer_id).collect();
    assert_eq!(left.len(), PRODUCERS_MAX - PRODUCERS_MAX / 8 + 1);
    assert_eq!(left[0], 0, "its transaction is open");
    assert_eq!(
        left[1],
        PRODUCERS_MAX as i64 / 8 + 1,
        "the silent ones went"
    );
    assert_eq!(left.last(), Some(&(PRODUCERS_MAX as i64)));
}

mod random {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        /// The next batch, of so many records.
        Next(usize),
        /// The batch of so many batches ago once more.
        Again(usize),
        /// A batch that leaves out so many records.
        Gap(i32),
        NewEpoch,
        Marker,
    }

    fn steps() -> impl Strategy<Value = (i32, Vec<Step>)> {
        let step = prop_oneof![
            6 => (1..4_usize).prop_map(Step::Next),
            4 => (0..8_usize).prop_map(Step::Again),
            1 => (1..9_i32).prop_map(Step::Gap),
            1 => Just(Step::NewEpoch),
            1 => Just(Step::Marker),
        ];
        // Now and then the sequence wraps.
        let first = prop_oneof![Just(0), (i32::MAX - 20)..=i32::MAX];
        (first, prop::collection::vec(step, 1..60))
    }

    fn after(sequence: i32, records: i32) -> i32 {
        let next = i64::from(sequence) + i64::from(records);
        i32::try_from(next % (i64::from(i32::MAX) + 1)).unwrap()
    }

    /// Every batch that was appended: epoch, sequence, records and base offset.
    type Appended = Vec<(i16, i32, usize, i64)>;

    fn run((first, steps): (i32, Vec<Step>)) {
        let mut log = Log::new();
        let (mut epoch, mut next, mut appended) = (0_i16, first, Appended::new());
        // How many of the last ones are of this epoch.
        let mut current = 0_usize;
        for step in steps {
            match step {
                Step::Next(records) => {
                    let offset = log.end;
                    let verdict = log.append(batch(1, epoch, next, records, false));
                    assert_eq!(verdict, Ok(Verdict::Append));
                    appended.push((epoch, next, records, offset));
                    next = after(next, records as i32);
                    current += 1;
                }
                Step::Again(ago) => {
                    let Some(&(of, sequence, records, offset)) = appended.iter().rev().nth(ago)
                    else {
                        continue;
                    };
                    let verdict = log.append(batch(1, of, sequence, records, false));
                    if of != epoch {
                        assert!(matches!(verdict, Err(ProducerError::EpochFenced { .. })));
                    } else if ago < current.min(5) {
                        let last_offset = offset + records as i64 - 1;
                        assert_eq!(
                            verdict,
                            Ok(Verdict::Duplicate {
                                base_offset: offset,
                                last_offset
                            })
                        );
                    } else {
                        assert!(verdict.is_err(), "beyond five: {verdict:?}");
                    }
                }
                Step::Gap(left_out) => {
                    let verdict = log.append(batch(1, epoch, after(next, left_out), 1, false));
                    if !appended.is_empty() || epoch > 0 {
                        assert!(matches!(
                            verdict,
                            Err(ProducerError::OutOfOrderSequence { .. })
                        ));
                    } else if verdict.is_ok() {
                        // Nothing was known of it.
                        appended.push((epoch, after(next, left_out), 1, log.end - 1));
                        next = after(next, left_out + 1);
                        current += 1;
                    }
                }
                Step::NewEpoch => {
                    epoch += 1;
                    next = 0;
                    current = 0;
                    // It is the marker of the one before that the log hears of first.
                    log.mark(1, epoch, TransactionResult::Abort, 0).unwrap();
                }
                Step::Marker if appended.is_empty() && epoch == 0 => {}
                Step::Marker => {
                    log.mark(1, epoch, TransactionResult::Commit, 0).unwrap();
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 200,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn five_batches_are_recognised_and_nothing_is_left_out(steps in steps()) {
            run(steps);
        }
    }
}
