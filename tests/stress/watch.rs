//! Runs a case in a process of its own, under a watchdog. The child shows the stacks of its threads when its time is
//! up. If it cannot even do that, the parent shows what the system knows of the threads, and a debugger's view where
//! there is a debugger.

use std::cell::UnsafeCell;
#[cfg(target_os = "linux")]
use std::fmt::Write;
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::Order;
use crate::common::{Gate, within};

/// The time that a child has to show its stacks after its time is up.
const GRACE: Duration = Duration::from_secs(60);
const CHILD: &str = "--stress-child";

/// What the child was told.
pub struct Child {
    name: String,
    order: Order,
    limit: Duration,
}

impl Child {
    pub fn of_arguments() -> Option<Child> {
        let arguments = Vec::from_iter(std::env::args().skip(1));
        let [child, name, size, seed, long, limit] = arguments.as_slice() else { return None };
        let number = |text: &String| text.parse::<u64>().expect("a number from the parent");
        (child == CHILD).then(|| Child {
            name: name.clone(),
            order: Order { size: number(size) as usize, seed: number(seed), long: number(long) == 1 },
            limit: Duration::from_millis(number(limit)),
        })
    }

    pub fn run(self, find: impl Fn(&str) -> Option<fn(&Order) -> String>) -> ExitCode {
        let case = find(&self.name).expect("a case's name");
        println!("{}", within(self.limit, move || case(&self.order)));
        ExitCode::SUCCESS
    }
}

/// Returns the command that runs this program as the child for the case `name`.
pub fn command(name: &str, order: &Order, limit: Duration) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
    command.args([CHILD, name]);
    command.args(
        [order.size as u64, order.seed, order.long.into(), limit.as_millis() as u64].map(|n| n.to_string()),
    );
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// How a case ended.
pub struct Ended {
    pub passed: bool,
    /// The last line of its output, or the reason of its failure.
    pub note: String,
    pub output: String,
    pub time: Duration,
}

pub fn run(name: &str, order: &Order, limit: Duration) -> Ended {
    run_with_grace(name, order, limit, GRACE)
}

fn run_with_grace(name: &str, order: &Order, limit: Duration, grace: Duration) -> Ended {
    let began = Instant::now();
    let mut child = command(name, order, limit).spawn().expect("a child process");
    let process = child.id();
    let (ended, end) = channel();
    // Both pipes are read to their ends, however much the child prints.
    let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    thread::scope(|scope| {
        let read = |mut pipe: Box<dyn std::io::Read + Send>| {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            bytes
        };
        scope.spawn(move || {
            let errors = thread::spawn(move || read(Box::new(stderr)));
            let stdout = read(Box::new(stdout));
            let _ = ended.send((stdout, errors.join().expect("a thread that only reads")));
        });
        let (bytes, from_outside) = match end.recv_timeout(limit + grace) {
            Ok(bytes) => (bytes, None),
            Err(RecvTimeoutError::Disconnected) => unreachable!("it sends"),
            Err(RecvTimeoutError::Timeout) => {
                let seen = seen_from_outside(process);
                child.kill().expect("the child is ours");
                (end.recv().expect("it sends"), Some(seen))
            }
        };
        let status = child.wait().expect("the child is ours");
        let output = Output { status, stdout: bytes.0, stderr: bytes.1 };
        judge(&output, from_outside, began.elapsed())
    })
}

fn judge(output: &Output, from_outside: Option<String>, time: Duration) -> Ended {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let mut text = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let last = |text: &str| text.lines().last().unwrap_or_default().to_owned();
    let (passed, note) = match from_outside {
        None if output.status.success() => (true, last(&stdout)),
        None => (false, output.status.to_string()),
        Some(seen) => {
            text.push_str(&seen);
            (false, "hangs, and does not answer its watchdog".to_owned())
        }
    };
    Ended { passed, note, output: text, time }
}

/// Returns what the system knows of the threads of a process that does not answer, and what a debugger sees, if there
/// is one.
#[cfg(target_os = "linux")]
fn seen_from_outside(process: u32) -> String {
    use crate::common::stacks;

    let mut text = String::from("seen from outside:\n");
    for thread in stacks::threads(process) {
        let _ = writeln!(text, "{}", stacks::state(process, thread));
        // Only root may read this, and only where the kernel keeps it.
        let stack = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/stack"));
        text.push_str(&stack.unwrap_or_default());
    }
    let process = process.to_string();
    let gdb = ["-k", "5", "60", "gdb", "-p", &process, "-batch", "-nx", "-ex", "thread apply all backtrace 40"];
    match Command::new("timeout").args(gdb).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => text.push_str(&String::from_utf8_lossy(&output.stdout)),
        _ => text.push_str("no gdb here: with one, this would be the stacks\n"),
    }
    text
}

#[cfg(not(target_os = "linux"))]
fn seen_from_outside(_: u32) -> String {
    String::new()
}

/// A hidden case: a job waits for what nobody will do, and another thread waits for the job.
pub fn stuck(_: &Order) -> String {
    #[inline(never)]
    fn waits_for_nobody() {
        Gate::default().wait();
    }

    let pool = filch::Pool::builder().workers(2).name("stuck").build().expect("two threads");
    pool.spawn(waits_for_nobody).join().expect("it does not end");
    unreachable!("nobody opened the gate")
}

/// A hidden case: two jobs write one place without any order between them. Only a checker of races sees it.
pub fn race(_: &Order) -> String {
    struct Place(UnsafeCell<u64>);
    // SAFETY: this is unsound on purpose: `tsan.sh` runs it to see whether races are found.
    unsafe impl Sync for Place {}

    static PLACE: Place = Place(UnsafeCell::new(0));

    let pool = filch::Pool::builder().workers(2).build().expect("two threads");
    let both = Arc::new(Barrier::new(2));
    let write = |both: Arc<Barrier>, n: u64| {
        both.wait();
        for _ in 0..1_000 {
            // SAFETY: the pointer is to a static. The race is on purpose; on the machines that this runs on, a write
            // of one word is whole.
            unsafe { PLACE.0.get().write(n) };
            thread::yield_now();
        }
    };
    let handles = [1, 2].map(|n| {
        let both = Arc::clone(&both);
        pool.spawn(move || write(both, n))
    });
    handles.into_iter().for_each(|handle| handle.join().expect("it does not panic"));
    String::new()
}

/// A hidden case: the whole process stands still, and its watchdog with it.
#[cfg(target_os = "linux")]
pub fn frozen(_: &Order) -> String {
    let pool = filch::Pool::builder().workers(2).name("frozen").build().expect("two threads");
    // After this call the workers have come up, and have their names.
    drop(pool.stats());
    // SAFETY: `raise` has no preconditions, and touches no memory.
    unsafe { libc::raise(libc::SIGSTOP) };
    unreachable!("nobody lets it go on")
}

/// Panics unless the watchdog sees a hang, and shows where each thread is.
pub fn prove() {
    let order = Order { size: 0, seed: 0, long: false };
    let stuck = run("stuck", &order, Duration::from_millis(500));
    assert!(!stuck.passed && stuck.output.contains("hangs"), "{}: {}", stuck.note, stuck.output);
    // Only glibc's programs tell their threads' functions.
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        // The worker in the job, the worker that sleeps, and the thread that waits for the job, each with its
        // function.
        for shown in [
            "\"stuck-0\"",
            "\"stuck-1\"",
            "waits_for_nobody",
            "src/scheduler/worker/idle.rs",
            "src/tasks/spawn.rs",
        ] {
            assert!(stuck.output.contains(shown), "no {shown} in what the watchdog shows: {}", stuck.output);
        }
        let frozen = run_with_grace("frozen", &order, Duration::from_millis(500), Duration::from_millis(500));
        assert!(!frozen.passed, "{}", frozen.output);
        for shown in ["\"frozen-0\": T (stopped)", "\"frozen-1\": T (stopped)"] {
            assert!(
                frozen.output.contains(shown),
                "no {shown} in what is seen from outside: {}",
                frozen.output
            );
        }
    }
}
