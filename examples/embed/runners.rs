//! Runs jobs on filch, and on one thread. Filch is used as a program without `--compare` would use it: a bounded
//! queue per pass, so that the walk waits when the workers fall behind, with each worker's slot as its state. The
//! single thread exists only for `--compare`, as rayon does (`on_rayon`).

use filch::{BuildError, Pool, Stats};

use crate::failure::Failure;
use crate::slot::{Runner, Slot};

/// Jobs run on a filch pool, through a queue.
pub struct OnFilch {
    pool: Pool,
    capacity: usize,
}

impl OnFilch {
    /// Makes a pool of `workers` workers, or of one for every core.
    pub fn new(workers: Option<usize>, capacity: usize) -> Result<OnFilch, Failure> {
        let builder = Pool::builder().name("embed");
        let builder = match workers {
            Some(workers) => builder.workers(workers),
            None => builder,
        };
        let pool = builder.build().map_err(refused)?;
        Ok(OnFilch { pool, capacity })
    }

    /// Returns what the pool counted.
    pub fn stats(&self) -> Stats {
        self.pool.stats()
    }
}

/// The system may fail to start a thread. Any other refused request comes from an option.
fn refused(error: BuildError) -> Failure {
    match error {
        BuildError::Spawn { .. } => Failure::other(error),
        _ => Failure::usage(error),
    }
}

impl Runner for OnFilch {
    fn workers(&self) -> usize {
        self.pool.workers()
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
        let slots = slots.to_vec();
        let queue = self
            .pool
            .queue()
            .capacity(self.capacity)
            .worker_state(move |worker| slots[worker].clone())
            .build(move |slot: &mut Slot<S>, job: J| slot.run(job, &work))
            .map_err(refused)?;
        for job in jobs {
            // Blocks while the queue is full. That keeps the walk from running ahead.
            if queue.submit(job).is_err() {
                return Err(Failure::Other("the queue was closed early".to_owned()));
            }
        }
        queue.close();
        queue.wait();
        Ok(())
    }
}

/// Jobs run one after the other on the calling thread.
pub struct OneThread;

impl Runner for OneThread {
    fn workers(&self) -> usize {
        1
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
        jobs.for_each(|job| slots[0].run(job, &work));
        Ok(())
    }
}
