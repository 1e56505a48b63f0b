//! A node of this process that passes every call on to a cluster, and loses some on the way.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::BytesMut;
use headwater_client::{Client, ClientConfig, LocalNode, LocalNodeError};
use headwater_wire::{ApiKey, Decoder, RequestKind, ResponseHeader, ResponseKind, frame};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest response taken.
const LIMIT: usize = 64 << 20;

pub(crate) struct Relay {
    bootstrap: String,
    idle: Mutex<Vec<TcpStream>>,
    faults: Mutex<StdRng>,
    /// Of a hundred calls, how many are lost before they get there, and how many answers after.
    lost_percent: u32,
}

impl Relay {
    /// A client of `bootstrap` through a relay that loses calls and answers.
    pub(crate) fn client(bootstrap: &str, seed: u64, lost_percent: u32) -> Client {
        let relay = Self::new(bootstrap, seed, lost_percent);
        // Soon again, so that the test ends soon.
        let config = ClientConfig {
            retry_backoff: std::time::Duration::from_millis(5),
            retry_backoff_max: std::time::Duration::from_millis(50),
            ..ClientConfig::default()
        };
        Client::in_process_with(config, Arc::new(relay)).expect("a runtime")
    }

    pub(crate) fn new(bootstrap: &str, seed: u64, lost_percent: u32) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            idle: Mutex::default(),
            faults: Mutex::new(StdRng::seed_from_u64(seed)),
            lost_percent,
        }
    }

    fn is_lost(&self) -> bool {
        self.faults.lock().random_range(0..100) < self.lost_percent
    }

    async fn pass(
        &self,
        client_id: &str,
        request: &RequestKind,
        version: i16,
    ) -> std::io::Result<ResponseKind> {
        let invalid = |error: String| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        let idle = self.idle.lock().pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => TcpStream::connect(&self.bootstrap).await?,
        };
        let key: ApiKey = request.key();
        let chunks = request.to_frame(version, 7, Some(client_id));
        for chunk in chunks.map_err(|error| invalid(error.to_string()))? {
            stream.write_all(&chunk).await?;
        }
        let mut buffer = BytesMut::new();
        let answer = loop {
            let split = frame::split(&mut buffer, LIMIT);
            if let Some(answer) = split.map_err(|error| invalid(error.to_string()))? {
                break answer;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        };
        self.idle.lock().push(stream);
        let mut input = Decoder::new(answer);
        ResponseHeader::decode(&mut input, key, version)
            .and_then(|_| ResponseKind::decode(key, version, &mut input))
            .map_err(|error| invalid(error.to_string()))
    }
}

#[async_trait]
impl LocalNode for Relay {
    async fn call(
        &self,
        client_id: &str,
        request: RequestKind,
        version: i16,
    ) -> Result<ResponseKind, LocalNodeError> {
        if self.is_lost() {
            return Err(LocalNodeError::ShuttingDown);
        }
        let answer = self.pass(client_id, &request, version).await;
        let answer = answer.map_err(|error| LocalNodeError::Failed(error.to_string()))?;
        if self.is_lost() {
            return Err(LocalNodeError::ShuttingDown);
        }
        Ok(answer)
    }
}
