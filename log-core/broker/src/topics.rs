//! The topics of this node: metadata and logs side by side.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_storage::{KnownPartition, PartitionLog, Stopped, Storage, TopicPartitionId};
use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use crate::config::TopicConfig;
use crate::internal_topics;
use crate::live_config::LiveConfig;
use crate::metadata::{ClusterImage, TopicImage};
use crate::quorum::MetadataQuorum;

/// A topic with its logs.
pub(crate) struct Topic {
    pub(crate) image: Arc<TopicImage>,
    pub(crate) config: Arc<TopicConfig>,
    /// Log of each partition, by its number.
    pub(crate) logs: Vec<Arc<PartitionLog>>,
}

/// All topics as of one metadata image. Immutable: requests hold one for as long as they look.
pub(crate) struct TopicMap {
    pub(crate) image: Arc<ClusterImage>,
    /// Grows with every image whose topics are not those of the one before, since the node started:
    /// who keeps what it found in the topics looks again when this has grown.
    pub(crate) version: u64,
    by_name: HashMap<String, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl TopicMap {
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    pub(crate) fn in_name_order(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.image
            .names
            .values()
            .filter_map(|id| self.by_id.get(id))
    }

    pub(crate) fn empty() -> Self {
        Self {
            image: Arc::default(),
            version: 0,
            by_name: HashMap::new(),
            by_id: HashMap::new(),
        }
    }
}

/// Whether two images have the same topics with the same partitions and configurations.
fn are_same(one: &ClusterImage, other: &ClusterImage) -> bool {
    let pairs = one.topics.iter().zip(&other.topics);
    one.topics.len() == other.topics.len()
        && pairs
            .into_iter()
            .all(|((id, topic), (other_id, other))| id == other_id && Arc::ptr_eq(topic, other))
}

/// Keeps the topics in step with the metadata.
pub(crate) struct Topics {
    storage: Storage,
    live: Arc<LiveConfig>,
    current: RwLock<Arc<TopicMap>>,
    /// Held while one image is turned into the next.
    following: Mutex<()>,
    /// Partitions that are gone from the metadata and still on disk.
    doomed: Mutex<Vec<TopicPartitionId>>,
}

impl Topics {
    pub(crate) fn new(storage: Storage, live: Arc<LiveConfig>) -> Self {
        Self {
            storage,
            live,
            current: RwLock::new(Arc::new(TopicMap::empty())),
            following: Mutex::new(()),
            doomed: Mutex::new(Vec::new()),
        }
    }

    /// The topics as they are now.
    pub(crate) fn load(&self) -> Arc<TopicMap> {
        Arc::clone(&self.current.read())
    }

    /// Makes logs for what is new in the quorum's image, reconfigures what changed and takes out
    /// what was deleted. Returns whether there are partitions to be deleted from disk. Changing
    /// a topic's durability waits for the disk.
    ///
    /// # Errors
    /// [`Stopped`] if logs cannot be made any more.
    pub(crate) fn follow(&self, quorum: &dyn MetadataQuorum) -> Result<bool, Stopped> {
        let _one_at_a_time = self.following.lock();
        let image = quorum.image();
        let before = self.load();
        if Arc::ptr_eq(&image, &before.image) {
            return Ok(false);
        }
        let are_defaults_changed = self.live.follow(&image.configs);
        let is_changed = !are_same(&before.image, &image);
        let mut next = TopicMap {
            version: before.version + u64::from(is_changed),
            by_name: HashMap::with_capacity(image.topics.len()),
            by_id: HashMap::with_capacity(image.topics.len()),
            image,
        };
        for (id, topic_image) in &next.image.topics {
            let topic = match before.by_id(*id) {
                Some(topic) if !are_defaults_changed && Arc::ptr_eq(&topic.image, topic_image) => {
                    Arc::clone(topic)
                }
                known => Arc::new(self.build(topic_image, known)?),
            };
            next.by_name
                .insert(topic_image.name.clone(), Arc::clone(&topic));
            next.by_id.insert(*id, topic);
        }
        let gone = before
            .by_id
            .values()
            .filter(|topic| next.by_id(topic.image.id).is_none());
        let gone = gone.flat_map(|topic| {
            let topic_id = topic.image.id;
            (0..topic.image.partition_count()).map(move |partition| TopicPartitionId {
                topic: topic_id,
                partition,
            })
        });
        let any_gone = {
            let mut doomed = self.doomed.lock();
            doomed.extend(gone);
            !doomed.is_empty()
        };
        *self.current.write() = Arc::new(next);
        Ok(any_gone)
    }

    /// The partitions of an image, as recovery is told of them.
    pub(crate) fn known(&self, image: &ClusterImage) -> Vec<KnownPartition> {
        let of_topic = |topic: &Arc<TopicImage>| {
            let config = self.config_of(topic).log;
            let (topic, partitions) = (Arc::clone(topic), topic.partition_count());
            (0..partitions).map(move |partition| {
                let id = TopicPartitionId {
                    topic: topic.id,
                    partition,
                };
                KnownPartition {
                    id,
                    name: topic.name.clone(),
                    config: config.clone(),
                }
            })
        };
        image.topics.values().flat_map(of_topic).collect()
    }

    /// Takes the partitions to be deleted from disk.
    pub(crate) fn take_doomed(&self) -> Vec<TopicPartitionId> {
        std::mem::take(&mut *self.doomed.lock())
    }

    /// Has a partition that could not be deleted from disk tried again.
    pub(crate) fn doom(&self, id: TopicPartitionId) {
        self.doomed.lock().push(id);
    }

    fn build(
        &self,
        image: &Arc<TopicImage>,
        before: Option<&Arc<Topic>>,
    ) -> Result<Topic, Stopped> {
        let config = Arc::new(self.config_of(image));
        let known = before
            .map(|topic| topic.logs.as_slice())
            .unwrap_or_default();
        let mut logs = Vec::with_capacity(image.partitions.len());
        for (partition, at) in (0..image.partition_count()).zip(0_usize..) {
            let id = TopicPartitionId {
                topic: image.id,
                partition,
            };
            let log = match known.get(at) {
                Some(log) => {
                    if let Err(error) = log.set_config(config.log.clone()) {
                        tracing::error!(partition = %id, %error, "durability stays as it was");
                    }
                    Arc::clone(log)
                }
                None => self
                    .storage
                    .create_partition(id, &image.name, config.log.clone())?,
            };
            logs.push(log);
        }
        Ok(Topic {
            logs,
            config,
            image: Arc::clone(image),
        })
    }

    /// The topic's configuration. A setting that does not hold any more, because a later release
    /// changed what is valid or the broker was started with another default, gives way by itself
    /// rather than keep the node from starting.
    fn config_of(&self, image: &TopicImage) -> TopicConfig {
        let live = self.live.load();
        let (mut config, faults) = TopicConfig::in_force(live.topic_defaults(), &image.configs);
        for error in faults {
            tracing::error!(topic = image.name, %error, "a setting of the topic gives way");
        }
        if internal_topics::keep(&image.name, &mut config) {
            tracing::error!(
                topic = image.name,
                "synced and compacted although its configuration says otherwise; mend that"
            );
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use super::are_same;
    use crate::metadata::{ClusterImage, Command, NewTopic};

    #[test]
    fn only_what_changes_topics_makes_others_look_again() {
        let mut before = ClusterImage::default();
        let id = Uuid::from_u128(1);
        let create = Command::CreateTopic(NewTopic {
            name: "t".into(),
            id,
            replicas: vec![vec![1]],
            configs: BTreeMap::new(),
        });
        before.apply(1, &create);
        let after = |command: &Command| {
            let mut image = before.clone();
            image.apply(2, command);
            image
        };
        let features = Command::FinalizeFeatures {
            expected: before.features.epoch,
            levels: BTreeMap::from([("group.version".to_owned(), 1)]),
        };
        assert!(are_same(&before, &after(&features)));
        let grow = Command::AddPartitions {
            id,
            expected: 1,
            replicas: vec![vec![1]],
        };
        assert!(!are_same(&before, &after(&grow)));
        assert!(!are_same(&before, &after(&Command::DeleteTopic { id })));
        assert!(!are_same(&ClusterImage::default(), &before));
    }
}
