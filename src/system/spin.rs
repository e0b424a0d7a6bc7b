//! Spins: waits awake for a bounded time.
//!
//! A waiter may look again for as long as a wake would take. It then loses at most as much time as it could have
//! saved (the argument of competitive spinning: Karlin, Manasse, McGeoch, Owicki, 1990). The bound is a time and not
//! a number of rounds, because the price of a round varies by orders of magnitude.
//!
//! After a first, short stretch the spin offers its core to other threads now and then. So on a full machine the
//! thread that the waiter waits for gets to run. On a single core nobody spins: the awaited thread needs the core.
//!
//! [`super::spin_history`] shortens the spins that do not pay.

use std::cell::Cell;
use std::time::Duration;

use super::affinity;
use crate::sync::{EXHAUSTIVE, MODEL, prune, spin_loop, unseen_local, yield_now};
use crate::system::clock::Instant;

/// About the price of one wake, from the waker's call to the sleeper's first instruction. It is lower on a core that
/// is awake, and higher on a core that must be brought back from idle.
pub(crate) const WAKE: Duration = Duration::from_micros(20);

/// For how long a spin keeps its core before it offers the core to others.
const BRISK: Duration = Duration::from_micros(5);

/// As [`BRISK`], for a thread beside a pool: [`Spin::beside`].
const BESIDE: Duration = Duration::from_nanos(500);

/// How many pauses lie between two looks at the clock.
const PAUSES: u32 = 64;
/// How many pauses an ordinary round has.
const ROUND: u32 = 8;
/// How many pauses a close round has: [`Spin::close`].
const CLOSE: u32 = 2;

/// How many rounds a spin has under shuttle, where no time passes.
const MODEL_ROUNDS: u32 = 2;

/// How often an offering spin offers its core before it gives up. Each offer costs about a fourth of a sleep and a
/// wake. More than one, because the next thread on this core takes the first offer, and may not be the awaited
/// thread.
const OFFERS: u32 = 3;

/// A thread that keeps an offered core for longer than this is not the awaited thread: it never waits, and keeps the
/// core for the whole of the system's slice, some milliseconds. A sleeper gets the core back from this thread when it
/// is woken.
const PATIENCE: Duration = Duration::from_micros(100);

/// How many offers a thread leaves out after an offer that took longer than [`PATIENCE`]. The number doubles with
/// each further long offer, from the first value up to the second.
const LEFT_OUT: (u32, u32) = (32, 4096);

// `std`'s macro and not that of `crate::sync`: under a checker no thread uses this variable.
unseen_local! {
    /// How many offers this thread still leaves out, and how many it leaves out after the next long offer.
    static LEFT: Cell<(u32, u32)> = const { Cell::new((0, LEFT_OUT.0)) };
}

unseen_local! {
    /// For how long this thread was off its core in long offers since somebody last asked.
    static LOST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Returns for how long the calling thread was off its core, since the last call, because another kept a core that it
/// was offered.
pub(crate) fn take_lost() -> Duration {
    let lost = LOST.get();
    LOST.set(Duration::ZERO);
    lost
}

/// Notes that the thread was off its core for this long, if that was long.
fn note_lost(time: Duration) {
    if time > PATIENCE {
        LOST.set(LOST.get() + time);
    }
}

/// Offers the core to other threads, unless an offer has lately taken much longer than `within`. Returns whether it
/// offered the core.
pub(crate) fn offer(within: Duration) -> bool {
    let (left, next) = LEFT.get();
    if left > 0 {
        LEFT.set((left - 1, next));
        return false;
    }
    let offered = Instant::now();
    yield_now();
    let took = offered.elapsed();
    note_lost(took);
    LEFT.set(if took > PATIENCE + within { (next, (2 * next).min(LEFT_OUT.1)) } else { (0, LEFT_OUT.0) });
    true
}

/// A wait awake, bounded in time.
pub(crate) struct Spin {
    budget: Duration,
    /// For how long it keeps its core.
    keep: Duration,
    /// How many pauses a round has.
    round: u32,
    pauses: u32,
    started: Option<Instant>,
    /// When it offered its core, if nobody has looked at the clock since.
    offered: Option<Instant>,
    /// In an offering spin: how many offers of the core are left, and how long an offer may take.
    offers: Option<(u32, Duration)>,
}

impl Spin {
    /// Creates a spin that lasts `budget` at most. On a single core it is over at once.
    pub(crate) fn new(budget: Duration) -> Spin {
        let alone = !MODEL && affinity::is_single_core();
        Spin { offers: alone.then_some((0, Duration::ZERO)), ..Spin::lasting(budget) }
    }

    /// Creates a spin that lasts `budget` at most, whatever the machine.
    pub(super) const fn lasting(budget: Duration) -> Spin {
        Spin { budget, keep: BRISK, round: ROUND, pauses: 0, started: None, offered: None, offers: None }
    }

    /// Returns the spin with its time halved `times` times. An offering spin is as it was.
    pub(super) fn halved(self, times: u32) -> Spin {
        Spin { budget: self.budget / (1 << times), ..self }
    }

    /// Notes for how long the thread was off its core in the last offer, if that was not noted yet.
    fn note_offer(&mut self, now: Instant) {
        if let Some(offered) = self.offered.take() {
            note_lost(now - offered);
        }
    }

    /// Ends the spin: what it waited for is there, perhaps since the thread last had its core.
    pub(crate) fn end(&mut self) {
        if self.offered.is_some() {
            self.note_offer(Instant::now());
        }
    }

    /// Returns when the spin first looked at the clock, a moment after it began, if it got that far.
    pub(super) fn started(&self) -> Option<Instant> {
        self.started
    }

    #[cfg(all(test, not(any(loom, shuttle))))]
    pub(super) fn budget(&self) -> Duration {
        self.budget
    }

    /// Creates a short spin that never offers its core. For waiters that do better to sleep if this time was not
    /// enough: a woken sleeper comes back where a core is free. An offer by `sched_yield` moves no thread to another
    /// core, so two threads that share a core, and wait for each other by offers, may stay together for long.
    pub(crate) fn brisk() -> Spin {
        Spin::new(BRISK)
    }

    /// Creates an offering spin: it offers its core to other threads a few times, and then ends. For a waiter on a
    /// core that the awaited thread may need. Between two threads that share a core, an offer costs less than a sleep
    /// and a wake.
    pub(crate) fn offering() -> Spin {
        Spin { offers: Some((OFFERS, Duration::ZERO)), ..Spin::brisk() }
    }

    /// Returns the spin, in which other threads are expected to need an offered core for `within`. Changes only
    /// offering spins.
    pub(crate) fn expecting(self, within: Duration) -> Spin {
        Spin { offers: self.offers.map(|(left, _)| (left, within)), ..self }
    }

    /// Returns the spin without offers of its core. With offers, two threads that share a core may stay together for
    /// long.
    pub(crate) fn keeping(self) -> Spin {
        Spin { keep: self.budget, ..self }
    }

    /// Returns the spin, shortened to `time` at most, and without offers of its core.
    pub(crate) fn at_most(self, time: Duration) -> Spin {
        Spin { budget: self.budget.min(time), keep: time, ..self }
    }

    /// Returns whether this is an [offering](Self::offering) spin.
    pub(crate) fn offers(&self) -> bool {
        self.offers.is_some()
    }

    /// Returns the spin, which now offers its core to others almost at once. For a thread beside a pool whose workers
    /// have all the cores: a worker that is about to steal may need the core of this thread.
    pub(crate) fn beside(self) -> Spin {
        Spin { keep: BESIDE, ..self }
    }

    /// Returns the spin with shorter rounds. For waits that last no longer than a few jobs of a queue, where a look
    /// costs the other side next to nothing.
    pub(crate) fn close(self) -> Spin {
        Spin { round: CLOSE, ..self }
    }

    /// Lets a moment pass, and returns whether to look again. Under loom always `false`: a spin changes nothing about
    /// what is possible, and only makes the exploration longer. Under shuttle `true` a few times.
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
        self.note_offer(now);
        if spent >= self.keep && spent < self.budget {
            self.offered = Some(now);
            yield_now();
        }
        spent < self.budget
    }
}

/// How many looks in vain of one wait loom explores. A look only reads. So an execution with more looks amounts to an
/// execution with fewer, in which the thread came to look later. Without a limit, two threads that wait for a third
/// each have a choice at each look, and no end of looks.
const LOOKS: u32 = 2;

/// Pauses between looks at something that another thread is about to finish. That takes a handful of instructions,
/// unless the other thread lost its core in between. So the pauses grow, and in the end the back-off offers its core.
pub(crate) struct Backoff {
    step: u32,
}

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff { step: 0 }
    }

    /// Another thread has changed a word first, to `seen`. Threads that come in each other's way again and again
    /// pause, and longer each time. Returns the word as it is afterwards, which `now` reads.
    #[cold]
    pub(crate) fn lost(&mut self, seen: u64, now: impl FnOnce() -> u64) -> u64 {
        if MODEL {
            // A lost race is another thread's success, and needs no limit.
            return seen;
        }
        self.pause();
        now()
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
        if self.step > 6 || affinity::is_single_core() {
            yield_now();
            return;
        }
        for _ in 0..1 << self.step {
            spin_loop();
        }
        self.step += 1;
    }
}
