//! How much a logger lets through.

use std::fmt;

/// How much a logger lets through, from nothing to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing. A process may be started with it; no request can set it.
    Off,
    /// What ends the process. Nothing is logged at it, so that it lets nothing through either.
    Fatal,
    /// What needs somebody's attention.
    Error,
    /// What may need somebody's attention.
    Warn,
    /// What happens seldom and in order.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The levels that a request can set, in the order in which Kafka lists them.
    pub const SETTABLE: [Self; 6] = [
        Self::Debug,
        Self::Error,
        Self::Fatal,
        Self::Info,
        Self::Trace,
        Self::Warn,
    ];

    /// The level that a request names; only Kafka's spelling counts, in capitals.
    pub fn settable(name: &str) -> Option<Self> {
        Self::SETTABLE
            .into_iter()
            .find(|level| level.name() == name)
    }

    /// The name as Kafka spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }

    /// The level of that name in a directive of `tracing_subscriber`.
    pub(super) fn of_directive(name: &str) -> Option<Self> {
        Some(match name {
            "off" => Self::Off,
            "error" => Self::Error,
            "warn" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return None,
        })
    }

    pub(super) fn directive(self) -> &'static str {
        match self {
            Self::Off | Self::Fatal => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
