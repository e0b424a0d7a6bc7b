//! Where a panic goes, and when it ends the process.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use common::{child, pool, role, within};
use rayon_core::{ThreadPoolBuilder, broadcast, join, scope, scope_fifo, spawn, spawn_broadcast, spawn_fifo};

fn text_of<R>(f: impl FnOnce() -> R) -> String {
    let payload = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => return String::from("no panic"),
        Err(payload) => payload,
    };
    payload.downcast_ref::<&str>().map_or_else(|| String::from("no text"), |text| (*text).to_owned())
}

#[test]
fn what_nobody_waits_for_ends_the_process() {
    match role().as_deref() {
        None => {
            let cases = ["spawn", "spawn_fifo", "spawn_broadcast", "in a pool", "start", "exit", "handler"];
            for case in cases {
                let output = child("what_nobody_waits_for_ends_the_process", case, &[]);
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(!output.status.success(), "{case}: {errors}");
                #[cfg(unix)]
                {
                    use std::os::unix::process::ExitStatusExt;
                    assert_eq!(output.status.signal(), Some(6), "{case} aborts: {errors}");
                }
                assert!(errors.contains("boom"), "{case}: the panic is reported first: {errors}");
            }
            let output = child("what_nobody_waits_for_ends_the_process", "handled", &[]);
            assert!(output.status.success(), "{output:?}");
        }
        Some(case) => {
            let builder = ThreadPoolBuilder::new().num_threads(2);
            let mut kept = None;
            match case {
                "spawn" => spawn(|| panic!("boom")),
                "spawn_fifo" => spawn_fifo(|| panic!("boom")),
                "spawn_broadcast" => spawn_broadcast(|_| panic!("boom")),
                "in a pool" => pool(1).spawn(|| panic!("boom")),
                "start" => kept = builder.start_handler(|_| panic!("boom")).build().ok(),
                "exit" => drop(builder.exit_handler(|_| panic!("boom")).build().unwrap()),
                "handler" => {
                    builder.panic_handler(|_| panic!("again")).build().unwrap().spawn(|| panic!("boom"))
                }
                _ => {
                    let (done, ended) = channel();
                    let done = Mutex::new(done);
                    let handler = move |_| done.lock().unwrap().send(()).unwrap();
                    kept = builder.panic_handler(handler).build().ok();
                    kept.as_ref().unwrap().spawn(|| panic!("boom"));
                    return ended.recv().unwrap();
                }
            }
            // Another thread ends the process.
            loop {
                std::thread::park();
                assert!(kept.is_none() || case == "start");
            }
        }
    }
}

#[test]
fn the_first_side_of_a_join_wins() {
    assert_eq!(text_of(|| join(|| panic!("first"), || panic!("second"))), "first");
    assert_eq!(text_of(|| join(|| (), || panic!("second"))), "second");
    let ran = AtomicUsize::new(0);
    assert_eq!(text_of(|| join(|| panic!("first"), || ran.fetch_add(1, Ordering::Relaxed))), "first");
    assert_eq!(ran.into_inner(), 1, "the second side was run all the same");
}

#[test]
fn a_scope_ends_before_its_panic_goes_on() {
    within(|| {
        let ran = AtomicUsize::new(0);
        let seventh = || {
            scope(|s| {
                for job in 0..20 {
                    let ran = &ran;
                    s.spawn(move |_| {
                        ran.fetch_add(1, Ordering::Relaxed);
                        assert!(job != 7, "seventh");
                    });
                }
            });
        };
        assert_eq!((text_of(seventh).as_str(), ran.load(Ordering::Relaxed)), ("seventh", 20));
        let body = || {
            scope(|s| {
                s.spawn(|_| _ = ran.fetch_add(1, Ordering::Relaxed));
                panic!("the body")
            })
        };
        assert_eq!((text_of(body).as_str(), ran.load(Ordering::Relaxed)), ("the body", 21));
        assert_eq!(text_of(|| scope(|s| s.spawn(|_| panic!("spawned")))), "spawned");
        assert_eq!(text_of(|| scope_fifo(|s| s.spawn_fifo(|_| panic!("spawned")))), "spawned");
        let nested = || scope(|s| s.spawn(|s| s.spawn(|s| s.spawn(|_| panic!("three deep")))));
        assert_eq!(text_of(nested), "three deep");
    });
}

#[test]
fn of_a_broadcast_all_run_and_one_panic_goes_on() {
    within(|| {
        let ran = AtomicUsize::new(0);
        let pool = pool(7);
        let text = text_of(|| {
            pool.broadcast(|context| {
                ran.fetch_add(1, Ordering::Relaxed);
                assert!(context.index() % 2 == 1, "even");
            })
        });
        assert_eq!((text.as_str(), ran.into_inner()), ("even", 7));
    });
}

#[test]
fn a_handler_hears_of_each_and_goes_when_the_pool_has_ended() {
    within(|| {
        let (tell, told) = channel();
        let tell = Mutex::new(tell);
        let pool = ThreadPoolBuilder::new()
            .num_threads(7)
            .panic_handler(move |_| tell.lock().unwrap().send(()).unwrap())
            .build()
            .unwrap();
        pool.spawn_broadcast(|context| assert!(context.index() % 2 == 1, "even"));
        pool.spawn(|| {
            // These jobs are in the same pool, so their panics go to the same handler.
            (0..3).for_each(|_| spawn(|| panic!("spawned")));
        });
        drop(pool);
        assert_eq!(told.iter().count(), 4 + 3);
    });
}

#[test]
fn a_pool_survives() {
    within(|| {
        let pool = pool(2);
        for _ in 0..50 {
            assert_eq!(text_of(|| pool.install(|| -> u8 { panic!("installed") })), "installed");
            assert_eq!(pool.install(|| broadcast(|context| context.num_threads())), [2, 2]);
        }
    });
}
