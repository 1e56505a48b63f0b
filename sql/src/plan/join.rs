//! Lowering of stream-table joins.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DFSchemaRef, JoinType, NullEquality};
use datafusion::logical_expr::{Expr, Join, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column as PhysicalColumn, try_cast};

use super::continuous::Node;
use super::expressions::physical;
use super::lower::{Lowered, Scope, lower_node, row_schema};
use crate::SqlError;
use crate::catalog::{Relation, RelationKind};
use crate::codec::{KeyEncoder, RowCodec};
use crate::format::KeyWriter;
use crate::ops::{Calc, JoinKind, JoinPlan, ScanPlan, Shuffle, ShuffleKey, TableSide};

/// The table's side of the plan, lowered.
struct TablePlan {
    relation: Arc<Relation>,
    scan: ScanPlan,
    /// Positions of the primary key in the scan's schema.
    key: Vec<usize>,
    steps: Vec<Calc>,
    schema: DFSchemaRef,
    /// For each column the scan's column it is, if it is one unchanged.
    trace: Vec<Option<usize>>,
}

pub(super) fn lower_join(join: &Join, scope: &Scope<'_>) -> Result<Lowered, SqlError> {
    let left_table = table_of(&join.left, scope);
    let right_table = table_of(&join.right, scope);
    let is_stream_left = match (&left_table, &right_table) {
        (None, Some(_)) => true,
        (Some(_), None) => false,
        (Some(_), Some(_)) => {
            return Err(unsupported("a join of two tables in a continuous query"));
        }
        (None, None) => {
            return Err(unsupported(
                "a join of two streams; one side must be a table or a view with a key",
            ));
        }
    };
    let kind = match (join.join_type, is_stream_left) {
        (JoinType::Inner, _) => JoinKind::Inner,
        (JoinType::Left, true) | (JoinType::Right, false) => JoinKind::Left,
        (other, _) => {
            return Err(unsupported(&format!(
                "{other} join of a stream and a table; there are the inner join and the one that \
                 keeps every row of the stream"
            )));
        }
    };
    if join.null_equality == NullEquality::NullEqualsNull {
        return Err(unsupported(
            "IS NOT DISTINCT FROM as a join condition of a continuous query",
        ));
    }
    let (stream, table) = if is_stream_left {
        (&join.left, &join.right)
    } else {
        (&join.right, &join.left)
    };
    let stream = lower_node(stream, scope)?;
    if stream.key.is_some() {
        return Err(unsupported(
            "a join with the results of an aggregate: they change, and taking back what they gave \
             is not served yet; make a view of the aggregate and join that as the table",
        ));
    }
    let table = lower_table(table, scope)?;
    build(join, kind, is_stream_left, stream, table)
}

fn build(
    join: &Join,
    kind: JoinKind,
    is_stream_left: bool,
    stream: Lowered,
    table: TablePlan,
) -> Result<Lowered, SqlError> {
    let rows = row_schema(&stream.schema, &stream.hidden);
    let mut pairs: Vec<(&Expr, &Expr)> = join
        .on
        .iter()
        .map(|(left, right)| {
            if is_stream_left {
                (left, right)
            } else {
                (right, left)
            }
        })
        .collect();
    let mut stream_key: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
    for (position, name) in table.key.iter().zip(&table.relation.key) {
        let key_type = table.scan.schema.field(*position).data_type();
        if !KeyEncoder::supports(key_type) {
            return Err(unsupported(&format!("a join on {name} of type {key_type}")));
        }
        let found = pairs.iter().position(|(stream_side, table_side)| {
            is_key_column(table_side, &table, *position)
                && stream_side
                    .get_type_of(&stream)
                    .is_some_and(|t| is_exact_cast(&t, key_type))
        });
        let Some(found) = found else {
            return Err(unsupported(&format!(
                "a join with {0} that does not equate its whole primary key ({1}) with columns of \
                 the stream of the same type: nothing equals {name}",
                table.relation.name,
                table.relation.key.join(", "),
            )));
        };
        let (stream_side, _) = pairs.remove(found);
        let expr = physical(strip_cast(stream_side), &stream.schema)?;
        let is_same = expr.data_type(&rows)? == *key_type;
        stream_key.push(if is_same {
            expr
        } else {
            try_cast(expr, &rows, key_type.clone())?
        });
    }
    let rest = pairs
        .into_iter()
        .map(|(a, b)| a.clone().eq(b.clone()))
        .chain(join.filter.clone())
        .reduce(Expr::and);
    let residual = rest.map(|e| physical(&e, &join.schema)).transpose()?;

    let key_writer = match table.relation.key_format {
        Some(format) => Some(KeyWriter::new(format, table.relation.key.clone())?),
        None => None,
    };
    let shuffle = Shuffle {
        key: stream_key.clone(),
        key_form: key_writer
            .clone()
            .map_or(ShuffleKey::Encoded, ShuffleKey::Table),
        drops_null_keys: kind == JoinKind::Inner,
        codec: RowCodec::new(Arc::clone(&rows))?,
    };
    let nothing = vec![None; table.schema.fields().len()];
    let time = if is_stream_left {
        stream.time.into_iter().chain(nothing).collect()
    } else {
        nothing.into_iter().chain(stream.time).collect()
    };
    let mut single_partition = stream.single_partition;
    if key_writer.is_none() {
        single_partition.push(Arc::clone(&table.relation));
    }
    // Before the unmatched rows are left out, every column of the table may be null.
    let fields: Vec<Field> = join
        .schema
        .fields()
        .iter()
        .map(|f| f.as_ref().clone().with_nullable(true))
        .collect();
    let plan = JoinPlan {
        kind,
        table: TableSide {
            name: table.relation.name.clone(),
            topic: table.relation.topic.clone(),
            codec: RowCodec::new(Arc::clone(&table.scan.schema))?,
            scan: table.scan,
            key: table.key,
            key_writer,
            steps: table.steps,
        },
        stream_key,
        residual,
        is_stream_left,
        schema: Arc::new(Schema::new(fields)),
    };
    Ok(Lowered {
        node: Node::Join {
            input: Box::new(stream.node),
            shuffle: Arc::new(shuffle),
            table: table.relation,
            plan: Arc::new(plan),
        },
        schema: Arc::clone(&join.schema),
        hidden: Vec::new(),
        time,
        key: None,
        delay: stream.delay,
        single_partition,
    })
}

/// The table or keyed view that a plan reads and nothing else.
fn table_of<'a>(plan: &LogicalPlan, scope: &Scope<'a>) -> Option<&'a Arc<Relation>> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let relation = scope.catalog.find(scan.table_name.table())?;
            matches!(relation.kind, RelationKind::Table | RelationKind::View).then_some(relation)
        }
        LogicalPlan::SubqueryAlias(alias) => table_of(&alias.input, scope),
        LogicalPlan::Filter(filter) => table_of(&filter.input, scope),
        LogicalPlan::Projection(projection) => table_of(&projection.input, scope),
        _ => None,
    }
}

fn lower_table(plan: &LogicalPlan, scope: &Scope<'_>) -> Result<TablePlan, SqlError> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let relation = scope.catalog.get(scan.table_name.table())?;
            if relation.key.is_empty() {
                return Err(unsupported(&format!(
                    "a join with {}: its key is not among its columns",
                    relation.name
                )));
            }
            let whole = relation.schema(scope.pseudo);
            let mut wanted: Vec<usize> = scan
                .projection
                .clone()
                .unwrap_or_else(|| (0..whole.fields().len()).collect());
            let visible = wanted.len();
            let mut key = Vec::with_capacity(relation.key.len());
            for name in &relation.key {
                let column = whole.index_of(name)?;
                let known = wanted.iter().position(|w| *w == column);
                key.push(known.unwrap_or_else(|| {
                    wanted.push(column);
                    wanted.len() - 1
                }));
            }
            let mut table = TablePlan {
                relation: Arc::clone(relation),
                scan: relation.scan(scope.pseudo, &wanted),
                key,
                steps: Vec::new(),
                schema: Arc::clone(&scan.projected_schema),
                trace: (0..visible).map(Some).collect(),
            };
            for filter in &scan.filters {
                push_table_filter(&mut table, filter)?;
            }
            if wanted.len() > visible {
                let schema = Arc::clone(&table.schema);
                let columns = schema
                    .fields()
                    .iter()
                    .enumerate()
                    .map(|(i, f)| {
                        Arc::new(PhysicalColumn::new(f.name(), i)) as Arc<dyn PhysicalExpr>
                    })
                    .collect();
                table.steps.push(Calc {
                    predicate: None,
                    columns: Some(columns),
                    schema: row_schema(&schema, &[]),
                });
            }
            Ok(table)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let table = lower_table(&alias.input, scope)?;
            Ok(TablePlan {
                schema: Arc::clone(&alias.schema),
                ..table
            })
        }
        LogicalPlan::Filter(filter) => {
            let mut table = lower_table(&filter.input, scope)?;
            push_table_filter(&mut table, &filter.predicate)?;
            Ok(table)
        }
        LogicalPlan::Projection(projection) => {
            let mut table = lower_table(&projection.input, scope)?;
            let columns = projection
                .expr
                .iter()
                .map(|e| physical(e, &table.schema))
                .collect::<Result<Vec<_>, _>>()?;
            let trace = projection.expr.iter().map(|e| traced(e, &table)).collect();
            table.trace = trace;
            table.steps.push(Calc {
                predicate: None,
                columns: Some(columns),
                schema: row_schema(&projection.schema, &[]),
            });
            Ok(TablePlan {
                schema: Arc::clone(&projection.schema),
                ..table
            })
        }
        other => Err(unsupported(&format!(
            "{} on a joined table",
            other.display()
        ))),
    }
}

fn push_table_filter(table: &mut TablePlan, predicate: &Expr) -> Result<(), SqlError> {
    let predicate = Some(physical(predicate, &table.schema)?);
    let schema = row_schema(&table.schema, &[]);
    table.steps.push(Calc {
        predicate,
        columns: None,
        schema,
    });
    Ok(())
}

fn traced(expr: &Expr, table: &TablePlan) -> Option<usize> {
    match expr {
        Expr::Column(column) => {
            let index = table.schema.index_of_column(column).ok()?;
            table.trace.get(index).copied().flatten()
        }
        Expr::Alias(alias) => traced(&alias.expr, table),
        _ => None,
    }
}

/// Whether `expr` is the table's column at `position`, perhaps under a cast that the comparison
/// put there and that loses nothing.
fn is_key_column(expr: &Expr, table: &TablePlan, position: usize) -> bool {
    match expr {
        Expr::Cast(cast) => {
            let from = table.scan.schema.field(position).data_type();
            is_exact_cast(from, cast.field.data_type())
                && is_key_column(&cast.expr, table, position)
        }
        other => traced(other, table) == Some(position),
    }
}

fn strip_cast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => match cast.expr.as_ref() {
            column @ Expr::Column(_) => column,
            _ => expr,
        },
        other => other,
    }
}

/// Whether equality survives a cast from `from` to `to`, given that a value that does not fit
/// becomes null and matches nothing.
fn is_exact_cast(from: &DataType, to: &DataType) -> bool {
    let is_text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::Utf8View);
    from == to || (from.is_integer() && to.is_integer()) || (is_text(from) && is_text(to))
}

trait TypeOf {
    fn get_type_of(&self, stream: &Lowered) -> Option<DataType>;
}

impl TypeOf for Expr {
    fn get_type_of(&self, stream: &Lowered) -> Option<DataType> {
        use datafusion::logical_expr::ExprSchemable;
        strip_cast(self).get_type(&stream.schema).ok()
    }
}

fn unsupported(what: &str) -> SqlError {
    SqlError::Unsupported(what.to_owned())
}
