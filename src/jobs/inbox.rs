//! The inbox of a worker: jobs that only this worker may run, such as its turn of a broadcast.
//!
//! An inbox is a queue behind a mutex, with the length beside it. Pushes are rare and come with the wake of a worker,
//! which costs far more than the lock. A worker with an empty inbox pays for one load.

use std::collections::VecDeque;

use crate::jobs::job::Job;
use crate::sync::site::INBOX_LEN;
use crate::sync::{AtomicUsize, Mutex, lock};

/// `None` once the worker has gone. A lent thread may go before its pool ends.
type Jobs = Option<VecDeque<Job>>;

pub(crate) struct Inbox {
    jobs: Mutex<Jobs>,
    /// The number of jobs, written under the lock.
    len: AtomicUsize,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox { jobs: Mutex::new(Some(VecDeque::new())), len: AtomicUsize::new(0) }
    }

    /// Whether the inbox is empty. The answer is exact in two cases. A worker that has taken the token that was left
    /// for it after a push sees that push. A thread that finds the pool at rest sees every push, because a pusher
    /// leaves the pool, or falls asleep, only after its push.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(INBOX_LEN.get()) == 0
    }

    /// Appends a job. The caller must then leave the worker a token. If the worker has gone, the job comes back.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let mut jobs = lock(&self.jobs);
        let Some(open) = jobs.as_mut() else { return Err(job) };
        open.push_back(job);
        self.len.store(open.len(), INBOX_LEN.get());
        Ok(())
    }

    /// Takes the oldest job.
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

    /// Closes the inbox and returns the jobs that it held. No push succeeds afterwards.
    pub(crate) fn close(&self) -> VecDeque<Job> {
        let mut jobs = lock(&self.jobs);
        self.len.store(0, INBOX_LEN.get());
        jobs.take().unwrap_or_default()
    }
}
