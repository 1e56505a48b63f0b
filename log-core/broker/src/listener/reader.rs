//! Reads the frames of one connection and starts their requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use headwater_wire::frame;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::connection::Closed;
use super::request::{Client, Started, start};
use super::writer::Pending;
use crate::memory::{MemoryBudget, Reservation};
use crate::node::Node;

/// Room made for what comes next. A frame that is longer is given more as its bytes arrive, so
/// that a length alone makes nobody allocate.
const ROOM: usize = 64 * 1024;
/// Most room made at a time for a long frame.
const ROOM_MAX: usize = 1024 * 1024;

/// The reading half of a connection.
pub(super) struct Reader {
    node: Arc<Node>,
    half: OwnedReadHalf,
    client: Client,
    request_memory: MemoryBudget,
    queue: mpsc::Sender<Pending>,
    buffer: BytesMut,
}

impl Reader {
    pub(super) fn new(
        node: Arc<Node>,
        half: OwnedReadHalf,
        peer: SocketAddr,
        request_memory: MemoryBudget,
        queue: mpsc::Sender<Pending>,
    ) -> Self {
        let client = Client::new(Arc::from(peer.ip().to_string()));
        Self {
            node,
            half,
            client,
            request_memory,
            queue,
            buffer: BytesMut::new(),
        }
    }

    /// Reads until the client closes the connection.
    pub(super) async fn run(&mut self) -> Result<(), Closed> {
        let idle = self.node.config.settings.connections_max_idle;
        let mut idle_timer = IdleTimer::new(idle);
        let limit = self.node.config.settings.request_max_bytes as usize;
        let mut reservation: Option<Reservation> = None;
        loop {
            let length = frame::length(&self.buffer, limit)?;
            if let Some(length) = length {
                if reservation.is_none() {
                    reservation = self.request_memory.reserve(length).await;
                }
                if let Some(frame) = frame::split(&mut self.buffer, limit)? {
                    let started = start(&self.node, &mut self.client, frame, reservation.take())?;
                    let pending = match started {
                        Started::Now(pending) => pending,
                        Started::Soon(pending) => pending.await?,
                    };
                    if let Some(pending) = pending
                        && self.queue.send(pending).await.is_err()
                    {
                        return Ok(());
                    }
                    continue;
                }
            }
            self.make_room(length);
            let read = tokio::select! {
                biased;
                read = self.half.read_buf(&mut self.buffer) => read?,
                () = idle_timer.expired() => return Err(Closed::Idle),
            };
            if read == 0 {
                return if self.buffer.is_empty() {
                    Ok(())
                } else {
                    Err(Closed::Protocol(
                        "the connection ended inside a frame".to_owned(),
                    ))
                };
            }
            idle_timer.touch();
        }
    }

    fn make_room(&mut self, frame_length: Option<usize>) {
        let missing = frame_length.map_or(0, |length| {
            (length + frame::PREFIX_LEN).saturating_sub(self.buffer.len())
        });
        if self.buffer.capacity() - self.buffer.len() < missing.clamp(ROOM / 4, ROOM) {
            self.buffer.reserve(missing.clamp(ROOM, ROOM_MAX));
        }
    }
}

/// A timer that is set anew only when it fires, not on every read.
struct IdleTimer {
    span: Duration,
    last: Instant,
    sleep: std::pin::Pin<Box<Sleep>>,
}

impl IdleTimer {
    fn new(span: Duration) -> Self {
        let last = Instant::now();
        Self {
            span,
            last,
            sleep: Box::pin(tokio::time::sleep_until(last + span)),
        }
    }

    fn touch(&mut self) {
        self.last = Instant::now();
    }

    /// Returns once nothing was touched for the span.
    async fn expired(&mut self) {
        loop {
            self.sleep.as_mut().await;
            let due = self.last + self.span;
            if due <= Instant::now() {
                return;
            }
            self.sleep.as_mut().reset(due);
        }
    }
}
