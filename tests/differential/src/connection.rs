//! A connection to one of the servers: frames out, frames in, with a limit on how long to wait.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use headwater_wire::frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest frame that is read.
const FRAME_MAX: usize = 64 * 1024 * 1024;

/// How long an answer may take. Longer than any wait that the sequences ask for.
const PATIENCE: Duration = Duration::from_secs(12);

/// What came back for a frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// A frame, without its length.
    Frame(Bytes),
    /// The server closed the connection.
    Closed,
    /// Nothing, for as long as we wait.
    Silence,
}

/// A connection, opened when first used and again after it was closed.
#[derive(Debug)]
pub(crate) struct Connection {
    address: String,
    stream: Option<TcpStream>,
    received: BytesMut,
}

impl Connection {
    /// Not yet open.
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            stream: None,
            received: BytesMut::new(),
        }
    }

    /// Sends a frame and waits for the next one.
    pub(crate) async fn exchange(&mut self, frame: &[u8]) -> Reply {
        self.exchange_within(frame, PATIENCE).await
    }

    /// Sends bytes and waits for a frame, no longer than `patience`.
    pub(crate) async fn exchange_within(&mut self, frame: &[u8], patience: Duration) -> Reply {
        let reply = match timeout(patience, self.try_exchange(frame)).await {
            Ok(Ok(bytes)) => Reply::Frame(bytes),
            Ok(Err(_)) => Reply::Closed,
            Err(_) => Reply::Silence,
        };
        if !matches!(reply, Reply::Frame(_)) {
            self.stream = None;
            self.received.clear();
        }
        reply
    }

    async fn try_exchange(&mut self, frame: &[u8]) -> std::io::Result<Bytes> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address).await?;
                stream.set_nodelay(true)?;
                self.stream.insert(stream)
            }
        };
        stream.write_all(frame).await?;
        loop {
            let whole = frame::split(&mut self.received, FRAME_MAX)
                .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
            if let Some(whole) = whole {
                return Ok(whole);
            }
            if stream.read_buf(&mut self.received).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
