//! Submits one job or many to a queue. [`super::full`] takes over where there is no room.

use std::mem::forget;
use std::time::Duration;

use crate::jobs::ring::{NEEDS_RUNNER, Refused};
use crate::scheduler::waiter::deadline;
use crate::scheduler::worker::{Worker, with_current};

use super::core::{CoreRef, TO_OUTSIDE, TO_OWN, TO_WORKERS};
use super::error::{Refusal, SubmitError};
use super::parcel::{Note, Parcel};

/// How long a submission may wait for room.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    /// Not at all.
    None,
    /// For this time.
    Of(Duration),
    /// For ever.
    Endless,
}

impl<J: Send + 'static> CoreRef<J> {
    /// Pushes one job. `inside` is the caller, if it is a worker of the queue's pool that may submit as one.
    #[inline]
    pub(super) fn push(&self, job: &mut Parcel<J>, inside: Option<&Worker>) -> Result<(), Refusal> {
        let refuse = if inside.is_some() { TO_WORKERS } else { TO_OUTSIDE };
        let flags = match self.ring.push(job, refuse) {
            Err(Refused::Closed) => self.push_own(job, inside)?,
            done => done?,
        };
        if flags & NEEDS_RUNNER != 0 {
            self.start_runner();
        }
        Ok(())
    }

    /// Pushes a job that [`push`](Self::push) found refused: a queue that drains still takes its handlers' jobs.
    #[cold]
    fn push_own(&self, job: &mut Parcel<J>, inside: Option<&Worker>) -> Result<u64, Refused> {
        if inside.is_some_and(|worker| self.is_own(worker)) {
            self.ring.push(job, TO_OWN)
        } else {
            Err(Refused::Closed)
        }
    }

    #[inline]
    fn with_caller<R>(&self, f: impl FnOnce(Option<&Worker>) -> R) -> R {
        with_current(|worker| f(worker.filter(|worker| self.is_inside(worker))))
    }

    #[inline]
    fn try_push(&self, job: &mut Parcel<J>) -> Result<(), Refusal> {
        if self.registry.forked() {
            return Err(Refusal::ForkedProcess);
        }
        self.with_caller(|worker| self.push(job, worker))
    }

    /// Submits a job, with `note`, and returns `done`.
    #[inline]
    pub(super) fn submit_with<R>(
        &self,
        job: J,
        note: Option<Note>,
        patience: Patience,
        done: R,
    ) -> Result<R, SubmitError<J>> {
        let mut job = Parcel::new(job, note);
        match self.try_push(&mut job) {
            Ok(()) => {
                // The push has emptied the parcel. To forget it saves the check in its drop.
                forget(job);
                Ok(done)
            }
            Err(why) => self.submit_slowly(&mut job, why, patience, done),
        }
    }

    #[cold]
    #[inline(never)]
    fn submit_slowly<R>(
        &self,
        job: &mut Parcel<J>,
        why: Refusal,
        patience: Patience,
        done: R,
    ) -> Result<R, SubmitError<J>> {
        let (waits, timeout) = match patience {
            Patience::None => (false, None),
            Patience::Of(time) => (!time.is_zero(), Some(time)),
            Patience::Endless => (true, None),
        };
        let accepted = match why {
            Refusal::Full if waits => self.submit_patiently(job, timeout.and_then(deadline)),
            why => Err(why),
        };
        match accepted {
            Ok(()) => Ok(done),
            Err(why) => why.with(job, self.ring.capacity(), timeout),
        }
    }

    #[inline]
    pub(crate) fn submit(&self, job: J) -> Result<(), SubmitError<J>> {
        self.spin_for_slot(|| self.ring.has_room(1));
        self.submit_with(job, None, Patience::Endless, ())
    }

    #[inline]
    fn push_patiently(&self, job: &mut Parcel<J>, inside: Option<&Worker>) -> Result<(), Refusal> {
        if self.registry.forked() {
            return Err(Refusal::ForkedProcess);
        }
        self.spin_for_slot(|| self.ring.has_room(1));
        match self.push(job, inside) {
            Err(Refusal::Full) => self.submit_patiently(job, None),
            done => done,
        }
    }

    pub(super) fn submit_all(&self, jobs: impl IntoIterator<Item = J>) -> Result<usize, SubmitError<J>> {
        self.with_caller(|inside| {
            let mut accepted = 0;
            for job in jobs {
                let mut job = Parcel::new(job, None);
                if let Err(why) = self.push_patiently(&mut job, inside) {
                    return why.with(&mut job, self.ring.capacity(), None);
                }
                accepted += 1;
            }
            Ok(accepted)
        })
    }
}
