//! Starts the threads of a pool, and lets other threads notice their end.

#[cfg(not(any(
    all(loom, feature = "loom"),
    all(shuttle, feature = "shuttle"),
    all(lab, feature = "lab")
)))]
use std::cell::RefCell;
use std::io;

use crate::sync::{Arc, JoinHandle, MODEL, ThreadBuilder};
use crate::system::thread_id::ThreadNumber;
#[cfg(not(any(
    all(loom, feature = "loom"),
    all(shuttle, feature = "shuttle"),
    all(lab, feature = "lab")
)))]
use crate::system::{process, thread_id};
use crate::waiting::latch::CountLatch;

pub(crate) type Handle = JoinHandle<()>;

/// The default stack size, in bytes, of a thread that std starts for the pool. Most main threads have this size, and
/// code that recurses there by calls recurses here by forks. The system commits pages as they are used. Under a
/// checker the stacks are small, because each execution starts new threads.
const DEFAULT_STACK: usize = if MODEL { 1 << 20 } else { 8 << 20 };

/// The least stack size, in bytes. A worker's loop, and a small job in a debug build, fit into it; into the least size of
/// some systems (2 KiB in musl's libc) not even the start of a thread does.
#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab"))))]
const LEAST_STACK: usize = 64 << 10;

/// A thread of the pool, for threads that wait for its end.
///
/// A `JoinHandle` is not enough. Only one thread can join it, and the join has no deadline. And
/// `JoinHandle::is_finished` is true while destructors of thread-locals have yet to run.
#[derive(Clone)]
pub(crate) struct Trace {
    pub(crate) id: ThreadNumber,
    pub(crate) name: String,
    /// Opens when the destructors of the thread-locals have run.
    pub(crate) gone: Arc<CountLatch>,
}

/// Starts a thread that calls `run`, and returns its handle and its trace.
#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab"))))]
pub(crate) fn spawn_thread(
    name: String,
    stack_size: Option<usize>,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<(Handle, Option<Trace>)> {
    /// Opens the latch when it is dropped.
    struct Last(Arc<CountLatch>);

    impl Drop for Last {
        fn drop(&mut self) {
            self.0.count_down();
        }
    }

    thread_local! {
        /// The first thread-local that the thread sets, and so the last that is destroyed.
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }

    let gone = Arc::new(CountLatch::new(1));
    let last = Last(Arc::clone(&gone));
    let mut builder = ThreadBuilder::new().name(name.clone());
    // If `RUST_MIN_STACK` is set, std takes the default size from that variable.
    let default = || std::env::var_os("RUST_MIN_STACK").is_none().then_some(DEFAULT_STACK);
    if let Some(bytes) = stack_size.or_else(default) {
        builder = builder.stack_size(bytes.max(LEAST_STACK));
    }
    let id = thread_id::next();
    let short = short_name(&name);
    let handle = builder.spawn(move || {
        LAST.set(Some(last));
        thread_id::set(id);
        if let Some(short) = short {
            process::name_current_thread(&short);
        }
        run();
    })?;
    Ok((handle, Some(Trace { id, name, gone })))
}

/// The length, in bytes, of the longest thread name that Linux shows.
#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab"))))]
const SHOWN: usize = 15;

/// Returns the name that the system shows instead of a name that is too long: the beginning, and the number from the
/// last dash on, which tells one worker from another. Returns `None` if the name is short enough, or has no dash, or
/// if its number is too long.
#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab"))))]
fn short_name(name: &str) -> Option<String> {
    let number = &name[name.rfind('-')?..];
    if name.len() <= SHOWN || number.len() > SHOWN {
        return None;
    }
    let mut end = SHOWN - number.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    Some(format!("{}{number}", &name[..end]))
}

/// Starts a thread that calls `run`. Under a checker there is no trace: only the handle tells of the thread's end.
#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab")))]
pub(crate) fn spawn_thread(
    name: String,
    stack_size: Option<usize>,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<(Handle, Option<Trace>)> {
    let builder = ThreadBuilder::new().name(name).stack_size(stack_size.unwrap_or(DEFAULT_STACK));
    Ok((builder.spawn(run)?, None))
}
