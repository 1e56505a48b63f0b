//! Statements of a connection.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{Sink, SinkExt, StreamExt, TryStreamExt, stream};
use pgwire::api::auth::noop::NoopStartupHandler;
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{FieldInfo, QueryResponse, Response, Tag};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, ConnectionManager, Type};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::RowDescription;
use pgwire::messages::startup::ParameterStatus;

use super::variables::Variables;
use super::{catalog_queries, encode, parameters};
use crate::dialect::{self, Statement};
use crate::engine::SqlResult;
use crate::{SqlEngine, SqlError};

/// A push query without rows says this often that it is still there, which is also how the server
/// learns that a client has gone.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The SQLSTATE of a failure and its message, for the client.
pub(super) fn user_error(error: SqlError) -> PgWireError {
    PgWireError::UserError(Box::new(error_info(&error)))
}

fn error_info(error: &SqlError) -> ErrorInfo {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !message.contains(&cause_text) {
            message = format!("{message}: {cause_text}");
        }
        source = cause.source();
    }
    ErrorInfo::new("ERROR".to_owned(), error.sqlstate().to_owned(), message)
}

/// A prepared statement.
#[derive(Debug, Clone)]
pub(super) struct PgStatement {
    text: String,
    statement: Statement,
    schema: SchemaRef,
    pub(super) parameters: Vec<Type>,
}

/// Serves all connections; what belongs to one is kept with its client.
pub(super) struct Handler {
    engine: SqlEngine,
    manager: Arc<ConnectionManager>,
    parser: Arc<Parser>,
}

impl Handler {
    pub(super) fn new(engine: SqlEngine, manager: Arc<ConnectionManager>) -> Self {
        let parser = Arc::new(Parser {
            engine: engine.clone(),
        });
        Self {
            engine,
            manager,
            parser,
        }
    }

    /// Runs what is not a query, or answers with the result still to be sent.
    async fn run<C>(&self, client: &C, statement: Statement, text: &str) -> Result<Done, SqlError>
    where
        C: ClientInfo,
    {
        let variables = client
            .session_extensions()
            .get_or_insert_with(Variables::default);
        let tag = |text: &str| Done::Response(Response::Execution(Tag::new(text)));
        Ok(match statement {
            Statement::Set { name, value } => {
                variables.set(&name, &value)?;
                tag("SET")
            }
            Statement::ShowVariable(name) => {
                Done::Result(catalog_queries::variable(&name, variables.get(&name)?)?)
            }
            Statement::Begin => Done::Response(Response::TransactionStart(Tag::new("BEGIN"))),
            Statement::Commit => Done::Response(Response::TransactionEnd(Tag::new("COMMIT"))),
            Statement::Rollback => Done::Response(Response::TransactionEnd(Tag::new("ROLLBACK"))),
            Statement::Reset(word) => tag(&word),
            other => {
                let result = self.engine.run(other, text).await?;
                if result.schema.fields().is_empty() && result.tag != "SELECT" {
                    tag(&result.tag)
                } else {
                    Done::Result(result)
                }
            }
        })
    }

    async fn run_text<C: ClientInfo>(&self, client: &C, text: &str) -> Result<Done, SqlError> {
        if let Some(result) = catalog_queries::answer(&self.engine, text)? {
            return Ok(Done::Result(result));
        }
        self.run(client, dialect::parse(text)?, text).await
    }
}

enum Done {
    Response(Response),
    Result(SqlResult),
}

/// The rest of a result as messages, its first batch already there, so that a query that fails at
/// once is an error of the statement and not of its rows.
async fn respond(mut result: SqlResult, fields: Arc<Vec<FieldInfo>>) -> PgWireResult<Response> {
    let first = result.rows.try_next().await.map_err(user_error)?;
    let batches: BoxStream<'static, Result<RecordBatch, SqlError>> =
        stream::iter(first.map(Ok)).chain(result.rows).boxed();
    let row_fields = Arc::clone(&fields);
    let rows = batches.map(move |batch| {
        let rows = batch
            .map_err(user_error)
            .and_then(|b| encode::rows(&b, &row_fields));
        match rows {
            Ok(rows) => stream::iter(rows.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        }
    });
    let mut response = QueryResponse::new(fields, rows.flatten());
    response.set_command_tag(&result.tag);
    Ok(Response::Query(response))
}

/// Sends the rows of a result that does not end, each batch as it comes. Ends if the query does.
async fn push<C>(
    client: &mut C,
    mut result: SqlResult,
    fields: Arc<Vec<FieldInfo>>,
) -> PgWireResult<Response>
where
    C: Sink<PgWireBackendMessage> + Unpin + Send,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let mut sent = 0;
    client.flush().await?;
    loop {
        let batch = tokio::time::timeout(HEARTBEAT, result.rows.try_next()).await;
        match batch {
            Ok(batch) => match batch.map_err(user_error)? {
                None => return Ok(Response::Execution(Tag::new("SELECT").with_rows(sent))),
                Some(batch) => {
                    for row in encode::rows(&batch, &fields)? {
                        client.feed(PgWireBackendMessage::DataRow(row)).await?;
                        sent += 1;
                    }
                    client.flush().await?;
                }
            },
            Err(_) => {
                let alive = ParameterStatus::new("headwater.push".to_owned(), "running".to_owned());
                client
                    .send(PgWireBackendMessage::ParameterStatus(alive))
                    .await?;
            }
        }
    }
}

#[async_trait]
impl NoopStartupHandler for Handler {
    fn connection_manager(&self) -> Option<Arc<ConnectionManager>> {
        Some(Arc::clone(&self.manager))
    }
}

#[async_trait]
impl SimpleQueryHandler for Handler {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let texts = dialect::split(query).map_err(user_error)?;
        if texts.is_empty() {
            return Ok(vec![Response::EmptyQuery]);
        }
        let mut responses = Vec::with_capacity(texts.len());
        for text in &texts {
            let response = match self.run_text(client, text).await {
                Ok(Done::Response(response)) => Ok(response),
                Ok(Done::Result(result)) => {
                    let fields = Arc::new(encode::fields(&result.schema, None));
                    if !result.is_unbounded {
                        respond(result, fields).await
                    } else if texts.len() > 1 {
                        Err(user_error(SqlError::Unsupported(
                            "EMIT CHANGES among other statements; send it alone".to_owned(),
                        )))
                    } else {
                        let description =
                            RowDescription::new(fields.iter().map(Into::into).collect());
                        client
                            .feed(PgWireBackendMessage::RowDescription(description))
                            .await?;
                        push(client, result, fields).await
                    }
                }
                Err(error) => Err(user_error(error)),
            };
            match response {
                Ok(response) => responses.push(response),
                Err(PgWireError::UserError(info)) => {
                    responses.push(Response::Error(info));
                    break;
                }
                Err(other) => return Err(other),
            }
        }
        Ok(responses)
    }
}

#[async_trait]
impl ExtendedQueryHandler for Handler {
    type Statement = PgStatement;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        Arc::clone(&self.parser)
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<PgStatement>,
        max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = PgStatement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let prepared = &portal.statement.statement;
        let mut statement = prepared.statement.clone();
        if let Statement::Pull(query) = &mut statement {
            parameters::bind(query, portal)?;
        }
        match self
            .run(client, statement, &prepared.text)
            .await
            .map_err(user_error)?
        {
            Done::Response(response) => Ok(response),
            Done::Result(result) => {
                let format = Some(&portal.result_column_format);
                let fields = Arc::new(encode::fields(&result.schema, format));
                if result.is_unbounded && max_rows == 0 {
                    push(client, result, fields).await
                } else if result.is_unbounded {
                    let rows = rows_lazily(result, fields);
                    Ok(Response::Query(rows))
                } else {
                    respond(result, fields).await
                }
            }
        }
    }
}

/// For a client that fetches a number of rows at a time: it waits until there are so many.
fn rows_lazily(result: SqlResult, fields: Arc<Vec<FieldInfo>>) -> QueryResponse {
    let row_fields = Arc::clone(&fields);
    let rows = result.rows.map_err(user_error).and_then(move |batch| {
        let rows = encode::rows(&batch, &row_fields);
        async move { Ok(stream::iter(rows?.into_iter().map(Ok).collect::<Vec<_>>())) }
    });
    QueryResponse::new(fields, rows.try_flatten())
}

/// Parses statements for the extended protocol.
pub(super) struct Parser {
    engine: SqlEngine,
}

#[async_trait]
impl QueryParser for Parser {
    type Statement = PgStatement;

    async fn parse_sql<C>(
        &self,
        _client: &C,
        sql: &str,
        types: &[Option<Type>],
    ) -> PgWireResult<Option<PgStatement>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let texts = dialect::split(sql).map_err(user_error)?;
        let text = match texts.as_slice() {
            [] => return Ok(None),
            [text] => text.clone(),
            _ => {
                return Err(user_error(SqlError::Syntax(
                    "a prepared statement holds one statement".to_owned(),
                )));
            }
        };
        let statement = dialect::parse(&text).map_err(user_error)?;
        let description = match &statement {
            Statement::ShowVariable(name) => {
                let schema = catalog_queries::variable_schema(name);
                return Ok(Some(PgStatement {
                    text,
                    statement,
                    schema,
                    parameters: Vec::new(),
                }));
            }
            other => self.engine.describe(other).await.map_err(user_error)?,
        };
        let parameters = description
            .parameters
            .iter()
            .enumerate()
            .map(|(i, inferred)| {
                let given = types.get(i).and_then(Option::as_ref);
                parameters::parameter_type(given, inferred.as_ref())
            })
            .collect();
        Ok(Some(PgStatement {
            text,
            statement,
            schema: description.schema,
            parameters,
        }))
    }

    fn get_parameter_types(&self, statement: &PgStatement) -> PgWireResult<Vec<Type>> {
        Ok(statement.parameters.clone())
    }

    fn get_result_schema(
        &self,
        statement: &PgStatement,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        Ok(encode::fields(&statement.schema, format))
    }
}
