//! Logical expressions to physical ones.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use crate::SqlError;

/// `expr` over rows of `schema`.
pub(super) fn physical(expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>, SqlError> {
    // Without a start time of the query, since a continuous one has none that a restart would keep.
    let props = ExecutionProps::new();
    Ok(create_physical_expr(
        expr,
        schema,
        &props,
        &PhysicalPlanningContext::default(),
    )?)
}

/// Refuses functions whose value is not fixed by their arguments: after a restart the same rows
/// must give the same result.
pub(super) fn refuse_volatile(plan: &LogicalPlan) -> Result<(), SqlError> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let Expr::ScalarFunction(call) = e
                    && call.func.signature().volatility != Volatility::Immutable
                {
                    found.get_or_insert_with(|| call.func.name().to_owned());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    match found {
        None => Ok(()),
        Some(name) => Err(SqlError::Unsupported(format!(
            "{name}() in a continuous query: after a restart it would give another value for the \
             same rows; use _timestamp or a column of the stream"
        ))),
    }
}
