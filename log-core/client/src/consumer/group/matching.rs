//! Patterns of topics, matched against the cluster's metadata by the consumer itself.

use std::collections::BTreeSet;

use super::super::core::Core;
use super::super::subscription::{Pattern, Subscription};
use super::Group;
use crate::cluster::Topics;

impl Group {
    /// Matches the pattern, if there is one, when it is new and every `metadata.max.age.ms`.
    pub(super) async fn match_topics(&self, core: &Core) {
        loop {
            let pattern = match &self.state.lock().subscription {
                Subscription::Pattern { pattern, .. } => Some(pattern.clone()),
                _ => None,
            };
            let mut pause = core.config.metadata_max_age;
            if let Some(pattern) = pattern {
                match self.find_topics(core, &pattern).await {
                    Some(topics) => {
                        self.matched(topics);
                        core.ready.notify_one();
                    }
                    None => pause = core.cluster.config.retry_backoff_max,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.look.notified() => {}
            }
        }
    }

    /// The topics there are whose names match.
    async fn find_topics(&self, core: &Core, pattern: &Pattern) -> Option<BTreeSet<String>> {
        let limit = core.config.request_timeout;
        let all = core
            .cluster
            .refresh(&core.channel, Topics::All, false, limit)
            .await;
        if let Err(error) = all {
            tracing::debug!(group = %self.id, %error, "topics could not be matched");
            core.tell_if_unreachable(&error);
            return None;
        }
        let view = core.cluster.view();
        let found = view.topics.values().filter(|topic| {
            pattern.matches(&topic.name)
                && !(topic.is_internal && core.config.exclude_internal_topics)
        });
        Some(found.map(|topic| topic.name.to_string()).collect())
    }
}
