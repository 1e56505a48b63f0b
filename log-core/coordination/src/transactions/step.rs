//! Where inputs meet the machine.

use headwater_wire::ErrorCode;

use super::coordinator::{Phase, TimerKey, TransactionCoordinator};
use super::effect::Effect;
use super::errors;
use super::input::{Input, Request};
use super::parked;
use crate::{AppendId, Time, Token};

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
            Request::AddOffsets(request) => self.add_offsets(token, version, request, time, out),
            Request::End(request) => self.end(token, version, request, time, out),
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

    /// Aborts a transaction that has taken too long (KIP-98; with a new epoch, so that its
    /// producer is fenced, KIP-360).
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
            cx.timers.set(
                TimerKey::Timeout(transaction.id.clone()),
                time.when_wall_reaches(at),
            );
            return;
        }
        cx.fence(transaction);
        if transaction.partitions.is_empty() {
            self.complete(id, time, out);
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
