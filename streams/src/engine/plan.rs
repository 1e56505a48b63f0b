//! Topics and tasks of a topology, once the sizes of its outer topics are known.

use std::collections::BTreeMap;

use super::{NodeId, NodeKind, SubTopology, TaskId, Topology, TopologyError};

/// What an application needs in the log, and what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Partitions of every topic that is read, by its name in the log.
    pub partitions: BTreeMap<String, i32>,
    /// Topics between sub-topologies.
    pub repartition_topics: Vec<InternalTopic>,
    /// Topics behind stores.
    pub changelog_topics: Vec<InternalTopic>,
    /// All tasks with the topics each reads; its partition of every topic is the task's.
    pub tasks: BTreeMap<TaskId, Vec<String>>,
}

/// A topic that the application makes for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopic {
    /// Name in the log.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Topic configs.
    pub config: BTreeMap<String, String>,
}

impl Topology {
    /// Sizes repartition topics and changelogs and numbers the tasks, for the application
    /// `application_id`. `size_of` gives the partitions of outer topics.
    ///
    /// A repartition topic has the number it was declared with, else that of the topics it is
    /// joined with, else the greatest number among the topics its records come from.
    ///
    /// # Errors
    /// [`TopologyError`] if an outer topic is missing, joined topics differ in size, or a size
    /// cannot be told.
    pub fn plan(
        &self,
        application_id: &str,
        size_of: impl Fn(&str) -> Option<i32>,
    ) -> Result<Plan, TopologyError> {
        let mut sizes: BTreeMap<String, i32> = BTreeMap::new();
        let internal: BTreeMap<&str, &super::RepartitionSpec> = self
            .repartitions()
            .iter()
            .map(|spec| (spec.name.as_str(), spec))
            .collect();
        for part in self.subtopologies() {
            for topic in self.topics_of(part) {
                if internal.contains_key(topic.as_str()) {
                    continue;
                }
                let size = size_of(&topic).filter(|size| *size > 0);
                let size = size.ok_or_else(|| TopologyError::MissingTopic(topic.clone()))?;
                sizes.insert(topic, size);
            }
        }
        for (name, spec) in &internal {
            if let Some(partitions) = spec.partitions {
                sizes.insert((*name).to_owned(), partitions);
            }
        }
        self.size_repartitions(&internal, &mut sizes)?;
        self.check_copartitions(&sizes)?;
        Ok(self.lay_out(application_id, &internal, &sizes))
    }

    /// Names, without the application, of the topics a sub-topology reads.
    fn topics_of(&self, part: &SubTopology) -> Vec<String> {
        part.sources
            .iter()
            .flat_map(|source| self.topics_of_source(*source))
            .collect()
    }

    fn topics_of_source(&self, source: NodeId) -> Vec<String> {
        match self.node(source).map(|node| &node.kind) {
            Some(NodeKind::Source(source)) => source
                .topics
                .iter()
                .map(|topic| topic.name().to_owned())
                .collect(),
            _ => Vec::new(),
        }
    }

    fn writers_of(&self, topic: &str) -> Vec<&SubTopology> {
        let writes = |id: &NodeId| match self.node(*id).map(|node| &node.kind) {
            Some(NodeKind::Sink(sink)) => sink.topic.name() == topic,
            _ => false,
        };
        self.subtopologies()
            .iter()
            .filter(|part| part.nodes.iter().any(writes))
            .collect()
    }

    /// Repartition topics may depend on one another: goes round until nothing new is learnt.
    fn size_repartitions(
        &self,
        internal: &BTreeMap<&str, &super::RepartitionSpec>,
        sizes: &mut BTreeMap<String, i32>,
    ) -> Result<(), TopologyError> {
        loop {
            let mut learnt = false;
            for name in internal.keys() {
                if sizes.contains_key(*name) {
                    continue;
                }
                if let Some(size) = self.size_from_joins(name, internal, sizes) {
                    sizes.insert((*name).to_owned(), size);
                    learnt = true;
                }
            }
            if learnt {
                continue;
            }
            for name in internal.keys() {
                if sizes.contains_key(*name) {
                    continue;
                }
                if let Some(size) = self.size_from_writers(name, sizes) {
                    sizes.insert((*name).to_owned(), size);
                    learnt = true;
                    break;
                }
            }
            if !learnt {
                break;
            }
        }
        match internal.keys().find(|name| !sizes.contains_key(**name)) {
            Some(name) => Err(TopologyError::UnknownPartitions((*name).to_owned())),
            None => Ok(()),
        }
    }

    /// Outer topics and sized repartition topics that it is joined with.
    fn size_from_joins(
        &self,
        name: &str,
        internal: &BTreeMap<&str, &super::RepartitionSpec>,
        sizes: &BTreeMap<String, i32>,
    ) -> Option<i32> {
        let mut found = None;
        for group in self.copartitions() {
            let topics: Vec<String> = group
                .iter()
                .flat_map(|source| self.topics_of_source(*source))
                .collect();
            if !topics.iter().any(|topic| topic == name) {
                continue;
            }
            let outer = topics
                .iter()
                .find(|topic| !internal.contains_key(topic.as_str()));
            let sized = topics.iter().filter_map(|topic| sizes.get(topic)).max();
            found = found.max(outer.and_then(|topic| sizes.get(topic)).or(sized).copied());
        }
        found
    }

    /// The greatest number of partitions among what the writers read, once all are known.
    fn size_from_writers(&self, name: &str, sizes: &BTreeMap<String, i32>) -> Option<i32> {
        let mut size = None;
        for part in self.writers_of(name) {
            for topic in self.topics_of(part) {
                if topic != name {
                    size = size.max(Some(*sizes.get(&topic)?));
                }
            }
        }
        size
    }

    fn check_copartitions(&self, sizes: &BTreeMap<String, i32>) -> Result<(), TopologyError> {
        for group in self.copartitions() {
            let topics: Vec<(String, i32)> = group
                .iter()
                .flat_map(|source| self.topics_of_source(*source))
                .filter_map(|topic| sizes.get(&topic).map(|size| (topic.clone(), *size)))
                .collect();
            let first = topics.first().map(|(_, size)| *size);
            if topics.iter().any(|(_, size)| Some(*size) != first) {
                let topics: Vec<String> = topics
                    .iter()
                    .map(|(topic, size)| format!("{topic} ({size})"))
                    .collect();
                return Err(TopologyError::NotCopartitioned {
                    topics: topics.join(", "),
                });
            }
        }
        Ok(())
    }

    fn lay_out(
        &self,
        application_id: &str,
        internal: &BTreeMap<&str, &super::RepartitionSpec>,
        sizes: &BTreeMap<String, i32>,
    ) -> Plan {
        let resolve = |name: &str| match internal.contains_key(name) {
            true => format!("{application_id}-{name}"),
            false => name.to_owned(),
        };
        let mut plan = Plan {
            partitions: sizes
                .iter()
                .map(|(name, size)| (resolve(name), *size))
                .collect(),
            repartition_topics: Vec::new(),
            changelog_topics: Vec::new(),
            tasks: BTreeMap::new(),
        };
        for (name, spec) in internal {
            let mut config = BTreeMap::from([
                ("cleanup.policy".to_owned(), "delete".to_owned()),
                ("retention.ms".to_owned(), "-1".to_owned()),
            ]);
            config.extend(spec.config.clone());
            let partitions = sizes.get(*name).copied().unwrap_or(1);
            plan.repartition_topics.push(InternalTopic {
                name: resolve(name),
                partitions,
                config,
            });
        }
        for part in self.subtopologies() {
            let topics = self.topics_of(part);
            let count = topics
                .iter()
                .filter_map(|topic| sizes.get(topic))
                .max()
                .copied();
            let count = count.unwrap_or(0);
            for partition in 0..count {
                let own = topics
                    .iter()
                    .filter(|topic| sizes.get(*topic) > Some(&partition));
                let own = own.map(|topic| resolve(topic)).collect();
                plan.tasks.insert(
                    TaskId {
                        subtopology: part.id,
                        partition,
                    },
                    own,
                );
            }
            for store in part
                .stores
                .iter()
                .filter_map(|store| self.stores().get(*store))
            {
                if store.changelog {
                    let mut config =
                        BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
                    config.extend(store.changelog_config.clone());
                    plan.changelog_topics.push(InternalTopic {
                        name: changelog_topic(application_id, &store.name),
                        partitions: count,
                        config,
                    });
                }
            }
        }
        plan
    }
}

/// Name of the changelog of `store` in the log.
pub fn changelog_topic(application_id: &str, store: &str) -> String {
    format!("{application_id}-{store}-changelog")
}
