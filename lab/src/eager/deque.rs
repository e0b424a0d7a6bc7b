//! A deque with the steps of Chase and Lev's ("Dynamic circular work-stealing deque", 2005), and a queue for jobs from
//! outside. Their words cost what they cost on the machine; what they hold lies beside them, in memory of the host's.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::{Mutex, PoisonError};

use filch_lab_machine::{AtomicUsize, fence};

/// A job. The worker that runs it finds itself by its thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// What a look for a job at another place found.
pub enum Steal {
    Success(Job),
    Empty,
    Retry,
}

/// The jobs, beside their words.
#[derive(Default)]
struct Held(Mutex<VecDeque<Job>>);

impl Held {
    fn with<R>(&self, f: impl FnOnce(&mut VecDeque<Job>) -> R) -> R {
        // Nothing in here costs time, so no other thread of the machine comes meanwhile.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How many slots have a word each. Later jobs share them, as in a buffer that has wrapped around.
const SLOTS: usize = 1 << 12;

/// A worker's deque.
pub struct Deque {
    top: Box<AtomicUsize>,
    bottom: Box<AtomicUsize>,
    slots: Box<[AtomicUsize]>,
    held: Held,
}

impl Deque {
    pub fn new() -> Deque {
        Deque {
            // No index goes below it.
            top: Box::new(AtomicUsize::new(1)),
            bottom: Box::new(AtomicUsize::new(1)),
            slots: (0..SLOTS).map(|_| AtomicUsize::new(0)).collect(),
            held: Held::default(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bottom.load(Relaxed) <= self.top.load(Relaxed)
    }

    /// Pushes a job. Only the owner calls this.
    pub fn push(&self, job: Job) {
        let bottom = self.bottom.load(Relaxed);
        // The owner looks whether the buffer is full.
        self.top.load(Acquire);
        self.slots[bottom % SLOTS].store(bottom, Relaxed);
        self.held.with(|held| held.push_back(job));
        self.bottom.store(bottom + 1, Release);
    }

    /// Pops the newest job. Only the owner calls this.
    pub fn pop(&self) -> Option<Job> {
        let bottom = self.bottom.load(Relaxed) - 1;
        if bottom < self.top.load(Relaxed) {
            return None;
        }
        self.bottom.store(bottom, Relaxed);
        fence(SeqCst);
        let top = self.top.load(Relaxed);
        if top < bottom {
            let job = self.held.with(VecDeque::pop_back);
            self.slots[bottom % SLOTS].load(Relaxed);
            return job;
        }
        let won = top == bottom && self.top.compare_exchange(top, top + 1, SeqCst, Relaxed).is_ok();
        let job = if won { self.held.with(VecDeque::pop_back) } else { None };
        self.bottom.store(bottom + 1, Relaxed);
        job
    }

    /// Steals the oldest job.
    pub fn steal(&self) -> Steal {
        let top = self.top.load(Acquire);
        fence(SeqCst);
        let bottom = self.bottom.load(Acquire);
        if top >= bottom {
            return Steal::Empty;
        }
        self.slots[top % SLOTS].load(Relaxed);
        if self.top.compare_exchange(top, top + 1, SeqCst, Relaxed).is_err() {
            return Steal::Retry;
        }
        self.held.with(VecDeque::pop_front).map_or(Steal::Empty, Steal::Success)
    }
}

/// The queue of jobs from outside, with a word for each end.
pub struct Injector {
    head: Box<AtomicUsize>,
    tail: Box<AtomicUsize>,
    slots: Box<[AtomicUsize]>,
    held: Held,
}

impl Injector {
    pub fn new() -> Injector {
        Injector {
            head: Box::new(AtomicUsize::new(0)),
            tail: Box::new(AtomicUsize::new(0)),
            slots: (0..SLOTS).map(|_| AtomicUsize::new(0)).collect(),
            held: Held::default(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.head.load(SeqCst) >= self.tail.load(SeqCst)
    }

    pub fn push(&self, job: Job) {
        let tail = self.tail.fetch_add(1, SeqCst);
        self.held.with(|held| held.push_back(job));
        self.slots[tail % SLOTS].store(tail, Release);
    }

    pub fn steal(&self) -> Steal {
        let head = self.head.load(Acquire);
        fence(SeqCst);
        if head >= self.tail.load(Acquire) {
            return Steal::Empty;
        }
        if self.head.compare_exchange(head, head + 1, SeqCst, Relaxed).is_err() {
            return Steal::Retry;
        }
        self.slots[head % SLOTS].load(Acquire);
        self.held.with(VecDeque::pop_front).map_or(Steal::Empty, Steal::Success)
    }
}
