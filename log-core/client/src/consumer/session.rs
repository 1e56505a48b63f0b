//! Incremental fetch sessions (KIP-227), as the client keeps them: what a node knows of the
//! partitions wanted, so that each fetch names only what is new. Pure.

use std::collections::{HashMap, HashSet};

use headwater_wire::ErrorCode;
use uuid::Uuid;

use super::fetch::Wanted;
use crate::TopicPartition;

/// The epoch of a fetch that names everything and asks for a session.
const FULL_EPOCH: i32 = 0;

/// What the node has been told of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) topic_id: Uuid,
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
}

/// The session of one connection to a node.
#[derive(Debug, Default)]
pub(super) struct Session {
    id: i32,
    epoch: i32,
    /// Whether topics go by ids: a session keeps to one way.
    has_ids: bool,
    told: HashMap<TopicPartition, Told>,
}

/// A fetch within its session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) session_id: i32,
    pub(super) session_epoch: i32,
    /// Which of the partitions wanted have to be named, by position.
    pub(super) named: Vec<usize>,
    /// Partitions that the session had and that are not wanted now.
    pub(super) forgotten: Vec<(TopicPartition, Uuid)>,
}

impl Session {
    /// Plans the next fetch, of these partitions and no others.
    pub(super) fn plan(
        &mut self,
        wanted: &[Wanted],
        has_ids: bool,
        told: impl Fn(&Wanted) -> Told,
    ) -> Plan {
        if has_ids != self.has_ids {
            self.epoch = FULL_EPOCH;
            self.has_ids = has_ids;
        }
        let is_full = self.epoch == FULL_EPOCH;
        if is_full {
            self.told.clear();
        }
        let mut named = Vec::new();
        let mut forgotten = Vec::new();
        for (position, wanted) in wanted.iter().enumerate() {
            let now = told(wanted);
            let before = self.told.insert(wanted.partition.clone(), now);
            if before == Some(now) {
                continue;
            }
            named.push(position);
            // The topic was made anew: the session knows the old one. By names they are one, and
            // to forget the old would be to forget the new.
            let old = before.filter(|before| has_ids && before.topic_id != now.topic_id);
            if let Some(before) = old {
                forgotten.push((wanted.partition.clone(), before.topic_id));
            }
        }
        if self.told.len() > wanted.len() {
            let kept: HashSet<&TopicPartition> =
                wanted.iter().map(|wanted| &wanted.partition).collect();
            let gone = self
                .told
                .extract_if(|partition, _| !kept.contains(partition));
            forgotten.extend(gone.map(|(partition, told)| (partition, told.topic_id)));
        }
        Plan {
            session_id: self.id,
            session_epoch: self.epoch,
            named,
            forgotten,
        }
    }

    /// Takes the answer to the planned fetch in. True if partitions it does not name have nothing
    /// new; false if it had to name all.
    pub(super) fn answered(&mut self, session_id: i32) -> bool {
        let was_full = self.epoch == FULL_EPOCH;
        self.id = session_id;
        self.epoch = match (session_id, self.epoch) {
            // The node keeps no session, or not any more.
            (0, _) => FULL_EPOCH,
            (_, i32::MAX) => FULL_EPOCH + 1,
            (_, epoch) => epoch + 1,
        };
        !was_full
    }

    /// No answer came, so the node may have taken the fetch in or not: begins anew, in place of
    /// the old session.
    pub(super) fn failed(&mut self) {
        self.epoch = FULL_EPOCH;
    }

    /// The node refused. True if that was about the session alone, so that the same fetch may be
    /// sent again at once, in another.
    pub(super) fn refused(&mut self, code: ErrorCode) -> bool {
        let had_session = self.epoch != FULL_EPOCH;
        self.epoch = FULL_EPOCH;
        match code {
            ErrorCode::FetchSessionIdNotFound
            | ErrorCode::FetchSessionTopicIdError
            | ErrorCode::InconsistentTopicId => self.id = 0,
            ErrorCode::InvalidFetchSessionEpoch => {}
            _ => return false,
        }
        had_session
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted<const N: usize>(offsets: [(i32, i64); N]) -> Vec<Wanted> {
        let wanted = offsets.map(|(index, offset)| Wanted {
            partition: TopicPartition::new("t", index),
            id: 1,
            offset,
        });
        wanted.to_vec()
    }

    fn told(wanted: &Wanted) -> Told {
        Told {
            topic_id: Uuid::from_u128(1),
            offset: wanted.offset,
            leader_epoch: 0,
        }
    }

    fn begun() -> Session {
        let mut session = Session::default();
        let plan = session.plan(&wanted([(0, 5), (1, 7)]), true, told);
        assert_eq!((plan.session_id, plan.session_epoch), (0, FULL_EPOCH));
        assert_eq!(plan.named, [0, 1]);
        assert!(!session.answered(40), "the first answer names all");
        session
    }

    #[test]
    fn only_what_has_changed_is_named() {
        let mut session = begun();
        let plan = session.plan(&wanted([(0, 5), (1, 9), (2, 0)]), true, told);
        assert_eq!((plan.session_id, plan.session_epoch), (40, 1));
        assert_eq!((plan.named, plan.forgotten.len()), (vec![1, 2], 0));
        assert!(session.answered(40));
        let plan = session.plan(&wanted([(1, 9)]), true, told);
        assert_eq!((plan.session_epoch, plan.named.len()), (2, 0));
        let mut forgotten: Vec<i32> = plan.forgotten.iter().map(|(p, _)| p.partition).collect();
        forgotten.sort_unstable();
        assert_eq!(forgotten, [0, 2]);
    }

    #[test]
    fn a_topic_made_anew_takes_the_place_of_the_old() {
        let mut session = begun();
        let anew = |wanted: &Wanted| Told {
            topic_id: Uuid::from_u128(2),
            ..told(wanted)
        };
        let plan = session.plan(&wanted([(0, 5), (1, 7)]), true, anew);
        assert_eq!(plan.named, [0, 1]);
        assert!(
            plan.forgotten
                .iter()
                .all(|(_, id)| *id == Uuid::from_u128(1))
        );
        assert_eq!(plan.forgotten.len(), 2);
    }

    #[test]
    fn by_names_a_topic_made_anew_is_the_same() {
        let mut session = Session::default();
        session.plan(&wanted([(0, 5)]), false, told);
        session.answered(40);
        let anew = |wanted: &Wanted| Told {
            topic_id: Uuid::from_u128(2),
            ..told(wanted)
        };
        let plan = session.plan(&wanted([(0, 5)]), false, anew);
        assert_eq!((plan.named, plan.forgotten.len()), (vec![0], 0));
    }

    #[test]
    fn a_session_in_doubt_is_replaced() {
        let mut session = begun();
        session.plan(&wanted([(0, 5)]), true, told);
        session.failed();
        let plan = session.plan(&wanted([(0, 5), (1, 7)]), true, told);
        assert_eq!((plan.session_id, plan.session_epoch), (40, FULL_EPOCH));
        assert_eq!((plan.named, plan.forgotten.len()), (vec![0, 1], 0));
    }

    #[test]
    fn a_session_that_is_no_more_is_begun_again_and_the_fetch_repeated() {
        let mut session = begun();
        assert!(session.refused(ErrorCode::FetchSessionIdNotFound));
        let plan = session.plan(&wanted([(0, 5)]), true, told);
        assert_eq!((plan.session_id, plan.session_epoch), (0, FULL_EPOCH));
        assert!(!session.refused(ErrorCode::FetchSessionIdNotFound), "once");
        assert!(!begun().refused(ErrorCode::UnknownServerError));
    }

    #[test]
    fn a_node_without_sessions_is_told_everything_each_time() {
        let mut session = Session::default();
        for _ in 0..3 {
            let plan = session.plan(&wanted([(0, 5)]), true, told);
            assert_eq!((plan.session_epoch, plan.named.len()), (FULL_EPOCH, 1));
            assert!(!session.answered(0));
        }
    }

    #[test]
    fn names_and_ids_do_not_mix_in_one_session() {
        let mut session = begun();
        let plan = session.plan(&wanted([(0, 5)]), false, told);
        assert_eq!((plan.session_id, plan.session_epoch), (40, FULL_EPOCH));
    }
}
