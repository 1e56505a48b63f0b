//! What is written in a transaction must be part of it first, so that a batch that arrives late
//! does not open a transaction that nobody will end (KIP-890).
//!
//! Clients of transaction.version 1 add partitions themselves, and a write only looks whether they
//! did. Those of version 2 leave it to the write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use headwater_coordination::ProducerIdentity;
use headwater_coordination::transactions::{Request, Response, WriteInTransaction};
use headwater_wire::ErrorCode;

use super::Coordinators;
use super::relaxed;
use crate::node::Node;

/// What a writing client knows, by the version of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteSupport {
    /// Neither of the below.
    Plain,
    /// `TRANSACTION_ABORTABLE`.
    AbortableError,
    /// Writes that add their partitions themselves.
    Add,
}

/// A write in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Writer<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer: ProducerIdentity,
}

/// Why nothing may be written now.
pub(crate) enum NotJoined {
    /// It never may.
    Refused(ErrorCode),
    /// It may when this has come with no error.
    Wait(BoxFuture<'static, Result<(), ErrorCode>>),
}

impl WriteSupport {
    /// What a client that knows this is told where a partition is not in its transaction.
    ///
    /// A fenced producer is told so in the words of a write, as producers expect.
    pub(crate) fn code(self, code: ErrorCode) -> ErrorCode {
        match code {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            ErrorCode::TransactionAbortable if self == Self::Plain => ErrorCode::InvalidTxnState,
            other => other,
        }
    }
}

impl Coordinators {
    /// Makes partitions, by topic, part of the writer's transaction. What the write has `waited` for
    /// others is taken off the time for which it may wait for the end of the transaction before.
    ///
    /// If it returns without an error, what is written next is in the journal behind whatever had
    /// to be written down for it, so nothing else has to be waited for.
    ///
    /// # Errors
    /// [`NotJoined`], with the coordinator's codes.
    pub(crate) fn join_transaction(
        &self,
        node: &Arc<Node>,
        writer: Writer<'_>,
        partitions: BTreeMap<String, BTreeSet<i32>>,
        waited: Duration,
    ) -> Result<(), NotJoined> {
        let may_wait = has_relaxed(node, &partitions);
        let request = WriteInTransaction {
            transactional_id: writer.transactional_id.to_owned(),
            producer: writer.producer,
            partitions,
            waited,
        };
        // What is written to a partition that is not journaled may be on disk before the journal
        // is: it waits for that.
        if !may_wait && let Some(partition) = self.transactions.partition(writer.transactional_id) {
            let added = partition.act(|machine, time, out| machine.add_now(&request, time, out));
            match added {
                Some(Ok(())) => return Ok(()),
                Some(Err(
                    ErrorCode::ConcurrentTransactions | ErrorCode::CoordinatorLoadInProgress,
                ))
                | None => {}
                Some(Err(code)) => return Err(NotJoined::Refused(code)),
            }
        }
        let id = writer.transactional_id;
        let answer = self
            .transactions
            .submit(node, id, 0, Request::Write(request));
        let answer = async {
            match answer.await {
                Response::Write(ErrorCode::None) => Ok(()),
                Response::Write(code) => Err(code),
                _ => Err(ErrorCode::UnknownServerError),
            }
        };
        Err(NotJoined::Wait(answer.boxed()))
    }

    /// Checks that the partition is in the writer's transaction and that this goes on
    /// (`transaction.partition.verification.enable`), and lets `write` before it can end.
    ///
    /// # Errors
    /// The coordinator's code.
    pub(crate) fn verify_in_transaction<R>(
        &self,
        node: &Node,
        writer: Writer<'_>,
        (topic, partition): (&str, i32),
        write: impl FnOnce() -> R,
    ) -> Result<R, ErrorCode> {
        if !node.settings().transaction_partition_verification {
            return Ok(write());
        }
        let id = writer.transactional_id;
        match self.transactions.partition(id) {
            // Nobody has begun a transaction here.
            None => Err(ErrorCode::InvalidProducerIdMapping),
            Some(coordinator) => coordinator.look(|machine| {
                machine.verify(id, writer.producer, topic, partition)?;
                Ok(write())
            }),
        }
    }
}

fn has_relaxed(node: &Node, partitions: &BTreeMap<String, BTreeSet<i32>>) -> bool {
    partitions.iter().any(|(topic, indexes)| {
        let mut indexes = indexes.iter();
        indexes.any(|index| relaxed::log(node, topic, *index).is_some())
    })
}
