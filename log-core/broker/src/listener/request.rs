//! From a frame to a started request, and from a response to bytes.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Either};
use headwater_wire::{
    ApiKey, Decoder, ErrorCode, RequestHeader, RequestKind, ResponseKind, catalog,
};
use tokio::sync::oneshot;

use super::connection::Closed;
use super::writer::{Encoded, Pending, now};
use crate::api::{self, Answer, Reply};
use crate::context::RequestContext;
use crate::memory::Reservation;
use crate::node::Node;

/// Who is at the other end of a connection.
pub(super) struct Client {
    host: Arc<str>,
    /// The id of its last request: a client seldom changes it.
    last_id: Option<Arc<str>>,
}

impl Client {
    /// The client at this address.
    pub(super) fn new(host: Arc<str>) -> Self {
        Self {
            host,
            last_id: None,
        }
    }

    fn id(&mut self, id: Option<&str>) -> Option<Arc<str>> {
        if self.last_id.as_deref() != id {
            self.last_id = id.map(Arc::from);
        }
        self.last_id.clone()
    }
}

/// Where a response goes and how it is written.
#[derive(Debug, Clone, Copy)]
struct ReplyTo {
    key: ApiKey,
    version: i16,
    correlation_id: i32,
}

/// What became of a request. `None` where it wants no answer.
pub(super) enum Started {
    /// It is started.
    Now(Option<Pending>),
    /// It is started when the future ends. Requests behind it must wait for that.
    Soon(BoxFuture<'static, Result<Option<Pending>, Closed>>),
}

/// Starts the request in `frame`. `held` is the memory the frame was counted with; it is given back
/// once the answer is made.
pub(super) fn start(
    node: &Arc<Node>,
    client: &mut Client,
    frame: Bytes,
    held: Option<Reservation>,
) -> Result<Started, Closed> {
    let malformed = |error: &dyn std::fmt::Display| Closed::Protocol(error.to_string());
    let mut input = Decoder::new(frame);
    let header = RequestHeader::decode(&mut input).map_err(|error| malformed(&error))?;
    let Some(key) = served(&header) else {
        return Ok(Started::Now(Some(now(unsupported(node, &header)))));
    };
    let to = ReplyTo {
        key,
        version: header.api_version,
        correlation_id: header.correlation_id,
    };
    let request = RequestKind::decode(key, to.version, &mut input);
    let request = request.map_err(|error| {
        malformed(&format_args!(
            "{} version {}: {error}",
            key.name(),
            to.version
        ))
    })?;
    let context = RequestContext {
        client_id: client.id(header.client_id.as_deref()),
        client_host: Arc::clone(&client.host),
        version: to.version,
    };
    Ok(match api::start(node, &context, request) {
        None => Started::Now(Some(now(unsupported(node, &header)))),
        Some(Reply::Laborious(work)) => {
            let node = Arc::clone(node);
            let answered = async move {
                let reply = node.labor.run(work).await;
                let reply = reply.map_err(|error| Closed::Protocol(error.to_string()))?;
                answer(&node, to, reply, held)
            };
            Started::Soon(answered.boxed())
        }
        Some(reply) => Started::Now(answer(node, to, reply, held)?),
    })
}

/// The answer of a request that is started.
fn answer(
    node: &Arc<Node>,
    to: ReplyTo,
    reply: Reply<ResponseKind>,
    held: Option<Reservation>,
) -> Result<Option<Pending>, Closed> {
    Ok(match reply {
        Reply::Unwanted(_) => None,
        Reply::Unheard(future) => {
            let (running, pending) = unheard(future, held);
            node.spawn("request without an answer", running);
            Some(pending)
        }
        // What was started before is still answered.
        Reply::Unsaid(_) => {
            let reason = format!("{} failed and wants no answer", to.key.name());
            return Err(Closed::Protocol(reason));
        }
        Reply::Now(response) => Some(now(to.encode(response.into()))),
        Reply::Later(future) => Some(Either::Right(
            future
                .map(move |answer| {
                    drop(held);
                    to.encode(answer)
                })
                .boxed(),
        )),
        Reply::Laborious(work) => return answer(node, to, work(), held),
    })
}

/// What a request that wants no answer has left to do, to be run whether or not its connection
/// stays, and what keeps its place among the requests of the connection until that has ended, as it
/// keeps its memory.
fn unheard(
    future: BoxFuture<'static, ResponseKind>,
    held: Option<Reservation>,
) -> (impl Future<Output = ()> + Send + 'static, Pending) {
    let (running, over) = oneshot::channel::<()>();
    let run = async move {
        drop(future.await);
        drop(held);
        drop(running);
    };
    let nothing = over.map(|_| {
        Ok(Encoded {
            chunks: Vec::new(),
            held: None,
        })
    });
    (run, Either::Right(nothing.boxed()))
}

/// The request's key, if it is served in the request's version.
fn served(header: &RequestHeader) -> Option<ApiKey> {
    header
        .key()
        .filter(|key| api::is_served_in(*key, header.api_version))
}

/// Answers what is not served. Closing the connection instead would make clients try again for
/// ever, and lose the other requests on it.
///
/// An API that is served in other versions answers in the nearest of them, if that has a place for
/// an error at its top: versions seldom change much. All else is answered like ApiVersions, which
/// begins with the error and tells what is served. For ApiVersions that is the rule: clients ask
/// in the newest version they know and go on with what they are told.
fn unsupported(node: &Node, header: &RequestHeader) -> Result<Encoded, Closed> {
    let error = ErrorCode::UnsupportedVersion;
    if let Some((to, response)) = in_nearest_version(header, error) {
        return to.encode(response.into());
    }
    let to = ReplyTo {
        key: ApiKey::ApiVersions,
        version: 0,
        correlation_id: header.correlation_id,
    };
    let response = if header.key() == Some(ApiKey::ApiVersions) {
        api::own_versions()
    } else {
        api::api_versions_response(node, error)
    };
    to.encode(ResponseKind::from(response).into())
}

fn in_nearest_version(header: &RequestHeader, error: ErrorCode) -> Option<(ReplyTo, ResponseKind)> {
    let key = header.key().filter(|key| *key != ApiKey::ApiVersions)?;
    let api = catalog::find(key).filter(|_| api::is_served(key))?;
    let to = ReplyTo {
        key,
        version: header.api_version.clamp(api.min_version, api.max_version),
        correlation_id: header.correlation_id,
    };
    Some((to, ResponseKind::refusal(key, error, to.version)?))
}

impl ReplyTo {
    fn encode(self, answer: Answer<ResponseKind>) -> Result<Encoded, Closed> {
        let chunks = answer.response.to_frame(self.version, self.correlation_id);
        let chunks = chunks.map_err(|error| {
            let api = self.key.name();
            tracing::error!(api, version = self.version, %error, "a response cannot be encoded");
            Closed::Protocol(format!("the response to {api} cannot be encoded: {error}"))
        })?;
        Ok(Encoded {
            chunks,
            held: answer.reservation,
        })
    }
}

#[cfg(test)]
mod tests {
    use headwater_wire::messages::produce::ProduceResponse;

    use super::*;
    use crate::memory::MemoryBudget;

    #[tokio::test]
    async fn a_request_without_an_answer_keeps_its_memory_and_its_place_while_it_runs() {
        let budget = MemoryBudget::new(4096);
        let held = budget.try_reserve(4096);
        let (end, ended) = oneshot::channel::<()>();
        let future = ended.map(|_| ResponseKind::from(ProduceResponse::default()));
        let (run, mut pending) = unheard(future.boxed(), held);
        let mut run = std::pin::pin!(run);
        assert!(run.as_mut().now_or_never().is_none());
        assert!((&mut pending).now_or_never().is_none());
        assert!(budget.try_reserve(1).is_none());
        drop(end);
        run.await;
        assert!(budget.try_reserve(1).is_some());
        let Ok(encoded) = pending.await else {
            panic!("nothing goes wrong")
        };
        assert!(encoded.chunks.is_empty());
    }
}
