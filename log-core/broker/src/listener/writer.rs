//! Sends the answers of one connection, in the order of its requests.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, Either, Ready, ready};
use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;

use super::connection::Closed;
use crate::memory::Reservation;

/// Slices handed to one write.
const SLICES_MAX: usize = 64;
/// Answers put together for one write: more are written behind them.
const ANSWERS_MAX: usize = 64;
/// Longest a client may leave its answers unread. What it holds up is shared with the others.
const STALL_MAX: Duration = Duration::from_secs(60);

/// An answer as bytes, with the memory that is set aside for it.
pub(super) struct Encoded {
    pub(super) chunks: Vec<Bytes>,
    /// Held until the answer has been written.
    pub(super) held: Option<Reservation>,
}

/// An answer that is there, or will be.
pub(super) type Pending =
    Either<Ready<Result<Encoded, Closed>>, BoxFuture<'static, Result<Encoded, Closed>>>;

/// An answer that is there.
pub(super) fn now(encoded: Result<Encoded, Closed>) -> Pending {
    Either::Left(ready(encoded))
}

/// Writes what comes from the queue.
pub(super) struct Writer {
    half: OwnedWriteHalf,
    queue: mpsc::Receiver<Pending>,
    pending: FuturesOrdered<Pending>,
}

impl Writer {
    pub(super) fn new(half: OwnedWriteHalf, queue: mpsc::Receiver<Pending>) -> Self {
        Self {
            half,
            queue,
            pending: FuturesOrdered::new(),
        }
    }

    /// Runs until the queue is closed and everything in it is sent.
    pub(super) async fn run(&mut self) -> Result<(), Closed> {
        let limit = self.queue.max_capacity();
        let mut open = true;
        loop {
            let first = tokio::select! {
                biased;
                Some(answer) = self.pending.next(), if !self.pending.is_empty() => answer?,
                next = self.queue.recv(), if open && self.pending.len() < limit => {
                    match next {
                        Some(next) => self.pending.push_back(next),
                        None => open = false,
                    }
                    continue;
                }
                else => return Ok(()),
            };
            self.send(first).await?;
        }
    }

    /// Writes `first` together with all that is ready behind it.
    async fn send(&mut self, first: Encoded) -> Result<(), Closed> {
        let mut held = Vec::new();
        let mut chunks = VecDeque::from(first.chunks);
        held.extend(first.held);
        for _ in 1..ANSWERS_MAX {
            while self.pending.len() < self.queue.max_capacity()
                && let Ok(next) = self.queue.try_recv()
            {
                self.pending.push_back(next);
            }
            let Some(Some(answer)) = self.pending.next().now_or_never() else {
                break;
            };
            let answer = answer?;
            chunks.extend(answer.chunks);
            held.extend(answer.held);
        }
        self.write_all(chunks).await
    }

    async fn write_all(&mut self, mut chunks: VecDeque<Bytes>) -> Result<(), Closed> {
        while !chunks.is_empty() {
            let slices: Vec<IoSlice<'_>> = chunks
                .iter()
                .take(SLICES_MAX)
                .map(|chunk| IoSlice::new(chunk))
                .collect();
            let writing = self.half.write_vectored(&slices);
            let written = tokio::time::timeout(STALL_MAX, writing).await;
            let written = written.map_err(|_| Closed::Stuck)??;
            if written == 0 {
                return Err(Closed::Io(io::ErrorKind::WriteZero.into()));
            }
            advance(&mut chunks, written);
        }
        Ok(())
    }
}

/// Takes `written` bytes off the front.
fn advance(chunks: &mut VecDeque<Bytes>, written: usize) {
    let mut left = written;
    while let Some(front) = chunks.front_mut() {
        if front.len() > left {
            drop(front.split_to(left));
            return;
        }
        left -= front.len();
        chunks.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;

    use super::advance;

    #[test]
    fn partial_writes_are_taken_off_chunk_by_chunk() {
        let mut chunks: VecDeque<Bytes> = [&b"abc"[..], b"", b"defg"]
            .into_iter()
            .map(Bytes::from_static)
            .collect();
        advance(&mut chunks, 2);
        assert_eq!(chunks.len(), 3);
        advance(&mut chunks, 1);
        assert_eq!(chunks, [Bytes::from_static(b"defg")]);
        advance(&mut chunks, 4);
        assert!(chunks.is_empty());
    }
}
