//! One partition's part of a Produce request.

use std::cell::Cell;
use std::sync::Arc;

use headwater_coordination::ProducerIdentity;
use headwater_storage::{AppendError, AppendOrigin, Lsn, ProducerError, Unusable, Verification};
use headwater_wire::ErrorCode;
use headwater_wire::messages::produce::{PartitionProduceData, ProduceRequest};
use headwater_wire::records::{BATCH_HEADER_LEN, BatchHeader, NO_TIMESTAMP, RecordBatch};

use super::compression::in_topics_compression;
use super::validate::{FAULTS_MAX, Refusal, only_batch, validate};
use crate::api::Located;
use crate::context::RequestContext;
use crate::coordinators::{WriteSupport, Writer};
use crate::internal_topics;
use crate::node::Node;
use crate::topics::Topic;

/// What became of one partition's records.
pub(super) enum Outcome {
    /// They are in the log, now or since an earlier try.
    Appended {
        base_offset: i64,
        /// In ms; -1 if the topic keeps the producer's times. Of what is in the log since an earlier
        /// try, the batch's largest time in either case.
        log_append_time: i64,
        log_start: i64,
        position: Lsn,
    },
    /// Nothing was appended.
    Refused {
        refusal: Refusal,
        /// First offset of the log, -1 where Kafka does not tell it.
        log_start: i64,
    },
}

impl Outcome {
    /// Position of the journal that must be durable before the outcome may be told.
    pub(super) fn position(&self) -> Option<Lsn> {
        match self {
            Self::Appended { position, .. } => Some(*position),
            Self::Refused { .. } => None,
        }
    }

    pub(super) fn refused(refusal: impl Into<Refusal>) -> Self {
        Self::Refused {
            refusal: refusal.into(),
            log_start: -1,
        }
    }
}

/// How a batch is appended.
enum Write<'a> {
    As(AppendOrigin),
    /// If its transaction has not ended since its coordinator was asked.
    Verified(Verification<'a>),
}

/// What the partitions of one request have in common.
pub(super) struct Appending<'a> {
    node: &'a Node,
    version: i16,
    acks: i16,
    transactional_id: Option<&'a str>,
    support: WriteSupport,
    /// Whether the partitions that were not yet in the transaction are now.
    joined: Result<(), ErrorCode>,
    now: i64,
    /// How many more wrong records the answer names.
    faults_left: Cell<usize>,
}

impl<'a> Appending<'a> {
    pub(super) fn new(
        node: &'a Node,
        context: &RequestContext,
        request: &'a ProduceRequest,
        joined: Result<(), ErrorCode>,
    ) -> Self {
        Self {
            node,
            version: context.version,
            acks: request.acks,
            transactional_id: request.transactional_id.as_deref(),
            support: support(context.version),
            joined,
            now: node.clock.wall().as_millis(),
            faults_left: Cell::new(FAULTS_MAX),
        }
    }

    /// Appends one partition's records to its topic, if that was found.
    pub(super) fn append(
        &self,
        topic: Result<&Arc<Topic>, ErrorCode>,
        data: &PartitionProduceData,
    ) -> Outcome {
        let located = match topic.and_then(|topic| topic.locate(data.index)) {
            Ok(located) => located,
            Err(code) => return Outcome::refused(code),
        };
        self.try_append(&located, data)
            .map_err(|refusal| self.shortened(refusal))
            .unwrap_or_else(|refusal| Outcome::Refused {
                log_start: if refusal.is_judged && tells_log_start(refusal.code) {
                    located.log.log_start_offset()
                } else {
                    -1
                },
                refusal,
            })
    }

    /// The refusal, with as many wrong records named as the answer has room for.
    fn shortened(&self, mut refusal: Refusal) -> Refusal {
        let left = self.faults_left.get();
        refusal.records.truncate(left);
        self.faults_left.set(left - refusal.records.len());
        refusal
    }

    fn try_append(
        &self,
        located: &Located<'_>,
        data: &PartitionProduceData,
    ) -> Result<Outcome, Refusal> {
        let batch = only_batch(data.records.as_ref(), self.version)?;
        if !matches!(self.acks, -1..=1) {
            return Err(Refusal::new(
                ErrorCode::InvalidRequiredAcks,
                format!("acks is {}; it must be 0, 1 or -1", self.acks),
            ));
        }
        self.check_target(located)?;
        let config = &located.topic.config;
        let opened = validate(config, batch, self.now)?;
        let write = self.check_transaction(located, data.index, &opened.batch.header)?;
        let batch = in_topics_compression(config, opened)?;
        self.store(located, data.index, &batch, &write)
    }

    fn check_target(&self, located: &Located<'_>) -> Result<(), Refusal> {
        let image = &located.topic.image;
        if internal_topics::is_internal(&image.name) {
            return Err(Refusal::new(
                ErrorCode::InvalidTopicException,
                format!(
                    "topic {} is internal: clients do not write to it",
                    image.name
                ),
            ));
        }
        let needed = located.topic.config.min_insync_replicas as usize;
        let in_sync = located.in_sync_replicas;
        if self.acks == -1 && in_sync < needed {
            return Err(Refusal::new(
                ErrorCode::NotEnoughReplicas,
                format!("{in_sync} replicas are in sync; min.insync.replicas asks for {needed}"),
            ));
        }
        Ok(())
    }

    /// A record of a transaction is taken only into a transaction that goes on and that this
    /// partition was added to, so that one that arrives late cannot open it again (KIP-890).
    fn check_transaction<'l>(
        &self,
        located: &Located<'l>,
        index: i32,
        header: &BatchHeader,
    ) -> Result<Write<'l>, Refusal> {
        let (log, id, epoch) = (located.log, header.producer_id, header.producer_epoch);
        let transactional_id = match self.transactional_id {
            Some(id_of_it) if header.is_transactional() => id_of_it,
            // That a transactional batch comes with an id was checked for the whole request.
            _ => return Ok(Write::As(AppendOrigin::Client)),
        };
        let is_open = || log.has_open_transaction(id, epoch);
        let (verified, write) = if self.support == WriteSupport::Add {
            if is_open() {
                return Ok(Write::As(AppendOrigin::Client));
            }
            (self.joined, Write::As(AppendOrigin::FirstOfTransaction))
        } else {
            // The next transaction has the same epoch, so an end that comes between what is seen
            // here and the append has to be noticed.
            let verification = log.begin_verification();
            let verified = if is_open() {
                Ok(())
            } else {
                let writer = Writer {
                    transactional_id,
                    producer: ProducerIdentity { id, epoch },
                };
                let topic = &located.topic.image.name;
                let coordinators = &self.node.coordinators;
                coordinators.verify_in_transaction(self.node, writer, (topic, index), || ())
            };
            (verified, Write::Verified(verification))
        };
        verified.map(|()| write).map_err(|code| {
            let code = client_code(self.support, code);
            if code.is_retriable() {
                log.hold_back(header);
            }
            let message =
                format!("partition {index} is not in an ongoing transaction of {transactional_id}");
            Refusal {
                is_judged: false,
                ..Refusal::new(code, message)
            }
        })
    }

    fn store(
        &self,
        located: &Located<'_>,
        index: i32,
        batch: &RecordBatch,
        write: &Write<'_>,
    ) -> Result<Outcome, Refusal> {
        let header = &batch.header;
        let batches = std::slice::from_ref(batch);
        let appended = match write {
            Write::As(origin) => located.log.append(batches, *origin),
            Write::Verified(verification) => verification.append(batches),
        };
        let appended = appended.map_err(|error| {
            let code = code_of(&error);
            let topic = &located.topic.image.name;
            if code == ErrorCode::KafkaStorageError {
                tracing::error!(%topic, partition = index, %error, "an append failed");
            }
            Refusal::new(code, error.to_string())
        })?;
        let log_append_time = if appended.duplicate {
            // The client knows nothing of the append before: it is told the time of that one.
            Some(stored_timestamp(located, appended.base_offset).unwrap_or(header.max_timestamp))
        } else {
            appended.log_append_time
        };
        Ok(Outcome::Appended {
            base_offset: appended.base_offset,
            log_append_time: log_append_time.unwrap_or(NO_TIMESTAMP),
            log_start: appended.log_start_offset,
            position: appended.lsn,
        })
    }
}

/// Largest timestamp of the batch that begins at an offset. `None` if it cannot be read: it is not
/// durable yet, or gone.
fn stored_timestamp(located: &Located<'_>, base_offset: i64) -> Option<i64> {
    let read = located
        .log
        .read(base_offset, BATCH_HEADER_LEN, true, i64::MAX);
    let header = BatchHeader::parse(&read.ok()?).ok()?;
    (header.base_offset == base_offset).then_some(header.max_timestamp)
}

/// What clients of a version know about transactions (KIP-890).
pub(super) fn support(version: i16) -> WriteSupport {
    match version {
        ..=10 => WriteSupport::Plain,
        11 => WriteSupport::AbortableError,
        12.. => WriteSupport::Add,
    }
}

/// What the coordinator's error is called in a Produce answer: older clients would look for
/// another leader, or give up, where they have only to try again.
fn client_code(support: WriteSupport, code: ErrorCode) -> ErrorCode {
    match support.code(code) {
        ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => ErrorCode::NotEnoughReplicas,
        ErrorCode::ConcurrentTransactions if support != WriteSupport::Add => {
            ErrorCode::NotEnoughReplicas
        }
        other => other,
    }
}

/// Where Kafka answers with the log's start although it appended nothing.
fn tells_log_start(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::InvalidRequiredAcks
            | ErrorCode::InvalidTopicException
            | ErrorCode::MessageTooLarge
            | ErrorCode::CorruptMessage
            | ErrorCode::KafkaStorageError
    )
}

/// The code clients act on, for each way in which the log refuses a batch.
pub(super) fn code_of(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Producer(ProducerError::OutOfOrderSequence { .. }) => {
            ErrorCode::OutOfOrderSequenceNumber
        }
        AppendError::Producer(ProducerError::EpochFenced { .. }) => ErrorCode::InvalidProducerEpoch,
        AppendError::Producer(
            ProducerError::NotTransactional(_) | ProducerError::TransactionEnded(_),
        ) => ErrorCode::InvalidTxnState,
        AppendError::Producer(ProducerError::CoordinatorFenced { .. }) => {
            ErrorCode::TransactionCoordinatorFenced
        }
        AppendError::Empty => ErrorCode::InvalidRecord,
        AppendError::Batch(_) => ErrorCode::CorruptMessage,
        AppendError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        AppendError::Unusable(Unusable::Deleted(_)) => ErrorCode::UnknownTopicOrPartition,
        AppendError::NotNext { .. }
        | AppendError::Unusable(Unusable::Quarantined { .. })
        | AppendError::File(_)
        | AppendError::NoRoom(_)
        | AppendError::Stopped(_) => ErrorCode::KafkaStorageError,
    }
}
