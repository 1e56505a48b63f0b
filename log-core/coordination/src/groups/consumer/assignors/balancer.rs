//! Finds the members that should get a partition, and those that should lose one.

/// Level ranges over the subscribers of one topic, ordered by load: from below, the members that
/// are filled up level by level; from above, those that are taken from level by level.
pub(super) struct Balancer {
    /// Indexes of members, the least loaded first.
    sorted: Vec<usize>,
    low_end: usize,
    low_level: i64,
    low_next: usize,
    high_start: usize,
    high_end: usize,
    high_level: i64,
    /// One above the next to take from.
    high_next: usize,
}

impl Balancer {
    /// For these members, which are at least one.
    pub(super) fn new(members: &[usize], loads: &[i64]) -> Self {
        let mut sorted = members.to_vec();
        sorted.sort_by_key(|member| (load(loads, *member), *member));
        let level = |at: Option<&usize>| at.map_or(0, |member| load(loads, *member));
        Self {
            low_end: 0,
            low_level: level(sorted.first()) - 1,
            low_next: 0,
            high_start: sorted.len(),
            high_end: sorted.len(),
            high_level: level(sorted.last()) + 1,
            high_next: sorted.len(),
            sorted,
        }
    }

    /// How far the loads are apart.
    pub(super) fn imbalance(&self, loads: &[i64]) -> i64 {
        match (self.sorted.first(), self.sorted.last()) {
            (Some(least), Some(most)) => load(loads, *most) - load(loads, *least),
            _ => 0,
        }
    }

    /// Who gets the next partition.
    pub(super) fn next_to_fill(&mut self, loads: &[i64]) -> Option<usize> {
        if self.low_next >= self.low_end {
            self.low_level += 1;
            while self.level_at(self.low_end, loads) == Some(self.low_level) {
                self.low_end += 1;
            }
            self.low_next = 0;
        }
        let member = self.sorted.get(self.low_next).copied();
        self.low_next += 1;
        member
    }

    /// From whom to take the next partition.
    pub(super) fn next_to_drain(&mut self, loads: &[i64]) -> Option<usize> {
        if self.high_next <= self.high_start {
            let below = self
                .high_start
                .checked_sub(1)
                .and_then(|at| self.level_at(at, loads));
            self.high_level = match below {
                // Everybody on the level has been excluded: on to those below.
                Some(level) if self.high_end <= self.high_start => level,
                _ => self.high_level - 1,
            };
            while let Some(at) = self.high_start.checked_sub(1)
                && self.level_at(at, loads) == Some(self.high_level)
            {
                self.high_start = at;
            }
            self.high_next = self.high_end;
        }
        self.high_next = self.high_next.checked_sub(1)?;
        self.sorted.get(self.high_next).copied()
    }

    /// The member that was just found has nothing to take; it is not asked again.
    pub(super) fn exclude_drained(&mut self) {
        let last = self.high_end.saturating_sub(1);
        if self.high_next < self.sorted.len() && last < self.sorted.len() {
            self.sorted.swap(self.high_next, last);
        }
        self.high_end = last;
    }

    pub(super) fn is_balanced(&self) -> bool {
        self.high_level - self.low_level <= 1
    }

    fn level_at(&self, at: usize, loads: &[i64]) -> Option<i64> {
        self.sorted.get(at).map(|member| load(loads, *member))
    }
}

fn load(loads: &[i64], member: usize) -> i64 {
    loads.get(member).copied().unwrap_or(0)
}
