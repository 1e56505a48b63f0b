//! Topics of a subscription: patterns, matched against the cluster's metadata by the consumer
//! itself, and names, which the broker may have to make topics of.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::core::Core;
use super::super::subscription::{Pattern, Subscription};
use super::Group;
use crate::cluster::Topics;

impl Group {
    /// Matches the pattern, if there is one, when it is new and every `metadata.max.age.ms`. Names
    /// are asked for as often under the consumer protocol, in which nobody else does.
    pub(super) async fn match_topics(&self, core: &Core) {
        loop {
            let subscription = self.state.lock().subscription.clone();
            let is_done = match subscription {
                Subscription::Pattern { pattern, .. } => {
                    let found = self.find_topics(core, &pattern).await;
                    found.is_some_and(|topics| {
                        self.matched(topics);
                        core.ready.notify_one();
                        true
                    })
                }
                Subscription::Topics(topics) if self.member.is_some() => {
                    self.make_topics(core, topics).await
                }
                _ => true,
            };
            let pause = if is_done {
                core.config.metadata_max_age
            } else {
                core.cluster.config.retry_backoff_max
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.look.notified() => {}
            }
        }
    }

    /// Asks for topics in such a way that the broker makes those that are missing, if both sides
    /// want that. False if it could not be asked.
    async fn make_topics(&self, core: &Core, topics: BTreeSet<String>) -> bool {
        if !core.config.allow_auto_create_topics || topics.is_empty() {
            return true;
        }
        let topics: Vec<Arc<str>> = topics.into_iter().map(Into::into).collect();
        let (named, limit) = (Topics::Named(&topics), core.config.request_timeout);
        let asked = core.cluster.refresh(&core.channel, named, true, limit);
        if let Err(error) = &asked.await {
            tracing::debug!(group = %self.id, %error, "topics could not be asked for");
            core.tell_if_unreachable(error);
            return false;
        }
        true
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
