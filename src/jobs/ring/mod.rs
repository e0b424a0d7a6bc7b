//! A bounded ring of values for many producers and many consumers, whose two positions carry flags.
//!
//! Vyukov's bounded MPMC queue: each slot has a stamp that says whose turn it is, a producer claims the
//! tail and a consumer the head by compare-and-swap. What is added are the flags in the low bits of the
//! two words:
//!
//! | flag | in | set by | seen by | meaning |
//! |---|---|---|---|---|
//! | `CLOSED` | tail | `close` | every push | nothing goes in any more |
//! | `OUTSIDE_CLOSED` | tail | shutdown | pushes from outside the pool | only the pool's workers push |
//! | `DRAINING` | tail | `close_when_idle` | pushes from outside the queue | only the queue's own handlers push |
//! | `NEEDS_RUNNER` | tail | a consumer that leaves | the next push | nobody is looking: have somebody look |
//! | `BLOCKED` | head | a producer that found it full | the next pop | somebody waits for room |
//! | `READY` | head | a producer that offers its core | each pop | somebody would go on if it had a core; a hint |
//!
//! A flag travels with the compare-and-swap that a push or a pop makes anyway, so telling the other side
//! costs nothing: no fence, no second shared word to read. And since all changes of one word are totally
//! ordered, there is no store-load race to argue about: a push either comes before the flag was set, and
//! whoever set it sees the push in the position it got back, or comes after, and sees the flag.
//!
//! A value may be large, so it is copied from where its owner has it to its slot, and from there to where the one that
//! runs it wants it, and lies nowhere in between: a [`Parcel`] is each of those two places. A note, a word or
//! none, goes with it.
//!
//! Why not crossbeam-queue's `ArrayQueue`, the same ring without flags: each push would need a SeqCst fence
//! and a read of the consumers' word, each pop the same for the producers' (two times 5–8 ns on a path of
//! 25), closing would race with pushing, and loom could not see into it.

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

/// The most slots that a ring may have.
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

/// Bit of a stamp. Above all positions.
const NOTED: u64 = 1 << 63;

/// A slot. Invariant: at stamp `position` it is free for the producer that claims that position; at
/// `position + 1` it holds the value for the consumer that claims it. Between a claim and the next stamp
/// it belongs to the claimant alone.
///
/// With [`NOTED`], the stamp of a value also says that there is a note with it.
struct Slot<T> {
    stamp: AtomicU64,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// The ring. A word is `position << FLAG_BITS | flags`.
pub(crate) struct Ring<T, N = ()> {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
    slots: Box<[Slot<T>]>,
    /// By the positions of their values. Apart, because few values have one, and larger slots cost all of them: in a queue
    /// of 10, whose slots go to and fro between two cores, a word more in each doubled the price of a job.
    notes: Mutex<BTreeMap<u64, N>>,
    /// A power of two above the capacity: one lap further in a position. There is room for `index + 1`
    /// at the last index, which marks a slot as full.
    lap: u64,
}

// SAFETY: a value and its note go in on one thread and come out on another, once.
unsafe impl<T: Send, N: Send> Send for Ring<T, N> {}
// SAFETY: as above; slots are accessed by claimants only.
unsafe impl<T: Send, N: Send> Sync for Ring<T, N> {}

/// Why a push did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

impl<T, N> Ring<T, N> {
    /// A ring of `capacity` slots, which must be in `1..=MAX_CAPACITY`. `None` without the memory for it.
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

    /// Appends what is in `from`, unless the tail has one of the flags `refuse`. The tail's flags at that moment.
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
                            // SAFETY: the stamp said "free for this position" and the exchange claimed
                            // the position, so the slot is ours until the stamp below.
                            let place = unsafe { &mut *place };
                            // SAFETY: as above; the parcel was filled, and is not from here on.
                            unsafe { ptr::copy_nonoverlapping(from.value.as_ptr(), place.as_mut_ptr(), 1) };
                        });
                        let noted = if from.note.is_some() { self.keep_note(from, position) } else { 0 };
                        slot.stamp.store((position + 1) | noted, RING_VALUE_STORE.get());
                        return Ok(tail & FLAGS);
                    }
                    Err(seen) => tail = seen,
                }
            } else if (stamp & !NOTED) + self.lap == position + 1 {
                // The value of one lap ago is still there. Full, if its consumer has not begun; the head is
                // only looked at now, so that a push into a ring with room does not touch it.
                let head = self.head.load(RING_HEAD_HINT.get()) >> FLAG_BITS;
                if head + self.lap == position {
                    return Err(Refused::Full);
                }
                // Its consumer is about to free the slot.
                backoff.pause();
                tail = self.tail.load(RING_TAIL_HINT.get());
            } else {
                // Another producer was faster.
                backoff.pause();
                tail = self.tail.load(RING_TAIL_HINT.get());
            }
        }
    }

    /// Puts the oldest value `into` an empty parcel. The head's flags at that moment; `None` if there is no value, also
    /// none that a producer is about to write.
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
                            // SAFETY: the exchange claimed the position, so the slot is ours until the
                            // stamp below.
                            let place = unsafe { &*place };
                            // SAFETY: the stamp said that it holds the value of this position, which is
                            // read once, by the one that claimed it.
                            unsafe { ptr::copy_nonoverlapping(place.as_ptr(), into.value.as_mut_ptr(), 1) };
                        });
                        if stamp & NOTED != 0 {
                            into.note = self.take_note(position);
                        }
                        into.filled = true;
                        slot.stamp.store(position + self.lap, RING_FREE_STORE.get());
                        return Some(head & FLAGS);
                    }
                    Err(seen) => head = seen,
                }
            } else {
                if self.tail.load(RING_TAIL_HINT.get()) >> FLAG_BITS == position {
                    return None;
                }
                // Claimed but not yet written, or another consumer was faster.
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

    /// Sets flags of the tail. Whether the ring held anything then.
    pub(crate) fn flag_tail(&self, flags: u64) -> bool {
        let tail = self.tail.fetch_or(flags, RING_FLAG.get()) >> FLAG_BITS;
        self.head.load(RING_HEAD_HINT.get()) >> FLAG_BITS != tail
    }

    /// Clears flags of the tail.
    pub(crate) fn unflag_tail(&self, flags: u64) {
        self.tail.fetch_and(!flags, RING_UNFLAG.get());
    }

    /// Sets `CLOSED` beside `DRAINING`, unless something is pushed while `is_over` looks: then it is asked again. Whether
    /// it said so at last, or there is nothing to be done.
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

    /// How far the consumers are; grows by one a pop, and by more at the end of a lap.
    pub(crate) fn head_position(&self) -> u64 {
        self.head.load(RING_HEAD_HINT.get()) >> FLAG_BITS
    }

    /// Whether `BLOCKED` is set.
    pub(crate) fn is_blocked(&self) -> bool {
        self.head.load(RING_HEAD_HINT.get()) & BLOCKED != 0
    }

    /// Sets `BLOCKED`. Whether to wait for room: the ring was full then, so that the pop that makes room sees the flag,
    /// and its tail had none of `refuse` since.
    pub(crate) fn flag_blocked(&self, refuse: u64) -> bool {
        let head = self.head.fetch_or(BLOCKED, RING_BLOCK.get()) >> FLAG_BITS;
        // It may have moved on with pops that saw the flag and pushes into their room; that it is not read older than the
        // head is the exchange's doing.
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

    /// Whether the `count`-th value from the head on is there. A look at its slot: of the two positions only the
    /// head is read, which for a lone consumer is its own.
    pub(crate) fn has(&self, count: u64) -> bool {
        let position = self.positions().ahead(self.head.load(RING_HEAD_HINT.get()) >> FLAG_BITS, count - 1);
        self.slot(position).stamp.load(RING_STAMP_HINT.get()) & !NOTED == position + 1
    }

    /// Whether the `count`-th slot from the tail on is free. As [`has`](Self::has), for a producer.
    pub(crate) fn has_room(&self, count: u64) -> bool {
        let position = self.positions().ahead(self.tail.load(RING_TAIL_HINT.get()) >> FLAG_BITS, count - 1);
        self.slot(position).stamp.load(RING_STAMP_HINT.get()) == position
    }

    /// How many values it held at some moment.
    pub(crate) fn len(&self) -> usize {
        loop {
            let tail = self.tail.load(RING_TAIL_LOAD.get()) >> FLAG_BITS;
            let head = self.head.load(RING_HEAD_LOAD.get()) >> FLAG_BITS;
            if self.tail.load(RING_TAIL_HINT.get()) >> FLAG_BITS == tail {
                return self.positions().between(head, tail);
            }
        }
    }

    /// How many values were ever pushed and popped.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let total = |word: u64| self.positions().total(word >> FLAG_BITS);
        let popped = total(self.head.load(RING_HEAD_LOAD.get()));
        // No older than what was popped.
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
