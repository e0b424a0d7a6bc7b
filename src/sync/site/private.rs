//! A worker's private jobs: the list of open forks and the stack of jobs, [`crate::jobs::private`].

use super::{Ordering, Site};

sites! {
    /// The owner reads a word that only the owner writes. Relaxed.
    FORK_NEWEST_OWN = Relaxed;
    /// The owner puts a fork into the list, with its frame written. Partner: `FORK_NEWEST_TAKE`.
    FORK_PUSH = Release;
    /// A fork is indexed, or leaves. Relaxed: the writer holds the lock of the list. The owner looks again, with this
    /// lock, at a fork that may have left.
    FORK_LEAVE = Relaxed;
    /// The owner looks at a frame's link: which fork is the next older one, and whether this fork is private.
    /// Relaxed: `FORK_POP_LIGHT` orders the look; if the fork is not private, the lock decides.
    FORK_STATE = Relaxed;
    /// The owner's pop stores the next older fork in `newest`. Relaxed: `FORK_POP_LIGHT` orders the store before the
    /// look at `frozen`. A raider that reads the stored fork sees that fork's frame by the Release of its push: an
    /// earlier store to the same word by the same thread. This is a release sequence of C++11. C++20 no longer names
    /// it, but all compilers and machines keep it. A Release here would cost the owner time on ARM, where a Release
    /// store and the Acquire load of `FORK_FROZEN` wait for one another. Under the checker the light fence of that
    /// push hides the question.
    FORK_POP = Relaxed;
    /// A thread that takes forks begins its walk through the list. Acquire: the frames come with the pointer.
    /// Partner: `FORK_PUSH`.
    FORK_NEWEST_TAKE = Acquire;
    /// Another thread looks whether there are forks. Relaxed: a hint. Before a sleep `FORK_HEAVY` orders it.
    FORK_NEWEST_HINT = Relaxed;
    /// The newest fork that has left. Relaxed: it changes only with the lock, and is read as a hint.
    FORK_LEFT = Relaxed;
    /// A raider freezes the list. Relaxed: `FORK_HEAVY` orders the store before the look at the newest fork.
    FORK_FREEZE = Relaxed;
    /// A raider thaws the list. Release: the states of the forks that were indexed or left go out with it. Partner:
    /// `FORK_FROZEN`.
    FORK_THAW = Release;
    /// The owner looks whether the list is frozen. Acquire: if the raid is over, the owner sees the state in which
    /// the raid left the fork. Partner: `FORK_THAW`.
    FORK_FROZEN = Acquire;
    /// The owner's half of an asymmetric fence in a push: between the store that puts the fork into the list and the
    /// look at `limit`. Outside the checker it holds back only the compiler. Partner: `FORK_HEAVY`.
    FORK_PUSH_LIGHT = SeqCst;
    /// The owner's half in a pop: between the store to `newest` and the look at `frozen`. Partner: `FORK_HEAVY`.
    FORK_POP_LIGHT = SeqCst;
    /// The same in a pop by an owner that pays for the fence. Partner: `FORK_HEAVY`.
    FORK_POP_FENCE = SeqCst;
    /// The other half. It lies between the store that freezes the list, or claims a slot of the stack, and the look
    /// at what is there; and between the store of 0 into `limit` and the last look before a sleep. Outside the
    /// checker it is a call of the system that fences every core, or, where the owner fences as well, a fence. Partners:
    /// `FORK_PUSH_LIGHT`, `FORK_POP_LIGHT`, `FORK_POP_FENCE`, `STACK_PUSH_LIGHT`, `STACK_POP_LIGHT`, `STACK_POP_FENCE`.
    FORK_HEAVY = SeqCst;
    /// Between the owner's store that answers the demand and its look at how many workers are idle. Partner:
    /// `FORK_DEMAND_FENCE`.
    FORK_ANSWER_FENCE = SeqCst;
    /// Between the change that counts a worker as idle and its store of 0 into a peer's `limit`. Partner:
    /// `FORK_ANSWER_FENCE`.
    FORK_DEMAND_FENCE = SeqCst;

    /// The owner notes that it is at rest. Relaxed: it has nothing private, and nothing else is read for it.
    REST_BEGIN = Relaxed;
    /// The owner notes that it is at work again. Relaxed: `REST_END_FENCE` orders the store.
    REST_END = Relaxed;
    /// Between that store and the owner's next look at `limit`. Partner: `REST_LOOK_FENCE`.
    REST_END_FENCE = SeqCst;
    /// Another worker looks whether the owner is at rest. Relaxed: `REST_LOOK_FENCE` orders the look.
    REST_LOOK = Relaxed;
    /// Between the store of 0 into `limit` and that look. Partner: `REST_END_FENCE`.
    REST_LOOK_FENCE = SeqCst;

    /// The owner reads a word that only the owner writes. Relaxed.
    STACK_TOP_OWN = Relaxed;
    /// The owner raises the top, with the slot below it written. Partner: `STACK_TOP_RAID`.
    STACK_PUSH = Release;
    /// The owner lowers the top. Relaxed: `STACK_POP_LIGHT` orders the store before the look at the bottom.
    STACK_POP = Relaxed;
    /// The owner looks whether its newest job is still private. Relaxed: if so, no other thread touched the job; if
    /// not, the lock orders the rest. For a thief the look is a hint: the lock decides.
    STACK_BOTTOM = Relaxed;
    /// The bottom moves, under the lock. Relaxed: the owner's `STACK_POP_LIGHT` and the raider's `FORK_HEAVY` order
    /// the bottom against the top.
    STACK_BOTTOM_MOVE = Relaxed;
    /// A raider looks whether there is a job in the slot that it claimed. Acquire: the slot's content comes with the
    /// top. Partner: `STACK_PUSH`.
    STACK_TOP_RAID = Acquire;
    /// Another thread looks whether there is a job to raid. Relaxed: a hint. Before a sleep `FORK_HEAVY` orders it.
    STACK_TOP_HINT = Relaxed;
    /// The owner looks whether another worker wants a job, or room is short. Relaxed: `FORK_PUSH_LIGHT` and
    /// `STACK_PUSH_LIGHT` order the look after the push.
    STACK_LIMIT = Relaxed;
    /// The owner has answered the demand. Relaxed: `FORK_ANSWER_FENCE` orders the store before the look at how many
    /// workers are idle.
    STACK_LIMIT_SET = Relaxed;
    /// An idle worker leaves a demand: it stores 0. Relaxed: that worker has counted itself as idle before, and has
    /// fenced since.
    STACK_LIMIT_POISON = Relaxed;
    /// As `FORK_PUSH_LIGHT`, in a push of a job.
    STACK_PUSH_LIGHT = SeqCst;
    /// In a pop of a job: between the store that lowers the top and the look at the bottom. Partner: `FORK_HEAVY`.
    STACK_POP_LIGHT = SeqCst;
    /// The same by an owner that pays for the fence. Partner: `FORK_HEAVY`.
    STACK_POP_FENCE = SeqCst;
}
