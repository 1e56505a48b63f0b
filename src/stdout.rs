//! Standard output whose reader may go away.

use std::fmt::Display;
use std::io::{Error, ErrorKind, Result, StdoutLock, Write};

/// Nobody reads standard output any more: a command that prints data has nothing left to do.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed by its reader")]
pub(crate) struct Closed;

impl Closed {
    /// Whether `error` says this, and not that some other pipe or socket broke.
    pub(crate) fn caused(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| {
            let cause = cause.downcast_ref::<Error>().and_then(Error::get_ref);
            cause.is_some_and(|cause| cause.is::<Self>())
        })
    }
}

/// Standard output, which fails with [`Closed`] once its reader has gone.
#[derive(Debug)]
pub(crate) struct Stdout(StdoutLock<'static>);

impl Stdout {
    pub(crate) fn lock() -> Self {
        Self(std::io::stdout().lock())
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(named)
    }
}

fn named(error: Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Error::other(Closed),
        kind => Error::new(kind, format!("cannot write to standard output: {error}")),
    }
}

/// Prints a line for whoever may be looking: what the process does goes on without them.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
