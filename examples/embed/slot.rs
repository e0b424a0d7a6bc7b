//! Slots and runners. Each worker has a slot of its own with its buffers and its results. No thread waits for a
//! slot's lock: only the worker takes it while jobs run, and the caller takes it once they are done. That is simpler
//! than sending results back. It costs about an uncontended lock for each job.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// Something that runs jobs.
pub trait Runner {
    /// Returns how many jobs the runner can run at a time.
    fn workers(&self) -> usize;

    /// Runs `work` once for every job, on the slot of the worker that runs the job, and returns when all jobs are
    /// done. There are as many slots as workers.
    fn each<S, J>(
        &self,
        slots: &[Slot<S>],
        jobs: impl Iterator<Item = J>,
        work: impl Fn(&mut S, J) + Send + Sync + 'static,
    ) -> Result<(), Failure>
    where
        S: Send + 'static,
        J: Send + 'static;
}

/// The buffers and results of one worker, behind a lock.
pub struct Slot<S>(Arc<Mutex<Inner<S>>>);

/// The content of a slot.
pub struct Inner<S> {
    /// The worker's buffers and results.
    pub state: S,
    /// How long it was inside jobs.
    pub busy: Duration,
    finished: u64,
}

impl<S> Clone for Slot<S> {
    fn clone(&self) -> Slot<S> {
        Slot(Arc::clone(&self.0))
    }
}

impl<S: Default> Slot<S> {
    /// Makes as many slots as there are workers.
    pub fn many(count: usize) -> Vec<Slot<S>> {
        let new = || Inner { state: S::default(), busy: Duration::ZERO, finished: 0 };
        (0..count).map(|_| Slot(Arc::new(Mutex::new(new())))).collect()
    }
}

impl<S> Slot<S> {
    /// Runs one job and measures its time.
    pub fn run<J>(&self, job: J, work: &impl Fn(&mut S, J)) {
        let mut inner = self.lock();
        let started = Instant::now();
        work(&mut inner.state, job);
        inner.busy += started.elapsed();
        inner.finished += 1;
    }

    /// Locks the slot, even if a panic poisoned the lock: [`run_all`] notices the lost job.
    pub fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` once for every job and makes sure that every job was finished.
pub fn run_all<S, J>(
    runner: &impl Runner,
    slots: &[Slot<S>],
    jobs: impl Iterator<Item = J>,
    work: impl Fn(&mut S, J) + Send + Sync + 'static,
) -> Result<(), Failure>
where
    S: Send + 'static,
    J: Send + 'static,
{
    let finished = || slots.iter().map(|slot| slot.lock().finished).sum::<u64>();
    let mut expected = finished();
    runner.each(slots, jobs.inspect(|_| expected += 1), work)?;
    match expected.abs_diff(finished()) {
        0 => Ok(()),
        lost => Err(Failure::Other(format!("{lost} jobs broke off"))),
    }
}
