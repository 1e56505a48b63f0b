//! Fetch: record batches from an offset on, waiting for them if there are too few.
//!
//! Nothing that is not on disk is ever returned: a partition is read up to its durable end, and
//! under read_committed up to its last stable offset. Batches are slices of what the log hands
//! out. In a session (KIP-227) a client names only what changes, and is told only what changed.

mod context;
mod read;
mod session;
mod sessions;
mod wait;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use headwater_wire::ErrorCode;
use headwater_wire::messages::fetch::{FetchRequest, FetchResponse, PartitionData};

use self::context::Context;
use self::read::{Bounds, read_all, refused};
use self::wait::any_grows;
use self::wanted::{Naming, Wanted, by_topic};
use super::{Answer, Handler, Reply};
use crate::context::RequestContext;
use crate::memory::Reservation;
use crate::node::Node;

pub(crate) use self::sessions::FetchSessions;

pub(crate) struct Fetch;

/// Longest a fetch may wait, whatever the client says, so that its connection comes to notice
/// that the client is gone.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Memory a fetch waits for if little is left: less makes answers too small to be worth sending.
const RESERVATION_MIN: usize = 1024 * 1024;

impl Handler for Fetch {
    type Request = FetchRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        mut request: FetchRequest,
    ) -> Reply<FetchResponse> {
        let naming = Naming::of(context.version);
        if !matches!(request.isolation_level, 0 | 1) {
            return Reply::Now(all_refused(&mut request, naming));
        }
        match Context::of(node, &mut request, naming) {
            Ok((context, wanted)) => {
                Reply::Later(fetch(Arc::clone(node), request, context, wanted).boxed())
            }
            Err(error) => Reply::Now(FetchResponse {
                error_code: error.code(),
                ..Default::default()
            }),
        }
    }
}

/// The answer to a request that makes no sense. Only the older versions list partitions then.
fn all_refused(request: &mut FetchRequest, naming: Naming) -> FetchResponse {
    let error = ErrorCode::UnknownServerError;
    let listed = match naming {
        Naming::Names => Wanted::all_of(request, naming),
        Naming::Ids => Vec::new(),
    };
    let answers = listed.into_iter().map(|wanted| {
        let data = PartitionData {
            aborted_transactions: Some(Vec::new()),
            ..refused(wanted.asked.partition, error)
        };
        (wanted.topic, data)
    });
    FetchResponse {
        error_code: error.code(),
        responses: by_topic(answers),
        ..Default::default()
    }
}

async fn fetch(
    node: Arc<Node>,
    request: FetchRequest,
    context: Context,
    wanted: Vec<Wanted>,
) -> Answer<FetchResponse> {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = tokio::time::Instant::now() + wait.min(WAIT_MAX);
    let bounds = Bounds::of(&request, &wanted, &node.config.settings);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut shutdown = node.shutdown.clone();
    loop {
        let Some(mut reservation) = reserve(&node, bounds.memory).await else {
            return FetchResponse::default().into();
        };
        let topics = node.topics.load();
        let read = read_all(&topics, &wanted, &bounds.within(reservation.bytes()));
        let late = tokio::time::Instant::now() >= deadline || *shutdown.borrow();
        if read.bytes >= min_bytes || read.must_answer || late {
            reservation.shrink_to(read.bytes);
            return Answer {
                response: context.answer(&node, &topics, wanted, read.partitions),
                reservation: Some(reservation),
            };
        }
        drop(reservation);
        tokio::select! {
            () = any_grows(read.ends) => {}
            () = tokio::time::sleep_until(deadline) => {}
            _ = shutdown.wait_for(|stopping| *stopping) => {}
        }
    }
}

async fn reserve(node: &Node, wanted: usize) -> Option<Reservation> {
    node.response_memory
        .reserve_up_to(wanted, RESERVATION_MIN)
        .await
}
