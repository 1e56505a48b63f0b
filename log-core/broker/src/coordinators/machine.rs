//! What the two state machines have in common for the shell around them.

use std::collections::BTreeSet;

use headwater_coordination::groups::{self, GroupCoordinator};
use headwater_coordination::transactions::{self, TransactionCoordinator, WriteMarkers};
use headwater_coordination::{Append, AppendId, LogEntry, Now, ProducerIdentity, Time, Token};
use headwater_storage::ProducerError;
use headwater_wire::ErrorCode;
use headwater_wire::records::BatchError;

use super::markers;

/// Why a partition of an internal topic could not be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Replay(#[from] crate::node::ReplayError),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Groups(#[from] groups::LoadError),
    #[error(transparent)]
    Transactions(#[from] transactions::LoadError),
    #[error("the node is stopping")]
    Stopping,
}

/// One thing a machine asks for.
pub(crate) enum Action<M: Machine> {
    Append { id: AppendId, append: Append },
    Reply { token: Token, response: M::Response },
    WriteMarkers(WriteMarkers),
    WakeAt(Option<Now>),
    ProducerIdWanted,
    Failed,
}

/// A write for a producer: of records in its transaction, or of its end.
pub(crate) struct CoordinatedWrite {
    pub(super) producer: ProducerIdentity,
    /// Of a marker.
    pub(super) coordinator_epoch: Option<i32>,
}

/// A coordinator's state machine.
pub(crate) trait Machine: Sized + Send + 'static {
    type Request: Send;
    type Response: Send + 'static;
    type Input: Send;
    type Effect: Send;

    const DURABLE: fn(AppendId) -> Self::Input;
    const APPEND_FAILED: Self::Input;
    const WAKE: Self::Input;

    fn request(token: Token, version: i16, request: Self::Request) -> Self::Input;
    /// The answer to a request that cannot be given to its machine.
    fn refuse(request: Self::Request, version: i16, code: ErrorCode) -> Self::Response;
    fn load(&mut self, entry: LogEntry<'_>) -> Result<(), LoadError>;
    fn finish_loading(&mut self, time: Time, out: &mut Vec<Self::Effect>);
    /// What to step a loaded machine with so that it forgets topics that are gone.
    fn forget_topics(&self, _is_known: impl Fn(&str) -> bool) -> Option<Self::Input> {
        None
    }
    /// What stepping with `input` may write that the log judges by what it knows of producers.
    fn coordinated_write(_input: &Self::Input) -> Option<CoordinatedWrite> {
        None
    }
    /// What to step with in place of an input whose [`CoordinatedWrite`] the log would refuse; the log
    /// takes what that writes.
    fn fenced(input: Self::Input, _error: &ProducerError) -> Self::Input {
        input
    }
    fn step(&mut self, input: Self::Input, time: Time, out: &mut Vec<Self::Effect>);
    fn action(effect: Self::Effect) -> Action<Self>;
}

impl Machine for GroupCoordinator {
    /// With the topics there are when it comes.
    type Request = (groups::Topics, groups::Request);
    type Response = groups::Response;
    type Input = groups::Input;
    type Effect = groups::Effect;

    const DURABLE: fn(AppendId) -> Self::Input = groups::Input::Durable;
    const APPEND_FAILED: Self::Input = groups::Input::AppendFailed;
    const WAKE: Self::Input = groups::Input::Wake;

    fn request(token: Token, version: i16, (topics, request): Self::Request) -> Self::Input {
        groups::Input::Request {
            token,
            version,
            topics,
            request,
        }
    }

    fn refuse((_, request): Self::Request, version: i16, code: ErrorCode) -> Self::Response {
        request.refused(version, code)
    }

    fn load(&mut self, entry: LogEntry<'_>) -> Result<(), LoadError> {
        Ok(Self::load(self, entry)?)
    }

    fn finish_loading(&mut self, time: Time, out: &mut Vec<Self::Effect>) {
        Self::finish_loading(self, time, out);
    }

    fn forget_topics(&self, is_known: impl Fn(&str) -> bool) -> Option<Self::Input> {
        let topics = self.topics_with_offsets();
        let gone: BTreeSet<_> = topics
            .into_iter()
            .filter(|topic| !is_known(topic))
            .map(str::to_owned)
            .collect();
        (!gone.is_empty()).then_some(groups::Input::TopicsDeleted(gone))
    }

    fn coordinated_write(input: &Self::Input) -> Option<CoordinatedWrite> {
        match input {
            groups::Input::EndTransaction { marker, .. } => Some(CoordinatedWrite {
                producer: marker.producer,
                coordinator_epoch: Some(marker.coordinator_epoch),
            }),
            groups::Input::Request {
                request: groups::Request::TxnOffsetCommit(request),
                ..
            } => Some(CoordinatedWrite {
                producer: ProducerIdentity {
                    id: request.producer_id,
                    epoch: request.producer_epoch,
                },
                coordinator_epoch: None,
            }),
            _ => None,
        }
    }

    fn fenced(input: Self::Input, error: &ProducerError) -> Self::Input {
        match input {
            groups::Input::EndTransaction { token, marker } => {
                let response = match error {
                    ProducerError::CoordinatorFenced { current, .. } => {
                        if let Some(marker) = markers::overruling(marker, *current) {
                            return groups::Input::EndTransaction { token, marker };
                        }
                        groups::Response::MarkerFenced
                    }
                    // A later marker has been here: what this one would end has ended.
                    ProducerError::EpochFenced { .. } => groups::Response::MarkerWritten,
                    _ => groups::Response::MarkerFenced,
                };
                groups::Input::Fenced { token, response }
            }
            groups::Input::Request {
                token,
                version,
                request,
                ..
            } => {
                let response = request.refused(version, ErrorCode::InvalidProducerEpoch);
                groups::Input::Fenced { token, response }
            }
            other => other,
        }
    }

    fn step(&mut self, input: Self::Input, time: Time, out: &mut Vec<Self::Effect>) {
        Self::step(self, input, time, out);
    }

    fn action(effect: Self::Effect) -> Action<Self> {
        match effect {
            groups::Effect::Append { id, append } => Action::Append { id, append },
            groups::Effect::Reply { token, response } => Action::Reply { token, response },
            groups::Effect::WakeAt(at) => Action::WakeAt(at),
            groups::Effect::Failed => Action::Failed,
        }
    }
}

impl Machine for TransactionCoordinator {
    type Request = transactions::Request;
    type Response = transactions::Response;
    type Input = transactions::Input;
    type Effect = transactions::Effect;

    const DURABLE: fn(AppendId) -> Self::Input = transactions::Input::Durable;
    const APPEND_FAILED: Self::Input = transactions::Input::AppendFailed;
    const WAKE: Self::Input = transactions::Input::Wake;

    fn request(token: Token, version: i16, request: Self::Request) -> Self::Input {
        transactions::Input::Request {
            token,
            version,
            request,
        }
    }

    fn refuse(request: Self::Request, version: i16, code: ErrorCode) -> Self::Response {
        request.refused(version, code)
    }

    fn load(&mut self, entry: LogEntry<'_>) -> Result<(), LoadError> {
        Ok(Self::load(self, entry)?)
    }

    fn finish_loading(&mut self, time: Time, out: &mut Vec<Self::Effect>) {
        Self::finish_loading(self, time, out);
    }

    fn step(&mut self, input: Self::Input, time: Time, out: &mut Vec<Self::Effect>) {
        Self::step(self, input, time, out);
    }

    fn action(effect: Self::Effect) -> Action<Self> {
        match effect {
            transactions::Effect::Append { id, append } => Action::Append { id, append },
            transactions::Effect::Reply { token, response } => Action::Reply { token, response },
            transactions::Effect::WriteMarkers(markers) => Action::WriteMarkers(markers),
            transactions::Effect::WakeAt(at) => Action::WakeAt(at),
            transactions::Effect::ProducerIdWanted => Action::ProducerIdWanted,
            transactions::Effect::Failed => Action::Failed,
        }
    }
}
