//! Four producers against a close or a shutdown: each job either ran once, by the time the close is over, or was
//! handed back. No job does both, and no job does neither.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use filch::{Pool, Queue};

use crate::Order;
use crate::common::{self, Alive, Ledger, Random, Token};

const PRODUCERS: usize = 4;
/// Jobs of each producer in each round.
const JOBS: usize = 6;

/// What the producers and the closing thread share. The arena comes and goes with each round.
struct Race<T> {
    arena: Mutex<Option<Arc<T>>>,
    begin: Barrier,
    end: Barrier,
    rounds: usize,
    seed: u64,
    /// How many jobs the producers have begun to put in.
    begun: AtomicUsize,
    /// Which jobs ran, and which were handed back.
    ran: Arc<Ledger>,
    back: Arc<Ledger>,
    alive: Alive,
}

impl<T: Send + Sync> Race<T> {
    fn new(rounds: usize, seed: u64) -> Race<T> {
        Race {
            arena: Mutex::new(None),
            begin: Barrier::new(PRODUCERS + 1),
            end: Barrier::new(PRODUCERS + 1),
            rounds,
            seed,
            begun: AtomicUsize::new(0),
            ran: Ledger::new(PRODUCERS * JOBS),
            back: Ledger::new(PRODUCERS * JOBS),
            alive: Alive::default(),
        }
    }

    /// `make` makes what the producers `put` their jobs into, and `close` closes it while they do so. All accepted
    /// jobs have run when `finish` returns, which says how many ran if it knows.
    fn run(
        &self,
        make: impl Fn() -> T,
        put: impl Fn(&T, usize, &mut Random) -> bool + Sync,
        close: impl Fn(&T, usize),
        finish: impl Fn(T) -> Option<u64>,
    ) -> String {
        let (mut all_ran, mut all_back) = (0, 0);
        thread::scope(|scope| {
            for producer in 0..PRODUCERS {
                let put = &put;
                scope.spawn(move || {
                    let mut random = Random::new(self.seed + producer as u64);
                    for _ in 0..self.rounds {
                        self.begin.wait();
                        let arena = self.arena.lock().unwrap().clone().unwrap();
                        for job in producer * JOBS..(producer + 1) * JOBS {
                            self.begun.fetch_add(1, Ordering::Relaxed);
                            if !put(&arena, job, &mut random) {
                                self.back.mark(job);
                            }
                        }
                        drop(arena);
                        self.end.wait();
                    }
                });
            }
            for round in 0..self.rounds {
                let arena = Arc::new(make());
                *self.arena.lock().unwrap() = Some(Arc::clone(&arena));
                self.begin.wait();
                // The close comes at any point from before the first job until after the last.
                common::until(|| self.begun.load(Ordering::Relaxed) >= round % (PRODUCERS * JOBS + 1));
                close(&arena, round);
                self.end.wait();
                *self.arena.lock().unwrap() = None;
                let arena = Arc::into_inner(arena).expect("the producers have let go of it");
                let report = finish(arena);
                for job in 0..PRODUCERS * JOBS {
                    let (ran, back) = (self.ran.marks(job), self.back.marks(job));
                    assert_eq!(ran + back, 1, "round {round}: job {job} ran {ran} times, {back} came back");
                }
                if let Some(run) = report {
                    assert_eq!(run as usize, self.ran.ran(), "round {round}: the report");
                }
                assert_eq!(self.alive.count(), 0, "round {round}: what the jobs held");
                all_ran += self.ran.ran();
                all_back += self.back.ran();
                self.begun.store(0, Ordering::Relaxed);
                self.ran.clear();
                self.back.clear();
            }
        });
        assert!(all_ran > 0 && all_back > 0, "there was no race: {all_ran} ran, {all_back} came back");
        format!("{all_ran} ran, {all_back} came back")
    }
}

/// A job of a queue: its number, and a token that must not be lost.
type Job = (usize, Token);

fn handler(ran: &Arc<Ledger>) -> impl Fn(Job) + Send + Sync + 'static {
    let ran = Arc::clone(ran);
    move |(job, _token)| ran.mark(job)
}

/// Puts one job into a queue in one of the ways there are. Returns `false` if a job came back, which must be this
/// job.
fn submit(queue: &Queue<Job>, job: usize, token: Token, random: &mut Random) -> bool {
    let done = match random.below(4) {
        0 => queue.submit((job, token)),
        1 => queue.submit_timeout((job, token), Duration::MAX),
        2 => queue.submit_all([(job, token)]).map(|accepted| assert_eq!(accepted, 1)),
        _ => {
            // A full queue is no answer here, so the producer tries again.
            let mut last = (job, token);
            loop {
                match queue.try_submit(last) {
                    Err(error) if error.is_full() => last = error.into_inner(),
                    other => break other,
                }
                thread::yield_now();
            }
        }
    };
    done.map_err(|error| assert!(error.is_closed() && error.into_inner().0 == job)).is_ok()
}

/// A queue is closed while four producers submit.
pub fn close(order: &Order) -> String {
    let kinds = [(2, 2), (1, 1), (4, 64), (3, 5)];
    let pool = Pool::builder().workers(4).build().unwrap();
    let race: Race<Queue<Job>> = Race::new(order.size, order.seed);
    let made = AtomicUsize::new(0);
    let note = race.run(
        || {
            let (concurrency, capacity) = kinds[made.fetch_add(1, Ordering::Relaxed) % kinds.len()];
            let queue = pool.queue().capacity(capacity).concurrency(concurrency);
            queue.build(handler(&race.ran)).unwrap()
        },
        |queue, job, random| submit(queue, job, race.alive.token(), random),
        |queue, _| queue.close(),
        |queue| {
            queue.wait();
            assert!(queue.is_empty());
            None
        },
    );
    assert_eq!(pool.shutdown().unwrap().panicked, 0);
    note
}

struct Both {
    pool: Pool,
    queue: Queue<Job>,
}

/// Shuts down in one of the ways that there are. `finish` does the rest.
fn shut_down(pool: &Pool, round: usize) {
    match round % 3 {
        0 => drop(pool.shutdown().unwrap()),
        1 => drop(pool.shutdown_timeout(Duration::ZERO)),
        _ => thread::scope(|scope| {
            scope.spawn(|| pool.shutdown().unwrap());
            pool.shutdown().unwrap();
        }),
    }
}

/// A pool is shut down while four producers submit to a queue.
pub fn shutdown_queue(order: &Order) -> String {
    let race: Race<Both> = Race::new(order.size, order.seed);
    let workers = AtomicUsize::new(0);
    race.run(
        || {
            let workers = 1 + workers.fetch_add(1, Ordering::Relaxed) % 3;
            let pool = Pool::builder().workers(workers).build().unwrap();
            let queue = pool.queue().capacity(workers).build(handler(&race.ran)).unwrap();
            Both { pool, queue }
        },
        |both, job, random| submit(&both.queue, job, race.alive.token(), random),
        |both, round| shut_down(&both.pool, round),
        |both| Some(both.pool.shutdown().unwrap().run),
    )
}

/// A pool is shut down while four threads give it closures, in each of the ways there are.
pub fn shutdown_closures(order: &Order) -> String {
    let race: Race<Pool> = Race::new(order.size, order.seed);
    let workers = AtomicUsize::new(0);
    race.run(
        || Pool::builder().workers(1 + workers.fetch_add(1, Ordering::Relaxed) % 3).build().unwrap(),
        |pool, job, random| {
            let (ran, token) = (Arc::clone(&race.ran), race.alive.token());
            let work = move || {
                let _token = token;
                ran.mark(job);
                job
            };
            match random.below(3) {
                0 => pool.execute(move || assert_eq!(work(), job)).is_ok(),
                1 => pool.spawn(work).join().map(|value| assert_eq!(value, job)).is_ok(),
                _ => pool.try_install(work).map(|value| assert_eq!(value, job)).is_ok(),
            }
        },
        shut_down,
        |pool| Some(pool.shutdown().unwrap().run),
    )
}

/// Jobs submit more jobs while the pool is being shut down. The pool accepts what its own jobs submit.
pub fn shutdown_jobs(order: &Order) -> String {
    let race: Race<Both> = Race::new(order.size, order.seed);
    race.run(
        || {
            let pool = Pool::builder().workers(2).build().unwrap();
            let queue = pool.queue().capacity(1).build(handler(&race.ran)).unwrap();
            Both { pool, queue }
        },
        |both, job, _| {
            let (queue, token) = (both.queue.clone(), race.alive.token());
            let work = move || {
                let inner = move || queue.submit((job, token)).expect("a job of the pool may");
                filch::execute(inner).expect("a job of the pool may");
            };
            both.pool.execute(work).is_ok()
        },
        |both, round| shut_down(&both.pool, round),
        |both| {
            let run = both.pool.shutdown().unwrap().run;
            assert_eq!(run as usize, 3 * race.ran.ran());
            None
        },
    )
}
