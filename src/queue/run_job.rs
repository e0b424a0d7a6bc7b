//! Runs one job of a queue, counts it, and tells the holder of its handle.

use super::core::CoreRef;
use super::parcel::Parcel;
use crate::scheduler::worker::Worker;
use crate::system::unwind::{self, Payload};
use crate::tasks::error::JoinError;

impl<J: Send + 'static> CoreRef<J> {
    /// Runs a job that was taken out of the ring or of the overflow.
    #[inline(always)]
    pub(super) fn run_taken(&self, worker: &Worker, job: &mut Parcel<J>, run: &mut impl FnMut(&mut Parcel<J>)) {
        worker.counted_with(
            job,
            |job| {
                run(job);
                self.tallies.count_done(worker.index);
                if job.note.is_some() {
                    self.tell(worker, job);
                }
            },
            |job, payload| self.job_panicked(worker, job, payload),
        );
    }

    /// Tells the holder of the handle that the job has ended. This calls wakers: foreign code, which may panic.
    #[cold]
    fn tell(&self, worker: &Worker, job: &mut Parcel<J>) {
        let Some(promise) = job.note.take() else { return };
        if let Err(payload) = unwind::catch(|| drop(promise.fill(Ok(())))) {
            worker.report_panic(payload, self.name());
        }
    }

    /// Gives the panic to the holder of the job's handle, or to the panic handler if nobody holds one.
    #[cold]
    fn job_panicked(&self, worker: &Worker, job: &mut Parcel<J>, payload: Payload) {
        self.tallies.count_panicked(worker.index);
        let unseen = match job.note.take() {
            Some(promise) => {
                unwind::catch(|| promise.fill(Err(JoinError::Panicked(payload)))).unwrap_or_else(Some)
            }
            None => Some(payload),
        };
        if let Some(payload) = unseen {
            worker.report_panic(payload, self.name());
        }
    }
}
