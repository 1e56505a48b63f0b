//! The engine: statements in, rows out, views kept running.

mod execute;
mod log_scan;
mod push;
mod replica;
mod result;
mod show;
mod snapshot;
mod status;
mod views;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use headwater_client::Client;
use parking_lot::RwLock;
use tokio::sync::Mutex;

use crate::SqlError;
use crate::catalog::{Catalog, Relation, RelationKind, StatementLog, StoredStatement};
use crate::dialect::{self, Statement};
use crate::plan::{Planner, interval_millis};

pub use result::SqlResult;
pub use status::{ViewState, ViewStatus};

use replica::Replica;
use views::RunningView;

/// How the engine runs.
#[derive(Debug, Clone)]
pub struct SqlConfig {
    /// Directory of the views' state. One engine at a time may use it.
    pub state_dir: PathBuf,
    /// Threads that each view's streams application runs on. 1.
    pub threads_per_view: usize,
    /// Time between the commits of a view, after which its changes can be seen. 100 ms, Kafka
    /// Streams' `commit.interval.ms` under exactly-once.
    pub commit_interval: std::time::Duration,
    /// Longest a query waits for a table or view to be read up to its end. 60 s.
    pub restore_timeout: std::time::Duration,
}

impl SqlConfig {
    /// The defaults, with state under `state_dir`.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            threads_per_view: 1,
            commit_interval: std::time::Duration::from_millis(100),
            restore_timeout: std::time::Duration::from_secs(60),
        }
    }
}

/// Continuous SQL on a log. Cheap to clone; the views run until [`SqlEngine::shutdown`].
#[derive(Clone)]
pub struct SqlEngine {
    inner: Arc<Inner>,
}

struct Inner {
    config: SqlConfig,
    client: Client,
    planner: Planner,
    catalog: RwLock<Catalog>,
    views: RwLock<HashMap<String, Arc<RunningView>>>,
    /// Statements that change the catalogue come one after another.
    definitions: Mutex<Definitions>,
    replicas: Mutex<HashMap<String, Arc<Replica>>>,
}

struct Definitions {
    log: StatementLog,
    next_sequence: u64,
}

impl Definitions {
    /// Forgets the statement that made `name`.
    async fn remove(&self, name: &str) -> Result<(), SqlError> {
        let last = self.next_sequence.saturating_sub(1);
        self.log.remove(name, last).await
    }
}

impl SqlEngine {
    /// Starts the engine on the log that `client` reaches: reads the statements that were made
    /// there and resumes their views.
    ///
    /// # Errors
    /// [`SqlError::Log`] if the log cannot be read, [`SqlError::Data`] for statements of a later
    /// release. A view that cannot start is no error: its status says why, the others run.
    pub async fn start(config: SqlConfig, client: Client) -> Result<Self, SqlError> {
        let (log, statements, next_sequence) = StatementLog::open(&client).await?;
        let engine = Self {
            inner: Arc::new(Inner {
                config,
                client,
                planner: Planner::new(),
                catalog: RwLock::new(Catalog::default()),
                views: RwLock::new(HashMap::new()),
                definitions: Mutex::new(Definitions { log, next_sequence }),
                replicas: Mutex::new(HashMap::new()),
            }),
        };
        for statement in statements {
            engine.resume(statement).await?;
        }
        Ok(engine)
    }

    /// Runs one statement.
    ///
    /// The result of a query is read from [`SqlResult::rows`]; that of `… EMIT CHANGES` does not
    /// end until it is dropped.
    ///
    /// # Errors
    /// [`SqlError`]; [`SqlError::Syntax`] also if the text holds no or several statements.
    pub async fn execute(&self, sql: &str) -> Result<SqlResult, SqlError> {
        let statements = dialect::split(sql)?;
        let [text] = statements.as_slice() else {
            return Err(SqlError::Syntax(format!(
                "expected one statement, found {}",
                statements.len()
            )));
        };
        self.run(dialect::parse(text)?, text).await
    }

    /// The streams, tables and views as they are now.
    pub fn catalog(&self) -> Catalog {
        self.inner.catalog.read().clone()
    }

    /// Stops the views after a last commit. They resume at the next start.
    ///
    /// # Errors
    /// The first failure of a view to stop in order; all are stopped nonetheless.
    pub async fn shutdown(&self) -> Result<(), SqlError> {
        self.inner.replicas.lock().await.clear();
        let views: Vec<_> = self.inner.views.write().drain().collect();
        let mut result = Ok(());
        for (_, view) in views {
            let stopped = view.stop().await;
            if result.is_ok() {
                result = stopped;
            }
        }
        result
    }

    async fn resume(&self, stored: StoredStatement) -> Result<(), SqlError> {
        if stored.dropping {
            return self.finish_drop(&stored).await;
        }
        match dialect::parse(&stored.sql)? {
            Statement::CreateRelation(definition) => {
                let delay = definition
                    .watermark
                    .as_ref()
                    .map(|w| interval_millis(&w.delay))
                    .transpose()?;
                self.publish(Relation::from_definition(&definition, delay)?);
                Ok(())
            }
            Statement::CreateView {
                name,
                options,
                query,
                ..
            } => self.resume_view(&stored, &name, &options, *query).await,
            _ => Err(SqlError::Data(format!(
                "the stored statement of {} creates nothing",
                stored.name
            ))),
        }
    }

    fn publish(&self, relation: Relation) {
        let mut catalog = self.inner.catalog.write();
        *catalog = catalog.with(relation);
    }

    /// Views that read `name`.
    fn dependants(&self, name: &str) -> Vec<String> {
        let views = self.inner.views.read();
        let mut names: Vec<String> = views
            .iter()
            .filter(|(view, running)| *view != name && running.inputs().iter().any(|i| i == name))
            .map(|(view, _)| view.clone())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn is_view(kind: RelationKind) -> bool {
        matches!(kind, RelationKind::View | RelationKind::AppendView)
    }
}
