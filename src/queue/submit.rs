//! Putting jobs in, one or many. What happens where there is no room is in [`super::room`].

use crate::ring::{CLOSED, KICK, OUTSIDE_CLOSED, PushError};
use crate::worker::{Worker, with_current};

use super::core::CoreRef;
use super::error::SubmitError;

impl<J: Send + 'static> CoreRef<J> {
    /// Pushes one job for a caller inside or outside the pool.
    #[inline]
    pub(super) fn push(&self, job: J, inside: bool) -> Result<(), PushError<J>> {
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
            PushError::Full(job) => SubmitError::full(job, self.ring.capacity()),
            PushError::Closed(job) => SubmitError::Closed(job),
        })
    }

    #[inline]
    pub(crate) fn submit(&self, job: J) -> Result<(), SubmitError<J>> {
        self.linger(|| self.ring.has_room(1));
        match self.try_submit(job) {
            Err(SubmitError::Full(full)) => self.submit_patiently(full.job, None),
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
            self.linger(|| self.ring.has_room(1));
            match self.push(job, inside) {
                Ok(()) => {}
                Err(PushError::Full(job)) => self.submit_patiently(job, None)?,
                Err(PushError::Closed(job)) => return Err(SubmitError::Closed(job)),
            }
            accepted += 1;
        }
        Ok(accepted)
    }
}
