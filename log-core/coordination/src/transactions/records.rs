//! Records of `__transaction_state`, in Kafka's own format.

use bytes::Bytes;
use headwater_wire::internal;
use headwater_wire::internal::transaction_state::{
    PartitionsSchema, TransactionLogKey, TransactionLogValue,
};
use headwater_wire::{DecodeError, EncodeError};

use super::transaction::{NO_EPOCH, Protocol, State, Transaction, TransactionalId};
use crate::{AppendId, Record, Timestamp};

/// The only kind of key there is.
const KEY: i16 = 0;
/// What Kafka writes from transaction.version 1 on.
const VALUE: i16 = 1;
const NO_TIME: i64 = -1;
/// The transaction.version of KIP-890.
const VERSION_2: i16 = 2;

/// A transactional id, and what the record says of it: nothing, if it is forgotten.
pub(super) fn decode(
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(String, Option<Transaction>), DecodeError> {
    let key: TransactionLogKey = internal::decode(Bytes::copy_from_slice(key))?;
    let value = value
        .map(|value| internal::decode::<TransactionLogValue>(Bytes::copy_from_slice(value)))
        .transpose()?;
    let id = key.transactional_id;
    let transaction = value.and_then(|value| restore(&id, value));
    Ok((id, transaction))
}

/// `None` for the state of an id that is being forgotten.
fn restore(id: &str, value: TransactionLogValue) -> Option<Transaction> {
    let state = state_of(value.transaction_status)?;
    let mut transaction = Transaction::new(
        TransactionalId::from(id),
        value.producer_id,
        Timestamp::from_millis(value.transaction_last_update_timestamp_ms),
    );
    transaction.previous_producer_id = value.previous_producer_id;
    transaction.next_producer_id = value.next_producer_id;
    transaction.protocol = if value.client_transaction_version >= VERSION_2 {
        Protocol::V2
    } else {
        Protocol::V1
    };
    transaction.epoch = value.producer_epoch;
    transaction.last_epoch = NO_EPOCH;
    transaction.timeout_ms = value.transaction_timeout_ms;
    transaction.state = state;
    transaction.started = (value.transaction_start_timestamp_ms >= 0)
        .then(|| Timestamp::from_millis(value.transaction_start_timestamp_ms));
    transaction.written = AppendId::default();
    for topic in value.transaction_partitions.unwrap_or_default() {
        transaction
            .partitions
            .entry(topic.topic)
            .or_default()
            .extend(topic.partition_ids);
    }
    Some(transaction)
}

/// Kafka's numbers. 6 is an id that is being forgotten, 7 is never written.
fn state_of(status: i8) -> Option<State> {
    match status {
        0 => Some(State::Empty),
        1 => Some(State::Ongoing),
        2 => Some(State::Prepare { commit: true }),
        3 => Some(State::Prepare { commit: false }),
        4 => Some(State::Complete { commit: true }),
        5 => Some(State::Complete { commit: false }),
        _ => None,
    }
}

fn status_of(state: State) -> i8 {
    match state {
        State::Empty => 0,
        State::Ongoing => 1,
        State::Prepare { commit: true } => 2,
        State::Prepare { commit: false } => 3,
        State::Complete { commit: true } => 4,
        State::Complete { commit: false } => 5,
    }
}

pub(super) fn record(transaction: &Transaction) -> Result<Record, EncodeError> {
    let partitions = transaction
        .partitions
        .iter()
        .map(|(topic, indexes)| PartitionsSchema {
            topic: topic.clone(),
            partition_ids: indexes.iter().copied().collect(),
        })
        .collect();
    let value = TransactionLogValue {
        producer_id: transaction.producer_id,
        previous_producer_id: transaction.previous_producer_id,
        next_producer_id: transaction.next_producer_id,
        client_transaction_version: match transaction.protocol {
            Protocol::V1 => 0,
            Protocol::V2 => VERSION_2,
        },
        producer_epoch: transaction.epoch,
        transaction_timeout_ms: transaction.timeout_ms,
        transaction_status: status_of(transaction.state),
        transaction_partitions: (transaction.state != State::Empty).then_some(partitions),
        transaction_last_update_timestamp_ms: transaction.updated.as_millis(),
        transaction_start_timestamp_ms: transaction.started.map_or(NO_TIME, Timestamp::as_millis),
        ..Default::default()
    };
    Ok(Record {
        key: key(&transaction.id)?,
        value: Some(internal::encode(&value, VALUE)?),
    })
}

pub(super) fn tombstone(id: &str) -> Result<Record, EncodeError> {
    Ok(Record {
        key: key(id)?,
        value: None,
    })
}

fn key(id: &str) -> Result<Bytes, EncodeError> {
    let key = TransactionLogKey {
        transactional_id: id.to_owned(),
    };
    internal::encode(&key, KEY)
}
