//! Producer, consumer and admin for anything that speaks Kafka's protocol.
//!
//! One client, two transports: TCP, and calls into a node of the same process in which nothing is
//! encoded. [`Client`] is the way in; it hands out [`Producer`]s, [`Consumer`]s and [`Admin`]s,
//! which are all cheap to clone and need a tokio runtime.
//!
//! Names, defaults and semantics are Kafka's where Kafka has them. Where a record costs, records
//! travel in batches: [`Producer::append`] encodes straight into the batch that will be sent, and
//! [`Consumer::poll`] hands out [`FetchedBatch`]es as they came from the log.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use headwater_client::{
//!     Client, ClientConfig, ConsumerConfig, ProducerConfig, ProducerRecord,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(ClientConfig::new("127.0.0.1:9092"))?;
//!
//! let producer = client.producer(ProducerConfig::default())?;
//! let record = ProducerRecord::new("flights", "EWR to IAH").key("UA");
//! let sent = producer.send(record).await?.await?;
//! println!("{} at offset {:?}", sent.partition, sent.offset);
//!
//! let consumer = client.consumer(ConsumerConfig::new("readers"))?;
//! consumer.subscribe(["flights"], None)?;
//! for record in consumer.poll(Duration::from_secs(1)).await?.records()? {
//!     println!("{}: {:?}", record.offset, record.value);
//! }
//! consumer.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! The crate knows no broker. It trusts no length and no count that a peer sends, every queue in
//! it is bounded, and every call has a deadline.

pub mod admin;
mod client;
mod cluster;
mod config;
pub mod consumer;
mod coordinator;
mod error;
mod group_offsets;
mod list_offsets;
mod metadata;
mod metrics;
pub mod producer;
mod retry;
mod topic_partition;
mod transport;

pub use admin::Admin;
pub use client::Client;
pub use config::{ClientConfig, ConfigError, MetadataRecoveryStrategy};
pub use consumer::{
    Assignor, AutoOffsetReset, Consumer, ConsumerConfig, ConsumerGroupMetadata,
    ConsumerInterceptor, ConsumerMetrics, ConsumerRecord, FetchedBatch, FetchedBatches,
    GroupProtocol, IsolationLevel, MemberAssignment, MemberSubscription, OffsetAndTimestamp,
    RebalanceListener, RebalanceProtocol, Watermarks,
};
pub use error::ClientError;
pub use metadata::{ClusterView, NodeView, PartitionView, TopicView};
pub use metrics::Timing;
pub use producer::{
    AcknowledgedBatch, Acks, AppendError, AppendGuard, Delivery, PartitionAppender, Producer,
    ProducerConfig, ProducerInterceptor, ProducerMetrics, ProducerRecord, RecordMetadata, murmur2,
    partition_for_key,
};
pub use topic_partition::{OffsetAndMetadata, TopicPartition};
pub use transport::{LocalNode, LocalNodeError};
