//! One TCP connection: requests pipelined, answered in order.
//!
//! A writer task gathers what is queued into one vectored write; a reader task hands each response
//! to the request at the head of the queue, which is whose it must be: Kafka answers in order. The
//! first thing that goes wrong, a deadline included, ends the connection and fails all that wait,
//! because nothing behind it could be told apart any more.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::error::ClientError;

/// Requests not yet answered on one connection. More wait for a place, which costs no memory but
/// their own.
const IN_FLIGHT_MAX: usize = 128;

/// Requests encoded and not yet written; bounded by [`IN_FLIGHT_MAX`] as well.
const OUTGOING_MAX: usize = 32;

/// What is read from the socket at once when no large response is under way.
const READ_SIZE: usize = 64 << 10;

/// Most chunks handed to one vectored write.
const CHUNKS_MAX: usize = 64;

/// A request as it goes out: its parts in order, length prefix included.
pub(super) type Frame = Vec<Bytes>;

struct Outgoing {
    correlation_id: i32,
    frame: Frame,
    /// `None` for requests that are never answered (`acks=0`).
    waiting: Option<Waiting>,
}

struct Waiting {
    reply: oneshot::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
}

/// Responses that are due, in the order of their requests; `None` once the connection has failed.
type Due = Mutex<Option<VecDeque<(i32, Waiting)>>>;

struct Shared {
    address: Arc<str>,
    due: Due,
    failure: Mutex<Option<String>>,
}

impl Shared {
    /// Ends the connection. Only the first reason counts.
    fn fail(&self, reason: impl Into<String>) {
        self.failure.lock().get_or_insert_with(|| reason.into());
        // Dropping the queue drops every reply sender in it, which wakes the callers.
        self.due.lock().take();
    }

    fn error(&self) -> ClientError {
        let reason = self.failure.lock().clone();
        ClientError::Disconnected {
            address: self.address.to_string(),
            reason: reason.unwrap_or_else(|| "it was closed".to_owned()),
        }
    }
}

/// An open connection. Dropping it closes it.
pub(super) struct Connection {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Outgoing>,
    places: Arc<Semaphore>,
    next_correlation_id: AtomicI32,
    tasks: [AbortHandle; 2],
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Connection {
    /// Connects within `limit`. Responses above `max_response_bytes` end the connection.
    pub(super) async fn open(
        address: &str,
        limit: Duration,
        max_response_bytes: usize,
    ) -> Result<Self, ClientError> {
        let failed = |source: io::Error| ClientError::Connect {
            address: address.to_owned(),
            source: Arc::new(source),
        };
        let connecting = tokio::time::timeout(limit, TcpStream::connect(address));
        let stream = match connecting.await {
            Ok(connected) => connected.map_err(failed)?,
            Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
        };
        stream.set_nodelay(true).map_err(failed)?;
        let (reader, writer) = stream.into_split();
        let shared = Arc::new(Shared {
            address: address.into(),
            due: Mutex::new(Some(VecDeque::new())),
            failure: Mutex::new(None),
        });
        let (outgoing, queued) = mpsc::channel(OUTGOING_MAX);
        let write = tokio::spawn(write_all(writer, queued, shared.clone()));
        let read = tokio::spawn(read_all(reader, shared.clone(), max_response_bytes));
        Ok(Self {
            shared,
            outgoing,
            places: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            next_correlation_id: AtomicI32::new(0),
            tasks: [write.abort_handle(), read.abort_handle()],
        })
    }

    /// The peer's address.
    pub(super) fn address(&self) -> &str {
        &self.shared.address
    }

    /// Whether it has failed.
    pub(super) fn is_closed(&self) -> bool {
        self.shared.due.lock().is_none()
    }

    /// Sends what `encode` makes with the correlation id it is given, and waits for the response,
    /// which is returned whole, its header included.
    pub(super) async fn call(
        &self,
        limit: Duration,
        operation: &'static str,
        encode: impl FnOnce(i32) -> Result<Frame, ClientError>,
    ) -> Result<Bytes, ClientError> {
        let exchange = async {
            let place = self.places.clone().acquire_owned().await;
            let place = place.map_err(|_| self.shared.error())?;
            let (reply, response) = oneshot::channel();
            self.push(
                encode,
                Some(Waiting {
                    reply,
                    _place: place,
                }),
            )
            .await?;
            response.await.map_err(|_| self.shared.error())
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(result) => result,
            Err(_) => {
                self.shared
                    .fail(format!("{operation} was not answered within {limit:?}"));
                Err(ClientError::Timeout {
                    operation: format!("{operation} on {}", self.address()),
                    after: limit,
                    cause: None,
                })
            }
        }
    }

    /// Sends a request that is never answered.
    pub(super) async fn cast(
        &self,
        encode: impl FnOnce(i32) -> Result<Frame, ClientError>,
    ) -> Result<(), ClientError> {
        self.push(encode, None).await
    }

    async fn push(
        &self,
        encode: impl FnOnce(i32) -> Result<Frame, ClientError>,
        waiting: Option<Waiting>,
    ) -> Result<(), ClientError> {
        let correlation_id = self.next_correlation_id.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let frame = encode(correlation_id)?;
        let outgoing = Outgoing {
            correlation_id,
            frame,
            waiting,
        };
        self.outgoing
            .send(outgoing)
            .await
            .map_err(|_| self.shared.error())
    }
}

async fn write_all(
    mut writer: OwnedWriteHalf,
    mut queued: mpsc::Receiver<Outgoing>,
    shared: Arc<Shared>,
) {
    let mut batch = Vec::with_capacity(OUTGOING_MAX);
    let mut chunks = VecDeque::new();
    while queued.recv_many(&mut batch, OUTGOING_MAX).await > 0 {
        {
            let mut due = shared.due.lock();
            let Some(due) = due.as_mut() else { return };
            for outgoing in batch.drain(..) {
                if let Some(waiting) = outgoing.waiting {
                    due.push_back((outgoing.correlation_id, waiting));
                }
                chunks.extend(outgoing.frame);
            }
        }
        if let Err(error) = write_chunks(&mut writer, &mut chunks).await {
            shared.fail(format!("writing failed: {error}"));
            return;
        }
    }
}

/// Writes all chunks, however the kernel takes them.
async fn write_chunks(writer: &mut OwnedWriteHalf, chunks: &mut VecDeque<Bytes>) -> io::Result<()> {
    chunks.retain(|chunk| !chunk.is_empty());
    while !chunks.is_empty() {
        let slices: Vec<IoSlice<'_>> = chunks
            .iter()
            .take(CHUNKS_MAX)
            .map(|chunk| IoSlice::new(chunk))
            .collect();
        let mut written = writer.write_vectored(&slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(first) = chunks.front_mut() {
            if written < first.len() {
                first.advance(written);
                break;
            }
            written -= first.len();
            chunks.pop_front();
        }
    }
    Ok(())
}

async fn read_all(mut reader: OwnedReadHalf, shared: Arc<Shared>, max_response_bytes: usize) {
    let mut buffer = BytesMut::with_capacity(READ_SIZE);
    let reason = loop {
        match next_frame(&mut buffer, max_response_bytes) {
            Ok(Some(frame)) => {
                if let Err(reason) = deliver(frame, &shared) {
                    break reason;
                }
            }
            Ok(None) => match reader.read_buf(&mut buffer).await {
                Ok(0) => break "the peer closed it".to_owned(),
                Ok(_) => {}
                Err(error) => break format!("reading failed: {error}"),
            },
            Err(reason) => break reason,
        }
    };
    shared.fail(reason);
}

/// Splits the next response off, or makes room for more of it.
fn next_frame(buffer: &mut BytesMut, max: usize) -> Result<Option<Bytes>, String> {
    let Some(prefix) = buffer.first_chunk::<4>() else {
        buffer.reserve(READ_SIZE);
        return Ok(None);
    };
    let claimed = i32::from_be_bytes(*prefix);
    let Some(length) = usize::try_from(claimed)
        .ok()
        .filter(|length| *length <= max)
    else {
        return Err(format!(
            "a response claims {claimed} bytes; the limit is {max}"
        ));
    };
    let missing = (length + 4).saturating_sub(buffer.len());
    if missing > 0 {
        // No more than as much again as has come: a lying length reserves nothing to speak of.
        buffer.reserve(missing.min(buffer.len().max(READ_SIZE)));
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Hands a response to the request at the head of the queue.
fn deliver(frame: Bytes, shared: &Shared) -> Result<(), String> {
    let Some(prefix) = frame.first_chunk::<4>() else {
        return Err("a response has no correlation id".to_owned());
    };
    let got = i32::from_be_bytes(*prefix);
    let next = shared.due.lock().as_mut().and_then(VecDeque::pop_front);
    let Some((expected, waiting)) = next else {
        return Err(format!("response {got} answers no request"));
    };
    if got != expected {
        return Err(format!("response {got} came where {expected} was due"));
    }
    // The caller may have given up: its response is then nobody's.
    let _ = waiting.reply.send(frame);
    Ok(())
}
