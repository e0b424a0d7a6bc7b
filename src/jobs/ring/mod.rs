//! A bounded ring of values for many producers and many consumers. Its two positions carry flags.
//!
//! The ring is Vyukov's bounded MPMC queue: each slot has a stamp that says whose turn it is; a producer claims the
//! tail and a consumer claims the head by compare-and-swap. New are the flags in the low bits of the two words:
//!
//! | flag | in | set by | seen by | meaning |
//! |---|---|---|---|---|
//! | `CLOSED` | tail | `close`, or the end of draining | every push | nothing goes in any more |
//! | `OUTSIDE_CLOSED` | tail | shutdown | pushes from outside the pool | only the pool's workers push |
//! | `DRAINING` | tail | `close_when_idle` | pushes from outside the queue | only the queue's own handlers push |
//! | `NEEDS_RUNNER` | tail | a consumer that leaves | the next push | no runner looks at the ring: start one |
//! | `BLOCKED` | head | a producer that found the ring full | the next pop | a producer waits for room |
//! | `PATIENT` | head | a producer that waits for much room | each pop | wake it once there is much room; a hint |
//! | `READY` | head | a producer that offers its core | each pop | a producer would go on if it had a core; a hint |
//!
//! Invariant: all changes of one word are totally ordered, so there is no store-load race. A push that comes before a
//! flag is visible to the thread that sets the flag, in the position that comes back. A push that comes after it sees
//! the flag. The flag travels with the compare-and-swap that a push or a pop makes anyway, so telling the other side
//! costs nothing: no fence, and no second shared word to read.
//!
//! A value may be large. It is copied from the producer's [`Parcel`] into its slot, and from the slot into the
//! consumer's parcel, and lies nowhere in between. A note, of one word or none, goes with it.
//!
//! *Rejected*: crossbeam-queue's `ArrayQueue`, the same ring without flags. Each push would need a SeqCst fence and a
//! read of the consumers' word, each pop a fence and a read of the producers' word. Closing would race with pushing,
//! and loom could not see into it.

#[cfg(any(test, loom, shuttle))]
mod check;
mod parcel;
mod position;

pub(crate) use parcel::Parcel;

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::ptr;

use crossbeam_utils::CachePadded;

use crate::sync::site::*;
use crate::sync::{AtomicU64, Mutex, UnsafeCell, defect, lock};
use crate::system::spin::Backoff;
use position::Positions;

/// The largest number of slots that a ring may have.
pub(crate) const MAX_CAPACITY: usize = 1 << 26;

const FLAG_BITS: u32 = 4;
const FLAGS: u64 = (1 << FLAG_BITS) - 1;

/// Bits of the tail.
pub(crate) const CLOSED: u64 = 1;
pub(crate) const OUTSIDE_CLOSED: u64 = 2;
pub(crate) const NEEDS_RUNNER: u64 = 4;
pub(crate) const DRAINING: u64 = 8;
/// Bits of the head.
pub(crate) const BLOCKED: u64 = 1;
pub(crate) const READY: u64 = 2;
pub(crate) const PATIENT: u64 = 4;

/// Bit of a stamp, above all positions.
const NOTED: u64 = 1 << 63;

/// A slot. Invariant: at stamp `position` it is free for the producer that claims that position; at `position + 1` it
/// holds the value for the consumer that claims that position. Between a claim and the next stamp the claimant alone
/// has it.
///
/// With [`NOTED`], the stamp of a value also says that the value has a note.
struct Slot<T> {
    stamp: AtomicU64,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// The ring. A word is `position << FLAG_BITS | flags`.
pub(crate) struct Ring<T, N = ()> {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
    slots: Box<[Slot<T>]>,
    /// The notes, by the positions of their values. They lie apart, because few values have a note, and larger slots
    /// would cost all values.
    notes: Mutex<BTreeMap<u64, N>>,
    /// A power of two above the capacity: one lap further in a position. There is room for `index + 1` at the last
    /// index, which marks a slot as full.
    lap: u64,
}

// SAFETY: a value and its note go in on one thread and come out on another, once.
unsafe impl<T: Send, N: Send> Send for Ring<T, N> {}
// SAFETY: as for `Send`; only the claimant of a slot accesses it.
unsafe impl<T: Send, N: Send> Sync for Ring<T, N> {}

/// Why a push did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

impl<T, N> Ring<T, N> {
    /// Creates a ring of `capacity` slots, which must be in `1..=MAX_CAPACITY`. Returns `None` if there is no memory
    /// for it.
    pub(crate) fn new(capacity: usize, tail_flags: u64) -> Option<Ring<T, N>> {
        assert!((1..=MAX_CAPACITY).contains(&capacity));
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity).ok()?;
        slots.extend((0..capacity).map(|index| Slot {
            stamp: AtomicU64::new(index as u64),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }));
        Some(Ring {
            head: CachePadded::new(AtomicU64::new(0)),
            tail: CachePadded::new(AtomicU64::new(tail_flags)),
            slots: slots.into_boxed_slice(),
            notes: Mutex::default(),
            lap: (capacity as u64 + 1).next_power_of_two(),
        })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Appends the content of `from`, unless the tail has one of the flags `refuse`. Returns the tail's flags at that
    /// moment.
    #[inline]
    pub(crate) fn push(&self, from: &mut Parcel<T, N>, refuse: u64) -> Result<u64, Refused> {
        assert!(from.filled, "nothing to push");
        let mut tail = self.tail.load(RING_TAIL_HINT.get());
        let mut backoff = Backoff::new();
        loop {
            if tail & refuse != 0 {
                return Err(Refused::Closed);
            }
            let position = tail >> FLAG_BITS;
            let slot = self.slot(position);
            let stamp = slot.stamp.load(RING_FREE_LOAD.get());
            if stamp == position {
                let next = self.positions().after(position) << FLAG_BITS | tail & FLAGS;
                match self.tail.compare_exchange_weak(tail, next, RING_PUSH.get(), RING_TAIL_HINT.get()) {
                    Ok(_) => {
                        from.filled = false;
                        slot.value.with_mut(|place| {
                            // SAFETY: the stamp said "free for this position" and the exchange claimed the position,
                            // so this push alone has the slot until the stamp below.
                            let place = unsafe { &mut *place };
                            // SAFETY: the slot is valid for the write; the parcel was filled, and does not count as
                            // filled any more.
                            unsafe { ptr::copy_nonoverlapping(from.value.as_ptr(), place.as_mut_ptr(), 1) };
                        });
                        let noted = if from.note.is_some() { self.keep_note(from, position) } else { 0 };
                        slot.stamp.store((position + 1) | noted, RING_VALUE_STORE.get());
                        return Ok(tail & FLAGS);
                    }
                    Err(seen) => tail = backoff.lost(seen, || self.tail.load(RING_TAIL_HINT.get())),
                }
            } else if (stamp & !NOTED) + self.lap == position + 1 {
                // The value of one lap ago is still there. The ring is full if its consumer has not begun. Only now
                // does the push look at the head, so that a push into a ring with room does not touch it.
                let head = self.head.load(RING_HEAD_HINT.get()) >> FLAG_BITS;
                if head + self.lap == position {
                    return Err(Refused::Full);
                }
                // The consumer of the slot is about to free it.
                backoff.pause();
                tail = self.tail.load(RING_TAIL_HINT.get());
            } else {
                // Another producer was faster.
                backoff.pause();
                tail = self.tail.load(RING_TAIL_HINT.get());
            }
        }
    }

    /// Moves the oldest value `into` an empty parcel and returns the head's flags at that moment. Returns `None` if
    /// there is no value and no producer has claimed a slot for one; waits for a producer that has claimed it but not
    /// yet written it.
    #[inline(always)]
    pub(crate) fn pop(&self, into: &mut Parcel<T, N>) -> Option<u64> {
        assert!(!into.filled);
        let mut head = self.head.load(RING_HEAD_HINT.get());
        let mut backoff = Backoff::new();
        loop {
            let position = head >> FLAG_BITS;
            let slot = self.slot(position);
            let stamp = slot.stamp.load(RING_VALUE_LOAD.get());
            if stamp & !NOTED == position + 1 {
                let next = self.positions().after(position) << FLAG_BITS | head & FLAGS;
                match self.head.compare_exchange_weak(head, next, RING_POP.get(), RING_HEAD_HINT.get()) {
                    Ok(_) => {
                        slot.value.with_mut(|place| {
                            // SAFETY: the exchange claimed the position, so this pop alone has the slot until the
                            // stamp below.
                            let place = unsafe { &*place };
                            // SAFETY: the stamp said that the slot holds the value of this position; its one claimant
                            // reads it once.
                            unsafe { ptr::copy_nonoverlapping(place.as_ptr(), into.value.as_mut_ptr(), 1) };
                        });
                        if stamp & NOTED != 0 {
                            into.note = self.take_note(position);
                        }
                        into.filled = true;
                        slot.stamp.store(position + self.lap, RING_FREE_STORE.get());
                        return Some(head & FLAGS);
                    }
                    Err(seen) => head = backoff.lost(seen, || self.head.load(RING_HEAD_HINT.get())),
                }
            } else {
                if self.tail.load(RING_TAIL_HINT.get()) >> FLAG_BITS == position {
                    return None;
                }
                // The slot is claimed but not yet written, or another consumer was faster.
                backoff.pause();
                head = self.head.load(RING_HEAD_HINT.get());
            }
        }
    }

    #[cold]
    fn keep_note(&self, from: &mut Parcel<T, N>, position: u64) -> u64 {
        lock(&self.notes).extend(from.note.take().map(|note| (position, note)));
        NOTED
    }

    #[cold]
    fn take_note(&self, position: u64) -> Option<N> {
        lock(&self.notes).remove(&position)
    }

    /// Sets flags of the tail. Returns whether the ring held anything then.
    pub(crate) fn flag_tail(&self, flags: u64) -> bool {
        let tail = self.tail.fetch_or(flags, RING_FLAG.get()) >> FLAG_BITS;
        self.head.load(RING_HEAD_HINT.get()) >> FLAG_BITS != tail
    }

    /// Clears flags of the tail.
    pub(crate) fn unflag_tail(&self, flags: u64) {
        self.tail.fetch_and(!flags, RING_UNFLAG.get());
    }

    /// Sets `CLOSED` beside `DRAINING` if `is_over` says yes. If something is pushed while `is_over` looks, asks it
    /// again. Returns the last answer, or `true` if there is nothing to do: the ring is not draining, or is closed
    /// already.
    pub(crate) fn close_drained(&self, is_over: impl Fn() -> bool) -> bool {
        let mut tail = self.tail.load(RING_TAIL_HINT.get());
        while tail & (CLOSED | DRAINING) == DRAINING {
            if !is_over() {
                return false;
            }
            if defect("drained_by_a_flag") {
                self.flag_tail(CLOSED);
                break;
            }
            match self.tail.compare_exchange(tail, tail | CLOSED, RING_FLAG.get(), RING_TAIL_HINT.get()) {
                Ok(_) => break,
                Err(seen) => tail = seen,
            }
        }
        true
    }

    pub(crate) fn tail_flags(&self) -> u64 {
        self.tail.load(RING_TAIL_HINT.get()) & FLAGS
    }

    /// How far the consumers are. Grows by one with each pop, and by more at the end of a lap.
    pub(crate) fn head_position(&self) -> u64 {
        self.head.load(RING_HEAD_HINT.get()) >> FLAG_BITS
    }

    /// Whether `BLOCKED` is set.
    pub(crate) fn is_blocked(&self) -> bool {
        self.head.load(RING_HEAD_HINT.get()) & BLOCKED != 0
    }

    /// Sets `BLOCKED`. Returns whether to wait for room: the ring was full then, so that the pop that makes room sees
    /// the flag, and the tail has had none of the flags `refuse` since.
    pub(crate) fn flag_blocked(&self, refuse: u64) -> bool {
        let head = self.head.fetch_or(BLOCKED, RING_BLOCK.get()) >> FLAG_BITS;
        // The tail may have moved on since: pops that saw the flag made room, and pushes used it. The exchange
        // acquires, so this load reads no tail that is older than the head.
        let tail = self.tail.load(RING_TAIL_HINT.get());
        self.positions().between(head, tail >> FLAG_BITS) >= self.slots.len() && tail & refuse == 0
    }

    /// Sets a flag of the head that is a hint.
    pub(crate) fn flag_head(&self, flag: u64) {
        self.head.fetch_or(flag, RING_UNBLOCK.get());
    }

    /// Clears a flag of the head.
    pub(crate) fn unflag_head(&self, flag: u64) {
        self.head.fetch_and(!flag, RING_UNBLOCK.get());
    }

    pub(crate) fn is_empty(&self) -> bool {
        let head = self.head.load(RING_HEAD_LOAD.get()) >> FLAG_BITS;
        self.tail.load(RING_TAIL_HINT.get()) >> FLAG_BITS == head
    }

    /// Whether the `count`-th value from the head on is there. The answer comes from the value's slot: of the two
    /// positions only the head is read, which a lone consumer wrote itself.
    pub(crate) fn has(&self, count: u64) -> bool {
        let position = self.positions().ahead(self.head.load(RING_HEAD_HINT.get()) >> FLAG_BITS, count - 1);
        self.slot(position).stamp.load(RING_STAMP_HINT.get()) & !NOTED == position + 1
    }

    /// Whether the `count`-th slot from the tail on is free. The counterpart of [`has`](Self::has), for a producer.
    pub(crate) fn has_room(&self, count: u64) -> bool {
        let position = self.positions().ahead(self.tail.load(RING_TAIL_HINT.get()) >> FLAG_BITS, count - 1);
        self.slot(position).stamp.load(RING_STAMP_HINT.get()) == position
    }

    /// How many values the ring held at some moment during the call.
    pub(crate) fn len(&self) -> usize {
        loop {
            let tail = self.tail.load(RING_TAIL_LOAD.get()) >> FLAG_BITS;
            let head = self.head.load(RING_HEAD_LOAD.get()) >> FLAG_BITS;
            if self.tail.load(RING_TAIL_HINT.get()) >> FLAG_BITS == tail {
                return self.positions().between(head, tail);
            }
        }
    }

    /// How many values were ever pushed, and how many were ever popped.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let total = |word: u64| self.positions().total(word >> FLAG_BITS);
        let popped = total(self.head.load(RING_HEAD_LOAD.get()));
        // This tail is no older than the head above: no more values were popped than were pushed.
        (total(self.tail.load(RING_TAIL_HINT.get())), popped)
    }

    #[inline(always)]
    fn positions(&self) -> Positions {
        Positions { lap: self.lap, capacity: self.slots.len() as u64 }
    }

    #[inline(always)]
    fn slot(&self, position: u64) -> &Slot<T> {
        &self.slots[self.positions().index(position)]
    }
}

impl<T, N> Drop for Ring<T, N> {
    fn drop(&mut self) {
        while self.pop(&mut Parcel::empty()).is_some() {}
    }
}
