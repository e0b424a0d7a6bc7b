//! What a host does to a pool: signals, stops, masks that change, limits, pools by the thousand, submissions to a
//! pool that is gone. Each in a process of its own, with exact counts.
#![cfg(target_os = "linux")]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use common::{Alive, CHILD_LIMIT, LIMIT, Ledger, passes_in_child, threads_named, until, within};
use filch::{Placement, Pool, Queue};

/// The threads of this process.
fn threads() -> Vec<libc::pid_t> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Bytes of memory that this process has in use, to the page.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// A pool and a queue on it, whose jobs are marked in a ledger, under every kind of use until `stop`.
struct Busy {
    pool: Pool,
    queue: Queue<usize>,
    ran: Arc<Ledger>,
    begun: AtomicUsize,
}

impl Busy {
    const JOBS: usize = 2_000_000;

    fn new() -> Busy {
        let pool = Pool::builder().workers(2).name("busy").build().unwrap();
        let ran = Ledger::new(Self::JOBS);
        let marks = Arc::clone(&ran);
        let queue = pool.queue().capacity(16).build(move |job| marks.mark(job)).unwrap();
        Busy { pool, queue, ran, begun: AtomicUsize::new(0) }
    }

    /// Puts jobs in, with rests in which the workers sleep, while `disturb` does its work on another thread.
    fn run(self, disturb: impl FnOnce() + Send) {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                disturb();
                stop.store(true, Ordering::SeqCst);
            });
            while !stop.load(Ordering::SeqCst) {
                let first = self.begun.fetch_add(20, Ordering::Relaxed);
                if first + 20 > Self::JOBS {
                    self.begun.fetch_sub(20, Ordering::Relaxed);
                    thread::yield_now();
                    continue;
                }
                for job in (first..first + 20).step_by(4) {
                    self.queue.submit(job).unwrap();
                    let marks = Arc::clone(&self.ran);
                    self.pool.execute(move || marks.mark(job + 1)).unwrap();
                    self.pool.install(|| self.ran.mark(job + 2));
                    let marks = Arc::clone(&self.ran);
                    self.pool.spawn(move || marks.mark(job + 3)).join().unwrap();
                }
            }
        });
        self.queue.wait();
        let report = self.pool.shutdown().unwrap();
        let begun = self.begun.into_inner();
        assert_eq!((report.run, self.ran.ran()), (begun as u64, begun));
        assert!((0..begun).all(|job| self.ran.marks(job) == 1));
    }
}

/// 100,000 signals whose handler interrupts whatever the threads are in, waits in the system among it.
#[test]
fn a_storm_of_signals() {
    static HANDLED: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn handler(_: libc::c_int) {
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }

    passes_in_child("a_storm_of_signals", "", || {
        within(CHILD_LIMIT, || {
            // SAFETY: plain old data, for which zeros are no flags: without SA_RESTART, so that calls end early.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler as *const () as usize;
            // SAFETY: the handler does nothing but an atomic addition; the pointer outlives the call.
            let code = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
            assert_eq!(code, 0);
            let busy = Busy::new();
            let victims = threads();
            busy.run(move || {
                let process = std::process::id().cast_signed();
                for round in 0..100_000 {
                    let victim = victims[round % victims.len()];
                    // SAFETY: sends a signal that is handled; no memory is touched.
                    unsafe { libc::syscall(libc::SYS_tgkill, process, victim, libc::SIGUSR1) };
                }
            });
            assert!(HANDLED.load(Ordering::Relaxed) > 1_000, "the signals came through");
        });
    });
}

/// The whole process is stopped and goes on, in the middle of whatever it does.
#[test]
fn stopped_and_continued() {
    passes_in_child("stopped_and_continued", "", || {
        within(CHILD_LIMIT, || {
            Busy::new().run(|| {
                let process = std::process::id();
                let script =
                    format!("for i in $(seq 200); do kill -STOP {process}; kill -CONT {process}; done");
                assert!(Command::new("sh").arg("-c").arg(script).status().unwrap().success());
            });
        });
    });
}

/// Binds a thread, 0 for the calling one, to `cores`.
fn bind(thread: libc::pid_t, cores: &[usize]) {
    // SAFETY: plain old data, for which zeros are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &core in cores {
        // SAFETY: the core comes from the system and is in the set's range.
        unsafe { libc::CPU_SET(core, &mut set) };
    }
    // SAFETY: the pointer and the size describe `set`, which the call only reads.
    let code = unsafe { libc::sched_setaffinity(thread, size_of_val(&set), &raw const set) };
    assert!(code == 0 || thread != 0, "the mask was refused");
}

/// The cores that the calling thread may use.
fn cores() -> Vec<usize> {
    // SAFETY: plain old data, for which zeros are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer and the size describe `set`, which outlives the call.
    let code = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    assert_eq!(code, 0);
    // SAFETY: each number is in the set's range.
    (0..1024).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
}

/// A process that may use one core, each in turn: one worker, bound to it, and that is what is reported.
#[test]
fn confined_to_one_core() {
    for core in cores().into_iter().take(2) {
        let variable = format!("FILCH_TEST_CORE={core}; export FILCH_TEST_CORE");
        passes_in_child("confined_to_one_core", &variable, || {
            let core = std::env::var("FILCH_TEST_CORE").unwrap().parse().unwrap();
            within(CHILD_LIMIT, move || {
                bind(0, &[core]);
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

/// All threads are sent from core to core while they work.
#[test]
fn masks_that_change() {
    passes_in_child("masks_that_change", "", || {
        within(CHILD_LIMIT, || {
            let all = cores();
            let busy = Busy::new();
            let victims = threads();
            busy.run(|| {
                for round in 0..2_000 {
                    let mask = if round % 3 == 2 { &all[..] } else { &all[round % all.len()..][..1] };
                    victims.iter().for_each(|&thread| bind(thread, mask));
                }
            });
        });
    });
}

/// Ten thousand pools, a quarter of them dropped with jobs under way, leave no thread, no file and no memory.
#[test]
fn pools_by_the_thousand() {
    passes_in_child("pools_by_the_thousand", "", || {
        within(LIMIT, || {
            const POOLS: usize = 10_000;
            let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            let alive = Alive::default();
            let mut base = None;
            for round in 0..POOLS {
                let pool = Pool::builder().workers(1 + round % 2).name("mayfly").build().unwrap();
                if round % 4 == 0 {
                    let queue = pool.queue().capacity(4).build(drop::<common::Token>).unwrap();
                    for _ in 0..10 {
                        let token = alive.token();
                        pool.execute(move || drop(token)).unwrap();
                        queue.submit(alive.token()).unwrap();
                    }
                }
                if round % 2 == 0 {
                    drop(pool);
                } else {
                    pool.shutdown().unwrap();
                }
                assert_eq!(alive.count(), 0, "in round {round}");
                if round == POOLS / 5 {
                    // The allocator and the collector of retired deques have what they need.
                    until(|| threads_named("mayfly") == 0);
                    base = Some((threads().len(), files(), resident()));
                }
            }
            until(|| threads_named("mayfly") == 0);
            let (threads_then, files_then, memory_then) = base.unwrap();
            assert_eq!((threads().len(), files()), (threads_then, files_then));
            let grown = resident().saturating_sub(memory_then);
            assert!(grown < 4 << 20, "{grown} bytes more than after a fifth of them");
        });
    });
}

/// What a closed pool does not take costs nothing that lasts.
#[test]
fn a_million_submissions_in_vain() {
    passes_in_child("a_million_submissions_in_vain", "", || {
        within(CHILD_LIMIT, || {
            let pool = Pool::builder().workers(1).build().unwrap();
            let queue = pool.queue().capacity(4).build(|_: [usize; 8]| ()).unwrap();
            pool.shutdown().unwrap();
            let refuse = |times: usize| {
                for number in 0..times {
                    let ballast = [number; 8];
                    let closed = pool.execute(move || _ = ballast).unwrap_err();
                    closed.into_inner()();
                    assert_eq!(queue.submit(ballast).unwrap_err().into_inner(), ballast);
                    assert!(pool.try_install(|| ()).is_err());
                    assert!(pool.spawn(move || ballast).join().unwrap_err().is_closed());
                }
            };
            refuse(1_000);
            let base = resident();
            refuse(250_000);
            let grown = resident().saturating_sub(base);
            assert!(grown < 1 << 20, "{grown} bytes");
        });
    });
}

/// The system refuses each thread but the first few, for every number of those: what was started ends, and the
/// error is the system's.
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
