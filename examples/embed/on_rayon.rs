//! Runs jobs on rayon, the way rayon is used for lists: a parallel iterator over all jobs, in which a thread finds
//! its slot by its index. It exists for `--compare`, which runs it twice: on rayon as published, and on filch in
//! rayon's place (`companion`).

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::failure::Failure;
use crate::slot::{Runner, Slot};

/// Jobs run on a rayon pool.
pub struct OnRayon(rayon::ThreadPool);

impl OnRayon {
    /// Makes a pool of `threads` threads.
    pub fn new(threads: usize) -> Result<OnRayon, Failure> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map(OnRayon).map_err(Failure::other)
    }
}

impl Runner for OnRayon {
    fn workers(&self) -> usize {
        self.0.current_num_threads()
    }

    fn each<S, J>(
        &self,
        slots: &[Slot<S>],
        jobs: impl Iterator<Item = J>,
        work: impl Fn(&mut S, J) + Send + Sync + 'static,
    ) -> Result<(), Failure>
    where
        S: Send + 'static,
        J: Send + 'static,
    {
        // rayon's bridge for plain iterators takes a lock per job. A list splits without a lock.
        let jobs: Vec<J> = jobs.collect();
        self.0.install(|| {
            jobs.into_par_iter().for_each(|job| {
                // Inside `install` every thread belongs to the pool, so it has an index.
                let thread = rayon::current_thread_index().unwrap_or(0);
                slots[thread].run(job, &work);
            });
        });
        Ok(())
    }
}
