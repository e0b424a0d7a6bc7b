//! The private part of a worker, in front of its deque: its [open forks](fork_list) and its [private
//! jobs](job_stack).
//!
//! Only the owner uses them until another worker has nothing to do. The idle worker then leaves a demand, in one word
//! that serves forks and jobs alike. The owner reads this word after each push. If it finds a demand, it exposes its
//! oldest work: forks before jobs, because an old fork is the largest piece of work there is; older jobs before
//! younger jobs, and older forks before younger forks. If the owner does not answer, the idle worker raids: it takes
//! the oldest fork or job itself.
//!
//! # Why not
//!
//! *Everything in the deque* (rayon): the fence in the deque's `pop` would be the larger part of a fork's price.
//! *Forks shown by a heartbeat* (chili, spice): two long closures may run one after the other. *Exposing on demand
//! alone* (LCWS): work stays hidden for as long as the victim forks nothing. *Raids alone*: each raid costs the thief
//! a system call and the other workers an interrupt. *A plain call of both sides where enough forks wait*: no thief
//! can take such a fork, and its second side may be long, or may be what the first side waits for.

mod buffer;
mod fencing;
mod fork_list;
mod frame;
mod job_stack;
mod rest;

pub(crate) use fencing::Fencing;
pub(crate) use fork_list::Settled;
pub(crate) use frame::{Frame, owner_of};

use std::marker::PhantomData;
use std::ops::Deref;

use crate::jobs::job::Job;
use crate::sync::site::FORK_ANSWER_FENCE;
use crate::sync::{Arc, MODEL, fence};
use crate::waiting::latch::TaskOwner;
use fork_list::ForkList;
use job_stack::Jobs;
use rest::Rest;

/// The private part of a worker as other workers see it.
pub(crate) struct Shared {
    jobs: Jobs,
    forks: ForkList,
    rest: Rest,
    /// Whether raiders may use the system's fence.
    may_use_heavy: bool,
}

impl Shared {
    /// Asks the owner for a job. The caller must count as idle, and must have fenced since then; otherwise the owner only
    /// looks up who wants one.
    #[inline]
    pub(crate) fn demand(&self) {
        self.jobs.demand();
    }

    /// Whether the owner has not yet answered the last demand.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.jobs.is_wanted()
    }

    /// Whether there is something to take. The answer is exact for what was pushed before a `heavy` that precedes the
    /// call.
    #[inline]
    pub(crate) fn has_some(&self) -> bool {
        self.jobs.has_some() || self.forks.has_some()
    }

    /// About how many jobs there are, plus one if there are forks.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len() + usize::from(self.forks.has_some())
    }

    /// Whether a raider needs no fence of the system's.
    pub(crate) fn is_fenced(&self) -> bool {
        self.forks.is_fenced()
    }

    /// Whether the owner still fences although the system has granted its fence. It learns that when it next answers a
    /// demand, or when it has rested.
    pub(crate) fn is_outdated(&self) -> bool {
        !MODEL && self.is_fenced() && Fencing::possible(self.may_use_heavy) == Fencing::Raider
    }

    /// Whether the owner is at rest, and sees each demand of the caller's before it pushes again. The caller must
    /// have fenced with `REST_LOOK_FENCE` since its demand.
    #[inline]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.rest.is_on()
    }

    /// Takes the oldest fork or, if it gets none, the oldest job. It leaves forks, or jobs, alone while another
    /// thread holds their lock.
    pub(crate) fn raid(&self) -> Option<Job> {
        let job = self.forks.raid().or_else(|| self.jobs.raid());
        if job.is_some() {
            // Other workers may want a job, too.
            self.jobs.demand();
        }
        job
    }
}

/// The owner's side. It dereferences to [`Private`].
pub(crate) struct Stack(Arc<Shared>);

/// The private part as the owner's thread sees it. Only the owner calls its methods.
#[repr(transparent)]
pub(crate) struct Private {
    shared: Shared,
    /// Keeps the value on one thread.
    _owner: PhantomData<*const ()>,
}

/// What the owner has to give when a demand asks it for jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Available {
    /// The number of forks and jobs.
    pub(crate) len: usize,
    /// The number of forks among them. Forks go first.
    pub(crate) forks: usize,
}

impl Stack {
    /// Creates an empty stack. Its raiders may use the system's fence if `may_use_heavy` says so.
    pub(crate) fn new(may_use_heavy: bool) -> Stack {
        let fencing = Fencing::possible(may_use_heavy);
        let (jobs, forks) = (Jobs::new(fencing), ForkList::new(fencing));
        Stack(Arc::new(Shared { jobs, forks, rest: Rest::new(), may_use_heavy }))
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }
}

impl Deref for Stack {
    type Target = Private;

    #[inline(always)]
    fn deref(&self) -> &Private {
        let shared: *const Shared = &*self.0;
        // SAFETY: `Private` is `repr(transparent)` over `Shared`. A `Stack` belongs to its owner, so one thread at a
        // time uses it.
        unsafe { &*shared.cast::<Private>() }
    }
}

impl Private {
    /// Sets the owner that waits for the forks that leave from now on. To be called while no fork is private.
    pub(crate) fn set_owner(&self, owner: TaskOwner) {
        self.shared.forks.set_owner(owner);
    }

    /// Whether the owner has noted that it is at rest.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.shared.rest.is_on()
    }

    /// Notes that the owner is at rest: it has nothing private, and pushes nothing before [`work`](Self::work).
    pub(crate) fn rest(&self) {
        // SAFETY: the caller is the owner.
        unsafe { self.shared.jobs.shrink() };
        self.shared.rest.begin();
    }

    /// Notes that the owner is about to run a job, or anything else that may push. The owner learns whether the system
    /// has granted its fence since it last learned that: with no other worker to ask for jobs, nothing else would tell.
    pub(crate) fn work(&self) {
        self.shared.rest.end();
        if self.shared.is_outdated() {
            self.set_fencing(Fencing::Raider);
        }
    }

    /// Has the owner pay for fences from now on, or not. To be called while nothing is private, after a rest.
    #[cold]
    pub(crate) fn set_fencing(&self, fencing: Fencing) {
        // SAFETY: the caller is the owner.
        let mut jobs = unsafe { self.shared.jobs.open() };
        jobs.set_fencing(fencing);
        drop(jobs);
        self.shared.forks.open().set_fencing(fencing);
    }

    /// Whether another worker wants a job.
    #[inline(always)]
    pub(crate) fn is_wanted(&self) -> bool {
        self.shared.jobs.is_wanted()
    }

    /// Whether there is nothing to hand out.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        // SAFETY: the caller is the owner.
        let no_jobs = unsafe { self.shared.jobs.is_empty() };
        no_jobs && !self.shared.forks.has_some()
    }

    /// Whether there seems to be something to hand out. A raid that is under way may hide it.
    #[inline(always)]
    pub(crate) fn seems_filled(&self) -> bool {
        self.shared.has_some()
    }

    /// The frame of the newest fork.
    #[inline(always)]
    pub(crate) fn newest_fork(&self) -> *mut Frame {
        self.shared.forks.newest()
    }

    /// Appends a fork. Returns `true` if another worker wants a job: the caller must then call
    /// [`expose`](Self::expose).
    ///
    /// # Safety
    /// * `frame` was made with the [newest fork](Self::newest_fork) as its older fork.
    /// * `frame` stays in place until it is popped and, if its job left, until that job has ended or is back.
    /// * The pointer is valid for the whole object that begins with the frame.
    #[inline(always)]
    pub(crate) unsafe fn push_fork(&self, frame: *const Frame) -> bool {
        debug_assert!(MODEL || !self.shared.rest.is_on(), "a fork of a worker at rest");
        // SAFETY: by the caller's promise, and the caller is the owner.
        unsafe { self.shared.forks.push(frame) };
        self.is_wanted()
    }

    /// Pops the newest fork. Returns `true` if the fork is the owner's. Otherwise [`settle`](Self::settle) tells who
    /// has it.
    ///
    /// # Safety
    /// `frame` must be the newest fork's.
    #[inline(always)]
    pub(crate) unsafe fn pop_fork(&self, frame: &Frame) -> bool {
        // SAFETY: by the caller's promise, and the caller is the owner.
        unsafe { self.shared.forks.pop(frame) }
    }

    /// Tells who has the fork that was just popped.
    ///
    /// # Safety
    /// The call must come right after [`pop_fork`](Self::pop_fork) for the same frame.
    pub(crate) unsafe fn settle(&self, frame: &Frame) -> Settled {
        // SAFETY: by the caller's promise, and the caller is the owner.
        unsafe { self.shared.forks.settle(frame) }
    }

    /// Pushes a job. Returns `true` if another worker wants a job, or if there is no room for another job: the caller
    /// must then call [`expose`](Self::expose) before the next push.
    #[inline(always)]
    #[must_use = "the stack may have no room for the next job"]
    pub(crate) fn push(&self, job: Job) -> bool {
        debug_assert!(MODEL || !self.shared.rest.is_on(), "a job of a worker at rest");
        // SAFETY: the caller is the owner.
        unsafe { self.shared.jobs.push(job) }
    }

    /// Pops the newest job.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Job> {
        // SAFETY: the caller is the owner.
        unsafe { self.shared.jobs.pop() }
    }

    /// Makes room for one more job, and answers demand. Calls `wanted` with what there is, and hands as many of the
    /// oldest forks or jobs to `expose` as `wanted` says; repeats this until `wanted` says 0 or nothing is left. One
    /// batch holds only forks or only jobs. `expose` must take them all. Returns how many forks and jobs it handed
    /// out.
    #[cold]
    #[inline(never)]
    pub(crate) fn expose(
        &self,
        wanted: impl Fn(Available) -> usize,
        mut expose: impl FnMut(&mut dyn ExactSizeIterator<Item = Job>),
    ) -> usize {
        // SAFETY: the caller is the owner.
        let mut jobs = unsafe { self.shared.jobs.open() };
        let mut forks = self.shared.forks.open();
        let fencing = Fencing::possible(self.shared.may_use_heavy);
        jobs.set_fencing(fencing);
        forks.set_fencing(fencing);
        let mut exposed = 0;
        loop {
            jobs.answered();
            fence(FORK_ANSWER_FENCE);
            let available = Available { len: forks.len() + jobs.len(), forks: forks.len() };
            let wanted = wanted(available);
            if wanted == 0 {
                if Fencing::may_improve(self.shared.may_use_heavy) {
                    // So that the owner comes here again, and learns when the system has answered.
                    jobs.unanswered();
                }
                return exposed;
            }
            if available.len == 0 {
                // The demand stays, so that the next push is handed out.
                jobs.unanswered();
                return exposed;
            }
            let taken = if available.forks > 0 {
                let count = wanted.min(available.forks);
                forks.take_oldest(count, &mut expose);
                count
            } else {
                let count = wanted.min(available.len);
                jobs.take_oldest(count, &mut expose);
                count
            };
            exposed += taken;
        }
    }
}
