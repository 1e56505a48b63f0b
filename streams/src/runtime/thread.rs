//! A stream thread: poll, process, commit, and again.

use std::sync::Arc;
use std::time::Duration;

use headwater_client::{
    Assignor, AutoOffsetReset, ClientError, Consumer, ConsumerConfig, IsolationLevel,
    ProducerConfig,
};
use tokio::sync::Mutex;

use crate::StreamsError;
use crate::state::StateError;

use super::assignment::TaskAssignor;
use super::listener::TaskListener;
use super::produce::Outlet;
use super::restore::Restorer;
use super::shared::{Shared, ThreadProgress};
use super::tasks::Tasks;

/// Longest wait for records: wall-clock time is told to operators at least this often.
const POLL: Duration = Duration::from_millis(100);
/// Time for restoring between two polls, which the group needs as a sign of life.
const RESTORE_BUDGET: Duration = Duration::from_millis(500);
/// Pause before a thread that failed for a passing reason begins again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Runs the thread `index` until the application stops or fails.
pub(super) async fn run(shared: Arc<Shared>, index: usize, assignor: Arc<TaskAssignor>) {
    let mut attempts_without_progress = 0;
    loop {
        shared.set_progress(index, ThreadProgress::Starting);
        let mut progressed = false;
        match run_once(&shared, index, &assignor, &mut progressed).await {
            Ok(()) => {
                shared.set_progress(index, ThreadProgress::Stopped);
                return;
            }
            Err(error) if shared.is_stopping() => {
                tracing::warn!(thread = index, %error, "stopped without a last commit");
                shared.set_progress(index, ThreadProgress::Stopped);
                return;
            }
            Err(error) if is_passing(&error) => {
                attempts_without_progress = if progressed {
                    0
                } else {
                    attempts_without_progress + 1
                };
                tracing::warn!(thread = index, %error, "tasks are closed and begun again");
                if attempts_without_progress > MAX_ATTEMPTS {
                    return fail(&shared, index, error);
                }
                tokio::time::sleep(RESTART_PAUSE).await;
            }
            Err(error) => return fail(&shared, index, error),
        }
    }
}

/// Restarts in a row without a commit before a passing failure counts as lasting. Each waits out the
/// client's own deadlines first.
const MAX_ATTEMPTS: u32 = 10;

fn fail(shared: &Shared, index: usize, error: StreamsError) {
    tracing::error!(thread = index, %error, "stream thread failed");
    shared.set_progress(index, ThreadProgress::Failed);
    shared.fail(error);
}

/// Whether beginning again with a new producer and consumer may help: the group moved on, the
/// transaction was lost, or the log did not answer. Another process under the same instance id is
/// for people to sort out.
fn is_passing(error: &StreamsError) -> bool {
    use headwater_wire::ErrorCode;
    let error = match error {
        StreamsError::Client(error) => error,
        // The group moved on while this thread did not look.
        StreamsError::State(StateError::TakenOver { .. }) => return true,
        _ => return false,
    };
    if error.code() == Some(ErrorCode::FencedInstanceId) {
        return false;
    }
    error.is_fenced()
        || error.is_rebalanced()
        || error.is_retriable()
        || error.needs_abort()
        || matches!(
            error,
            ClientError::ProducerFailed(_)
                | ClientError::TransactionAborted
                | ClientError::TransactionMustAbort(_)
        )
        || matches!(
            error.code(),
            Some(ErrorCode::InvalidTxnState | ErrorCode::UnknownProducerId)
        )
}

/// The identity of a thread to the group and to its transactions.
fn instance_id(shared: &Shared, index: usize) -> String {
    format!("{}-{}", shared.state_dir.process_id(), index + 1)
}

async fn make_outlet(shared: &Shared, index: usize) -> Result<Outlet, ClientError> {
    // Batches of streams fill fast and are flushed by commits: small ones would cost more.
    let mut config = ProducerConfig {
        batch_size: 256 << 10,
        linger: Duration::from_millis(50),
        ..ProducerConfig::default()
    };
    if shared.config.is_exactly_once() {
        let id = format!(
            "{}-{}",
            shared.config.application_id,
            instance_id(shared, index)
        );
        config.transactional_id = Some(id);
        config.transaction_timeout = shared.config.transaction_timeout;
    }
    let producer = shared.client.producer(config)?;
    if shared.config.is_exactly_once() {
        // Ends what this thread left open when it last crashed, before anybody asks for offsets.
        producer.init_transactions().await?;
    }
    Ok(Outlet::new(producer))
}

fn make_consumer(
    shared: &Shared,
    index: usize,
    assignor: &Arc<TaskAssignor>,
) -> Result<Consumer, ClientError> {
    let assignor: Arc<dyn Assignor> = assignor.clone();
    shared.client.consumer(ConsumerConfig {
        group_instance_id: Some(instance_id(shared, index)),
        session_timeout: shared.config.session_timeout,
        heartbeat_interval: (shared.config.session_timeout / 3).min(Duration::from_secs(3)),
        max_poll_records: shared.config.max_poll_records,
        auto_offset_reset: AutoOffsetReset::Earliest,
        enable_auto_commit: false,
        isolation_level: match shared.config.is_exactly_once() {
            true => IsolationLevel::ReadCommitted,
            false => IsolationLevel::ReadUncommitted,
        },
        allow_auto_create_topics: false,
        assignors: vec![assignor],
        ..ConsumerConfig::new(&shared.config.application_id)
    })
}

async fn run_once(
    shared: &Arc<Shared>,
    index: usize,
    assignor: &Arc<TaskAssignor>,
    progressed: &mut bool,
) -> Result<(), StreamsError> {
    let outlet = make_outlet(shared, index).await?;
    let consumer = make_consumer(shared, index, assignor)?;
    let mut restorer = Restorer::new(shared)?;
    let tasks = Arc::new(Mutex::new(Tasks::new(
        shared.clone(),
        assignor.clone(),
        outlet,
    )));
    let listener = Arc::new(TaskListener {
        tasks: tasks.clone(),
    });
    consumer.subscribe(shared.plan.partitions.keys().cloned(), Some(listener))?;
    let worked = work(shared, index, &consumer, &mut restorer, &tasks, progressed).await;
    let ended = match worked {
        Ok(()) => tasks.lock().await.shut_down(&consumer).await,
        Err(error) => {
            tasks.lock().await.drop_all();
            Err(error)
        }
    };
    consumer.close().await;
    restorer.close().await;
    ended
}

async fn work(
    shared: &Arc<Shared>,
    index: usize,
    consumer: &Consumer,
    restorer: &mut Restorer,
    tasks: &Arc<Mutex<Tasks>>,
    progressed: &mut bool,
) -> Result<(), StreamsError> {
    let mut wait = Duration::ZERO;
    while !shared.is_stopping() {
        // Never cancelled: a rebalance, with its commit, may be under way inside.
        let fetched = consumer.poll(wait).await?;
        let mut tasks = tasks.lock().await;
        if let Some(failure) = tasks.failure.take() {
            return Err(failure);
        }
        tasks.open_new().await?;
        if !tasks.restoring.is_empty() {
            restorer.step(&mut tasks.restoring, RESTORE_BUDGET).await?;
            tasks.start_restored(consumer)?;
        }
        shared.set_progress(
            index,
            match tasks.is_settled() {
                true => ThreadProgress::Running,
                false => ThreadProgress::Starting,
            },
        );
        tasks.add(consumer, fetched.batches())?;
        let processed = tasks.process().await?;
        if tasks.is_commit_due() {
            tasks.commit(consumer).await?;
            *progressed = true;
        }
        tasks.drain()?;
        wait = match processed {
            0 => tasks.until_commit().clamp(Duration::from_millis(1), POLL),
            _ => Duration::ZERO,
        };
    }
    Ok(())
}
