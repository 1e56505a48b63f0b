//! Pauses between tries, up to a deadline.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use crate::config::ClientConfig;
use crate::error::ClientError;

/// A pause that doubles from `base` to `max`, spread by a fifth either way so that clients which
/// failed together do not come back together.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    base: Duration,
    max: Duration,
    tries: u32,
}

impl Backoff {
    pub(crate) fn new(base: Duration, max: Duration) -> Self {
        Self {
            base,
            max,
            tries: 0,
        }
    }

    /// The next pause.
    pub(crate) fn advance(&mut self) -> Duration {
        let pause = exponential(self.base, self.max, self.tries);
        self.tries = self.tries.saturating_add(1);
        pause.mul_f64(rand::rng().random_range(0.8..1.2))
    }

    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

/// `base` doubled `tries` times, at most `max`.
pub(crate) fn exponential(base: Duration, max: Duration, tries: u32) -> Duration {
    base.saturating_mul(2u32.saturating_pow(tries.min(30)))
        .min(max)
}

/// One operation's tries: how long it may take in all, and how long to wait between.
pub(crate) struct Retry {
    operation: String,
    started: Instant,
    limit: Duration,
    backoff: Backoff,
}

impl Retry {
    pub(crate) fn new(
        operation: impl Into<String>,
        limit: Duration,
        config: &ClientConfig,
    ) -> Self {
        Self {
            operation: operation.into(),
            started: Instant::now(),
            limit,
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
        }
    }

    /// What is left of the time, for the deadline of one request.
    pub(crate) fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    /// Waits before the next try after `failure`.
    ///
    /// # Errors
    /// `failure` itself if a retry cannot help; a timeout naming it if the time is over.
    pub(crate) async fn pause(&mut self, failure: ClientError) -> Result<(), ClientError> {
        // Who was never reached in all this time is not about to be.
        if !failure.is_retriable() || matches!(failure, ClientError::Unreachable { .. }) {
            return Err(failure);
        }
        self.pause_anyway(failure).await
    }

    /// As [`Retry::pause`], for failures that this operation knows to pass.
    pub(crate) async fn pause_anyway(&mut self, failure: ClientError) -> Result<(), ClientError> {
        let pause = self.backoff.advance();
        if pause >= self.remaining() {
            return Err(self.timed_out(Some(failure)));
        }
        tracing::debug!(operation = %self.operation, %failure, ?pause, "trying again");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// The error for a deadline that has passed.
    pub(crate) fn timed_out(&self, cause: Option<ClientError>) -> ClientError {
        ClientError::Timeout {
            operation: self.operation.clone(),
            after: self.limit,
            cause: cause.map(Arc::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let (base, max) = (Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<u128> = (0..6)
            .map(|tries| exponential(base, max, tries).as_millis())
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(exponential(base, max, u32::MAX), max);
    }

    #[tokio::test(start_paused = true)]
    async fn retries_end_at_the_deadline_and_name_the_last_failure() {
        let config = ClientConfig::default();
        let mut retry = Retry::new("describing t", Duration::from_secs(2), &config);
        let mut tries = 0;
        let error = loop {
            match retry.pause(ClientError::UnknownNode(7)).await {
                Ok(()) => tries += 1,
                Err(error) => break error,
            }
        };
        assert!((2..10).contains(&tries), "{tries}");
        assert!(error.to_string().contains("describing t"), "{error}");
        assert!(error.to_string().contains("node 7"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_pass_is_returned_at_once() {
        let config = ClientConfig::default();
        let mut retry = Retry::new("describing t", Duration::from_secs(2), &config);
        let error = retry.pause(ClientError::Closed("producer")).await.err();
        assert!(matches!(error, Some(ClientError::Closed("producer"))));
    }
}
