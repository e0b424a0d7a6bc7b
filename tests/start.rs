//! How a pool gets its threads: started by std or by the host; some or all of them refused, dropped, late or
//! panicking; hooks, names and stacks. Whatever happens, no thread is left behind and no accepted job is lost.

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

#[cfg(target_os = "linux")]
use common::until;
use common::{CHILD_LIMIT, Gate, LIMIT, fail, passes_in_child, text_of, within};
use filch::{BuildError, JoinError, Pool, Queue, ShutdownError, WorkerThread};

const WORKERS: usize = 5;

/// A host that starts threads and can join them.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<Vec<thread::JoinHandle<usize>>>>);

impl Host {
    fn start(&self, worker: WorkerThread) -> io::Result<()> {
        let index = worker.index();
        let run = move || {
            worker.run();
            index
        };
        self.0.lock().unwrap().push(thread::Builder::new().spawn(run)?);
        Ok(())
    }

    /// Joins all threads and returns the workers' numbers. It never ends if a thread has not left its pool.
    fn join(&self) -> Vec<usize> {
        let threads = std::mem::take(&mut *self.0.lock().unwrap());
        threads.into_iter().map(|thread| thread.join().expect("a worker's panic got out")).collect()
    }
}

/// Returns a job that counts that it ran.
fn counts(ran: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let ran = Arc::clone(ran);
    move || {
        ran.fetch_add(1, Ordering::SeqCst);
    }
}

/// Runs `jobs` jobs that are all under way at once. Returns the workers on which they ran.
fn all_at_once(pool: &Pool, jobs: usize) -> BTreeSet<usize> {
    let met = Arc::new(Barrier::new(jobs));
    let handles = (0..jobs).map(|_| {
        let met = Arc::clone(&met);
        pool.spawn(move || {
            met.wait();
            filch::current_worker().expect("a job runs on a worker")
        })
    });
    handles.collect::<Vec<_>>().into_iter().map(|handle| handle.join().unwrap()).collect()
}

// --- threads of the host ---

#[test]
fn a_host_starts_the_threads() {
    within(LIMIT, || {
        let host = Host::default();
        let (told, tells) = mpsc::channel();
        let (builds, starts) = (thread::current().id(), host.clone());
        let pool = Pool::builder()
            .workers(WORKERS)
            .name("hosted")
            .stack_size(3 << 20)
            .spawn_with(move |worker| {
                let seen = (worker.index(), worker.name().to_owned(), worker.stack_size());
                told.send((seen, thread::current().id())).unwrap();
                starts.start(worker)
            })
            .build()
            .unwrap();
        for index in 0..WORKERS {
            let (seen, caller) = tells.recv().unwrap();
            assert_eq!((seen, caller), ((index, format!("hosted-{index}"), Some(3 << 20)), builds));
        }
        assert!(tells.recv().is_err(), "called once for each worker, and dropped");
        assert_eq!(all_at_once(&pool, WORKERS), (0..WORKERS).collect());
        assert_eq!(pool.shutdown().unwrap().run, WORKERS as u64);
        assert_eq!(host.join(), Vec::from_iter(0..WORKERS));
    });
}

/// The host gathers all workers, and then starts them from one thread of its own, the last worker first.
#[test]
fn a_host_may_take_its_time() {
    within(LIMIT, || {
        let host = Host::default();
        let (hand, handed) = mpsc::channel();
        let starts = host.clone();
        let starter = thread::spawn(move || {
            let workers: Vec<WorkerThread> = (0..WORKERS).map(|_| handed.recv().unwrap()).collect();
            workers.into_iter().rev().for_each(|worker| starts.start(worker).unwrap());
        });
        let keep = move |worker| hand.send(worker).map_err(|_| io::Error::other("nobody takes it"));
        let pool = Pool::builder().workers(WORKERS).spawn_with(keep).build().unwrap();
        assert_eq!(all_at_once(&pool, WORKERS), (0..WORKERS).collect());
        drop(pool);
        starter.join().unwrap();
        assert_eq!(host.join(), Vec::from_iter((0..WORKERS).rev()));
    });
}

#[test]
fn shutdown_waits_for_the_hosts_threads() {
    within(LIMIT, || {
        let host = Host::default();
        let exits = Arc::new(AtomicUsize::new(0));
        let (starts, exit, gate) = (host.clone(), Arc::clone(&exits), Gate::default());
        let held = gate.clone();
        let pool = Pool::builder()
            .workers(WORKERS)
            .on_exit(move |_| {
                held.wait();
                exit.fetch_add(1, Ordering::SeqCst);
            })
            .spawn_with(move |worker| starts.start(worker))
            .build()
            .unwrap();
        let Err(ShutdownError::Timeout { stuck }) = pool.shutdown_timeout(Duration::from_millis(1)) else {
            panic!("none of the host's threads can have left");
        };
        assert_eq!(stuck.len(), WORKERS, "{stuck:?}");
        let opener = thread::spawn(move || gate.open());
        drop(pool);
        assert_eq!(exits.load(Ordering::SeqCst), WORKERS, "the drop did not wait");
        opener.join().unwrap();
        assert_eq!(host.join().len(), WORKERS);
    });
}

#[test]
fn the_kth_thread_is_refused() {
    within(LIMIT, || {
        for lent in [false, true] {
            for k in usize::from(lent)..WORKERS {
                let host = Host::default();
                let exits = Arc::new(AtomicUsize::new(0));
                let (starts, exit) = (host.clone(), Arc::clone(&exits));
                let start = move |worker: WorkerThread| {
                    assert!(worker.index() <= k, "no more are started after a failure");
                    if worker.index() == k {
                        return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "no thread for you"));
                    }
                    starts.start(worker)
                };
                let builder = Pool::builder().workers(WORKERS).spawn_with(start).on_exit(move |_| {
                    exit.fetch_add(1, Ordering::SeqCst);
                });
                let builder = if lent { builder.use_current_thread() } else { builder };
                let error = builder.build().expect_err("a thread was refused");
                // The threads have left their workers by now; they were not merely told to leave.
                assert_eq!(exits.load(Ordering::SeqCst), k - usize::from(lent));
                assert_eq!(host.join(), Vec::from_iter(usize::from(lent)..k));
                let text = error.to_string();
                assert!(text.contains(&format!("worker {k} ")) && text.contains("no thread for you"), "{text}");
                match error {
                    BuildError::Spawn { worker, source } => {
                        assert_eq!((worker, source.kind()), (k, io::ErrorKind::QuotaExceeded));
                    }
                    other => panic!("{other:?}"),
                }
                assert_eq!(filch::current_worker(), None, "a lent thread is returned");
            }
        }
    });
}

/// A panic of the closure is cleaned up in the same way as an error, and then it goes on to the caller.
#[test]
fn the_host_panics_for_the_kth_thread() {
    within(LIMIT, || {
        for lent in [false, true] {
            for k in usize::from(lent)..WORKERS {
                let host = Host::default();
                let exits = Arc::new(AtomicUsize::new(0));
                let (starts, exit) = (host.clone(), Arc::clone(&exits));
                let start = move |worker: WorkerThread| {
                    if worker.index() == k { fail(k) } else { starts.start(worker) }
                };
                let builder = Pool::builder().workers(WORKERS).spawn_with(start).on_exit(move |_| {
                    exit.fetch_add(1, Ordering::SeqCst);
                });
                let builder = if lent { builder.use_current_thread() } else { builder };
                let built = catch_unwind(AssertUnwindSafe(|| builder.build()));
                let payload = built.map(drop).expect_err("the panic was swallowed");
                assert_eq!(common::number_of(&*payload), k);
                assert_eq!(exits.load(Ordering::SeqCst), k - usize::from(lent), "they had not ended");
                assert_eq!(host.join(), Vec::from_iter(usize::from(lent)..k));
                assert_eq!(filch::current_worker(), None, "a lent thread is returned");
            }
        }
    });
}

/// The stacks of the first threads use up the address space.
#[cfg(target_os = "linux")]
#[test]
fn the_system_refuses_a_thread() {
    const STACK: usize = 1 << 30;

    passes_in_child("the_system_refuses_a_thread", "ulimit -v 5000000", || {
        within(CHILD_LIMIT, || {
            let error = Pool::builder().workers(8).name("refused").stack_size(STACK).build();
            let Err(BuildError::Spawn { worker, source }) = error else { panic!("{error:?}") };
            assert!((1..8).contains(&worker), "worker {worker}: {source}");
            assert!(source.raw_os_error().is_some(), "{source:?} is not the system's");
            until(|| common::threads_named("refused") == 0);
            // The stacks of these threads are free again.
            let pool = Pool::builder().workers(worker).stack_size(STACK).build().unwrap();
            assert_eq!(all_at_once(&pool, worker), (0..worker).collect());
        });
    });
}

#[test]
fn a_worker_that_is_dropped_is_done_without() {
    within(LIMIT, || {
        for lost in [vec![0], vec![4], vec![1, 3], vec![0, 1, 2, 3]] {
            let host = Host::default();
            let (starts, missing) = (host.clone(), lost.clone());
            let start = move |worker: WorkerThread| {
                if missing.contains(&worker.index()) {
                    drop(worker);
                    return Ok(());
                }
                starts.start(worker)
            };
            let pool = Pool::builder().workers(WORKERS).spawn_with(start).build().unwrap();
            let rest = BTreeSet::from_iter((0..WORKERS).filter(|index| !lost.contains(index)));
            assert_eq!(pool.workers(), WORKERS);
            assert_eq!(all_at_once(&pool, rest.len()), rest);
            let ran = Arc::new(AtomicUsize::new(0));
            (0..1_000).for_each(|_| pool.execute(counts(&ran)).unwrap());
            let report = pool.shutdown().unwrap();
            assert_eq!((ran.load(Ordering::SeqCst), report.run), (1_000, 1_000 + rest.len() as u64));
            assert!(lost.iter().all(|&index| report.workers[index].run == 0));
            assert_eq!(host.join(), Vec::from_iter(rest));
        }
    });
}

/// Another thread drops the workers, when the running ones are asleep already, or before the first of them runs.
#[test]
fn a_worker_that_is_dropped_late_is_done_without() {
    within(LIMIT, || {
        for last in [false, true] {
            let host = Host::default();
            let (hand, handed) = mpsc::channel();
            let starts = host.clone();
            let dropper = thread::spawn(move || {
                let mut workers: Vec<WorkerThread> = (0..WORKERS).map(|_| handed.recv().unwrap()).collect();
                if last {
                    workers.rotate_left(2);
                }
                workers.drain(..2).for_each(drop);
                workers.into_iter().for_each(|worker| starts.start(worker).unwrap());
            });
            let keep = move |worker| hand.send(worker).map_err(|_| io::Error::other("nobody takes it"));
            let pool = Pool::builder().workers(WORKERS).spawn_with(keep).build().unwrap();
            assert_eq!(all_at_once(&pool, WORKERS - 2).len(), WORKERS - 2);
            assert_eq!(pool.shutdown().unwrap().run, WORKERS as u64 - 2);
            dropper.join().unwrap();
            assert_eq!(host.join().len(), WORKERS - 2);
        }
    });
}

/// The host returns an error, but keeps the worker for which it was asked. The error does not end that worker: the
/// build waits until the host has let go of it.
#[test]
fn a_host_that_keeps_a_worker_and_refuses() {
    within(LIMIT, || {
        for round in 0..100 {
            let host = Host::default();
            let (hand, handed) = mpsc::channel();
            let (starts, lets_go) = (host.clone(), host.clone());
            let dropped = Arc::new(AtomicUsize::new(0));
            let drops = Arc::clone(&dropped);
            let keeper = thread::spawn(move || {
                let worker: WorkerThread = handed.recv().unwrap();
                // The delay grows with the round. In later rounds the other workers are more often asleep, and the
                // pool is closed.
                (0..round * 20).for_each(|_| thread::yield_now());
                drops.fetch_add(1, Ordering::SeqCst);
                if round % 2 == 0 { drop(worker) } else { lets_go.start(worker).unwrap() }
            });
            let start = move |worker: WorkerThread| {
                if worker.index() < 2 {
                    return starts.start(worker);
                }
                hand.send(worker).unwrap();
                Err(io::Error::other("too late"))
            };
            let error = Pool::builder().workers(WORKERS).spawn_with(start).build().map(drop).unwrap_err();
            assert!(matches!(error, BuildError::Spawn { worker: 2, .. }), "{error:?}");
            assert_eq!(dropped.load(Ordering::SeqCst), 1, "the build did not wait");
            keeper.join().unwrap();
            assert_eq!(host.join(), Vec::from_iter(0..2 + round % 2));
        }
    });
}

#[test]
fn all_workers_are_dropped() {
    within(LIMIT, || {
        let start = |worker| {
            drop(worker);
            Ok(())
        };
        let pool = Pool::builder().workers(WORKERS).spawn_with(start).build().unwrap();
        assert_eq!(pool.workers(), WORKERS);
        let refused = pool.execute(|| ()).map_err(|closed| closed.reason());
        assert_eq!(refused, Err(filch::ClosedReason::Shutdown), "there is nobody to run it");
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.workers.len()), (0, WORKERS));
    });
}

/// `run` panics on a thread that is a worker already. The worker that it should run has then not run: its pool goes
/// on without it.
#[test]
fn a_worker_run_on_a_worker() {
    within(LIMIT, || {
        let (told, tells) = mpsc::channel();
        let handler =
            move |payload: Box<dyn std::any::Any + Send>| told.send(text_of(&*payload).to_owned()).unwrap();
        let outer = Arc::new(Pool::builder().workers(1).panic_handler(handler).build().unwrap());
        let host = Host::default();
        let (starts, misused) = (host.clone(), Arc::clone(&outer));
        let start = move |worker: WorkerThread| match worker.index() {
            1 => misused
                .execute(move || worker.run())
                .map_err(|back| io::Error::other(back.reason().to_string())),
            _ => starts.start(worker),
        };
        let inner = Pool::builder().workers(3).spawn_with(start).build().unwrap();
        let text = tells.recv().unwrap();
        assert!(text.contains("worker already"), "{text}");
        assert_eq!(all_at_once(&inner, 2), BTreeSet::from([0, 2]));
        assert_eq!(inner.shutdown().unwrap().run, 2);
        assert_eq!(outer.install(filch::current_workers), 1, "the misused worker is what it was");
        assert_eq!(host.join(), [0, 2]);
    });
}

// --- hooks, names, stacks ---

thread_local! {
    static STARTED: Cell<Option<usize>> = const { Cell::new(None) };
}

#[test]
fn hooks_are_called_once_on_each_worker() {
    within(LIMIT, || {
        type Call = (bool, usize, Option<usize>, ThreadId, Option<String>);
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let note = |calls: &Arc<Mutex<Vec<Call>>>, exit| {
            let calls = Arc::clone(calls);
            move |index| {
                let thread = thread::current();
                let name = thread.name().map(str::to_owned);
                calls.lock().unwrap().push((exit, index, filch::current_worker(), thread.id(), name));
                STARTED.set(Some(index));
            }
        };
        let (start, exit) = (note(&calls, false), note(&calls, true));
        let pool =
            Pool::builder().workers(WORKERS).name("hooked").on_start(start).on_exit(exit).build().unwrap();
        // Each hook runs before the first job of its worker.
        let met = Arc::new(Barrier::new(WORKERS));
        let handles = Vec::from_iter((0..WORKERS).map(|_| {
            let met = Arc::clone(&met);
            pool.spawn(move || {
                let started = STARTED.get();
                met.wait();
                (started, filch::current_worker(), thread::current().id())
            })
        }));
        let mut jobs = Vec::from_iter(handles.into_iter().map(|handle| handle.join().unwrap()));
        jobs.sort_unstable_by_key(|job| job.1);
        assert_eq!(calls.lock().unwrap().len(), WORKERS, "none has left");
        pool.shutdown().unwrap();
        let mut calls = calls.lock().unwrap().clone();
        calls.sort_unstable_by_key(|call| (call.0, call.1));
        assert_eq!(calls.len(), 2 * WORKERS);
        for (index, &(started, worker, thread)) in jobs.iter().enumerate() {
            assert_eq!((started, worker), (Some(index), Some(index)));
            let name = Some(format!("hooked-{index}"));
            assert_eq!(calls[index], (false, index, worker, thread, name.clone()));
            assert_eq!(calls[WORKERS + index], (true, index, worker, thread, name));
        }
    });
}

#[test]
fn a_hook_that_shuts_down_would_deadlock() {
    within(LIMIT, || {
        let slot: Arc<Mutex<Option<Arc<Pool>>>> = Arc::default();
        let (told, tells) = mpsc::channel();
        let (pool_of_hook, gate) = (Arc::clone(&slot), Gate::default());
        let held = gate.clone();
        let on_exit = move |_| {
            held.wait();
            let pool = pool_of_hook.lock().unwrap().clone().expect("set before the gate opens");
            told.send(pool.shutdown()).unwrap();
        };
        let pool = Arc::new(Pool::builder().workers(2).on_exit(on_exit).build().unwrap());
        *slot.lock().unwrap() = Some(Arc::clone(&pool));
        gate.open();
        pool.shutdown().unwrap();
        assert_eq!(tells.try_iter().collect::<Vec<_>>(), [const { Err(ShutdownError::WouldDeadlock) }; 2]);
        slot.lock().unwrap().take();
    });
}

#[test]
fn threads_are_named() {
    within(LIMIT, || {
        for (name, expected) in [(None, "filch-1"), (Some("embed"), "embed-1"), (Some(""), "-1")] {
            let builder = Pool::builder().workers(2);
            let pool = name.into_iter().fold(builder, filch::PoolBuilder::name).build().unwrap();
            let met = Arc::new(Barrier::new(2));
            let named = || {
                let met = Arc::clone(&met);
                pool.spawn(move || {
                    met.wait();
                    thread::current().name().map(str::to_owned)
                })
            };
            let names = [named(), named()].map(|handle| handle.join().unwrap());
            assert!(names.iter().flatten().any(|name| name == expected), "{names:?}");
            assert_eq!(pool.shutdown().unwrap().workers[1].name, expected);
        }
    });
}

/// Calls itself until `bytes` of stack are used.
#[inline(never)]
fn descend(top: usize, bytes: usize) -> usize {
    let ballast = std::hint::black_box([1_u8; 4096]);
    let used = top.abs_diff((&raw const ballast).addr());
    let deepest = if used < bytes { descend(top, bytes) } else { used };
    // Some work is left after the call, so that the compiler makes no loop of this.
    deepest + usize::from(std::hint::black_box(ballast)[17]) - 1
}

/// The job uses most of its stack. A stack overflow would end the process.
#[test]
fn the_stack_is_as_large_as_was_asked() {
    const STACK: usize = 64 << 20;

    passes_in_child("the_stack_is_as_large_as_was_asked", "", || {
        within(CHILD_LIMIT, || {
            let pool = Pool::builder().workers(1).stack_size(STACK).build().unwrap();
            let used = pool.install(|| {
                let top = 0_u8;
                descend((&raw const top).addr(), STACK / 8 * 7)
            });
            assert!((STACK / 8 * 7..STACK).contains(&used), "{used}");
        });
    });
}

/// A submission by an exit hook is refused: no worker would run it.
#[test]
fn an_exit_hook_submits_in_vain() {
    within(LIMIT, || {
        for hosted in [false, true] {
            let shared: Arc<OnceLock<(Pool, Queue<usize>)>> = Arc::default();
            let refusals = Arc::new(AtomicUsize::new(0));
            let ran = Arc::new(AtomicUsize::new(0));
            let (hook, refused, runs) = (Arc::clone(&shared), Arc::clone(&refusals), Arc::clone(&ran));
            let exit = move |index| {
                let (pool, queue) = hook.get().expect("set before the shutdown");
                assert_eq!(filch::current_worker(), Some(index), "it is the worker still");
                let count = counts(&runs);
                refused.fetch_add(usize::from(pool.execute(count).is_err()), Ordering::SeqCst);
                let closed = filch::spawn(counts(&runs)).join();
                refused.fetch_add(usize::from(matches!(closed, Err(JoinError::Closed))), Ordering::SeqCst);
                refused.fetch_add(usize::from(pool.try_install(counts(&runs)).is_err()), Ordering::SeqCst);
                refused.fetch_add(usize::from(queue.submit(index).is_err()), Ordering::SeqCst);
                let stays = pool.shutdown() == Err(ShutdownError::WouldDeadlock);
                refused.fetch_add(usize::from(stays), Ordering::SeqCst);
            };
            let host = Host::default();
            let builder = Pool::builder().workers(WORKERS).on_exit(exit);
            let builder = if hosted {
                let starts = host.clone();
                builder.spawn_with(move |worker| starts.start(worker))
            } else {
                builder
            };
            let pool = builder.build().unwrap();
            let runs = Arc::clone(&ran);
            let queue = pool.queue().build(move |_| counts(&runs)()).unwrap();
            let (pool, _) = shared.get_or_init(|| (pool, queue));
            let report = pool.shutdown().unwrap();
            assert_eq!(refusals.load(Ordering::SeqCst), 5 * WORKERS);
            assert_eq!((report.run, ran.load(Ordering::SeqCst)), (0, 0));
            host.join();
        }
    });
}
