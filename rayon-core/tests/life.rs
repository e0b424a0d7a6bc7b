//! How pools begin and end.

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use common::{pool, within};
use rayon_core::{ThreadPoolBuilder, current_num_threads, current_thread_index, join, scope, spawn};

/// Notes the index of each call of a handler.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<usize>>>);

impl Calls {
    fn handler(&self) -> impl Fn(usize) + Send + Sync + 'static {
        let calls = Arc::clone(&self.0);
        move |index| calls.lock().unwrap().push(index)
    }

    /// Waits until every handler that might still be called is gone. Returns the indices of all calls, ascending.
    fn after_all(self) -> Vec<usize> {
        let mut calls = self.0;
        loop {
            match Arc::try_unwrap(calls) {
                Ok(calls) => {
                    let mut calls = calls.into_inner().unwrap();
                    calls.sort_unstable();
                    return calls;
                }
                Err(shared) => calls = shared,
            }
            thread::yield_now();
        }
    }
}

#[test]
fn handlers_are_called_once_on_each_thread() {
    within(|| {
        let (start, exit) = (Calls::default(), Calls::default());
        let pool = ThreadPoolBuilder::new()
            .num_threads(16)
            .start_handler(start.handler())
            .exit_handler({
                let exit = exit.handler();
                move |index| {
                    assert_eq!(current_thread_index(), Some(index), "still a thread of the pool");
                    exit(index);
                }
            })
            .build()
            .unwrap();
        pool.broadcast(|_| ());
        drop(pool);
        assert_eq!(start.after_all(), (0..16).collect::<Vec<_>>());
        assert_eq!(exit.after_all(), (0..16).collect::<Vec<_>>());
    });
}

#[test]
fn dropping_a_pool_does_not_wait_and_loses_nothing() {
    within(|| {
        let (release, blocked): (Sender<u8>, Receiver<u8>) = channel();
        let (tell, told) = channel();
        let exit = Calls::default();
        let pool = ThreadPoolBuilder::new().num_threads(2).exit_handler(exit.handler()).build().unwrap();
        pool.spawn(move || {
            let value = blocked.recv().unwrap();
            // The handle of the pool is gone by now. The pool is still the current pool of this job.
            assert_eq!(current_num_threads(), 2);
            spawn(move || tell.send(join(|| value, || 1)).unwrap());
        });
        drop(pool);
        release.send(22).unwrap();
        assert_eq!(told.recv(), Ok((22, 1)));
        assert_eq!(exit.after_all(), [0, 1]);
    });
}

#[test]
fn threads_end_whether_they_were_busy_or_asleep() {
    fn fork(depth: usize) {
        if depth > 0 {
            join(|| fork(depth - 1), || fork(depth - 1));
        }
    }
    within(|| {
        for depth in [0, 12] {
            let exit = Calls::default();
            let pool = ThreadPoolBuilder::new().num_threads(22).exit_handler(exit.handler()).build().unwrap();
            pool.install(|| fork(depth));
            drop(pool);
            assert_eq!(exit.after_all().len(), 22);
        }
    });
}

#[test]
fn a_refused_thread_ends_the_others() {
    within(|| {
        for refused in 0..5 {
            let (start, exit) = (Calls::default(), Calls::default());
            let mut threads = Vec::new();
            let result = ThreadPoolBuilder::new()
                .num_threads(5)
                .start_handler(start.handler())
                .exit_handler(exit.handler())
                .spawn_handler(|thread| {
                    if thread.index() == refused {
                        return Err(std::io::Error::other("no more"));
                    }
                    threads.push(thread::spawn(|| thread.run()));
                    Ok(())
                })
                .build();
            assert_eq!(result.unwrap_err().to_string(), "no more");
            assert_eq!(threads.len(), refused);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(start.after_all(), exit.after_all());
        }
    });
}

#[test]
fn a_stack_that_the_system_refuses() {
    within(|| {
        let (start, exit) = (Calls::default(), Calls::default());
        let builder = ThreadPoolBuilder::new().num_threads(10).stack_size(isize::MAX as usize);
        let result = builder.start_handler(start.handler()).exit_handler(exit.handler()).build();
        assert!(result.is_err());
        assert_eq!(start.after_all(), exit.after_all());
    });
}

#[test]
fn a_name_that_panics_ends_the_threads_before_it() {
    within(|| {
        let (start, exit) = (Calls::default(), Calls::default());
        let builder = ThreadPoolBuilder::new()
            .num_threads(10)
            .start_handler(start.handler())
            .exit_handler(exit.handler())
            .thread_name(|index| {
                assert!(index < 5, "the sixth");
                format!("thread {index}")
            });
        assert!(catch_unwind(AssertUnwindSafe(|| builder.build())).is_err());
        assert_eq!(start.after_all(), [0, 1, 2, 3, 4]);
        assert_eq!(exit.after_all(), [0, 1, 2, 3, 4]);
    });
}

#[test]
fn names_and_stacks_are_the_threads() {
    within(|| {
        let name = |_: rayon_core::BroadcastContext<'_>| thread::current().name().map(str::to_owned);
        assert_eq!(pool(2).broadcast(name), [None, None]);
        let named = ThreadPoolBuilder::new().num_threads(2).thread_name(|index| format!("thread {index}"));
        let names = named.build().unwrap().broadcast(name);
        assert_eq!(names, [Some("thread 0".into()), Some("thread 1".into())]);

        fn dig(depth: usize) -> u8 {
            let room = std::hint::black_box([depth as u8; 1 << 16]);
            if depth == 0 { room[7] } else { dig(depth - 1).wrapping_add(room[9]) }
        }
        let deep = ThreadPoolBuilder::new().num_threads(1).stack_size(32 << 20).build().unwrap();
        deep.install(|| dig(200));
    });
}

#[test]
fn a_thread_may_serve_one_pool_after_another() {
    within(|| {
        let mut threads = Vec::new();
        let pool = ThreadPoolBuilder::new()
            .num_threads(5)
            .spawn_handler(|builder| {
                threads.push(thread::spawn(move || {
                    let index = builder.index();
                    builder.run();
                    assert_eq!(current_thread_index(), None, "no longer");
                    index
                }));
                Ok(())
            })
            .build()
            .unwrap();
        assert!(pool.install(current_thread_index).is_some());
        drop(pool);
        let indices: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(indices, [0, 1, 2, 3, 4]);
    });
}

#[test]
fn threads_may_be_started_later() {
    within(|| {
        let mut aside = Vec::new();
        let builder = ThreadPoolBuilder::new().num_threads(2).spawn_handler(|thread| {
            aside.push(thread);
            Ok(())
        });
        let pool = builder.build().unwrap();
        let threads: Vec<_> = aside.into_iter().map(|builder| thread::spawn(|| builder.run())).collect();
        assert_eq!(pool.install(|| 7), 7);
        drop(pool);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_scoped_pool_borrows_and_ends() {
    thread_local!(static BORROWED: Cell<usize> = const { Cell::new(0) });
    within(|| {
        let value = 42;
        let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let seen = ThreadPoolBuilder::new()
            .num_threads(3)
            .build_scoped(
                |thread| {
                    BORROWED.set(value);
                    begun.fetch_add(1, Ordering::SeqCst);
                    thread.run();
                    ended.fetch_add(1, Ordering::SeqCst);
                },
                |pool| pool.broadcast(|_| BORROWED.get()),
            )
            .unwrap();
        assert_eq!(seen, [42, 42, 42]);
        assert_eq!((begun.into_inner(), ended.into_inner()), (3, 3));
    });
}

#[test]
fn the_calling_thread_can_be_one_of_the_pool() {
    within(|| {
        let names = Mutex::new(Vec::new());
        let mut threads = Vec::new();
        let pool = ThreadPoolBuilder::new()
            .num_threads(3)
            .use_current_thread()
            .spawn_handler(|builder| {
                names.lock().unwrap().push(builder.index());
                threads.push(thread::spawn(|| builder.run()));
                Ok(())
            })
            .build()
            .unwrap();
        assert_eq!(*names.lock().unwrap(), [1, 2], "number 0 is this one");
        assert_eq!((current_thread_index(), pool.current_thread_index()), (Some(0), Some(0)));
        assert_eq!(current_num_threads(), 3);

        // This thread is blocked, and the other threads run the job that it spawned.
        let (tell, told) = channel();
        pool.spawn(move || tell.send(current_thread_index()).unwrap());
        assert_ne!(told.recv().unwrap(), Some(0));

        // When this thread waits for the broadcast, it works as well: three threads meet.
        let meeting = Barrier::new(3);
        let mut met = pool.broadcast(|context| {
            meeting.wait();
            context.index()
        });
        met.sort_unstable();
        assert_eq!(met, [0, 1, 2]);
        assert_eq!(pool.install(|| thread::current().id()), thread::current().id());
        drop(pool);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_lone_lent_thread_does_all_when_it_yields_or_waits() {
    within(|| {
        let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap();
        let (tell, told) = channel();
        for job in 0..3 {
            let tell = tell.clone();
            pool.spawn(move || tell.send(job).unwrap());
        }
        assert_eq!(told.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout), "nobody else is there");
        assert_eq!(rayon_core::current_thread_has_pending_tasks(), Some(true));
        assert_eq!(rayon_core::yield_local(), Some(rayon_core::Yield::Executed));
        assert_eq!(told.try_recv(), Ok(2), "the newest first");
        assert_eq!(pool.yield_now(), Some(rayon_core::Yield::Executed));
        assert_eq!(told.try_recv(), Ok(1));
        scope(|s| s.spawn(|_| ()));
        assert_eq!(join(|| 1, || 2), (1, 2));
        while rayon_core::yield_now() == Some(rayon_core::Yield::Executed) {}
        assert_eq!(told.try_recv(), Ok(0));
        assert_eq!(rayon_core::current_thread_has_pending_tasks(), Some(false));
    });
}
