//! Jobs that wait for jobs, on pools with spares. Whichever thread is chosen to run, all jobs end.

use filch::{CountLatch, JoinHandle, Pool};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use super::{below, idle};

/// A pool of 2 to 6 workers with as many spares as can be needed.
fn pool(waits: usize) -> Pool {
    Pool::builder().workers(below(5) + 2).spares(waits).build().expect("a pool")
}

/// Each job joins the previous one, and is spawned from outside or by a job. Each runs once, and the pool ends with
/// its spares.
pub(super) fn chain() {
    const JOBS: usize = 5;
    let pool = Arc::new(pool(JOBS));
    let ran = Arc::new(AtomicUsize::new(0));
    let link = |before: Option<JoinHandle<usize>>| {
        let ran = Arc::clone(&ran);
        move || {
            ran.fetch_add(1, Ordering::Relaxed);
            before.map_or(0, |before| before.join().expect("a result")) + 1
        }
    };
    let inside = below(2) == 0;
    let mut last = None;
    for _ in 0..JOBS {
        let job = link(last);
        last = Some(if inside { pool.install(|| filch::spawn(job)) } else { pool.spawn(job) });
        if below(3) == 0 {
            idle();
        }
    }
    let last = last.expect("some jobs");
    assert_eq!(last.join().expect("a result"), JOBS);
    assert_eq!(ran.load(Ordering::Relaxed), JOBS, "each once");
    pool.shutdown().expect("a shutdown from outside");
}

/// A wave-front: each cell of a grid waits for the cell above and the cell to its left. The cells that wait longest
/// come first.
pub(super) fn grid() {
    const SIDE: usize = 3;
    let pool = pool(SIDE * SIDE);
    let cells: Arc<Vec<CountLatch>> = Arc::new((0..SIDE * SIDE).map(|_| CountLatch::new(1)).collect());
    for cell in (0..SIDE * SIDE).rev() {
        let cells = Arc::clone(&cells);
        let job = move || {
            if cell >= SIDE {
                cells[cell - SIDE].wait();
            }
            if !cell.is_multiple_of(SIDE) {
                cells[cell - 1].wait();
            }
            cells[cell].count_down();
        };
        pool.execute(job).expect("an open pool");
    }
    cells[SIDE * SIDE - 1].wait();
    assert_eq!(pool.shutdown().expect("a shutdown from outside").run, (SIDE * SIDE) as u64);
}

/// Workers and their spares serve the jobs of a queue, while their waits end. Each state that was made is handed over
/// before the wait for the closed queue returns, whichever of the two threads of a worker has it.
pub(super) fn states() {
    const JOBS: usize = 3;
    let pool = Pool::builder().workers(below(2) + 1).spares(2).build().expect("a pool");
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let (made, ended) = (Arc::clone(&counts), Arc::clone(&counts));
    let begun = Arc::new(CountLatch::new(1));
    let seen = Arc::clone(&begun);
    let queue = pool
        .queue()
        .capacity(4)
        .worker_state(move |_| _ = made[0].fetch_add(1, Ordering::Relaxed))
        .state_end(move |_, ()| _ = ended[1].fetch_add(1, Ordering::Relaxed))
        .build(move |(), first: bool| {
            if first {
                seen.count_down();
            }
        })
        .expect("a queue");
    let waits: Vec<_> = (0..2)
        .map(|_| {
            let begun = Arc::clone(&begun);
            pool.spawn(move || begun.wait())
        })
        .collect();
    queue.submit_all((0..JOBS).map(|job| job == 0)).expect("an open queue");
    queue.close();
    if below(2) == 0 {
        queue.wait();
    } else {
        pool.install(|| queue.wait());
    }
    let [made, ended] = [0, 1].map(|count| counts[count].load(Ordering::Relaxed));
    assert!(made > 0 && made == ended, "{made} states were made, {ended} handed over");
    waits.into_iter().for_each(|wait| wait.join().expect("a result"));
    pool.shutdown().expect("a shutdown from outside");
}

/// Jobs of two pools install into each other, and other jobs wait for what the installing jobs do afterwards.
pub(super) fn two_pools() {
    let pools = Arc::new([pool(4), pool(4)]);
    let after = Arc::new([CountLatch::new(1), CountLatch::new(1)]);
    let jobs: Vec<_> = (0..2)
        .map(|side| {
            let (pools, after) = (Arc::clone(&pools), Arc::clone(&after));
            pools.clone()[side].spawn(move || {
                pools[1 - side].install(|| ());
                after[side].count_down();
            })
        })
        .collect();
    let waits: Vec<_> = (0..2)
        .map(|side| {
            let after = Arc::clone(&after);
            pools[side].spawn(move || after[1 - side].wait())
        })
        .collect();
    jobs.into_iter().chain(waits).for_each(|job| job.join().expect("a result"));
    for pool in pools.iter() {
        pool.shutdown().expect("a shutdown from outside");
    }
}

/// A worker waits, and its spare waits as well, whose place a second spare has. When the worker is back, it has its
/// place alone: a spare runs at most one more job, the one that it was about to take.
pub(super) fn back() {
    let pool = Pool::builder().workers(1).spares(3).build().expect("a pool");
    let (first, second) = (Arc::new(CountLatch::new(1)), Arc::new(CountLatch::new(1)));
    let begun = Arc::new(CountLatch::new(2));
    let waits = |gate: &Arc<CountLatch>| {
        let (gate, begun) = (Arc::clone(gate), Arc::clone(&begun));
        pool.spawn(move || {
            begun.count_down();
            gate.wait();
            thread::current().id()
        })
    };
    let (before, beneath) = (waits(&first), waits(&second));
    begun.wait();
    idle();
    first.count_down();
    let worker = before.join().expect("a result");
    let jobs: Vec<_> = (0..6)
        .map(|_| {
            pool.spawn(|| {
                idle();
                thread::current().id()
            })
        })
        .collect();
    let elsewhere =
        jobs.into_iter().map(|job| job.join().expect("a result")).filter(|&id| id != worker).count();
    second.count_down();
    beneath.join().expect("a result");
    assert!(elsewhere <= 1, "model: {elsewhere} jobs ran beside the worker that was back");
    pool.shutdown().expect("a shutdown from outside");
}

/// A job waits again and again for what others do, so that its worker finds the spare that it has just relieved in its
/// last job, waiting in that job, or on its way to rest. Somebody is always active in the place.
pub(super) fn recall() {
    const WAITS: usize = 4;
    let pool = Arc::new(Pool::builder().workers(1).spares(WAITS + 1).build().expect("a pool"));
    let shared = Arc::clone(&pool);
    let job = pool.spawn(move || {
        let end = Arc::new(CountLatch::new(1));
        for _ in 0..WAITS {
            let step = Arc::new(CountLatch::new(1));
            let (told, waits, gate) = (Arc::clone(&step), below(2) == 0, Arc::clone(&end));
            let run = move || {
                told.count_down();
                if waits {
                    gate.wait();
                }
            };
            shared.execute(run).expect("an open pool");
            step.wait();
        }
        end.count_down();
    });
    job.join().expect("a result");
    // The job may still have a handle of the pool for a moment.
    while Arc::strong_count(&pool) > 1 {
        thread::yield_now();
    }
    Arc::into_inner(pool).expect("the last handle").shutdown().expect("a shutdown from outside");
}

/// Two spares have relieved each other, and then both begin a wait at the same time.
pub(super) fn each_other() {
    let pool = Pool::builder().workers(2).spares(4).build().expect("a pool");
    let latch = || Arc::new(CountLatch::new(1));
    let waits = |gate: &Arc<CountLatch>| {
        let gate = Arc::clone(gate);
        pool.spawn(move || gate.wait())
    };
    let join = |job: JoinHandle<()>| job.join().expect("a result");
    // A job that holds its worker until the returned sender is dropped.
    let hold = || {
        let (release, held) = shuttle::sync::mpsc::channel::<()>();
        let begun = latch();
        let told = Arc::clone(&begun);
        let job = pool.spawn(move || {
            told.count_down();
            let _ = held.recv();
        });
        begun.wait();
        (release, job)
    };
    let (release, held) = hold();
    // A spare waits, and relieves the second one.
    let (first, second) = (latch(), latch());
    let (beneath, above) = (waits(&first), waits(&second));
    pool.execute(move || second.count_down()).expect("an open pool");
    join(above);
    first.count_down();
    join(beneath);
    idle();
    // The second one is called in the place of the other worker, waits, and relieves the first one.
    let (first, second, third) = (latch(), latch(), latch());
    let beneath = waits(&first);
    idle();
    drop(release);
    join(held);
    let beside = waits(&second);
    idle();
    first.count_down();
    join(beneath);
    let (release, held) = hold();
    let above = waits(&third);
    idle();
    third.count_down();
    join(above);
    drop(release);
    join(held);
    second.count_down();
    join(beside);
    idle();
    // Both stand in, and wait.
    let gates = [(); 4].map(|()| latch());
    let jobs = [0, 1, 2, 3].map(|job| waits(&gates[job]));
    idle();
    gates.iter().for_each(|gate| gate.count_down());
    jobs.into_iter().for_each(join);
    pool.shutdown().expect("a shutdown from outside");
}

/// A worker comes back from a wait, and its spare is in a job that waits within a call of `blocking`, and then blocks in
/// that call without a word. The worker's next wait is for a job that ends the call.
pub(super) fn block_again() {
    let pool = Arc::new(Pool::builder().workers(1).spares(3).build().expect("a pool"));
    let (send, receive) = shuttle::sync::mpsc::channel();
    let [begun, inner] = [(); 2].map(|()| Arc::new(CountLatch::new(1)));
    let shared = Arc::clone(&pool);
    let job = pool.spawn(move || {
        let (told, gate) = (Arc::clone(&begun), Arc::clone(&inner));
        let blocks = move || {
            told.count_down();
            filch::blocking(|| {
                gate.wait();
                receive.recv().expect("a sender");
            });
        };
        shared.execute(blocks).expect("an open pool");
        begun.wait();
        inner.count_down();
        idle();
        let sent = Arc::new(CountLatch::new(1));
        let told = Arc::clone(&sent);
        let sends = move || {
            send.send(()).expect("a receiver");
            told.count_down();
        };
        shared.execute(sends).expect("an open pool");
        sent.wait();
    });
    job.join().expect("a result");
    while Arc::strong_count(&pool) > 1 {
        thread::yield_now();
    }
    Arc::into_inner(pool).expect("the last handle").shutdown().expect("a shutdown from outside");
}

/// A worker comes back from a wait while its spare ends a job, rests, and is called by another worker, in whose place it
/// waits in turn. The first worker then blocks without a word, so the spare of the spare must be active.
pub(super) fn relief() {
    let pool = Pool::builder().workers(2).spares(4).build().expect("a pool");
    let [opened, passed, ended] = [(); 3].map(|()| Arc::new(CountLatch::new(1)));
    let begun = Arc::new(CountLatch::new(2));
    let (send, receive) = shuttle::sync::mpsc::channel();
    let (release, hold) = shuttle::sync::mpsc::channel();
    let told = Arc::clone(&begun);
    // Occupies the other worker until the spare has begun.
    let held = pool.spawn(move || {
        told.count_down();
        hold.recv().expect("a sender");
    });
    let (gate, told) = (Arc::clone(&opened), Arc::clone(&begun));
    let first = pool.spawn(move || {
        told.count_down();
        gate.wait();
        receive.recv().expect("a sender");
    });
    begun.wait();
    let gate = Arc::clone(&opened);
    let opener = pool.spawn(move || gate.count_down());
    opened.wait();
    release.send(()).expect("a receiver");
    let gate = Arc::clone(&passed);
    let second = pool.spawn(move || gate.wait());
    let (gate, pass) = (Arc::clone(&ended), Arc::clone(&passed));
    let third = pool.spawn(move || {
        gate.wait();
        pass.count_down();
    });
    // Long enough for a relief in two steps to end: longer than the pause between them.
    (0..2000).for_each(|_| thread::yield_now());
    let fourth = pool.spawn(move || {
        ended.count_down();
        send.send(()).expect("a receiver");
    });
    for job in [held, first, opener, second, third, fourth] {
        job.join().expect("a result");
    }
    pool.shutdown().expect("a shutdown from outside");
}

/// Jobs that block until they meet, some that receive and some that send, on one or two workers with a spare for each
/// of them. Whichever thread is chosen to run, all of them meet.
pub(super) fn meeting() {
    const PAIRS: usize = 4;
    let pool = Pool::builder().workers(below(2) + 1).spares(2 * PAIRS).build().expect("a pool");
    let (send, receive) = shuttle::sync::mpsc::sync_channel(0);
    let receive = Arc::new(shuttle::sync::Mutex::new(receive));
    let receivers: Vec<_> = (0..PAIRS)
        .map(|_| {
            let receive = Arc::clone(&receive);
            let recv = move || receive.lock().expect("no panic").recv().expect("a sender");
            pool.spawn(move || filch::blocking(recv))
        })
        .collect();
    for n in 0..PAIRS {
        let send = send.clone();
        pool.execute(move || filch::blocking(|| send.send(n).expect("a receiver"))).expect("an open pool");
    }
    let mut got: Vec<usize> = receivers.into_iter().map(|job| job.join().expect("a result")).collect();
    got.sort_unstable();
    assert_eq!(got, (0..PAIRS).collect::<Vec<_>>());
    pool.shutdown().expect("a shutdown from outside");
}
