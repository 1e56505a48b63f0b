//! One connection, from accept to close.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::reader::Reader;
use super::writer::{Pending, Writer};
use crate::memory::MemoryBudget;
use crate::node::Node;

/// Requests of one connection that may be unanswered at a time. Clients pipeline up to five, load
/// generators more; the bytes are bounded by the request budget. Full = no more is read.
const IN_FLIGHT_MAX: usize = 128;

/// Serves a connection until the client closes it, an error ends it or the node shuts down.
pub(super) async fn serve(
    node: Arc<Node>,
    stream: TcpStream,
    peer: SocketAddr,
    request_memory: MemoryBudget,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "nagling stays on");
    }
    let (read_half, write_half) = stream.into_split();
    let (queue, queued) = mpsc::channel::<Pending>(IN_FLIGHT_MAX);
    let mut shutdown = node.shutdown.clone();
    let mut reader = Reader::new(node, read_half, peer, request_memory, queue);
    let mut writer = Writer::new(write_half, queued);
    // When reading ends the queue closes, and the writer ends once it has sent what was started;
    // when writing ends nobody is left to read for.
    let both = async move {
        tokio::pin! { let writing = writer.run(); }
        let read = tokio::select! {
            read = reader.run() => read,
            written = &mut writing => return written,
        };
        drop(reader);
        writing.await.and(read)
    };
    tokio::select! {
        ended = both => if let Err(reason) = ended {
            tracing::debug!(%peer, %reason, "connection closed");
        },
        _ = shutdown.wait_for(|stopping| *stopping) => {}
    }
}

/// Why a connection was closed by this side.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    /// The socket gave an error.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The client sent something that is no frame.
    #[error(transparent)]
    Frame(#[from] headwater_wire::frame::FrameError),
    /// The client sent something that is no request.
    #[error("{0}")]
    Protocol(String),
    /// Nothing came for `connections.max.idle.ms`.
    #[error("idle for too long")]
    Idle,
    /// The client does not read its answers.
    #[error("the client does not read its answers")]
    Stuck,
}
