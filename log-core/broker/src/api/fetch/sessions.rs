//! All fetch sessions of a broker: as many as there are slots, and not for ever.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use headwater_env::{Now, Random};
use parking_lot::Mutex;

use super::session::Session;

/// How long a session may be unused before any other may take its slot, and how long it is safe
/// from larger ones after it began.
const EVICTION_AFTER: Duration = Duration::from_secs(120);
/// Partitions of all sessions together. Each costs some 200 bytes; with more, clients are told to
/// do without a session.
const PARTITIONS_MAX: usize = 1_000_000;
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
    by_size: BTreeSet<(usize, i32)>,
    partitions: usize,
}

#[derive(Debug)]
struct Slot {
    session: Arc<Mutex<Session>>,
    began: Now,
    used: Now,
    size: usize,
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
        let size = session.len();
        let mut table = self.table.lock();
        let has_room = table.sessions.len() < self.slots || table.evict_for(size, now);
        if !has_room || table.partitions.saturating_add(size) > PARTITIONS_MAX {
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
        table.partitions += size;
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

    /// Notes that the session was used and has `size` partitions now. Returns whether it goes on:
    /// it does not if it has grown beyond what all sessions together may hold.
    pub(super) fn touch(&self, id: i32, size: usize, now: Now) -> bool {
        let mut table = self.table.lock();
        let Some(mut slot) = table.remove(id) else {
            // It lost its slot while the request was on its way, and ends with its answer.
            return true;
        };
        if table.partitions.saturating_add(size) > PARTITIONS_MAX {
            return false;
        }
        slot.used = now;
        slot.size = size;
        table.by_use.insert((now, id));
        if now.since(slot.began) > EVICTION_AFTER {
            table.by_size.insert((size, id));
        }
        table.partitions += size;
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
        self.partitions = self.partitions.saturating_sub(slot.size);
        Some(slot)
    }

    /// Frees a slot for a session of `size` partitions, if one may go.
    fn evict_for(&mut self, size: usize, now: Now) -> bool {
        let stale = self
            .by_use
            .first()
            .filter(|(used, _)| now.since(*used) > EVICTION_AFTER);
        let smaller = self.by_size.first().filter(|(other, _)| *other < size);
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
    use headwater_wire::messages::fetch::{FetchPartition, PartitionData};

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

        assert!(sessions.touch(first, 3, at(121)));
        assert!(sessions.touch(second, 5, at(121)));
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
        assert!(!sessions.touch(id, PARTITIONS_MAX + 1, at(1)));
        assert!(sessions.get(id).is_none());
    }
}
