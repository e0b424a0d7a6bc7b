//! What does a job cost that goes through a bounded queue of typed values?
//!
//! One producer, which is no worker, puts in jobs that carry a number; workers add the numbers up. The workers exist
//! and sleep when the clock starts. It runs from before the first job until all have ended. The last question asks
//! for the producer's part alone: there the clock stops when the last job was accepted. The contenders send plain
//! values, as the Go seed does: a queue of boxed closures answers another question. filch's workers are bound to
//! cores, as is its default; the others' are where the system puts them.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use filch::{Pool, Queue};
use filch_benches::{Contender, Go, GoRound, Ledger, Round, ask, rounds, scaled, settle};

/// The job of the Go seed.
struct Job {
    id: u64,
}

#[derive(Clone, Copy)]
struct Setup {
    capacity: usize,
    workers: usize,
    jobs: u64,
    timed: Timed,
}

/// The moment that stops the clock.
#[derive(Clone, Copy)]
enum Timed {
    Accepted,
    Ended,
}

impl Setup {
    fn ids(self) -> impl Iterator<Item = Job> {
        (0..self.jobs).map(|id| Job { id })
    }

    fn round(self, accepted: Duration, ended: Duration, ledger: &Ledger) -> Round {
        let time = match self.timed {
            Timed::Accepted => accepted,
            Timed::Ended => ended,
        };
        Round { times: vec![time], jobs: ledger.check(self.jobs) }
    }

    /// Runs a round on a filch pool, on which `submit` puts all jobs into the queue.
    fn filch(self, submit: impl Fn(&Queue<Job>)) -> Round {
        let ledger = Ledger::default();
        let pool = Pool::builder().workers(self.workers).build().expect("a pool");
        let queue = pool
            .queue()
            .capacity(self.capacity)
            .worker_state({
                let ledger = ledger.clone();
                move |_| ledger.account()
            })
            .build(|account, job: Job| account.enter(job.id))
            .expect("a queue");
        settle();
        let start = Instant::now();
        submit(&queue);
        let accepted = start.elapsed();
        queue.close();
        queue.wait();
        let ended = start.elapsed();
        // The queue goes first: it drops its worker states, and so their accounts, when its last user is gone.
        drop(queue);
        pool.shutdown().expect("a shutdown from outside");
        drop(pool);
        self.round(accepted, ended, &ledger)
    }

    fn submit(self) -> Round {
        self.filch(|queue| {
            for job in self.ids() {
                queue.submit(job).expect("an open queue");
            }
        })
    }

    fn submit_all(self) -> Round {
        self.filch(|queue| {
            queue.submit_all(self.ids()).expect("an open queue");
        })
    }

    /// Runs a round on threads that receive from one channel until the channel is closed, and then meet at a barrier.
    fn crossbeam(self) -> Round {
        let ledger = Ledger::default();
        let (sender, receiver) = crossbeam_channel::bounded::<Job>(self.capacity);
        let done = Arc::new(Barrier::new(self.workers + 1));
        let workers: Vec<_> = (0..self.workers)
            .map(|_| {
                let (receiver, done, mut account) = (receiver.clone(), Arc::clone(&done), ledger.account());
                thread::spawn(move || {
                    for job in receiver {
                        account.enter(job.id);
                    }
                    done.wait();
                })
            })
            .collect();
        settle();
        let start = Instant::now();
        for job in self.ids() {
            sender.send(job).expect("an open channel");
        }
        let accepted = start.elapsed();
        drop(sender);
        done.wait();
        let ended = start.elapsed();
        for worker in workers {
            worker.join().expect("a worker that did not panic");
        }
        self.round(accepted, ended, &ledger)
    }
}

fn go_round(go: &mut Go, Setup { capacity, workers, jobs, .. }: Setup) -> Round {
    let (spent, jobs) = go.round(GoRound { capacity, workers, producers: 1, jobs, micros: 0 });
    settle();
    Round { times: vec![spent.wall], jobs }
}

fn contenders(setup: Setup) -> Vec<Contender<'static>> {
    vec![
        Contender::ours("submit", move || setup.submit()),
        Contender::ours("submit_all", move || setup.submit_all()),
        Contender::peer("crossbeam-channel", move || setup.crossbeam()),
    ]
}

fn queue(c: &mut Criterion) {
    let jobs = scaled(1_000_000, 20_000);
    let mut go = Go::start(env!("CARGO_TARGET_TMPDIR"));
    for (capacity, workers) in [(10, 2), (10, 3), (1024, 2), (1024, 3), (65_536, 2)] {
        let setup = Setup { capacity, workers, jobs, timed: Timed::Ended };
        let mut contenders: Vec<Contender<'_>> = contenders(setup);
        if let Some(go) = &mut go {
            contenders.push(Contender::peer("Go", || go_round(go, setup)));
        }
        let question = format!("queue, capacity {capacity}, {workers} workers");
        ask(c, &question, jobs, rounds(21), contenders);
    }
}

fn accept(c: &mut Criterion) {
    let jobs = scaled(1_000_000, 20_000);
    // The queue has room for all jobs, so the producer never waits.
    let setup = Setup { capacity: 1 << 20, workers: 2, jobs, timed: Timed::Accepted };
    ask(c, "queue, until accepted, 2 workers", jobs, rounds(21), contenders(setup));
}

criterion_group!(benches, queue, accept);
criterion_main!(benches);
