//! Budgets for the memory of what is in flight.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits are kibibytes, so that a budget of any size fits a semaphore.
const UNIT: usize = 1024;

/// A number of bytes shared by many. Who finds it used up waits: in order, so nobody starves.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget {
    free: Arc<Semaphore>,
    units: usize,
}

/// A part of a budget, given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    permit: OwnedSemaphorePermit,
}

impl MemoryBudget {
    /// A budget of `bytes`, rounded up to a kibibyte.
    pub(crate) fn new(bytes: usize) -> Self {
        let units = units(bytes);
        Self {
            free: Arc::new(Semaphore::new(units)),
            units,
        }
    }

    /// Takes `bytes`, or the whole budget if that is less, waiting until they are free. `None`
    /// never happens while the budget is in use; callers treat it as shutdown.
    pub(crate) async fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let wanted = units(bytes).min(self.units);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.free)
            .acquire_many_owned(wanted)
            .await
            .ok()?;
        Some(Reservation { permit })
    }

    /// Takes `bytes` if they are free at once.
    pub(crate) fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        let wanted = u32::try_from(units(bytes).min(self.units)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.free).try_acquire_many_owned(wanted).ok()?;
        Some(Reservation { permit })
    }

    /// Takes as much of `most` as is free, but at least `least`, for which it waits.
    pub(crate) async fn reserve_up_to(&self, most: usize, least: usize) -> Option<Reservation> {
        if let Some(all) = self.try_reserve(most) {
            return Some(all);
        }
        let free = self.free.available_permits().saturating_mul(UNIT);
        if free > least
            && let Some(part) = self.try_reserve(free.min(most))
        {
            return Some(part);
        }
        self.reserve(least.min(most)).await
    }
}

impl Reservation {
    /// How many bytes are set aside.
    pub(crate) fn bytes(&self) -> usize {
        self.permit.num_permits().saturating_mul(UNIT)
    }

    /// Gives back all but `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.permit.num_permits().saturating_sub(units(bytes));
        drop(self.permit.split(surplus));
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT)
}

#[cfg(test)]
mod tests {
    use super::MemoryBudget;

    #[tokio::test]
    async fn a_reservation_larger_than_the_budget_takes_all_of_it() {
        let budget = MemoryBudget::new(4096);
        let all = budget.reserve(1 << 30).await.expect("open");
        assert_eq!(all.bytes(), 4096);
        assert!(budget.try_reserve(1).is_none());
        drop(all);
        assert!(budget.try_reserve(1).is_some());
    }

    #[tokio::test]
    async fn a_part_is_taken_when_the_whole_is_not_free() {
        let budget = MemoryBudget::new(8 * 1024);
        let mut first = budget.reserve(6 * 1024).await.expect("open");
        let second = budget.reserve_up_to(8 * 1024, 1024).await.expect("open");
        assert_eq!(second.bytes(), 2 * 1024);
        first.shrink_to(1024);
        assert_eq!(
            budget.try_reserve(5 * 1024).map(|r| r.bytes()),
            Some(5 * 1024)
        );
    }
}
