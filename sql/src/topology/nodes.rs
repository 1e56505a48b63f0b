//! Operators as nodes: chunks in, chunks out, state from the task's stores.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use headwater_streams::engine::{
    Chunk, ColumnarChunk, EngineError, Operator, RawChunk, RawColumnBuilder, RowMeta, TaskContext,
};
use headwater_streams::state::ByteStore;

use super::QueryCounters;
use crate::SqlError;
use crate::ops::{
    Aggregate, AggregatePlan, Calc, JoinPlan, OutRecord, Record, Rows, ScanPlan, Shuffle, Sink,
    State,
};

/// Under this name an aggregate's greatest event time is committed with its offsets.
const OBSERVED: &str = "t";

impl ColumnarChunk for Rows {
    fn len(&self) -> usize {
        Rows::len(self)
    }

    fn boxed_clone(&self) -> Box<dyn ColumnarChunk> {
        Box::new(self.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

fn failed(cx: &TaskContext<'_>, error: SqlError) -> EngineError {
    EngineError::Operator {
        node: cx.node().to_owned(),
        source: Box::new(error),
    }
}

fn forward(cx: &mut TaskContext<'_>, rows: Rows) {
    if !rows.is_empty() {
        cx.forward(Chunk::columnar(rows));
    }
}

fn forward_records(cx: &mut TaskContext<'_>, records: &[OutRecord]) {
    let size = |b: &Option<Bytes>| b.as_ref().map_or(0, Bytes::len);
    let key_bytes = records.iter().map(|r| size(&r.key)).sum();
    let value_bytes = records.iter().map(|r| size(&r.value)).sum();
    let mut keys = RawColumnBuilder::with_capacity(records.len(), key_bytes);
    let mut values = RawColumnBuilder::with_capacity(records.len(), value_bytes);
    for record in records {
        keys.push(record.key.as_deref());
        values.push(record.value.as_deref());
    }
    cx.forward(Chunk::Raw(RawChunk {
        keys: keys.finish(),
        values: values.finish(),
        meta: RowMeta::derived(records.iter().map(|r| r.timestamp).collect()),
    }));
}

fn records<'a>(raw: &'a RawChunk, partition: i32) -> Vec<Record<'a>> {
    let meta = raw.meta.timestamps.iter().zip(&raw.meta.offsets);
    raw.keys
        .iter()
        .zip(raw.values.iter())
        .zip(meta)
        .map(|((key, value), (timestamp, offset))| Record {
            key,
            value,
            timestamp: *timestamp,
            partition,
            offset: *offset,
        })
        .collect()
}

/// Decodes the records of a stream.
pub(super) struct ScanNode {
    plan: Arc<ScanPlan>,
    counters: Arc<QueryCounters>,
}

impl ScanNode {
    pub(super) fn new(plan: &Arc<ScanPlan>, counters: &Arc<QueryCounters>) -> Self {
        Self {
            plan: Arc::clone(plan),
            counters: Arc::clone(counters),
        }
    }
}

impl Operator for ScanNode {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let raw = chunk.into_raw(cx.node())?;
        let scanned = self
            .plan
            .scan(&records(&raw, cx.input().1))
            .map_err(|e| failed(cx, e))?;
        self.counters
            .rows
            .fetch_add(scanned.rows.len() as u64, Ordering::Relaxed);
        self.counters
            .add_bad(scanned.bad, cx.input().0, scanned.reason);
        cx.count_dropped((raw.len() - scanned.rows.len()) as u64);
        forward(cx, scanned.rows);
        Ok(())
    }
}

/// Filters and projects.
pub(super) struct CalcNode {
    calc: Arc<Calc>,
}

impl CalcNode {
    pub(super) fn new(calc: &Arc<Calc>) -> Self {
        Self {
            calc: Arc::clone(calc),
        }
    }
}

impl Operator for CalcNode {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let rows = chunk.downcast::<Rows>(cx.node())?;
        let rows = self.calc.apply(rows).map_err(|e| failed(cx, e))?;
        forward(cx, rows);
        Ok(())
    }
}

/// Encodes rows for a repartition topic.
pub(super) struct ShuffleWriteNode {
    plan: Arc<Shuffle>,
}

impl ShuffleWriteNode {
    pub(super) fn new(plan: &Arc<Shuffle>) -> Self {
        Self {
            plan: Arc::clone(plan),
        }
    }
}

impl Operator for ShuffleWriteNode {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let rows = chunk.downcast::<Rows>(cx.node())?;
        let records = self.plan.write(&rows).map_err(|e| failed(cx, e))?;
        forward_records(cx, &records);
        Ok(())
    }
}

/// Decodes rows of a repartition topic.
pub(super) struct ShuffleReadNode {
    plan: Arc<Shuffle>,
}

impl ShuffleReadNode {
    pub(super) fn new(plan: &Arc<Shuffle>) -> Self {
        Self {
            plan: Arc::clone(plan),
        }
    }
}

impl Operator for ShuffleReadNode {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let raw = chunk.into_raw(cx.node())?;
        let values: Vec<(&[u8], i64)> = raw
            .values
            .iter()
            .zip(&raw.meta.timestamps)
            .filter_map(|(value, timestamp)| value.map(|v| (v, *timestamp)))
            .collect();
        let rows = self.plan.read(&values).map_err(|e| failed(cx, e))?;
        forward(cx, rows);
        Ok(())
    }
}

/// Joins a stream (port 0) with a table (port 1).
pub(super) struct JoinNode {
    plan: Arc<JoinPlan>,
    counters: Arc<QueryCounters>,
}

impl JoinNode {
    pub(super) fn new(plan: &Arc<JoinPlan>, counters: &Arc<QueryCounters>) -> Self {
        Self {
            plan: Arc::clone(plan),
            counters: Arc::clone(counters),
        }
    }

    fn update_table(&self, raw: &RawChunk, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        // The two stores are borrowed one after the other, so the changes of one batch pass
        // through a buffer.
        let partition = cx.input().1;
        let records = records(raw, partition);
        let changes = self
            .plan
            .update_table(&records, &mut |key| {
                Ok(cx
                    .store(1)
                    .map_err(state_error)?
                    .bytes()
                    .get(key)
                    .map_err(state_error)?
                    .map(|v| v.0))
            })
            .map_err(|e| failed(cx, e))?;
        for (position, entries) in [(0, changes.rows), (1, changes.keys)] {
            let store = cx.store(position)?.bytes();
            for (key, value, timestamp) in entries {
                store.put(key, value, timestamp);
            }
        }
        self.counters
            .add_bad(changes.bad, cx.input().0, changes.reason);
        cx.count_dropped(changes.bad);
        Ok(())
    }
}

impl Operator for JoinNode {
    fn process(
        &mut self,
        port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        if port == 1 {
            let raw = chunk.into_raw(cx.node())?;
            return self.update_table(&raw, cx);
        }
        let rows = chunk.downcast::<Rows>(cx.node())?;
        let joined = {
            let store = cx.store(0)?.bytes();
            self.plan.probe(&rows, &mut StoreState { store })
        };
        let joined = joined.map_err(|e| failed(cx, e))?;
        forward(cx, joined);
        Ok(())
    }
}

/// Groups; results leave at each commit.
pub(super) struct AggregateNode {
    plan: Arc<AggregatePlan>,
    aggregate: Option<Aggregate>,
    counters: Arc<QueryCounters>,
}

impl AggregateNode {
    pub(super) fn new(plan: &Arc<AggregatePlan>, counters: &Arc<QueryCounters>) -> Self {
        Self {
            plan: Arc::clone(plan),
            aggregate: None,
            counters: Arc::clone(counters),
        }
    }

    fn emit(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        let Some(aggregate) = &mut self.aggregate else {
            return Ok(());
        };
        let results = {
            let store = cx.store(0)?.bytes();
            aggregate.flush(&mut StoreState { store })
        };
        if let Some(results) = results.map_err(|e| failed(cx, e))? {
            forward(cx, results);
        }
        if let Some(observed) = aggregate.observed() {
            cx.set_mark(OBSERVED, observed);
        }
        Ok(())
    }
}

impl Operator for AggregateNode {
    fn init(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        let observed = cx.mark(OBSERVED);
        let aggregate =
            Aggregate::new(Arc::clone(&self.plan), observed).map_err(|e| failed(cx, e))?;
        self.aggregate = Some(aggregate);
        Ok(())
    }

    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let rows = chunk.downcast::<Rows>(cx.node())?;
        let Some(aggregate) = &mut self.aggregate else {
            return Ok(());
        };
        let late = aggregate.update(&rows).map_err(|e| failed(cx, e))?;
        if late > 0 {
            self.counters.late.fetch_add(late, Ordering::Relaxed);
            cx.count_late(late);
        }
        if aggregate.is_full() {
            self.emit(cx)?;
        }
        Ok(())
    }

    fn flush(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        self.emit(cx)
    }
}

/// Writes the rows of a view.
pub(super) struct SinkNode {
    sink: Arc<Sink>,
    counters: Arc<QueryCounters>,
}

impl SinkNode {
    pub(super) fn new(sink: &Arc<Sink>, counters: &Arc<QueryCounters>) -> Self {
        Self {
            sink: Arc::clone(sink),
            counters: Arc::clone(counters),
        }
    }
}

impl Operator for SinkNode {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let rows = chunk.downcast::<Rows>(cx.node())?;
        let records = self.sink.write(&rows).map_err(|e| failed(cx, e))?;
        self.counters
            .results
            .fetch_add(records.len() as u64, Ordering::Relaxed);
        forward_records(cx, &records);
        Ok(())
    }
}

/// Hands the rows of a push query to its reader.
pub(super) struct ChannelNode {
    sender: tokio::sync::mpsc::Sender<Rows>,
    counters: Arc<QueryCounters>,
}

impl ChannelNode {
    pub(super) fn new(
        sender: &tokio::sync::mpsc::Sender<Rows>,
        counters: &Arc<QueryCounters>,
    ) -> Self {
        Self {
            sender: sender.clone(),
            counters: Arc::clone(counters),
        }
    }
}

impl Operator for ChannelNode {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let rows = chunk.downcast::<Rows>(cx.node())?;
        self.counters
            .results
            .fetch_add(rows.len() as u64, Ordering::Relaxed);
        // A reader that has gone is no failure: the query is about to be stopped. The thread may
        // itself be inside tokio, whose budget would never be refilled while it is blocked here.
        let sent = tokio::task::unconstrained(self.sender.send(rows));
        let _ = futures::executor::block_on(sent);
        Ok(())
    }
}

/// A task's store as the state of an operator.
struct StoreState<'a> {
    store: &'a mut ByteStore,
}

impl State for StoreState<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, SqlError> {
        Ok(self
            .store
            .get(key)
            .map_err(state_error)?
            .map(|(value, _)| value))
    }

    fn put(&mut self, key: Bytes, value: Option<Bytes>, timestamp: i64) -> Result<(), SqlError> {
        self.store.put(key, value, timestamp);
        Ok(())
    }
}

fn state_error(error: impl std::fmt::Display) -> SqlError {
    SqlError::Application(error.to_string())
}
