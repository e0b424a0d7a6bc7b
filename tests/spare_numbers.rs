//! A spare has the number of the worker that it stands in for, wherever users are told a number. A job that a spare
//! runs for a lent thread that has gone does not count as a wait.

mod common;

use std::sync::mpsc::channel;

use common::{LIMIT, until, within};
use filch::Pool;

#[test]
fn a_panic_on_a_spare_is_told_with_the_number_of_its_worker() {
    within(LIMIT, || {
        let (tell, told) = channel();
        let pool = Pool::builder()
            .workers(1)
            .spares(1)
            .on_panic(move |_, at| tell.send((at.worker(), at.queue().map(str::to_owned))).unwrap())
            .build()
            .unwrap();
        let queue = pool.queue().name("on a spare").build(|()| panic!("on purpose")).unwrap();
        // The only worker blocks in this job, so all other jobs run on the spare.
        let from_outside = |pool: &Pool| {
            pool.execute(|| panic!("on purpose")).unwrap();
            assert_eq!(told.recv().unwrap(), (Some(0), None));
            queue.submit(()).unwrap();
            assert_eq!(told.recv().unwrap(), (Some(0), Some("on a spare".to_owned())));
        };
        let (block, blocked) = channel::<()>();
        let (began, begun) = channel();
        let waits = pool.spawn(move || {
            filch::blocking(|| {
                began.send(()).unwrap();
                let _ = blocked.recv();
            });
        });
        begun.recv().unwrap();
        from_outside(&pool);
        drop(block);
        waits.join().unwrap();
        // The handler is told before the queue's runner counts the job.
        until(|| pool.stats().run_by_spares == 2);
        assert_eq!(pool.stats().panicked_on_spares, 2);
    });
}

#[test]
fn what_runs_for_a_lent_thread_that_has_gone_is_no_wait() {
    within(LIMIT, || {
        for spares in [0, 2] {
            let builder = Pool::builder().workers(2).spares(spares).use_current_thread();
            let pool = std::thread::spawn(|| builder.build().unwrap()).join().unwrap();
            // Worker 0 was the lent thread, which has ended. A spare takes its turn, or the thread that comes first.
            assert_eq!(pool.broadcast(|index| index), [0, 1]);
            let stats = pool.stats();
            // The caller is outside the pool and sleeps: no job waits.
            assert_eq!((stats.waits, stats.waits_helped), (0, 0), "with {spares} spares");
        }
    });
}
