//! Membership under the classic protocol: heartbeats, leaving, and what a leader watches.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::heartbeat::HeartbeatRequest;
use headwater_wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use tokio::time::Instant;

use super::super::assignor::TopicPartitions;
use super::super::config::ConsumerConfig;
use super::super::core::Core;
use super::{Group, Phase};
use crate::cluster::{Cluster, Topics};
use crate::coordinator::is_elsewhere;
use crate::error::ClientError;
use crate::transport::Target;

/// How often a leader looks whether subscribed topics that are missing have come to be.
const MISSING_TOPICS_INTERVAL: Duration = Duration::from_millis(500);

impl Group {
    pub(in crate::consumer) fn request_rejoin(&self, reason: &str) {
        let mut state = self.state.lock();
        if state.rejoin.is_none() {
            tracing::debug!(group = %self.id, reason, "the member has to join");
            state.rejoin = Some(reason.to_owned());
        }
    }

    /// The coordinator waits for members to join. One that is joining knows: told so late, it would
    /// only begin the next rebalance.
    pub(super) fn met_rebalance(&self, reason: &str) {
        if self.state.lock().phase == Phase::Stable {
            self.request_rejoin(reason);
        }
    }

    /// The coordinator no longer has this member, or not in this generation.
    pub(super) fn lose(&self, generation_id: i32, code: ErrorCode) {
        let mut state = self.state.lock();
        // News of a generation that is over changes nothing.
        if state.generation_id != generation_id || state.phase == Phase::Joining {
            return;
        }
        state.generation_id = -1;
        state.phase = Phase::Out;
        state.is_lost = true;
        if code == ErrorCode::UnknownMemberId {
            state.member_id = String::new();
        }
        state
            .rejoin
            .get_or_insert_with(|| code.message().to_owned());
    }

    /// Leaves, unless the member is static.
    pub(super) async fn leave_classic(&self, core: &Core, reason: &str) {
        let member_id = {
            let mut state = self.state.lock();
            let was_in = state.generation_id >= 0 || !state.member_id.is_empty();
            state.phase = Phase::Out;
            state.generation_id = -1;
            state.counted = None;
            if self.instance_id.is_some() || !was_in {
                return;
            }
            std::mem::take(&mut state.member_id)
        };
        let limit = core.config.request_timeout.min(Duration::from_secs(5));
        let left = async {
            let node = self
                .coordinator
                .find(&core.cluster, &core.channel, limit)
                .await?;
            let call = core
                .channel
                .call(Target::Node(node), limit, i16::MAX, |version| {
                    let mut request = LeaveGroupRequest {
                        group_id: self.id.clone(),
                        ..Default::default()
                    };
                    if version >= 3 {
                        request.members = vec![MemberIdentity {
                            member_id: member_id.clone(),
                            reason: Some(reason.to_owned()),
                            ..MemberIdentity::default()
                        }];
                    } else {
                        request.member_id.clone_from(&member_id);
                    }
                    request
                });
            call.await
        };
        if let Err(error) = left.await {
            // The session timeout will do it.
            tracing::debug!(group = %self.id, %error, "the group could not be left");
        }
    }

    /// Heartbeats at their interval, and what else is due regularly.
    pub(super) async fn beat_as_classic(&self, core: &Arc<Core>) {
        let group = self;
        let mut last_look = Instant::now();
        loop {
            let phase = group.state.lock().phase;
            let pause = match phase {
                Phase::Stable => group.tick(&core.config),
                Phase::Out | Phase::Joining => core.config.heartbeat_interval,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = group.beat.notified() => continue,
            }
            let (is_stable, is_late) = {
                let state = group.state.lock();
                let is_late = state.last_poll.elapsed() > core.config.max_poll_interval;
                (state.phase == Phase::Stable, is_late)
            };
            if !is_stable {
                continue;
            }
            if is_late && group.polls.load(Ordering::Acquire) == 0 {
                group.leave_slow_classic(core).await;
                continue;
            }
            if let Err(error) = group.heartbeat(core).await {
                core.fail(error);
            }
            group.look_at_topics(core, &mut last_look).await;
        }
    }

    /// The pause before the next heartbeat.
    fn tick(&self, config: &ConsumerConfig) -> Duration {
        let interval = config.heartbeat_interval;
        if self.misses_topics() {
            interval.min(MISSING_TOPICS_INTERVAL)
        } else {
            interval
        }
    }

    fn misses_topics(&self) -> bool {
        let state = self.state.lock();
        let is_missing = |counted: &TopicPartitions| {
            let topics = state.subscription.topics();
            topics.iter().any(|topic| !counted.contains_key(topic))
        };
        state.counted.as_ref().is_some_and(is_missing)
    }

    /// `max.poll.interval.ms` has passed without a poll: others shall have the partitions.
    async fn leave_slow_classic(&self, core: &Core) {
        tracing::warn!(
            group = %self.id,
            limit = ?core.config.max_poll_interval,
            "no poll within max.poll.interval.ms; leaving the group"
        );
        self.leave_classic(core, "no poll within max.poll.interval.ms")
            .await;
        let mut state = self.state.lock();
        state.is_lost = true;
        state.rejoin = Some("no poll within max.poll.interval.ms".to_owned());
        core.ready.notify_one();
    }

    /// One heartbeat. Fails only with what ends the membership for good.
    async fn heartbeat(&self, core: &Core) -> Result<(), ClientError> {
        let member = self.metadata();
        let limit = core.config.request_timeout.min(core.config.session_timeout);
        let node = match self
            .coordinator
            .find(&core.cluster, &core.channel, limit)
            .await
        {
            Ok(node) => node,
            Err(error) => {
                tracing::debug!(group = %self.id, %error, "no coordinator to send a heartbeat to");
                return Ok(());
            }
        };
        let call = core
            .channel
            .call(Target::Node(node), limit, i16::MAX, |version| {
                HeartbeatRequest {
                    group_id: member.group_id.clone(),
                    generation_id: member.generation_id,
                    member_id: member.member_id.clone(),
                    group_instance_id: member.group_instance_id.clone().filter(|_| version >= 3),
                }
            });
        let started = Instant::now();
        let code = match call.await {
            Ok(response) => {
                core.counters.heartbeats.add(started.elapsed());
                ErrorCode::from_code(response.error_code)
            }
            Err(error) => {
                tracing::debug!(group = %self.id, %error, "a heartbeat failed");
                self.coordinator.forget(node);
                return Ok(());
            }
        };
        match code {
            ErrorCode::None => {}
            ErrorCode::RebalanceInProgress => {
                self.met_rebalance("the group is rebalancing");
                core.ready.notify_one();
            }
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => {
                self.lose(member.generation_id, code);
                core.ready.notify_one();
            }
            code if is_elsewhere(code) => self.coordinator.forget(node),
            code if code.is_retriable() => {}
            code => {
                let mut state = self.state.lock();
                state.phase = Phase::Out;
                state.is_lost = true;
                drop(state);
                return Err(ClientError::broker(
                    format!("heartbeat of group {}", self.id),
                    code,
                ));
            }
        }
        Ok(())
    }

    /// On the leader: has the group rebalance when its topics have other partitions than the
    /// assignment counted.
    async fn look_at_topics(&self, core: &Core, last_look: &mut Instant) {
        let Some(counted) = self.state.lock().counted.clone() else {
            return;
        };
        let is_due = last_look.elapsed() >= core.config.metadata_max_age || self.misses_topics();
        if !is_due {
            return;
        }
        *last_look = Instant::now();
        let mut topics: BTreeSet<Arc<str>> =
            counted.keys().map(|topic| topic.as_str().into()).collect();
        let subscribed = self.state.lock().subscription.topics();
        topics.extend(subscribed.iter().map(|topic| topic.as_str().into()));
        let topics: Vec<Arc<str>> = topics.into_iter().collect();
        let limit = core.config.request_timeout;
        let allow = core.config.allow_auto_create_topics;
        let named = Topics::Named(&topics);
        if core
            .cluster
            .refresh(&core.channel, named, allow, limit)
            .await
            .is_err()
        {
            return;
        }
        let now = count(&core.cluster, &topics);
        if now != counted && self.state.lock().counted.as_ref() == Some(&counted) {
            self.request_rejoin("the partitions of subscribed topics have changed");
            core.ready.notify_one();
        }
    }
}

/// Partition counts of those topics that exist.
pub(super) fn count(cluster: &Cluster, topics: &[Arc<str>]) -> TopicPartitions {
    let view = cluster.view();
    let known = topics.iter().filter_map(|name| view.topics.get(name));
    known
        .map(|topic| (topic.name.to_string(), topic.partition_count()))
        .collect()
}
