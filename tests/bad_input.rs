//! Each bad input gives its own error. The error's text says what was given and what is allowed. Nothing is allocated
//! or started for bad input.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::within;
use filch::{BuildError, CountLatch, Placement, Pool, PoolBuilder, SubmitError};

fn refused(builder: PoolBuilder) -> BuildError {
    within(Duration::from_secs(60), || builder.build().map(drop).expect_err("bad input was accepted"))
}

/// Checks that the error's text names each of `parts`.
fn says(error: &impl std::error::Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn no_workers() {
    let error = refused(Pool::builder().workers(0));
    assert!(matches!(error, BuildError::ZeroWorkers), "{error:?}");
    says(&error, &["0 workers", "at least 1"]);
}

#[test]
fn too_many_workers() {
    for given in [4_096, usize::MAX / 2 + 1, usize::MAX] {
        let error = refused(Pool::builder().workers(given));
        assert!(
            matches!(error, BuildError::TooManyWorkers { given: named, max: 4_095 } if named == given),
            "{error:?}"
        );
        says(&error, &[&given.to_string(), "4095"]);
    }
}

#[test]
fn a_core_that_is_not_there() {
    for core in [4_000, 1_000_000, usize::MAX] {
        let error = refused(Pool::builder().placement(Placement::List(vec![core])));
        assert!(
            matches!(&error, BuildError::CoreNotAllowed { core: named, .. } if *named == core),
            "{error:?}"
        );
        says(&error, &[&core.to_string(), "may use"]);
    }
}

#[test]
fn a_core_twice_and_none() {
    let pool = Pool::builder().workers(1).build().unwrap();
    let Some(core) = pool.stats().workers[0].pinned_to else { return };
    let error = refused(Pool::builder().placement(Placement::List(vec![core, core])));
    assert!(matches!(error, BuildError::CoreListedTwice { core: named } if named == core), "{error:?}");
    says(&error, &[&core.to_string(), "twice", "once"]);
    let error = refused(Pool::builder().placement(Placement::List(vec![])));
    assert!(matches!(error, BuildError::EmptyPlacement), "{error:?}");
    says(&error, &["at least 1"]);
}

#[test]
fn a_name_with_nul() {
    let error = refused(Pool::builder().name("a\0b"));
    assert!(matches!(&error, BuildError::NameContainsNul { name } if name == "a\0b"), "{error:?}");
    says(&error, &["a\\0b", "NUL"]);
}

#[test]
fn stacks() {
    let error = refused(Pool::builder().stack_size(0));
    assert!(matches!(error, BuildError::ZeroStackSize), "{error:?}");
    says(&error, &["0 bytes", "at least 1"]);
    let error = refused(Pool::builder().stack_size(usize::MAX));
    assert!(matches!(error, BuildError::StackSizeTooLarge { given: usize::MAX, .. }), "{error:?}");
    says(&error, &[&usize::MAX.to_string(), "at most"]);
}

#[test]
fn a_stack_that_the_system_refuses() {
    // More than an address space has for one stack, but less than what the builder refuses by itself.
    let error = refused(Pool::builder().workers(2).stack_size(usize::MAX / 8));
    assert!(matches!(error, BuildError::Spawn { worker: 0, .. }), "{error:?}");
    says(&error, &["worker 0"]);
    assert!(std::error::Error::source(&error).is_some(), "the system's error is not passed on");
}

#[test]
fn a_small_stack_is_rounded_up() {
    let pool = Pool::builder().workers(1).stack_size(1).build().unwrap();
    assert_eq!(within(Duration::from_secs(60), move || pool.install(|| 1)), 1);
}

#[test]
fn queues() {
    let pool = Pool::builder().workers(1).build().unwrap();
    let refused = |capacity: usize, concurrency: usize| {
        pool.queue()
            .capacity(capacity)
            .concurrency(concurrency)
            .build(|(): ()| ())
            .map(drop)
            .expect_err("bad input was accepted")
    };
    let error = refused(0, 1);
    assert!(matches!(error, BuildError::ZeroCapacity), "{error:?}");
    says(&error, &["0 jobs", "at least 1"]);
    let error = refused(usize::MAX, 1);
    assert!(matches!(error, BuildError::CapacityTooLarge { given: usize::MAX, .. }), "{error:?}");
    says(&error, &[&usize::MAX.to_string(), "67108864"]);
    let error = refused(1, 0);
    assert!(matches!(error, BuildError::ZeroConcurrency), "{error:?}");
    says(&error, &["concurrency of 0", "at least 1"]);
    pool.shutdown().unwrap();
    let error = refused(1, 1);
    assert!(matches!(error, BuildError::Closed), "{error:?}");
    says(&error, &["shut down"]);
}

#[test]
fn jobs_that_a_queue_has_no_room_for() {
    let pool = Pool::builder().workers(1).build().unwrap();
    for capacity in [1, 3] {
        let (begun, gate) = (Arc::new(CountLatch::new(1)), Arc::new(CountLatch::new(1)));
        let queue = pool.queue().capacity(capacity).build({
            let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
            move |job| {
                if job == 0 {
                    begun.count_down();
                    gate.wait();
                }
            }
        });
        let queue = queue.unwrap();
        queue.submit(0).unwrap();
        begun.wait();
        assert_eq!(queue.submit_all(1..=capacity).unwrap(), capacity);
        let error = queue.try_submit(7).unwrap_err();
        says(&error, &["full", &format!("holds {capacity} job")]);
        assert_eq!(error.into_inner(), 7);
        for timeout in [Duration::ZERO, Duration::from_micros(1_500)] {
            let error = queue.submit_timeout(8, timeout).unwrap_err();
            says(&error, &[&format!("capacity {capacity}"), &format!("{timeout:?}")]);
            assert!(format!("{error:?}").contains(&format!("capacity: {capacity}, timeout: {timeout:?}")));
            let SubmitError::Timeout(late) = error else { panic!("{error:?}") };
            assert_eq!((late.job, late.capacity, late.timeout), (8, capacity, timeout));
        }
        queue.close();
        for error in [queue.submit(9), queue.try_submit(9), queue.submit_timeout(9, Duration::MAX)] {
            let error = error.unwrap_err();
            says(&error, &["closed"]);
            assert_eq!(error.into_inner(), 9);
        }
        gate.count_down();
        queue.wait();
    }
}

#[test]
fn a_second_global_pool() {
    let first = Pool::builder().workers(1).build_global().unwrap();
    let error = Pool::builder().workers(1).build_global().map(drop).expect_err("a second global pool");
    assert!(matches!(error, BuildError::GlobalAlreadyBuilt), "{error:?}");
    says(&error, &["already"]);
    assert!(std::ptr::eq(first, Pool::global()));
}
