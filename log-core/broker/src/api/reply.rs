//! The one signature of handlers, and what they return.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use headwater_wire::{ApiKey, Request, RequestKind, ResponseKind};

use crate::context::RequestContext;
use crate::memory::Reservation;
use crate::node::Node;

/// Answers one API key.
pub(crate) trait Handler {
    /// The API's request; its response comes with it.
    type Request: Request<Response: Into<ResponseKind> + Send + 'static>
        + TryFrom<RequestKind>
        + Send
        + 'static;

    /// The API's key.
    const KEY: ApiKey = <Self::Request as Request>::KEY;

    /// Starts the request. Must not wait: see the module above.
    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: Self::Request,
    ) -> Reply<<Self::Request as Request>::Response>;
}

/// How a request is answered.
pub(crate) enum Reply<R> {
    /// It is answered already.
    Now(R),
    /// The caller wants no answer over the network (`acks=0`); in-process it gets this.
    Unwanted(R),
    /// As [`Unwanted`](Self::Unwanted), with an error in it: over the network the connection is
    /// closed, which is all that tells the caller to look for what is wrong.
    Unsaid(R),
    /// As [`Unwanted`](Self::Unwanted), when the future ends. It runs to its end whether or not the
    /// caller stays, and counts among the requests of the connection until then.
    Unheard(BoxFuture<'static, R>),
    /// The answer follows.
    Later(BoxFuture<'static, Answer<R>>),
    /// Nothing is done yet: to start the request takes the processor for a while. Who has others to
    /// serve on this thread has it started by [`Labor`](crate::labor::Labor), and starts the next
    /// request of the same connection when that is done.
    Laborious(Box<dyn FnOnce() -> Reply<R> + Send>),
}

/// A response with the memory that is set aside for it until it has been sent.
pub(crate) struct Answer<R> {
    /// The response.
    pub(crate) response: R,
    /// Dropped once the response has left.
    pub(crate) reservation: Option<Reservation>,
}

impl<R> Answer<R> {
    /// The answer with another response in its place.
    pub(crate) fn map<T>(self, change: impl FnOnce(R) -> T) -> Answer<T> {
        Answer {
            response: change(self.response),
            reservation: self.reservation,
        }
    }
}

impl<R> From<R> for Answer<R> {
    fn from(response: R) -> Self {
        Self {
            response,
            reservation: None,
        }
    }
}

impl<R: Send + 'static> Reply<R> {
    /// The answer is what `future` returns.
    pub(crate) fn later(future: impl Future<Output = R> + Send + 'static) -> Self {
        Self::Later(future.map(Answer::from).boxed())
    }

    fn into_kind(self) -> Reply<ResponseKind>
    where
        R: Into<ResponseKind>,
    {
        match self {
            Self::Now(response) => Reply::Now(response.into()),
            Self::Unwanted(response) => Reply::Unwanted(response.into()),
            Self::Unsaid(response) => Reply::Unsaid(response.into()),
            Self::Unheard(future) => Reply::Unheard(future.map(Into::into).boxed()),
            Self::Later(future) => Reply::Later(
                future
                    .map(|answer| Answer {
                        response: answer.response.into(),
                        reservation: answer.reservation,
                    })
                    .boxed(),
            ),
            Self::Laborious(work) => Reply::Laborious(Box::new(move || work().into_kind())),
        }
    }
}

/// [`Handler::start`] behind the enums over all messages. `None` for another API's request.
pub(super) fn erased<H: Handler>(
    node: &Arc<Node>,
    context: &RequestContext,
    request: RequestKind,
) -> Option<Reply<ResponseKind>> {
    let request = H::Request::try_from(request).ok()?;
    Some(H::start(node, context, request).into_kind())
}
