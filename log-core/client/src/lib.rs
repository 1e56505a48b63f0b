//! Producer, consumer and admin for anything that speaks Kafka's protocol.
//!
//! One client, two transports: TCP, and calls into a node of the same process in which nothing is
//! encoded.
//!
//! What is not in place yet will have this shape (all types cheap to clone, all methods on `&self`,
//! every `async fn` returning `Result<_, ClientError>`):
//!
//! ```text
//! Client::new(ClientConfig) -> Result<Client>          inside a tokio runtime; connects lazily
//! Client::in_process(Arc<dyn LocalNode>) -> Result<Client>
//! client.producer(ProducerConfig) -> Result<Producer>  client.consumer(ConsumerConfig) -> Result<Consumer>
//! client.admin() -> Admin
//! #[async_trait] trait LocalNode: Send + Sync {
//!     async fn call(&self, client_id: &str, request: RequestKind, version: i16) -> Result<ResponseKind, LocalNodeError>;
//! }
//!
//! Producer
//!   async send(ProducerRecord) -> Delivery             waits for metadata and room; Delivery: Future<Output = Result<RecordMetadata>>
//!   async partitions_for(topic: &str) -> i32           partition count, asked of the cluster if unknown
//!   append(topic: &str, partition: i32, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> Result<(), AppendError>
//!                                                      not async; straight into the batch; failures surface in flush and commit_transaction
//!   appender(topic: &str, partition: i32) -> PartitionAppender
//!       .lock() -> AppendGuard; guard.append(timestamp, key, value, headers) -> Result<(), AppendError>   one lock for many records
//!   async has_room()                                   after AppendError::QueueFull
//!   async flush()                                      waits for all sent so far; the first failure since the last flush
//!   async init_transactions(); begin_transaction() -> Result<()> (not async)
//!   async send_offsets_to_transaction(&HashMap<TopicPartition, OffsetAndMetadata>, &ConsumerGroupMetadata)
//!   async commit_transaction(); async abort_transaction(); async close()
//!
//! Consumer
//!   subscribe(topics: impl IntoIterator<Item = impl Into<String>>, Option<Arc<dyn RebalanceListener>>) -> Result<()>
//!   assign(Vec<TopicPartition>) -> Result<()>; unsubscribe(); assignment() -> Vec<TopicPartition>
//!   async poll(timeout: Duration) -> FetchedBatches    .into_iter() -> FetchedBatch, .records() -> Vec<ConsumerRecord>
//!   position(&TopicPartition) -> Option<i64>; seek(&TopicPartition, offset) -> Result<()>
//!   seek_to_beginning(&[TopicPartition]) -> Result<()>; seek_to_end(&[TopicPartition]) -> Result<()>
//!   pause(&[TopicPartition]); resume(&[TopicPartition]); paused() -> Vec<TopicPartition>
//!   watermarks(&TopicPartition) -> Option<Watermarks>  of the last fetch
//!   lag(&TopicPartition) -> Option<i64>                end known from the last fetch, minus position
//!   async commit(); async commit_offsets(&HashMap<TopicPartition, OffsetAndMetadata>); commit_async(HashMap<..>)
//!   async committed(&[TopicPartition]) -> HashMap<TopicPartition, OffsetAndMetadata>
//!   async offsets_for_times(&HashMap<TopicPartition, i64>) -> HashMap<TopicPartition, OffsetAndTimestamp>
//!   async beginning_offsets(&[TopicPartition]) -> HashMap<TopicPartition, i64>; async end_offsets(..)
//!   async partitions_for(topic) -> i32; group_metadata() -> ConsumerGroupMetadata; async close()
//!
//! #[async_trait] trait RebalanceListener: Send + Sync   called within poll, revoked before assigned
//!   async on_partitions_revoked(&self, &Consumer, &[TopicPartition]); async on_partitions_assigned(..); async on_partitions_lost(..)
//!
//! Admin
//!   async create_topics(Vec<NewTopic>) -> HashMap<String, Result<TopicView>>; async create_topic(NewTopic); NewTopic::new(name, partitions).config(k, v)
//!   async delete_topics(&[&str]) -> HashMap<String, Result<()>>; async create_partitions(topic, total)
//!   async list_topics() -> Vec<TopicView>; async describe_topics(&[&str]) -> HashMap<String, Result<TopicView>>
//!   async delete_records(&HashMap<TopicPartition, i64>) -> HashMap<TopicPartition, Result<i64>>
//!   async describe_configs(ConfigResource) -> Vec<ConfigEntry>; async alter_configs(ConfigResource, Vec<ConfigChange>)
//!   async list_groups() -> Vec<GroupListing>; async describe_groups(&[&str]) -> HashMap<String, Result<GroupDescription>>; async delete_groups(..)
//!   async list_group_offsets(group, Option<&[TopicPartition]>, require_stable: bool) -> HashMap<TopicPartition, OffsetAndMetadata>
//!   async alter_group_offsets(group, &HashMap<TopicPartition, OffsetAndMetadata>)
//!   async list_offsets(&HashMap<TopicPartition, OffsetSpec>, IsolationLevel) -> HashMap<TopicPartition, Result<OffsetAndTimestamp>>; OffsetSpec::{Earliest, Latest, MaxTimestamp, Timestamp(ms)}
//!   async describe_cluster() -> ClusterDescription
//! ```

mod config;
pub mod consumer;
mod error;
pub mod producer;
mod topic_partition;

pub use config::{ClientConfig, ConfigError};
pub use consumer::{
    Assignor, AutoOffsetReset, ConsumerConfig, ConsumerGroupMetadata, ConsumerRecord, FetchedBatch,
    FetchedBatches, IsolationLevel, MemberAssignment, MemberSubscription, Watermarks,
};
pub use error::ClientError;
pub use producer::{
    Acks, AppendError, ProducerConfig, ProducerRecord, RecordMetadata, murmur2, partition_for_key,
};
pub use topic_partition::{OffsetAndMetadata, TopicPartition};
