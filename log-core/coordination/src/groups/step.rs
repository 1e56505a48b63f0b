//! Where inputs meet the machine.

use std::collections::BTreeSet;

use super::consumer::heartbeat::Beat;
use super::consumer::regex::TopicPattern;
use super::consumer::sessions;
use super::coordinator::{GroupCoordinator, Phase, TimerKey};
use super::effect::{Effect, Response};
use super::errors;
use super::input::{Input, Request};
use super::rebalance;
use super::records;
use crate::{Time, Token};
use headwater_wire::ErrorCode;

impl GroupCoordinator {
    /// Applies `input` and appends to `out` what the caller must do, in order.
    pub fn step(&mut self, input: Input, time: Time, out: &mut Vec<Effect>) {
        if self.phase != Phase::Active {
            refuse(input, out);
            return;
        }
        match input {
            Input::Request {
                token,
                version,
                topics,
                request,
            } => {
                if topics.version() >= self.topics.version() {
                    self.topics = topics;
                }
                // A session that is over is seen so, also before the caller's timer says it.
                if request.is_of_an_onlooker() {
                    self.run_timers(time, out);
                }
                let new_group = self.new_group_of(&request);
                self.request(token, version, request, time, out);
                if let Some(id) = new_group {
                    self.note_new_group(id);
                }
            }
            Input::EndTransaction { token, marker } => {
                self.end_transaction(token, marker, time, out);
            }
            Input::Fenced { token, response } => {
                let (_, mut cx) = self.split(time, out);
                cx.reply(cx.outbox.last(), token, response);
            }
            Input::TopicsDeleted(topics) => self.topics_deleted(&topics, time, out),
            Input::Durable(upto) => self.outbox.durable(upto, out),
            Input::AppendFailed => {
                self.fail(time, out);
                return;
            }
            Input::Wake => {
                // The time that was asked for is used up, also if the next is the same.
                self.wake_asked = None;
                self.run_timers(time, out);
            }
        }
        self.ask_for_wake(out);
    }

    fn request(
        &mut self,
        token: Token,
        version: i16,
        request: Request,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        match request {
            Request::Join {
                request,
                client,
                fresh,
            } => {
                self.join(token, version, request, client, fresh, time, out);
            }
            Request::Sync(request) => self.sync(token, version, request, time, out),
            Request::Heartbeat(request) => self.heartbeat(token, &request, time, out),
            Request::Leave(request) => self.leave(token, version, request, time, out),
            Request::OffsetCommit(request) => {
                self.offset_commit(token, version, request, time, out);
            }
            Request::TxnOffsetCommit(request) => {
                self.txn_offset_commit(token, version, request, time, out);
            }
            Request::OffsetDelete(request) => self.offset_delete(token, request, time, out),
            Request::ConsumerHeartbeat {
                request,
                client,
                pattern,
                fresh,
            } => {
                let pattern = pattern.filter(|pattern| pattern.is_of(&request));
                let beat = Beat {
                    pattern: pattern.or_else(|| TopicPattern::of(&request)),
                    request,
                    client,
                    fresh,
                };
                self.consumer_heartbeat(token, version, beat, time, out);
            }
            Request::ConsumerDescribe(request) => {
                self.consumer_describe(token, request, time, out);
            }
            Request::OffsetFetch(request) => {
                self.offset_fetch(token, version, request, time, out);
            }
            Request::Describe(request) => self.describe(token, version, request, time, out),
            Request::List(request) => self.list(token, &request, time, out),
            Request::Delete(request) => self.delete(token, request, time, out),
        }
    }

    /// Runs every timer that is due. Each runs at most once, and what it sets anew lies in the
    /// future, so this ends.
    fn run_timers(&mut self, time: Time, out: &mut Vec<Effect>) {
        let mut due = Vec::new();
        while let Some(key) = self.timers.pop_due(time.now) {
            due.push(key);
        }
        for key in due {
            self.run_timer(key, time, out);
        }
    }

    fn run_timer(&mut self, key: TimerKey, time: Time, out: &mut Vec<Effect>) {
        let (groups, mut cx) = self.split(time, out);
        match key {
            TimerKey::Join(id) => {
                if let Some(group) = groups.get_mut(&id) {
                    rebalance::join_time_is_over(&mut cx, group);
                }
            }
            TimerKey::Sync(id) => {
                if let Some(group) = groups.get_mut(&id) {
                    rebalance::sync_time_is_over(&mut cx, group);
                }
            }
            TimerKey::Session(id, member) => match groups.get_mut(&id) {
                Some(group) if group.consumer.is_some() => {
                    sessions::is_over(&mut cx, group, &member);
                }
                Some(group) => rebalance::session_is_over(&mut cx, group, &member),
                None => {}
            },
            TimerKey::Revocation(id, member)
            | TimerKey::ClassicJoin(id, member)
            | TimerKey::ClassicSync(id, member) => {
                if let Some(group) = groups.get_mut(&id) {
                    sessions::is_over(&mut cx, group, &member);
                }
            }
            TimerKey::Expiry => self.expire(time, out),
        }
    }

    pub(super) fn ask_for_wake(&mut self, out: &mut Vec<Effect>) {
        let next = self.timers.next();
        if next != self.wake_asked {
            self.wake_asked = next;
            out.push(Effect::WakeAt(next));
        }
    }

    fn topics_deleted(&mut self, topics: &BTreeSet<String>, time: Time, out: &mut Vec<Effect>) {
        let (groups, mut cx) = self.split(time, out);
        for group in groups.values_mut() {
            let dropped: BTreeSet<(String, i32)> = group
                .pending_offsets
                .values()
                .chain([&group.offsets])
                .flat_map(|offsets| offsets.iter())
                .filter(|(topic, ..)| topics.contains(*topic))
                .map(|(topic, partition, _)| (topic.to_owned(), partition))
                .collect();
            let tombstones = dropped
                .iter()
                .flat_map(|(topic, partition)| {
                    records::offset_tombstone(&group.id, topic, *partition)
                })
                .collect();
            for (topic, partition) in &dropped {
                group.drop_offset(topic, *partition);
            }
            cx.append_in_batches(group, tombstones);
        }
    }

    /// Answers everything in flight and gives up: memory is ahead of the log.
    fn fail(&mut self, time: Time, out: &mut Vec<Effect>) {
        let code = ErrorCode::CoordinatorNotAvailable;
        for effect in self.outbox.take_held() {
            out.push(match effect {
                Effect::Reply { token, response } => Effect::Reply {
                    token,
                    response: errors::fail_response(response, code),
                },
                other => other,
            });
        }
        let (groups, mut cx) = self.split(time, out);
        for group in groups.values_mut() {
            // What is still parked has been promised nothing, so it need not wait for anything.
            group.written = crate::AppendId::default();
            rebalance::fail_waiting(&mut cx, group, code);
        }
        self.phase = Phase::Failed;
        self.groups.clear();
        self.producers.clear();
        self.timers.clear();
        self.ask_for_wake(out);
        out.push(Effect::Failed);
    }
}

fn refuse(input: Input, out: &mut Vec<Effect>) {
    let (token, response) = match input {
        Input::Request {
            token,
            version,
            request,
            ..
        } => {
            let code = ErrorCode::CoordinatorLoadInProgress;
            (token, errors::refusal(request, version, code))
        }
        Input::EndTransaction { token, .. } => (token, Response::MarkerNotWritten),
        Input::Fenced { token, response } => {
            let code = ErrorCode::CoordinatorLoadInProgress;
            (token, errors::fail_response(response, code))
        }
        Input::TopicsDeleted(_) | Input::Durable(_) | Input::AppendFailed | Input::Wake => return,
    };
    out.push(Effect::Reply { token, response });
}
