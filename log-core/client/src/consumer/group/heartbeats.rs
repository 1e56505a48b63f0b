//! The heartbeats of a member of the consumer protocol (KIP-848), and what its answers set going.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use headwater_wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::super::core::Core;
use super::Group;
use super::member::{Due, Member, Stage, Verdict};
use crate::cluster::Topics;
use crate::error::ClientError;
use crate::retry::Backoff;
use crate::transport::Target;

/// How often in a row the names of assigned topics are asked for, with heartbeats waiting.
const NAME_TRIES: usize = 3;

/// The longest that a member takes to say that it leaves.
const PARTING_LIMIT: Duration = Duration::from_secs(5);

impl Group {
    /// Sends heartbeats as they come due.
    pub(super) async fn beat_as_member(&self, core: &Arc<Core>, member: &Mutex<Member>) {
        let config = &core.cluster.config;
        let mut backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max);
        let mut last = Instant::now();
        let mut not_before = last;
        loop {
            let due = match member.lock().due() {
                Due::Never => None,
                Due::Now => Some(not_before),
                Due::After(interval) => Some((last + interval).max(not_before)),
            };
            let slow_at = self.slow_at(core, member);
            let next = match (due, slow_at) {
                (Some(due), Some(slow)) => Some(due.min(slow)),
                (due, slow) => due.or(slow),
            };
            let is_time = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = is_time => {}
                () = self.beat.notified() => continue,
            }
            if self
                .slow_at(core, member)
                .is_some_and(|at| at <= Instant::now())
            {
                self.leave_slow(core, member).await;
                continue;
            }
            if due.is_none_or(|due| due > Instant::now()) {
                continue;
            }
            last = Instant::now();
            if self.heartbeat_as_member(core, member).await {
                backoff.reset();
                not_before = last;
            } else {
                not_before = Instant::now() + backoff.advance();
            }
        }
    }

    /// When the member counts as slow; never while it is polled or not in the group.
    fn slow_at(&self, core: &Core, member: &Mutex<Member>) -> Option<Instant> {
        let is_in = matches!(member.lock().stage(), Stage::In | Stage::Joining);
        let is_polled = self.polls.load(Ordering::Acquire) > 0;
        (is_in && !is_polled).then(|| self.state.lock().last_poll + core.config.max_poll_interval)
    }

    /// `max.poll.interval.ms` has passed without a poll: others shall have the partitions.
    async fn leave_slow(&self, core: &Core, member: &Mutex<Member>) {
        tracing::warn!(
            group = %self.id,
            limit = ?core.config.max_poll_interval,
            "no poll within max.poll.interval.ms; leaving the group"
        );
        let parting = {
            let mut member = member.lock();
            member.fence();
            member.parting()
        };
        self.part(core, parting).await;
        core.ready.notify_one();
    }

    /// One heartbeat. False if the next has to wait a little.
    async fn heartbeat_as_member(&self, core: &Core, member: &Mutex<Member>) -> bool {
        let request = member.lock().heartbeat();
        let epoch = request.member_epoch;
        let started = Instant::now();
        let (node, response) = match self.send(core, request, core.config.request_timeout).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(group = %self.id, %error, "a heartbeat failed");
                member.lock().failed();
                if matches!(error, ClientError::UnsupportedVersion { .. }) {
                    member.lock().leave();
                    core.fail(error);
                } else {
                    core.tell_if_unreachable(&error);
                }
                return false;
            }
        };
        core.counters.heartbeats.add(started.elapsed());
        let verdict = member.lock().answered(epoch, response);
        let operation = || format!("heartbeat of group {}", self.id);
        match verdict {
            Verdict::Quiet => true,
            Verdict::Reconcile => {
                // The next heartbeat does not wait for names that are long in coming.
                let limit = member.lock().interval();
                let learning = self.learn_names(core, member);
                let has_names = tokio::time::timeout(limit, learning).await.unwrap_or(false);
                core.ready.notify_one();
                has_names
            }
            Verdict::Fenced => {
                tracing::info!(group = %self.id, epoch, "the member is fenced");
                core.ready.notify_one();
                true
            }
            Verdict::Elsewhere => {
                self.coordinator.forget(node);
                false
            }
            Verdict::Later(code) => {
                tracing::debug!(group = %self.id, ?code, "another heartbeat follows");
                false
            }
            Verdict::Tell(code, message) => {
                core.fail(ClientError::broker_says(operation(), code, message));
                false
            }
            Verdict::Fatal(code, message) => {
                core.fail(ClientError::broker_says(operation(), code, message));
                true
            }
        }
    }

    async fn send(
        &self,
        core: &Core,
        request: ConsumerGroupHeartbeatRequest,
        limit: Duration,
    ) -> Result<(i32, ConsumerGroupHeartbeatResponse), ClientError> {
        let node = self
            .coordinator
            .find(&core.cluster, &core.channel, limit)
            .await?;
        let call = core
            .channel
            .call(Target::Node(node), limit, i16::MAX, |_| request);
        let response = call.await.inspect_err(|_| self.coordinator.forget(node))?;
        Ok((node, response))
    }

    /// Says that the member leaves. If that fails, its session will end by itself.
    pub(super) async fn part(&self, core: &Core, parting: ConsumerGroupHeartbeatRequest) {
        let limit = core.config.request_timeout.min(PARTING_LIMIT);
        if let Err(error) = self.send(core, parting, limit).await {
            tracing::debug!(group = %self.id, %error, "the group could not be left");
        }
    }

    /// Asks for the topics of the target assignment whose names are not known. False if some stay
    /// unknown: a heartbeat soon is another chance.
    async fn learn_names(&self, core: &Core, member: &Mutex<Member>) -> bool {
        let missing = || {
            let view = core.cluster.view();
            member.lock().unnamed(&view.topic_names)
        };
        let mut ids = missing();
        if ids.is_empty() {
            return true;
        }
        let config = &core.cluster.config;
        let mut backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max);
        for _ in 0..NAME_TRIES {
            let (topics, limit) = (Topics::Ids(&ids), core.config.request_timeout);
            let refreshed = core.cluster.refresh(&core.channel, topics, false, limit);
            if let Err(error) = refreshed.await {
                tracing::debug!(group = %self.id, %error, "assigned topics are not known yet");
            }
            ids = missing();
            if ids.is_empty() {
                return true;
            }
            tokio::time::sleep(backoff.advance()).await;
        }
        false
    }
}
