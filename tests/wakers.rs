//! Wakers are foreign code: cloning, waking and dropping one may use the very latch or pool that it waits for, or
//! panic. (`stress` has a case where this happens on any thread at any time.)

mod common;

use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, RawWaker, RawWakerVTable, Wake, Waker};

use common::polls::{Count, poll, ready};
use common::{Gate, LIMIT, fail, number_of, within};
use filch::{CountLatch, Pool};

/// A waker that uses the latch it waits for when it is dropped.
struct UsesWhenDropped(Arc<CountLatch>, Arc<AtomicUsize>);

impl Wake for UsesWhenDropped {
    fn wake(self: Arc<Self>) {}
}

impl Drop for UsesWhenDropped {
    fn drop(&mut self) {
        // The wait takes a place on the list and leaves it again.
        assert!(
            Pin::new(&mut (&*self.0).into_future()).poll(&mut Context::from_waker(Waker::noop())).is_pending()
        );
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_waker_may_use_the_latch_when_it_is_dropped() {
    within(LIMIT, || {
        let latch = Arc::new(CountLatch::new(1));
        let drops = Arc::new(AtomicUsize::new(0));
        let waker = || Waker::from(Arc::new(UsesWhenDropped(Arc::clone(&latch), Arc::clone(&drops))));
        let mut wait = (&*latch).into_future();
        // The list holds the only clone of each: the next poll replaces it, and the end of the future drops it.
        assert!(!ready(&mut wait, &waker()));
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        assert!(!ready(&mut wait, &waker()));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        drop(wait);
        assert_eq!(drops.load(Ordering::SeqCst), 2);
    });
}

/// A waker that uses the latch when it is cloned.
#[test]
fn a_waker_may_use_the_latch_when_it_is_cloned() {
    static LATCH: OnceLock<CountLatch> = OnceLock::new();
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, |_| (), |_| (), |_| ());

    fn clone(data: *const ()) -> RawWaker {
        let latch = LATCH.get().unwrap();
        assert!(Pin::new(&mut latch.into_future()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        CLONES.fetch_add(1, Ordering::SeqCst);
        // The clone differs from the original, so that the next poll must replace it.
        RawWaker::new(data.wrapping_byte_add(1), &TABLE)
    }

    within(LIMIT, || {
        let latch = LATCH.get_or_init(|| CountLatch::new(1));
        // SAFETY: the table's functions never read the data pointer, and any thread may call them.
        let waker = unsafe { Waker::new(std::ptr::null(), &TABLE) };
        let mut wait = latch.into_future();
        for clones in 1..=3 {
            assert!(!ready(&mut wait, &waker));
            assert_eq!(CLONES.load(Ordering::SeqCst), clones);
        }
    });
}

/// A waker that panics costs the other wakers nothing.
#[test]
fn a_waker_that_panics() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            fail(7);
        }
    }

    within(LIMIT, || {
        let latch = Arc::new(CountLatch::new(1));
        let panics = Waker::from(Arc::new(Panics));
        let mut first = (&*latch).into_future();
        let mut second = (&*latch).into_future();
        assert!(!ready(&mut first, &panics) && !ready(&mut second, &panics));
        let (woken, counts) = Count::new();
        let mut third = (&*latch).into_future();
        assert!(!ready(&mut third, &counts));
        let payload = catch_unwind(AssertUnwindSafe(|| latch.count_down())).expect_err("it was swallowed");
        assert_eq!(number_of(&*payload), 7);
        assert_eq!(woken.get(), 1);
        assert!([first, second, third].iter_mut().all(|wait| ready(wait, &counts)));
    });
}

/// A handle that was polled and dropped keeps nothing of the task that polled it.
#[test]
fn a_dropped_handle_lets_go_of_the_waker() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let gate = Gate::default();
        let held = gate.clone();
        let mut handle = pool.spawn(move || held.wait());
        let (count, waker) = Count::new();
        assert!(poll(&mut handle, &waker).is_pending());
        drop((handle, waker));
        assert_eq!(Arc::strong_count(&count), 1, "the waker is on the list still");
        gate.open();
        pool.shutdown().unwrap();
        assert_eq!(count.get(), 0);
    });
}
