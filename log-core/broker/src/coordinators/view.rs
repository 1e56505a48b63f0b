//! What group coordinators see of the rest of the node.

use std::sync::Arc;

use headwater_coordination::groups::{GroupSettings, Topics, TopicsView};
use uuid::Uuid;

use crate::config::times_of;
use crate::live_config::Effective;
use crate::node::Node;
use crate::topics::TopicMap;

/// The topics and the configuration as they are now.
pub(crate) fn current(node: &Node) -> Topics {
    Topics::new(Arc::new(View {
        topics: node.topics.load(),
        config: node.live.load(),
    }))
}

struct View {
    topics: Arc<TopicMap>,
    config: Arc<Effective>,
}

impl TopicsView for View {
    fn version(&self) -> u64 {
        self.topics.version
    }

    fn find(&self, name: &str) -> Option<(Uuid, i32)> {
        let topic = self.topics.by_name(name)?;
        Some((topic.image.id, topic.image.partition_count()))
    }

    fn name_of(&self, id: Uuid) -> Option<&str> {
        Some(&self.topics.by_id(id)?.image.name)
    }

    fn for_each_name(&self, each: &mut dyn FnMut(&str)) {
        self.topics.image.names.keys().for_each(|name| each(name));
    }

    fn group_settings(&self, group_id: &str) -> GroupSettings {
        let own = self.config.image().groups.get(group_id);
        let times = times_of(self.config.settings(), own);
        GroupSettings {
            session_timeout: Some(times.session_timeout),
            heartbeat_interval: Some(times.heartbeat_interval),
            assignment_interval: Some(times.assignment_interval),
        }
    }
}
