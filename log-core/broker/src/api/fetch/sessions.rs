//! All fetch sessions of a broker: as many as there are slots, and not for ever.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use headwater_env::{Now, Random};
use parking_lot::Mutex;

use super::session::{Session, Size};

/// How long a session may be unused before any other may take its slot, and how long it is safe
/// from larger ones after it began.
const EVICTION_AFTER: Duration = Duration::from_secs(120);
/// Memory of all sessions together, in bytes: some 140,000 partitions. With more, clients are told
/// to do without a session.
const BYTES_MAX: usize = 64 << 20;
/// Draws for an id that is free. Ids are 31 bits and sessions a few thousand.
const DRAWS_MAX: usize = 16;

/// The sessions by id.
///
/// Who begins a session when all slots are taken gets the slot of one that was not used for two
/// minutes, else of the smallest that is older than two minutes and smaller than the new one, else
/// none (KIP-227).
#[derive(Debug)]
pub(crate) struct FetchSessions {
    slots: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<i32, Slot>,
    by_use: BTreeSet<(Now, i32)>,
    /// Sessions that larger ones may replace.
    by_size: BTreeSet<(Size, i32)>,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    session: Arc<Mutex<Session>>,
    began: Now,
    used: Now,
    size: Size,
}

impl FetchSessions {
    /// Room for `slots` sessions.
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots,
            table: Mutex::default(),
        }
    }

    /// Keeps `session` and returns its id, or `None` if there is no slot for it.
    pub(super) fn begin(&self, session: Session, now: Now, random: &dyn Random) -> Option<i32> {
        let size = session.size();
        let mut table = self.table.lock();
        let has_room = table.sessions.len() < self.slots || table.evict_for(size, now);
        if !has_room || table.bytes.saturating_add(size.bytes) > BYTES_MAX {
            return None;
        }
        let id = table.free_id(random)?;
        let slot = Slot {
            session: Arc::new(Mutex::new(session)),
            began: now,
            used: now,
            size,
        };
        table.by_use.insert((now, id));
        table.bytes += size.bytes;
        table.sessions.insert(id, slot);
        Some(id)
    }

    /// The session with this id.
    pub(super) fn get(&self, id: i32) -> Option<Arc<Mutex<Session>>> {
        let table = self.table.lock();
        table
            .sessions
            .get(&id)
            .map(|slot| Arc::clone(&slot.session))
    }

    /// Notes that the session was used and has this size now. Returns whether it goes on:
    /// it does not if it has grown beyond what all sessions together may hold.
    pub(super) fn touch(&self, id: i32, size: Size, now: Now) -> bool {
        let mut table = self.table.lock();
        let Some(mut slot) = table.remove(id) else {
            // It lost its slot while the request was on its way, and ends with its answer.
            return true;
        };
        if table.bytes.saturating_add(size.bytes) > BYTES_MAX {
            return false;
        }
        slot.used = now;
        slot.size = size;
        table.by_use.insert((now, id));
        if now.since(slot.began) > EVICTION_AFTER {
            table.by_size.insert((size, id));
        }
        table.bytes += size.bytes;
        table.sessions.insert(id, slot);
        true
    }

    /// Ends the session, if there is one with this id.
    pub(super) fn end(&self, id: i32) {
        self.table.lock().remove(id);
    }
}

impl Table {
    fn remove(&mut self, id: i32) -> Option<Slot> {
        let slot = self.sessions.remove(&id)?;
        self.by_use.remove(&(slot.used, id));
        self.by_size.remove(&(slot.size, id));
        self.bytes = self.bytes.saturating_sub(slot.size.bytes);
        Some(slot)
    }

    /// Frees a slot for a session of this size, if one may go.
    fn evict_for(&mut self, size: Size, now: Now) -> bool {
        let stale = self
            .by_use
            .first()
            .filter(|(used, _)| now.since(*used) > EVICTION_AFTER);
        let smaller = self
            .by_size
            .first()
            .filter(|(other, _)| other.partitions < size.partitions);
        let victim = stale.map(|(_, id)| *id).or(smaller.map(|(_, id)| *id));
        victim.is_some_and(|id| self.remove(id).is_some())
    }

    fn free_id(&self, random: &dyn Random) -> Option<i32> {
        (0..DRAWS_MAX)
            .map(|_| 1 + random.below(i32::MAX as u64 - 1))
            .filter_map(|id| i32::try_from(id).ok())
            .find(|id| !self.sessions.contains_key(id))
    }
}

#[cfg(test)]
mod tests {
    use headwater_env::OsRandom;
    use headwater_wire::messages::fetch::{FetchPartition, ForgottenTopic, PartitionData};

    use super::super::session::wanted;
    use super::super::wanted::Naming;
    use super::*;
    use crate::topics::TopicMap;

    fn at(seconds: u64) -> Now {
        Now::from_nanos(0) + Duration::from_secs(seconds)
    }

    fn session(size: i32) -> Session {
        let wanted: Vec<_> = (0..size)
            .map(|partition| {
                let asked = FetchPartition {
                    partition,
                    ..Default::default()
                };
                wanted("t", asked)
            })
            .collect();
        let data = PartitionData::default();
        let answered = wanted.iter().map(|wanted| (wanted, &data));
        Session::begin(Naming::Names, answered, &TopicMap::empty())
    }

    #[test]
    fn a_full_table_keeps_what_is_in_use() {
        let sessions = FetchSessions::new(2);
        let begin = |size, now| sessions.begin(session(size), at(now), &OsRandom);
        let first = begin(3, 0).expect("a slot");
        let second = begin(5, 0).expect("a slot");
        assert_ne!(first, second);
        assert_eq!(begin(9, 100), None, "both are young");

        assert!(sessions.touch(first, session(3).size(), at(121)));
        assert!(sessions.touch(second, session(5).size(), at(121)));
        assert_eq!(begin(3, 122), None, "none is smaller");
        let third = begin(4, 122).expect("the slot of the first");
        assert!(sessions.get(first).is_none());
        assert!(sessions.get(second).is_some());

        let fourth = begin(1, 242).expect("the slot of the second, which is stale");
        assert!(sessions.get(second).is_none());
        assert!(sessions.get(third).is_some());
        sessions.end(fourth);
        assert!(sessions.get(fourth).is_none());
        assert!(begin(1, 242).is_some());
    }

    #[test]
    fn without_slots_there_are_no_sessions() {
        let sessions = FetchSessions::new(0);
        assert_eq!(sessions.begin(session(1), at(0), &OsRandom), None);
    }

    #[test]
    fn sessions_may_not_grow_without_bound() {
        let sessions = FetchSessions::new(10);
        let id = sessions.begin(session(1), at(0), &OsRandom).expect("room");
        let huge = Size {
            partitions: 1,
            bytes: BYTES_MAX + 1,
        };
        assert!(!sessions.touch(id, huge, at(1)));
        assert!(sessions.get(id).is_none());
    }

    #[test]
    fn names_count_and_those_that_no_topic_can_have_are_not_kept() {
        let data = PartitionData::default();
        let session = |name: &str| {
            let wanted = [wanted(name, FetchPartition::default())];
            let answered = wanted.iter().map(|wanted| (wanted, &data));
            Session::begin(Naming::Names, answered, &TopicMap::empty())
        };
        let (short, long) = (session("t").size(), session(&"t".repeat(249)).size());
        assert_eq!(long.bytes - short.bytes, 248);
        assert_eq!(session(&"t".repeat(250)).size().partitions, 0);
        let mut open = session("t");
        let forgotten = ForgottenTopic {
            topic: "t".to_owned(),
            partitions: vec![0],
            ..Default::default()
        };
        open.update(Vec::new(), vec![forgotten]);
        assert_eq!(open.size().bytes, 0);
    }
}
