//! Effects that wait for an append to be durable.

use std::collections::BTreeMap;

use crate::AppendId;

/// Numbers the appends of a machine and holds back what must not be seen before they are durable.
#[derive(Debug)]
pub(crate) struct Outbox<E> {
    last: AppendId,
    durable: AppendId,
    held: BTreeMap<AppendId, Vec<E>>,
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Self {
            last: AppendId(0),
            durable: AppendId(0),
            held: BTreeMap::new(),
        }
    }
}

impl<E> Outbox<E> {
    /// The latest append, durable or not.
    pub(crate) fn last(&self) -> AppendId {
        self.last
    }

    pub(crate) fn next_append(&mut self) -> AppendId {
        self.last = AppendId(self.last.0 + 1);
        self.last
    }

    /// Counts a replayed entry: it is durable, and earlier than every append to come.
    pub(crate) fn next_loaded(&mut self) -> AppendId {
        self.durable = self.next_append();
        self.durable
    }

    /// Puts `effect` out at once if `after` is durable, otherwise keeps it until then.
    pub(crate) fn release(&mut self, after: AppendId, effect: E, out: &mut Vec<E>) {
        if after <= self.durable {
            out.push(effect);
        } else {
            self.held.entry(after).or_default().push(effect);
        }
    }

    /// Everything up to `upto` is durable.
    pub(crate) fn durable(&mut self, upto: AppendId, out: &mut Vec<E>) {
        self.durable = self.durable.max(upto.min(self.last));
        while let Some(entry) = self.held.first_entry() {
            if *entry.key() > self.durable {
                break;
            }
            out.append(&mut entry.remove());
        }
    }

    /// Gives up on everything that waits.
    pub(crate) fn take_held(&mut self) -> impl Iterator<Item = E> + use<E> {
        std::mem::take(&mut self.held).into_values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_come_out_in_the_order_of_the_appends_they_wait_for() {
        let mut outbox = Outbox::default();
        let mut out = Vec::new();
        outbox.release(AppendId(0), "free", &mut out);
        let first = outbox.next_append();
        let second = outbox.next_append();
        outbox.release(second, "second", &mut out);
        outbox.release(first, "first", &mut out);
        assert_eq!(out, ["free"]);
        outbox.durable(first, &mut out);
        assert_eq!(out, ["free", "first"]);
        outbox.durable(second, &mut out);
        assert_eq!(out, ["free", "first", "second"]);
        outbox.release(first, "late", &mut out);
        assert_eq!(out.last(), Some(&"late"));
    }

    #[test]
    fn durability_is_never_taken_for_appends_that_were_not_made() {
        let mut outbox = Outbox::default();
        let mut out = Vec::new();
        outbox.durable(AppendId(40), &mut out);
        let id = outbox.next_append();
        outbox.release(id, "held", &mut out);
        assert!(out.is_empty());
    }
}
