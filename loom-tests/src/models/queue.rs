//! The bounded queue on a pool.

use super::staff::{self, Data};
use crate::Pool;
use crate::jobs::deque::Steal;
use crate::jobs::ring::{BLOCKED, CLOSED, DRAINING, NEEDS_RUNNER, Ring};
use crate::queue::core::{Again, CoreRef, Parts, Service};
use crate::queue::parcel::Parcel;
use crate::queue::runner_counts::{Runners, Size};
use crate::scheduler::worker::{Worker, WorkerStart};
use crate::system::parker::Parker;
use crate::system::unwind::Payload;
use crate::waiting::latch::{Signal, WaitList, Wake};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc as StdArc;
use std::time::Duration;

/// The handler, as a queue's builder would store it.
struct Handler<H>(H);

impl<H: Fn(usize) + Send + Sync> Service<usize> for Handler<H> {
    fn activate(&self, core: &CoreRef<usize>, worker: &Worker) {
        core.serve(worker, |job| (self.0)(job.open()));
    }

    fn run_one(&self, core: &CoreRef<usize>, worker: &Worker) -> bool {
        core.pop_and_run(worker, &mut |job: &mut Parcel<usize>| (self.0)(job.open()))
    }

    fn drop_user_code(&self) {}

    fn owners(&self) -> Vec<usize> {
        Vec::new()
    }

    fn end_states(&self, _: usize, _: &dyn Fn(Payload), _: Again) -> bool {
        true
    }
}

/// Makes a queue whose pool has no threads, only the returned starts.
fn alone<const N: usize>(
    capacity: usize,
    limit: usize,
    handler: impl Fn(usize) + Send + Sync + 'static,
) -> (CoreRef<usize>, [WorkerStart; N]) {
    let starts = staff::starts();
    let registry = Arc::clone(&starts[0].registry);
    let ring = Ring::new(capacity, NEEDS_RUNNER).expect("memory");
    (CoreRef::new(Parts { ring, limit, registry, service: Box::new(Handler(handler)), name: None }), starts)
}

/// Runs an activation, if there is one, and the jobs that it leaves.
fn run_one(worker: &Worker) -> bool {
    match worker.registry.injector.steal() {
        Steal::Success(job) => worker.run(job),
        Steal::Empty | Steal::Retry => return false,
    }
    while worker.run_own() {}
    true
}

/// Two workers take one activation each, if there is one, while the main thread submits the second of two jobs. At
/// the end the main thread runs the activations that are left.
fn two_workers(limit: usize, handler: impl Fn(usize) + Send + Sync + 'static) {
    let (core, starts) = alone::<3>(2, limit, handler);
    let [main, starts @ ..] = starts;
    core.submit(1).expect("an open queue");
    loom::explore();
    let workers = starts.map(|start| thread::spawn(move || staff::work(start, run_one)));
    core.submit(2).expect("an open queue");
    for worker in workers {
        worker.join().unwrap();
    }
    loom::stop_exploring();
    staff::work(main, |worker| while run_one(worker) {});
    assert!(core.is_idle(), "model: nobody comes for a job");
}

/// Proves: of two producers that find a queue of capacity 1 full, each is woken and gets its job in, whichever takes
/// the room first. Each job comes out once.
/// 3 threads (two producers that take a job out after they have put theirs in, and the one that takes the first), 3
/// preemptions; 623,421 executions. Without workers around it: those are in [`end_to_end`] and the models behind.
pub(super) fn backpressure() {
    two_through_a_full_ring::<1>(|_| ());
}

/// Proves: the same, where each producer naps before it has itself woken, until both slots are free. It is woken by the
/// pop that frees the second slot, or sees at the end of its nap the room that was made meanwhile, or is woken later.
/// 3 threads as in [`backpressure`], 1 preemption; 136,926 executions.
pub(super) fn naps() {
    two_through_a_full_ring::<2>(|core| {
        assert!(core.runners.attach(1));
        // A producer naps only if the jobs take long, but not very long.
        (0..60).for_each(|_| core.pace.note(Duration::from_micros(20)));
        assert!(core.nap(None).is_some(), "model: nobody naps");
    });
}

fn two_through_a_full_ring<const CAPACITY: usize>(prepare: impl FnOnce(&CoreRef<usize>)) {
    let (core, [_]) = alone(CAPACITY, 1, |_| unreachable!("nobody calls a runner"));
    core.ring.unflag_tail(NEEDS_RUNNER);
    prepare(&core);
    fn take(core: &CoreRef<usize>) -> usize {
        let mut job = Parcel::empty();
        // There is a job for each that takes one, but a look at an old tail may not show it.
        let flags = loop {
            match core.ring.pop(&mut job) {
                Some(flags) => break flags,
                None => thread::yield_now(),
            }
        };
        core.note_room(flags);
        job.open()
    }
    for job in 0..CAPACITY {
        core.submit(job).expect("an open queue");
    }
    loom::explore();
    let producers = [10, 20].map(|job| {
        let core = core.clone();
        thread::spawn(move || {
            core.submit(job).expect("an open queue");
            take(&core)
        })
    });
    let mut sum: usize = (0..CAPACITY).map(|_| take(&core)).sum();
    for producer in producers {
        sum += producer.join().unwrap();
    }
    assert_eq!(sum, 30 + CAPACITY * (CAPACITY - 1) / 2, "model: jobs lost or doubled");
}

/// Proves: a producer that finds a queue of capacity 1 full is woken. All jobs run once, in order. `wait` returns
/// when all jobs have ended, and not before.
/// 2 threads (producer, worker), 2 preemptions; 195,993 executions, from the first submission to the end of the wait.
/// 3 do not end in time, nor with a third thread; [`two_producers`] has one, with 1 preemption.
pub(super) fn end_to_end() {
    let pool = staff::pool(1);
    let last = Arc::new(AtomicUsize::new(0));
    let queue = {
        let last = Arc::clone(&last);
        let handler = move |n: usize| assert_eq!(last.swap(n, Ordering::Relaxed), n - 1);
        pool.queue().capacity(1).build(handler).expect("a queue")
    };
    loom::explore();
    for n in 1..=2 {
        queue.submit(n).expect("an open queue");
    }
    queue.wait();
    assert_eq!(last.load(Ordering::Relaxed), 2);
    loom::stop_exploring();
    drop(queue);
    let report = pool.shutdown().expect("a shutdown from outside");
    assert_eq!((report.run, report.panicked), (2, 0));
}

/// As [`end_to_end`], with two producers that both may wait for room.
/// 3 threads, 1 preemption; 845,563 executions, from the first submission to the end of the wait.
pub(super) fn two_producers() {
    let pool = staff::pool(1);
    let sum = Arc::new(AtomicUsize::new(0));
    let queue = {
        let sum = Arc::clone(&sum);
        let handler = move |n: usize| {
            sum.fetch_add(n, Ordering::Relaxed);
        };
        pool.queue().capacity(1).build(handler).expect("a queue")
    };
    loom::explore();
    let producer = {
        let queue = queue.clone();
        thread::spawn(move || queue.submit(1).expect("an open queue"))
    };
    queue.submit(2).expect("an open queue");
    producer.join().unwrap();
    queue.wait();
    assert_eq!(sum.load(Ordering::Relaxed), 3);
    loom::stop_exploring();
    drop(queue);
    pool.shutdown().expect("a shutdown from outside");
}

/// Proves: a job submitted to a queue while its pool shuts down has run when the shutdown returns, or was handed
/// back.
/// 3 threads, 2 preemptions; 70,620 executions.
pub(super) fn submit_vs_shutdown() {
    let pool = staff::pool(1);
    let runs = Arc::new(AtomicUsize::new(0));
    let queue = {
        let runs = Arc::clone(&runs);
        let handler = move |(): ()| {
            runs.fetch_add(1, Ordering::Relaxed);
        };
        pool.queue().capacity(1).build(handler).expect("a queue")
    };
    let submitter = thread::spawn(move || queue.submit(()).is_ok());
    pool.shutdown().expect("a shutdown from outside");
    let ran = runs.load(Ordering::Relaxed);
    let accepted = submitter.join().unwrap();
    assert_eq!(ran, usize::from(accepted), "accepted: {accepted}");
    assert_eq!(runs.load(Ordering::Relaxed), ran, "a job ran after the shutdown");
}

/// Proves: a wait lasts until the jobs submitted before it have ended, even if the runner is just about to wake an
/// earlier wait.
/// 2 threads, 2 preemptions; 136,716 executions, from the second wait to the end of the third.
pub(super) fn wait_again() {
    let pool = staff::pool(1);
    let ran = Arc::new(AtomicUsize::new(0));
    let queue = {
        let ran = Arc::clone(&ran);
        let handler = move |(): ()| {
            ran.fetch_add(1, Ordering::Relaxed);
        };
        pool.queue().capacity(2).build(handler).expect("a queue")
    };
    queue.submit(()).expect("an open queue");
    loom::explore();
    queue.wait();
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    queue.wait();
    queue.submit(()).expect("an open queue");
    queue.wait();
    assert_eq!(ran.load(Ordering::Relaxed), 2, "a wait ended before the job that it waits for");
    loom::stop_exploring();
    drop(queue);
    pool.shutdown().expect("a shutdown from outside");
}

/// Proves: two runners of one queue share its jobs, and no job is overlooked by both runners and its producer.
/// 3 threads (producer, two workers that take an activation each), 1 preemption; 62,072 executions, from the second
/// submission to when both have gone. With 2 preemptions, once: 2,218,710 executions, 174 s, nothing found.
pub(super) fn two_runners() {
    let sum = StdArc::new(AtomicUsize::new(0));
    let handler = {
        let sum = StdArc::clone(&sum);
        move |n| {
            sum.fetch_add(n, Ordering::Relaxed);
        }
    };
    two_workers(2, handler);
    assert_eq!(sum.load(Ordering::Relaxed), 3);
}

/// Proves: each job of a serial queue sees what the jobs before it did, and two jobs never run at once, whichever of
/// two workers runs them.
/// 3 threads, as [`two_runners`], 4 preemptions; 12,501 executions.
pub(super) fn serial() {
    let ended = StdArc::new(AtomicUsize::new(0));
    let handler = {
        let ended = StdArc::clone(&ended);
        move |n| {
            // Two steps, not one: a job that begins before the previous one has ended reads the wrong number.
            assert_eq!(ended.load(Ordering::Relaxed), n - 1, "in order, one at a time");
            ended.store(n, Ordering::Relaxed);
        }
    };
    two_workers(1, handler);
    assert_eq!(ended.load(Ordering::Relaxed), 2);
}

/// Proves: a job that one of two runners moves to the overflow, at the moment when the other runner leaves, is not
/// overlooked by both.
/// 2 threads, 4 preemptions; 11,232 executions, without a pool.
pub(super) fn aside() {
    let ran = StdArc::new(AtomicUsize::new(0));
    let handler = {
        let ran = StdArc::clone(&ran);
        move |n| {
            ran.fetch_add(n, Ordering::Relaxed);
        }
    };
    let (core, [start]) = alone(1, 2, handler);
    core.ring.unflag_tail(NEEDS_RUNNER);
    core.submit(1).expect("an open queue");
    assert!(core.runners.attach(2) && core.runners.attach(2));
    let other = {
        let core = core.clone();
        thread::spawn(move || core.detach(false))
    };
    core.overflow_oldest();
    other.join().unwrap();
    staff::work(start, |worker| while run_one(worker) {});
    assert_eq!(ran.load(Ordering::Relaxed), 1, "model: nobody comes for a job");
}

/// Proves: a runner that takes the only place, called or not, sees what the runner before it did.
/// 2 threads, exhaustive; 10 executions, without a queue.
pub(super) fn places() {
    let shared = Arc::new((Runners::new(), Data::new()));
    let (runners, data) = &*shared;
    assert!(runners.attach(1));
    let other = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (runners, data) = &*shared;
            let size = Size { limit: 1, useful: 1 };
            if runners.attach(1) || runners.call(size).is_some() && runners.begin(1) {
                assert_eq!(data.read(), 1, "model: two at a time");
            }
        })
    };
    data.write();
    let _ = runners.detach(false);
    other.join().unwrap();
}

/// Proves: a handler that submits to its own full queue goes on, while another producer fills the queue. All jobs
/// run, one after the other.
/// 2 threads (producer, worker), from the second submission to the end of the wait.
/// 2 threads, 1 preemption; 100,825 executions.
pub(super) fn circle() {
    let pool = staff::pool(1);
    let sum = Arc::new(AtomicUsize::new(0));
    let own: Arc<std::sync::Mutex<Option<crate::Queue<usize>>>> = Arc::new(std::sync::Mutex::new(None));
    let queue = {
        let (sum, own) = (Arc::clone(&sum), Arc::clone(&own));
        let handler = move |n: usize| {
            assert_eq!(sum.load(Ordering::Relaxed) & 1, 0, "a job inside another");
            sum.fetch_add(1, Ordering::Relaxed);
            if n == 4 {
                let own = own.lock().unwrap().clone().expect("a queue that is built");
                own.submit(8).expect("an open queue");
            }
            sum.fetch_add(n - 1, Ordering::Relaxed);
        };
        pool.queue().capacity(1).build(handler).expect("a queue")
    };
    *own.lock().unwrap() = Some(queue.clone());
    queue.submit(4).expect("an open queue");
    loom::explore();
    queue.submit(2).expect("an open queue");
    queue.wait();
    assert_eq!(sum.load(Ordering::Relaxed), 14);
    loom::stop_exploring();
    own.lock().unwrap().take();
    drop(queue);
    pool.shutdown().expect("a shutdown from outside");
}

/// Proves: a worker that finds a serial queue full serves the queue itself, or sleeps and is woken when the other
/// worker makes room or leaves.
/// 3 threads (two workers; the main one waits for the job), from the second submission to the end.
/// 3 threads, 2 preemptions; 207,455 executions.
pub(super) fn worker_waits() {
    let pool = staff::pool(2);
    let sum = Arc::new(AtomicUsize::new(0));
    let queue = {
        let sum = Arc::clone(&sum);
        let handler = move |n: usize| {
            let before = sum.load(Ordering::Relaxed);
            sum.store(before + n, Ordering::Relaxed);
        };
        pool.queue().capacity(1).concurrency(1).build(handler).expect("a queue")
    };
    let inside = queue.clone();
    pool.install(move || {
        inside.submit(1).expect("an open queue");
        loom::explore();
        inside.submit(2).expect("an open queue");
    });
    queue.wait();
    assert_eq!(sum.load(Ordering::Relaxed), 3);
    loom::stop_exploring();
    drop(queue);
    pool.shutdown().expect("a shutdown from outside");
}

/// Proves: a waiter that finds nothing in the ring finds the runner that took the job still active, or sees the end
/// of that job.
/// 2 threads (the runner, the waiter), exhaustive; 308 executions, without a pool.
///
/// The `gate` orders nothing. Without it loom does not explore the interleaving that matters: for a thread's
/// exchange, loom takes the thread's own load before it as the last access to the word. Both sides change the gate,
/// the waiter between its two accesses and the runner behind its own, so loom tries both orders of these changes.
pub(super) fn idle() {
    let shared = Arc::new((Ring::new(1, 0).expect("memory"), Runners::new(), AtomicUsize::new(0), Data::new()));
    let (ring, runners, gate, data) = &*shared;
    assert!(ring.push_value((), 0).is_ok());
    let waiter = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (ring, runners, gate, data) = &*shared;
            runners.note_awaited();
            gate.fetch_add(1, Ordering::Relaxed);
            if runners.have_ended(ring) {
                assert_eq!(data.read(), 1, "model: a wait ended before the job that it waits for");
            }
        })
    };
    assert!(runners.attach(1));
    assert!(ring.pop_value().is_some());
    gate.fetch_add(1, Ordering::Relaxed);
    data.write();
    let _ = runners.detach(false);
    waiter.join().unwrap();
}

/// As [`idle`], with two runners that have a job each. A thread that finds the queue idle, be it a runner that leaves
/// or the waiter, sees the end of both jobs. At least one of the three finds the queue idle; a runner counts only if
/// it sees the waiter.
/// 3 threads, 3 preemptions; 21,452 executions, without a pool.
pub(super) fn idle_two() {
    let shared = Arc::new((
        Ring::new(2, 0).expect("memory"),
        Runners::new(),
        AtomicUsize::new(0),
        [Data::new(), Data::new()],
    ));
    type Shared = (Ring<usize>, Runners, AtomicUsize, [Data; 2]);
    fn check((_, _, _, data): &Shared) {
        let read = data.each_ref().map(Data::read);
        assert_eq!(read, [1, 1], "model: a queue was taken for idle before a job had ended");
    }
    fn run(shared: &Shared) -> bool {
        let (ring, runners, gate, data) = shared;
        assert!(runners.attach(2));
        let (job, _) = ring.pop_value().expect("a job for each");
        gate.fetch_add(1, Ordering::Relaxed);
        data[job].write();
        let counts = runners.detach(false);
        let idle = counts.active() == 0 && runners.have_ended(ring);
        if idle {
            check(shared);
        }
        idle && counts.awaited()
    }
    for job in 0..2 {
        assert!(shared.0.push_value(job, 0).is_ok());
    }
    let other = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || run(&shared))
    };
    let waiter = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (ring, runners, gate, _) = &*shared;
            runners.note_awaited();
            gate.fetch_add(1, Ordering::Relaxed);
            let idle = runners.have_ended(ring);
            if idle {
                check(&shared);
            }
            idle
        })
    };
    let found = [run(&shared), other.join().unwrap(), waiter.join().unwrap()];
    assert!(found.contains(&true), "model: somebody waits for a queue that is idle");
}

/// Proves: a queue that drains is not closed while one of its handlers submits, also if the runner leaves the new job
/// to another runner. The queue is closed when that job has run.
/// 2 threads (a worker that helps with one job, the one that asks for the close), exhaustive; 11,732 executions,
/// without a pool.
pub(super) fn drain() {
    let shared = Arc::new((Ring::new(2, 0).expect("memory"), Runners::new(), AtomicUsize::new(0)));
    let (ring, runners, gate) = &*shared;
    assert!(ring.push_value(1, 0).is_ok());
    let closer = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (ring, runners, gate) = &*shared;
            ring.flag_tail(DRAINING);
            runners.note_awaited();
            ring.close_drained(|| {
                gate.fetch_add(1, Ordering::Relaxed);
                runners.have_ended(ring)
            })
        })
    };
    assert!(runners.attach(1));
    assert!(ring.pop_value().is_some());
    gate.fetch_add(1, Ordering::Relaxed);
    assert!(ring.push_value(2, CLOSED).is_ok(), "model: a handler's own job was refused");
    let _ = runners.detach(false);
    assert!(!closer.join().unwrap(), "model: closed with a job in it");
    assert!(runners.attach(1));
    assert!(ring.pop_value().is_some());
    let counts = runners.detach(false);
    assert!(counts.awaited() && ring.close_drained(|| runners.have_ended(ring)));
    assert!(ring.push_value(3, CLOSED).is_err(), "model: open and idle");
}
