//! What a sender of a record waits for: the answer to its batch.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{FutureExt, Shared};
use tokio::sync::oneshot;

use super::RecordMetadata;
use crate::TopicPartition;
use crate::error::ClientError;

/// Where an acknowledged batch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    /// `None` if the broker did not tell.
    pub(crate) base_offset: Option<i64>,
    pub(crate) log_append_time: Option<i64>,
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
        Poll::Ready(result.map(|appended| {
            RecordMetadata {
                partition: self.partition.clone(),
                offset: appended
                    .base_offset
                    .map(|base| base + i64::from(self.index)),
                timestamp: appended.log_append_time.unwrap_or(self.timestamp),
            }
        }))
    }
}
