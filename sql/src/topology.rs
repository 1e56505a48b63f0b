//! Continuous queries as topologies of the streams runtime: one node an operator, a repartition
//! topic at each shuffle.

mod nodes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_streams::engine::{
    NodeId, Operator, OperatorFactory, RepartitionSpec, SinkSpec, SourceRole, SourceSpec, TopicRef,
    Topology, TopologyBuilder, TopologyError,
};
use headwater_streams::state::StoreSpec;
use parking_lot::Mutex;

use crate::SqlError;
use crate::ops::Rows;
use crate::plan::{ContinuousQuery, Node};

/// What a query has counted since its process started.
#[derive(Debug, Default)]
pub(crate) struct QueryCounters {
    /// Rows read.
    pub(crate) rows: AtomicU64,
    /// Records that were no row.
    pub(crate) bad: AtomicU64,
    /// Rows behind the watermark, left out.
    pub(crate) late: AtomicU64,
    /// Results written.
    pub(crate) results: AtomicU64,
    /// What was wrong with the last bad record.
    pub(crate) last_bad: Mutex<Option<String>>,
}

impl QueryCounters {
    fn add_bad(&self, bad: u64, topic: &str, reason: Option<String>) {
        if bad > 0 {
            self.bad.fetch_add(bad, Ordering::Relaxed);
            if let Some(reason) = reason {
                let text = format!("{topic}: {reason}");
                tracing::warn!(bad, reason = text, "records that are no rows were left out");
                *self.last_bad.lock() = Some(text);
            }
        }
    }
}

/// Where results go.
#[derive(Clone)]
pub(crate) enum Output {
    /// To a topic.
    Topic(String),
    /// To whoever reads a push query. Bounded: a slow reader holds the query back.
    Channel(tokio::sync::mpsc::Sender<Rows>),
}

/// The topology of `query`.
///
/// # Errors
/// [`SqlError::Unsupported`] if it reads one topic twice.
pub(crate) fn build(
    query: &ContinuousQuery,
    output: &Output,
    counters: &Arc<QueryCounters>,
) -> Result<Topology, SqlError> {
    let mut assembly = Assembly {
        builder: TopologyBuilder::new(),
        counters: Arc::clone(counters),
        next: 0,
    };
    let last = assembly.node(&query.node);
    match output {
        Output::Topic(topic) => {
            let mut spec = SinkSpec::new("sink", TopicRef::External(topic.clone()));
            let (sink, counters) = (Arc::clone(&query.sink), Arc::clone(counters));
            spec.operator = factory(move || nodes::SinkNode::new(&sink, &counters));
            assembly.builder.add_sink(spec, &[last]);
        }
        Output::Channel(sender) => {
            let (sender, counters) = (sender.clone(), Arc::clone(counters));
            let operator = factory(move || nodes::ChannelNode::new(&sender, &counters));
            assembly
                .builder
                .add_operator("sink", operator, &[last], &[]);
        }
    }
    assembly.builder.build().map_err(|error| match error {
        TopologyError::DuplicateTopic(topic) => SqlError::Unsupported(format!(
            "reading the topic {topic} twice in one continuous query"
        )),
        other => SqlError::Application(other.to_string()),
    })
}

struct Assembly {
    builder: TopologyBuilder,
    counters: Arc<QueryCounters>,
    /// Numbers the nodes from the sources on, so that names, and with them topics and stores, are
    /// the same at every start of the same query.
    next: usize,
}

impl Assembly {
    fn name(&mut self, what: &str) -> String {
        let name = format!("{what}-{}", self.next);
        self.next += 1;
        name
    }

    fn node(&mut self, node: &Node) -> NodeId {
        match node {
            Node::Scan { relation, plan } => {
                let name = self.name(&format!("scan-{}", relation.name));
                let mut source = SourceSpec::new(name, TopicRef::External(relation.topic.clone()));
                let (plan, counters) = (Arc::clone(plan), Arc::clone(&self.counters));
                source.operator = factory(move || nodes::ScanNode::new(&plan, &counters));
                self.builder.add_source(source)
            }
            Node::Calc { input, calc } => {
                let input = self.node(input);
                let name = self.name("calc");
                let calc = Arc::clone(calc);
                let operator = factory(move || nodes::CalcNode::new(&calc));
                self.builder.add_operator(name, operator, &[input], &[])
            }
            Node::Join {
                input,
                shuffle,
                table,
                plan,
            } => {
                let stream = self.shuffle(input, shuffle, None);
                let name = self.name(&format!("table-{}", table.name));
                let mut source = SourceSpec::new(name, TopicRef::External(table.topic.clone()));
                source.role = SourceRole::Table;
                let table = self.builder.add_source(source);
                self.builder.copartition(&[stream, table]);
                let name = self.name("join");
                let rows = format!("{name}-rows");
                let keys = format!("{name}-keys");
                self.builder.add_store(StoreSpec::key_value(&rows));
                self.builder.add_store(StoreSpec::key_value(&keys));
                let (plan, counters) = (Arc::clone(plan), Arc::clone(&self.counters));
                let operator = factory(move || nodes::JoinNode::new(&plan, &counters));
                self.builder
                    .add_operator(name, operator, &[stream, table], &[&rows, &keys])
            }
            Node::Aggregate {
                input,
                shuffle,
                plan,
            } => {
                let partitions = plan.group.is_empty().then_some(1);
                let input = self.shuffle(input, shuffle, partitions);
                let name = self.name("aggregate");
                let store = format!("{name}-groups");
                self.builder.add_store(StoreSpec::key_value(&store));
                let (plan, counters) = (Arc::clone(plan), Arc::clone(&self.counters));
                let operator = factory(move || nodes::AggregateNode::new(&plan, &counters));
                self.builder
                    .add_operator(name, operator, &[input], &[&store])
            }
        }
    }

    fn shuffle(
        &mut self,
        input: &Node,
        shuffle: &Arc<crate::ops::Shuffle>,
        partitions: Option<i32>,
    ) -> NodeId {
        let input = self.node(input);
        let name = self.name("shuffle");
        let mut topic = RepartitionSpec::new(format!("{name}-repartition"));
        topic.partitions = partitions;
        let mut sink = SinkSpec::new(format!("{name}-write"), topic.topic());
        let plan = Arc::clone(shuffle);
        sink.operator = factory(move || nodes::ShuffleWriteNode::new(&plan));
        self.builder.add_sink(sink, &[input]);
        let mut source = SourceSpec::new(format!("{name}-read"), topic.topic());
        let plan = Arc::clone(shuffle);
        source.operator = factory(move || nodes::ShuffleReadNode::new(&plan));
        self.builder.add_repartition(topic);
        self.builder.add_source(source)
    }
}

fn factory<O: Operator + 'static>(make: impl Fn() -> O + Send + Sync + 'static) -> OperatorFactory {
    Arc::new(move || Box::new(make()) as Box<dyn Operator>)
}

#[cfg(test)]
mod tests;
