//! Where inputs meet the machine.

use std::time::Duration;

use headwater_wire::ErrorCode;

use super::coordinator::{Phase, Spare, TimerKey, TransactionCoordinator};
use super::effect::Effect;
use super::end::complete_if_marked;
use super::errors;
use super::input::{Input, Request};
use super::parked;
use super::transaction::Protocol;
use crate::{AppendId, Time, Token};

/// Pause before a transaction is aborted that could not be for want of a producer id.
const ABORT_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl TransactionCoordinator {
    /// Applies `input` and appends to `out` what the caller must do, in order.
    pub fn step(&mut self, input: Input, time: Time, out: &mut Vec<Effect>) {
        if self.phase != Phase::Active {
            if let Input::Request {
                token,
                version,
                request,
            } = input
            {
                let code = ErrorCode::CoordinatorLoadInProgress;
                let response = errors::refusal(request, version, code);
                out.push(Effect::Reply { token, response });
            }
            return;
        }
        match input {
            Input::Request {
                token,
                version,
                request,
            } => {
                self.request(token, version, request, time, out);
            }
            Input::MarkersWritten {
                transactional_id,
                producer,
                partitions,
            } => {
                self.markers_written(&transactional_id, producer, &partitions, time, out);
            }
            Input::Durable(upto) => self.outbox.durable(upto, out),
            Input::ProducerId(id) => match id {
                Some(id) => self.spare = Spare::Present(id),
                // It is asked for again when it is needed.
                None if self.spare == Spare::Asked => self.spare = Spare::Absent,
                None => {}
            },
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
            Request::InitProducerId { request, fresh } => {
                self.init_producer_id(token, version, request, fresh, time, out);
            }
            Request::AddPartitions(request) => {
                self.add_partitions(token, version, request, time, out);
            }
            Request::AddOffsets { request, partition } => {
                self.add_offsets(token, version, request, partition, time, out);
            }
            Request::End(request) => self.end(token, version, request, time, out),
            Request::Write(request) => self.add_written(token, request, time, out),
            Request::Describe(id) => self.describe(token, &id, time, out),
            Request::List(filter) => self.list(token, &filter, time, out),
        }
    }

    /// Runs every timer that is due. Each runs at most once, and what it sets anew lies in the
    /// future or is left to the next wake, so this ends.
    fn run_timers(&mut self, time: Time, out: &mut Vec<Effect>) {
        let mut due = Vec::new();
        while let Some(key) = self.timers.pop_due(time.now) {
            due.push(key);
        }
        for key in due {
            match key {
                TimerKey::Timeout(id) => self.time_out(&id, time, out),
                TimerKey::Parked(id) => {
                    let (transactions, mut cx) = self.split(time, out);
                    if let Some(transaction) = transactions.get_mut(&id) {
                        parked::give_up(&mut cx, transaction);
                    }
                }
                TimerKey::Expiry => self.expire(time, out),
            }
        }
    }

    /// Aborts a transaction that has taken too long (KIP-98). Its producer's epoch grows, which
    /// fences it unless it aborts too (KIP-890).
    fn time_out(&mut self, id: &str, time: Time, out: &mut Vec<Effect>) {
        let (transactions, mut cx) = self.split(time, out);
        let Some(transaction) = transactions.get_mut(id) else {
            return;
        };
        let Some(at) = transaction.times_out_at() else {
            return;
        };
        if time.wall < at {
            // The wall clock was set back since the timer was started.
            cx.time_out_at(&transaction.id, at);
            return;
        }
        match cx.prepare(transaction, false, Protocol::V2) {
            Ok(()) => complete_if_marked(&mut cx, transaction),
            // The producer id that takes over is on its way.
            Err(_) => {
                let key = TimerKey::Timeout(transaction.id.clone());
                cx.timers.set(key, time.now.after(ABORT_AGAIN_AFTER));
            }
        }
    }

    pub(super) fn ask_for_wake(&mut self, out: &mut Vec<Effect>) {
        let next = self.timers.next();
        if next != self.wake_asked {
            self.wake_asked = next;
            out.push(Effect::WakeAt(next));
        }
    }

    /// Answers everything in flight and gives up: memory is ahead of the log.
    fn fail(&mut self, time: Time, out: &mut Vec<Effect>) {
        let code = ErrorCode::CoordinatorNotAvailable;
        // Markers that were held back belong to decisions that may not be in the log.
        for effect in self.outbox.take_held() {
            if let Effect::Reply { token, response } = effect {
                let response = errors::fail_response(response, code);
                out.push(Effect::Reply { token, response });
            }
        }
        let (transactions, mut cx) = self.split(time, out);
        for transaction in transactions.values_mut() {
            for parked in std::mem::take(&mut transaction.parked) {
                let response = errors::waiting(&parked, code);
                cx.reply(AppendId::default(), parked.token, response);
            }
        }
        self.phase = Phase::Failed;
        self.transactions.clear();
        self.timers.clear();
        self.ask_for_wake(out);
        out.push(Effect::Failed);
    }
}
