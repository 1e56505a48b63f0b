//! Statements, one by one.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_plan::execute_stream;
use datafusion::sql::sqlparser::ast;
use futures::{StreamExt, TryStreamExt};

use super::result::{SqlResult, text_rows, text_schema};
use super::{SqlEngine, show};
use crate::SqlError;
use crate::catalog::{Relation, StoredStatement, partition_count};
use crate::dialect::{DropKind, RelationDefinition, Statement};
use crate::plan::{explain, interval_millis, prepare};

/// The column of `EXPLAIN`.
const EXPLAIN_COLUMNS: [&str; 1] = ["plan"];

/// Columns and parameters of a statement before it runs.
pub(crate) struct Description {
    pub(crate) schema: SchemaRef,
    /// Type of each `$n`, where it follows from the statement.
    pub(crate) parameters: Vec<Option<DataType>>,
}

impl SqlEngine {
    pub(crate) async fn run(
        &self,
        statement: Statement,
        text: &str,
    ) -> Result<SqlResult, SqlError> {
        match statement {
            Statement::CreateRelation(definition) => self.create_relation(&definition, text).await,
            Statement::CreateView {
                name,
                if_not_exists,
                options,
                query,
            } => {
                self.create_view(&name, if_not_exists, &options, *query, text)
                    .await
            }
            Statement::Drop {
                kind,
                name,
                if_exists,
            } => self.drop(kind, &name, if_exists).await,
            Statement::Show(kind) => Ok(SqlResult::batch("SHOW", show::show(self, kind).await?)),
            Statement::Describe(name) => {
                let catalog = self.catalog();
                Ok(SqlResult::batch(
                    "DESCRIBE",
                    show::describe(catalog.get(&name)?)?,
                ))
            }
            Statement::ExplainContinuous(query) => {
                let plan = self
                    .inner
                    .planner
                    .continuous(&self.catalog(), *query, true)
                    .await?;
                let lines: Vec<Vec<Option<String>>> = explain(&plan)
                    .lines()
                    .map(|l| vec![Some(l.to_owned())])
                    .collect();
                Ok(SqlResult::batch(
                    "EXPLAIN",
                    text_rows(&EXPLAIN_COLUMNS, &lines)?,
                ))
            }
            Statement::Push(query) => self.push(*query).await,
            Statement::Pull(statement) => self.pull(*statement).await,
            Statement::Set { .. }
            | Statement::ShowVariable(_)
            | Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::Reset(_) => Err(SqlError::Unsupported(
                "session statements outside a PostgreSQL connection".to_owned(),
            )),
        }
    }

    /// Columns and parameters of `statement`.
    pub(crate) async fn describe(&self, statement: &Statement) -> Result<Description, SqlError> {
        let schema = match statement {
            Statement::Pull(statement) => {
                let mut statement = statement.as_ref().clone();
                let tables = self.tables_of(&mut statement, false).await?;
                let (schema, parameters) = self.inner.planner.describe(statement, tables).await?;
                let parameters = parameters.into_iter().map(|(_, t)| t).collect();
                return Ok(Description { schema, parameters });
            }
            Statement::Push(query) => {
                let query = query.as_ref().clone();
                self.inner
                    .planner
                    .continuous(&self.catalog(), query, true)
                    .await?
                    .schema
            }
            Statement::ExplainContinuous(_) => text_schema(&EXPLAIN_COLUMNS),
            Statement::Show(kind) => text_schema(show::columns(*kind)),
            Statement::Describe(_) => text_schema(&show::DESCRIBE_COLUMNS),
            _ => text_schema(&[]),
        };
        Ok(Description {
            schema,
            parameters: Vec::new(),
        })
    }

    async fn pull(&self, mut statement: ast::Statement) -> Result<SqlResult, SqlError> {
        let tables = self.tables_of(&mut statement, true).await?;
        let tag = match &statement {
            ast::Statement::Explain { .. } => "EXPLAIN",
            _ => "SELECT",
        };
        let plan = self.inner.planner.batch(statement, tables).await?;
        let schema = plan.schema();
        let stream = execute_stream(plan, self.inner.planner.task_context())?;
        Ok(SqlResult {
            tag: tag.to_owned(),
            schema,
            rows: stream.map_err(SqlError::from).boxed(),
            is_unbounded: false,
        })
    }

    async fn create_relation(
        &self,
        definition: &RelationDefinition,
        text: &str,
    ) -> Result<SqlResult, SqlError> {
        let tag = if definition.is_table {
            "CREATE TABLE"
        } else {
            "CREATE STREAM"
        };
        let delay = definition
            .watermark
            .as_ref()
            .map(|w| interval_millis(&w.delay))
            .transpose()?;
        let relation = Relation::from_definition(definition, delay)?;
        let mut definitions = self.inner.definitions.lock().await;
        if self.catalog().find(&relation.name).is_some() {
            if definition.if_not_exists {
                return Ok(SqlResult::done(tag));
            }
            return Err(SqlError::AlreadyExists(relation.name));
        }
        partition_count(&self.inner.client, &relation.topic).await?;
        let stored = StoredStatement::new(definitions.next_sequence, &relation.name, text);
        definitions.log.put(&stored).await?;
        definitions.next_sequence += 1;
        self.publish(relation);
        Ok(SqlResult::done(tag))
    }

    async fn drop(
        &self,
        kind: DropKind,
        name: &str,
        if_exists: bool,
    ) -> Result<SqlResult, SqlError> {
        let (tag, wanted) = match kind {
            DropKind::Stream => ("DROP STREAM", "stream"),
            DropKind::Table => ("DROP TABLE", "table"),
            DropKind::View => ("DROP MATERIALIZED VIEW", "view"),
        };
        let definitions = self.inner.definitions.lock().await;
        let catalog = self.catalog();
        let Some(relation) = catalog.find(name).map(Arc::clone) else {
            if if_exists {
                return Ok(SqlResult::done(tag));
            }
            return Err(SqlError::UnknownRelation(format!(
                "{wanted} {name} does not exist"
            )));
        };
        if relation.kind.to_string() != wanted {
            return Err(SqlError::UnknownRelation(format!(
                "{name} is a {}, not a {wanted}",
                relation.kind
            )));
        }
        let dependants = self.dependants(name);
        if !dependants.is_empty() {
            return Err(SqlError::InUse {
                name: name.to_owned(),
                dependants: dependants.join(", "),
            });
        }
        if Self::is_view(relation.kind) {
            self.drop_view(&definitions, name).await?;
        } else {
            definitions.remove(name).await?;
        }
        self.inner.replicas.lock().await.remove(name);
        let mut catalog = self.inner.catalog.write();
        *catalog = catalog.without(name);
        Ok(SqlResult::done(tag))
    }

    /// The tables that a batch statement reads: with their rows, or for its description only their
    /// columns.
    async fn tables_of(
        &self,
        statement: &mut ast::Statement,
        with_rows: bool,
    ) -> Result<Vec<super::snapshot::NamedTable>, SqlError> {
        let mentions = prepare(statement)?;
        let catalog = self.catalog();
        let read = self.inner.planner.relations(statement, &catalog)?;
        let mut tables = Vec::new();
        for relation in catalog.iter() {
            let is_read = with_rows && read.iter().any(|r| r.name == relation.name);
            let table = self
                .table(relation, &mentions.pseudo_columns, is_read)
                .await?;
            tables.push((relation.name.clone(), table));
        }
        Ok(tables)
    }
}
