//! Appending costs no allocation per record.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests count as outside tests"
)]

use std::alloc::System;
use std::time::Duration;

use async_trait::async_trait;
use headwater_client::{Client, LocalNode, LocalNodeError, ProducerConfig};
use headwater_wire::{RequestKind, ResponseKind};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Never answers, so that nothing but the appends happens.
struct Silent;

#[async_trait]
impl LocalNode for Silent {
    async fn call(
        &self,
        _client_id: &str,
        _request: RequestKind,
        _version: i16,
    ) -> Result<ResponseKind, LocalNodeError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn appending_allocates_per_batch_and_not_per_record() {
    let client = Client::in_process(std::sync::Arc::new(Silent)).expect("a runtime");
    let config = ProducerConfig {
        linger: Duration::from_secs(60),
        batch_size: 64 << 10,
        ..ProducerConfig::default()
    };
    let producer = client.producer(config).expect("a producer");
    let appender = producer.appender("t", 0).expect("an appender");
    let value = [7; 100];
    let records = 100_000;
    let region = Region::new(ALLOCATOR);
    {
        let mut guard = appender.lock().expect("open");
        for index in 0..records {
            guard
                .append(index, Some(&index.to_be_bytes()), Some(&value), &[])
                .expect("room");
        }
    }
    let batches = records as usize * 120 / (64 << 10) + 1;
    let allocated = region.change().allocations + region.change().reallocations;
    // The buffer and its growth, the outcome, a place in two lists.
    assert!(
        allocated < batches * 16,
        "{allocated} allocations for {batches} batches"
    );
}
