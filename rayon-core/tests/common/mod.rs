//! What the tests share: a watchdog, pools, child processes. All of these tests pass over the real rayon-core too
//! (`suite.sh` sees to that), but for what they mark as this one's own.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::process::{Command, Output};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rayon_core::{ThreadPool, ThreadPoolBuilder};

/// What no test needs, however slow the machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `body` on a thread of its own; a hang fails the test.
#[track_caller]
pub fn within<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, ended) = channel::<()>();
    let runner = thread::spawn(move || {
        let _done = done;
        body()
    });
    match ended.recv_timeout(LIMIT) {
        Ok(()) => unreachable!("nothing is sent"),
        Err(RecvTimeoutError::Timeout) => panic!("hangs: has not ended after {LIMIT:?}"),
        Err(RecvTimeoutError::Disconnected) => match runner.join() {
            Ok(value) => value,
            Err(payload) => std::panic::resume_unwind(payload),
        },
    }
}

pub fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

const CHILD: &str = "RAYON_CORE_TEST_CHILD";

/// In the child: what the parent asked for. In the parent: `None`.
pub fn role() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Runs the test `name` of this program in a process of its own, as `role` and with these variables set.
pub fn child(name: &str, role: &str, variables: &[(&str, &str)]) -> Output {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(CHILD, role);
    for name in ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}
