//! All partitions of one internal topic.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use headwater_coordination::placement::group_partition;
use headwater_wire::ErrorCode;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::driver::{self, Kind};
use super::machine::Machine;
use super::partition::Partition;
use crate::node::Node;
use crate::topic_creation::TopicRefused;

/// Requests that may wait for the topic to be created; more are refused, to be tried again.
/// Bounded in bytes by the frames in flight, which the listener bounds.
const WAITING_MAX: usize = 4_096;
/// How often creating the topic is tried before those who wait for it are refused.
const TRIES: usize = 3;

/// The coordinators of one kind on this node. Their topic is made when somebody first needs it.
pub(crate) struct Coordinator<M: Machine> {
    kind: Kind<M>,
    phase: Mutex<Phase<M>>,
}

enum Phase<M: Machine> {
    /// There is no topic yet.
    Absent,
    /// The topic is being created, for these.
    Creating(Vec<Waiting<M>>),
    Open(Arc<[Arc<Partition<M>>]>),
}

/// A request on its way to its partition.
struct Waiting<M: Machine> {
    /// Group or transactional id.
    key: String,
    version: i16,
    request: M::Request,
    reply: oneshot::Sender<M::Response>,
}

impl<M: Machine> Waiting<M> {
    fn submit(self, partitions: &[Arc<Partition<M>>]) {
        match place(partitions, &self.key) {
            Some(partition) => partition.submit(self.reply, |token| {
                M::request(token, self.version, self.request)
            }),
            None => self.refuse(ErrorCode::CoordinatorNotAvailable),
        }
    }

    fn refuse(self, code: ErrorCode) {
        // The one who asked may be gone.
        drop(self.reply.send(M::refuse(self.request, self.version, code)));
    }
}

impl<M: Machine> Coordinator<M> {
    pub(super) fn new(kind: Kind<M>) -> Self {
        Self {
            kind,
            phase: Mutex::new(Phase::Absent),
        }
    }

    /// Begins to load what this node coordinates, if there is anything.
    pub(super) fn start(&self, node: &Arc<Node>) {
        self.open(node);
    }

    /// Steps the machine that answers for `key`, as soon as it is there. The order of calls is the
    /// order of steps.
    pub(crate) fn submit(
        self: &Arc<Self>,
        node: &Arc<Node>,
        key: &str,
        version: i16,
        request: M::Request,
    ) -> BoxFuture<'static, M::Response> {
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting {
            key: key.to_owned(),
            version,
            request,
            reply,
        };
        let mut phase = self.phase.lock();
        match &mut *phase {
            Phase::Open(partitions) => {
                let partitions = Arc::clone(partitions);
                // A step may wait for room in the journal: partitions do not wait for each other.
                drop(phase);
                waiting.submit(&partitions);
            }
            Phase::Creating(queue) if queue.len() >= WAITING_MAX => {
                waiting.refuse(ErrorCode::CoordinatorLoadInProgress);
            }
            Phase::Creating(queue) => queue.push(waiting),
            absent @ Phase::Absent => {
                *absent = Phase::Creating(vec![waiting]);
                self.spawn_creation(node);
            }
        }
        arrival(answer)
    }

    /// Steps every machine, if there are any.
    pub(crate) fn submit_to_all(
        &self,
        version: i16,
        request: impl Fn() -> M::Request,
    ) -> Vec<BoxFuture<'static, M::Response>> {
        let partitions = self.partitions();
        let all = partitions.iter().flat_map(|partitions| partitions.iter());
        all.map(|partition| {
            let (reply, answer) = oneshot::channel();
            partition.submit(reply, |token| M::request(token, version, request()));
            arrival(answer)
        })
        .collect()
    }

    /// Makes the topic, if it is not there yet.
    pub(crate) async fn ensure(self: &Arc<Self>, node: &Arc<Node>) -> Result<(), TopicRefused> {
        if self.partitions().is_none() {
            node.internal_topic(self.kind.topic).await?;
            self.open(node);
        }
        Ok(())
    }

    /// The partition that answers for `key`, if there are any.
    pub(crate) fn partition(&self, key: &str) -> Option<Arc<Partition<M>>> {
        place(&self.partitions()?, key).cloned()
    }

    /// All partitions, if there are any.
    pub(crate) fn partitions(&self) -> Option<Arc<[Arc<Partition<M>>]>> {
        match &*self.phase.lock() {
            Phase::Open(partitions) => Some(Arc::clone(partitions)),
            Phase::Absent | Phase::Creating(_) => None,
        }
    }

    fn spawn_creation(self: &Arc<Self>, node: &Arc<Node>) {
        let (this, creator) = (Arc::clone(self), Arc::clone(node));
        node.spawn("internal topic", async move {
            for _ in 0..TRIES {
                match this.ensure(&creator).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(topic = this.kind.topic, %error, "not created yet");
                    }
                }
            }
            this.give_up();
        });
    }

    fn give_up(&self) {
        let mut phase = self.phase.lock();
        if let Phase::Creating(queue) = &mut *phase {
            for waiting in std::mem::take(queue) {
                waiting.refuse(ErrorCode::CoordinatorNotAvailable);
            }
            *phase = Phase::Absent;
        }
    }

    /// Takes up every partition of the topic, if it is there, and then the requests that waited.
    fn open(&self, node: &Arc<Node>) {
        let topics = node.topics.load();
        let Some(topic) = topics.by_name(self.kind.topic) else {
            return;
        };
        let mut phase = self.phase.lock();
        if matches!(*phase, Phase::Open(_)) {
            return;
        }
        let partition = |log| {
            let empty = (self.kind.empty)(node);
            Arc::new(Partition::new(
                Arc::clone(log),
                Arc::clone(&node.clock),
                Arc::clone(&topics),
                empty,
            ))
        };
        let partitions: Arc<[_]> = topic.logs.iter().map(partition).collect();
        for (index, partition) in partitions.iter().enumerate() {
            driver::start(node, self.kind, index, Arc::clone(partition));
        }
        let before = std::mem::replace(&mut *phase, Phase::Open(Arc::clone(&partitions)));
        if let Phase::Creating(queue) = before {
            for waiting in queue {
                waiting.submit(&partitions);
            }
        }
    }
}

/// The answer, when it comes. It always comes, also when the node stops, unless the runtime is
/// gone, and then nobody waits for it.
pub(super) fn arrival<R: Send + 'static>(answer: oneshot::Receiver<R>) -> BoxFuture<'static, R> {
    async {
        match answer.await {
            Ok(response) => response,
            Err(_) => std::future::pending().await,
        }
    }
    .boxed()
}

/// Groups and transactional ids are placed by the same rule.
fn place<'a, M: Machine>(
    partitions: &'a [Arc<Partition<M>>],
    key: &str,
) -> Option<&'a Arc<Partition<M>>> {
    let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
    partitions.get(usize::try_from(group_partition(key, count)).ok()?)
}
