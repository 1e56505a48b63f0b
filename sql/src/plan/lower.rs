//! The optimised logical plan to operators.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column as PhysicalColumn;

use super::continuous::{ContinuousQuery, Node, OutputKey};
use super::expressions::{physical, refuse_volatile};
use super::time::{TimeProperty, property};
use super::{aggregate, join};
use crate::SqlError;
use crate::catalog::{Catalog, Relation};
use crate::format::{KeyFormat, KeyWriter};
use crate::ops::{Calc, Sink};

/// What lowering needs besides the plan.
pub(super) struct Scope<'a> {
    pub(super) catalog: &'a Catalog,
    /// The record's fields that are columns of the relations.
    pub(super) pseudo: &'a BTreeSet<&'static str>,
    /// Whether tables and views may be read as the stream of their changes.
    pub(super) reads_changes: bool,
}

/// Part of a plan, lowered.
pub(super) struct Lowered {
    pub(super) node: Node,
    /// The columns that the plan above sees. Positions are those of the rows.
    pub(super) schema: DFSchemaRef,
    /// Columns behind those: of the key, where the query does not select them.
    pub(super) hidden: Vec<FieldRef>,
    /// What each visible column has to do with event time.
    pub(super) time: Vec<Option<TimeProperty>>,
    /// Name and position of each key column, if rows replace one another.
    pub(super) key: Option<Vec<(String, usize)>>,
    /// Delay of the watermark, ms.
    pub(super) delay: Option<i64>,
    pub(super) single_partition: Vec<Arc<Relation>>,
}

/// Lowers the optimised `plan` of a continuous query; `unoptimised` is the same before.
///
/// # Errors
/// [`SqlError::Unsupported`] with what cannot be kept up to date, and why.
pub(crate) fn lower(
    unoptimised: &LogicalPlan,
    plan: &LogicalPlan,
    catalog: &Catalog,
    pseudo: &BTreeSet<&'static str>,
    reads_changes: bool,
) -> Result<ContinuousQuery, SqlError> {
    refuse_volatile(unoptimised)?;
    let lowered = lower_node(
        plan,
        &Scope {
            catalog,
            pseudo,
            reads_changes,
        },
    )?;
    // The optimiser may rename what it computes; the user's names are those of the plan before.
    let names = unoptimised
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone());
    let fields: Vec<Field> = lowered
        .schema
        .fields()
        .iter()
        .zip(names)
        .map(|(f, name)| f.as_ref().clone().with_name(name))
        .collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = fields.iter().find(|f| !seen.insert(f.name().as_str())) {
        return Err(SqlError::InvalidDefinition(format!(
            "two columns are named {}; give one of them another name with AS",
            twice.name()
        )));
    }
    let visible = fields.len();
    let mut key_positions = None;
    let mut key = None;
    if let Some(columns) = &lowered.key {
        let names: Vec<String> = columns
            .iter()
            .map(|(name, i)| {
                fields
                    .get(*i)
                    .map_or_else(|| name.clone(), |f| f.name().clone())
            })
            .collect();
        let writer = KeyWriter::new(KeyFormat::Json, names.clone())?;
        key_positions = Some((columns.iter().map(|(_, i)| *i).collect(), writer));
        key = Some(OutputKey {
            names,
            is_visible: columns.iter().all(|(_, i)| *i < visible),
        });
    }
    let schema = Arc::new(Schema::new(fields));
    Ok(ContinuousQuery {
        node: rename(lowered.node, &schema, &lowered.hidden),
        sink: Arc::new(Sink {
            columns: visible,
            key: key_positions,
        }),
        schema,
        key,
        single_partition: lowered.single_partition,
    })
}

/// Gives the rows the names of the result.
fn rename(node: Node, schema: &SchemaRef, hidden: &[FieldRef]) -> Node {
    let columns = schema
        .fields()
        .iter()
        .chain(hidden)
        .enumerate()
        .map(|(i, f)| Arc::new(PhysicalColumn::new(f.name(), i)) as Arc<dyn PhysicalExpr>);
    let columns = columns.collect();
    let fields: Vec<FieldRef> = schema.fields().iter().chain(hidden).cloned().collect();
    let schema = Arc::new(Schema::new(fields));
    match node {
        Node::Calc { input, calc } => {
            let columns = Some(calc.columns.clone().unwrap_or(columns));
            let predicate = calc.predicate.clone();
            Node::Calc {
                input,
                calc: Arc::new(Calc {
                    predicate,
                    columns,
                    schema,
                }),
            }
        }
        other => Node::Calc {
            input: Box::new(other),
            calc: Arc::new(Calc {
                predicate: None,
                columns: Some(columns),
                schema,
            }),
        },
    }
}

pub(super) fn lower_node(plan: &LogicalPlan, scope: &Scope<'_>) -> Result<Lowered, SqlError> {
    match plan {
        LogicalPlan::TableScan(scan) => lower_scan(scan, scope),
        LogicalPlan::SubqueryAlias(alias) => {
            let input = lower_node(&alias.input, scope)?;
            Ok(Lowered {
                schema: Arc::clone(&alias.schema),
                ..input
            })
        }
        LogicalPlan::Filter(filter) => {
            let input = lower_node(&filter.input, scope)?;
            push_filter(input, &filter.predicate)
        }
        LogicalPlan::Projection(projection) => {
            let input = lower_node(&projection.input, scope)?;
            push_projection(input, &projection.expr, &projection.schema)
        }
        LogicalPlan::Join(join) => join::lower_join(join, scope),
        LogicalPlan::Aggregate(aggregate) => {
            aggregate::lower_aggregate(aggregate, lower_node(&aggregate.input, scope)?)
        }
        other => Err(refusal(other)),
    }
}

fn refusal(plan: &LogicalPlan) -> SqlError {
    SqlError::Unsupported(match plan {
        LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
            "ORDER BY and LIMIT in a continuous query; put them to the query on the view".to_owned()
        }
        LogicalPlan::Window(_) => "OVER in a continuous query".to_owned(),
        LogicalPlan::Union(_) => "UNION in a continuous query".to_owned(),
        LogicalPlan::Subquery(_) => {
            "subqueries in the expressions of a continuous query".to_owned()
        }
        LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
            "a continuous query that reads no stream, or whose condition is never true".to_owned()
        }
        other => format!("{} in a continuous query", other.display()),
    })
}

fn lower_scan(scan: &TableScan, scope: &Scope<'_>) -> Result<Lowered, SqlError> {
    let relation = scope.catalog.get(scan.table_name.table())?;
    if !relation.kind.is_append_only() && !scope.reads_changes {
        return Err(SqlError::Unsupported(format!(
            "{} {} as the input of a continuous query: its rows change, and taking back what they \
             gave is not served yet; read a stream, and join the {0} to it",
            relation.kind, relation.name
        )));
    }
    let total = relation.schema(scope.pseudo).fields().len();
    let wanted: Vec<usize> = scan
        .projection
        .clone()
        .unwrap_or_else(|| (0..total).collect());
    let plan = relation.scan(scope.pseudo, &wanted);
    let event_column = relation.watermark.as_ref().map(|w| w.column.as_str());
    let time = plan
        .schema
        .fields()
        .iter()
        .map(|f| (Some(f.name().as_str()) == event_column).then_some(TimeProperty::Event))
        .collect();
    let mut lowered = Lowered {
        node: Node::Scan {
            relation: Arc::clone(relation),
            plan: Arc::new(plan),
        },
        schema: Arc::clone(&scan.projected_schema),
        hidden: Vec::new(),
        time,
        key: None,
        delay: relation.watermark.as_ref().map(|w| w.delay),
        single_partition: Vec::new(),
    };
    if scan.fetch.is_some() {
        return Err(SqlError::Unsupported(
            "LIMIT in a continuous query".to_owned(),
        ));
    }
    for filter in &scan.filters {
        lowered = push_filter(lowered, filter)?;
    }
    Ok(lowered)
}

/// Schema of the rows: the visible columns and those behind.
pub(super) fn row_schema(schema: &DFSchema, hidden: &[FieldRef]) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().chain(hidden).cloned().collect();
    Arc::new(Schema::new(fields))
}

pub(super) fn push_filter(input: Lowered, predicate: &Expr) -> Result<Lowered, SqlError> {
    let predicate = physical(predicate, &input.schema)?;
    let schema = row_schema(&input.schema, &input.hidden);
    let calc = Arc::new(Calc {
        predicate: Some(predicate),
        columns: None,
        schema,
    });
    Ok(Lowered {
        node: Node::Calc {
            input: Box::new(input.node),
            calc,
        },
        ..input
    })
}

fn push_projection(
    input: Lowered,
    exprs: &[Expr],
    schema: &DFSchemaRef,
) -> Result<Lowered, SqlError> {
    let mut columns = exprs
        .iter()
        .map(|e| physical(e, &input.schema))
        .collect::<Result<Vec<_>, _>>()?;
    let time = exprs
        .iter()
        .map(|e| property(e, &input.schema, &input.time))
        .collect();
    let before = row_schema(&input.schema, &input.hidden);
    let mut hidden = Vec::new();
    let mut key = None;
    if let Some(columns_of_key) = &input.key {
        let mut moved = Vec::with_capacity(columns_of_key.len());
        for (name, old) in columns_of_key {
            let selected = columns
                .iter()
                .take(exprs.len())
                .position(|c| is_column(c, *old));
            let new = selected.unwrap_or_else(|| {
                columns.push(Arc::new(PhysicalColumn::new(name, *old)));
                hidden.extend(before.fields().get(*old).cloned());
                columns.len() - 1
            });
            moved.push((name.clone(), new));
        }
        key = Some(moved);
    }
    let rows = row_schema(schema, &hidden);
    let node = match input.node {
        // A filter right below becomes part of the same step.
        Node::Calc { input, calc } if calc.columns.is_none() => {
            let predicate = calc.predicate.clone();
            let calc = Calc {
                predicate,
                columns: Some(columns),
                schema: rows,
            };
            Node::Calc {
                input,
                calc: Arc::new(calc),
            }
        }
        other => Node::Calc {
            input: Box::new(other),
            calc: Arc::new(Calc {
                predicate: None,
                columns: Some(columns),
                schema: rows,
            }),
        },
    };
    Ok(Lowered {
        node,
        schema: Arc::clone(schema),
        hidden,
        time,
        key,
        ..input
    })
}

fn is_column(expr: &Arc<dyn PhysicalExpr>, index: usize) -> bool {
    expr.downcast_ref::<PhysicalColumn>()
        .is_some_and(|c| c.index() == index)
}
