//! Waits for a queue's end that have a timeout.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use common::{Gate, LIMIT, text_of, until, within};
use filch::{Pool, Queue};

const MOMENT: Duration = Duration::from_millis(5);

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

fn gates(pool: &Pool) -> Queue<Gate> {
    pool.queue().concurrency(1).build(|gate: Gate| gate.wait()).unwrap()
}

#[test]
fn it_says_whether_the_queue_has_ended() {
    within(LIMIT, || {
        let pool = pool(2);
        let queue = gates(&pool);
        for timeout in [Duration::ZERO, MOMENT, Duration::MAX] {
            assert!(queue.wait_timeout(timeout), "nothing was submitted");
        }
        for round in 0..100 {
            let gate = Gate::default();
            queue.submit(gate.clone()).unwrap();
            assert!(!queue.wait_timeout(Duration::ZERO));
            let start = Instant::now();
            assert!(!queue.wait_timeout(Duration::from_micros(round)));
            assert!(start.elapsed() >= Duration::from_micros(round));
            // One more job waits in the ring.
            queue.submit(gate.clone()).unwrap();
            assert!(!queue.wait_timeout(Duration::ZERO));
            gate.open();
            assert!(queue.wait_timeout(Duration::MAX));
            assert!(queue.wait_timeout(Duration::ZERO), "and nothing came since");
        }
        // A wait for a closed queue, and for a queue of a pool that has ended.
        queue.close();
        assert!(queue.wait_timeout(MOMENT));
        pool.shutdown().unwrap();
        assert!(queue.wait_timeout(Duration::ZERO) && queue.wait_timeout(MOMENT));
    });
}

/// A waiter that gave up is forgotten. A waiter that goes on waiting is woken.
#[test]
fn others_wait_on() {
    within(LIMIT, || {
        let pool = pool(1);
        let (queue, gate) = (gates(&pool), Gate::default());
        queue.submit(gate.clone()).unwrap();
        let (entering, entered) = channel();
        let waiters: Vec<_> = [LIMIT * 10, Duration::MAX]
            .map(|timeout| {
                let (queue, entering) = (queue.clone(), entering.clone());
                thread::spawn(move || {
                    entering.send(()).unwrap();
                    queue.wait_timeout(timeout)
                })
            })
            .into_iter()
            .collect();
        waiters.iter().for_each(|_| entered.recv().unwrap());
        for _ in 0..20 {
            assert!(!queue.wait_timeout(Duration::from_micros(50)));
        }
        gate.open();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    });
}

/// A worker that waits runs other jobs meanwhile, and gives up when its time is up.
#[test]
fn on_a_worker() {
    within(LIMIT, || {
        let pool = pool(1);
        let other = Pool::builder().workers(1).build().unwrap();
        let (queue, gate) = (gates(&other), Gate::default());
        queue.submit(gate.clone()).unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        pool.install(|| {
            assert!(!queue.wait_timeout(Duration::ZERO));
            assert!(!queue.wait_timeout(MOMENT));
            let runs = Arc::clone(&ran);
            let opens = move || {
                runs.fetch_add(1, Ordering::SeqCst);
                gate.open();
            };
            pool.execute(opens).unwrap();
            assert!(queue.wait_timeout(Duration::MAX), "the job that opens it was run meanwhile");
        });
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn in_a_job_of_the_same_queue_it_panics() {
    within(LIMIT, || {
        let pool = pool(1);
        let own: Arc<OnceLock<Queue<Duration>>> = Arc::default();
        let texts = Arc::new(AtomicUsize::new(0));
        let (handle, seen) = (Arc::clone(&own), Arc::clone(&texts));
        let handler = move |timeout| {
            let queue = handle.get().unwrap();
            let payload = catch_unwind(AssertUnwindSafe(|| queue.wait_timeout(timeout))).unwrap_err();
            assert!(text_of(&*payload).contains("a job of the same queue"));
            seen.fetch_add(1, Ordering::SeqCst);
        };
        let queue = own.get_or_init(|| pool.queue().build(handler).unwrap());
        for timeout in [Duration::ZERO, MOMENT, Duration::MAX] {
            queue.submit(timeout).unwrap();
        }
        queue.wait();
        until(|| texts.load(Ordering::SeqCst) == 3);
        pool.shutdown().unwrap();
    });
}
