//! What running tasks of both kinds share: being told to pause and stop, telling how they are, and
//! starting anew after an error that may have passed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::Shared;
use super::herder::Command;
use super::status::{ComponentStatus, State, TaskProgress};
use crate::config::ErrorSettings;
use crate::spi::ConnectError;

/// What a task is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Run,
    Pause,
    Stop,
}

/// The first pause before a failed task is started anew; it doubles with each failure up to
/// `errors.retry.delay.max.ms`.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// A task that has run this long without failing has recovered: its next failure is a first one.
const RECOVERED_AFTER: Duration = Duration::from_secs(60);

/// A task as the herder sees it.
pub(super) struct TaskHandle {
    control: watch::Sender<Control>,
    join: JoinHandle<()>,
}

impl TaskHandle {
    pub(super) fn new(control: watch::Sender<Control>, join: JoinHandle<()>) -> Self {
        Self { control, join }
    }

    pub(super) fn tell(&self, control: Control) {
        self.control.send_replace(control);
    }

    /// Waits for a task that was told to stop, at most until the deadline; then it is dropped
    /// where it stands, which for the log is a crash like any other.
    pub(super) async fn ended(mut self, deadline: Instant) {
        if tokio::time::timeout_at(deadline, &mut self.join)
            .await
            .is_err()
        {
            tracing::warn!("a task did not stop in time and is dropped");
            self.join.abort();
            // Its producer and consumer must be gone before a successor starts.
            let _ = self.join.await;
        }
    }
}

/// A running task's own view of itself.
pub(super) struct TaskSeat {
    pub(super) shared: Arc<Shared>,
    pub(super) connector: Arc<str>,
    pub(super) task: usize,
    pub(super) generation: u64,
    /// Failures in a row before this start.
    pub(super) failures: u32,
    pub(super) errors: ErrorSettings,
    pub(super) control: watch::Receiver<Control>,
    pub(super) commands: mpsc::Sender<Command>,
}

impl TaskSeat {
    /// Tells how the task is.
    pub(super) async fn report(&self, state: State, trace: Option<String>) {
        let status = ComponentStatus {
            state,
            trace,
            generation: self.generation,
        };
        if self
            .shared
            .board
            .set_task(&self.connector, self.task, status.clone())
        {
            self.shared
                .statuses
                .put_task(&self.connector, self.task, Some(&status))
                .await;
        }
    }

    pub(super) fn progress(&self) -> TaskProgress {
        self.shared.board.task_progress(&self.connector, self.task)
    }

    pub(super) fn set_progress(&self, progress: TaskProgress) {
        self.shared
            .board
            .set_progress(&self.connector, self.task, progress);
    }

    /// Notes that the task uses a topic.
    pub(super) async fn uses_topic(&self, topic: &str) {
        if self.shared.board.add_topic(&self.connector, topic) {
            let now = now_ms();
            self.shared
                .statuses
                .put_topic(topic, &self.connector, self.task, now)
                .await;
        }
    }

    pub(super) fn told(&self) -> Control {
        *self.control.borrow()
    }

    /// Waits as long as the task is to pause. False if it is to stop.
    pub(super) async fn may_run(&mut self) -> bool {
        if self.told() == Control::Pause {
            self.report(State::Paused, None).await;
        }
        loop {
            match *self.control.borrow_and_update() {
                Control::Run => break,
                Control::Stop => return false,
                Control::Pause => {}
            }
            if self.control.changed().await.is_err() {
                return false;
            }
        }
        self.report(State::Running, None).await;
        true
    }

    /// Ends the seat: a task that was told to stop is UNASSIGNED; after an error the task is FAILED, and if the error may pass, it is started
    /// anew after a while unless it is told to stop before.
    pub(super) async fn end(mut self, result: Result<(), ConnectError>, started: Instant) {
        let Err(error) = result else {
            self.report(State::Unassigned, None).await;
            return;
        };
        let task = format!("{}-{}", self.connector, self.task);
        tracing::error!(task, error = error.trace(), "a task has failed");
        self.report(State::Failed, Some(error.trace())).await;
        if !error.is_retriable() || self.told() == Control::Stop {
            return;
        }
        if started.elapsed() > RECOVERED_AFTER {
            self.failures = 0;
        }
        let delay = RESTART_DELAY.saturating_mul(1 << self.failures.min(16));
        tokio::select! {
            () = sleep(delay.min(self.errors.retry_delay_max)) => {}
            () = stopped(&mut self.control) => return,
        }
        let restart = Command::Revive {
            name: self.connector.to_string(),
            task: self.task,
            generation: self.generation,
            failures: self.failures.saturating_add(1),
        };
        // The herder may be stopping this very task and waiting for it to end.
        tokio::select! {
            _ = self.commands.send(restart) => {}
            () = stopped(&mut self.control) => {}
        }
    }
}

/// Resolves once the task is told to stop.
async fn stopped(control: &mut watch::Receiver<Control>) {
    // An error means that the herder is gone.
    let _ = control.wait_for(|control| *control == Control::Stop).await;
}

/// Runs a task so that a panic in a connector's code ends as any other failure, not as a task that
/// seems to run for ever.
pub(super) async fn guarded(
    shared: Arc<Shared>,
    connector: String,
    task: usize,
    generation: u64,
    run: impl Future<Output = ()>,
) {
    let Err(panic) = AssertUnwindSafe(run).catch_unwind().await else {
        return;
    };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    let trace = Some(format!("the task panicked: {text}"));
    let status = ComponentStatus {
        state: State::Failed,
        trace,
        generation,
    };
    if shared.board.set_task(&connector, task, status.clone()) {
        shared
            .statuses
            .put_task(&connector, task, Some(&status))
            .await;
    }
}

pub(super) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// How long a failing call is tried again: `errors.retry.*`.
pub(super) struct Retry {
    deadline: Option<Instant>,
    delay: Duration,
    delay_max: Duration,
}

impl Retry {
    pub(super) fn new(errors: &ErrorSettings) -> Self {
        let deadline = errors.retry_timeout.map(|timeout| Instant::now() + timeout);
        Self {
            deadline,
            delay: Duration::from_millis(100),
            delay_max: errors.retry_delay_max,
        }
    }

    /// Waits before the next try. False if there is to be none: the error cannot pass, or time is
    /// up.
    pub(super) async fn again(&mut self, error: &ConnectError) -> bool {
        let late = self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        if !error.is_retriable() || late {
            return false;
        }
        sleep(self.delay).await;
        self.delay = (self.delay * 2).min(self.delay_max);
        true
    }
}
