//! Fetch: record batches from an offset on, waiting for them if there are too few.
//!
//! Nothing that is not on disk is ever returned: a partition is read up to its durable end, and
//! under read_committed up to its last stable offset. Batches are slices of what the log hands
//! out. Sessions (KIP-227) are declined: every answer carries session id 0, upon which clients
//! send full requests.

mod read;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use headwater_wire::ErrorCode;
use headwater_wire::messages::fetch::{FetchRequest, FetchResponse};

use self::read::{Bounds, read_all};
use self::wait::any_grows;
use super::{Answer, Handler, Reply};
use crate::context::RequestContext;
use crate::memory::Reservation;
use crate::node::Node;

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
        _context: &RequestContext,
        request: FetchRequest,
    ) -> Reply<FetchResponse> {
        // Followers pull over their own protocol, and there are no sessions to continue.
        if request.session_id != 0 && request.session_epoch > 0 {
            return Reply::Now(FetchResponse {
                error_code: ErrorCode::FetchSessionIdNotFound.code(),
                ..Default::default()
            });
        }
        Reply::Later(fetch(Arc::clone(node), request).boxed())
    }
}

async fn fetch(node: Arc<Node>, request: FetchRequest) -> Answer<FetchResponse> {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = tokio::time::Instant::now() + wait.min(WAIT_MAX);
    let bounds = Bounds::of(&request, &node.config.settings);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut shutdown = node.shutdown.clone();
    loop {
        let Some(mut reservation) = reserve(&node, bounds.total).await else {
            return FetchResponse::default().into();
        };
        let topics = node.topics.load();
        let read = read_all(&topics, &request, &bounds.within(reservation.bytes()));
        let late = tokio::time::Instant::now() >= deadline || *shutdown.borrow();
        if read.bytes >= min_bytes || read.must_answer || late {
            reservation.shrink_to(read.bytes);
            return Answer {
                response: read.response,
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
