//! What is sent: one file for each kind of sequence. Each is drawn from the run's seed, knows what
//! it made so far, and makes mistakes on purpose.

mod batch;
mod classic;
mod cluster;
mod commit;
mod configs;
mod consumer;
mod fetch;
mod malformed;
mod produce;
mod sweep;
mod topics;
mod transactions;
mod waiting;

use std::pin::Pin;

use headwater_wire::ApiKey;

use crate::run::Run;

type Sequence<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A kind of sequence.
#[derive(Clone)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The APIs it is about.
    apis: &'static [ApiKey],
    pub(crate) run: for<'a> fn(&'a mut Run) -> Sequence<'a>,
}

impl Kind {
    /// Whether it has this name or is about the API of this name.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self
                .apis
                .iter()
                .any(|api| api.name().eq_ignore_ascii_case(name))
    }
}

macro_rules! kinds {
    ($($name:literal = $module:ident::$run:ident: [$($api:ident),*];)+) => {
        /// Every kind, in the order in which they take turns.
        pub(crate) static KINDS: &[Kind] = &[$(Kind {
            name: $name,
            apis: &[$(ApiKey::$api),*],
            run: |run| Box::pin($module::$run(run)),
        }),+];
    };
}

kinds! {
    "topics" = topics::life: [CreateTopics, DeleteTopics, CreatePartitions, Metadata, DescribeTopicPartitions];
    "topics-bad" = topics::bad_input: [CreateTopics, DeleteTopics, CreatePartitions, Metadata];
    "produce" = produce::good: [Produce, Fetch, ListOffsets];
    "produce-bad" = produce::broken: [Produce];
    "idempotence" = produce::sequences: [Produce, InitProducerId, DescribeProducers];
    "fetch" = fetch::plain: [Fetch];
    "fetch-session" = fetch::session: [Fetch];
    "group" = classic::life: [FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups, ListGroups, DeleteGroups, OffsetDelete, OffsetCommit, OffsetFetch];
    "group-bad" = classic::refused: [JoinGroup, FindCoordinator];
    "commit" = commit::outside: [OffsetCommit, OffsetFetch];
    "consumer-group" = consumer::life: [ConsumerGroupHeartbeat, ConsumerGroupDescribe];
    "consumer-group-bad" = consumer::refused: [ConsumerGroupHeartbeat];
    "consumer-group-static" = consumer::static_member: [ConsumerGroupHeartbeat, ConsumerGroupDescribe];
    "group-migration" = consumer::migration: [ConsumerGroupHeartbeat, JoinGroup];
    "transaction" = transactions::in_order: [AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit, EndTxn, DescribeTransactions, ListTransactions, DescribeProducers];
    "transaction-v1" = transactions::first: [AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit, EndTxn];
    "transaction-v2" = transactions::second: [TxnOffsetCommit, EndTxn];
    "transaction-bad" = transactions::refused: [AddPartitionsToTxn, WriteTxnMarkers, InitProducerId];
    "configs" = configs::of_topics: [DescribeConfigs, AlterConfigs, IncrementalAlterConfigs];
    "configs-other" = configs::of_others: [DescribeConfigs, IncrementalAlterConfigs, ListConfigResources];
    "cluster" = cluster::administration: [ApiVersions, DescribeCluster, DescribeLogDirs, ElectLeaders, AlterPartitionReassignments, ListPartitionReassignments, DescribeQuorum, UpdateFeatures, AlterReplicaLogDirs];
    "fetch-waiting" = waiting::fetches: [Fetch, Produce];
    "automatic-topics" = waiting::automatic_topics: [Metadata];
    "member-expiry" = waiting::members_expire: [JoinGroup, Heartbeat];
    "transaction-expiry" = waiting::transactions_expire: [InitProducerId, EndTxn, DescribeTransactions];
    "versions" = sweep::every_version: [];
    "malformed" = malformed::frames: [];
    "offsets" = fetch::offsets: [ListOffsets, DeleteRecords, OffsetForLeaderEpoch];
}
