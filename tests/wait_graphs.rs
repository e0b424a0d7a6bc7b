//! No graph of waits without a cycle hangs, with one worker or many, whoever submitted. Each of these graphs hangs if
//! a job that waits runs other jobs on top of itself.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{LIMIT, within};
use filch::{CountLatch, JoinHandle, Pool, Wait};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// Each job joins the job before it. All are spawned from outside, and the first one waits until all are there.
#[test]
fn a_chain_of_handles() {
    within(LIMIT, || {
        for workers in 1..=4 {
            for jobs in [2, 3, 4, 5, 8, 40] {
                let pool = pool(workers);
                let all_there = Arc::new(CountLatch::new(1));
                let mut last: JoinHandle<usize> = pool.spawn({
                    let all_there = Arc::clone(&all_there);
                    move || {
                        all_there.wait();
                        1
                    }
                });
                for _ in 1..jobs {
                    last = pool.spawn(move || last.join().unwrap() + 1);
                }
                all_there.count_down();
                assert_eq!(last.join().unwrap(), jobs);
            }
        }
    });
}

/// The same chain, spawned by a job.
#[test]
fn a_chain_of_handles_inside() {
    within(LIMIT, || {
        for workers in 1..=4 {
            for wait in [None, Some(Wait::OwnScope), Some(Wait::Park)] {
                let pool = pool(workers);
                let ended = pool.install(|| {
                    let mut last: JoinHandle<usize> = filch::spawn(|| 1);
                    for _ in 1..20 {
                        last = filch::spawn(move || match wait {
                            None => last.join().unwrap() + 1,
                            Some(wait) => last.join_with(wait).unwrap() + 1,
                        });
                    }
                    last.join().unwrap()
                });
                assert_eq!(ended, 20);
            }
        }
    });
}

/// Each stage waits for a latch and then counts the next latch down. The stages are submitted in the order in which
/// they wait, and in the opposite order.
#[test]
fn a_chain_of_latches() {
    within(LIMIT, || {
        for workers in 1..=3 {
            for backwards in [false, true] {
                let pool = pool(workers);
                let latches: Arc<Vec<CountLatch>> = Arc::new((0..=20).map(|_| CountLatch::new(1)).collect());
                let stage = |stage: usize| {
                    let latches = Arc::clone(&latches);
                    pool.execute(move || {
                        latches[stage].wait();
                        latches[stage + 1].count_down();
                    })
                    .unwrap();
                };
                if backwards {
                    (0..20).rev().for_each(stage)
                } else {
                    (0..20).for_each(stage)
                }
                latches[0].count_down();
                latches[20].wait();
            }
        }
    });
}

/// A wave-front: each cell of a grid waits for the cell above and the cell to its left.
#[test]
fn a_grid() {
    const SIDE: usize = 7;
    within(LIMIT, || {
        for workers in 1..=4 {
            let pool = pool(workers);
            let cells: Arc<Vec<CountLatch>> = Arc::new((0..SIDE * SIDE).map(|_| CountLatch::new(1)).collect());
            // The cells that wait longest are submitted first.
            for cell in (0..SIDE * SIDE).rev() {
                let cells = Arc::clone(&cells);
                pool.execute(move || {
                    let (row, column) = (cell / SIDE, cell % SIDE);
                    if row > 0 {
                        cells[cell - SIDE].wait();
                    }
                    if column > 0 {
                        cells[cell - 1].wait();
                    }
                    cells[cell].count_down();
                })
                .unwrap();
            }
            cells[SIDE * SIDE - 1].wait();
        }
    });
}

/// Later jobs wait for what an earlier job does after its own wait. A worker that ran a later job on top of the
/// earlier one would bury it.
#[test]
fn nothing_is_buried() {
    within(LIMIT, || {
        for workers in 1..=3 {
            // The earlier job waits for a latch, a handle, a join, a scope, a queue's end, an `install` into another
            // pool.
            for kind in 0..6 {
                let (pool, other) = (Arc::new(pool(workers)), Arc::new(pool(1)));
                let (gate, after) = (Arc::new(CountLatch::new(1)), Arc::new(CountLatch::new(1)));
                let begun = Arc::new(CountLatch::new(workers));
                let ended: Vec<_> = (0..workers)
                    .map(|_| {
                        let (gate, begun, other) = (Arc::clone(&gate), Arc::clone(&begun), Arc::clone(&other));
                        let (after, own) = (Arc::clone(&after), Arc::clone(&pool));
                        pool.spawn(move || {
                            begun.count_down();
                            let held = Arc::clone(&gate);
                            match kind {
                                0 => gate.wait(),
                                1 => filch::spawn(move || held.wait()).join().unwrap(),
                                2 => drop(filch::join(|| (), || held.wait())),
                                3 => filch::scope(|s| s.spawn(|_| held.wait())),
                                4 => {
                                    let queue = own.queue().build(move |()| held.wait()).unwrap();
                                    queue.submit(()).unwrap();
                                    queue.wait();
                                }
                                _ => other.install(|| held.wait()),
                            }
                            // The first job that comes here opens the latch.
                            if after.count() > 0 {
                                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                                    after.count_down()
                                }));
                            }
                        })
                    })
                    .collect();
                begun.wait();
                let waiting: Vec<_> = (0..2 * workers)
                    .map(|_| {
                        let after = Arc::clone(&after);
                        pool.spawn(move || after.wait())
                    })
                    .collect();
                gate.count_down();
                waiting.into_iter().chain(ended).for_each(|job| job.join().unwrap());
            }
        }
    });
}

/// An isolated call makes a queue, feeds it and waits for it, while another thread feeds another queue.
#[test]
fn a_queue_of_ones_own_apart() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = pool(workers);
            let over = std::sync::atomic::AtomicBool::new(false);
            std::thread::scope(|threads| {
                threads.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        let other = pool.queue().capacity(1).build(|_: usize| {}).unwrap();
                        (0..56).for_each(|job| other.submit(job).unwrap());
                        other.close();
                        other.wait();
                    }
                });
                for _ in 0..100 {
                    pool.scope_with(Wait::OwnScope, |s| {
                        s.spawn(|_| {
                            let own = pool.queue().capacity(64).build(|_: usize| {}).unwrap();
                            (0..40).for_each(|job| own.submit(job).unwrap());
                            own.close();
                            own.wait();
                        });
                    });
                }
                over.store(true, Ordering::Relaxed);
            });
        }
    });
}

/// As many scopes park as there are workers. With several workers no parked worker runs jobs, so spares must.
#[test]
fn scopes_that_park_on_all_workers() {
    within(LIMIT, || {
        for workers in 1..=3 {
            let pool = pool(workers);
            let ran = AtomicUsize::new(0);
            std::thread::scope(|threads| {
                for _ in 0..workers {
                    threads.spawn(|| {
                        for _ in 0..50 {
                            pool.scope_with(Wait::Park, |s| {
                                (0..4).for_each(|_| s.spawn(|_| _ = ran.fetch_add(1, Ordering::Relaxed)));
                            });
                        }
                    });
                }
            });
            assert_eq!(ran.into_inner(), workers * 200);
        }
    });
}

/// As many isolated calls as there are workers broadcast to each other.
#[test]
fn broadcasts_on_workers_that_are_apart() {
    within(LIMIT, || {
        for workers in 1..=3 {
            let pool = pool(workers);
            std::thread::scope(|threads| {
                for _ in 0..workers {
                    threads.spawn(|| {
                        for _ in 0..20 {
                            let told = pool.scope_with(Wait::OwnScope, |_| pool.broadcast(|index| index));
                            assert_eq!(told, (0..workers).collect::<Vec<_>>());
                        }
                    });
                }
            });
        }
    });
}

/// The turns of a broadcast wait for each other, while one worker is a lent thread that has gone.
#[test]
fn a_broadcast_that_meets_after_a_lent_thread_went() {
    within(LIMIT, || {
        let slot: Arc<Mutex<Option<Pool>>> = Arc::default();
        std::thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                let pool = Pool::builder().workers(3).use_current_thread().build().unwrap();
                *slot.lock().unwrap() = Some(pool);
            }
        })
        .join()
        .unwrap();
        let pool = slot.lock().unwrap().take().unwrap();
        for _ in 0..20 {
            let meet = std::sync::Barrier::new(3);
            pool.broadcast(|_| _ = meet.wait());
        }
    });
}

/// Handlers of two pools feed each other's full queue.
#[test]
fn queues_of_two_pools_that_feed_each_other() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let (left, right) = (pool(workers), pool(workers));
            let ran = Arc::new(AtomicUsize::new(0));
            let queues: [Arc<std::sync::OnceLock<filch::Queue<usize>>>; 2] = Default::default();
            for (side, pool) in [&left, &right].into_iter().enumerate() {
                let (other, ran) = (Arc::clone(&queues[1 - side]), Arc::clone(&ran));
                let handler = move |left: usize| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    if left > 0 {
                        // Each job submits two, so that both queues fill up.
                        let other = other.get().unwrap();
                        other.submit(left - 1).unwrap();
                        other.submit(0).unwrap();
                    }
                };
                let queue = pool.queue().capacity(2).concurrency(1).build(handler).unwrap();
                queues[side].set(queue).ok().unwrap();
            }
            for start in 0..8 {
                queues[start % 2].get().unwrap().submit(50).unwrap();
            }
            common::until(|| ran.load(Ordering::Relaxed) == 8 * 101);
        }
    });
}

/// A job that is none of the queue's may wait for the queue's end, wherever it runs.
#[test]
fn the_end_of_a_queue_whose_handler_waits() {
    within(LIMIT, || {
        for workers in 1..=3 {
            let pool = pool(workers);
            let gate = Arc::new(CountLatch::new(1));
            let begun = Arc::new(CountLatch::new(1));
            let queue = pool
                .queue()
                .build({
                    let (gate, begun) = (Arc::clone(&gate), Arc::clone(&begun));
                    move |()| {
                        begun.count_down();
                        gate.wait();
                    }
                })
                .unwrap();
            queue.submit(()).unwrap();
            begun.wait();
            let report = pool.spawn({
                let queue = queue.clone();
                move || queue.wait()
            });
            let open = pool.spawn(move || gate.count_down());
            open.join().unwrap();
            report.join().unwrap();
        }
    });
}

/// Jobs say that they block, and the other jobs go on, even with one worker. Any number of jobs may say so.
#[test]
fn jobs_that_block() {
    within(LIMIT, || {
        for workers in 1..=2 {
            let pool = pool(workers);
            let (send, receive) = std::sync::mpsc::sync_channel(0);
            let receive = Arc::new(Mutex::new(receive));
            let waiting: Vec<_> = (0..10)
                .map(|_| {
                    let receive = Arc::clone(&receive);
                    pool.spawn(move || {
                        filch::blocking(|| filch::blocking(|| receive.lock().unwrap().recv().unwrap()))
                    })
                })
                .collect();
            for n in 0..10 {
                let send = send.clone();
                pool.execute(move || filch::blocking(|| send.send(n).unwrap())).unwrap();
            }
            let mut got: Vec<i32> = waiting.into_iter().map(|job| job.join().unwrap()).collect();
            got.sort_unstable();
            assert_eq!(got, (0..10).collect::<Vec<_>>());
            let report = pool.shutdown().unwrap();
            assert_eq!(report.run, 20);
        }
        assert_eq!(filch::blocking(|| 7), 7, "outside any pool");
    });
}

/// More jobs wait than there are spares. The jobs without a spare help, as documented, and the statistics say so.
#[test]
fn more_waits_than_spares() {
    within(LIMIT, || {
        for spares in [0, 1, 2] {
            let pool = Pool::builder().workers(1).spares(spares).build().unwrap();
            let mut last: JoinHandle<usize> = pool.spawn(|| 1);
            for _ in 1..10 {
                last = pool.spawn(move || last.join_with(Wait::OwnScope).unwrap() + 1);
            }
            assert_eq!(last.join().unwrap(), 10);
            // Each job waits for a job that comes later.
            let gates: Vec<_> = (0..4).map(|_| Arc::new(CountLatch::new(1))).collect();
            let waits: Vec<_> = gates
                .iter()
                .map(|gate| {
                    let gate = Arc::clone(gate);
                    pool.spawn(move || gate.wait())
                })
                .collect();
            gates.into_iter().for_each(|gate| pool.execute(move || gate.count_down()).unwrap());
            waits.into_iter().for_each(|wait| wait.join().unwrap());
            let stats = pool.stats();
            assert!(stats.spares <= spares, "{stats:?}");
            if spares == 0 {
                assert_eq!(stats.waits, 0, "{stats:?}");
            }
        }
    });
}

#[test]
fn too_many_spares() {
    let error = Pool::builder().workers(2).spares(4_094).build().unwrap_err();
    assert_eq!(error.to_string(), "2 workers and 4094 spares were given; together at most 4095 are allowed");
    assert!(Pool::builder().workers(1).spares(usize::MAX).build().is_err());
    assert!(Pool::builder().workers(1).spares(4_094).build().is_ok());
}

/// A wait asks to steal inside a call that runs nothing but its own jobs, and waits for a job from outside. Only a
/// spare can run that job.
#[test]
fn a_wait_that_may_not_steal_lends_its_place() {
    within(LIMIT, || {
        for apart in [Wait::OwnScope, Wait::Park] {
            let pool = Arc::new(pool(1));
            let from_outside = {
                let pool = Arc::clone(&pool);
                move |latch: &Arc<CountLatch>| {
                    let (pool, latch) = (Arc::clone(&pool), Arc::clone(latch));
                    std::thread::spawn(move || pool.execute(move || latch.count_down()).is_ok())
                }
            };
            pool.scope_with(apart, |_| {
                let latch = Arc::new(CountLatch::new(1));
                assert!(from_outside(&latch).join().unwrap());
                latch.wait_with(Wait::Steal);
            });
            pool.install_with(apart, || {
                let latch = Arc::new(CountLatch::new(1));
                assert!(from_outside(&latch).join().unwrap());
                let own = pool.spawn(move || latch.wait_with(Wait::Steal));
                own.join_with(Wait::Steal).unwrap();
            });
        }
    });
}
