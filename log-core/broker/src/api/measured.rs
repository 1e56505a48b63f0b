//! Answers many times as long as what asks for them: their size is reckoned before they are made.

use std::sync::Arc;

use super::Answer;
use crate::node::Node;

/// Makes an answer once there is memory for the bytes that `measure` reckons with, which must count
/// the answer in memory and on the wire. One that takes more than all there is for answers is made
/// while there is no other.
///
/// Both run where blocking is allowed. `None` if they fail, or the process is about to end.
pub(super) async fn answer<Q, R>(
    node: Arc<Node>,
    request: Q,
    measure: fn(&Node, &Q) -> usize,
    make: impl FnOnce(&Node, Q) -> R + Send + 'static,
) -> Option<Answer<R>>
where
    Q: Send + 'static,
    R: Send + 'static,
{
    let measured = Arc::clone(&node);
    let (request, bytes) = blocking(&node, move || {
        let bytes = measure(&measured, &request);
        (request, bytes)
    })
    .await?;
    let reservation = node.response_memory.reserve(bytes).await?;
    let made = Arc::clone(&node);
    let response = blocking(&node, move || make(&made, request)).await?;
    Some(Answer {
        response,
        reservation: Some(reservation),
    })
}

async fn blocking<T: Send + 'static>(
    node: &Node,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let done = node.runtime.spawn_blocking(work).await;
    done.inspect_err(|error| tracing::error!(%error, "an answer was not made"))
        .ok()
}
