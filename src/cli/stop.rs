//! Being asked to end: Ctrl-C or SIGTERM.

use anyhow::Error;

/// The command was asked to end before it was done.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

impl Interrupted {
    pub(super) fn caused(error: &Error) -> bool {
        error.chain().any(|cause| cause.is::<Self>())
    }
}

/// Resolves when the process is asked to end: Ctrl-C or SIGTERM. Asked twice, the process ends at
/// once, which is safe at any moment.
pub(super) fn stopped() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (told, tells) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut told = Some(told);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match told.take() {
                Some(told) => drop(told.send(())),
                None => std::process::exit(130),
            }
        }
    });
    Ok(async move {
        let _ = tells.await;
    })
}
