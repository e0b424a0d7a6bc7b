//! Waits that want no other job on top of theirs, where spares are few: they end all the same. And where spares are
//! many: a spare is called rather than a job run that has nothing to do with the wait.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{LIMIT, until, within};
use filch::{CountLatch, Pool, Wait};

const APART: [Wait; 2] = [Wait::OwnScope, Wait::Park];

fn pool(workers: usize, spares: usize) -> Pool {
    Pool::builder().workers(workers).spares(spares).build().unwrap()
}

fn latch(count: usize) -> Arc<CountLatch> {
    Arc::new(CountLatch::new(count))
}

/// Calls `body` for pools of 1 to 3 workers with no spare, few and many, and for both ways to wait apart.
fn everywhere(body: impl Fn(&Pool, Wait) + Send + 'static) {
    within(LIMIT, move || {
        for workers in 1..=3 {
            for spares in [0, 1, 2, 64] {
                APART.iter().for_each(|&wait| body(&pool(workers, spares), wait));
            }
        }
    });
}

#[test]
fn for_a_handle() {
    everywhere(|pool, wait| {
        assert_eq!(pool.install(|| filch::spawn(|| 1).join_with(wait)).unwrap(), 1);
        let outside = pool.spawn(|| 2);
        assert_eq!(pool.install(|| outside.join_with(wait)).unwrap(), 2);
        let outside = pool.spawn(|| 3);
        assert_eq!(pool.install_with(wait, || outside.join()).unwrap(), 3);
    });
}

#[test]
fn for_a_latch() {
    everywhere(|pool, wait| {
        let (inside, apart) = (latch(1), latch(1));
        pool.install(|| {
            let done = Arc::clone(&inside);
            filch::execute(move || done.count_down()).unwrap();
            inside.wait_with(wait);
        });
        pool.install_with(wait, || {
            let done = Arc::clone(&apart);
            filch::execute(move || done.count_down()).unwrap();
            apart.wait();
        });
    });
}

/// As many waits as there are workers, and each begins when all have come.
#[test]
fn scopes_on_all_workers() {
    everywhere(|pool, wait| {
        let (all, ran) = (std::sync::Barrier::new(pool.workers()), AtomicUsize::new(0));
        pool.broadcast(|_| {
            all.wait();
            pool.scope_with(wait, |scope| {
                for _ in 0..4 {
                    scope.spawn(|_| _ = ran.fetch_add(1, Ordering::Relaxed));
                }
            });
        });
        assert_eq!(ran.into_inner(), 4 * pool.workers());
    });
}

/// More jobs wait than there are threads, and the job that they wait for comes last.
#[test]
fn more_waits_than_threads() {
    everywhere(|pool, wait| {
        const WAITS: usize = 100;
        let (gate, passed) = (latch(1), latch(WAITS));
        for _ in 0..WAITS {
            let (gate, passed) = (Arc::clone(&gate), Arc::clone(&passed));
            pool.execute(move || {
                gate.wait_with(wait);
                passed.count_down();
            })
            .unwrap();
        }
        let gate = Arc::clone(&gate);
        pool.execute(move || gate.count_down()).unwrap();
        passed.wait();
    });
    within(LIMIT, || {
        for wait in APART {
            const WAITS: usize = 100;
            let pool = pool(1, 64);
            let (gate, begun, passed) = (latch(1), latch(WAITS), latch(WAITS));
            for _ in 0..WAITS {
                let (gate, begun, passed) = (Arc::clone(&gate), Arc::clone(&begun), Arc::clone(&passed));
                pool.execute(move || {
                    begun.count_down();
                    gate.wait_with(wait);
                    passed.count_down();
                })
                .unwrap();
            }
            // All wait now, 65 on threads of their own and the others on top of one of these.
            begun.wait();
            assert!(pool.stats().waits_helped > 0, "{:?}", pool.stats());
            gate.count_down();
            passed.wait();
        }
    });
}

/// In a call that is apart, a job of the call waits for what the call does after its own wait.
#[test]
fn a_job_of_the_call_waits_for_what_comes_later() {
    within(LIMIT, || {
        for workers in 1..=3 {
            for wait in APART {
                let pool = pool(workers, 64);
                let (done, gate) = (latch(1), latch(1));
                pool.install_with(wait, || {
                    let (done_too, gate_too) = (Arc::clone(&done), Arc::clone(&gate));
                    filch::execute(move || done_too.count_down()).unwrap();
                    let later = filch::spawn(move || gate_too.wait());
                    done.wait();
                    gate.count_down();
                    later.join().unwrap();
                });
                let (gate, passed) = (latch(1), latch(1));
                pool.install(|| {
                    pool.scope_with(wait, |scope| {
                        let (gate, passed) = (Arc::clone(&gate), Arc::clone(&passed));
                        scope.spawn(|_| ());
                        let job = move || {
                            gate.wait();
                            passed.count_down();
                        };
                        filch::execute(job).unwrap();
                    });
                    gate.count_down();
                });
                passed.wait();
            }
        }
    });
}

/// A caller that holds a lock waits for a job that only it or a spare can run, while every spare and every other
/// worker waits for the lock.
#[test]
fn a_holder_runs_what_nobody_else_can() {
    within(LIMIT, || {
        for (workers, spares) in [(1, 0), (1, 1), (1, 4), (2, 0), (2, 2)] {
            for wait in APART {
                let pool = pool(workers, spares);
                let lock = Arc::new(Mutex::new(()));
                let others = latch(16);
                pool.install(|| {
                    let held = lock.lock().unwrap();
                    for _ in 0..16 {
                        let (lock, others) = (Arc::clone(&lock), Arc::clone(&others));
                        let job = move || {
                            drop(lock.lock().unwrap());
                            others.count_down();
                        };
                        // From outside, so that it is no job of the call.
                        std::thread::scope(|scope| _ = scope.spawn(|| pool.execute(job).unwrap()).join());
                    }
                    pool.install_with(wait, || {
                        for round in 0..6 {
                            let done = latch(1);
                            let done_too = Arc::clone(&done);
                            let by_child = move || {
                                let child = move || done_too.count_down();
                                if round % 2 == 0 {
                                    filch::execute(child).unwrap()
                                } else {
                                    child()
                                }
                                if round % 3 == 0 {
                                    common::fail(round)
                                }
                            };
                            filch::execute(by_child).unwrap();
                            done.wait();
                        }
                    });
                    drop(held);
                });
                others.wait();
                until(|| pool.stats().spares == 0);
            }
        }
    });
}

/// A worker waits, and the job of its spare waits, too. When the worker's wait is over, only one of them runs jobs.
#[test]
fn a_worker_that_is_back_has_its_place_alone() {
    within(LIMIT, || {
        for blocks in [false, true] {
            let pool = Pool::builder().workers(1).build().unwrap();
            let (first, second) = (latch(1), latch(1));
            let (begun, back) = (latch(3), latch(1));
            let waits = |until: &Arc<CountLatch>, then: &Arc<CountLatch>, blocks: bool| {
                let (until, then, begun) = (Arc::clone(until), Arc::clone(then), Arc::clone(&begun));
                pool.execute(move || {
                    begun.count_down();
                    if blocks {
                        filch::blocking(|| until.wait())
                    } else {
                        until.wait()
                    }
                    then.count_down();
                })
                .unwrap();
            };
            let ended = latch(2);
            waits(&first, &back, blocks);
            waits(&second, &ended, false);
            waits(&second, &ended, blocks);
            // All three wait now: the worker, its spare and the spare's spare.
            begun.wait();
            first.count_down();
            back.wait();
            let (running, both) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let all = latch(2000);
            for _ in 0..2000 {
                let (running, both, all) = (Arc::clone(&running), Arc::clone(&both), Arc::clone(&all));
                pool.execute(move || {
                    if running.fetch_add(1, Ordering::SeqCst) > 0 {
                        both.fetch_add(1, Ordering::SeqCst);
                    }
                    (0..2000).for_each(|_| std::hint::spin_loop());
                    running.fetch_sub(1, Ordering::SeqCst);
                    all.count_down();
                })
                .unwrap();
            }
            all.wait();
            // A spare may be between its look whether it is relieved and its next job.
            assert!(both.load(Ordering::SeqCst) <= 4, "{both:?} jobs ran beside another one");
            second.count_down();
            ended.wait();
        }
    });
}

/// A spare is bound like the worker that it stands in for, and its thread ends after its rest.
#[cfg(target_os = "linux")]
#[test]
fn where_a_spare_runs_and_when_it_ends() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).name("resting").build().unwrap();
        let gate = latch(1);
        let gate_too = Arc::clone(&gate);
        let first = pool.spawn(move || {
            gate_too.wait();
            common::cores::cores()
        });
        let second = pool.spawn(move || {
            let here = common::cores::cores();
            gate.count_down();
            here
        });
        let (worker, spare) = (first.join().unwrap(), second.join().unwrap());
        assert_eq!((worker.len(), &worker), (1, &spare));
        assert_eq!(pool.stats().run_by_spares, 1);
        until(|| common::threads_named("resting-spare") == 0);
        // Another one comes when it is wanted.
        let inner = pool.install(|| filch::spawn(|| 7).join_with(Wait::Park));
        assert_eq!(inner.unwrap(), 7);
    });
}

/// Without spares, `blocking` calls its closure.
#[test]
fn blocking_without_a_spare() {
    within(LIMIT, || {
        let pool = pool(1, 0);
        assert_eq!(pool.install(|| filch::blocking(|| filch::blocking(|| 7))), 7);
        assert_eq!(pool.stats().spares, 0);
    });
}

/// A wait for a handle that has a limit of time gives the handle back, in a job and outside, and the handle can still be
/// joined.
#[test]
fn a_handle_that_comes_back() {
    within(LIMIT, || {
        for spares in [0, 1, 64] {
            let pool = pool(2, spares);
            let gate = latch(1);
            let gate_too = Arc::clone(&gate);
            let job = pool.spawn(move || {
                gate_too.wait();
                7
            });
            let back = |job: filch::JoinHandle<i32>| {
                let job = job.join_timeout(std::time::Duration::ZERO).expect_err("it waits");
                job.join_timeout(std::time::Duration::from_millis(2)).expect_err("it waits")
            };
            let job = back(job);
            let job = pool.install(|| back(job));
            gate.count_down();
            assert_eq!(pool.install(|| job.join_timeout(std::time::Duration::MAX)).unwrap().unwrap(), 7);
        }
    });
}

/// A job of a scope leaves a job that wants the lock which the scope's caller holds. The scope ends although another worker,
/// which ran the first job, goes on with the second.
#[test]
fn for_a_scope_whose_job_leaves_one_that_wants_the_callers_lock() {
    everywhere(|pool, wait| {
        for _ in 0..20 {
            let lock = Arc::new(Mutex::new(0));
            let ran = latch(1);
            pool.install(|| {
                let mut held = lock.lock().unwrap();
                pool.scope_with(wait, |scope| {
                    scope.spawn(|_| {
                        let (lock, ran) = (Arc::clone(&lock), Arc::clone(&ran));
                        let wants = move || {
                            *lock.lock().unwrap() += 1;
                            ran.count_down();
                        };
                        pool.execute(wants).unwrap();
                    });
                });
                *held += 1;
            });
            ran.wait();
            assert_eq!(*lock.lock().unwrap(), 2);
        }
    });
}
