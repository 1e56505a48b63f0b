//! The TCP listener: accepts connections up to a limit and serves each with two tasks.
//!
//! One task reads frames and starts their requests in order, the other writes the answers in the
//! same order. Between them stands a bounded queue. What a client can make the broker hold is
//! bounded three times: frames by their length and by one memory budget for all connections,
//! requests in flight by the queue, answers by the budget of fetches.

mod connection;
mod limits;
mod reader;
mod request;
mod writer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

use self::limits::{Connections, pause};
use crate::config::BrokerSettings;
use crate::memory::MemoryBudget;
use crate::node::Node;

/// Pause after a failed accept: it fails at once for as long as the process is out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens the listening socket. Port 0 takes a free port.
pub(crate) async fn bind(
    listen: &str,
    settings: &BrokerSettings,
) -> io::Result<(TcpListener, SocketAddr)> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in tokio::net::lookup_host(listen).await? {
        match bind_to(address, settings) {
            Ok(listener) => {
                let address = listener.local_addr()?;
                return Ok((listener, address));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_to(address: SocketAddr, settings: &BrokerSettings) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    // Connections take these over from the socket they came in by.
    if let Some(bytes) = settings.socket_send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = settings.socket_receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(address)?;
    socket.listen(settings.socket_listen_backlog)
}

/// Accepts connections until the node shuts down.
pub(crate) async fn accept(node: Arc<Node>, listener: TcpListener) {
    let settings = &node.config.settings;
    let connections = Arc::new(Connections::default());
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
        let settings = node.settings();
        let place = match connections.admit(&settings, peer.ip()) {
            Ok(place) => place,
            Err(refused) => {
                tracing::warn!(%peer, %refused, "a connection is closed");
                continue;
            }
        };
        let served = connection::serve(Arc::clone(&node), stream, peer, request_memory.clone());
        node.spawn("connection", async move {
            served.await;
            drop(place);
        });
        if let Some(pause) = pause(&settings) {
            tokio::time::sleep(pause).await;
        }
    }
}
