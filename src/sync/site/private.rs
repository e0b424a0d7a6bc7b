//! A worker's private jobs: the list of open forks and the stack of jobs, [`crate::jobs::private`].

use super::{Ordering, Site};

sites! {
    /// The owner reads a word that only it writes. Relaxed.
    FORK_NEWEST_OWN = Relaxed;
    /// A fork is in the list: its frame is written. Partner: `FORK_NEWEST_TAKE`.
    FORK_PUSH = Release;
    /// A fork is indexed, or leaves. Relaxed: by who has the lock of the list, with which the owner looks again at a fork
    /// that may have left.
    FORK_LEAVE = Relaxed;
    /// The owner looks where the next older fork is, and whether this one is its alone. Relaxed: `FORK_POP_LIGHT` orders
    /// it; if it is not, the lock decides.
    FORK_STATE = Relaxed;
    /// The owner moves on from a fork. Relaxed: `FORK_POP_LIGHT` orders it before the look at `frozen`. Who reads what it
    /// stores, the next older fork, has that one's frame by the Release of its push, to the same word by the same thread
    /// before: a release sequence of C++11, to which all compilers and machines hold, though C++20 names it no more. The
    /// owner would pay for another Release on ARM, where it and `FORK_FROZEN` wait for one another. Under the checker the
    /// light fence of that push hides the question.
    FORK_POP = Relaxed;
    /// Who takes forks begins its walk: the frames come with it. Partner: `FORK_PUSH`.
    FORK_NEWEST_TAKE = Acquire;
    /// A look from afar at whether there are forks. Relaxed: a hint; before a sleep `FORK_HEAVY` orders it.
    FORK_NEWEST_HINT = Relaxed;
    /// The newest fork that has left. Relaxed: changed with the lock; read as a hint.
    FORK_LEFT = Relaxed;
    /// The list is frozen. Relaxed: `FORK_HEAVY` orders it before the look at the newest.
    FORK_FREEZE = Relaxed;
    /// It is free again. Release: with it come the states of the forks that were indexed or left. Partner: `FORK_FROZEN`.
    FORK_THAW = Release;
    /// The owner looks whether the list is frozen. Acquire: if it is not any more, the state of the fork is the one that
    /// the raid left it in. Partner: `FORK_THAW`.
    FORK_FROZEN = Acquire;
    /// The owner's half of an asymmetric fence, in a push: between the fork's being in the list and the look at the
    /// limit. For the compiler only, outside the checker. Partner: `FORK_HEAVY`.
    FORK_PUSH_LIGHT = SeqCst;
    /// In a pop: between the owner's moving on and the look at `frozen`. Partner: `FORK_HEAVY`.
    FORK_POP_LIGHT = SeqCst;
    /// The other half: between freezing the list, or claiming a slot of the stack, and the look at what is there; and
    /// between the limit's poisoning and the last look before a sleep. A `membarrier` outside the checker. Partners:
    /// `FORK_PUSH_LIGHT`, `FORK_POP_LIGHT`, `STACK_PUSH_LIGHT`, `STACK_POP_LIGHT`.
    FORK_HEAVY = SeqCst;
    /// Between "nothing is wanted any more" and the look at who is idle. Partner: `FORK_DEMAND_FENCE`.
    FORK_ANSWER_FENCE = SeqCst;
    /// Between counting as idle and poisoning. Partner: `FORK_ANSWER_FENCE`.
    FORK_DEMAND_FENCE = SeqCst;

    /// The owner reads a word that only it writes. Relaxed.
    STACK_TOP_OWN = Relaxed;
    /// The top goes up: the slot below it is written. Partner: `STACK_TOP_RAID`.
    STACK_PUSH = Release;
    /// The top goes down. Relaxed: `STACK_POP_LIGHT` orders it before the look at the bottom.
    STACK_POP = Relaxed;
    /// The owner looks whether its newest job is still private. Relaxed: if so, nobody else touched it; if not,
    /// the lock orders the rest. As a thief's hint: the lock decides.
    STACK_BOTTOM = Relaxed;
    /// The bottom moves, under the lock. Relaxed: the owner's `STACK_POP_LIGHT` and the raider's `FORK_HEAVY` order
    /// it against the top.
    STACK_BOTTOM_MOVE = Relaxed;
    /// A raider looks whether the job that it claimed is there. Acquire: the slot comes with it. Partner:
    /// `STACK_PUSH`.
    STACK_TOP_RAID = Acquire;
    /// A look from afar at whether there is anything to raid. Relaxed: a hint; before a sleep `FORK_HEAVY` orders it.
    STACK_TOP_HINT = Relaxed;
    /// The owner looks whether somebody wants a job, or room is short. Relaxed: `FORK_PUSH_LIGHT` and `STACK_PUSH_LIGHT`
    /// order it after the push.
    STACK_LIMIT = Relaxed;
    /// The owner has answered. Relaxed: `FORK_ANSWER_FENCE` orders it before the look at who is idle.
    STACK_LIMIT_SET = Relaxed;
    /// Somebody wants a job. Relaxed: whoever sets it has counted itself as idle before, and fences.
    STACK_LIMIT_POISON = Relaxed;
    /// As `FORK_PUSH_LIGHT`, in a push of a job.
    STACK_PUSH_LIGHT = SeqCst;
    /// In a pop: between the top going down and the look at the bottom. Partner: `FORK_HEAVY`.
    STACK_POP_LIGHT = SeqCst;
}
