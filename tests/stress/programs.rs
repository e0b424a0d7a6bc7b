//! Random programs over the whole interface. None has a cycle of waits, so each must end, and its pieces must add up.
//! A program is a tree of operations. Each operation runs its parts in some way, on one of the pools, and waits for
//! them in some way.

use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use filch::{CountLatch, JoinHandle, Pool, Wait};

use crate::Order;
use crate::common::{Random, within};

/// The number of programs that share their pools.
const SHARE: usize = 10;
/// The most parts of one operation.
const PARTS: usize = 6;

/// More time than `SHARE` programs need, however slow the machine.
const HANG: Duration = Duration::from_secs(20);
/// The most operations inside each other.
const DEPTH: usize = 5;

/// One operation. `pool` is a pool's number; parts are shared with jobs that outlive the caller's frame.
enum Plan {
    Leaf,
    Join {
        pool: usize,
        parts: [Arc<Plan>; 2],
    },
    /// Like `Join`, but the first side panics at its end.
    Panics {
        pool: usize,
        parts: [Arc<Plan>; 2],
    },
    Scope {
        pool: usize,
        way: Way,
        parts: Vec<Arc<Plan>>,
    },
    /// A handle for each part, joined in this order.
    Handles {
        pool: usize,
        parts: Vec<Arc<Plan>>,
        order: Vec<usize>,
        wait: HandleWait,
    },
    /// A job for each part. Each job joins the job before it.
    Chain {
        pool: usize,
        parts: Vec<Arc<Plan>>,
        wait: HandleWait,
    },
    Latch {
        pool: usize,
        parts: Vec<Arc<Plan>>,
        wait: Option<Wait>,
    },
    Queue {
        pool: usize,
        capacity: usize,
        concurrency: usize,
        submit: Submit,
        parts: Vec<Arc<Plan>>,
    },
    Install {
        pool: usize,
        wait: Option<Wait>,
        part: Arc<Plan>,
    },
    Broadcast {
        pool: usize,
    },
    /// The part runs on a thread of its own. The caller waits for the end of this thread by the system's means.
    Blocking {
        part: Arc<Plan>,
    },
    Yield {
        pool: usize,
        part: Arc<Plan>,
    },
}

#[derive(Clone, Copy)]
enum Way {
    Usual,
    With(Wait),
    InPlace,
    Fifo,
}

#[derive(Clone, Copy)]
enum HandleWait {
    Usual,
    With(Wait),
    Timeout,
}

#[derive(Clone, Copy)]
enum Submit {
    Each,
    All,
    WithHandles,
}

/// What may be in a program.
struct Grammar {
    pools: usize,
    /// The ways to wait beside the usual one.
    waits: &'static [Wait],
    /// Whether jobs wait for jobs that they did not start. Then there are no yields: a job that runs on top of the
    /// yielding job might wait for what lies beneath it. The same holds for `Wait::Steal`.
    chains: bool,
    /// Whether jobs block by the system's means. Where no spare is left, the worker of a blocked job does nothing
    /// else.
    blocking: bool,
}

impl Grammar {
    fn wait(&self, random: &mut Random) -> Option<Wait> {
        let choice = random.below(self.waits.len() + 1);
        self.waits.get(choice).copied()
    }

    fn handle_wait(&self, random: &mut Random) -> HandleWait {
        match (random.below(4), self.wait(random)) {
            (0, _) => HandleWait::Timeout,
            (_, Some(wait)) => HandleWait::With(wait),
            (_, None) => HandleWait::Usual,
        }
    }

    fn parts(&self, random: &mut Random, depth: usize) -> Vec<Arc<Plan>> {
        (0..random.below(PARTS) + 1).map(|_| self.plan(random, depth - 1)).collect()
    }

    fn two(&self, random: &mut Random, depth: usize) -> [Arc<Plan>; 2] {
        [self.plan(random, depth - 1), self.plan(random, depth - 1)]
    }

    fn plan(&self, random: &mut Random, depth: usize) -> Arc<Plan> {
        if depth == 0 || depth < DEPTH && random.below(3) == 0 {
            return Arc::new(Plan::Leaf);
        }
        let pool = random.below(self.pools);
        Arc::new(match random.below(12) {
            0 | 1 => Plan::Join { pool, parts: self.two(random, depth) },
            2 => Plan::Panics { pool, parts: self.two(random, depth) },
            3 | 4 => {
                let way = match (random.below(3), self.wait(random)) {
                    (0, _) => Way::InPlace,
                    (1, _) => Way::Fifo,
                    (_, Some(wait)) => Way::With(wait),
                    (_, None) => Way::Usual,
                };
                Plan::Scope { pool, way, parts: self.parts(random, depth) }
            }
            5 | 6 => {
                let parts = self.parts(random, depth);
                let mut order: Vec<usize> = (0..parts.len()).collect();
                (1..order.len()).for_each(|last| order.swap(last, random.below(last + 1)));
                Plan::Handles { pool, parts, order, wait: self.handle_wait(random) }
            }
            7 => Plan::Latch { pool, parts: self.parts(random, depth), wait: self.wait(random) },
            8 => {
                let submit = [Submit::Each, Submit::All, Submit::WithHandles][random.below(3)];
                let (capacity, concurrency) = (random.below(4) + 1, random.below(3) + 1);
                Plan::Queue { pool, capacity, concurrency, submit, parts: self.parts(random, depth) }
            }
            9 => Plan::Install { pool, wait: self.wait(random), part: self.plan(random, depth - 1) },
            10 if !self.blocking || random.below(3) == 0 => Plan::Broadcast { pool },
            10 => Plan::Blocking { part: self.plan(random, depth - 1) },
            _ if !self.chains => Plan::Yield { pool, part: self.plan(random, depth - 1) },
            _ => Plan::Chain { pool, parts: self.parts(random, depth), wait: self.handle_wait(random) },
        })
    }
}

/// The pools of some programs.
struct World {
    pools: Vec<Pool>,
}

impl World {
    /// Returns how many pieces a plan has. Each operation is one piece, and so is each turn of a broadcast.
    fn size(&self, plan: &Plan) -> u64 {
        let all = |parts: &[Arc<Plan>]| parts.iter().map(|part| self.size(part)).sum::<u64>();
        1 + match plan {
            Plan::Leaf => 0,
            Plan::Join { parts, .. } | Plan::Panics { parts, .. } => all(parts),
            Plan::Scope { parts, .. }
            | Plan::Handles { parts, .. }
            | Plan::Chain { parts, .. }
            | Plan::Latch { parts, .. }
            | Plan::Queue { parts, .. } => all(parts),
            Plan::Install { part, .. } | Plan::Blocking { part } | Plan::Yield { part, .. } => self.size(part),
            Plan::Broadcast { pool } => self.pools[*pool].workers() as u64,
        }
    }

    /// Runs a plan. The jobs that run its pieces count them, and the sum is returned.
    fn run(self: &Arc<World>, plan: &Plan) -> u64 {
        let pieces = 1 + match plan {
            Plan::Leaf => 0,
            Plan::Join { pool, parts: [a, b] } => {
                let (a, b) = self.pools[*pool].join(|| self.run(a), || self.run(b));
                a + b
            }
            Plan::Panics { pool, parts: [a, b] } => self.panics(&self.pools[*pool], a, b),
            Plan::Scope { pool, way, parts } => self.scope(&self.pools[*pool], *way, parts),
            Plan::Handles { pool, parts, order, wait } => {
                let spawned = parts.iter().map(|part| Some(self.spawn(*pool, part)));
                let mut handles: Vec<Option<JoinHandle<u64>>> = spawned.collect();
                order.iter().filter_map(|&place| handles[place].take()).map(|handle| wait.join(handle)).sum()
            }
            Plan::Chain { pool, parts, wait } => {
                let (wait, mut last) = (*wait, self.pools[*pool].spawn(|| 0));
                for part in parts {
                    let (world, part) = (Arc::clone(self), Arc::clone(part));
                    last = self.pools[*pool].spawn(move || wait.join(last) + world.run(&part));
                }
                wait.join(last)
            }
            Plan::Latch { pool, parts, wait } => self.latch(&self.pools[*pool], parts, *wait),
            Plan::Queue { pool, capacity, concurrency, submit, parts } => {
                self.queue(*pool, (*capacity, *concurrency), *submit, parts)
            }
            Plan::Install { pool, wait: None, part } => self.pools[*pool].install(|| self.run(part)),
            Plan::Install { pool, wait: Some(wait), part } => {
                self.pools[*pool].install_with(*wait, || self.run(part))
            }
            Plan::Broadcast { pool } => self.pools[*pool].broadcast(|_| 1).into_iter().sum(),
            Plan::Blocking { part } => {
                let (world, part) = (Arc::clone(self), Arc::clone(part));
                let run = move || world.run(&part);
                filch::blocking(|| thread::spawn(run).join()).unwrap_or_else(|payload| resume_unwind(payload))
            }
            Plan::Yield { pool, part } => {
                let _ = (self.pools[*pool].yield_local(), filch::yield_now());
                self.run(part)
            }
        };
        assert_eq!(pieces, self.size(plan), "pieces of one operation");
        pieces
    }

    fn spawn(self: &Arc<World>, pool: usize, part: &Arc<Plan>) -> JoinHandle<u64> {
        let (world, part) = (Arc::clone(self), Arc::clone(part));
        self.pools[pool].spawn(move || world.run(&part))
    }

    fn panics(self: &Arc<World>, pool: &Pool, a: &Plan, b: &Plan) -> u64 {
        let (first, second) = (AtomicU64::new(0), AtomicU64::new(0));
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.join(
                || {
                    first.store(self.run(a), Ordering::Relaxed);
                    // The panic comes without the panic hook's report.
                    resume_unwind(Box::new(7_u8));
                },
                || second.store(self.run(b), Ordering::Relaxed),
            )
        }));
        let payload = result.expect_err("the first side panics");
        assert_eq!(payload.downcast_ref(), Some(&7_u8), "the payload");
        first.into_inner() + second.into_inner()
    }

    fn scope(self: &Arc<World>, pool: &Pool, way: Way, parts: &[Arc<Plan>]) -> u64 {
        let sum = AtomicU64::new(0);
        let piece = |part: &Plan| _ = sum.fetch_add(self.run(part), Ordering::Relaxed);
        match way {
            Way::Usual => pool.scope(|s| parts.iter().for_each(|part| s.spawn(|_| piece(part)))),
            Way::With(wait) => {
                pool.scope_with(wait, |s| parts.iter().for_each(|part| s.spawn(|_| piece(part))));
            }
            Way::InPlace => pool.in_place_scope(|s| parts.iter().for_each(|part| s.spawn(|_| piece(part)))),
            Way::Fifo => pool.scope_fifo(|s| parts.iter().for_each(|part| s.spawn_fifo(|_| piece(part)))),
        }
        sum.into_inner()
    }

    fn latch(self: &Arc<World>, pool: &Pool, parts: &[Arc<Plan>], wait: Option<Wait>) -> u64 {
        let shared = Arc::new((CountLatch::new(parts.len()), AtomicU64::new(0)));
        for part in parts {
            let (world, part, shared) = (Arc::clone(self), Arc::clone(part), Arc::clone(&shared));
            let run = move || {
                shared.1.fetch_add(world.run(&part), Ordering::Relaxed);
                shared.0.count_down();
            };
            pool.execute(run).map_err(|closed| closed.reason()).expect("an open pool");
        }
        match wait {
            None => shared.0.wait(),
            Some(wait) => shared.0.wait_with(wait),
        }
        shared.1.load(Ordering::Relaxed)
    }

    fn queue(
        self: &Arc<World>,
        pool: usize,
        (capacity, concurrency): (usize, usize),
        submit: Submit,
        parts: &[Arc<Plan>],
    ) -> u64 {
        let sum = Arc::new(AtomicU64::new(0));
        let queue = {
            let (world, sum) = (Arc::clone(self), Arc::clone(&sum));
            let builder = self.pools[pool].queue().capacity(capacity).concurrency(concurrency);
            let handler = move |part: Arc<Plan>| _ = sum.fetch_add(world.run(&part), Ordering::Relaxed);
            builder.build(handler).expect("a queue")
        };
        let parts = parts.iter().cloned();
        match submit {
            Submit::Each => {
                parts.for_each(|part| queue.submit(part).map_err(|_| ()).expect("an open queue"));
            }
            Submit::All => _ = queue.submit_all(parts).map_err(|_| ()).expect("an open queue"),
            Submit::WithHandles => {
                let submit = |part| queue.submit_with_handle(part).map_err(|_| ()).expect("an open queue");
                let handles: Vec<JoinHandle<()>> = parts.map(submit).collect();
                handles.into_iter().for_each(|handle| handle.join().expect("no panic"));
            }
        }
        queue.wait();
        sum.load(Ordering::Relaxed)
    }
}

impl HandleWait {
    fn join<T>(self, handle: JoinHandle<T>) -> T {
        match self {
            HandleWait::Usual => handle.join().expect("no panic"),
            HandleWait::With(wait) => handle.join_with(wait).expect("no panic"),
            HandleWait::Timeout => {
                let ended = handle.join_timeout(Duration::MAX);
                ended.unwrap_or_else(|_| panic!("that much time passed")).expect("no panic")
            }
        }
    }
}

/// Names the programs that hung or panicked.
struct Tell(u64, String);

impl Drop for Tell {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("programs with seed {}: {}", self.0, self.1);
        }
    }
}

/// Runs random programs, from one to three threads at a time, on one or two pools of one to four workers.
pub fn programs(order: &Order) -> String {
    // Ways to wait, whether there are chains, and how many spares.
    const GRAMMARS: [(&[Wait], bool, usize); 9] = [
        (&[], true, 500),
        (&[Wait::OwnScope, Wait::Park], true, 500),
        (&[Wait::Steal], false, 500),
        (&[Wait::Steal, Wait::OwnScope, Wait::Park], false, 500),
        (&[Wait::Steal], false, 0),
        (&[Wait::Steal], false, 2),
        (&[Wait::OwnScope, Wait::Park], false, 0),
        (&[Wait::OwnScope, Wait::Park], false, 2),
        (&[Wait::Steal, Wait::OwnScope, Wait::Park], false, 1),
    ];
    let (mut pieces, mut round) = (0, order.seed);
    for _ in (0..order.size).step_by(SHARE) {
        let mut random = Random::new(round);
        let workers: Vec<usize> = (0..random.below(2) + 1).map(|_| random.below(4) + 1).collect();
        let threads = random.below(3) + 1;
        let (waits, chains, spares) = GRAMMARS[round as usize % GRAMMARS.len()];
        let _tell =
            Tell(round, format!("workers {workers:?}, {threads} threads, waits {waits:?}, {spares} spares"));
        pieces += within(HANG, move || {
            let pool = |(name, &workers): (&str, &usize)| {
                Pool::builder().workers(workers).spares(spares).name(name).build().unwrap()
            };
            let pools = iter::zip(["first", "second"], &workers).map(pool).collect();
            let world = Arc::new(World { pools });
            let grammar = Grammar { pools: world.pools.len(), waits, chains, blocking: spares > 2 };
            (0..SHARE)
                .map(|_| {
                    let plans: Vec<_> = (0..threads).map(|_| grammar.plan(&mut random, DEPTH)).collect();
                    thread::scope(|scope| {
                        let run = |plan: &'_ Arc<Plan>| {
                            let (world, plan) = (Arc::clone(&world), Arc::clone(plan));
                            scope.spawn(move || world.run(&plan))
                        };
                        let threads: Vec<_> = plans.iter().map(run).collect();
                        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<u64>()
                    })
                })
                .sum::<u64>()
        });
        round += 1;
    }
    format!("{pieces} pieces")
}
