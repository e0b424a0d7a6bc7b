//! A list whose members are found by a number that they get when they come.
//!
//! A list never uses a number twice. So a number of a member that has gone never finds a member that came later. To
//! find a member or to take it out takes a time that grows with the logarithm of the list's length, in whatever order
//! members leave. The list also gives its members out oldest first.
//!
//! *Rejected*: a vector or a ring that is searched, because n members that leave in any order then cost n² looks
//! under the lock of the list's owner; a hash table, which forgets the order; places linked by indices, which need a
//! generation each to tell members apart, and are no faster where a lock and an allocation are paid for as well.

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

/// The list. Its members are kept by number, and so in the order in which they came.
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
    /// Appends a member and returns its number.
    pub(crate) fn push(&mut self, member: T) -> Number {
        let number = Number(self.next);
        self.next += 1;
        self.members.insert(number, member);
        number
    }

    /// Returns the member with this number, if it is in the list.
    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut T> {
        self.members.get_mut(&number)
    }

    /// Removes and returns the member with this number, if it is in the list. The caller drops it without the list's
    /// lock.
    #[must_use]
    pub(crate) fn remove(&mut self, number: Number) -> Option<T> {
        self.members.remove(&number)
    }

    /// Removes and returns the oldest member, if `wanted` accepts it.
    pub(super) fn pop_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let oldest = self.members.first_entry()?;
        wanted(oldest.get()).then(|| oldest.remove())
    }

    /// Removes all members and returns them, oldest first.
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
        /// How often this thread compared a member's number.
        pub(super) static LOOKS: Cell<u64> = const { Cell::new(0) };
    }

    /// The most looks that one search may need: in a tree whose nodes hold 5 to 11 members each, each of 10^5 members
    /// is at most 7 nodes down.
    const ENOUGH: u64 = 7 * 11;

    /// Calls `find` for each of `numbers`, and returns the average number of looks.
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
            // Newest first; then every second member of a new set.
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
