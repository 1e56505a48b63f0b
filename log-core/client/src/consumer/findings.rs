//! What becomes of a consumer's positions and buffers when nodes answer.

use tokio::time::Instant;

use super::assigned::{Position, Todo, TodoKind};
use super::config::AutoOffsetReset;
use super::epochs::{Checked, ToCheck};
use super::fetch::{Outcome, Wanted};
use super::fetcher::Fetcher;
use crate::error::ClientError;
use crate::group_offsets;
use crate::list_offsets::Listed;

impl Fetcher {
    pub(super) fn take_in(&mut self, wanted: &Wanted, outcome: Outcome, retry_at: Instant) {
        let Wanted { partition, id, .. } = wanted;
        match outcome {
            Outcome::Read {
                fetched,
                watermarks,
            } => {
                let mut assigned = self.core.assigned.lock();
                let is_news = !fetched.is_empty();
                if assigned.fetched(partition, *id, fetched, watermarks) && is_news {
                    self.core.ready.notify_one();
                }
            }
            Outcome::Nothing => self.core.assigned.lock().failed(partition, *id, None),
            Outcome::OutOfRange => {
                let mut assigned = self.core.assigned.lock();
                if assigned.has_buffered(partition) {
                    // What is buffered is still good; the question comes up again behind it.
                    assigned.failed(partition, *id, Some(retry_at));
                    return;
                }
                tracing::info!(%partition, offset = wanted.offset, "the offset is out of range");
                let to = Position::Reset(self.core.config.auto_offset_reset);
                assigned.found(partition, *id, to);
            }
            Outcome::Elsewhere(error) => self.elsewhere(wanted, &error, retry_at),
            Outcome::Failed(error) => {
                self.core
                    .assigned
                    .lock()
                    .failed(partition, *id, Some(retry_at));
                self.core.fail(error);
            }
        }
    }

    pub(super) fn elsewhere(&mut self, wanted: &Wanted, error: &ClientError, retry_at: Instant) {
        tracing::debug!(partition = %wanted.partition, %error, "fetching again later");
        self.stale.insert(wanted.partition.topic.clone());
        self.core
            .assigned
            .lock()
            .failed(&wanted.partition, wanted.id, Some(retry_at));
        if !error.is_retriable() && !matches!(error, ClientError::Protocol { .. }) {
            self.core.fail(error.clone());
        }
    }

    pub(super) fn take_committed(
        &mut self,
        todo: Vec<Todo>,
        result: Result<group_offsets::Offsets, ClientError>,
        retry_at: Instant,
    ) {
        match result {
            Ok(offsets) => {
                for todo in todo {
                    match offsets.get(&todo.partition) {
                        Some(committed) => {
                            let (offset, epoch) = (committed.offset, committed.leader_epoch);
                            let mut assigned = self.core.assigned.lock();
                            assigned.found_committed(&todo.partition, todo.id, offset, epoch);
                        }
                        None => self.reset(&todo),
                    }
                }
            }
            Err(error) => self.not_found(todo, &error, retry_at),
        }
    }

    pub(super) fn take_ends(&mut self, todo: Vec<Todo>, mut listed: Listed, retry_at: Instant) {
        for todo in todo {
            match listed.remove(&todo.partition) {
                Some(Ok(Some(end))) => {
                    let position = Position::At(end.offset);
                    self.core
                        .assigned
                        .lock()
                        .found(&todo.partition, todo.id, position);
                }
                Some(Err(error)) => self.not_found(vec![todo], &error, retry_at),
                // No record is that young: from the end on, all that come are.
                Some(Ok(None))
                    if matches!(todo.kind, TodoKind::FindEnd(AutoOffsetReset::ByDuration(_))) =>
                {
                    let to = Position::Reset(AutoOffsetReset::Latest);
                    self.core
                        .assigned
                        .lock()
                        .found(&todo.partition, todo.id, to);
                }
                Some(Ok(None)) | None => {
                    self.core
                        .assigned
                        .lock()
                        .failed(&todo.partition, todo.id, Some(retry_at));
                }
            }
        }
    }

    fn not_found(&self, todo: Vec<Todo>, error: &ClientError, retry_at: Instant) {
        tracing::debug!(%error, "positions are not known yet");
        let mut assigned = self.core.assigned.lock();
        for todo in todo {
            assigned.failed(&todo.partition, todo.id, Some(retry_at));
        }
        drop(assigned);
        if !error.is_retriable() {
            self.core.fail(error.clone());
        }
        self.core.tell_if_unreachable(error);
    }

    pub(super) fn take_checked(
        &mut self,
        positions: Vec<ToCheck>,
        checked: Vec<Checked>,
        retry_at: Instant,
    ) {
        for (position, checked) in positions.into_iter().zip(checked) {
            let ToCheck { partition, id, .. } = &position;
            let mut assigned = self.core.assigned.lock();
            match checked {
                Checked::Valid => assigned.checked(partition, *id, position.leader_epoch),
                Checked::Failed(error) => {
                    tracing::debug!(%partition, %error, "the position is checked again later");
                    assigned.failed(partition, *id, Some(retry_at));
                    self.stale.insert(partition.topic.clone());
                }
                Checked::Diverged(None) => {
                    tracing::warn!(%partition, offset = position.offset, "the log has no such epoch");
                    let to = Position::Reset(self.core.config.auto_offset_reset);
                    assigned.found(partition, *id, to);
                }
                Checked::Diverged(Some(end)) => {
                    let Some(read) = assigned.diverged(partition, *id, end) else {
                        continue;
                    };
                    tracing::warn!(%partition, read, end, "records that were read are lost");
                    if self.core.config.auto_offset_reset == AutoOffsetReset::None {
                        let partition = partition.clone();
                        self.core.fail(ClientError::LogTruncated {
                            partition,
                            offset: read,
                            end_offset: end,
                        });
                    }
                }
            }
        }
    }
}
