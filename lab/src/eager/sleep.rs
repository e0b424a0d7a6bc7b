//! Who sleeps, and who is woken when: the rules of rayon's sleep module, as its documentation has them.
//!
//! * A worker that finds nothing looks again 32 times, and offers its core in between. Then it notes the count of events,
//!   looks once more, and sleeps if no event came.
//! * New jobs are an event if some worker has noted the count. They wake as many sleepers as there are jobs; if the
//!   queue was empty before, workers that look for jobs count as woken already.
//! * A worker that has found a job wakes up to two sleepers.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use filch_lab_machine::{AtomicU32, AtomicU64, Mutex, fence, thread, wait, wake};

/// How often a worker looks before it notes the count of events, and how often until it sleeps.
const SLEEPY: u32 = 32;
const SLEEPING: u32 = 33;

// The word: how many workers sleep, how many have nothing to do, and the count of events above. An odd count: nobody has
// noted it.
const ONE_SLEEPS: u64 = 1;
const ONE_IDLE: u64 = 1 << 16;
const EVENT: u64 = 1 << 32;
const FIELD: u64 = 0xFFFF;

fn sleeping(word: u64) -> u64 {
    word & FIELD
}

fn idle(word: u64) -> u64 {
    (word / ONE_IDLE) & FIELD
}

fn event(word: u64) -> u64 {
    word / EVENT
}

fn is_noted(word: u64) -> bool {
    event(word).is_multiple_of(2)
}

/// A latch on which one worker waits.
#[derive(Default)]
pub struct Latch(AtomicU32);

const UNSET: u32 = 0;
const ASLEEP: u32 = 1;
const SET: u32 = 2;

impl Latch {
    pub fn probe(&self) -> bool {
        self.0.load(SeqCst) == SET
    }

    /// Sets it. Returns whether the waiter sleeps.
    pub fn set(&self) -> bool {
        self.0.swap(SET, SeqCst) == ASLEEP
    }

    /// Sets it, on the thread that waits.
    pub fn mark(&self) {
        self.0.store(SET, Relaxed);
    }

    fn fall_asleep(&self) -> bool {
        self.0.compare_exchange(UNSET, ASLEEP, SeqCst, SeqCst).is_ok()
    }

    fn get_up(&self) {
        let _ = self.0.compare_exchange(ASLEEP, UNSET, SeqCst, SeqCst);
    }
}

/// Where one worker sleeps, in cache lines of its own.
#[derive(Default)]
#[repr(align(64))]
struct Bed {
    blocked: Mutex<bool>,
    token: AtomicU32,
}

pub struct Sleep {
    word: Box<AtomicU64>,
    beds: Vec<Bed>,
}

/// How far a worker is on its way to sleep.
pub struct Idle {
    index: usize,
    rounds: u32,
    noted: u64,
}

impl Sleep {
    pub fn new(workers: usize) -> Sleep {
        Sleep { word: Box::new(AtomicU64::new(EVENT)), beds: (0..workers).map(|_| Bed::default()).collect() }
    }

    pub fn start_looking(&self, index: usize) -> Idle {
        self.word.fetch_add(ONE_IDLE, SeqCst);
        Idle { index, rounds: 0, noted: 0 }
    }

    pub fn work_found(&self) {
        let before = self.word.fetch_sub(ONE_IDLE, SeqCst);
        self.wake_any(sleeping(before).min(2));
    }

    /// `is_injected`: whether a job has come from outside.
    pub fn no_work_found(&self, idle: &mut Idle, latch: &Latch, is_injected: impl Fn() -> bool) {
        if idle.rounds < SLEEPY {
            thread::yield_now();
            idle.rounds += 1;
        } else if idle.rounds == SLEEPY {
            idle.noted = event(self.change_if(|word| !is_noted(word)));
            idle.rounds += 1;
            thread::yield_now();
        } else if idle.rounds < SLEEPING {
            idle.rounds += 1;
            thread::yield_now();
        } else {
            self.sleep(idle, latch, is_injected);
        }
    }

    /// Counts an event if `wanted`. Returns the word.
    fn change_if(&self, wanted: impl Fn(u64) -> bool) -> u64 {
        loop {
            let word = self.word.load(SeqCst);
            if !wanted(word) {
                return word;
            }
            if self.word.compare_exchange(word, word + EVENT, SeqCst, SeqCst).is_ok() {
                return word + EVENT;
            }
        }
    }

    fn sleep(&self, idle: &mut Idle, latch: &Latch, is_injected: impl Fn() -> bool) {
        if !latch.fall_asleep() {
            return;
        }
        let bed = &self.beds[idle.index];
        let mut blocked = bed.blocked.lock().expect("nobody panics with it");
        loop {
            let word = self.word.load(SeqCst);
            if event(word) != idle.noted {
                // Something came: the worker looks again for a short while.
                idle.rounds = SLEEPY;
                drop(blocked);
                latch.get_up();
                return;
            }
            if self.word.compare_exchange(word, word + ONE_SLEEPS, SeqCst, SeqCst).is_ok() {
                break;
            }
        }
        fence(SeqCst);
        if is_injected() {
            self.word.fetch_sub(ONE_SLEEPS, SeqCst);
            drop(blocked);
        } else {
            *blocked = true;
            bed.token.store(0, SeqCst);
            drop(blocked);
            while bed.token.load(SeqCst) == 0 {
                wait(&bed.token, 0, None);
            }
        }
        idle.rounds = 0;
        latch.get_up();
    }

    /// There are `jobs` new jobs in a queue.
    pub fn new_jobs(&self, jobs: u64, was_empty: bool) {
        let word = self.change_if(is_noted);
        let asleep = sleeping(word);
        if asleep == 0 {
            return;
        }
        let looking = idle(word).saturating_sub(asleep);
        let wanted = jobs.min(asleep);
        self.wake_any(if was_empty { wanted.saturating_sub(looking) } else { wanted });
    }

    fn wake_any(&self, mut wanted: u64) {
        for index in 0..self.beds.len() {
            if wanted == 0 {
                return;
            }
            wanted -= u64::from(self.wake(index));
        }
    }

    /// Wakes one worker, if it sleeps.
    pub fn wake(&self, index: usize) -> bool {
        let bed = &self.beds[index];
        let mut blocked = bed.blocked.lock().expect("nobody panics with it");
        if !std::mem::take(&mut *blocked) {
            return false;
        }
        self.word.fetch_sub(ONE_SLEEPS, SeqCst);
        bed.token.store(1, SeqCst);
        drop(blocked);
        wake(&bed.token);
        true
    }
}
