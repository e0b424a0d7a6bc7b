//! The free functions act on the pool that the calling thread works for, and elsewhere on the global pool. Pools call
//! each other without deadlock. The counts match what was done. Jobs that park and unpark threads of std's take
//! nobody's wake.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use common::{Gate, LIMIT, Ledger, Random, fail, until, within};
use filch::{CountLatch, Placement, Pool};

fn pool(workers: usize) -> Pool {
    // Unpinned, so that the workers of several pools in this process do not sit on the same cores.
    Pool::builder().workers(workers).placement(Placement::Unpinned).build().unwrap()
}

/// The threads of the global pool, one for each worker.
fn global_threads() -> Vec<ThreadId> {
    static THREADS: OnceLock<Vec<ThreadId>> = OnceLock::new();
    let find = || {
        let pool = Pool::global();
        let met = Arc::new(Barrier::new(pool.workers()));
        let handles = Vec::from_iter((0..pool.workers()).map(|_| {
            let met = Arc::clone(&met);
            pool.spawn(move || {
                met.wait();
                thread::current().id()
            })
        }));
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    };
    THREADS.get_or_init(find).clone()
}

#[test]
fn outside_they_use_the_global_pool() {
    within(LIMIT, || {
        let threads = global_threads();
        assert_eq!(filch::current_worker(), None);
        assert_eq!(filch::current_workers(), Pool::global().workers());
        assert!(threads.contains(&filch::spawn(|| thread::current().id()).join().unwrap()));
        let (told, tells) = mpsc::channel();
        filch::execute(move || told.send(thread::current().id()).unwrap()).unwrap();
        assert!(threads.contains(&tells.recv().unwrap()));
        assert_eq!(filch::spawn(filch::current_workers).join().unwrap(), threads.len());
    });
}

#[test]
fn the_global_pool_is_one_whoever_is_first() {
    within(LIMIT, || {
        let met = Barrier::new(8);
        let pools = thread::scope(|scope| {
            let asks = [(); 8].map(|()| {
                scope.spawn(|| {
                    met.wait();
                    std::ptr::from_ref(Pool::global()).addr()
                })
            });
            asks.map(|ask| ask.join().unwrap())
        });
        assert!(pools.iter().all(|&pool| pool == pools[0]));
        assert_eq!(Pool::global().workers(), Pool::new().unwrap().workers());
    });
}

#[test]
fn inside_they_use_the_pool_of_the_job() {
    within(LIMIT, || {
        let pool = pool(1);
        let own = pool.install(|| thread::current().id());
        assert!(!global_threads().contains(&own));
        let told = pool.install(|| {
            assert_eq!((filch::current_worker(), filch::current_workers()), (Some(0), 1));
            assert_eq!(filch::spawn(|| thread::current().id()).join().unwrap(), own);
            let (told, tells) = mpsc::channel();
            filch::execute(move || told.send(thread::current().id()).unwrap()).unwrap();
            tells
        });
        assert_eq!(told.recv().unwrap(), own);
        // A queue's handler uses its own pool too.
        let (told, tells) = mpsc::channel();
        let handler = move |()| {
            let told = told.clone();
            filch::execute(move || told.send(thread::current().id()).unwrap()).unwrap();
        };
        pool.queue().build(handler).unwrap().submit(()).unwrap();
        assert_eq!(tells.recv().unwrap(), own);
        // A thread that a job starts belongs to no pool.
        let outside = pool
            .install(|| thread::spawn(|| (filch::current_worker(), filch::current_workers())).join().unwrap());
        assert_eq!(outside, (None, Pool::global().workers()));
    });
}

#[test]
fn in_a_job_of_a_pool_within_a_pool_they_use_the_inner() {
    within(LIMIT, || {
        let (outer, inner) = (pool(1), pool(3));
        let seen = outer.install(|| {
            let before = filch::current_workers();
            let within =
                inner.install(|| (filch::current_workers(), filch::spawn(filch::current_workers).join()));
            (before, within.0, within.1.unwrap(), filch::current_workers())
        });
        assert_eq!(seen, (1, 3, 3, 1));
    });
}

// --- pools that call each other ---

#[test]
fn two_pools_install_into_each_other() {
    const ROUNDS: usize = 2_000;

    within(LIMIT, || {
        let pools = &[pool(1), pool(1)];
        // A closure runs on the only worker of its pool, or on a spare in the worker's place.
        let homes = [[Some(0), None], [None, Some(0)]];
        thread::scope(|scope| {
            for start in [0, 1] {
                let (near, far) = (&pools[start], &pools[1 - start]);
                let here = || [0, 1].map(|index| pools[index].current_worker());
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let seen = near.install(|| {
                            let (there, back) = far.install(|| (here(), near.install(|| (here(), round))));
                            (here(), there, back)
                        });
                        assert_eq!(seen, (homes[start], homes[1 - start], (homes[start], round)));
                    }
                });
            }
        });
        for pool in pools {
            assert_eq!(pool.shutdown().unwrap().run as usize, 3 * ROUNDS);
        }
    });
}

/// Jobs call from pool to pool around a ring, deeper than there are workers.
#[test]
fn pools_in_a_ring() {
    fn around(pools: &[Pool], depth: usize) -> usize {
        if depth == 0 { 0 } else { 1 + pools[depth % pools.len()].install(|| around(pools, depth - 1)) }
    }

    within(LIMIT, || {
        let pools = [pool(1), pool(1), pool(2)];
        let sums = thread::scope(|scope| {
            let turns = [(); 4].map(|()| scope.spawn(|| (0..50).map(|_| around(&pools, 20)).sum::<usize>()));
            turns.map(|turn| turn.join().unwrap())
        });
        assert_eq!(sums, [1_000; 4]);
    });
}

/// Each job waits for a job of the other pool, and this job needs the waiting worker.
#[test]
fn jobs_join_jobs_of_the_other_pool() {
    within(LIMIT, || {
        let (one, two) = (Arc::new(pool(1)), Arc::new(pool(1)));
        for _ in 0..1_000 {
            let (near, far) = (Arc::clone(&one), Arc::clone(&two));
            let handle = one.spawn(move || far.spawn(move || near.spawn(|| 7).join().unwrap()).join().unwrap());
            assert_eq!(handle.join().unwrap(), 7);
        }
    });
}

// --- what is counted ---

#[test]
fn a_job_that_fans_out_is_stolen_from() {
    const WORKERS: usize = 4;

    within(LIMIT, || {
        let pool = pool(WORKERS);
        pool.install(|| {
            // The jobs end only together, so other workers must steal all but one of them.
            let met = Arc::new(Barrier::new(WORKERS));
            for _ in 1..WORKERS {
                let met = Arc::clone(&met);
                let job = move || {
                    met.wait();
                };
                filch::execute(job).unwrap();
            }
            met.wait();
        });
        let counted = pool.stats();
        assert!(
            counted.workers.iter().map(|worker| worker.stolen).sum::<u64>() >= WORKERS as u64 - 1,
            "{counted:?}"
        );
        assert_eq!(counted.injected, 1, "only the first came from outside");
        let report = pool.shutdown().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.run(), stats.panicked()), (WORKERS as u64, 0));
        assert!(stats.workers.iter().zip(&report.workers).all(|(worker, told)| worker.run == told.run));
        assert!(stats.workers.iter().all(|worker| worker.run == 1), "{stats:?}");
    });
}

#[test]
fn depths_and_sleeps_are_counted() {
    within(LIMIT, || {
        let pool = pool(1);
        until(|| pool.stats().workers[0].parked > 0);
        let idle = pool.stats();
        assert_eq!((idle.run(), idle.injected, idle.injector_depth, idle.workers[0].woken), (0, 0, 0, 0));
        let (gate, begun) = (Gate::default(), Arc::new(CountLatch::new(1)));
        let (held, begins) = (gate.clone(), Arc::clone(&begun));
        let job = move || {
            (0..5).for_each(|_| filch::execute(|| ()).unwrap());
            begins.count_down();
            held.wait();
        };
        pool.execute(job).unwrap();
        begun.wait();
        (0..10).for_each(|_| pool.execute(|| fail(0)).unwrap());
        let busy = pool.stats();
        assert_eq!((busy.workers[0].deque_depth, busy.injector_depth, busy.injected), (5, 10, 11));
        assert_eq!((busy.run(), busy.panicked()), (0, 0), "none has ended");
        assert!(busy.workers[0].woken >= 1, "{busy:?}");
        gate.open();
        until(|| pool.stats().run() == 16);
        let done = pool.stats();
        assert_eq!((done.workers[0].deque_depth, done.injector_depth, done.injected), (0, 0, 11));
        assert_eq!((done.panicked(), done.workers[0].stolen), (10, 0));
        assert_eq!(pool.shutdown().unwrap().run, 16);
    });
}

// --- std's park tokens ---

/// Jobs, and threads that wait for jobs, park and unpark at random. If a job took a token that was meant for the
/// runtime, or the runtime took a job's token, somebody would stay asleep.
#[test]
fn jobs_that_park_and_unpark() {
    const ROUNDS: usize = 300;
    const FAN: usize = 20;
    const CALLERS: usize = 2;

    type Threads = Arc<Mutex<Vec<thread::Thread>>>;

    fn disturb(threads: &Threads, random: &mut Random) {
        let victim = {
            let threads = threads.lock().unwrap();
            threads[random.below(threads.len())].clone()
        };
        match random.below(4) {
            0 => victim.unpark(),
            1 => {
                // Takes the token that this thread leaves for itself, or a token from somebody else.
                thread::current().unpark();
                thread::park();
            }
            2 => thread::park_timeout(Duration::ZERO),
            _ => {
                victim.unpark();
                thread::park_timeout(Duration::from_micros(20));
            }
        }
    }

    within(LIMIT, || {
        let threads: Threads = Arc::default();
        let workers = Arc::clone(&threads);
        let on_start = move |_| workers.lock().unwrap().push(thread::current());
        let pool = Pool::builder().workers(3).on_start(on_start).build().unwrap();
        until(|| threads.lock().unwrap().len() == 3);
        let ledger = Ledger::new(CALLERS * ROUNDS * FAN);
        let queue = {
            let (ledger, threads) = (Arc::clone(&ledger), Arc::clone(&threads));
            let handler = move |job: usize| {
                disturb(&threads, &mut Random::new(job as u64));
                ledger.mark(job);
            };
            pool.queue().capacity(3).build(handler).unwrap()
        };
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (pool, queue, ledger, threads) = (&pool, &queue, &ledger, &threads);
                scope.spawn(move || {
                    threads.lock().unwrap().push(thread::current());
                    let mut random = Random::new(caller as u64);
                    for round in 0..ROUNDS {
                        let first = (caller * ROUNDS + round) * FAN;
                        let done = Arc::new(CountLatch::new(FAN - 3));
                        let job = |job: usize| {
                            let (ledger, threads, done) =
                                (Arc::clone(ledger), Arc::clone(threads), Arc::clone(&done));
                            move || {
                                disturb(&threads, &mut Random::new(job as u64));
                                ledger.mark(job);
                                done.count_down();
                            }
                        };
                        for number in first + 3..first + FAN {
                            disturb(threads, &mut random);
                            pool.execute(job(number)).unwrap();
                        }
                        pool.install(|| {
                            disturb(threads, &mut Random::new(first as u64));
                            let inner = Arc::clone(ledger);
                            filch::spawn(move || inner.mark(first)).join().unwrap();
                        });
                        let inner = Arc::clone(ledger);
                        pool.spawn(move || inner.mark(first + 1)).join().unwrap();
                        queue.submit(first + 2).unwrap();
                        done.wait();
                    }
                });
            }
        });
        queue.wait();
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
        ledger.assert_once();
    });
}

// --- much to carry ---

#[test]
fn closures_of_1_mib() {
    const MIB: usize = 1 << 20;

    within(LIMIT, || {
        let pool = Pool::builder().workers(2).stack_size(256 << 20).build().unwrap();
        let sum = Arc::new(AtomicUsize::new(0));
        let job = |seed: u8| {
            let (ballast, sum) = ([seed; MIB], Arc::clone(&sum));
            move || {
                assert!(ballast.iter().all(|&byte| byte == seed), "a byte changed");
                sum.fetch_add(usize::from(seed), Ordering::SeqCst);
            }
        };
        pool.install(|| {
            filch::execute(job(1)).unwrap();
            filch::spawn(job(2)).join().unwrap();
        });
        pool.install(job(4));
        // A result may be as large as a closure.
        let whole = pool.spawn(|| [9_u8; MIB]).join().unwrap();
        assert!(whole.iter().all(|&byte| byte == 9));
        // A closed pool hands the closure back whole.
        pool.shutdown().unwrap();
        assert_eq!(sum.load(Ordering::SeqCst), 7);
        let back = pool.execute(job(8)).unwrap_err();
        back.into_inner()();
        assert_eq!(sum.load(Ordering::SeqCst), 15);
        assert_eq!(Arc::strong_count(&sum), 1);
    });
}
