//! What to do when the medium can no longer be believed.

use std::fmt;

/// Ends the process after a failed sync.
///
/// A sync that failed once may succeed the next time without having written anything, so going on
/// would acknowledge what is lost. The one production implementation is [`AbortProcess`]; a
/// simulation records the stop and turns the power off.
pub trait FailStop: Send + Sync + fmt::Debug {
    /// Stops the process. If it returns, the storage refuses every further write.
    fn fail_stop(&self, reason: &str);
}

/// Aborts the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct AbortProcess;

impl FailStop for AbortProcess {
    fn fail_stop(&self, reason: &str) {
        tracing::error!(reason, "the log cannot be made durable, aborting");
        std::process::abort();
    }
}
