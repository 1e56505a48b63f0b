//! The TCP listener: accepts connections up to a limit and serves each with two tasks.
//!
//! One task reads frames and starts their requests in order, the other writes the answers in the
//! same order. Between them stands a bounded queue. What a client can make the broker hold is
//! bounded three times: frames by their length and by one memory budget for all connections,
//! requests in flight by the queue, answers by the budget of fetches.

mod connection;
mod reader;
mod request;
mod writer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::memory::MemoryBudget;
use crate::node::Node;

/// Pause after a failed accept: it fails at once for as long as the process is out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens the listening socket. Port 0 takes a free port.
pub(crate) async fn bind(listen: &str) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Accepts connections until the node shuts down.
pub(crate) async fn accept(node: Arc<Node>, listener: TcpListener) {
    let settings = &node.config.settings;
    let free = Arc::new(Semaphore::new(settings.max_connections as usize));
    let request_memory = MemoryBudget::new(settings.queued_max_request_bytes as usize);
    let mut shutdown = node.shutdown.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|stopping| *stopping) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else {
            tracing::warn!(%peer, limit = settings.max_connections, "connection refused: max.connections is reached");
            continue;
        };
        let served = connection::serve(Arc::clone(&node), stream, peer, request_memory.clone());
        node.spawn("connection", async move {
            served.await;
            drop(place);
        });
    }
}
