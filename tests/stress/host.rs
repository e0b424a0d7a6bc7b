//! What a host does to a pool while it works: signals, stops, masks that change, memory that runs out. The counts are
//! exact.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use filch::{CountLatch, Pool, Queue};

use crate::Order;
use crate::common::cores::{bind, cores};
use crate::common::{Ledger, Random, stacks};
use crate::watch;

fn threads() -> Vec<libc::pid_t> {
    stacks::threads(std::process::id())
}

/// A pool and a queue on it, under every kind of use while `run` lasts. A ledger marks the queue's jobs.
pub struct Busy {
    pool: Pool,
    queue: Queue<usize>,
    ran: Arc<Ledger>,
    begun: AtomicUsize,
}

impl Busy {
    const JOBS: usize = 2_000_000;

    pub fn new() -> Busy {
        let pool = Pool::builder().workers(2).name("busy").build().unwrap();
        let ran = Ledger::new(Self::JOBS);
        let marks = Arc::clone(&ran);
        let queue = pool.queue().capacity(16).build(move |job| marks.mark(job)).unwrap();
        Busy { pool, queue, ran, begun: AtomicUsize::new(0) }
    }

    /// Puts jobs in while `disturb` does its work on another thread. Between the jobs are rests in which the workers
    /// sleep.
    pub fn run(self, disturb: impl FnOnce() + Send) -> String {
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
        format!("{begun} jobs meanwhile")
    }
}

/// Signals interrupt the threads in whatever they do, also in waits in the system.
pub fn signals(order: &Order) -> String {
    static HANDLED: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn handler(_: libc::c_int) {
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }

    // SAFETY: `sigaction` is plain old data, and zeros are valid for it. They mean no flags: without SA_RESTART,
    // calls end early.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    // SAFETY: the handler does nothing but an atomic addition. The pointer outlives the call, and the old action may
    // be null.
    let code = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(code, 0);
    let busy = Busy::new();
    let victims = threads();
    let mut random = Random::new(order.seed);
    let note = busy.run(|| {
        let process = std::process::id().cast_signed();
        for _ in 0..order.size {
            let victim = victims[random.below(victims.len())];
            // SAFETY: the call sends a signal that is handled; no memory is touched.
            unsafe { libc::syscall(libc::SYS_tgkill, process, victim, libc::SIGUSR1) };
        }
    });
    let handled = HANDLED.load(Ordering::Relaxed);
    // Pending signals of one thread merge into one. But each thread is sent some, and at least one of them arrives.
    assert!(handled >= victims.len(), "{handled} signals came through");
    format!("{note}, {handled} signals handled")
}

/// The whole process is stopped and goes on, in the middle of whatever it does.
pub fn stopped(order: &Order) -> String {
    Busy::new().run(|| {
        let process = std::process::id();
        // A little time passes between two stops. Without it nothing would be going on that a stop could interrupt.
        let script = format!(
            "for i in $(seq {}); do kill -STOP {process}; kill -CONT {process}; sleep 0.001; done",
            order.size
        );
        assert!(Command::new("sh").arg("-c").arg(script).status().unwrap().success());
    })
}

/// All threads are moved from core to core while they work.
pub fn masks(order: &Order) -> String {
    let all = cores();
    let busy = Busy::new();
    let victims = threads();
    let mut random = Random::new(order.seed);
    busy.run(|| {
        for _ in 0..order.size {
            let one = random.below(all.len());
            let mask = if random.below(3) == 0 { &all[..] } else { &all[one..][..1] };
            victims.iter().for_each(|&thread| bind(thread, mask));
        }
    })
}

/// Each process may have a little more memory than it had at the start. It gets an error, ends by an abort, or comes
/// through. None hangs.
pub fn memory_limits(order: &Order) -> String {
    let mut random = Random::new(order.seed);
    let mut ends = [0; 3];
    for round in 0..order.size {
        // Evenly over the orders of magnitude, from nothing to all that a process may want.
        let bytes = (4 << 10 << random.below(16)) + random.below(64 << 10);
        let order = Order { size: bytes, seed: order.seed + round as u64, long: order.long };
        let mut child = watch::command("starved", &order, Duration::from_secs(60));
        let output = child.env("RUST_BACKTRACE", "0").output().expect("a child process");
        match (output.status.code(), output.status.signal()) {
            (Some(0), _) => ends[0] += 1,
            (Some(1), _) => ends[1] += 1,
            (_, Some(libc::SIGABRT)) => ends[2] += 1,
            _ => panic!(
                "{bytes} bytes, seed {}: {}: {}",
                order.seed,
                output.status,
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }
    format!("{} came through, {} got an error, {} aborted", ends[0], ends[1], ends[2])
}

/// Does everything that allocates, again and again, in the memory that is in use and `size` bytes more.
pub fn starved(order: &Order) -> String {
    // SAFETY: `alarm` has no preconditions. SIGALRM ends the process by default, and so shows a hang to the parent.
    unsafe { libc::alarm(30) };
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let mapped = statm.split(' ').next().unwrap().parse::<usize>().unwrap() * 4096;
    let limit = libc::rlimit { rlim_cur: (mapped + order.size) as libc::rlim_t, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a limit that outlives the call, and the call only reads it.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let mut random = Random::new(order.seed);
    let done = (0..5).try_for_each(|_| use_it(&mut random));
    // SAFETY: `_exit` ends the process; there is nothing to clean up.
    unsafe { libc::_exit(i32::from(done.is_err())) }
}

fn use_it(random: &mut Random) -> Result<(), Box<dyn std::error::Error>> {
    let pool = Pool::builder().workers(1 + random.below(4)).stack_size(256 << 10).build()?;
    let jobs = 1 + random.below(5_000);
    let latch = Arc::new(CountLatch::new(2 * jobs));
    let counts = Arc::clone(&latch);
    let capacity = 1 << random.below(20);
    let queue = pool.queue().capacity(capacity).build(move |_: [u8; 64]| counts.count_down())?;
    for job in 0..jobs {
        let (ballast, counts) = ([job; 20], Arc::clone(&latch));
        let run = move || {
            _ = ballast;
            counts.count_down();
        };
        pool.execute(run).map_err(|closed| closed.reason().to_string())?;
        queue.submit([0; 64])?;
    }
    latch.wait();
    pool.spawn(|| vec![1; 10_000]).join()?;
    pool.install(|| filch::scope(|scope| (0..jobs).for_each(|job| scope.spawn(move |_| drop(vec![job; 10])))));
    pool.shutdown()?;
    Ok(())
}
