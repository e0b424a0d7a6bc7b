//! What the machine promises about time.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use filch_lab_machine::{
    AtomicBool, AtomicU32, AtomicUsize, Costs, Instant, Mutex, Report, Time, barrier, fence, micros, nanos,
    run, spin_loop, thread, wait, wake, work,
};

/// Costs of which only the given ones are not nothing.
fn free() -> Costs {
    Costs {
        hit: 0,
        rmw: 0,
        transfer: 0,
        stream: 0,
        occupied: 0,
        fence: 0,
        pause: nanos(1),
        clock: 0,
        call: 0,
        wake: 0,
        shallow: 0,
        deep_after: Time::MAX,
        deep: 0,
        switch: 0,
        slice: micros(100),
        tick: micros(100),
        timer_slack: 0,
        barrier: 0,
        barrier_each: 0,
        interrupt: 0,
        spawn: 0,
    }
}

fn start<T: Send + 'static>(name: &str, f: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().name(name.to_owned()).spawn(f).expect("threads cost nothing")
}

/// Runs threads of `each` on `cores`, bound to the core that `core` names, if it names one.
fn threads<const N: usize>(cores: usize, each: [(Option<usize>, Time); N]) -> Report {
    run(cores, free(), 1, move || {
        let threads: Vec<_> = each
            .into_iter()
            .map(|(core, time)| {
                start("thread", move || {
                    thread::bind(core);
                    work(time);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    })
}

#[test]
fn threads_on_cores_of_their_own_run_at_the_same_time() {
    assert_eq!(threads(4, [(None, micros(50)), (None, micros(70)), (None, micros(60))]).time, micros(70));
}

#[test]
fn threads_on_one_core_share_it() {
    assert_eq!(threads(2, [(Some(0), micros(50)), (Some(0), micros(70))]).time, micros(120));
}

#[test]
fn a_thread_makes_way_after_its_slice() {
    let ended = |first: usize| {
        let ends = Rc::new(Cell::new([0; 2]));
        let told = Rc::clone(&ends);
        run(1, free(), 1, move || {
            let lengths = [micros(1000), micros(10)];
            let long = start("long", move || (work(lengths[first]), Instant::now()).1);
            let short = start("short", move || (work(lengths[1 - first]), Instant::now()).1);
            let begun = Instant::now();
            let [long, short] = [long, short].map(|thread| thread.join().expect("it does not panic"));
            told.set([long, short].map(|end| end.duration_since(begun).as_micros()));
        });
        ends.get()
    };
    // The short one waits for a slice of the long one at most, and not for its end.
    let [long, short] = ended(0);
    assert!(short <= 220 && long == 1010, "{long} {short}");
    assert_eq!(ended(1), [10, 1010]);
}

#[test]
fn a_free_core_takes_a_thread_that_waits_elsewhere_unless_it_is_bound() {
    let free_threads = threads(2, [(None, micros(300)), (None, micros(300)), (None, micros(300))]);
    assert!(free_threads.time <= micros(600), "{}", free_threads.time);
    let bound = threads(2, [(Some(0), micros(300)), (Some(0), micros(300)), (Some(0), micros(300))]);
    assert_eq!(bound.time, micros(900));
}

#[test]
fn the_report_says_who_had_which_core_when() {
    let report = threads(2, [(Some(1), micros(50)), (Some(1), micros(70))]);
    let on = |core: usize| report.spans.iter().filter(move |span| span.core == core);
    assert_eq!(on(1).map(|span| span.end - span.begin).sum::<Time>(), micros(120));
    let mut last = 0;
    for span in on(1) {
        assert!(span.begin >= last && span.thread > 0, "{span:?}");
        last = span.end;
    }
    assert_eq!(last, report.time);
}

#[test]
fn a_core_runs_one_thread_at_a_time_and_no_join_ends_early() {
    let report = run(3, Costs::default(), 1, || {
        let word = Arc::new(AtomicU32::new(0));
        for round in 0..200 {
            let threads: Vec<_> = (0..5)
                .map(|number| {
                    let word = Arc::clone(&word);
                    start("thread", move || {
                        wait(&word, round, Some(Duration::from_micros(3 * number)));
                        work(nanos(1_700 * number + 900));
                        word.fetch_max(round + 1, Ordering::AcqRel);
                        wake(&word);
                        let begun = Instant::now();
                        work(nanos(17_300));
                        begun + Duration::from_nanos(17_300)
                    })
                })
                .collect();
            for thread in threads {
                let end = thread.join().expect("it does not panic");
                assert!(Instant::now() >= end, "a join returned before its thread's end");
            }
        }
    });
    let mut last = [0; 3];
    let mut spans = report.spans.clone();
    spans.sort_by_key(|span| span.begin);
    for span in spans {
        assert!(span.begin >= last[span.core] && span.end >= span.begin, "{span:?}");
        last[span.core] = span.end;
    }
}

#[test]
fn a_thread_that_used_up_its_slice_goes_to_an_idle_core() {
    let report = run(2, free(), 1, || {
        // It runs where the first thread is, which may run anywhere.
        let bound = start("bound", || {
            thread::bind(Some(0));
            work(micros(1000));
        });
        work(micros(1000));
        bound.join().expect("it does not panic");
    });
    assert!(report.time <= micros(1200), "{}", report.time);
}

#[test]
#[should_panic(expected = "these threads wait for ever: main")]
fn a_time_out_that_the_clock_does_not_reach_never_comes() {
    run(1, Costs::default(), 1, || wait(&AtomicU32::new(0), 0, Some(Duration::MAX)));
}

#[test]
fn a_sleep_ends_by_a_wake_or_its_time() {
    run(2, Costs::default(), 1, || {
        let word = Arc::new(AtomicU32::new(0));
        let begun = Instant::now();
        wait(&word, 0, Some(Duration::from_micros(100)));
        let slept = begun.elapsed();
        assert!(slept >= Duration::from_micros(100) && slept < Duration::from_micros(250), "{slept:?}");
        // The word has another value: there is no sleep.
        wait(&word, 1, None);
        let waker = {
            let word = Arc::clone(&word);
            start("waker", move || {
                work(micros(500));
                word.store(1, Ordering::Release);
                wake(&word);
            })
        };
        let begun = Instant::now();
        while word.load(Ordering::Acquire) == 0 {
            wait(&word, 0, Some(Duration::from_millis(10)));
        }
        let slept = begun.elapsed();
        assert!(slept >= Duration::from_micros(500) && slept < Duration::from_micros(700), "{slept:?}");
        waker.join().expect("it does not panic");
    });
}

#[test]
fn a_lock_is_held_by_one_and_waited_for_without_a_spin() {
    let report = run(4, Costs::default(), 1, || {
        let lock = Arc::new(Mutex::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lock = Arc::clone(&lock);
                start("holder", move || {
                    for _ in 0..10 {
                        let mut held = lock.lock().expect("nobody panics");
                        let seen = *held;
                        work(micros(20));
                        *held = seen + 1;
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
        assert_eq!(*lock.lock().expect("nobody panics"), 40);
    });
    assert!(report.time >= micros(800), "{}", report.time);
    assert!(report.counts.sleeps > 10);
}

#[test]
fn a_fence_on_all_cores_interrupts_those_that_run() {
    let costs = Costs { barrier: micros(1), barrier_each: micros(6), interrupt: micros(5), ..free() };
    let report = run(4, costs, 1, || {
        let stop = Arc::new(AtomicBool::new(false));
        let spinner = {
            let stop = Arc::clone(&stop);
            start("spinner", move || {
                while !stop.load(Ordering::Acquire) {
                    spin_loop();
                }
            })
        };
        work(micros(10));
        let begun = Instant::now();
        barrier();
        assert_eq!(begun.elapsed(), Duration::from_micros(7));
        stop.store(true, Ordering::Release);
        spinner.join().expect("it does not panic");
    });
    assert_eq!(report.counts.barriers, 1);
    assert_eq!(report.threads[1].1.interrupted, micros(5));
    assert_eq!(report.threads[0].1.interrupted, 0);
}

#[test]
fn fences_without_end_let_the_others_go_on() {
    // Each interrupt takes longer than the call.
    let costs = Costs { interrupt: micros(5), hit: nanos(1), ..free() };
    run(2, costs, 1, || {
        let done = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&done);
        let worker = start("worker", move || {
            (0..10).for_each(|_| work(micros(1)));
            told.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            barrier();
        }
        worker.join().expect("it does not panic");
    });
}

#[test]
fn a_fence_waits_for_the_stores_before_it() {
    let costs = Costs { transfer: micros(1), ..free() };
    run(2, costs, 1, || {
        let word = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&word);
        start("other", move || {
            thread::bind(Some(1));
            other.store(1, Ordering::Relaxed);
        })
        .join()
        .expect("it does not panic");
        thread::bind(Some(0));
        let begun = Instant::now();
        word.store(2, Ordering::Relaxed);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        fence(Ordering::SeqCst);
        assert_eq!(begun.elapsed(), Duration::from_micros(1));
    });
}

#[test]
fn a_panic_reaches_who_joins() {
    run(1, Costs::default(), 1, || {
        let thread = start("panics", || {
            if Instant::now().elapsed() < Duration::MAX {
                std::panic::resume_unwind(Box::new(7))
            }
        });
        let payload = thread.join().expect_err("it panicked");
        assert_eq!(payload.downcast_ref::<i32>(), Some(&7));
    });
}

#[test]
#[should_panic(expected = "these threads wait for ever: main, sleeper")]
fn threads_that_wait_for_ever_are_named() {
    run(1, Costs::default(), 1, || {
        let sleeper = start("sleeper", || wait(&AtomicU32::new(0), 0, None));
        sleeper.join().expect("it never ends");
    });
}

#[test]
fn a_seed_decides_all() {
    let run = |seed| {
        run(4, Costs::default(), seed, || {
            let words: Arc<[AtomicUsize; 2]> = Arc::default();
            let threads: Vec<_> = (0..6)
                .map(|number| {
                    let words = Arc::clone(&words);
                    start("thread", move || {
                        for step in 0..200 {
                            words[step % 2].fetch_add(number, Ordering::Relaxed);
                            if step % 50 == 0 {
                                thread::sleep(Duration::from_micros(10));
                            }
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
        })
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).time, run(2).time);
}
