//! The contenders of `work`: each starts its threads, waits until they are at rest, and times the jobs.

use std::fmt;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use filch::Pool;
use filch_benches::{Account, Go, GoRound, Ledger, Meter, Spent, settle};
use tokio::sync::Semaphore;

/// The producers of the jobs.
#[derive(Clone, Copy)]
pub enum Producers {
    /// This number of threads that are no workers. The first is the thread with the clock.
    Outside(u64),
    /// One job of the pool. A contender without such jobs has one thread that is no worker instead.
    Job,
}

impl fmt::Display for Producers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Producers::Outside(1) => write!(f, "one producer"),
            Producers::Outside(producers) => write!(f, "{producers} producers"),
            Producers::Job => write!(f, "a job produces"),
        }
    }
}

#[derive(Clone, Copy)]
pub struct Setup {
    pub capacity: usize,
    pub workers: usize,
    pub producers: Producers,
    pub jobs: u64,
    /// How long a job takes, in microseconds.
    pub micros: u64,
    /// How many rounds of the loop that is.
    pub work: u64,
}

/// A contender: one way to run the jobs through a bounded queue.
#[derive(Clone, Copy)]
pub struct Contender {
    pub name: &'static str,
    pub run: fn(Setup) -> Spent,
}

/// All contenders. Go is the last, since it may be missing: see [`go`].
pub const CONTENDERS: [Contender; 6] = [
    Contender { name: "filch", run: filch },
    Contender { name: "crossbeam-channel", run: crossbeam },
    Contender { name: "sync_channel", run: std_channel },
    Contender { name: "threadpool", run: threads },
    Contender { name: "tokio", run: tokio },
    Contender { name: "Go", run: go_round },
];

/// How many contenders, from the first on, are filch and the channels. Then the index of filch, and the indices of
/// the channels that filch is measured by.
pub const CHANNELS: usize = 3;
pub const OURS: usize = 0;
pub const PEERS: [usize; 2] = [1, 2];

/// Not inlined, so that the loop is the same machine code for all contenders: inlined, it takes up to 4 % longer in one
/// than in the other.
#[inline(never)]
fn burn(rounds: u64) {
    let mut value = 1_u64;
    for _ in 0..rounds {
        value = black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

/// Returns how many rounds of the loop take `micros` microseconds on this machine.
pub fn burn_time(micros: u64) -> u64 {
    static ROUNDS: OnceLock<f64> = OnceLock::new();
    let per_micro = ROUNDS.get_or_init(|| {
        const PROBE: u64 = 1_000_000;
        let time = || {
            let start = Instant::now();
            burn(PROBE);
            start.elapsed()
        };
        let best = (0..20).map(|_| time()).min().unwrap_or(Duration::MAX);
        PROBE as f64 / (best.as_secs_f64() * 1e6)
    });
    (micros as f64 * per_micro) as u64
}

impl Setup {
    fn run(self, account: &mut Account, id: u64) {
        account.enter(id);
        burn(self.work);
    }

    /// Has the producers call `put` with each id, and then calls `wait`, which waits until all jobs have ended.
    /// Returns what all of this took.
    fn produce<P: Fn(u64) + Sync>(self, put: P, wait: impl FnOnce()) -> Spent {
        let producers = match self.producers {
            Producers::Outside(producers) => producers,
            Producers::Job => 1,
        };
        let share = self.jobs / producers;
        let start = Barrier::new(producers as usize);
        let meter = thread::scope(|s| {
            let (put, start) = (&put, &start);
            for producer in 1..producers {
                s.spawn(move || {
                    start.wait();
                    (producer * share..(producer + 1) * share).for_each(put);
                });
            }
            settle();
            let meter = Meter::start();
            start.wait();
            (0..share).for_each(put);
            meter
        });
        // `put` may hold a sender, which keeps its channel open.
        drop(put);
        wait();
        meter.stop()
    }
}

pub fn serial(setup: Setup) -> Spent {
    let ledger = Ledger::default();
    let mut account = ledger.account();
    let meter = Meter::start();
    (0..setup.jobs).for_each(|id| setup.run(&mut account, id));
    let spent = meter.stop();
    drop(account);
    let _ = ledger.check(setup.jobs);
    spent
}

fn filch(setup: Setup) -> Spent {
    let ledger = Ledger::default();
    let pool = Pool::builder().workers(setup.workers).build().expect("a pool");
    let accounts = ledger.clone();
    let queue = pool
        .queue()
        .capacity(setup.capacity)
        .worker_state(move |_| accounts.account())
        .build(move |account, id| setup.run(account, id))
        .expect("a queue");
    let end = || {
        queue.close();
        queue.wait();
    };
    let spent = match setup.producers {
        Producers::Outside(_) => setup.produce(|id| queue.submit(id).expect("an open queue"), end),
        Producers::Job => {
            let inside = queue.clone();
            settle();
            let meter = Meter::start();
            let produced =
                pool.spawn(move || (0..setup.jobs).for_each(|id| inside.submit(id).expect("an open queue")));
            produced.join().expect("no panic");
            end();
            meter.stop()
        }
    };
    // The queue goes first: it drops its worker states, and so their accounts, when its last user is gone.
    drop(queue);
    pool.shutdown().expect("a shutdown from outside");
    drop(pool);
    let _ = ledger.check(setup.jobs);
    spent
}

/// Runs the jobs on threads that call `next` until it returns `None`, and then meet at a barrier. `put` and `next`
/// are the two ends of a channel.
fn channel(
    setup: Setup,
    put: impl Fn(u64) + Sync,
    next: impl Fn() -> Option<u64> + Clone + Send + 'static,
) -> Spent {
    let ledger = Ledger::default();
    let done = Arc::new(Barrier::new(setup.workers + 1));
    let threads: Vec<_> = (0..setup.workers)
        .map(|_| {
            let (next, done, mut account) = (next.clone(), Arc::clone(&done), ledger.account());
            thread::spawn(move || {
                while let Some(id) = next() {
                    setup.run(&mut account, id);
                }
                done.wait();
            })
        })
        .collect();
    let spent = setup.produce(put, || _ = done.wait());
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let _ = ledger.check(setup.jobs);
    spent
}

fn crossbeam(setup: Setup) -> Spent {
    let (sender, receiver) = crossbeam_channel::bounded(setup.capacity);
    channel(setup, move |id| sender.send(id).expect("an open channel"), move || receiver.recv().ok())
}

fn std_channel(setup: Setup) -> Spent {
    let (sender, receiver) = sync_channel(setup.capacity);
    let receiver = Arc::new(Mutex::new(receiver));
    let next = move || receiver.lock().expect("no panic").recv().ok();
    channel(setup, move |id| sender.send(id).expect("an open channel"), next)
}

/// Runs the jobs on `threadpool`. Its queue has no bound, so its producers never wait.
fn threads(setup: Setup) -> Spent {
    let pool = threadpool::ThreadPool::new(setup.workers);
    let sum = Arc::new(AtomicU64::new(0));
    let put = |id| {
        let sum = Arc::clone(&sum);
        pool.execute(move || {
            sum.fetch_add(id, Relaxed);
            burn(setup.work);
        });
    };
    let spent = setup.produce(put, || pool.join());
    assert_eq!(sum.load(Relaxed), setup.jobs * (setup.jobs - 1) / 2, "each id once");
    spent
}

/// Runs the jobs as tokio tasks. A semaphore bounds their number: `capacity` tasks may wait, and one may run on each
/// worker.
fn tokio(setup: Setup) -> Spent {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(setup.workers).build().expect("a runtime");
    let places = setup.capacity + setup.workers;
    let room = Arc::new(Semaphore::new(places));
    let sum = Arc::new(AtomicU64::new(0));
    let put = |id| {
        let place = Arc::clone(&room).try_acquire_owned().unwrap_or_else(|_| {
            runtime.block_on(Arc::clone(&room).acquire_owned()).expect("a semaphore that is open")
        });
        let sum = Arc::clone(&sum);
        runtime.spawn(async move {
            sum.fetch_add(id, Relaxed);
            burn(setup.work);
            drop(place);
        });
    };
    let all = || _ = runtime.block_on(room.acquire_many(places as u32)).expect("a semaphore that is open");
    let spent = setup.produce(put, all);
    assert_eq!(sum.load(Relaxed), setup.jobs * (setup.jobs - 1) / 2, "each id once");
    spent
}

/// The process of the Go seed. `None` if this machine has no Go.
pub fn go() -> &'static Option<Mutex<Go>> {
    static GO: OnceLock<Option<Mutex<Go>>> = OnceLock::new();
    GO.get_or_init(|| Go::start(env!("CARGO_TARGET_TMPDIR")).map(Mutex::new))
}

fn go_round(setup: Setup) -> Spent {
    let Setup { capacity, workers, jobs, micros, .. } = setup;
    let producers = if let Producers::Outside(producers) = setup.producers { producers } else { 1 };
    let mut go = go().as_ref().expect("a machine with Go").lock().expect("no panic");
    go.round(GoRound { capacity, workers, producers, jobs, micros }).0
}
