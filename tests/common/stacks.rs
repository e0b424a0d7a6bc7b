//! Shows the stacks of all threads of this process, without a debugger: it sends each thread a signal, and the thread
//! writes down where it is.

use std::backtrace::Backtrace;
use std::fmt::Write;
use std::fs;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const SIGNAL: libc::c_int = libc::SIGUSR2;
/// How long to wait for one thread's answer: the thread may have no core.
const PATIENCE: Duration = Duration::from_secs(3);

static ANSWERS: Mutex<Vec<(libc::pid_t, Backtrace)>> = Mutex::new(Vec::new());

fn this_thread() -> libc::pid_t {
    // SAFETY: no preconditions.
    unsafe { libc::gettid() }
}

/// Runs on the thread that gets the signal. It allocates, which a signal handler should not do. A thread that was
/// inside the allocator never answers, and the asking thread goes on without the answer. The asking thread looks up
/// the symbols when it prints the stack.
extern "C" fn answer(_: libc::c_int) {
    let stack = Backtrace::force_capture();
    ANSWERS.lock().unwrap().push((this_thread(), stack));
}

/// Lists the threads of a process.
pub fn threads(process: u32) -> Vec<libc::pid_t> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    let mut threads: Vec<_> = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect();
    threads.sort_unstable();
    threads
}

/// What the system says about a thread: its name, its state, and what it waits for in the kernel.
pub fn state(process: u32, thread: libc::pid_t) -> String {
    let read =
        |file: &str| fs::read_to_string(format!("/proc/{process}/task/{thread}/{file}")).unwrap_or_default();
    let status = read("status");
    let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or(" gone").trim();
    let (name, place, call) = (read("comm"), read("wchan"), read("syscall"));
    let call = call.split(' ').next().unwrap_or_default().trim();
    format!("thread {thread} {:?}: {state}, in {:?}, system call {call}", name.trim(), place.trim())
}

fn answer_of(thread: libc::pid_t) -> Option<Backtrace> {
    let asked = Instant::now();
    loop {
        let mut answers = ANSWERS.lock().unwrap();
        if let Some(place) = answers.iter().position(|(by, _)| *by == thread) {
            return Some(answers.remove(place).1);
        }
        drop(answers);
        if asked.elapsed() > PATIENCE {
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Returns the stacks of all threads but the calling thread.
pub fn all() -> String {
    // SAFETY: plain old data, for which zeros are no flags and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = answer as *const () as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler returns, and the process is a test that has failed; the pointer outlives the call.
    unsafe { libc::sigaction(SIGNAL, &raw const action, std::ptr::null_mut()) };
    let process = std::process::id();
    let mut text = String::new();
    for thread in threads(process).into_iter().filter(|&thread| thread != this_thread()) {
        let _ = writeln!(text, "\n{}", state(process, thread));
        // SAFETY: sends a signal that is handled; no memory is touched.
        unsafe { libc::syscall(libc::SYS_tgkill, process, thread, SIGNAL) };
        match answer_of(thread) {
            Some(stack) => _ = write!(text, "{stack}"),
            None => text.push_str("  gives no answer\n"),
        }
    }
    text
}
