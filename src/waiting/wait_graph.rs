//! Which workers of a pool wait for room in a queue, and whether they wait for each other.
//!
//! A worker that waits for room in a queue waits for those that serve it. If all who may serve it wait for room
//! themselves, in queues of which the same is true, nobody will ever make any: a *cycle*. The worker that comes
//! last closes it and is told so, together with a queue that is part of it and that this worker serves. That it makes
//! room in that queue by other means than to run its jobs is the only way on.
//!
//! Why the last one always serves such a queue: before it came there was no cycle, so each of the
//! others waited, by way of any number of queues, for a worker that did not wait. Those of them that now cannot go
//! on waited for nobody but the last one: it serves a queue that one of them, or it itself, waits for.
//!
//! An entry is here only while its worker does nothing but wait: not while it runs another job on top, and no
//! longer once there is room. Whoever makes room serves the queue, and is not here before it has taken the entries
//! of those that waited; so a look never takes a worker for stuck that is about to go on, and no time plays a part.
//!
//! One mutex for all pools, because queues of several may feed each other: both sides come here only when a worker really
//! has to wait.

use crate::sync::{Arc, Mutex, MutexGuard, StdArc, lock};
use crate::waiting::latch::Signal;

/// One worker's wait. Queues are told apart by their addresses.
pub(crate) struct Wait {
    /// Workers are told apart by their addresses, too.
    pub(crate) worker: usize,
    /// The queue that has no room.
    pub(crate) queue: usize,
    /// How many may serve that queue.
    pub(crate) limit: usize,
    /// The queues that the worker serves, jobs of which are on its stack: outermost first, one of them several
    /// times if it is served several times.
    pub(crate) serves: Vec<usize>,
    pub(crate) signal: Arc<Signal>,
    /// Whether it does nothing until it is told: such a one takes the room that it is told of, or finds it taken, and
    /// waits anew. Others may be in the middle of another job.
    pub(crate) rests: bool,
}

/// The waits of all workers, at most one each.
#[derive(Default)]
pub(crate) struct Waits(Vec<Wait>);

impl Waits {
    pub(crate) fn push(&mut self, wait: Wait) {
        self.0.push(wait);
    }

    /// Takes back the wait of `worker`, if nobody has taken it.
    pub(crate) fn remove(&mut self, worker: usize) {
        self.0.retain(|wait| wait.worker != worker);
    }

    /// Takes the waits for `queue`, and no more than `resting` of those that rest: the caller has made room in it, or
    /// found that it may be served, and tells them. Also whether some are left.
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

    /// If `worker`, which waits, can only wait for ever: the queue in which it must make room.
    pub(crate) fn cycle(&self, worker: usize) -> Option<usize> {
        let mut stuck: Vec<&Wait> = self.0.iter().collect();
        loop {
            let before = stuck.len();
            let serving =
                |queue| stuck.iter().flat_map(|wait| &wait.serves).filter(|&&served| served == queue).count();
            // Who waits for a queue that others serve, or may, can go on in time.
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

/// [`Waits`] behind their lock. A queue's own list of waiters is locked first.
#[derive(Default)]
pub(crate) struct WaitGraph(Mutex<Waits>);

impl WaitGraph {
    /// Those of all pools of the process: queues of several may wait for each other. Under a checker each execution has its
    /// own, and each pool.
    #[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"))))]
    pub(crate) fn shared() -> StdArc<WaitGraph> {
        static ALL: std::sync::OnceLock<StdArc<WaitGraph>> = std::sync::OnceLock::new();
        StdArc::clone(ALL.get_or_init(StdArc::default))
    }

    #[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
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

    /// Each worker: the queue it waits for, with how many may serve that, and those it serves. The answers that
    /// they get when they come one after the other; who gets one does not stay.
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
        // Another may serve it.
        assert_eq!(cycles(&[(1, 2, &[1])]), [None]);
        // And does not, or it does twice itself.
        assert_eq!(cycles(&[(1, 2, &[1]), (1, 2, &[1])]), [None, Some(1)]);
        assert_eq!(cycles(&[(1, 2, &[1, 2, 1])]), [Some(1)]);
    }

    #[test]
    fn queues_that_feed_each_other() {
        assert_eq!(cycles(&[(2, 1, &[1]), (1, 1, &[2])]), [None, Some(2)]);
        assert_eq!(cycles(&[(2, 1, &[1]), (3, 1, &[2]), (1, 1, &[3])]), [None, None, Some(3)]);
        // The innermost that somebody waits for: nobody waits for 4.
        assert_eq!(cycles(&[(2, 1, &[1]), (1, 1, &[2, 4])]), [None, Some(2)]);
        // A second server of 1 is at work, or on its way.
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
