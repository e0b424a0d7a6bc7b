//! Putting jobs in: at once, with patience, or many.

use std::time::{Duration, Instant};

use crate::error::SubmitError;
use crate::ring::{CLOSED, KICK, OUTSIDE_CLOSED, PushError};
use crate::spin::Spin;
use crate::wait::on_signal;
use crate::worker::{Worker, with_current};

use super::core::CoreRef;

/// How long a worker sleeps for room before it looks again at the queues whose handlers it is in. A push from
/// outside into one of those wakes nobody if its only runner is this worker: without the second look two
/// serial queues that feed each other hang.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

impl<J: Send + 'static> CoreRef<J> {
    /// Pushes one job for a caller inside or outside the pool.
    #[inline]
    fn push(&self, job: J, inside: bool) -> Result<(), PushError<J>> {
        let refuse = if inside { CLOSED } else { CLOSED | OUTSIDE_CLOSED };
        let flags = self.ring.push(job, refuse)?;
        if flags & KICK != 0 {
            self.kick();
        }
        Ok(())
    }

    #[inline]
    fn with_caller<R>(&self, f: impl FnOnce(Option<&Worker>) -> R) -> R {
        with_current(|worker| f(worker.filter(|worker| self.is_inside(worker))))
    }

    #[inline]
    pub(super) fn try_submit(&self, job: J) -> Result<(), SubmitError<J>> {
        if self.registry.forked() {
            return Err(SubmitError::ForkedProcess(job));
        }
        self.with_caller(|worker| self.push(job, worker.is_some())).map_err(|error| match error {
            PushError::Full(job) => SubmitError::Full(job),
            PushError::Closed(job) => SubmitError::Closed(job),
        })
    }

    #[inline]
    pub(super) fn submit(&self, job: J, deadline: Option<Instant>) -> Result<(), SubmitError<J>> {
        match self.try_submit(job) {
            Err(SubmitError::Full(job)) => self.submit_patiently(job, deadline),
            done => done,
        }
    }

    pub(super) fn submit_all(&self, jobs: impl IntoIterator<Item = J>) -> Result<usize, SubmitError<J>> {
        let inside = self.with_caller(|worker| worker.is_some());
        let mut accepted = 0;
        for job in jobs {
            if self.registry.forked() {
                return Err(SubmitError::ForkedProcess(job));
            }
            match self.push(job, inside) {
                Ok(()) => {}
                Err(PushError::Full(job)) => self.submit_patiently(job, None)?,
                Err(PushError::Closed(job)) => return Err(SubmitError::Closed(job)),
            }
            accepted += 1;
        }
        Ok(accepted)
    }

    #[cold]
    fn submit_patiently(&self, mut job: J, deadline: Option<Instant>) -> Result<(), SubmitError<J>> {
        self.with_caller(|worker| {
            let mut spin = self.spin();
            // Whether nobody but this worker may be able to make room: at once if it is in a handler of this queue,
            // else once it has waited in vain.
            let own = |worker: &Worker| worker.runs_jobs_of(&self.registry, self.address());
            let mut stuck = worker.is_some_and(own);
            loop {
                job = match self.push(job, worker.is_some()) {
                    Ok(()) => return Ok(()),
                    Err(PushError::Closed(job)) => return Err(SubmitError::Closed(job)),
                    Err(PushError::Full(job)) => job,
                };
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return Err(SubmitError::Timeout(job));
                }
                match worker {
                    Some(worker) if self.make_room(worker, stuck) => {}
                    None if self.await_some_room(&mut spin) => {}
                    _ => {
                        let nap = worker.and_then(|_| Instant::now().checked_add(LOOK_AGAIN));
                        stuck |= !self.wait_for_room(deadline.into_iter().chain(nap).min());
                        spin = self.spin();
                    }
                }
            }
        })
    }

    /// On a worker of the pool: runs some job, preferring those of this queue. A serial queue whose handler
    /// submits to itself, or two whose handlers submit to each other, can only go on if the worker runs the
    /// jobs of the handlers that it is in; that comes last,
    /// and only if it is `stuck`. `false` if there was nothing to run.
    fn make_room(&self, worker: &Worker, stuck: bool) -> bool {
        self.help(worker) || worker.run_one() || stuck && worker.relieve()
    }

    /// Waits awake until a deep queue is half free, or a shallow one has room, or the time for that is up: `false` then. A producer that
    /// came back for each single slot would go in step with the consumers, with all of them at the same few
    /// cache lines.
    fn await_some_room(&self, spin: &mut Spin) -> bool {
        let capacity = self.ring.capacity();
        let enough = if self.is_deep() { capacity / 2 } else { capacity - 1 };
        while spin.again() {
            if self.ring.len() <= enough || self.ring.tail_flags() & (CLOSED | OUTSIDE_CLOSED) != 0 {
                return true;
            }
        }
        false
    }

    /// `false` if there was none by `deadline`.
    fn wait_for_room(&self, deadline: Option<Instant>) -> bool {
        on_signal(
            deadline,
            |wake| {
                let mut entries = self.room.lock();
                self.ring.flag_blocked();
                if self.ring.is_full() && self.ring.tail_flags() & CLOSED == 0 && !self.outside_closed() {
                    return Some(entries.push(wake));
                }
                if entries.is_empty() {
                    self.ring.unflag_blocked();
                }
                None
            },
            |ticket| self.room.remove(ticket),
        )
    }

    /// Whether the calling thread is refused because the pool shuts down.
    fn outside_closed(&self) -> bool {
        self.ring.tail_flags() & OUTSIDE_CLOSED != 0 && self.with_caller(|worker| worker.is_none())
    }
}
