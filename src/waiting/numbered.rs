//! A list whose members are found by the number that they got when they came.
//!
//! Numbers are never used twice within a list, so a member that has gone is told from one that came later. A member is
//! found and taken out in a time that grows with the logarithm of their number, whatever the order; they leave
//! from the front in the order in which they came.
//!
//! *Rejected*: a vector or a ring that is looked through, which makes n members that leave in any order a matter of n²
//! looks under their owner's lock; a hash table, which forgets the order; places linked by indices, which need a generation
//! each to tell members apart and are no faster where a lock and an allocation are paid for as well.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A member's number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(u64);

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        #[cfg(test)]
        tests::LOOKS.set(tests::LOOKS.get() + 1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

/// The list.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    next: u64,
    members: BTreeMap<Number, T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Numbered { next: 0, members: BTreeMap::new() }
    }
}

impl<T> Numbered<T> {
    /// Appends a member.
    pub(crate) fn push(&mut self, member: T) -> Number {
        let number = Number(self.next);
        self.next += 1;
        self.members.insert(number, member);
        number
    }

    /// The member of that number, if it is there.
    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut T> {
        self.members.get_mut(&number)
    }

    /// Takes a member out, if it is there. For the caller to drop without the lock.
    #[must_use]
    pub(crate) fn remove(&mut self, number: Number) -> Option<T> {
        self.members.remove(&number)
    }

    /// Takes out the oldest if it is one that `wanted` likes.
    pub(super) fn pop_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let oldest = self.members.first_entry()?;
        wanted(oldest.get()).then(|| oldest.remove())
    }

    /// Takes all out, to be gone through oldest first.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.members).into_values()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.members.values()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Number, Numbered};

    thread_local! {
        /// How often this thread looked at a member's number.
        pub(super) static LOOKS: Cell<u64> = const { Cell::new(0) };
    }

    /// In a tree of nodes with 5 to 11 members each, one of 10^5 members is at most 7 nodes down.
    const ENOUGH: u64 = 7 * 11;

    /// Looks for each of `numbers`.
    fn looks_for_each(numbers: &[Number], mut find: impl FnMut(Number)) -> u64 {
        LOOKS.set(0);
        numbers.iter().for_each(|&number| find(number));
        LOOKS.get() / numbers.len() as u64
    }

    #[test]
    fn a_member_is_found_in_few_looks() {
        for members in [1_000, 10_000, 100_000] {
            let mut list = Numbered::default();
            let mut numbers: Vec<Number> = (0..members).map(|member| list.push(member)).collect();
            let found = looks_for_each(&numbers, |number| assert!(list.get_mut(number).is_some()));
            assert!(found <= ENOUGH, "{found} looks for one of {members}");
            // Newest first, and then every second one of what came again.
            numbers.reverse();
            let removed = looks_for_each(&numbers, |number| assert!(list.remove(number).is_some()));
            assert!(removed <= ENOUGH, "{removed} looks for one of {members}");
            let numbers: Vec<Number> = (0..members).map(|member| list.push(member)).collect();
            let halves: Vec<Number> = numbers.iter().copied().step_by(2).collect();
            let removed = looks_for_each(&halves, |number| assert!(list.remove(number).is_some()));
            assert!(removed <= ENOUGH, "{removed} looks for one of {members}");
            let gone = looks_for_each(&halves, |number| assert!(list.remove(number).is_none()));
            assert!(gone <= ENOUGH, "{gone} looks for one of {members}");
            assert!(list.take().eq((0..members).skip(1).step_by(2)), "in the order in which they came");
        }
    }

    #[test]
    fn a_number_is_not_used_again() {
        let mut list = Numbered::default();
        let first = list.push('a');
        assert_eq!(list.remove(first), Some('a'));
        let second = list.push('b');
        assert!(first != second);
        assert_eq!(list.remove(first), None);
        assert_eq!(list.pop_if(|&member| member == 'a'), None);
        assert_eq!(list.pop_if(|&member| member == 'b'), Some('b'));
        assert!(list.is_empty());
        assert!(list.push('c') != second);
    }
}
