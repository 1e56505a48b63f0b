//! DataFusion as parser's successor: binding, optimising, and plans of batch queries.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::CatalogProviderList;
use datafusion::catalog::memory::{MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProviderList, SchemaProvider, Session};
use datafusion::common::{DFSchema, not_impl_err};
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::Optimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement as DataFusionStatement;
use datafusion::sql::sqlparser::ast;

use super::continuous::ContinuousQuery;
use super::lower::lower;
use super::time::scalar_millis;
use crate::SqlError;
use crate::catalog::{Catalog, Relation};
use crate::dialect::{Mentions, rewrite};

/// Catalogue and schema under which queries find the relations.
const CATALOG: &str = "headwater";
const SCHEMA: &str = "public";

/// Binding and optimising recurse over expressions, with large frames in unoptimised builds.
const STACK_BYTES: usize = 16 << 20;

/// Rules that would double state, merge branches, or push down what a stream does not have.
const RULES_NOT_FOR_STREAMS: [&str; 3] = [
    "single_distinct_aggregation_to_group_by",
    "push_down_limit",
    "unions_to_filter",
];

/// Plans statements. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Planner {
    base: Arc<SessionState>,
    continuous: Arc<SessionState>,
}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planner")
    }
}

impl Planner {
    /// A planner with DataFusion's functions.
    pub(crate) fn new() -> Self {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true);
        // Text arrives as Utf8 from JSON; views of strings would cast every batch.
        config.options_mut().sql_parser.map_string_types_to_utf8view = false;
        let base = SessionStateBuilder::new()
            .with_config(config.clone())
            .with_default_features()
            .build();
        let rules = Optimizer::new()
            .rules
            .into_iter()
            .filter(|rule| !RULES_NOT_FOR_STREAMS.contains(&rule.name()))
            .collect();
        let continuous = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_optimizer_rules(rules)
            .build();
        Self {
            base: Arc::new(base),
            continuous: Arc::new(continuous),
        }
    }

    /// Context of executions of batch plans.
    pub(crate) fn task_context(&self) -> Arc<TaskContext> {
        self.base.task_ctx()
    }

    /// Plans a continuous query.
    ///
    /// # Errors
    /// What binding refuses, and [`SqlError::Unsupported`] for what cannot be kept up to date.
    pub(crate) async fn continuous(
        &self,
        catalog: &Catalog,
        mut query: ast::Query,
        reads_changes: bool,
    ) -> Result<ContinuousQuery, SqlError> {
        let mentions = rewrite(&mut query)?;
        let state = Arc::clone(&self.continuous);
        let catalog = catalog.clone();
        on_large_stack(move || {
            let tables = catalog.iter().map(|relation| {
                let table = DeclaredTable {
                    schema: relation.schema(&mentions.pseudo_columns),
                };
                (
                    relation.name.clone(),
                    Arc::new(table) as Arc<dyn TableProvider>,
                )
            });
            let state = with_tables(&state, tables)?;
            let statement = ast::Statement::Query(Box::new(query));
            let plan = bind(&state, statement)?;
            let optimised = state.optimize(&plan)?;
            lower(
                &plan,
                &optimised,
                &catalog,
                &mentions.pseudo_columns,
                reads_changes,
            )
        })
        .await
    }

    /// Plans a batch statement over `tables`.
    ///
    /// # Errors
    /// What DataFusion refuses.
    pub(crate) async fn batch(
        &self,
        statement: ast::Statement,
        tables: Vec<(String, Arc<dyn TableProvider>)>,
    ) -> Result<Arc<dyn ExecutionPlan>, SqlError> {
        let state = Arc::clone(&self.base);
        on_large_stack(move || {
            let mut state = with_tables(&state, tables)?;
            // What `now()` gives in this statement.
            state.mark_start_execution();
            let plan = bind(&state, statement)?;
            refuse_writes(&plan)?;
            Ok(futures::executor::block_on(
                state.create_physical_plan(&plan),
            )?)
        })
        .await
    }

    /// Names and types of a batch statement's result, and the types of its `$n` parameters.
    ///
    /// # Errors
    /// What DataFusion refuses.
    pub(crate) async fn describe(
        &self,
        statement: ast::Statement,
        tables: Vec<(String, Arc<dyn TableProvider>)>,
    ) -> Result<(SchemaRef, Vec<(String, Option<arrow::datatypes::DataType>)>), SqlError> {
        let state = Arc::clone(&self.base);
        on_large_stack(move || {
            let state = with_tables(&state, tables)?;
            let plan = bind(&state, statement)?;
            let parameters = plan.get_parameter_types()?;
            let mut parameters: Vec<_> = parameters.into_iter().collect();
            parameters.sort_by_key(|(name, _)| {
                name.trim_start_matches('$')
                    .parse::<u32>()
                    .unwrap_or(u32::MAX)
            });
            Ok((Arc::clone(plan.schema().inner()), parameters))
        })
        .await
    }

    /// The relations that a batch statement reads.
    ///
    /// # Errors
    /// [`SqlError::UnknownRelation`] for one that does not exist.
    pub(crate) fn relations(
        &self,
        statement: &ast::Statement,
        catalog: &Catalog,
    ) -> Result<Vec<Arc<Relation>>, SqlError> {
        let wrapped = DataFusionStatement::Statement(Box::new(statement.clone()));
        let mut relations = Vec::new();
        for reference in self.base.resolve_table_references(&wrapped)? {
            let is_own = reference.schema().is_none_or(|s| s == SCHEMA);
            if !is_own || self.base.table_functions().contains_key(reference.table()) {
                continue;
            }
            relations.push(Arc::clone(catalog.get(reference.table())?));
        }
        Ok(relations)
    }
}

/// Prepares a batch statement: window functions become plain SQL.
///
/// # Errors
/// As [`rewrite`].
pub(crate) fn prepare(statement: &mut ast::Statement) -> Result<Mentions, SqlError> {
    rewrite(statement)
}

/// A constant interval without months, in ms.
///
/// # Errors
/// [`SqlError::InvalidDefinition`] for anything else.
pub(crate) fn interval_millis(expr: &ast::Expr) -> Result<i64, SqlError> {
    let refuse = || {
        SqlError::InvalidDefinition(format!(
            "{expr} is no interval of days or less, such as INTERVAL '5 seconds'"
        ))
    };
    if expr.to_string() == "0" {
        return Ok(0);
    }
    let state = SessionStateBuilder::new().build();
    let literal = state
        .create_logical_expr(&expr.to_string(), &DFSchema::empty())
        .map_err(|_| refuse())?;
    match &literal {
        Expr::Literal(value, _) => scalar_millis(value)
            .filter(|ms| *ms >= 0)
            .ok_or_else(refuse),
        _ => Err(refuse()),
    }
}

fn bind(state: &SessionState, statement: ast::Statement) -> Result<LogicalPlan, SqlError> {
    let statement = DataFusionStatement::Statement(Box::new(statement));
    // All tables are at hand, so this never waits.
    Ok(futures::executor::block_on(
        state.statement_to_plan(statement),
    )?)
}

fn refuse_writes(plan: &LogicalPlan) -> Result<(), SqlError> {
    match plan {
        LogicalPlan::Ddl(_) | LogicalPlan::Dml(_) | LogicalPlan::Copy(_) => {
            Err(SqlError::Unsupported(format!("{}", plan.display())))
        }
        _ => Ok(()),
    }
}

fn with_tables(
    state: &SessionState,
    tables: impl IntoIterator<Item = (String, Arc<dyn TableProvider>)>,
) -> Result<SessionState, SqlError> {
    let schema = MemorySchemaProvider::new();
    for (name, table) in tables {
        schema.register_table(name, table)?;
    }
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(schema))?;
    let list = MemoryCatalogProviderList::new();
    list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(SessionStateBuilder::new_from_existing(state.clone())
        .with_catalog_list(Arc::new(list))
        .build())
}

async fn on_large_stack<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SqlError> + Send + 'static,
) -> Result<T, SqlError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("sql-planner".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            // The statement may have been cancelled meanwhile.
            let _ = sender.send(work());
        })
        .map_err(|e| SqlError::Application(format!("cannot start a thread to plan on: {e}")))?;
    receiver
        .await
        .map_err(|_| SqlError::Application("the planner gave up on the statement".to_owned()))?
}

/// A relation as continuous queries are bound to it. Only its columns matter.
#[derive(Debug)]
struct DeclaredTable {
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for DeclaredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        not_impl_err!("a continuous query is not run by the batch engine")
    }
}
