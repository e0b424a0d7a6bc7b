//! Records which workers wait for room in a queue, and finds the cycles in which they wait for each other.
//!
//! A worker that waits for room in a queue waits for the workers that serve this queue. Suppose that all workers that
//! may serve the queue wait for room themselves, in queues of which the same is true. Then nobody will ever make
//! room: a *cycle*. The worker that enters last closes the cycle. [`Waits::cycle`] tells this worker so, and names a
//! queue that is part of the cycle and that this worker serves. The only way on is that the worker makes room in this
//! queue without running the queue's jobs.
//!
//! # Why the last worker always serves a queue of the cycle
//!
//! Before the last worker entered there was no cycle. So each of the other workers waited, by way of any number of
//! queues, for a worker that did not wait. The workers that now cannot go on waited for the last worker only. So the
//! last worker serves a queue that one of them waits for, or that it waits for itself.
//!
//! # Invariant
//!
//! An entry is in the graph only while its worker does nothing but wait. It is not there while the worker runs
//! another job on top, and no longer once there is room. A worker that makes room serves the queue, and does not
//! enter the graph before it has taken the entries of the workers that waited for the room. So a look never counts a
//! worker as stuck that is about to go on, and the answer depends on no clock.
//!
//! # Why one mutex for all pools
//!
//! Queues of several pools may feed each other. Both sides take the lock only when a worker really has to wait.

use crate::sync::{Arc, Mutex, MutexGuard, StdArc, lock};
use crate::waiting::latch::Signal;

/// One worker's wait for room. Addresses tell queues apart, and workers too.
pub(crate) struct Wait {
    /// The worker that waits.
    pub(crate) worker: usize,
    /// The queue that has no room.
    pub(crate) queue: usize,
    /// How many workers may serve that queue at once.
    pub(crate) limit: usize,
    /// The queues that the worker serves, which have jobs on its stack: outermost first, a queue several times if the
    /// worker serves it several times.
    pub(crate) serves: Vec<usize>,
    pub(crate) signal: Arc<Signal>,
    /// Whether the worker *rests*: it does nothing until it is told. A worker that rests takes the room of which it
    /// is told, or finds the room taken and waits anew. Another worker may be in the middle of another job when it is
    /// told.
    pub(crate) rests: bool,
}

/// The waits of all workers, at most one each.
#[derive(Default)]
pub(crate) struct Waits(Vec<Wait>);

impl Waits {
    pub(crate) fn push(&mut self, wait: Wait) {
        self.0.push(wait);
    }

    /// Removes the wait of `worker`, if no other thread has taken it.
    pub(crate) fn remove(&mut self, worker: usize) {
        self.0.retain(|wait| wait.worker != worker);
    }

    /// Removes and returns the waits for `queue`, at most `resting` of them from workers that rest. The caller made
    /// room in the queue, or saw that it may have one more runner, and wakes these workers. The flag says whether
    /// waits for `queue` remain.
    pub(crate) fn take(&mut self, queue: usize, resting: usize) -> (Vec<Wait>, bool) {
        let (mut left, mut some_left) = (resting, false);
        let taken = self.0.extract_if(.., |wait| {
            if wait.queue != queue {
                return false;
            }
            if wait.rests && left == 0 {
                some_left = true;
                return false;
            }
            left -= usize::from(wait.rests);
            true
        });
        (taken.collect(), some_left)
    }

    /// Returns the queue in which `worker`, which waits, must make room; `None` if `worker` is in no cycle.
    pub(crate) fn cycle(&self, worker: usize) -> Option<usize> {
        let mut stuck: Vec<&Wait> = self.0.iter().collect();
        loop {
            let before = stuck.len();
            let serving =
                |queue| stuck.iter().flat_map(|wait| &wait.serves).filter(|&&served| served == queue).count();
            // A worker goes on in time if its queue is served, or may be served, by a worker that is not stuck.
            let still: Vec<&Wait> =
                stuck.iter().filter(|wait| serving(wait.queue) >= wait.limit).copied().collect();
            stuck = still;
            if stuck.len() == before {
                break;
            }
        }
        let own = stuck.iter().find(|wait| wait.worker == worker)?;
        own.serves.iter().rev().copied().find(|&queue| stuck.iter().any(|wait| wait.queue == queue))
    }
}

/// [`Waits`] behind their lock. A thread that also needs the lock of a queue's list of waiters takes that lock first.
#[derive(Default)]
pub(crate) struct WaitGraph(Mutex<Waits>);

impl WaitGraph {
    /// Returns the graph of all pools of the process: queues of several pools may wait for each other. Under a
    /// checker each pool has a graph of its own, and so each execution.
    #[cfg(not(any(
        all(loom, feature = "loom"),
        all(shuttle, feature = "shuttle"),
        all(lab, feature = "lab")
    )))]
    pub(crate) fn shared() -> StdArc<WaitGraph> {
        static ALL: std::sync::OnceLock<StdArc<WaitGraph>> = std::sync::OnceLock::new();
        StdArc::clone(ALL.get_or_init(StdArc::default))
    }

    #[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab")))]
    pub(crate) fn shared() -> StdArc<WaitGraph> {
        StdArc::default()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Waits> {
        lock(&self.0)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::{Wait, Waits};
    use crate::system::parker::Parker;
    use crate::waiting::latch::Signal;

    /// Enters workers one after the other and returns their answers. Each worker gives the queue that it waits for,
    /// how many workers may serve that queue, and the queues that it serves. A worker that finds a cycle leaves
    /// again.
    fn cycles(waits: &[(usize, usize, &[usize])]) -> Vec<Option<usize>> {
        let mut all = Waits::default();
        let come = |(worker, &(queue, limit, serves)): (usize, &(usize, usize, &[usize]))| {
            let signal = Signal::new(Parker::new().unparker());
            all.push(Wait { worker, queue, limit, serves: serves.to_vec(), signal, rests: false });
            let cycle = all.cycle(worker);
            if cycle.is_some() {
                all.remove(worker);
            }
            cycle
        };
        waits.iter().enumerate().map(come).collect()
    }

    #[test]
    fn who_serves_nothing_waits_for_others() {
        assert_eq!(cycles(&[(1, 1, &[]), (1, 1, &[]), (2, 1, &[])]), [None; 3]);
    }

    #[test]
    fn a_queue_that_feeds_itself() {
        assert_eq!(cycles(&[(1, 1, &[1])]), [Some(1)]);
        // Another worker may serve it.
        assert_eq!(cycles(&[(1, 2, &[1])]), [None]);
        // The other worker waits too; or the same worker serves it twice.
        assert_eq!(cycles(&[(1, 2, &[1]), (1, 2, &[1])]), [None, Some(1)]);
        assert_eq!(cycles(&[(1, 2, &[1, 2, 1])]), [Some(1)]);
    }

    #[test]
    fn queues_that_feed_each_other() {
        assert_eq!(cycles(&[(2, 1, &[1]), (1, 1, &[2])]), [None, Some(2)]);
        assert_eq!(cycles(&[(2, 1, &[1]), (3, 1, &[2]), (1, 1, &[3])]), [None, None, Some(3)]);
        // The innermost queue that a worker waits for: no worker waits for 4.
        assert_eq!(cycles(&[(2, 1, &[1]), (1, 1, &[2, 4])]), [None, Some(2)]);
        // A second runner of 1 is at work, or on its way.
        assert_eq!(cycles(&[(2, 1, &[1]), (1, 2, &[2])]), [None, None]);
    }

    #[test]
    fn a_bystander_does_not_open_a_cycle_and_is_not_told() {
        assert_eq!(cycles(&[(2, 1, &[1]), (2, 1, &[]), (1, 1, &[2])]), [None, None, Some(2)]);
        assert_eq!(cycles(&[(2, 1, &[1]), (3, 1, &[2]), (2, 1, &[])]), [None; 3]);
    }

    #[test]
    fn those_that_are_told_are_gone() {
        let mut all = Waits::default();
        for worker in 0..8 {
            let signal = Signal::new(Parker::new().unparker());
            all.push(Wait {
                worker,
                queue: worker % 2,
                limit: 1,
                serves: Vec::new(),
                signal,
                rests: worker > 3,
            });
        }
        all.remove(2);
        let workers =
            |(waits, left): (Vec<Wait>, bool)| (waits.iter().map(|wait| wait.worker).collect::<Vec<_>>(), left);
        assert_eq!(workers(all.take(0, 1)), (vec![0, 4], true), "one of those that rest");
        assert_eq!(workers(all.take(0, usize::MAX)), (vec![6], false));
        assert_eq!(workers(all.take(1, 0)), (vec![1, 3], true));
        assert_eq!(workers(all.take(1, 1)), (vec![5], true));
        assert_eq!(workers(all.take(1, 1)), (vec![7], false));
        assert_eq!(workers(all.take(1, 1)), (vec![], false));
    }
}
