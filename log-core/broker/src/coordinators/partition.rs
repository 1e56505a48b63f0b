//! One partition of an internal topic with the machine that answers for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use headwater_coordination::transactions::WriteMarkers;
use headwater_coordination::{AppendId, Now, Time, Timestamp, Token};
use headwater_env::Clock;
use headwater_storage::{AppendOrigin, Lsn, PartitionLog};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::batch;
use super::machine::{Action, LoadError, Machine};
use super::rounds::Rounds;
use crate::node::Node;
use crate::topics::TopicMap;

/// Requests that may wait for a partition to be loaded; more are refused, to be tried again.
/// Bounded in bytes by the frames in flight, which the listener bounds.
const WAITING_MAX: usize = 4_096;
/// Inputs without an answer that may wait besides: deletions of topics.
const TOLD_MAX: usize = 4_096;

/// A machine, the log beneath it, and the requests it has not answered.
///
/// Whoever steps the machine carries out its effects under the same lock, so appends are in the
/// log in the order in which the machine made them.
pub(crate) struct Partition<M: Machine> {
    log: Arc<PartitionLog>,
    clock: Arc<dyn Clock>,
    state: Mutex<State<M>>,
    /// There is work for the partition's task.
    changed: Notify,
    /// The markers that are being written for it.
    pub(super) rounds: Rounds,
    /// The topics as they were before the first request came; let go of once loaded.
    topics: Mutex<Option<Arc<TopicMap>>>,
}

struct State<M: Machine> {
    machine: M,
    phase: Phase<M>,
    replies: HashMap<Token, oneshot::Sender<M::Response>>,
    last_token: u64,
    /// The newest append that nobody waits for yet.
    unsynced: Option<(AppendId, Lsn)>,
    work: Work,
}

enum Phase<M: Machine> {
    /// The machine is of no use; inputs wait for the one that is being loaded.
    Loading(Queue<M>),
    Active,
    Closed,
}

/// What waits for a machine.
struct Queue<M: Machine> {
    inputs: VecDeque<Queued<M>>,
    /// The log could not be read: requests are refused until it can.
    is_refusing: bool,
}

struct Queued<M: Machine> {
    input: M::Input,
    /// Somebody waits for an answer.
    is_request: bool,
}

impl<M: Machine> Default for Queue<M> {
    fn default() -> Self {
        Self {
            inputs: VecDeque::new(),
            is_refusing: false,
        }
    }
}

/// What the partition's task has to do.
#[derive(Default)]
pub(super) struct Work {
    pub(super) wake_at: Option<Now>,
    pub(super) markers: Vec<WriteMarkers>,
    /// The machine wants a producer id.
    pub(super) wants_producer_id: bool,
    /// The machine has failed and has to be loaded anew.
    pub(super) must_load: bool,
}

impl<M: Machine> Partition<M> {
    /// A partition that is yet to be loaded. `empty` refuses what cannot wait. What `topics` does
    /// not have was deleted before, also if it is made anew until the log is loaded.
    pub(super) fn new(
        log: Arc<PartitionLog>,
        clock: Arc<dyn Clock>,
        topics: Arc<TopicMap>,
        empty: M,
    ) -> Self {
        let state = State {
            machine: empty,
            phase: Phase::Loading(Queue::default()),
            replies: HashMap::new(),
            last_token: 0,
            unsynced: None,
            work: Work {
                must_load: true,
                ..Work::default()
            },
        };
        Self {
            log,
            clock,
            state: Mutex::new(state),
            changed: Notify::new(),
            rounds: Rounds::default(),
            topics: Mutex::new(Some(topics)),
        }
    }

    /// Whether requests are answered without waiting for the machine to be loaded.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Active)
    }

    /// Steps the machine with an input that is answered, at once or as soon as it is loaded, in
    /// the order of the calls. The answer comes when it may be known.
    pub(super) fn submit(
        &self,
        reply: oneshot::Sender<M::Response>,
        input: impl FnOnce(Token) -> M::Input,
    ) {
        let mut state = self.state.lock();
        state.last_token += 1;
        let token = Token(state.last_token);
        state.replies.insert(token, reply);
        match &mut state.phase {
            Phase::Loading(waiting)
                if !waiting.is_refusing && waiting.inputs.len() < WAITING_MAX =>
            {
                waiting.inputs.push_back(Queued {
                    input: input(token),
                    is_request: true,
                });
            }
            _ => self.step(&mut state, input(token)),
        }
    }

    /// Steps the machine with an input that has no answer. Ignored while the machine is loading:
    /// what the input is about is in the log by then, or will be asked for again.
    pub(super) fn tell(&self, input: M::Input) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Active) {
            self.step(&mut state, input);
        }
    }

    /// As [`tell`](Self::tell), but a machine that is loading is told when it is loaded, in the
    /// order of the calls with those of [`submit`](Self::submit).
    pub(super) fn tell_when_loaded(&self, input: M::Input) {
        let mut state = self.state.lock();
        match &mut state.phase {
            Phase::Loading(waiting) if waiting.inputs.len() < WAITING_MAX + TOLD_MAX => {
                waiting.inputs.push_back(Queued {
                    input,
                    is_request: false,
                });
            }
            Phase::Loading(_) => {
                tracing::warn!("too much waits for a coordinator to be loaded");
            }
            Phase::Active => self.step(&mut state, input),
            Phase::Closed => {}
        }
    }

    /// Lets `act` change the machine, if that is loaded, and carries out the effects it leaves, in
    /// order with those of all steps. `None` if it is not loaded, or failed to write them.
    pub(super) fn act<R>(
        &self,
        act: impl FnOnce(&mut M, Time, &mut Vec<M::Effect>) -> R,
    ) -> Option<R> {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Active) {
            return None;
        }
        let mut effects = Vec::new();
        let result = act(&mut state.machine, self.time(), &mut effects);
        if !effects.is_empty() {
            self.carry_out(&mut state, effects);
        }
        matches!(state.phase, Phase::Active).then_some(result)
    }

    /// Looks at the machine.
    pub(super) fn look<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(&self.state.lock().machine)
    }

    /// Looks at the machine, if that is loaded.
    pub(super) fn look_if_loaded<R>(&self, look: impl FnOnce(&M) -> R) -> Option<R> {
        let state = self.state.lock();
        matches!(state.phase, Phase::Active).then(|| look(&state.machine))
    }

    /// Whether there is nothing to replay.
    pub(super) fn is_log_empty(&self) -> bool {
        self.log.log_start_offset() >= self.log.log_end_offset()
    }

    /// Replays the log into `machine` and lets it take over.
    ///
    /// Blocks on the disk.
    pub(super) fn load(&self, node: &Node, mut machine: M) -> Result<(), LoadError> {
        node.replay(&self.log, |batch| {
            batch::replay(&batch, |entry| machine.load(entry))
        })?;
        let mut state = self.state.lock();
        let Phase::Loading(waiting) = &mut state.phase else {
            return Err(LoadError::Stopping);
        };
        let waiting = std::mem::take(waiting);
        state.phase = Phase::Active;
        state.machine = machine;
        let mut effects = Vec::new();
        state.machine.finish_loading(self.time(), &mut effects);
        self.carry_out(&mut state, effects);
        // A node that ended between a topic's deletion and the end of its offsets left them here.
        let topics = self.topics.lock().take();
        let topics = topics.unwrap_or_else(|| node.topics.load());
        let forget = state
            .machine
            .forget_topics(|topic| topics.by_name(topic).is_some());
        let waiting = waiting.inputs.into_iter().map(|queued| queued.input);
        for input in forget.into_iter().chain(waiting) {
            self.step(&mut state, input);
        }
        Ok(())
    }

    /// Refuses the requests that wait, and those to come, until the machine is loaded: it may be
    /// long until the log can be read.
    pub(super) fn refuse_until_loaded(&self) {
        let mut state = self.state.lock();
        let Phase::Loading(waiting) = &mut state.phase else {
            return;
        };
        waiting.is_refusing = true;
        let (requests, told) = std::mem::take(&mut waiting.inputs)
            .into_iter()
            .partition(|queued| queued.is_request);
        waiting.inputs = told;
        let requests: VecDeque<Queued<M>> = requests;
        for request in requests {
            self.step(&mut state, request.input);
        }
    }

    /// Waits until there is work.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes what there is to do. The time to wake at stays.
    pub(super) fn take_work(&self) -> Work {
        let work = &mut self.state.lock().work;
        let wake_at = work.wake_at;
        let taken = std::mem::take(work);
        work.wake_at = wake_at;
        taken
    }

    /// Takes the newest append that nobody waits for yet: when it is durable, all before it are.
    pub(super) fn take_unsynced(&self) -> Option<(AppendId, Lsn)> {
        self.state.lock().unsynced.take()
    }

    /// Reports appends as durable.
    pub(super) fn durable(&self, upto: AppendId) {
        self.tell((M::DURABLE)(upto));
    }

    /// The time the machine asked for has come.
    pub(super) fn wake(&self) {
        let mut state = self.state.lock();
        state.work.wake_at = None;
        if matches!(state.phase, Phase::Active) {
            self.step(&mut state, M::WAKE);
        }
    }

    /// Answers everything with an error and takes no more: the node stops.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        let phase = std::mem::replace(&mut state.phase, Phase::Closed);
        self.step(&mut state, M::APPEND_FAILED);
        if let Phase::Loading(waiting) = phase {
            for queued in waiting.inputs {
                self.step(&mut state, queued.input);
            }
        }
        state.work = Work::default();
    }

    fn step(&self, state: &mut State<M>, input: M::Input) {
        let input = match &state.phase {
            Phase::Active => self.checked(input),
            Phase::Loading(_) | Phase::Closed => input,
        };
        let mut effects = Vec::new();
        state.machine.step(input, self.time(), &mut effects);
        self.carry_out(state, effects);
    }

    /// A machine cannot take back what it did when the log refuses a producer's write, so the log is
    /// asked before. Nobody else writes for producers to it in between.
    fn checked(&self, input: M::Input) -> M::Input {
        let Some(write) = M::coordinated_write(&input) else {
            return input;
        };
        let (id, epoch) = (write.producer.id, write.producer.epoch);
        let checked = self
            .log
            .check_coordinated(id, epoch, write.coordinator_epoch);
        match checked {
            Ok(()) => input,
            Err(error) => {
                tracing::warn!(%error, "a write in a transaction was refused");
                M::fenced(input, &error)
            }
        }
    }

    fn carry_out(&self, state: &mut State<M>, effects: Vec<M::Effect>) {
        let mut has_failed = false;
        for effect in effects {
            match M::action(effect) {
                Action::Append { id, append } if !has_failed => match self.append(&append) {
                    Ok(lsn) => state.unsynced = Some((id, lsn)),
                    Err(error) => {
                        if error.is_of_batch() {
                            tracing::error!(%error, "a coordinator's log refused what it wrote");
                        } else {
                            tracing::error!(%error, "a coordinator cannot write its log");
                        }
                        has_failed = true;
                    }
                },
                // What follows a failed append must not be written without it.
                Action::Append { .. } => {}
                Action::Reply { token, response } => {
                    if let Some(reply) = state.replies.remove(&token) {
                        // The one who asked may be gone.
                        drop(reply.send(response));
                    }
                }
                Action::WriteMarkers(markers) => state.work.markers.push(markers),
                Action::WakeAt(at) => state.work.wake_at = at,
                Action::ProducerIdWanted => state.work.wants_producer_id = true,
                Action::Failed => {
                    if matches!(state.phase, Phase::Active) {
                        state.phase = Phase::Loading(Queue::default());
                    }
                    state.work.must_load = true;
                }
            }
        }
        if has_failed {
            self.step(state, M::APPEND_FAILED);
        }
        self.changed.notify_one();
    }

    fn append(&self, append: &headwater_coordination::Append) -> Result<Lsn, AppendFailed> {
        let at = Timestamp::from_millis(self.clock.wall().as_millis());
        let batch = batch::encode(append, at)?;
        Ok(self.log.append(&[batch], AppendOrigin::Coordinator)?.lsn)
    }

    fn time(&self) -> Time {
        Time {
            now: Now::from_nanos(self.clock.now().as_nanos()),
            wall: Timestamp::from_millis(self.clock.wall().as_millis()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum AppendFailed {
    #[error(transparent)]
    Batch(#[from] headwater_wire::records::BatchError),
    #[error(transparent)]
    Log(#[from] headwater_storage::AppendError),
}

impl AppendFailed {
    /// Whether the batch is at fault, which a machine checks before it writes; otherwise the log is.
    fn is_of_batch(&self) -> bool {
        use headwater_storage::AppendError;
        match self {
            Self::Batch(_) => true,
            Self::Log(error) => matches!(
                error,
                AppendError::Producer(_) | AppendError::TooLarge { .. } | AppendError::Batch(_)
            ),
        }
    }
}
