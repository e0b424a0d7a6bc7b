//! Pools work with the system's fence on all cores, without it, and where the system refuses it from the start or
//! later on.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{LIMIT, within};
use filch::{BuildError, Pool};

fn fib(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// Runs forks, scopes, closures and queues on a pool.
fn all_kinds(pool: &Pool) {
    for _ in 0..20 {
        assert_eq!(pool.install(|| fib(15)), 610);
    }
    let runs = AtomicUsize::new(0);
    pool.install(|| {
        filch::scope(|s| {
            for _ in 0..10_000 {
                s.spawn(|_| _ = runs.fetch_add(1, Ordering::Relaxed));
            }
        });
    });
    assert_eq!(runs.into_inner(), 10_000);
    let (send, receive) = std::sync::mpsc::channel();
    let queue = pool.queue().capacity(16).build(move |n: usize| send.send(n).unwrap()).unwrap();
    assert_eq!(queue.submit_all(0..1_000).unwrap(), 1_000);
    queue.wait();
    assert_eq!(receive.try_iter().sum::<usize>(), 499_500);
    let handles: Vec<_> = (0..100).map(|n| pool.spawn(move || n)).collect();
    assert_eq!(handles.into_iter().map(|handle| handle.join().unwrap()).sum::<usize>(), 4_950);
}

#[test]
fn without_them() {
    within(LIMIT, || {
        for workers in [1, 2, 3, 8] {
            let pool = Pool::builder().workers(workers).asymmetric_fences(false).build().unwrap();
            all_kinds(&pool);
            assert!(!pool.stats().asymmetric_fences);
        }
    });
}

#[test]
fn asked_for() {
    within(LIMIT, || match Pool::builder().workers(2).asymmetric_fences(true).build() {
        Ok(pool) => {
            assert!(pool.stats().asymmetric_fences, "they were granted before the build returned");
            all_kinds(&pool);
        }
        Err(error) => {
            assert!(matches!(error, BuildError::NoAsymmetricFences), "{error}");
            assert!(error.to_string().contains("only false is allowed"));
        }
    });
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod refused {
    use super::*;
    use common::{CHILD_LIMIT, passes_in_child};

    #[repr(C)]
    struct Instruction {
        code: u16,
        yes: u8,
        no: u8,
        value: u32,
    }

    #[repr(C)]
    struct Program {
        len: u16,
        first: *const Instruction,
    }

    /// Makes the kernel answer each later `membarrier` call in this process with `action`, on all threads.
    fn refuse(action: u32) {
        refuse_call(libc::SYS_membarrier, action);
    }

    /// Makes the kernel answer each later call of the number `call` in this process with `action`, on all threads.
    fn refuse_call(call: libc::c_long, action: u32) {
        const LOAD: u16 = 0x20;
        const IS_EQUAL: u16 = 0x15;
        const RETURN: u16 = 6;
        const ALLOW: u32 = 0x7fff_0000;
        const ALL_THREADS: libc::c_ulong = 1;
        const FILTER: libc::c_ulong = 1;
        let call = u32::try_from(call).unwrap();
        let instruction = |code, yes, no, value| Instruction { code, yes, no, value };
        let instructions = [
            instruction(LOAD, 0, 0, 0),
            instruction(IS_EQUAL, 0, 1, call),
            instruction(RETURN, 0, 0, action),
            instruction(RETURN, 0, 0, ALLOW),
        ];
        let program = Program { len: 4, first: instructions.as_ptr() };
        // SAFETY: the arguments are plain numbers.
        let allowed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        assert_eq!(allowed, 0);
        // SAFETY: `program` and its instructions live until the call has copied them.
        let set = unsafe { libc::syscall(libc::SYS_seccomp, FILTER, ALL_THREADS, &raw const program) };
        assert_eq!(set, 0);
    }

    const FAILS: u32 = 0x5_0000 | libc::ENOSYS as u32;
    const KILLS: u32 = 0x8000_0000;

    /// Runs the test `name` in a child process, because the refusal cannot be undone.
    fn alone(name: &str, body: impl FnOnce() + Send + 'static) {
        passes_in_child(&format!("refused::{name}"), "", || within(CHILD_LIMIT, body));
    }

    #[test]
    fn from_the_start() {
        alone("from_the_start", || {
            refuse(FAILS);
            for workers in [1, 2, 4] {
                let pool = Pool::builder().workers(workers).build().unwrap();
                all_kinds(&pool);
                assert!(!pool.stats().asymmetric_fences);
            }
            let asked = Pool::builder().workers(1).asymmetric_fences(true).build();
            assert!(matches!(asked, Err(BuildError::NoAsymmetricFences)));
        });
    }

    #[test]
    fn later() {
        alone("later", || {
            if let Err(BuildError::NoAsymmetricFences) = Pool::builder().asymmetric_fences(true).build() {
                eprintln!("nothing to refuse: this system has no such fence");
                return;
            }
            let pools = [1, 2, 4].map(|workers| {
                let pool = Pool::builder().workers(workers).asymmetric_fences(true).build().unwrap();
                all_kinds(&pool);
                pool
            });
            refuse(FAILS);
            for pool in &pools {
                for _ in 0..5 {
                    all_kinds(pool);
                }
            }
            let pool = Pool::builder().workers(4).build().unwrap();
            all_kinds(&pool);
            assert!(!pool.stats().asymmetric_fences, "by now somebody has asked in vain");
        });
    }

    /// A pool that binds no thread does not set masks either, also not for spares.
    #[test]
    fn by_death_for_setting_a_mask() {
        alone("by_death_for_setting_a_mask", || {
            refuse(KILLS);
            refuse_call(libc::SYS_sched_setaffinity, KILLS);
            let unpinned = filch::Placement::Unpinned;
            let builder = Pool::builder().workers(2).placement(unpinned).asymmetric_fences(false);
            let pool = builder.build().unwrap();
            all_kinds(&pool);
            let gate = std::sync::Arc::new(filch::CountLatch::new(1));
            let gate_too = std::sync::Arc::clone(&gate);
            let waits = pool.spawn(move || gate_too.wait());
            pool.spawn(move || gate.count_down()).join().unwrap();
            waits.join().unwrap();
            pool.install(|| filch::blocking(|| ()));
            assert!(pool.stats().waits > 0, "a spare stood in");
        });
    }

    #[test]
    fn by_death() {
        alone("by_death", || {
            refuse(KILLS);
            let pool = Pool::builder().workers(2).asymmetric_fences(false).build().unwrap();
            all_kinds(&pool);
        });
    }
}
