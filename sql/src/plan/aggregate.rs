//! Lowering of GROUP BY.

use std::sync::Arc;

use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Aggregate, Expr};
use datafusion::physical_expr::aggregate::LoweredAggregateBuilder;

use super::continuous::Node;
use super::expressions::physical;
use super::lower::{Lowered, row_schema};
use super::time::{TimeProperty, property};
use crate::SqlError;
use crate::codec::RowCodec;
use crate::ops::{AggregatePlan, Shuffle, ShuffleKey, WindowBound};

pub(super) fn lower_aggregate(aggregate: &Aggregate, input: Lowered) -> Result<Lowered, SqlError> {
    if input.key.is_some() {
        return Err(SqlError::Unsupported(
            "an aggregate over the results of another in one continuous query: the inner results \
             change, and taking back what they gave is not served yet"
                .to_owned(),
        ));
    }
    if aggregate
        .group_expr
        .iter()
        .any(|e| matches!(e, Expr::GroupingSet(_)))
    {
        return Err(SqlError::Unsupported(
            "GROUPING SETS, ROLLUP and CUBE in a continuous query".to_owned(),
        ));
    }
    let rows = row_schema(&input.schema, &input.hidden);
    let group = aggregate
        .group_expr
        .iter()
        .map(|e| physical(e, &input.schema))
        .collect::<Result<Vec<_>, _>>()?;
    let props = ExecutionProps::new();
    let context = PhysicalPlanningContext::default();
    let mut aggregates = Vec::with_capacity(aggregate.aggr_expr.len());
    let mut filters = Vec::with_capacity(aggregate.aggr_expr.len());
    for expr in &aggregate.aggr_expr {
        let built =
            LoweredAggregateBuilder::new(expr, &input.schema, &rows, &props, &context).build()?;
        aggregates.push(built.aggregate);
        filters.push(built.filter);
    }
    let time: Vec<Option<TimeProperty>> = aggregate
        .group_expr
        .iter()
        .map(|e| property(e, &input.schema, &input.time))
        .collect();
    let window = window_bound(&time, input.delay);
    let plan = AggregatePlan::new(
        group.clone(),
        aggregates,
        filters,
        Arc::clone(aggregate.schema.inner()),
        window,
    )?;
    let shuffle = Shuffle {
        key: group,
        key_form: ShuffleKey::Encoded,
        drops_null_keys: false,
        codec: RowCodec::new(rows)?,
    };
    let key = aggregate
        .schema
        .fields()
        .iter()
        .take(aggregate.group_expr.len())
        .enumerate()
        .map(|(i, f)| (f.name().clone(), i))
        .collect();
    let results = vec![None; aggregate.aggr_expr.len()];
    Ok(Lowered {
        node: Node::Aggregate {
            input: Box::new(input.node),
            shuffle: Arc::new(shuffle),
            plan: Arc::new(plan),
        },
        schema: Arc::clone(&aggregate.schema),
        hidden: Vec::new(),
        // A result is no event: what is grouped again would need its own time.
        time: time.into_iter().map(|_| None).chain(results).collect(),
        key: Some(key),
        delay: input.delay,
        single_partition: input.single_partition,
    })
}

fn window_bound(time: &[Option<TimeProperty>], delay: Option<i64>) -> Option<WindowBound> {
    let delay = delay?;
    time.iter().enumerate().find_map(|(group, property)| {
        let to_end = match property {
            Some(TimeProperty::Start(window)) => window.length,
            Some(TimeProperty::End) => 0,
            // Grouped by the instant itself: its window ends right behind it.
            Some(TimeProperty::Event) => 1,
            None => return None,
        };
        Some(WindowBound {
            group,
            to_end,
            delay,
        })
    })
}
