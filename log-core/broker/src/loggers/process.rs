//! The loggers of a process whose diagnostics `tracing_subscriber` filters.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::reload;

use super::levels::LogLevels;
use super::names::{LoggerNames, logger_of};
use super::{LevelsNotChanged, LogLevel, Loggers};

/// What `tracing` calls a record of the `log` crate that asks whether it is wanted.
const LOG_RECORD: &str = "log record";

/// The loggers of a process whose diagnostics `tracing_subscriber` filters. Levels that are set
/// are in force until the process ends.
pub struct ProcessLoggers {
    names: Arc<RwLock<LoggerNames>>,
    levels: Mutex<LogLevels>,
    reload: Reload,
}

type Reload = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>;

impl ProcessLoggers {
    /// Loggers with the levels of `filter`, and the layer that puts them in force, now and
    /// whenever they change: to be added to the process's subscriber.
    ///
    /// Each target that has logged is a logger, and so are the targets `known`, of which it is known
    /// that they will. A logger has dots where the target has `::`.
    pub fn new<'a, S>(
        filter: EnvFilter,
        known: impl IntoIterator<Item = &'a str>,
    ) -> (Arc<Self>, impl Layer<S>)
    where
        S: Subscriber,
    {
        let mut names = LoggerNames::default();
        known.into_iter().for_each(|target| names.add(target));
        let levels = LogLevels::new(&filter.to_string(), &mut names);
        let names = Arc::new(RwLock::new(names));
        let (filter, handle) = reload::Layer::new(filter);
        let loggers = Self {
            names: Arc::clone(&names),
            levels: Mutex::new(levels),
            reload: Box::new(move |filter| handle.reload(filter)),
        };
        // What wraps the filter is asked first, and so sees what the filter does not let through.
        (Arc::new(loggers), filter.and_then(Seen(names)))
    }
}

impl fmt::Debug for ProcessLoggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ProcessLoggers");
        shown.field("levels", &self.levels).finish_non_exhaustive()
    }
}

impl Loggers for ProcessLoggers {
    fn levels(&self) -> BTreeMap<String, LogLevel> {
        let levels = self.levels.lock();
        levels.in_force(&self.names.read())
    }

    fn change(&self, changes: &[(String, Option<LogLevel>)]) -> Result<(), LevelsNotChanged> {
        let mut levels = self.levels.lock();
        let mut after = levels.clone();
        {
            // Not held any longer: the filter's reload asks for the names of all call sites.
            let names = self.names.read();
            for (name, level) in changes {
                after.change(&names, name, *level)?;
            }
        }
        let not_in_force = |error: String| LevelsNotChanged::NotInForce(error);
        let filter = EnvFilter::builder().parse(after.directives());
        let filter = filter.map_err(|error| not_in_force(error.to_string()))?;
        (self.reload)(filter).map_err(|error| not_in_force(error.to_string()))?;
        *levels = after;
        Ok(())
    }
}

/// Notes under which names there is something to log. A call site tells when it is first reached
/// while its level is in force for any logger, a record of the `log` crate each time.
struct Seen(Arc<RwLock<LoggerNames>>);

impl Seen {
    fn note(&self, target: &str) {
        let Some(logger) = logger_of(target) else {
            return;
        };
        let is_known = self.0.read().contains(&logger);
        if !is_known {
            self.0.write().add(target);
        }
    }
}

impl<S: Subscriber> Layer<S> for Seen {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.note(metadata.target());
        Interest::always()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        if metadata.name() == LOG_RECORD {
            self.note(metadata.target());
        }
        true
    }
}
