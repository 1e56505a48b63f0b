//! How a fetch stands to sessions: outside of any, the first of one, or the next of one.

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::fetch::{FetchRequest, FetchResponse, PartitionData};
use parking_lot::Mutex;

use super::session::{FINAL_EPOCH, FULL_EPOCH, Session, epoch_after};
use super::wanted::{Naming, Wanted, by_topic};
use crate::node::Node;
use crate::topics::TopicMap;

/// A fetch's place among the sessions.
pub(super) enum Context {
    /// None: the answer has everything and no session id.
    Sessionless,
    /// The first: the answer has everything, and a session begins with it.
    Full(Naming),
    /// A later one: the answer has what is news.
    Incremental {
        id: i32,
        session: Arc<Mutex<Session>>,
        /// Epoch of the session once this request has been taken in.
        epoch: i32,
    },
}

impl Context {
    /// Takes the request into its session, if it has one, and returns what to read.
    pub(super) fn of(
        node: &Node,
        request: &mut FetchRequest,
        naming: Naming,
    ) -> Result<(Self, Vec<Wanted>), ErrorCode> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        let wanted = Wanted::all_of(request, naming);
        if epoch == FULL_EPOCH || epoch == FINAL_EPOCH {
            if id != 0 {
                node.fetch_sessions.end(id);
            }
            let context = if epoch == FULL_EPOCH {
                Self::Full(naming)
            } else {
                Self::Sessionless
            };
            return Ok((context, wanted));
        }
        let found = node.fetch_sessions.get(id);
        let session = found.ok_or(ErrorCode::FetchSessionIdNotFound)?;
        let mut open = session.lock();
        if open.epoch() != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if open.naming() != naming {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        open.update(wanted, std::mem::take(&mut request.forgotten_topics_data));
        if open.size().partitions == 0 {
            node.fetch_sessions.end(id);
            return Ok((Self::Sessionless, Vec::new()));
        }
        if !node.fetch_sessions.touch(id, open.size(), node.clock.now()) {
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        let wanted = open.advance(&node.topics.load());
        drop(open);
        let epoch = epoch_after(epoch);
        Ok((Self::Incremental { id, session, epoch }, wanted))
    }

    /// The answer with `data`, which are those of `wanted` in their order.
    pub(super) fn answer(
        self,
        node: &Node,
        topics: &TopicMap,
        wanted: Vec<Wanted>,
        data: Vec<PartitionData>,
    ) -> FetchResponse {
        let (session_id, kept) = match self {
            Self::Sessionless => (0, data.into_iter().map(Some).collect()),
            Self::Full(naming) => {
                let session = Session::begin(naming, wanted.iter().zip(&data), topics);
                let now = node.clock.now();
                let id = node
                    .fetch_sessions
                    .begin(session, now, node.random.as_ref());
                (id.unwrap_or(0), data.into_iter().map(Some).collect())
            }
            Self::Incremental { id, session, epoch } => {
                let mut open = session.lock();
                if open.epoch() != epoch {
                    // The client sent its next request without waiting for this answer.
                    return FetchResponse {
                        error_code: ErrorCode::InvalidFetchSessionEpoch.code(),
                        session_id: id,
                        ..Default::default()
                    };
                }
                let news = wanted.iter().zip(data);
                let news = news.map(|(wanted, data)| open.is_news(wanted, &data).then_some(data));
                (id, news.collect::<Vec<_>>())
            }
        };
        let answers = wanted.into_iter().zip(kept);
        let answers = answers.filter_map(|(wanted, data)| Some((wanted.topic, data?)));
        FetchResponse {
            session_id,
            responses: by_topic(answers),
            ..Default::default()
        }
    }
}
