//! Is a job of a queue held up that comes alone, or as the last of a few?
//!
//! *Alone*: a queue at rest gets one job. The time is that from before the submission to the handler's first
//! instruction. *A burst*: eight jobs of a millisecond come at once, two workers take them, and nothing comes after
//! them. The time is that from before the first submission to the end of the last job; the ideal is 4 ms. Beside a
//! filch queue stand two threads behind a crossbeam channel of the same capacity.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::{Contender, Round, ask, rounds, scaled, settle};

const WORKERS: usize = 2;

const BURST: u64 = 8;

/// What becomes of a job.
type Handler = Arc<dyn Fn(Instant) + Send + Sync>;

/// Calls `f` with a function that submits a job to a queue of this capacity. Each job is the moment of its submission.
fn with_filch(capacity: usize, handler: Handler, f: impl FnOnce(&dyn Fn(Instant)) -> Round) -> Round {
    let pool = filch::Pool::builder().workers(WORKERS).build().expect("a pool");
    let queue = pool.queue().capacity(capacity).build(move |job| handler(job)).expect("a queue");
    settle();
    let round = f(&|job| queue.submit(job).expect("an open queue"));
    drop((queue, pool));
    settle();
    round
}

fn with_channel(capacity: usize, handler: Handler, f: impl FnOnce(&dyn Fn(Instant)) -> Round) -> Round {
    let (sender, receiver) = crossbeam_channel::bounded(capacity);
    let work = |_| {
        let (receiver, handler) = (receiver.clone(), Arc::clone(&handler));
        thread::spawn(move || receiver.iter().for_each(|job| handler(job)))
    };
    let threads: Vec<_> = (0..WORKERS).map(work).collect();
    settle();
    let round = f(&|job| sender.send(job).expect("an open channel"));
    drop(sender);
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    settle();
    round
}

/// Times jobs that come one by one, each after the queue has rested for a millisecond.
fn alone(submit: &dyn Fn(Instant), waited: &AtomicU64) -> Round {
    let times = (0..scaled(100, 5)).map(|_| {
        thread::sleep(Duration::from_millis(1));
        waited.store(0, SeqCst);
        submit(Instant::now());
        // Sleeping, so that this thread leaves its core.
        thread::sleep(Duration::from_micros(300));
        while waited.load(SeqCst) == 0 {
            spin_loop();
        }
        Duration::from_nanos(waited.load(SeqCst))
    });
    Round { times: times.collect(), jobs: Vec::new() }
}

/// Times bursts of jobs, each after a rest.
fn bursts(submit: &dyn Fn(Instant), ended: &AtomicU64) -> Round {
    let times = (0..scaled(10, 1)).map(|_| {
        thread::sleep(Duration::from_millis(1));
        ended.store(0, SeqCst);
        let start = Instant::now();
        (0..BURST).for_each(|_| submit(start));
        thread::sleep(Duration::from_millis(2));
        // The last to end leaves the longest time.
        while ended.load(SeqCst) >> 56 < BURST {
            thread::sleep(Duration::from_micros(100));
        }
        Duration::from_nanos(ended.load(SeqCst) & ((1 << 56) - 1))
    });
    Round { times: times.collect(), jobs: Vec::new() }
}

fn lone(c: &mut Criterion) {
    for capacity in [1, 10, 1024] {
        let waited = Arc::new(AtomicU64::new(0));
        let handler: Handler = {
            let waited = Arc::clone(&waited);
            Arc::new(move |submitted| waited.store(submitted.elapsed().as_nanos() as u64, SeqCst))
        };
        let contenders = vec![
            Contender::ours("filch", || with_filch(capacity, handler.clone(), |submit| alone(submit, &waited))),
            Contender::peer("crossbeam-channel", || {
                with_channel(capacity, handler.clone(), |submit| alone(submit, &waited))
            }),
        ];
        ask(c, &format!("a lone job, capacity {capacity}"), 1, rounds(20), contenders);
    }
}

fn burst(c: &mut Criterion) {
    for capacity in [1, 10, 1024] {
        // The number of jobs that have ended, above the time at which the last one did.
        let ended = Arc::new(AtomicU64::new(0));
        let handler: Handler = {
            let ended = Arc::clone(&ended);
            Arc::new(move |start| {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(1) {
                    spin_loop();
                }
                let time = start.elapsed().as_nanos() as u64;
                let _ = ended.fetch_update(SeqCst, SeqCst, |before| {
                    Some(((before >> 56) + 1) << 56 | time.max(before & ((1 << 56) - 1)))
                });
            })
        };
        let contenders = vec![
            Contender::ours("filch", || with_filch(capacity, handler.clone(), |submit| bursts(submit, &ended))),
            Contender::peer("crossbeam-channel", || {
                with_channel(capacity, handler.clone(), |submit| bursts(submit, &ended))
            }),
        ];
        ask(c, &format!("a burst of {BURST} jobs of 1 ms, capacity {capacity}"), 1, rounds(10), contenders);
    }
}

criterion_group!(benches, lone, burst);
criterion_main!(benches);
