//! A host denies a pool cores and threads. Each test runs in a process of its own. (`stress` covers a host that
//! disturbs a pool at work.)
#![cfg(target_os = "linux")]

mod common;

use common::cores::{bind_process, cores};
use common::{CHILD_LIMIT, passes_in_child, threads_named, until, within};
use filch::{Placement, Pool};

/// In a process that may use only one core, a pool has one worker, bound to this core, and reports the core.
#[test]
fn confined_to_one_core() {
    for core in cores().into_iter().take(2) {
        let variable = format!("FILCH_TEST_CORE={core}; export FILCH_TEST_CORE");
        passes_in_child("confined_to_one_core", &variable, || {
            let core = std::env::var("FILCH_TEST_CORE").unwrap().parse().unwrap();
            within(CHILD_LIMIT, move || {
                bind_process(&[core]);
                let pool = Pool::new().unwrap();
                assert_eq!((pool.workers(), pool.stats().workers[0].pinned_to), (1, Some(core)));
                assert_eq!(pool.install(cores), [core]);
                let more = Pool::builder().workers(3).build().unwrap();
                let pinned = Vec::from_iter(more.stats().workers.iter().map(|worker| worker.pinned_to));
                assert_eq!(pinned, [Some(core), None, None], "more workers than cores");
                let absent = Pool::builder().placement(Placement::List(vec![core + 1])).build();
                let text = absent.map(drop).unwrap_err().to_string();
                assert!(text.contains(&format!("[{core}]")), "what is allowed: {text}");
                (0..1_000).for_each(|_| more.spawn(|| ()).join().unwrap());
            });
        });
    }
}

/// The system refuses thread number k, for each k. The threads that had started end, and the error is the system's.
#[test]
fn no_room_for_the_kth_thread() {
    const STACK: usize = 1 << 30;

    passes_in_child("no_room_for_the_kth_thread", "", || {
        within(CHILD_LIMIT, || {
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
            let mapped = statm.split(' ').next().unwrap().parse::<usize>().unwrap() * 4096;
            for k in 0..6 {
                // Room for k stacks and half of one more.
                let bytes = (mapped + k * STACK + STACK / 2) as libc::rlim_t;
                let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
                // SAFETY: the pointer is to a limit that outlives the call, which only reads it.
                assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
                let error = Pool::builder().workers(6).name("refused").stack_size(STACK).build();
                let error = error.map(drop).unwrap_err();
                let filch::BuildError::Spawn { worker, source } = error else { panic!("{error:?}") };
                assert_eq!((worker, source.raw_os_error()), (k, Some(libc::EAGAIN)), "{source}");
                until(|| threads_named("refused") == 0);
            }
        });
    });
}
