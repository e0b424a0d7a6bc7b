//! What a worker keeps for itself in front of its deque: its [open forks](fork_list) and its [jobs](job_stack).
//!
//! Both are its own until another worker has nothing to do. That one leaves a demand, one word for both. Whoever pushes
//! looks at it, and hands out what is oldest: forks before jobs, because an old fork is the largest piece of work that there
//! is. The oldest jobs leave before younger ones, and so do forks.
//!
//! # Why not
//!
//! *Everything in the deque* (rayon): 7 ns a fork, of which the fence in its `pop` is the larger part. *Forks shown
//! by a heartbeat* (chili, spice): two closures of 100 ms run one after the other. *Exposing on demand alone*
//! (LCWS): work stays hidden for as long as the victim forks nothing. *Raids alone*: each costs
//! the thief a system call and all others an interrupt, 13 µs where it was measured. *A plain call of both sides where
//! enough forks wait*: nobody can have such a fork, and its second side may be long, or what the first side waits for.

mod buffer;
mod fork_list;
mod frame;
mod job_stack;

pub(crate) use fork_list::Settled;
pub(crate) use frame::{Frame, owner_of};

use std::marker::PhantomData;
use std::ops::Deref;

use crate::jobs::job::Job;
use crate::sync::site::FORK_ANSWER_FENCE;
use crate::sync::{Arc, fence};
use crate::system::membarrier;
use crate::waiting::latch::TaskOwner;
use fork_list::ForkList;
use job_stack::Jobs;

/// What others see of it.
pub(crate) struct Shared {
    jobs: Jobs,
    forks: ForkList,
}

impl Shared {
    /// Asks the owner for a job. The caller counts as idle, and fenced since.
    #[inline]
    pub(crate) fn demand(&self) {
        self.jobs.demand();
    }

    /// Whether the owner has not answered the last demand.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.jobs.is_wanted()
    }

    /// Whether there is something to take. Exact for what was pushed before a `heavy` that precedes it.
    #[inline]
    pub(crate) fn has_some(&self) -> bool {
        self.jobs.has_some() || self.forks.has_some()
    }

    /// How many jobs there are, about, and whether there are forks.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len() + usize::from(self.forks.has_some())
    }

    /// Takes the oldest fork, or else job, unless another thread is about it.
    pub(crate) fn raid(&self) -> Option<Job> {
        let job = self.forks.raid().or_else(|| self.jobs.raid());
        if job.is_some() {
            // Others may want one, too.
            self.jobs.demand();
        }
        job
    }
}

/// The owner's side.
pub(crate) struct Stack(Arc<Shared>);

/// The same as the owner's thread has it: each method is the owner's.
#[repr(transparent)]
pub(crate) struct Private {
    shared: Shared,
    /// Of one thread.
    _owner: PhantomData<*const ()>,
}

/// What the owner has to give when it is asked for jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Available {
    /// How many forks and jobs.
    pub(crate) len: usize,
    /// How many of them are forks, which go first.
    pub(crate) forks: usize,
}

impl Stack {
    pub(crate) fn new() -> Stack {
        Stack(Arc::new(Shared { jobs: Jobs::new(), forks: ForkList::new() }))
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
        // SAFETY: the one has the layout of the other. A `Stack` is its owner's: it is used by one thread at a time.
        unsafe { &*shared.cast::<Private>() }
    }
}

impl Private {
    /// From now on forks that leave are waited for by `owner`. To be called while no fork is private.
    pub(crate) fn set_owner(&self, owner: TaskOwner) {
        self.shared.forks.set_owner(owner);
    }

    /// Whether somebody wants a job.
    #[inline(always)]
    pub(crate) fn is_wanted(&self) -> bool {
        self.shared.jobs.is_wanted()
    }

    /// Whether there is nothing to hand out.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        // SAFETY: by the owner.
        let no_jobs = unsafe { self.shared.jobs.is_empty() };
        no_jobs && !self.shared.forks.has_some()
    }

    /// Whether there is something to hand out, about: a raid that is under way may hide it.
    #[inline(always)]
    pub(crate) fn seems_filled(&self) -> bool {
        self.shared.has_some()
    }

    /// The newest fork.
    #[inline(always)]
    pub(crate) fn newest_fork(&self) -> *mut Frame {
        self.shared.forks.newest()
    }

    /// Appends a fork. If the answer is yes, the caller must attend to what it has by [`expose`](Self::expose).
    ///
    /// # Safety
    /// The frame was made for the [newest](Self::newest_fork). It stays where it is until it was popped, and its job, if
    /// it left, has ended or is back. The pointer is good for all of what the frame begins.
    #[inline(always)]
    pub(crate) unsafe fn push_fork(&self, frame: *const Frame) -> bool {
        // SAFETY: by the caller's promise; by the owner.
        unsafe { self.shared.forks.push(frame) };
        self.is_wanted()
    }

    /// Pops the newest fork. `true`: it is the owner's. If not, [`settle`](Self::settle) tells who has it.
    ///
    /// # Safety
    /// `frame` is the newest.
    #[inline(always)]
    pub(crate) unsafe fn pop_fork(&self, frame: &Frame) -> bool {
        // SAFETY: by the caller's promise; by the owner.
        unsafe { self.shared.forks.pop(frame) }
    }

    /// Who has the fork that was just popped.
    ///
    /// # Safety
    /// Right after [`pop_fork`](Self::pop_fork).
    pub(crate) unsafe fn settle(&self, frame: &Frame) -> Settled {
        // SAFETY: by the caller's promise; by the owner.
        unsafe { self.shared.forks.settle(frame) }
    }

    /// Pushes a job. If the answer is yes, the caller must attend to what it has by [`expose`](Self::expose) before the
    /// next push: somebody wants a job, or there is no room for another.
    #[inline(always)]
    pub(crate) fn push(&self, job: Job) -> bool {
        // SAFETY: by the owner.
        unsafe { self.shared.jobs.push(job) }
    }

    /// Pops the newest job.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Job> {
        // SAFETY: by the owner.
        unsafe { self.shared.jobs.pop() }
    }

    /// Makes room for one more job. Answers demand: hands the oldest to `expose`, as many as `wanted` says when asked with
    /// what there is; it is asked again until it wants none. `expose` must take them all. Returns how many there were.
    #[cold]
    #[inline(never)]
    pub(crate) fn expose(
        &self,
        wanted: impl Fn(Available) -> usize,
        mut expose: impl FnMut(&mut dyn ExactSizeIterator<Item = Job>),
    ) -> usize {
        // SAFETY: by the owner.
        let jobs = unsafe { self.shared.jobs.open() };
        let mut forks = self.shared.forks.open();
        let mut exposed = 0;
        loop {
            // Without raids nothing stays private: demand is never taken back.
            let raids = membarrier::available();
            if raids {
                jobs.answered();
            }
            fence(FORK_ANSWER_FENCE);
            let available = Available { len: forks.len() + jobs.len(), forks: forks.len() };
            let wanted = if raids { wanted(available) } else { available.len };
            if wanted == 0 {
                return exposed;
            }
            if available.len == 0 {
                // The next push is for them.
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
