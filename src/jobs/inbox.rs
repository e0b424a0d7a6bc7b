//! Jobs for one worker only: what a broadcast hands out.
//!
//! A mutex and a queue: a broadcast wakes every worker, which costs microseconds, and a worker that has none pays
//! for one load.

use std::collections::VecDeque;

use crate::jobs::job::Job;
use crate::sync::site::INBOX_LEN;
use crate::sync::{AtomicUsize, Mutex, lock};

/// `None` once its worker has gone, which a lent thread may do before its pool ends.
type Jobs = Option<VecDeque<Job>>;

pub(crate) struct Inbox {
    jobs: Mutex<Jobs>,
    /// Their number, written with the lock.
    len: AtomicUsize,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox { jobs: Mutex::new(Some(VecDeque::new())), len: AtomicUsize::new(0) }
    }

    /// Whether nothing came in. Exact for a worker that has taken the token which it was left after a push, and for who
    /// finds a pool at rest: those who push leave it, or fall asleep, afterwards.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(INBOX_LEN.get()) == 0
    }

    /// Puts a job in; the caller must then leave the worker a token. If that has gone, the job comes back.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let mut jobs = lock(&self.jobs);
        let Some(open) = jobs.as_mut() else { return Err(job) };
        open.push_back(job);
        self.len.store(open.len(), INBOX_LEN.get());
        Ok(())
    }

    /// The oldest one.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Job> {
        if self.is_empty() { None } else { self.pop_some() }
    }

    #[cold]
    fn pop_some(&self) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        let open = jobs.as_mut()?;
        let job = open.pop_front();
        self.len.store(open.len(), INBOX_LEN.get());
        job
    }

    /// Takes all, and nothing more in.
    pub(crate) fn close(&self) -> VecDeque<Job> {
        let mut jobs = lock(&self.jobs);
        self.len.store(0, INBOX_LEN.get());
        jobs.take().unwrap_or_default()
    }
}
