//! openraft's state machine over [`ClusterImage`].
//!
//! The image lives in memory. What is durable is the snapshot, in a register that is replaced as a
//! whole, and the log behind it: a start loads the snapshot and applies the rest of the log.

use std::io::Cursor;
use std::sync::Arc;

use headwater_storage::Register;
use openraft::storage::{RaftSnapshotBuilder, RaftStateMachine};
use openraft::{EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, Snapshot, StorageIOError};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::types::{Entry, LogId, SnapshotMeta, StorageError, StoredMembership, Types};
use crate::metadata::{ClusterImage, Outcome};

/// The image with its place in the log. What a snapshot holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    last_applied: Option<LogId>,
    membership: StoredMembership,
    image: Arc<ClusterImage>,
}

/// A snapshot as it stands in the register.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredSnapshot {
    meta: SnapshotMeta,
    image: Arc<ClusterImage>,
}

/// Applies committed entries and publishes the image after each batch of them.
pub(crate) struct StateMachine {
    state: State,
    published: watch::Sender<Arc<ClusterImage>>,
    register: Arc<Register>,
}

/// Writes one snapshot: a copy of the state as it was when the builder was made.
pub(crate) struct SnapshotBuilder {
    state: State,
    register: Arc<Register>,
}

impl StateMachine {
    /// Opens the state machine at the snapshot in `register`, if there is one.
    pub(crate) fn open(register: Register) -> Result<Self, serde_json::Error> {
        let mut state = State::default();
        if let Some(bytes) = register.load() {
            let stored: StoredSnapshot = serde_json::from_slice(&bytes)?;
            state = State {
                last_applied: stored.meta.last_log_id,
                membership: stored.meta.last_membership,
                image: stored.image,
            };
        }
        let (published, _) = watch::channel(Arc::clone(&state.image));
        Ok(Self {
            state,
            published,
            register: Arc::new(register),
        })
    }

    /// Follows the image.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<ClusterImage>> {
        self.published.subscribe()
    }

    fn apply_entry(&mut self, entry: &Entry) -> Outcome {
        self.state.last_applied = Some(entry.log_id);
        match &entry.payload {
            EntryPayload::Blank => Outcome::Done,
            EntryPayload::Normal(command) => {
                Arc::make_mut(&mut self.state.image).apply(entry.log_id.index, command)
            }
            EntryPayload::Membership(membership) => {
                self.state.membership =
                    StoredMembership::new(Some(entry.log_id), membership.clone());
                Outcome::Done
            }
        }
    }
}

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok((self.state.last_applied, self.state.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcome>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let outcomes = entries
            .into_iter()
            .map(|entry| self.apply_entry(&entry))
            .collect();
        self.published.send_replace(Arc::clone(&self.state.image));
        Ok(outcomes)
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder {
            state: self.state.clone(),
            register: Arc::clone(&self.register),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::new(Cursor::new(Vec::new())))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let image: Arc<ClusterImage> =
            serde_json::from_slice(snapshot.get_ref()).map_err(|error| read_failed(&error))?;
        let stored = StoredSnapshot {
            meta: meta.clone(),
            image: Arc::clone(&image),
        };
        persist(Arc::clone(&self.register), &stored).await?;
        self.state = State {
            last_applied: meta.last_log_id,
            membership: meta.last_membership.clone(),
            image: Arc::clone(&image),
        };
        self.published.send_replace(image);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        let Some(bytes) = self.register.load() else {
            return Ok(None);
        };
        let stored: StoredSnapshot =
            serde_json::from_slice(&bytes).map_err(|error| read_failed(&error))?;
        snapshot(stored)
            .map(Some)
            .map_err(|error| write_failed(&error))
    }
}

impl RaftSnapshotBuilder<Types> for SnapshotBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        let meta = SnapshotMeta {
            last_log_id: self.state.last_applied,
            last_membership: self.state.membership.clone(),
            // The same position has the same content on every node, so its name may be the same.
            snapshot_id: self
                .state
                .last_applied
                .map_or_else(String::new, |id| id.to_string()),
        };
        let stored = StoredSnapshot {
            meta,
            image: Arc::clone(&self.state.image),
        };
        persist(Arc::clone(&self.register), &stored).await?;
        snapshot(stored).map_err(|error| write_failed(&error))
    }
}

fn snapshot(stored: StoredSnapshot) -> Result<Snapshot<Types>, serde_json::Error> {
    let bytes = serde_json::to_vec(&*stored.image)?;
    Ok(Snapshot {
        meta: stored.meta,
        snapshot: Box::new(Cursor::new(bytes)),
    })
}

async fn persist(register: Arc<Register>, stored: &StoredSnapshot) -> Result<(), StorageError> {
    let bytes = serde_json::to_vec(stored).map_err(|error| write_failed(&error))?;
    tokio::task::spawn_blocking(move || register.store(&bytes))
        .await
        .map_err(|error| write_failed(&error))?
        .map_err(|error| write_failed(&error))
}

fn read_failed(error: &(impl std::error::Error + 'static)) -> StorageError {
    failed(ErrorVerb::Read, error)
}

fn write_failed(error: &(impl std::error::Error + 'static)) -> StorageError {
    failed(ErrorVerb::Write, error)
}

fn failed(verb: ErrorVerb, error: &(impl std::error::Error + 'static)) -> StorageError {
    let source = openraft::AnyError::new(error);
    StorageIOError::new(ErrorSubject::StateMachine, verb, source).into()
}
