//! A panic goes where it belongs and nowhere else: `install` and `join` give it to the caller; `execute`, queues and
//! detached jobs give it to the panic handler. The workers stay, and no job behind it is lost.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

#[cfg(unix)]
use common::in_child;
use common::{Alive, Expected, Gate, LIMIT, collector, fail, number_of, text_of, within};
use filch::{JoinError, Pool};

/// The number of jobs of each kind.
const EACH: usize = 2_500;

#[test]
fn ten_thousand_of_all_kinds_leave_the_workers_as_they_were() {
    within(LIMIT, || {
        let (handler, seen) = collector();
        let threads = Arc::new(std::sync::Mutex::new(Vec::new()));
        let started = Arc::clone(&threads);
        let on_start = move |_| started.lock().unwrap().push(thread::current().id());
        let pool = Pool::builder().workers(4).on_start(on_start).panic_handler(handler).build().unwrap();
        let alive = Alive::default();
        let queue = pool.queue().capacity(64).build(|(number, _token)| fail(number)).unwrap();
        for round in 0..EACH {
            let (first, second) = (alive.token(), alive.token());
            let number = 4 * round;
            pool.execute(move || {
                let _first = first;
                fail(number)
            })
            .unwrap();
            queue.submit((number + 1, second)).unwrap();
            let joined = pool.spawn(move || -> () { fail(number + 2) }).join().unwrap_err();
            assert_eq!(number_of(&*joined.into_panic()), number + 2);
            let caught = catch_unwind(AssertUnwindSafe(|| pool.install(|| -> () { fail(number + 3) })));
            assert_eq!(number_of(&*caught.unwrap_err()), number + 3);
        }
        queue.close();
        queue.wait();
        // Each worker still runs on the thread that it started on.
        let met = Arc::new(std::sync::Barrier::new(4));
        let ids = (0..4).map(|_| {
            let met = Arc::clone(&met);
            pool.spawn(move || {
                met.wait();
                thread::current().id()
            })
        });
        let ids: Vec<_> = ids.collect::<Vec<_>>().into_iter().map(|handle| handle.join().unwrap()).collect();
        let threads = threads.lock().unwrap().clone();
        assert_eq!(threads.len(), 4, "no worker was started anew");
        assert!(threads.iter().all(|id| ids.contains(id)), "{threads:?} ran {ids:?}");
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked), (4 * EACH as u64 + 4, 2 * EACH as u64));
        assert_eq!(report.workers.iter().map(|worker| worker.panicked).sum::<u64>(), report.panicked);
        let handled: Vec<usize> = (0..EACH).flat_map(|round| [4 * round, 4 * round + 1]).collect();
        assert_eq!(seen(), handled);
        assert_eq!(alive.count(), 0, "what panicking jobs held was dropped");
    });
}

#[test]
fn without_a_handler_the_pool_goes_on() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        pool.execute(|| fail(1)).unwrap();
        assert_eq!(pool.install(|| 2), 2);
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked), (2, 1));
    });
}

#[test]
fn the_handler_runs_on_the_worker_and_may_use_the_pool() {
    within(LIMIT, || {
        let (told, tells) = mpsc::channel();
        let handler = move |payload: Box<dyn std::any::Any + Send>| {
            let (number, worker, told) = (number_of(&*payload), filch::current_worker(), told.clone());
            filch::execute(move || told.send((number, worker)).unwrap()).unwrap();
        };
        let pool = Pool::builder().workers(1).panic_handler(handler).build().unwrap();
        pool.execute(|| fail(7)).unwrap();
        assert_eq!(tells.recv().unwrap(), (7, Some(0)));
    });
}

#[test]
fn a_detached_job_tells_the_handler() {
    within(LIMIT, || {
        let (handler, seen) = collector();
        let pool = Pool::builder().workers(1).panic_handler(handler).build().unwrap();
        let gate = Gate::default();
        let held = gate.clone();
        let handle = pool.spawn(move || {
            held.wait();
            fail(3)
        });
        drop(handle);
        gate.open();
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked, seen()), (1, 1, vec![3]));
    });
}

#[test]
fn a_joined_job_does_not_tell_the_handler() {
    within(LIMIT, || {
        let (handler, seen) = collector();
        let pool = Pool::builder().workers(1).panic_handler(handler).build().unwrap();
        let error = pool.spawn(|| -> () { fail(4) }).join().unwrap_err();
        assert!(error.is_panic() && !error.is_closed());
        assert!(matches!(&error, JoinError::Panicked(payload) if payload.is::<Expected>()));
        assert_eq!((pool.shutdown().unwrap().panicked, seen()), (0, vec![]));
    });
}

#[test]
fn the_text_of_a_panic_is_kept() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let error = pool.spawn(|| -> () { panic!("expected: {}", 5) }).join().unwrap_err();
        assert!(error.to_string().contains("expected: 5"), "{error}");
        assert_eq!(text_of(&*error.into_panic()), "expected: 5");
        let caught = catch_unwind(AssertUnwindSafe(|| pool.install(|| -> () { panic!("expected") })));
        assert_eq!(text_of(&*caught.unwrap_err()), "expected");
    });
}

#[test]
fn install_on_the_spot_and_across_pools() {
    within(LIMIT, || {
        let (handler, seen) = collector();
        let outer = Arc::new(Pool::builder().workers(1).panic_handler(handler).build().unwrap());
        let inner = Pool::builder().workers(1).build().unwrap();
        let again = Arc::clone(&outer);
        let caught = outer.install(move || {
            let near = catch_unwind(AssertUnwindSafe(|| again.install(|| -> () { fail(1) })));
            let far = catch_unwind(AssertUnwindSafe(|| inner.install(|| -> () { fail(2) })));
            [near, far].map(|caught| number_of(&*caught.unwrap_err()))
        });
        assert_eq!((caught, seen()), ([1, 2], vec![]));
    });
}

#[test]
fn in_a_queue_those_behind_it_run() {
    within(LIMIT, || {
        for concurrency in [1, 3] {
            let (handler, seen) = collector();
            let pool = Pool::builder().workers(3).panic_handler(handler).build().unwrap();
            let sum = Arc::new(AtomicUsize::new(0));
            let added = Arc::clone(&sum);
            let queue = pool
                .queue()
                .capacity(4)
                .concurrency(concurrency)
                .build(move |number: usize| {
                    if number.is_multiple_of(3) {
                        fail(number);
                    }
                    added.fetch_add(number, Ordering::Relaxed);
                })
                .unwrap();
            queue.submit_all(0..3_000).unwrap();
            queue.wait();
            assert_eq!(sum.load(Ordering::Relaxed), (0..3_000).filter(|number| number % 3 != 0).sum());
            assert_eq!(pool.shutdown().unwrap().panicked, 1_000);
            assert_eq!(seen(), (0..3_000).step_by(3).collect::<Vec<_>>());
        }
    });
}

/// The drop of a value that a job captured panics.
#[test]
fn in_the_drop_of_a_capture() {
    struct Bomb(usize);

    impl Drop for Bomb {
        fn drop(&mut self) {
            fail(self.0);
        }
    }

    within(LIMIT, || {
        let (handler, seen) = collector();
        let pool = Pool::builder().workers(2).panic_handler(handler).build().unwrap();
        let bomb = Bomb(1);
        pool.execute(move || drop(bomb)).unwrap();
        let bomb = Bomb(2);
        let error = pool.spawn(move || drop(bomb)).join().unwrap_err();
        assert_eq!(number_of(&*error.into_panic()), 2);
        let queue = pool.queue().build(|bomb: Bomb| drop(bomb)).unwrap();
        queue.submit(Bomb(3)).unwrap();
        queue.wait();
        // The result of a detached job.
        let gate = Gate::default();
        let held = gate.clone();
        let handle = pool.spawn(move || {
            held.wait();
            Bomb(4)
        });
        drop(handle);
        gate.open();
        assert_eq!(pool.shutdown().unwrap().panicked, 3);
        assert_eq!(seen(), [1, 3, 4]);
    });
}

#[test]
fn in_hooks() {
    within(LIMIT, || {
        let (handler, seen) = collector();
        let pool = Pool::builder()
            .workers(3)
            .on_start(|worker| fail(worker))
            .on_exit(|worker| fail(10 + worker))
            .panic_handler(handler)
            .build()
            .unwrap();
        assert_eq!(pool.install(|| 5), 5);
        assert_eq!(pool.shutdown().unwrap().workers.len(), 3);
        assert_eq!(seen(), [0, 1, 2, 10, 11, 12]);
    });
}

#[cfg(unix)]
#[track_caller]
fn assert_aborted(output: &std::process::Output, message: &str) {
    use std::os::unix::process::ExitStatusExt;

    const SIGABRT: i32 = 6;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{}: {stderr}", output.status);
    assert!(stderr.contains(message), "{stderr}");
}

#[cfg(unix)]
#[test]
fn in_the_handler_it_ends_the_process() {
    let output = in_child("in_the_handler_it_ends_the_process", "", || {
        within(LIMIT, || {
            let pool = Pool::builder().workers(1).panic_handler(|_| fail(1)).build().unwrap();
            pool.execute(|| fail(0)).unwrap();
            drop(pool);
        });
    });
    if let Some(output) = output {
        assert_aborted(&output, "the panic handler panicked");
    }
}

#[cfg(unix)]
#[test]
fn in_the_drop_of_a_payload_it_ends_the_process() {
    struct Payload;

    impl Drop for Payload {
        fn drop(&mut self) {
            fail(1);
        }
    }

    let output = in_child("in_the_drop_of_a_payload_it_ends_the_process", "", || {
        within(LIMIT, || {
            let pool = Pool::builder().workers(1).build().unwrap();
            pool.execute(|| std::panic::resume_unwind(Box::new(Payload))).unwrap();
            drop(pool);
        });
    });
    if let Some(output) = output {
        assert_aborted(&output, "the drop of a panic payload");
    }
}
