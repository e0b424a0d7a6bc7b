//! Shared by the tests: a watchdog, a ledger of runs, expected panics, a tiny executor, child processes.

#![allow(dead_code, reason = "each test uses a part of it")]

#[cfg(any(target_os = "linux", target_os = "windows"))]
pub mod cores;
pub mod polls;
#[cfg(target_os = "linux")]
pub mod stacks;

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// The watchdog's limit. No test needs this long, however slow the machine: a test that takes longer hangs.
pub const LIMIT: Duration = Duration::from_secs(60);
/// The watchdog's limit in a child process. It is shorter than `LIMIT`, because the parent may wait for the child
/// under a `LIMIT`.
pub const CHILD_LIMIT: Duration = Duration::from_secs(20);

/// Runs `body` on a new thread and returns its result, or panics as `body` did. Panics if `body` has not ended after
/// `limit`: a hang fails only this test, and the test shows where all threads are.
#[track_caller]
pub fn within<R, F>(limit: Duration, body: F) -> R
where
    R: Send + 'static,
    F: FnOnce() -> R + Send + 'static,
{
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let (done, ended) = channel::<()>();
    let runner = thread::Builder::new()
        .name(name.clone())
        // Debug builds copy a closure of 1 MiB several times in each frame.
        .stack_size(256 << 20)
        .spawn(move || {
            let _done = done;
            body()
        })
        .expect("a thread for the test's body");
    match ended.recv_timeout(limit) {
        Ok(()) => unreachable!("nothing is sent"),
        Err(RecvTimeoutError::Timeout) => {
            #[cfg(target_os = "linux")]
            eprintln!("{name} hangs. All threads:\n{}", stacks::all());
            panic!("{name} hangs: it has not ended after {limit:?}")
        }
        Err(RecvTimeoutError::Disconnected) => match runner.join() {
            Ok(value) => value,
            Err(payload) => std::panic::resume_unwind(payload),
        },
    }
}

/// Yields the core until `condition` holds. The watchdog catches a condition that never holds.
pub fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// Holds threads up until it is opened. A worker that waits at a gate is blocked: it does not help.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub fn is_open(&self) -> bool {
        *self.0.0.lock().unwrap()
    }

    pub fn wait(&self) {
        let is_open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(is_open, |is_open| !*is_open).unwrap());
    }
}

/// Counts how often each of its jobs ran.
pub struct Ledger(Vec<AtomicU8>);

impl Ledger {
    pub fn new(jobs: usize) -> Arc<Ledger> {
        Arc::new(Ledger((0..jobs).map(|_| AtomicU8::new(0)).collect()))
    }

    pub fn mark(&self, job: usize) {
        assert!(self.0[job].fetch_add(1, Ordering::Relaxed) < 200, "job {job} runs again and again");
    }

    pub fn marks(&self, job: usize) -> u8 {
        self.0[job].load(Ordering::Relaxed)
    }

    /// The number of jobs that ran.
    pub fn ran(&self) -> usize {
        (0..self.0.len()).filter(|&job| self.marks(job) > 0).count()
    }

    /// Sets all counts to 0.
    pub fn clear(&self) {
        self.0.iter().for_each(|runs| runs.store(0, Ordering::Relaxed));
    }

    /// Panics unless each job ran once.
    #[track_caller]
    pub fn assert_once(&self) {
        let wrong = (0..self.0.len()).find(|&job| self.marks(job) != 1);
        if let Some(job) = wrong {
            panic!("job {job} of {} ran {} times; {} ran at all", self.0.len(), self.marks(job), self.ran());
        }
    }
}

/// Counts how many of its [tokens](Token) are alive. The captures of a job must be dropped once, whether the job runs
/// or not.
#[derive(Clone, Default)]
pub struct Alive(Arc<AtomicUsize>);

pub struct Token(Alive);

impl Alive {
    pub fn token(&self) -> Token {
        self.0.fetch_add(1, Ordering::Relaxed);
        Token(self.clone())
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let before = self.0.0.fetch_sub(1, Ordering::SeqCst);
        assert!(before > 0, "a token was dropped twice");
    }
}

/// The payload of panics that a test expects.
#[derive(Debug, PartialEq, Eq)]
pub struct Expected(pub usize);

/// Panics with [`Expected`], without a report on stderr.
pub fn fail(number: usize) -> ! {
    std::panic::resume_unwind(Box::new(Expected(number)))
}

/// Returns the number of a panic by [`fail`].
#[track_caller]
pub fn number_of(payload: &(dyn Any + Send)) -> usize {
    payload.downcast_ref::<Expected>().expect("the payload of `fail`").0
}

/// Returns the text of a panic whose payload is a text.
#[track_caller]
pub fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&'static str>().copied()).expect("a payload with a text")
}

/// Returns a panic handler that collects the numbers of [`fail`], and a closure that returns these numbers, sorted.
pub fn collector() -> (impl Fn(Box<dyn Any + Send>) + Send + Sync + 'static, impl Fn() -> Vec<usize>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let seen = Arc::clone(&seen);
        move |payload: Box<dyn Any + Send>| seen.lock().unwrap().push(number_of(&*payload))
    };
    let read = move || {
        let mut seen = seen.lock().unwrap().clone();
        seen.sort_unstable();
        seen
    };
    (handler, read)
}

/// Unparks the thread that waits in [`block_on`].
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// The smallest executor: one future, one thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        while !unpark.woken.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// Random numbers that differ between seeds and are the same in each run (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

const CHILD: &str = "FILCH_TEST_CHILD";

/// Runs `body` in a child process, which runs the same test. Returns `None` in the child when `body` has ended, and
/// the child's output in the parent. `shell` is a command that runs before the child, for example to set a limit.
pub fn in_child(test: &str, shell: &str, body: impl FnOnce()) -> Option<Output> {
    if std::env::var_os(CHILD).is_some_and(|child| child == test) {
        body();
        return None;
    }
    let binary = std::env::current_exe().expect("the path of this test");
    let mut command = if shell.is_empty() {
        Command::new(binary)
    } else {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{shell}; exec \"$0\" \"$@\"")).arg(binary);
        command
    };
    let command = command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, test);
    Some(command.output().expect("a child process"))
}

/// Runs `body` like [`in_child`], and checks that it passes.
#[track_caller]
pub fn passes_in_child(test: &str, shell: &str, body: impl FnOnce()) {
    if let Some(output) = in_child(test, shell, body) {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{test} in a child: {}\n{stdout}\n{stderr}", output.status);
        assert!(stdout.contains("1 passed"), "{test} is not the test's name: {stdout}");
    }
}

/// How many threads of this process have a name that begins with `prefix`. The system may list a joined thread for a
/// moment longer: wait [`until`] the number is right.
#[cfg(target_os = "linux")]
pub fn threads_named(prefix: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the list of threads");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with(prefix))
        .count()
}
