//! The arithmetic of positions in a ring. A position is `lap << bits | index`.

/// The arithmetic of the positions in one ring.
#[derive(Clone, Copy)]
pub(super) struct Positions {
    /// A power of two above the capacity: one lap further in a position.
    pub(super) lap: u64,
    pub(super) capacity: u64,
}

impl Positions {
    /// The index of the position's slot.
    #[inline(always)]
    pub(super) fn index(self, position: u64) -> usize {
        (position & (self.lap - 1)) as usize
    }

    /// The next position.
    #[inline(always)]
    pub(super) fn after(self, position: u64) -> u64 {
        if (position & (self.lap - 1)) + 1 < self.capacity {
            position + 1
        } else {
            (position & !(self.lap - 1)) + self.lap
        }
    }

    /// The position `count` after `position`, where `count` is less than a lap.
    pub(super) fn ahead(self, position: u64, count: u64) -> u64 {
        let index = (position & (self.lap - 1)) + count;
        if index < self.capacity {
            position + count
        } else {
            (position & !(self.lap - 1)) + self.lap + index - self.capacity
        }
    }

    /// The number of positions from `head` on before `tail`.
    pub(super) fn between(self, head: u64, tail: u64) -> usize {
        let laps = tail / self.lap - head / self.lap;
        let (from, to) = (head & (self.lap - 1), tail & (self.lap - 1));
        ((laps * self.capacity + to) - from) as usize
    }

    /// The number of positions before `position`, from the first position on.
    pub(super) fn total(self, position: u64) -> u64 {
        position / self.lap * self.capacity + (position & (self.lap - 1))
    }
}
