use super::*;

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("t", index)
}

fn error(code: ErrorCode) -> ClientError {
    ClientError::broker("producing", code)
}

fn end(transaction: &mut Transaction) {
    let ending = transaction.ending().expect("ending");
    transaction.ended(ending);
}

fn begun() -> Transaction {
    let mut transaction = Transaction::new();
    transaction.initialized();
    transaction.begin(false).expect("ready");
    transaction
}

#[test]
fn calls_out_of_order_are_refused() {
    let mut transaction = Transaction::new();
    assert!(transaction.begin(false).is_err());
    assert!(transaction.check_open().is_err());
    transaction.initialized();
    assert!(transaction.begin_commit().is_err());
    assert!(transaction.begin_abort().is_err());
    transaction.begin(false).expect("ready");
    assert!(transaction.begin(false).is_err());
    transaction.check_open().expect("open");
    transaction.begin_commit().expect("open");
    assert!(transaction.check_open().is_err());
}

#[test]
fn partitions_are_told_before_their_batches_go() {
    let mut transaction = begun();
    assert!(!transaction.may_send(&partition(0)));
    assert!(!transaction.may_send(&partition(0)));
    let wanted = transaction.take_wanted().expect("one");
    assert_eq!(wanted, [partition(0)]);
    assert!(!transaction.may_send(&partition(1)));
    assert!(!transaction.may_send(&partition(0)), "not yet told");
    assert!(transaction.take_wanted().is_none(), "one call at a time");
    transaction.added(true);
    assert!(transaction.may_send(&partition(0)));
    assert_eq!(
        transaction.take_wanted().expect("the other"),
        [partition(1)]
    );
}

#[test]
fn an_empty_transaction_is_not_worth_telling() {
    let mut transaction = begun();
    transaction.begin_commit().expect("open");
    assert_eq!(
        transaction.ending().expect("committing"),
        Ending {
            tell: false,
            bump: false
        }
    );
    end(&mut transaction);
    transaction.begin(false).expect("ready again");
    transaction.offsets_added();
    transaction.begin_commit().expect("open");
    assert_eq!(
        transaction.ending().expect("committing"),
        Ending {
            tell: true,
            bump: false
        }
    );
}

#[test]
fn what_was_added_is_forgotten_at_the_end() {
    let mut transaction = begun();
    transaction.may_send(&partition(0));
    transaction.take_wanted().expect("one");
    transaction.added(true);
    transaction.begin_commit().expect("open");
    end(&mut transaction);
    transaction.begin(false).expect("ready");
    assert!(!transaction.may_send(&partition(0)));
}

#[test]
fn a_failed_batch_leaves_only_the_abort() {
    let mut transaction = begun();
    transaction.fail(&error(ErrorCode::OutOfOrderSequenceNumber), true);
    assert!(transaction.check_open().expect_err("failed").needs_abort());
    assert!(
        transaction
            .begin_commit()
            .expect_err("failed")
            .needs_abort()
    );
    transaction.begin_abort().expect("the way out");
    assert!(transaction.ending().expect("aborting").bump);
    end(&mut transaction);
    assert!(transaction.begin(false).is_err(), "the epoch comes first");
    transaction.initialized();
    transaction.begin(false).expect("ready");
    assert!(!transaction.ending().is_ok_and(|ending| ending.bump));
}

#[test]
fn a_lost_producer_id_is_not_told_of_the_abort() {
    let mut transaction = begun();
    transaction.offsets_added();
    transaction.fail(&error(ErrorCode::InvalidProducerIdMapping), false);
    transaction.begin_abort().expect("the way out");
    assert_eq!(
        transaction.ending().expect("aborting"),
        Ending {
            tell: false,
            bump: true
        }
    );
}

#[test]
fn fencing_ends_the_producer() {
    let mut transaction = begun();
    transaction.fail(&error(ErrorCode::ProducerFenced), false);
    let refusal = transaction.begin_abort().expect_err("fenced");
    assert!(refusal.is_fatal() && refusal.is_fenced(), "{refusal}");
    transaction.fail(&error(ErrorCode::RequestTimedOut), false);
    assert!(transaction.begin(false).expect_err("still").is_fenced());
}

#[test]
fn an_error_while_aborting_does_not_undo_the_abort() {
    let mut transaction = begun();
    transaction.begin_abort().expect("open");
    transaction.fail(&error(ErrorCode::MessageTooLarge), true);
    assert!(transaction.ending().expect("aborting").bump);
}

#[test]
fn a_transaction_of_version_2_is_not_told_of_partitions_and_ends_in_a_new_epoch() {
    let mut transaction = Transaction::new();
    transaction.initialized();
    transaction.begin(true).expect("ready");
    assert!(transaction.is_v2() && transaction.may_send(&partition(0)));
    assert!(transaction.take_wanted().is_none());
    transaction.fail(&error(ErrorCode::TransactionAbortable), true);
    assert!(transaction.check_open().expect_err("failed").needs_abort());
    transaction.begin_abort().expect("the way out");
    let ending = transaction.ending().expect("aborting");
    assert_eq!((ending.tell, ending.bump), (true, false));
    transaction.ended(ending);
    transaction.begin(true).expect("at once");
    transaction.begin_commit().expect("open");
    let ending = transaction.ending().expect("committing");
    assert!(!ending.tell, "nothing was written");
}

#[test]
fn a_transaction_whose_offsets_are_missing_is_not_committed() {
    let mut transaction = begun();
    transaction.sending_offsets();
    let error = transaction.begin_commit().expect_err("missing");
    assert!(matches!(error, ClientError::IllegalState(_)), "{error}");
    transaction.sending_offsets();
    transaction.offsets_sent();
    transaction.begin_commit().expect("all there");
    end(&mut transaction);
    transaction.begin(true).expect("ready");
    transaction.sending_offsets();
    transaction.begin_abort().expect("the other way out");
    end(&mut transaction);
    transaction.begin(true).expect("ready");
    transaction.begin_commit().expect("nothing missing");
}
