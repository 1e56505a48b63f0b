//! What a sender of a record waits for: the answer to its batch.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{FutureExt, Shared};
use tokio::sync::oneshot;

use super::RecordMetadata;
use crate::TopicPartition;
use crate::error::ClientError;

/// Where an acknowledged batch begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Appended {
    /// `None` if the broker did not tell.
    pub(crate) base_offset: Option<i64>,
    pub(crate) log_append_time: Option<i64>,
    /// What became of the parts, in order, if it was split.
    pub(crate) parts: Option<Arc<[Part]>>,
}

/// A part of a batch that was split.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The place in the whole of its first record.
    pub(crate) first_index: i32,
    pub(crate) result: BatchResult,
}

impl Appended {
    /// Offset and append time of the record at `index`, as far as they are known.
    pub(crate) fn at(&self, index: i32) -> Result<(Option<i64>, Option<i64>), ClientError> {
        let Some(parts) = &self.parts else {
            let offset = self.base_offset.map(|base| base + i64::from(index));
            return Ok((offset, self.log_append_time));
        };
        let position = parts.partition_point(|part| part.first_index <= index);
        match parts.get(position.wrapping_sub(1)) {
            Some(part) => match &part.result {
                Ok(appended) => appended.at(index - part.first_index),
                Err(error) => Err(error.clone()),
            },
            None => Ok((None, None)),
        }
    }
}

pub(crate) type BatchResult = Result<Appended, ClientError>;

/// A batch's result, for as many as care.
pub(crate) type Outcome = Shared<oneshot::Receiver<BatchResult>>;

/// A result to come, and the one place to give it.
pub(crate) fn outcome() -> (oneshot::Sender<BatchResult>, Outcome) {
    let (sender, receiver) = oneshot::channel();
    (sender, receiver.shared())
}

/// A record on its way: resolves once it is acknowledged or has failed.
///
/// Dropping it does not call the record back.
#[derive(Debug)]
#[must_use = "a record that fails is only noticed by awaiting its delivery or a flush"]
pub struct Delivery {
    pub(crate) outcome: Outcome,
    pub(crate) partition: TopicPartition,
    pub(crate) index: i32,
    pub(crate) timestamp: i64,
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match self.outcome.poll_unpin(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(result) => result.unwrap_or(Err(ClientError::Closed("the producer"))),
        };
        let placed = result.and_then(|appended| appended.at(self.index));
        Poll::Ready(placed.map(|(offset, log_append_time)| RecordMetadata {
            partition: self.partition.clone(),
            offset,
            timestamp: log_append_time.unwrap_or(self.timestamp),
        }))
    }
}
