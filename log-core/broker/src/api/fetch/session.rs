//! A fetch session (KIP-227): what a client wants from fetch to fetch, and what it was told last.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use headwater_wire::messages::fetch::{ForgottenTopic, PartitionData};
use uuid::Uuid;

use super::wanted::{Naming, TopicRef, Wanted};
use crate::topic_creation::check_name;
use crate::topics::TopicMap;

/// Epoch of the first request of a session, which names all of it.
pub(super) const FULL_EPOCH: i32 = 0;
/// Epoch of a request outside any session. It ends the session it names.
pub(super) const FINAL_EPOCH: i32 = -1;

/// The epoch of the request after the one with `epoch`.
pub(super) fn epoch_after(epoch: i32) -> i32 {
    match epoch {
        i32::MAX => 1,
        epoch => epoch + 1,
    }
}

/// What tells partitions of a session apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Named(Arc<str>, i32),
    Id(Uuid, i32),
}

impl Key {
    fn of(topic: &TopicRef, partition: i32) -> Self {
        match topic.naming {
            Naming::Names => Self::Named(Arc::clone(&topic.name), partition),
            Naming::Ids => Self::Id(topic.id, partition),
        }
    }
}

/// A partition of a session, and what its client knows of it.
#[derive(Debug, Clone)]
struct Cached {
    wanted: Wanted,
    high_watermark: i64,
    log_start_offset: i64,
}

impl Cached {
    fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            high_watermark: -1,
            log_start_offset: -1,
        }
    }

    /// Whether the client has to be told `data`. Remembers what it is told.
    fn is_news(&mut self, data: &PartitionData) -> bool {
        let mut news = has_records(data) || data.diverging_epoch.epoch >= 0;
        if self.high_watermark != data.high_watermark {
            self.high_watermark = data.high_watermark;
            news = true;
        }
        if self.log_start_offset != data.log_start_offset {
            self.log_start_offset = data.log_start_offset;
            news = true;
        }
        if data.error_code != 0 {
            // The end of the error is news as well.
            self.high_watermark = -1;
            news = true;
        }
        news
    }
}

fn has_records(data: &PartitionData) -> bool {
    data.records
        .as_ref()
        .is_some_and(|records| !records.is_empty())
}

/// A client's session. Partitions are read in its order, and who was given records goes to the
/// end, so that none starves behind the others when answers are full.
#[derive(Debug)]
pub(super) struct Session {
    naming: Naming,
    /// Epoch that the next request has to have.
    epoch: i32,
    partitions: BTreeMap<u64, Cached>,
    places: HashMap<Key, u64>,
    next_place: u64,
    /// Bytes of memory, about.
    bytes: usize,
}

/// How much a session holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size {
    pub(super) partitions: usize,
    /// Bytes of memory, about.
    pub(super) bytes: usize,
}

/// What a partition takes besides the name of its topic, in bytes: in both tables of a session,
/// which are a quarter empty.
const PARTITION_BYTES: usize = 400;

fn bytes_of(wanted: &Wanted) -> usize {
    PARTITION_BYTES + wanted.topic.name.len()
}

impl Session {
    /// A session that begins with the answers to a full fetch.
    pub(super) fn begin<'a>(
        naming: Naming,
        answered: impl Iterator<Item = (&'a Wanted, &'a PartitionData)>,
        topics: &TopicMap,
    ) -> Self {
        let mut session = Self {
            naming,
            epoch: epoch_after(FULL_EPOCH),
            partitions: BTreeMap::new(),
            places: HashMap::new(),
            next_place: 0,
            bytes: 0,
        };
        for (wanted, data) in answered {
            session.want(wanted.clone());
            if let Some(cached) = session.cached(wanted) {
                cached.is_news(data);
            }
        }
        session.name_ids(topics);
        session
    }

    /// The epoch that the next request has to have.
    pub(super) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// How its requests name topics.
    pub(super) fn naming(&self) -> Naming {
        self.naming
    }

    /// What it holds.
    pub(super) fn size(&self) -> Size {
        Size {
            partitions: self.partitions.len(),
            bytes: self.bytes,
        }
    }

    /// Takes in what a request adds, changes and gives up.
    pub(super) fn update(&mut self, wanted: Vec<Wanted>, forgotten: Vec<ForgottenTopic>) {
        for wanted in wanted {
            self.want(wanted);
        }
        for topic in forgotten {
            let named = TopicRef {
                naming: self.naming,
                id: topic.topic_id,
                name: Arc::from(topic.topic),
            };
            for partition in topic.partitions {
                if let Some(place) = self.places.remove(&Key::of(&named, partition))
                    && let Some(cached) = self.partitions.remove(&place)
                {
                    self.bytes = self.bytes.saturating_sub(bytes_of(&cached.wanted));
                }
            }
        }
    }

    /// Goes on to the next epoch and returns what to read, in order.
    pub(super) fn advance(&mut self, topics: &TopicMap) -> Vec<Wanted> {
        self.epoch = epoch_after(self.epoch);
        self.name_ids(topics);
        self.partitions
            .values()
            .map(|cached| cached.wanted.clone())
            .collect()
    }

    /// Whether the client has to be told `data`. Remembers what it is told.
    pub(super) fn is_news(&mut self, wanted: &Wanted, data: &PartitionData) -> bool {
        let key = Key::of(&wanted.topic, wanted.asked.partition);
        let Some(place) = self.places.get(&key).copied() else {
            return false;
        };
        let Some(cached) = self.partitions.get_mut(&place) else {
            return false;
        };
        let news = cached.is_news(data);
        if has_records(data)
            && let Some(cached) = self.partitions.remove(&place)
        {
            self.put(key, cached);
        }
        news
    }

    fn want(&mut self, wanted: Wanted) {
        let naming = self.naming;
        match self.cached(&wanted) {
            Some(cached) => cached.wanted.asked = wanted.asked,
            // It is told that there is no such topic, now and, having no place here, never again.
            None if naming == Naming::Names && check_name(&wanted.topic.name).is_err() => {}
            None => {
                self.bytes += bytes_of(&wanted);
                let key = Key::of(&wanted.topic, wanted.asked.partition);
                self.put(key, Cached::new(wanted));
            }
        }
    }

    fn put(&mut self, key: Key, cached: Cached) {
        let place = self.next_place;
        self.next_place += 1;
        self.partitions.insert(place, cached);
        self.places.insert(key, place);
    }

    fn cached(&mut self, wanted: &Wanted) -> Option<&mut Cached> {
        let key = Key::of(&wanted.topic, wanted.asked.partition);
        let place = self.places.get(&key)?;
        self.partitions.get_mut(place)
    }

    /// Remembers the names behind ids, so that a topic that goes is told from one that never was.
    fn name_ids(&mut self, topics: &TopicMap) {
        if self.naming == Naming::Names {
            return;
        }
        let unnamed = self
            .partitions
            .values_mut()
            .map(|cached| &mut cached.wanted.topic)
            .filter(|topic| topic.name.is_empty());
        for topic in unnamed {
            if let Some(found) = topics.by_id(topic.id) {
                topic.name = Arc::from(found.image.name.as_str());
                self.bytes += topic.name.len();
            }
        }
    }
}

/// The partition that an update with these fields would want.
#[cfg(test)]
pub(super) fn wanted(name: &str, asked: headwater_wire::messages::fetch::FetchPartition) -> Wanted {
    Wanted {
        topic: TopicRef {
            naming: Naming::Names,
            id: Uuid::nil(),
            name: Arc::from(name),
        },
        asked,
    }
}
