//! The slots of a worker's private stack of jobs.
//!
//! A small buffer is one block, and moves to a larger block when it is full. A large one gets further blocks of one
//! size instead, so that no job moves, and no memory is touched twice. A *directory* has the first slot of each block.
//!
//! The slots form a ring: position `at` lies in the block `at / block size`, and that block's place in the directory is
//! its number modulo the number of places, which is a power of two. A place is empty until the first position of its
//! block comes up.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

use crate::jobs::job::Job;
use crate::sync::{MODEL, UnsafeCell};
use crate::system::huge_pages;

type Slot = UnsafeCell<MaybeUninit<Job>>;

/// The number of slots in a block of a buffer with several. A power of two; with jobs of 40 bytes it makes a block
/// exactly five large pages.
const BLOCK: usize = if MODEL { 4 } else { 1 << 18 };

/// A buffer that is smaller than a block moves to one of so many times its size.
const GROWTH: usize = if MODEL { 2 } else { 4 };

/// A block of the full size: whole large pages. The cells of the checkers are no plain memory, and need their
/// constructors.
#[cfg(not(any(loom, shuttle, all(lab, feature = "lab"))))]
#[repr(C, align(0x20_0000))]
struct Full([Slot; BLOCK]);

/// Memory for slots.
enum Block {
    Small(Box<[Slot]>),
    #[cfg(not(any(loom, shuttle, all(lab, feature = "lab"))))]
    Full(Box<MaybeUninit<Full>>),
}

impl Block {
    fn new(slots: usize) -> Block {
        #[cfg(not(any(loom, shuttle, all(lab, feature = "lab"))))]
        if slots == BLOCK {
            let block = Box::new_uninit();
            huge_pages::prefer(&*block);
            return Block::Full(block);
        }
        let block: Box<[Slot]> = (0..slots).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        huge_pages::prefer(&*block);
        Block::Small(block)
    }

    fn first(&self) -> *const Slot {
        match self {
            Block::Small(slots) => slots.as_ptr(),
            #[cfg(not(any(loom, shuttle, all(lab, feature = "lab"))))]
            Block::Full(block) => block.as_ptr().cast(),
        }
    }
}

/// The slots. The directory has at least one place.
pub(super) struct Buffer {
    blocks: Vec<Block>,
    directory: Box<[*const Slot]>,
    /// The number of slots of each block is 2 to the power of this.
    shift: u32,
}

impl Buffer {
    /// Creates a buffer of one block.
    pub(super) fn new(slots: usize) -> Buffer {
        debug_assert!(slots.is_power_of_two() && slots <= BLOCK);
        let block = Block::new(slots);
        Buffer { directory: Box::new([block.first()]), blocks: vec![block], shift: slots.trailing_zeros() }
    }

    /// The number of slots in memory.
    pub(super) fn len(&self) -> usize {
        self.blocks.len() << self.shift
    }

    /// The number of positions that have a place in the directory.
    fn span(&self) -> usize {
        self.directory.len() << self.shift
    }

    fn place(&self, position: usize) -> usize {
        (position >> self.shift) & (self.directory.len() - 1)
    }

    pub(super) fn view(&self) -> View {
        View {
            directory: self.directory.as_ptr(),
            places: self.directory.len() - 1,
            slots: (1 << self.shift) - 1,
            shift: self.shift,
        }
    }

    /// The position at which the owner must make room before it may go on, where the positions `live` hold jobs. One
    /// slot always stays free.
    pub(super) fn limit(&self, live: Range<usize>) -> usize {
        let first = live.end >> self.shift;
        let present = |block: &usize| !self.directory[block & (self.directory.len() - 1)].is_null();
        let after = first + (first..first + self.directory.len()).take_while(present).count();
        (live.start + self.span() - 1).min(after << self.shift)
    }

    /// Makes sure that there is a slot for the position `live.end`, and a place for the next, where the positions
    /// `live` hold jobs.
    ///
    /// # Safety
    /// The positions `live` hold jobs, and nobody accesses the slots now.
    pub(super) unsafe fn make_room(&mut self, live: Range<usize>) {
        let top = live.end;
        if live.len() + 1 >= self.span() {
            // SAFETY: by the caller's promise.
            unsafe { self.grow(live) };
        }
        let place = self.place(top);
        if self.directory[place].is_null() {
            self.directory[place] = self.add_block();
        }
    }

    fn add_block(&mut self) -> *const Slot {
        let block = Block::new(1 << self.shift);
        let first = block.first();
        self.blocks.push(block);
        first
    }

    /// # Safety
    /// As for [`make_room`](Self::make_room).
    #[cold]
    unsafe fn grow(&mut self, live: Range<usize>) {
        let old = self.view();
        if self.span() < BLOCK {
            let new = Buffer::new((self.span() * GROWTH).min(BLOCK));
            // SAFETY: by the caller's promise; the new buffer is this call's alone.
            unsafe { old.move_jobs(live, new.view()) };
            *self = new;
            return;
        }
        let blocks = (live.start >> self.shift)..=(live.end >> self.shift);
        let (first, last, places) = (*blocks.start(), *blocks.end(), self.directory.len());
        let mut directory = vec![ptr::null(); 2 * places].into_boxed_slice();
        for block in blocks {
            directory[block & (2 * places - 1)] = self.directory[block & (places - 1)];
        }
        if last - first == places {
            // The newest jobs lie in the block of the oldest.
            directory[last & (2 * places - 1)] = self.add_block();
            let new = View { directory: directory.as_ptr(), places: 2 * places - 1, ..old };
            // SAFETY: by the caller's promise; the new block is this call's alone.
            unsafe { old.move_jobs(last << self.shift..live.end, new) };
        }
        self.directory = directory;
    }
}

/// Where the slots of a buffer are. Invariant: the buffer lives, and its directory stays the same, for as long as the
/// view is used.
#[derive(Clone, Copy)]
pub(super) struct View {
    directory: *const *const Slot,
    /// The number of places in the directory, less one.
    places: usize,
    /// The number of slots in a block, less one.
    slots: usize,
    shift: u32,
}

impl View {
    /// Whether there are places for more than this many slots.
    pub(super) fn may_exceed(&self, slots: usize) -> bool {
        (self.places + 1) << self.shift > slots
    }

    /// The slot of a position whose block is there.
    #[inline(always)]
    fn slot(&self, at: usize) -> &Slot {
        // SAFETY: the mask keeps the offset below the number of places.
        let place = unsafe { self.directory.add((at >> self.shift) & self.places) };
        // SAFETY: by the invariant, the directory is alive, and nobody changes it now.
        let first = unsafe { *place };
        debug_assert!(!first.is_null(), "no block for the position");
        // SAFETY: the mask keeps the offset below the number of slots.
        let slot = unsafe { first.add(at & self.slots) };
        // SAFETY: by the invariant, the buffer is alive.
        unsafe { &*slot }
    }

    /// Writes `job` into the slot of position `at`.
    ///
    /// # Safety
    /// The slot's block is there, and no other thread may access the slot now.
    #[inline(always)]
    pub(super) unsafe fn write(&self, at: usize, job: Job) {
        self.slot(at).with_mut(|slot| {
            // SAFETY: by the caller's promise.
            let slot = unsafe { &mut *slot };
            slot.write(job);
        });
    }

    /// Takes the job out of the slot of position `at`.
    ///
    /// # Safety
    /// The slot must have been written, must be read only once, and must not be written now.
    #[inline(always)]
    pub(super) unsafe fn read(&self, at: usize) -> Job {
        self.slot(at).with_mut(|slot| {
            // SAFETY: by the caller's promise, no thread writes the slot now.
            let slot = unsafe { &*slot };
            // SAFETY: by the caller's promise, the slot was written and is read once.
            unsafe { slot.assume_init_read() }
        })
    }

    /// Moves the jobs of the positions `live` to `new`.
    ///
    /// # Safety
    /// The positions hold jobs in this view, have slots in `new`, and nobody accesses the slots of either now.
    unsafe fn move_jobs(self, live: Range<usize>, new: View) {
        for at in live {
            // SAFETY: by the caller's promise; each job is moved once, and jobs have no destructor.
            let job = unsafe { self.read(at) };
            // SAFETY: by the caller's promise.
            unsafe { new.write(at, job) };
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::{BLOCK, Buffer, GROWTH};
    use crate::jobs::job::Job;
    use std::cell::Cell;
    use std::collections::VecDeque;
    use std::ops::Range;

    thread_local! {
        static RAN: Cell<usize> = const { Cell::new(0) };
    }

    /// A buffer as the private stack uses it, beside a queue of the numbers that it holds.
    struct Pair {
        buffer: Buffer,
        live: Range<usize>,
        limit: usize,
        numbers: VecDeque<usize>,
        pushed: usize,
        rooms: usize,
    }

    impl Pair {
        fn new(start: usize) -> Pair {
            let buffer = Buffer::new(64);
            let limit = buffer.limit(start..start);
            Pair { buffer, live: start..start, limit, numbers: VecDeque::new(), pushed: 0, rooms: 0 }
        }

        fn push(&mut self, count: usize) {
            for _ in 0..count {
                let number = self.pushed;
                self.pushed += 1;
                // SAFETY: room was made, and there is one thread.
                unsafe { self.buffer.view().write(self.live.end, Job::new(move || RAN.set(number))) };
                self.numbers.push_back(number);
                self.live.end += 1;
                if self.live.end >= self.limit {
                    // SAFETY: the positions hold jobs, and there is one thread.
                    unsafe { self.buffer.make_room(self.live.clone()) };
                    self.limit = self.buffer.limit(self.live.clone());
                    assert!(self.live.end < self.limit, "one more has room");
                    self.rooms += 1;
                }
            }
        }

        fn take(&mut self, count: usize, oldest: bool) {
            for _ in 0..count {
                let (at, number) = if oldest {
                    self.live.start += 1;
                    (self.live.start - 1, self.numbers.pop_front())
                } else {
                    self.live.end -= 1;
                    (self.live.end, self.numbers.pop_back())
                };
                // SAFETY: the position held a job, which is read once; there is one thread.
                unsafe { self.buffer.view().read(at) }.run();
                assert_eq!(Some(RAN.get()), number);
            }
            self.limit = self.buffer.limit(self.live.clone());
        }
    }

    #[test]
    fn jobs_stay_in_order_as_it_grows() {
        for start in [0, 61, 3 * BLOCK - 1, 3 * BLOCK + 100] {
            let mut pair = Pair::new(start);
            // Below one block, at its end, and with the newest jobs in the block of the oldest.
            for (push, oldest, newest) in [
                (100, 90, 0),
                (3000, 700, 5),
                (BLOCK, 1000, 3),
                (BLOCK, BLOCK / 2, 0),
                (BLOCK, 0, 0),
                (3 * BLOCK, 0, 0),
            ] {
                pair.push(push);
                pair.take(oldest, true);
                pair.take(newest, false);
            }
            let held = pair.numbers.len();
            assert!(pair.buffer.len() < held + 2 * BLOCK, "{} slots for {held} jobs", pair.buffer.len());
            pair.take(held / 2, false);
            pair.push(held / 3);
            pair.take(pair.numbers.len(), true);
        }
    }

    #[test]
    fn a_full_block_is_not_moved() {
        let mut pair = Pair::new(0);
        pair.push(BLOCK);
        let (first, rooms) = (pair.buffer.directory[0], pair.rooms);
        assert!(rooms <= 2 + (BLOCK / 64).ilog(GROWTH) as usize);
        pair.push(5 * BLOCK);
        assert_eq!(pair.buffer.directory[0], first);
        assert_eq!(pair.buffer.blocks.len(), 7);
        // At most one for each block, and one for each time that the directory doubles.
        assert!(pair.rooms <= rooms + 6 + 3);
        pair.take(6 * BLOCK, false);
    }
}
