//! The latches: a waiter is woken once, and nobody touches a latch after it was set.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc as StdArc;
use std::task::{Context, Wake, Waker};

use super::staff::Data;
use crate::system::parker::{Parker, Unparker};
use crate::waiting::latch::{CountLatch, Latch};
use loom::sync::Arc;
use loom::thread;

/// Proves: the waiter of a latch on its own stack wakes and sees what the setter wrote. It may free the latch at
/// once, because the setter does not touch the latch afterwards.
/// 2 threads, exhaustive; 245 executions.
pub(super) fn set_and_free() {
    let parker = Parker::new();
    parker.adopt();
    let data = Arc::new(Data::new());
    let latch = Box::new(Latch::new(parker.unparker()));
    let address = (&raw const *latch).expose_provenance();
    let setter = {
        let data = Arc::clone(&data);
        thread::spawn(move || {
            data.write();
            // SAFETY: the waiter frees the latch only after it was set.
            unsafe { Latch::set(std::ptr::with_exposed_provenance(address)) };
        })
    };
    while !latch.probe() {
        if latch.arm() {
            parker.park(None);
        }
    }
    let seen = data.read();
    assert_eq!(seen, 1);
    drop(latch);
    setter.join().unwrap();
}

/// Proves: of two threads that count down, the last one releases the waiter, which then sees what both wrote.
/// 3 threads, 6 preemptions; 121,236 executions.
pub(super) fn last_decrement() {
    let latch = Arc::new(CountLatch::new(2));
    let data = Arc::new([Data::new(), Data::new()]);
    let workers: Vec<_> = (0..2)
        .map(|index| {
            let (latch, data) = (Arc::clone(&latch), Arc::clone(&data));
            thread::spawn(move || {
                data[index].write();
                latch.count_down();
            })
        })
        .collect();
    latch.wait();
    for cell in &*data {
        let seen = cell.read();
        assert_eq!(seen, 1);
    }
    for worker in workers {
        worker.join().unwrap();
    }
}

/// Proves: a wait that finds the count at zero, at once or later, sees what was done before the last count-down.
/// 2 threads, exhaustive; 590 executions.
pub(super) fn probe() {
    let latch = Arc::new(CountLatch::new(1));
    let data = Arc::new(Data::new());
    let worker = {
        let (latch, data) = (Arc::clone(&latch), Arc::clone(&data));
        thread::spawn(move || {
            data.write();
            latch.count_down();
        })
    };
    latch.wait();
    let seen = data.read();
    assert_eq!(seen, 1);
    worker.join().unwrap();
}

/// A task's waker that polls the latch which wakes it.
struct Polls {
    latch: Arc<CountLatch>,
    task: Unparker,
}

impl Wake for Polls {
    fn wake(self: StdArc<Self>) {
        let wait = pin!((&*self.latch).into_future());
        assert!(wait.poll(&mut Context::from_waker(Waker::noop())).is_ready(), "model: woken too early");
        self.task.unpark();
    }
}

/// Proves: a task that awaits the latch is woken, and the waking thread holds no lock of the latch meanwhile.
/// 2 threads, exhaustive; 98 executions.
pub(super) fn waker() {
    let parker = Parker::new();
    parker.adopt();
    let latch = Arc::new(CountLatch::new(1));
    let waker = Waker::from(StdArc::new(Polls { latch: Arc::clone(&latch), task: parker.unparker() }));
    let setter = {
        let latch = Arc::clone(&latch);
        thread::spawn(move || latch.count_down())
    };
    let mut wait = pin!((&*latch).into_future());
    while wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        parker.park(None);
    }
    setter.join().unwrap();
}

/// Proves: a count that was zero, but no longer is when the waiter looks again or enters the list, ends the wait all
/// the same. The waiter sees what was done before the zero.
/// 2 threads, exhaustive; 404 executions.
pub(super) fn passing_zero() {
    let latch = Arc::new(CountLatch::new(1));
    let data = Arc::new(Data::new());
    // The wait begins before the other thread does.
    let since = latch.look();
    let worker = {
        let (latch, data) = (Arc::clone(&latch), Arc::clone(&data));
        thread::spawn(move || {
            data.write();
            latch.count_down();
            latch.add(1);
        })
    };
    assert!(latch.wait_since(since, None, None));
    let seen = data.read();
    assert_eq!(seen, 1);
    worker.join().unwrap();
    assert_eq!(latch.count(), 1);
}

/// Proves: a thread that counts down to zero may come late to the list, when the count has risen again. It then
/// leaves the waiters that came since in the list, and the next zero ends their wait.
/// 2 threads, exhaustive; 41 executions.
pub(super) fn late_release() {
    let latch = Arc::new(CountLatch::new(1));
    let mut first = pin!((&*latch).into_future());
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    let worker = {
        let latch = Arc::clone(&latch);
        thread::spawn(move || latch.count_down())
    };
    let next_round = latch.count() == 0;
    if next_round {
        latch.add(1);
        let mut second = pin!((&*latch).into_future());
        assert!(second.as_mut().poll(&mut context).is_pending());
        worker.join().unwrap();
        assert!(second.as_mut().poll(&mut context).is_pending(), "model: it ended without a zero");
        latch.count_down();
        assert!(second.as_mut().poll(&mut context).is_ready(), "model: it outlived a zero");
    } else {
        worker.join().unwrap();
    }
    assert!(first.as_mut().poll(&mut context).is_ready(), "model: it outlived a zero");
}
