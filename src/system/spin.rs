//! Waiting awake, for a bounded time.
//!
//! Whoever waits may as well look again for as long as a wake would take: it then loses at most as much
//! as it could have saved (the argument of competitive spinning: Karlin, Manasse, McGeoch, Owicki, 1990).
//! The bound is time, not rounds, because a round costs anything between a nanosecond and a
//! microsecond. After a first, short stretch each round offers the core to other threads, so that on a
//! full machine whoever is being waited for gets to run.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::sync::{EXHAUSTIVE, MODEL, prune, spin_loop, yield_now};

/// About what one wake costs from the waker's call to the sleeper's first instruction: 5 µs on a core
/// that is awake, up to 50 µs on one that must be brought back from idle.
pub(crate) const WAKE: Duration = Duration::from_micros(20);

/// For how long a spin keeps its core to itself.
const BRISK: Duration = Duration::from_micros(5);

/// The same for a thread beside a pool.
const BESIDE: Duration = Duration::from_nanos(500);

/// Pauses between looks at the clock, and in a round that is not a close one.
const PAUSES: u32 = 64;
const ROUND: u32 = 8;
/// In a close one. A pause takes 8 ns on one Xeon.
const CLOSE: u32 = 2;

/// Rounds of a spin under shuttle, where no time passes.
const MODEL_ROUNDS: u32 = 2;

/// How often one that keeps no core to itself offers it to others before it gives up. Each offer costs about as much as a
/// fourth of a sleep and a wake; the first is taken by whoever is next on this core, and that may not be the one that is
/// waited for.
const OFFERS: u32 = 3;

/// Who gets the core for longer than this when it is offered was not meant: somebody who never waits, and keeps it for all of
/// the system's slice, some milliseconds. A sleeper gets the core back from such a one when it is woken.
const PATIENCE: Duration = Duration::from_micros(100);

/// So many offers are left out after one that took so long, and twice as many each time, up to the second number.
const LEFT_OUT: (u32, u32) = (32, 4096);

// Not the facade's: under a checker nobody comes here.
std::thread_local! {
    /// How many offers the calling thread is to leave out, and how many after the next long one.
    static LEFT: Cell<(u32, u32)> = const { Cell::new((0, LEFT_OUT.0)) };
}

/// Offers the core to others, unless that has lately taken much longer than `within`. Whether it did.
pub(crate) fn offer(within: Duration) -> bool {
    let (left, next) = LEFT.get();
    if left > 0 {
        LEFT.set((left - 1, next));
        return false;
    }
    let offered = Instant::now();
    yield_now();
    LEFT.set(if offered.elapsed() > PATIENCE + within {
        (next, (2 * next).min(LEFT_OUT.1))
    } else {
        (0, LEFT_OUT.0)
    });
    true
}

/// A bounded spin.
pub(crate) struct Spin {
    budget: Duration,
    /// For how long it keeps its core to itself.
    keep: Duration,
    /// Pauses a round.
    round: u32,
    pauses: u32,
    started: Option<Instant>,
    /// Offers of the core that are left to one that keeps none to itself, and how long they may take.
    offers: Option<(u32, Duration)>,
}

impl Spin {
    /// A spin for `budget` at most.
    pub(crate) fn new(budget: Duration) -> Spin {
        Spin { budget, keep: BRISK, round: ROUND, pauses: 0, started: None, offers: None }
    }

    /// A spin that never gives up its core, and so ends early: for those who, if they have waited in vain for so
    /// long, do better to sleep. Whoever wakes them does so where a core is free; `sched_yield` does not move
    /// anybody, and two threads that share a core and wait for each other by it may do so for long.
    pub(crate) fn brisk() -> Spin {
        Spin::new(BRISK)
    }

    /// A spin for one who waits on a core that whoever is waited for may need: it offers it to others a few times, and
    /// that is all. On a core that two threads share, to pass it on so costs 1.7 µs, a sleep and a wake 2.5 and more.
    pub(crate) fn offering() -> Spin {
        Spin { offers: Some((OFFERS, Duration::ZERO)), ..Spin::brisk() }
    }

    /// The same spin; if it is one that offers its core, others are expected to need that for so long.
    pub(crate) fn expecting(self, within: Duration) -> Spin {
        Spin { offers: self.offers.map(|(left, _)| (left, within)), ..self }
    }

    /// The same spin, but without offers, by which two threads that share a core may go on as they are for long.
    pub(crate) fn keeping(self) -> Spin {
        Spin { keep: self.budget, ..self }
    }

    /// The same spin, but for no longer than `time`, and without offers.
    pub(crate) fn at_most(self, time: Duration) -> Spin {
        Spin { budget: self.budget.min(time), keep: time, ..self }
    }

    /// Whether it is one that offers its core.
    pub(crate) fn offers(&self) -> bool {
        self.offers.is_some()
    }

    /// The same spin, but it offers its core to others almost at once: for a thread beside a pool whose workers have
    /// all the cores. One that kept to itself the core of a worker that is about to steal made a loop of 26 µs last 32.
    pub(crate) fn beside(self) -> Spin {
        Spin { keep: BESIDE, ..self }
    }

    /// The same spin with shorter rounds: for what lasts no longer than a few jobs of a queue, and where a look costs
    /// the other side next to nothing.
    pub(crate) fn close(self) -> Spin {
        Spin { round: CLOSE, ..self }
    }

    /// Passes a moment and says whether to look again. Under loom, never: a spin cannot change
    /// what is possible, only how long it takes to explore. Under shuttle, some times.
    pub(crate) fn again(&mut self) -> bool {
        if MODEL {
            let again = !EXHAUSTIVE && self.pauses < MODEL_ROUNDS;
            self.pauses += 1;
            if again {
                yield_now();
            }
            return again;
        }
        if let Some((left, within)) = &mut self.offers {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            return offer(*within);
        }
        for _ in 0..self.round {
            spin_loop();
        }
        self.pauses += self.round;
        if self.pauses < PAUSES {
            return true;
        }
        self.pauses = 0;
        let now = Instant::now();
        let spent = now - *self.started.get_or_insert(now);
        if spent >= self.keep && spent < self.budget {
            yield_now();
        }
        spent < self.budget
    }
}

/// So many looks in vain of one wait are explored under loom. A look only reads, so an execution with more of them
/// amounts to one with fewer, in which the thread came to look later. Without a limit two threads that wait for a third
/// have each a choice at each look, and no end of looks: they alone made up most of a queue's executions.
const LOOKS: u32 = 2;

/// Pauses between looks at something that another thread is about to finish: a handful of its
/// instructions, unless it lost its core in between, so the pauses grow and end in giving up ours.
pub(crate) struct Backoff {
    step: u32,
}

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff { step: 0 }
    }

    #[cold]
    pub(crate) fn pause(&mut self) {
        if MODEL {
            if self.step == LOOKS {
                prune();
            }
            self.step += 1;
            yield_now();
            return;
        }
        if self.step > 6 {
            yield_now();
            return;
        }
        for _ in 0..1 << self.step {
            spin_loop();
        }
        self.step += 1;
    }
}
