//! Which core has which cache line, and what an access costs that needs a line of another core.

use std::collections::{HashMap, VecDeque};

use crate::costs::{Costs, Time};

/// What an access does to its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads it.
    Load,
    /// Writes it. The core goes on before the line has come.
    Store,
    /// Reads and writes it in one step, when all stores before have left the core.
    ReadModifyWrite,
}

/// The bytes of a line.
pub(crate) const LINE: usize = 64;

#[derive(Default)]
struct Line {
    /// The core that wrote it last.
    owner: Option<usize>,
    /// Counts its changes of owner.
    version: u64,
    /// Whether another core than the owner has read it since.
    shared: bool,
    /// Until when it is on its way.
    busy_until: Time,
}

/// All lines of a machine.
#[derive(Default)]
pub(crate) struct Lines {
    lines: HashMap<usize, Line>,
    /// The version of each line that each core has.
    copies: HashMap<(usize, usize), u64>,
    /// The lines that each core last brought from others.
    brought: HashMap<usize, VecDeque<usize>>,
}

/// How many streams of lines a core follows at once.
const STREAMS: usize = 8;

/// What an access costs.
pub(crate) struct Price {
    /// When the core goes on.
    pub(crate) done: Time,
    /// When the core has the line.
    pub(crate) arrived: Time,
}

impl Lines {
    /// Accesses the line at `address` from `core` at `now`.
    pub(crate) fn access(
        &mut self,
        costs: &Costs,
        core: usize,
        address: usize,
        access: Access,
        now: Time,
    ) -> Price {
        let number = address / LINE;
        let line = self.lines.entry(number).or_default();
        let own = match access {
            Access::Load => costs.hit,
            Access::Store => costs.hit,
            Access::ReadModifyWrite => costs.rmw,
        };
        let has = line.owner.is_none()
            || line.owner == Some(core) && (access == Access::Load || !line.shared)
            || access == Access::Load && self.copies.get(&(number, core)) == Some(&line.version);
        if has {
            if access != Access::Load && line.owner.is_none() {
                line.owner = Some(core);
            }
            return Price { done: now + own, arrived: now };
        }
        // The core has asked for the line that follows one that it brought, before the program came there.
        let brought = self.brought.entry(core).or_default();
        let streams = brought.contains(&number.wrapping_sub(1));
        brought.push_front(number);
        brought.truncate(STREAMS);
        let begun = now.max(line.busy_until);
        let arrived = begun + if streams { costs.stream } else { costs.transfer };
        line.busy_until = begun + costs.occupied;
        if access == Access::Load {
            line.shared = true;
            self.copies.insert((number, core), line.version);
            return Price { done: arrived + own, arrived };
        }
        line.owner = Some(core);
        line.version += 1;
        line.shared = false;
        let done = if access == Access::Store { now + own } else { arrived + own };
        Price { done, arrived }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: usize = 4096;

    fn price(lines: &mut Lines, core: usize, access: Access, now: Time) -> Time {
        lines.access(&Costs::default(), core, ADDRESS, access, now).done - now
    }

    #[test]
    fn a_line_that_the_core_has_is_cheap_until_another_core_writes_it() {
        let (costs, mut lines) = (Costs::default(), Lines::default());
        assert_eq!(price(&mut lines, 0, Access::ReadModifyWrite, 0), costs.rmw);
        assert_eq!(price(&mut lines, 0, Access::ReadModifyWrite, 10_000_000), costs.rmw);
        assert_eq!(price(&mut lines, 1, Access::Load, 20_000_000), costs.transfer + costs.hit);
        assert_eq!(price(&mut lines, 1, Access::Load, 30_000_000), costs.hit);
        // The owner must have the other's copy dropped before it writes.
        assert_eq!(price(&mut lines, 0, Access::ReadModifyWrite, 40_000_000), costs.transfer + costs.rmw);
        assert_eq!(price(&mut lines, 1, Access::Load, 50_000_000), costs.transfer + costs.hit);
    }

    #[test]
    fn a_line_after_one_that_was_brought_is_on_its_way() {
        let (costs, mut lines) = (Costs::default(), Lines::default());
        let mut price = |core, line: usize, now| {
            lines.access(&costs, core, ADDRESS + LINE * line, Access::ReadModifyWrite, now).done - now
        };
        for line in 0..3 {
            assert_eq!(price(0, line, 0), costs.rmw);
        }
        let prices = [0, 1, 2].map(|line| price(1, line, 10_000_000 * (line as Time + 1)));
        assert_eq!(prices, [costs.transfer, costs.stream, costs.stream].map(|time| time + costs.rmw));
    }

    #[test]
    fn writers_of_one_line_wait_for_each_other() {
        let (costs, mut lines) = (Costs::default(), Lines::default());
        price(&mut lines, 0, Access::ReadModifyWrite, 0);
        let first = price(&mut lines, 1, Access::ReadModifyWrite, 10_000_000);
        let second = price(&mut lines, 2, Access::ReadModifyWrite, 10_000_000);
        assert_eq!(first, costs.transfer + costs.rmw);
        assert_eq!(second, costs.occupied + costs.transfer + costs.rmw);
    }

    #[test]
    fn a_store_does_not_wait_for_its_line() {
        let (costs, mut lines) = (Costs::default(), Lines::default());
        price(&mut lines, 0, Access::Store, 0);
        let price = lines.access(&costs, 1, ADDRESS, Access::Store, 10_000_000);
        assert_eq!(price.done, 10_000_000 + costs.hit);
        assert_eq!(price.arrived, 10_000_000 + costs.transfer);
    }
}
