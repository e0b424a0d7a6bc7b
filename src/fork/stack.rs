//! The private stack of jobs that a worker keeps in front of its deque.
//!
//! The owner pushes and pops without a fence and without a read-modify-write. Two words tell what is there:
//! `top`, which only the owner moves, and `bottom`, which moves under the lock. Jobs leave at the bottom, oldest
//! first, in two ways:
//!
//! * **Exposed by the owner, on demand.** Whoever has nothing to do stores 0 into `limit`, which the owner reads
//!   with each push anyway. It then moves jobs to its deque, where they are stolen in the ordinary way.
//! * **Raided.** An owner that is inside a long closure pushes nothing and so sees no demand. A thief that found
//!   nothing elsewhere takes the lock and the oldest job itself.
//!
//! | word | written by | read by |
//! |---|---|---|
//! | `top` | owner | owner; raiders, after `heavy` |
//! | `bottom` | owner and raiders, with the lock | owner, after `light`; raiders |
//! | `limit` | owner, with the lock; 0 by anyone | owner |
//! | slots `bottom..top` | owner | owner; raiders, with the lock |
//!
//! # The race for the oldest job
//!
//! The owner lowers `top`, then reads `bottom`; the raider raises `bottom`, then reads `top`: Dekker's pattern, and
//! the protocol that Cilk-5 calls THE (Frigo, Leiserson, Randall, 1998), with an [asymmetric fence](crate::barrier)
//! so that the owner pays nothing. At least one of the two sees the other. The owner that sees the raider waits for
//! the lock, after which the raid has happened or was given up. The raider that sees the owner gives up. If both
//! see each other, the owner has the job: it waits until the raider has given up.
//!
//! A raider that claimed slot `b` may find a newer job in it than was there when it came. That is no harm: it
//! reads the slot only after it has seen `top` above `b`, which orders it after that job's push, and from the moment
//! the heavy fence is over the owner cannot pop `b` without seeing the claim. Nor can the owner write over `b` from
//! the other end: it counts room from a bottom that it read under the lock, not from one that a raider may take back.
//! Nor does it take itself for empty because of one: it would sleep on the job that the raider leaves there (the models
//! `scope_nested` and `scope_two_thieves` found that).
//!
//! # The race between demand and push
//!
//! The owner pushes, then reads `limit`; whoever is about to sleep poisons `limit`, then looks at `top`, with
//! `light` and `heavy` in between. So either the push is seen, and raided, or the poison is, and answered. And the
//! owner that takes the poison away fences and looks again who is idle, as [`crate::sleep`] has it for publishers.
//!
//! # Why not
//!
//! *Everything in the deque* (rayon): 7 ns a fork, of which the fence in its `pop` is the larger part. *Forks shown
//! by a heartbeat* (chili, spice): two closures of 100 ms run one after the other. *Exposing on demand alone*
//! (LCWS): work stays hidden for as long as the victim forks nothing. *Raids alone*: each costs
//! the thief a system call and all others an interrupt, 13 µs where it was measured.

use std::cell::Cell;
use std::ops::Range;

use crossbeam_utils::CachePadded;

use super::buffer::{Buffer, View};
use crate::barrier;
use crate::job::Job;
use crate::sync::site::*;
use crate::sync::{Arc, AtomicUsize, MODEL, Mutex, defect, fence, light_fence, lock, try_lock, yield_now};

/// So many private jobs are enough for any thief to come: with more, a fork is a plain call of both sides.
const WINDOW: usize = if MODEL { 2 } else { 4 };

/// So many forks after each demand are pushed though enough wait. Somebody is, or was a moment ago, without work; and
/// what is called plainly cannot be had back: of a chain of forks with a long closure at each, all must be there for
/// others before the first of them begins. Fine forks are through with these in a microsecond.
const CREDIT: u32 = if MODEL { 1 } else { 64 };

/// So many bytes of stack may lie between two forks that are pushed, whatever waits. What is called plainly meanwhile
/// is not to be had, and in a deep recursion that is most of the work: without this, two workers were 13 % slower on
/// a tree 1,572 deep (UTS T3), whose second worker found crumbs at the one end and nothing in between. A balanced
/// recursion is through before it gets so far down.
const REACH: usize = 4 << 10;

/// Slots at first; a power of two, as it stays. One slot is always free.
const SLOTS: usize = if MODEL { 4 } else { 64 };

/// A buffer of more slots than this is given back when it has become empty.
const KEEP: usize = 1 << 14;

/// What owner and thieves share.
pub(crate) struct Shared {
    /// One above the newest private job.
    top: CachePadded<AtomicUsize>,
    edge: CachePadded<Edge>,
    buffer: Mutex<Buffer>,
}

/// What the owner reads with each fork and others seldom write.
struct Edge {
    /// The oldest private job.
    bottom: AtomicUsize,
    /// A fork at or above it is not pushed. 0: a job is wanted.
    limit: AtomicUsize,
}

// SAFETY: jobs are Send; slots are accessed by the protocol in the module's text.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    /// Asks the owner for a job. The caller counts as idle, and fenced since.
    #[inline]
    pub(crate) fn demand(&self) {
        if self.edge.limit.load(FORK_LIMIT.get()) != 0 {
            self.edge.limit.store(0, FORK_LIMIT_POISON.get());
        }
    }

    /// How many private jobs there are, about.
    pub(crate) fn len(&self) -> usize {
        let bottom = self.edge.bottom.load(FORK_BOTTOM.get());
        self.top.load(FORK_TOP_HINT.get()).saturating_sub(bottom)
    }

    /// Whether the owner has not answered the last demand.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.edge.limit.load(FORK_LIMIT.get()) == 0
    }

    /// Takes the oldest private job, unless another thread has the lock.
    pub(crate) fn raid(&self) -> Option<Job> {
        if self.len() == 0 || !barrier::available() {
            return None;
        }
        let Some(buffer) = try_lock(&self.buffer) else {
            if MODEL {
                // The checker would try for ever before it lets the holder go on.
                yield_now();
            }
            return None;
        };
        let at = self.edge.bottom.load(FORK_BOTTOM.get());
        self.edge.bottom.store(at + 1, FORK_BOTTOM_MOVE.get());
        barrier::heavy();
        if self.top.load(FORK_TOP_RAID.get()) <= at {
            self.edge.bottom.store(at, FORK_BOTTOM_MOVE.get());
            return None;
        }
        // Others may want one, too; and the owner's limit is to move with the bottom.
        self.edge.limit.store(0, FORK_LIMIT_POISON.get());
        // SAFETY: position `at` is claimed: see the module's text.
        Some(unsafe { buffer.view().read(at) })
    }
}

/// The owner's side.
pub(crate) struct Stack {
    shared: Arc<Shared>,
    /// The buffer behind the lock, which only the owner replaces.
    view: Cell<View>,
    /// A push at or above it needs a look at how much room there is.
    full: Cell<usize>,
    /// So many forks are still pushed though enough wait; see [`CREDIT`].
    credit: Cell<u32>,
    /// Down to which address on the thread's stack forks are in [`REACH`] of one that was pushed.
    reach: Cell<usize>,
    /// Down to which address forks are plain calls if enough wait: `reach`, or without limit while there is credit. One
    /// number, so that a plain call has one thing to look at.
    plain_down_to: Cell<usize>,
    /// Whether raids are to be had. If not, nothing stays private: demand is never taken back.
    raids: bool,
}

/// What became of a job that a raider may have claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Settled {
    /// It is the owner's.
    Private,
    /// It left at the bottom.
    Left,
}

// SAFETY: the view points into the buffer, which goes where `shared` goes; a stack is used by one thread at a time.
unsafe impl Send for Stack {}

impl Stack {
    pub(crate) fn new() -> Stack {
        let shared = Arc::new(Shared {
            top: CachePadded::new(AtomicUsize::new(0)),
            edge: CachePadded::new(Edge { bottom: AtomicUsize::new(0), limit: AtomicUsize::new(0) }),
            buffer: Mutex::new(Buffer::new(SLOTS)),
        });
        let view = Cell::new(lock(&shared.buffer).view());
        Stack {
            shared,
            view,
            full: Cell::new(SLOTS - 1),
            credit: Cell::new(CREDIT),
            reach: Cell::new(usize::MAX),
            plain_down_to: Cell::new(usize::MAX),
            raids: barrier::available(),
        }
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    #[inline(always)]
    fn top(&self) -> usize {
        self.shared.top.load(FORK_TOP_OWN.get())
    }

    #[inline(always)]
    fn bottom(&self) -> usize {
        self.shared.edge.bottom.load(FORK_BOTTOM.get())
    }

    /// The limit if nobody wants a job.
    fn limit_above(&self, bottom: usize) -> usize {
        if self.raids { bottom + WINDOW } else { 0 }
    }

    /// Whether somebody wants a job.
    #[inline(always)]
    pub(crate) fn is_wanted(&self) -> bool {
        self.shared.edge.limit.load(FORK_LIMIT.get()) == 0
    }

    /// Whether there is no job.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        let top = self.top();
        // No lower than the bottom was when the owner last had the lock: nothing to look for.
        let settled = self.full.get() - self.view.get().mask();
        top <= self.bottom() && (top <= settled || defect("claim_believed") || self.is_empty_now())
    }

    /// As [`is_empty`](Self::is_empty) once no raid is under way: one that gives up leaves the job to the owner,
    /// which would otherwise sleep on it.
    #[cold]
    #[inline(never)]
    fn is_empty_now(&self) -> bool {
        let buffer = lock(&self.shared.buffer);
        let bottom = self.bottom();
        self.full.set(bottom + buffer.len() - 1);
        self.top() <= bottom
    }

    /// Whether there are jobs, about: a raid that is under way may hide one.
    #[inline(always)]
    pub(crate) fn seems_filled(&self) -> bool {
        self.top() > self.bottom()
    }

    /// Where a fork goes that the frame at `here` makes, or `None` if it is to be a plain call: enough jobs wait, one
    /// of them was forked not far up, and nobody wants one.
    #[inline(always)]
    pub(crate) fn room_for_fork(&self, here: usize) -> Option<usize> {
        let at = self.top();
        let limit = self.shared.edge.limit.load(FORK_LIMIT.get());
        if at < limit {
            return Some(at);
        }
        if limit != 0 {
            if here >= self.plain_down_to.get() {
                return None;
            }
            self.use_credit();
        }
        if at >= self.full.get() {
            self.make_room(at);
        }
        Some(at)
    }

    /// A fork was pushed by a frame at the address `here`. What to [restore](Self::end_reach) when it is over.
    #[inline(always)]
    pub(super) fn begin_reach(&self, here: usize) -> usize {
        let before = self.reach.get();
        self.end_reach(here.saturating_sub(REACH));
        before
    }

    #[inline(always)]
    pub(super) fn end_reach(&self, before: usize) {
        self.reach.set(before);
        if self.credit.get() == 0 {
            self.plain_down_to.set(before);
        }
    }

    fn use_credit(&self) {
        let left = self.credit.get().saturating_sub(1);
        self.credit.set(left);
        if left == 0 {
            self.plain_down_to.set(self.reach.get());
        }
    }

    /// Pushes a job. Whether one is wanted.
    #[inline(always)]
    pub(crate) fn push(&self, job: Job) -> bool {
        let at = self.top();
        if at >= self.full.get() {
            self.make_room(at);
        }
        self.place(at, job)
    }

    /// Puts a job where there is room, which is at the top. Whether one is wanted.
    #[inline(always)]
    pub(super) fn place(&self, at: usize, job: Job) -> bool {
        // SAFETY: `full` or the limit left a free slot there, which belongs to the owner.
        unsafe { self.view.get().write(at, job) };
        self.shared.top.store(at + 1, FORK_PUSH.get());
        light_fence(FORK_PUSH_LIGHT);
        self.is_wanted()
    }

    /// Pops the fork at `at`, if it is on top and was not taken: `true` then, and it is the owner's, who knows
    /// what it is. If not, [`settle`](Self::settle) tells.
    #[inline(always)]
    pub(crate) fn unfork(&self, at: usize) -> bool {
        if self.top() != at + 1 {
            return false;
        }
        self.shared.top.store(at, FORK_POP.get());
        light_fence(FORK_UNFORK_LIGHT);
        self.bottom() <= at
    }

    /// Pops the newest job.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Job> {
        if self.is_empty() {
            return None;
        }
        let at = self.top() - 1;
        self.shared.top.store(at, FORK_POP.get());
        light_fence(FORK_POP_LIGHT);
        if self.bottom() > at && !defect("bottom_unlooked") && self.settle(at) == Settled::Left {
            return None;
        }
        // SAFETY: it was pushed, and no raider has a claim: see the module's text.
        Some(unsafe { self.view.get().read(at) })
    }

    /// The top was lowered to `at`, which a raider may have claimed: who has the job?
    #[cold]
    pub(crate) fn settle(&self, at: usize) -> Settled {
        debug_assert_eq!(self.top(), at);
        // With the lock no raid is under way: it has happened or was given up.
        let buffer = lock(&self.shared.buffer);
        if self.bottom() <= at {
            return Settled::Private;
        }
        let edge = &self.shared.edge;
        edge.bottom.store(at, FORK_BOTTOM_MOVE.get());
        self.full.set(at + buffer.len() - 1);
        if !self.is_wanted() {
            edge.limit.store(self.limit_above(at), FORK_LIMIT_SET.get());
        }
        Settled::Left
    }

    /// Whether jobs were pushed above the one at `at`, and not yet popped.
    pub(crate) fn covers(&self, at: usize) -> bool {
        self.top() > at + 1
    }

    /// There may be no free slot at `at`: looks, and doubles their number if need be.
    #[cold]
    #[inline(never)]
    fn make_room(&self, at: usize) {
        let mut buffer = lock(&self.shared.buffer);
        let bottom = self.bottom();
        if at - bottom + 1 >= buffer.len() {
            let slots = buffer.len() * 2;
            self.move_to(&mut buffer, slots, bottom..at);
        } else if at == bottom && buffer.len() > KEEP {
            self.move_to(&mut buffer, SLOTS, bottom..at);
        }
        self.full.set(bottom + buffer.len() - 1);
    }

    fn move_to(&self, buffer: &mut Buffer, slots: usize, live: Range<usize>) {
        let new = Buffer::new(slots);
        for at in live {
            // SAFETY: live, and moved once: the old slots go, and jobs have no destructor.
            let job = unsafe { buffer.view().read(at) };
            // SAFETY: nobody else has the new buffer yet.
            unsafe { new.view().write(at, job) };
        }
        *buffer = new;
        self.view.set(buffer.view());
    }

    /// Answers demand: hands the oldest jobs to `expose`, as many as `wanted` says when asked with how many there
    /// are; it is asked again until it wants none. `expose` must take them all. Returns how many there were.
    #[cold]
    #[inline(never)]
    pub(crate) fn expose(
        &self,
        wanted: impl Fn(usize) -> usize,
        mut expose: impl FnMut(&mut dyn ExactSizeIterator<Item = Job>),
    ) -> usize {
        let buffer = lock(&self.shared.buffer);
        let edge = &self.shared.edge;
        let top = self.top();
        let mut bottom = self.bottom();
        let first = bottom;
        loop {
            edge.limit.store(self.limit_above(bottom), FORK_LIMIT_SET.get());
            fence(FORK_ANSWER_FENCE);
            let wanted = if self.raids { wanted(top - bottom) } else { usize::MAX };
            if wanted == 0 {
                break;
            }
            if bottom == top {
                // The next push is for them.
                edge.limit.store(0, FORK_LIMIT_POISON.get());
                break;
            }
            let oldest = bottom..bottom + wanted.min(top - bottom);
            bottom = oldest.end;
            // SAFETY: live, with the lock held; the bottom goes up before it is let go.
            expose(&mut oldest.map(|at| unsafe { buffer.view().read(at) }));
            edge.bottom.store(bottom, FORK_BOTTOM_MOVE.get());
        }
        self.full.set(bottom + buffer.len() - 1);
        self.credit.set(CREDIT);
        self.plain_down_to.set(usize::MAX);
        bottom - first
    }
}
