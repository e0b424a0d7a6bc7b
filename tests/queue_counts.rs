//! What a queue reports of itself: its counts, its name, and where a panic was.

mod common;

use std::sync::mpsc::channel;
use std::thread;

use common::{Gate, LIMIT, fail, within};
use filch::Pool;

#[test]
fn exact_when_idle_and_adding_up_always() {
    const PRODUCERS: usize = 3;
    const JOBS: usize = 20_000;

    within(LIMIT, || {
        let pool = Pool::builder().workers(2).panic_handler(|_| {}).build().unwrap();
        for capacity in [1, 10, 1024] {
            let handler = |job: usize| {
                if job % 100 == 7 {
                    fail(job)
                }
            };
            let queue = pool.queue().capacity(capacity).build(handler).unwrap();
            assert_eq!(queue.counts(), filch::QueueCounts::default());
            let producers: Vec<_> = (0..PRODUCERS)
                .map(|_| {
                    let queue = queue.clone();
                    thread::spawn(move || queue.submit_all(0..JOBS).unwrap())
                })
                .collect();
            let mut last = queue.counts();
            while producers.iter().any(|producer| !producer.is_finished()) {
                let now = queue.counts();
                assert_eq!(now.accepted, now.waiting + now.running + now.done, "{now:?}");
                assert!(now.accepted <= (PRODUCERS * JOBS) as u64 && now.panicked <= now.done, "{now:?}");
                assert!(now.done >= last.done && now.panicked >= last.panicked, "{last:?}, then {now:?}");
                assert!(now.running <= 2, "{now:?}");
                last = now;
            }
            queue.wait();
            let counts = queue.counts();
            assert_eq!((counts.accepted, counts.done), ((PRODUCERS * JOBS) as u64, (PRODUCERS * JOBS) as u64));
            assert_eq!((counts.waiting, counts.running), (0, 0));
            assert_eq!(counts.panicked, (PRODUCERS * JOBS / 100) as u64);
        }
    });
}

#[test]
fn those_that_wait_and_run() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let (gate, (began, begun)) = (Gate::default(), channel());
        let held = gate.clone();
        let queue = pool
            .queue()
            .build(move |(): ()| {
                began.send(()).unwrap();
                held.wait();
            })
            .unwrap();
        queue.submit_all((0..5).map(|_| ())).unwrap();
        begun.recv().unwrap();
        begun.recv().unwrap();
        let counts = queue.counts();
        assert_eq!((counts.accepted, counts.waiting, counts.running, counts.done), (5, 3, 2, 0));
        gate.open();
    });
}

#[test]
fn a_panic_is_told_where_it_was() {
    within(LIMIT, || {
        let (tell, told) = channel();
        let pool = Pool::builder()
            .workers(1)
            .panic_handler(|_| panic!("the later call counts"))
            .on_panic(move |_, at| {
                assert_eq!(at.task(), None);
                tell.send((at.queue().map(str::to_owned), at.worker())).unwrap();
            })
            .build()
            .unwrap();
        let named = pool.queue().name("named").build(fail_any).unwrap();
        assert_eq!(named.name(), Some("named"));
        let stateful =
            pool.queue().worker_state(|_| fail(1)).name("stateful").build(|(): &mut (), _: usize| {}).unwrap();
        let nameless = pool.queue().build(fail_any).unwrap();
        assert_eq!(nameless.name(), None);
        for (queue, name) in [(&named, Some("named")), (&stateful, Some("stateful")), (&nameless, None)] {
            queue.submit(1).unwrap();
            assert_eq!(told.recv().unwrap(), (name.map(str::to_owned), Some(0)));
        }
        pool.execute(|| fail(1)).unwrap();
        assert_eq!(told.recv().unwrap(), (None, Some(0)));
    });
}

fn fail_any(job: usize) {
    fail(job)
}

#[test]
fn the_later_handler_counts() {
    within(LIMIT, || {
        let (tell, told) = channel();
        let pool = Pool::builder()
            .workers(1)
            .on_panic(|_, _| panic!("the later call counts"))
            .panic_handler(move |_| tell.send(()).unwrap())
            .build()
            .unwrap();
        pool.execute(|| fail(1)).unwrap();
        told.recv().unwrap();
    });
}
