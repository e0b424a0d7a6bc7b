//! Every atomic access of the core by name.
//!
//! A site is a constant: in a normal build [`Site::get`] folds to the ordering, and the instruction is what
//! it would be with the ordering written in place. In the checked build `FILCH_WEAKEN=SITE=Ordering` (or
//! `=none` for a fence) weakens one site, so that a run of the models shows whether anything notices.
//!
//! Each site names its partner: the other side of the edge that it makes. Relaxed ones say why they may be.

pub(crate) use std::sync::atomic::Ordering;

/// One place, or several with the same role, where memory is accessed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    #[cfg_attr(not(all(loom, feature = "loom")), expect(dead_code, reason = "only a mutant asks"))]
    name: &'static str,
    order: Ordering,
    /// Whether this run came by: a mutant of a site where a model never comes needs no run of it.
    #[cfg(all(loom, feature = "loom"))]
    touched: &'static std::sync::atomic::AtomicBool,
}

impl Site {
    /// The ordering to use. shuttle knows one only, and warns where it is given another.
    #[inline(always)]
    #[cfg(not(all(loom, feature = "loom")))]
    pub(crate) const fn get(self) -> Ordering {
        if super::MODEL { Ordering::SeqCst } else { self.order }
    }

    /// The ordering to use.
    #[cfg(all(loom, feature = "loom"))]
    pub(crate) fn get(self) -> Ordering {
        match self.weakened() {
            Strength::Fence(order) => order,
            Strength::None => Ordering::Relaxed,
        }
    }

    /// The ordering that this run asks for, which is the site's own unless it is the mutant's.
    #[cfg(all(loom, feature = "loom"))]
    pub(crate) fn weakened(self) -> Strength {
        static MUTANT: std::sync::OnceLock<Option<(String, Strength)>> = std::sync::OnceLock::new();
        let mutant = MUTANT.get_or_init(|| {
            let text = std::env::var("FILCH_WEAKEN").ok()?;
            let (name, strength) = text.split_once('=').expect("FILCH_WEAKEN is SITE=Ordering");
            assert!(
                CORE.iter().chain(STANDIN).any(|site| site.name == name),
                "FILCH_WEAKEN names no site: {name}"
            );
            let strength = match strength {
                "none" => Strength::None,
                "Relaxed" => Strength::Fence(Ordering::Relaxed),
                "Acquire" => Strength::Fence(Ordering::Acquire),
                "Release" => Strength::Fence(Ordering::Release),
                "AcqRel" => Strength::Fence(Ordering::AcqRel),
                other => panic!("FILCH_WEAKEN has no ordering {other}"),
            };
            Some((name.to_owned(), strength))
        });
        self.touched.store(true, Ordering::Relaxed);
        match mutant {
            Some((name, strength)) if name == self.name => *strength,
            _ => Strength::Fence(self.order),
        }
    }
}

/// What the driver of mutants asks.
#[cfg(all(loom, feature = "loom"))]
#[allow(dead_code, reason = "the driver is in another package, which compiles these sources")]
impl Site {
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    pub(crate) fn order(self) -> Ordering {
        self.order
    }

    pub(crate) fn is_touched(self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }
}

/// What a site amounts to in one run.
#[cfg(all(loom, feature = "loom"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Strength {
    None,
    Fence(Ordering),
}

macro_rules! sites {
    ($list:ident: $($(#[$meta:meta])* $name:ident = $order:ident;)*) => {
        $($(#[$meta])* pub(crate) const $name: Site = Site {
            name: stringify!($name),
            order: Ordering::$order,
            #[cfg(all(loom, feature = "loom"))]
            touched: {
                static TOUCHED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
                &TOUCHED
            },
        };)*

        /// All of this group.
        #[cfg(all(loom, feature = "loom"))]
        pub(crate) const $list: &[Site] = &[$($name),*];
    };
}

sites! { CORE:
    // --- parker ---

    /// The token comes in: the owner's next step must see what the waker did. Partner: `UNPARK`.
    PARK_TAKE = Acquire;
    /// Nothing was taken; the loop looks again. Relaxed: no data is read on the strength of it.
    PARK_TAKE_FAIL = Relaxed;
    /// EMPTY to PARKED. Release: the waker that reads PARKED must see the owner that `adopt` stored.
    /// Partner: `UNPARK`.
    PARK_ARM = Release;
    /// The token goes out, with all the waker did (Release, for `PARK_TAKE`); and, if it reads PARKED, the
    /// owner's thread comes in (Acquire, for `PARK_ARM`). Acquire also for who leaves tokens with all of a closed pool,
    /// its own thread's among them: so it sees what was put into its inbox by those that left it one before.
    UNPARK = AcqRel;

    // --- latch ---

    /// The waiter looks. Partner: `LATCH_SET`.
    LATCH_PROBE = Acquire;
    /// UNSET to ARMED. Relaxed: it publishes nothing; the setter only needs the value, and the one word
    /// orders the two exchanges.
    LATCH_ARM = Relaxed;
    /// It was SET: the caller probes again, which acquires. Relaxed.
    LATCH_ARM_FAIL = Relaxed;
    /// The result of the job goes out. Partner: `LATCH_PROBE`. The Acquire half is not needed: what is
    /// touched afterwards is a copy made before.
    LATCH_SET = Release;

    /// The waiter of a worker's latch looks. Partner: `TASK_SET`.
    TASK_PROBE = Acquire;
    /// The waiter is about to park. Relaxed: as `LATCH_ARM`; if it finds the latch set it probes again.
    TASK_ARM = Relaxed;
    /// Who runs it. Relaxed: a hint whom to steal from.
    TASK_THIEF = Relaxed;
    /// What the job wrote goes out. Partner: `TASK_PROBE`.
    TASK_SET = Release;

    /// A wait list's waiter is told. Partner: `SIGNAL_PROBE`.
    SIGNAL_FIRE = Release;
    /// It looks. Partner: `SIGNAL_FIRE`.
    SIGNAL_PROBE = Acquire;

    // --- counter latch ---

    /// A first guess for an exchange that checks it. Relaxed.
    COUNT_HINT = Relaxed;
    /// The count goes up. Relaxed: who adds already holds a count, or nobody waits yet; as in `Arc::clone`. What was
    /// counted down before goes out past it, because it reads and writes the one word.
    COUNT_ADD = Relaxed;
    /// The count goes down. Release: what was counted goes out, past those that count down later as well, because they
    /// read and write the one word. Partners: `COUNT_PROBE`, `COUNT_REGISTER`, `COUNT_WAKE`.
    COUNT_DOWN = Release;
    /// A look at the count: zero, or another round, means that all counted down before is visible. Partner: `COUNT_DOWN`.
    COUNT_PROBE = Acquire;
    /// Who counted down to zero looks whose wait is over. Acquire: what all counted down comes in, to be passed on to those
    /// that it wakes. Partner: `COUNT_DOWN`.
    COUNT_WAKE = Acquire;
    /// A waiter enters, and may find zero after all. Partner: `COUNT_DOWN`.
    COUNT_REGISTER = Acquire;
    /// The waiters' bit is cleared, by who holds the list's lock. Relaxed: the lock orders those who set and
    /// clear it.
    COUNT_RELEASE = Relaxed;

    // --- sleep ---

    /// A look at the word. Acquire: who reads that nobody is inside, or that the pool has ended, sees what those did
    /// who left or fell asleep before. Partners: `SLEEP_LEAVE`, `SLEEP_PREPARE`.
    SLEEP_LOAD = Acquire;
    /// A look by a publisher, whose fence orders it, or before an exchange. Relaxed.
    SLEEP_HINT = Relaxed;
    /// An outside thread comes in. Relaxed: that it came before the pool closed, or after, is in the one word, and it
    /// reads nothing on the strength of either.
    SLEEP_ENTER = Relaxed;
    /// It goes. Release: who reads "nobody entered" must see what it submitted, and what a lent thread ran. What it
    /// does if it is the last is to nudge, and to look for the end by `SLEEP_LOAD`. Partners: `SLEEP_LOAD`,
    /// `SLEEP_PREPARE`.
    SLEEP_LEAVE = Release;
    /// One more searches. Relaxed: a count; what it finds it finds by the queues' own orderings.
    SLEEP_SEARCH = Relaxed;
    /// One fewer. Relaxed: the fence behind it orders it against the look at the queues.
    SLEEP_END_SEARCH = Relaxed;
    /// A sleep is announced. Release: the bit goes out before the count. The last to fall asleep, which decides that
    /// the pool is at rest, must see what all others did: `SLEEP_RECHECK_FENCE`, which follows at once, acquires
    /// that. Partners: `SLEEP_RESERVE`, `SLEEP_LOAD`.
    SLEEP_PREPARE = Release;
    /// A waker reserves a sleeper. Acquire: its bit, set before the count went up, is seen. Partner: `SLEEP_PREPARE`.
    SLEEP_RESERVE = Acquire;
    /// A sleeper reserves itself. Relaxed: it knows its own bit.
    SLEEP_RESERVE_SELF = Relaxed;
    /// A sleep is withdrawn. Relaxed: counts that nothing else is read on the strength of.
    SLEEP_CANCEL = Relaxed;
    /// The watch begins. Acquire: the number that the last one left comes before the own one; the fence behind that store
    /// releases it. Partner: `SLEEP_UNWATCH`, with `SLEEP_WATCH_FENCE`.
    SLEEP_WATCH = Acquire;
    /// It ends. Relaxed: see there.
    SLEEP_UNWATCH = Relaxed;
    /// Who watches. Relaxed: `SLEEP_WATCH` orders one after the other; a stale number wakes a worker that then looks in vain.
    SLEEP_WATCHER = Relaxed;
    /// The pool is closed, or ended. Relaxed: what the closer submitted went out when it left, as with all others;
    /// who reads "closed" or "ended" needs what those did who left or fell asleep, and the word's other changes
    /// carry that past this one.
    SLEEP_CLOSE = Relaxed;
    /// The bit goes up. Relaxed: the announcement behind it releases it. Partner: `SLEEP_RESERVE`.
    ASLEEP_BIT = Relaxed;
    /// A sleeper looks whether its bit is cleared. Acquire: it then sees its waker's reservation, and may count as
    /// searching. Partner: `ASLEEP_CLAIM`.
    ASLEEP_LOOK = Acquire;
    /// A waker looks for a bit. Relaxed: the claim decides.
    ASLEEP_SCAN = Relaxed;
    /// The bit goes down, by one party: the reservation before it goes out (Release), or another's comes in
    /// (Acquire). Partners: `ASLEEP_LOOK`, itself.
    ASLEEP_CLAIM = AcqRel;
    /// Between a job's publication and the look at who sleeps. Partner: `SLEEP_RECHECK_FENCE`.
    SLEEP_PRODUCER_FENCE = SeqCst;
    /// The same, of a publisher that is about to wait.
    SLEEP_WAITER_FENCE = SeqCst;
    /// The same, of a publisher that leaves the job to a worker that watches.
    SLEEP_LAZY_FENCE = SeqCst;
    /// Between a worker's announcement and its look at the queues. Partners: the three above.
    SLEEP_RECHECK_FENCE = SeqCst;
    /// Between the end of a search, on which publishers relied, and a look at the queues. Partners: as above.
    SLEEP_SEARCH_FENCE = SeqCst;
    /// Between the beginning of a watch and the last look before a nap. Partners: as above.
    SLEEP_WATCH_FENCE = SeqCst;

    // --- fork: the list of open forks ---

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

    // --- fork: the private stack of jobs ---

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

    // --- spares ---

    /// How many spares were made. Relaxed: what is behind the number is looked up in cells that are set once, and by
    /// themselves order what was written before.
    SPARES_MADE = Relaxed;
    /// The worker that a spare stands in for. Relaxed: written before `SLEEP_RECHECK_FENCE`.
    SPARE_SLOT = Relaxed;
    /// A spare is called. Relaxed: the fence of the sleep that was announced before releases for whom. Partner: `SPARE_TAKE`.
    SPARE_CALL = Relaxed;
    /// The look whether somebody claimed the sleep of a spare before it was called. Release: whoever claims it afterwards
    /// wakes a thread that sees the call. Partner: `ASLEEP_CLAIM`.
    SPARE_CLAIMED = Release;
    /// Its thread takes the call. Partners: `SLEEP_RECHECK_FENCE`, `SPARE_CALL`.
    SPARE_TAKE = Acquire;
    /// A look at the role that decides nothing, or that a thread takes at its own role: what the spare does next needs
    /// nothing of the one that relieved it. Relaxed.
    SPARE_LOOK = Relaxed;
    /// The wait is over. Relaxed: counts and lists are changed by their own orderings.
    SPARE_RELIEVE = Relaxed;
    /// The spare rests. Relaxed: the lock of the list, which it enters next, orders it before the next call.
    SPARE_REST = Relaxed;

    // --- inbox ---

    /// Whether something came in. Relaxed: the lock orders the jobs; against sleep, the fences of `sleep` do.
    INBOX_LEN = Relaxed;

    // --- scope ---

    /// The shared count of a scope's jobs goes up. Relaxed: who adds is counted itself.
    SCOPE_ADD = Relaxed;
    /// It goes down with a job. Release: what the job did goes out; Acquire: the last one passes on what all others did.
    /// Partners: itself, `SCOPE_OWN`.
    SCOPE_DONE = AcqRel;
    /// The owner's own share of it ends. Acquire: if nothing is left, it sees what the jobs did. Partner: `SCOPE_DONE`.
    SCOPE_OWN = Acquire;

    // --- ring ---

    /// A look at a position that may be out of date. Relaxed: the slot's stamp decides, then the exchange; that a ring
    /// is full, or empty, is looked at once more before anybody sleeps or leaves on the strength of it.
    RING_TAIL_HINT = Relaxed;
    RING_HEAD_HINT = Relaxed;
    /// A look at a slot without going for it. Relaxed.
    RING_STAMP_HINT = Relaxed;
    /// A push looks whether the slot is free. Acquire: it was read before it is written over. Partner: `RING_FREE_STORE`.
    RING_FREE_LOAD = Acquire;
    /// The slot is handed on with what was written to it. Partner: `RING_VALUE_LOAD`.
    RING_VALUE_STORE = Release;
    /// A pop looks whether the slot is written. Partner: `RING_VALUE_STORE`.
    RING_VALUE_LOAD = Acquire;
    /// The slot is free again, and was read. Partner: `RING_FREE_LOAD`.
    RING_FREE_STORE = Release;
    /// A position of the tail is claimed. Release: who sees it sees the head that made room for it, so that no more
    /// values are counted than there are slots. No Acquire: a push that reads `KICK` may take the crew for what it was
    /// before the runner left; it then clears the flag, which acquires, and looks at the crew once more. Partner:
    /// `RING_TAIL_LOAD`.
    RING_PUSH = Release;
    /// A position of the head is claimed. Release: who sees it sees that its consumer is active, and the tail that it
    /// follows. No Acquire: a pop that reads `BLOCKED` comes for the list's lock, under which that was set. Partners:
    /// `RING_HEAD_LOAD`, `RING_BLOCK`.
    RING_POP = Release;
    /// A runner that leaves sets `KICK`. Release: that it has left goes out. Partner: `RING_UNFLAG`.
    RING_FLAG = Release;
    /// `KICK` is cleared. Acquire: who set it is seen to have left. Partner: `RING_FLAG`.
    RING_UNFLAG = Acquire;
    /// Who waits for room sets `BLOCKED`. Acquire: the tail that the head follows comes with it, so that no fewer values
    /// are counted than none. Partner: `RING_POP`.
    RING_BLOCK = Acquire;
    /// It is cleared, by who has the list's lock, as has who sets it; or `READY`, a hint, is set or cleared. Relaxed.
    RING_UNBLOCK = Relaxed;
    /// The tail, to be followed by a look at the head, which is then no older. Partner: `RING_PUSH`.
    RING_TAIL_LOAD = Acquire;
    /// The head, to be followed by a look at the tail, which is then no older, or at the crew, in which then whoever moved
    /// the head is active or has been. Partner: `RING_POP`.
    RING_HEAD_LOAD = Acquire;

    // --- queue ---

    /// A look at the crew that may be out of date. Relaxed: an exchange or a lock follows, or the caller has changed the
    /// word itself or cleared `KICK` before (`RING_UNFLAG`); and whoever makes a runner lacking decides by the value of
    /// its own exchange.
    RUNNERS_HINT = Relaxed;
    /// Whether nobody is active. Acquire: all that they did is seen. Partner: `RUNNERS_GO`.
    RUNNERS_LOAD = Acquire;
    /// An activation is called. Relaxed: a count.
    RUNNERS_CALL = Relaxed;
    /// A runner takes a place. Acquire: what the last one that had it did is seen, so that a serial queue's jobs see each
    /// other's effects. That it is active goes out with its pops. Partner: `RUNNERS_GO`.
    RUNNERS_COME = Acquire;
    /// A runner is active no more. Release: what its jobs did goes out. Acquire: if it is the last, it sees what the others
    /// took out of the ring, and tells those who wait for the queue to be idle. Partners: itself, `RUNNERS_LOAD`,
    /// `RUNNERS_COME`, `RUNNERS_AWAIT`.
    RUNNERS_GO = AcqRel;
    /// Somebody waits for the queue to be idle. Acquire: it sees what those took out of the ring who went before; who goes
    /// later sees the flag. Partner: `RUNNERS_GO`.
    RUNNERS_AWAIT = Acquire;
    /// A runner that polled goes on, or something is noted. Relaxed: by who is counted already and goes by `RUNNERS_GO`,
    /// or under the lock of what is noted.
    RUNNERS_NOTE = Relaxed;
    /// Threads that wait awake. Relaxed: an estimate, which nothing relies on.
    GUESTS = Relaxed;
    /// How long a queue's jobs take. Relaxed: an estimate, which nothing relies on.
    QUEUE_PACE = Relaxed;

    // --- the rest ---

    /// A counter with one writer. Relaxed: a reading promises no more than "about now".
    COUNTER = Relaxed;
    /// Workers with a main loop. Relaxed: it changes only when one is lost, after which all look again.
    THREADS = Relaxed;
    /// Threads that have not come to their end. Relaxed: it only says who is the last; what that one drops lies behind
    /// locks.
    STAYING = Relaxed;
    /// Whether the last owner of a pool has let go of it. Relaxed: it only permits a lent thread to forget that it
    /// is a worker, which touches nothing of any other thread.
    ABANDONED = Relaxed;
    /// Where a worker was bound. Relaxed: as a counter.
    PLACED = Relaxed;
}

#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
sites! { STANDIN:
    // As crossbeam-deque 0.8 has them; the partners are the deque's own and those of `sleep`.

    /// The owner reads what only it writes. Relaxed.
    DEQUE_OWNER_BACK = Relaxed;
    /// Slots are claimed by the front's exchange. Relaxed: published by `DEQUE_PUSH_FENCE`.
    DEQUE_SLOT = Relaxed;
    /// The owner's look at the front before it pushes. Partner: `DEQUE_STEAL_CAS`.
    DEQUE_PUSH_FRONT = Acquire;
    /// Publishes the slot. Partner: `DEQUE_STEAL_BACK`.
    DEQUE_PUSH_FENCE = Release;
    DEQUE_PUSH_BACK = Relaxed;
    DEQUE_POP_FRONT = Relaxed;
    DEQUE_POP_BACK = Relaxed;
    /// Between "the back went down" and the look at the front. Partner: `DEQUE_STEAL_FENCE`.
    DEQUE_POP_FENCE = SeqCst;
    DEQUE_POP_CAS = SeqCst;
    DEQUE_STEAL_FRONT = Acquire;
    /// Between the looks at the front and at the back. Partner: `DEQUE_POP_FENCE`.
    DEQUE_STEAL_FENCE = SeqCst;
    DEQUE_STEAL_BACK = Acquire;
    DEQUE_STEAL_CAS = SeqCst;
    DEQUE_CAS_FAIL = Relaxed;
    INJECTOR_PUSH_TAIL = Acquire;
    INJECTOR_PUSH_CAS = SeqCst;
    INJECTOR_CAS_FAIL = Acquire;
    /// The slot is written. Partner: `INJECTOR_WRITTEN`.
    INJECTOR_PUBLISH = Release;
    INJECTOR_WRITTEN = Acquire;
    INJECTOR_STEAL_HEAD = Acquire;
    INJECTOR_STEAL_FENCE = SeqCst;
    INJECTOR_STEAL_TAIL = Relaxed;
    INJECTOR_STEAL_CAS = SeqCst;
    INJECTOR_LEN = SeqCst;
}
