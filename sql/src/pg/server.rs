//! Accepting connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::{ConnectionManager, PgWireServerHandlers, auth::StartupHandler};
use pgwire::tokio::process_socket;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::handler::Handler;
use crate::SqlEngine;

/// Connections at a time; further ones wait to be accepted. A connection holds one statement and
/// its batch of rows, a few MiB at most.
const MAX_CONNECTIONS: usize = 256;

/// A listener that serves an engine.
pub struct PgServer {
    listener: TcpListener,
    engine: SqlEngine,
}

impl PgServer {
    /// Serves `engine` to the clients of `listener` once [`PgServer::run`] is called.
    pub fn new(listener: TcpListener, engine: SqlEngine) -> Self {
        Self { listener, engine }
    }

    /// The address listened on.
    ///
    /// # Errors
    /// What the operating system fails with.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is cancelled, then ends all connections.
    pub async fn run(self, stop: CancellationToken) {
        let manager = Arc::new(ConnectionManager::new());
        let handlers = Arc::new(Handlers {
            handler: Arc::new(Handler::new(self.engine, Arc::clone(&manager))),
            cancel: Arc::new(DefaultCancelHandler::new(manager)),
        });
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let slot = tokio::select! {
                () = stop.cancelled() => break,
                slot = Arc::clone(&slots).acquire_owned() => slot,
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            let socket = match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    // Out of file descriptors, say: existing connections go on.
                    tracing::warn!(%error, "a SQL connection cannot be accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            let handlers = Arc::clone(&handlers);
            connections.spawn(async move {
                let _slot = slot;
                if let Err(error) = process_socket(socket, None, handlers).await {
                    tracing::debug!(%error, "a SQL connection ended");
                }
            });
            while connections.try_join_next().is_some() {}
        }
        connections.shutdown().await;
    }
}

struct Handlers {
    handler: Arc<Handler>,
    cancel: Arc<DefaultCancelHandler>,
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.handler)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.handler)
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        Arc::clone(&self.handler)
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        Arc::clone(&self.cancel)
    }
}
