//! Grouped aggregates with running results over rows that are only ever added.
//!
//! Between two flushes the rows fold into DataFusion's vectorised accumulators, one slot a group
//! touched. A flush merges those partial states with the stored ones, writes the sums back and
//! emits the touched groups: state is read and written once a group and commit, not once a row.

use std::sync::Arc;

use arrow::array::RecordBatchOptions;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, take_arrays};
use arrow::datatypes::{
    DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMillisecondType,
};
use bytes::Bytes;
use datafusion::common::Result as DataFusionResult;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::{GroupsAccumulatorAdapter, PhysicalExpr};
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

use super::calc::evaluate_mask;
use super::rows::{Kinds, Rows, canonical};
use super::state::State;
use crate::SqlError;
use crate::codec::{KeyEncoder, RowCodec};

/// Groups held between flushes before the operator asks to be flushed early. With a few hundred
/// bytes a group this is a few tens of MiB at worst.
const MAX_GROUPS: usize = 65_536;

/// The group column that says when a group's window ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WindowBound {
    /// Index among the group columns, a TIMESTAMP.
    pub(crate) group: usize,
    /// What to add to it to get the window's end, ms.
    pub(crate) to_end: i64,
    /// How far the watermark stays behind the greatest event time seen, ms.
    pub(crate) delay: i64,
}

/// What to group by and what to compute.
#[derive(Debug, Clone)]
pub(crate) struct AggregatePlan {
    pub(crate) group: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) aggregates: Vec<Arc<AggregateFunctionExpr>>,
    /// `FILTER (WHERE …)` of each aggregate.
    pub(crate) filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
    /// Group columns, then results.
    pub(crate) schema: SchemaRef,
    /// Set if the groups are windows of event time: rows behind the watermark are then late.
    pub(crate) window: Option<WindowBound>,
    state: RowCodec,
}

impl AggregatePlan {
    /// A plan, if its state can be kept.
    ///
    /// # Errors
    /// [`SqlError::Unsupported`] for group columns or aggregates whose state has no row form, and
    /// for aggregates that depend on an order.
    pub(crate) fn new(
        group: Vec<Arc<dyn PhysicalExpr>>,
        aggregates: Vec<Arc<AggregateFunctionExpr>>,
        filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
        schema: SchemaRef,
        window: Option<WindowBound>,
    ) -> Result<Self, SqlError> {
        for field in schema.fields().iter().take(group.len()) {
            if !KeyEncoder::supports(field.data_type()) {
                return Err(SqlError::Unsupported(format!(
                    "GROUP BY {} of type {}",
                    field.name(),
                    field.data_type()
                )));
            }
        }
        let mut fields = vec![Arc::new(Field::new("timestamp", DataType::Int64, false))];
        for aggregate in &aggregates {
            if !aggregate.order_bys().is_empty() {
                return Err(SqlError::Unsupported(format!(
                    "ORDER BY inside {} of a continuous query",
                    aggregate.name()
                )));
            }
            for (i, field) in aggregate.state_fields()?.into_iter().enumerate() {
                let name = format!("{}[{i}]", aggregate.name());
                fields.push(Arc::new(Field::new(name, field.data_type().clone(), true)));
            }
        }
        let state = RowCodec::new(Arc::new(Schema::new(fields)))?;
        Ok(Self {
            group,
            aggregates,
            filters,
            schema,
            window,
            state,
        })
    }

    fn accumulators(&self) -> DataFusionResult<Vec<Box<dyn GroupsAccumulator>>> {
        self.aggregates
            .iter()
            .map(|aggregate| {
                if aggregate.groups_accumulator_supported() {
                    return aggregate.create_groups_accumulator();
                }
                let aggregate = Arc::clone(aggregate);
                let factory = move || aggregate.create_accumulator();
                Ok(Box::new(GroupsAccumulatorAdapter::new(factory)) as Box<dyn GroupsAccumulator>)
            })
            .collect()
    }

    fn group_values(&self) -> DataFusionResult<Option<Box<dyn GroupValues>>> {
        if self.group.is_empty() {
            return Ok(None);
        }
        let fields: Vec<_> = self
            .schema
            .fields()
            .iter()
            .take(self.group.len())
            .cloned()
            .collect();
        new_group_values(Arc::new(Schema::new(fields)), &GroupOrdering::None).map(Some)
    }
}

/// The operator of one partition.
pub(crate) struct Aggregate {
    plan: Arc<AggregatePlan>,
    groups: Option<Box<dyn GroupValues>>,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
    /// Greatest event time of each group since the last flush.
    timestamps: Vec<i64>,
    /// Greatest event time seen.
    observed: i64,
    indices: Vec<usize>,
    key: Vec<u8>,
}

impl Aggregate {
    /// An operator without pending rows, whose watermark goes on from the greatest event time
    /// `observed` before.
    pub(crate) fn new(plan: Arc<AggregatePlan>, observed: Option<i64>) -> Result<Self, SqlError> {
        Ok(Self {
            groups: plan.group_values()?,
            accumulators: plan.accumulators()?,
            plan,
            timestamps: Vec::new(),
            observed: observed.unwrap_or(i64::MIN),
            indices: Vec::new(),
            key: Vec::new(),
        })
    }

    /// Takes in `rows`, which must all be inserts. Returns how many were late and left out.
    ///
    /// # Errors
    /// Whatever an argument fails with, such as a division by zero.
    pub(crate) fn update(&mut self, rows: &Rows) -> Result<u64, SqlError> {
        let mut columns = self.group_columns(&rows.batch)?;
        let late = self.late(&columns, rows)?;
        let kept;
        let (rows, late_count) = match late {
            None => (rows, 0),
            Some(late) => {
                let keep = arrow::compute::not(&late)?;
                kept = rows.filter(&keep)?;
                columns = self.group_columns(&kept.batch)?;
                (&kept, late.true_count() as u64)
            }
        };
        if rows.is_empty() {
            return Ok(late_count);
        }
        let total = match &mut self.groups {
            None => {
                self.indices.clear();
                self.indices.resize(rows.len(), 0);
                1
            }
            Some(groups) => {
                groups.intern(&columns, &mut self.indices)?;
                groups.len()
            }
        };
        self.timestamps.resize(total, i64::MIN);
        for (group, timestamp) in self.indices.iter().zip(rows.timestamps.iter()) {
            if let Some(greatest) = self.timestamps.get_mut(*group) {
                *greatest = (*greatest).max(*timestamp);
            }
        }
        let plan = Arc::clone(&self.plan);
        for ((aggregate, filter), accumulator) in plan
            .aggregates
            .iter()
            .zip(&plan.filters)
            .zip(&mut self.accumulators)
        {
            let arguments = aggregate
                .expressions()
                .iter()
                .map(|e| e.evaluate(&rows.batch)?.into_array(rows.len()))
                .collect::<DataFusionResult<Vec<_>>>()?;
            let filter = filter
                .as_ref()
                .map(|f| evaluate_mask(f, &rows.batch))
                .transpose()?;
            accumulator.update_batch(&arguments, &self.indices, filter.as_ref(), total)?;
        }
        Ok(late_count)
    }

    /// Greatest event time seen, where a watermark follows it.
    pub(crate) fn observed(&self) -> Option<i64> {
        (self.plan.window.is_some() && self.observed > i64::MIN).then_some(self.observed)
    }

    /// Whether so many groups are pending that a flush should not wait for the commit.
    pub(crate) fn is_full(&self) -> bool {
        self.timestamps.len() >= MAX_GROUPS
    }

    /// Folds what is pending into `state` and returns the new result of every touched group.
    ///
    /// # Errors
    /// A stored row that cannot be read, or whatever an aggregate fails with (an overflow).
    pub(crate) fn flush(&mut self, state: &mut dyn State) -> Result<Option<Rows>, SqlError> {
        let total = self.timestamps.len();
        if total == 0 {
            return Ok(None);
        }
        let groups = match &mut self.groups {
            None => Vec::new(),
            Some(groups) => groups.emit(EmitTo::All)?,
        };
        let mut timestamps = std::mem::take(&mut self.timestamps);
        let fresh = self
            .accumulators
            .iter_mut()
            .map(|a| a.state(EmitTo::All))
            .collect::<DataFusionResult<Vec<_>>>()?;
        self.groups = self.plan.group_values()?;
        self.accumulators = self.plan.accumulators()?;

        let encoder = KeyEncoder::new(&groups)?;
        let mut keys = Vec::with_capacity(total);
        let mut stored = self.plan.state.decoder(total);
        let mut stored_groups = Vec::new();
        for group in 0..total {
            self.key.clear();
            encoder.encode(group, &mut self.key);
            let key = Bytes::copy_from_slice(&self.key);
            if let Some(value) = state.get(&key)? {
                stored.push(&value)?;
                stored_groups.push(group);
            }
            keys.push(key);
        }
        drop(encoder);
        let stored = stored.finish()?;
        let before = stored.column(0).as_primitive::<Int64Type>();
        for (group, timestamp) in stored_groups.iter().zip(before.values()) {
            if let Some(greatest) = timestamps.get_mut(*group) {
                *greatest = (*greatest).max(*timestamp);
            }
        }
        let (merged, results) = self.merge(&fresh, &stored, &stored_groups, total)?;

        let mut row: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(timestamps.clone()))];
        row.extend(merged);
        let encoder = self.plan.state.encoder(&row);
        for (group, (key, timestamp)) in keys.into_iter().zip(&timestamps).enumerate() {
            let mut value = Vec::new();
            encoder.encode(group, &mut value);
            state.put(key, Some(value.into()), *timestamp)?;
        }
        let columns = groups.into_iter().chain(results).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(total));
        Ok(Some(Rows {
            batch: RecordBatch::try_new_with_options(self.plan.schema.clone(), columns, &options)?,
            timestamps: timestamps.into(),
            kinds: Kinds::Upsert(BooleanBuffer::new_set(total)),
        }))
    }

    /// The merged states of all aggregates one after another, and the results.
    ///
    /// Accumulators take every group that first falls below the given total to be among the rows of
    /// that call: those that do not track nulls row by row would make up a value for the others.
    /// So the stored groups are numbered first.
    fn merge(
        &self,
        fresh: &[Vec<ArrayRef>],
        stored: &RecordBatch,
        stored_groups: &[usize],
        total: usize,
    ) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>), SqlError> {
        let all: Vec<usize> = (0..total).collect();
        let first: Vec<usize> = (0..stored_groups.len()).collect();
        let slots = stored_first(stored_groups, total);
        let by_group = UInt64Array::from_iter_values(slots.iter().map(|slot| *slot as u64));
        let mut states = Vec::with_capacity(stored.num_columns());
        let mut results = Vec::with_capacity(fresh.len());
        let mut merging = self.plan.accumulators()?;
        let mut evaluating = self.plan.accumulators()?;
        // The first column of the stored rows is the timestamp.
        let mut column = 1;
        for ((merge, evaluate), fresh) in merging.iter_mut().zip(&mut evaluating).zip(fresh) {
            let old = stored
                .columns()
                .get(column..column + fresh.len())
                .unwrap_or_default();
            column += fresh.len();
            if !stored_groups.is_empty() {
                merge.merge_batch(old, &first, first.len())?;
            }
            merge.merge_batch(fresh, &slots, total)?;
            let state = take_arrays(&merge.state(EmitTo::All)?, &by_group, None)?;
            evaluate.merge_batch(&state, &all, total)?;
            results.push(evaluate.evaluate(EmitTo::All)?);
            states.extend(state);
        }
        Ok((states, results))
    }

    fn group_columns(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, SqlError> {
        self.plan
            .group
            .iter()
            .map(|e| Ok(canonical(e.evaluate(batch)?.into_array(batch.num_rows())?)))
            .collect()
    }

    /// Moves the watermark over `rows` one by one, as Kafka Streams does, and marks the late ones:
    /// those whose window ends at or before it.
    fn late(&mut self, groups: &[ArrayRef], rows: &Rows) -> Result<Option<BooleanArray>, SqlError> {
        let Some((window, bounds)) = self
            .plan
            .window
            .as_ref()
            .and_then(|w| groups.get(w.group).map(|g| (w, g)))
        else {
            return Ok(None);
        };
        let bounds = cast(bounds, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
        let bounds = bounds.as_primitive::<TimestampMillisecondType>();
        let mut any = false;
        let late: BooleanArray = rows
            .timestamps
            .iter()
            .enumerate()
            .map(|(row, timestamp)| {
                self.observed = self.observed.max(*timestamp);
                let end = bounds.value(row).saturating_add(window.to_end);
                let late =
                    bounds.is_valid(row) && end <= self.observed.saturating_sub(window.delay);
                any |= late;
                Some(late)
            })
            .collect();
        Ok(any.then_some(late))
    }
}

/// A number for each of `total` groups: the `stored` ones, which ascend, come first and in order.
fn stored_first(stored: &[usize], total: usize) -> Vec<usize> {
    let mut next_stored = 0;
    (0..total)
        .map(|group| {
            if stored.get(next_stored) == Some(&group) {
                next_stored += 1;
                next_stored - 1
            } else {
                stored.len() + group - next_stored
            }
        })
        .collect()
}
