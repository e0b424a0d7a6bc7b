//! Jobs for one worker only: what a broadcast hands out.
//!
//! A mutex and a queue: a broadcast wakes every worker, which costs microseconds, and a worker that has none pays
//! for one load.

use std::collections::VecDeque;

use crate::job::Job;
use crate::sync::site::INBOX_LEN;
use crate::sync::{AtomicUsize, Mutex, lock};

pub(crate) struct Inbox {
    jobs: Mutex<VecDeque<Job>>,
    /// Their number, written with the lock.
    len: AtomicUsize,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox { jobs: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0) }
    }

    /// Whether nothing came in. Exact for what came in before a SeqCst fence that precedes it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(INBOX_LEN.get()) == 0
    }

    /// Puts a job in. The caller must fence, and leave the worker a token.
    pub(crate) fn push(&self, job: Job) {
        let mut jobs = lock(&self.jobs);
        jobs.push_back(job);
        self.len.store(jobs.len(), INBOX_LEN.get());
    }

    /// The oldest one.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Job> {
        if self.is_empty() { None } else { self.pop_some() }
    }

    #[cold]
    fn pop_some(&self) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        let job = jobs.pop_front();
        self.len.store(jobs.len(), INBOX_LEN.get());
        job
    }
}
