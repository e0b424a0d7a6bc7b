//! A thread that this crate starts, and how its end is noticed.

#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"))))]
use std::cell::RefCell;
use std::io;
use std::thread::ThreadId;

use crate::sync::{Arc, JoinHandle, MODEL, ThreadBuilder};
use crate::waiting::latch::CountLatch;

pub(crate) type Handle = JoinHandle<()>;

/// The stack of a thread that std starts for us, in bytes: as much as main threads have, because what recurses there
/// by calls recurses here by forks. Pages are committed as they are used. Under a checker each execution has new ones.
const DEFAULT_STACK: usize = if MODEL { 1 << 20 } else { 8 << 20 };

/// One of our threads, as those see it that wait for its end. Not its `JoinHandle`: that can be joined by one thread
/// only, knows no time limit, and takes a thread for finished whose thread-locals still have their destructors to run.
#[derive(Clone)]
pub(crate) struct Trace {
    pub(crate) id: ThreadId,
    pub(crate) name: String,
    /// Opens when its thread-locals are gone.
    pub(crate) gone: Arc<CountLatch>,
}

#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"))))]
pub(crate) fn spawn_thread(
    name: String,
    stack_size: Option<usize>,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<(Handle, Option<Trace>)> {
    /// Opens the latch when it goes.
    struct Last(Arc<CountLatch>);

    impl Drop for Last {
        fn drop(&mut self) {
            self.0.count_down();
        }
    }

    thread_local! {
        /// The first of its thread's locals, and so the last to go.
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }

    let gone = Arc::new(CountLatch::new(1));
    let last = Last(Arc::clone(&gone));
    let mut builder = ThreadBuilder::new().name(name.clone());
    // std knows what the environment asks for.
    let default = || std::env::var_os("RUST_MIN_STACK").is_none().then_some(DEFAULT_STACK);
    if let Some(bytes) = stack_size.or_else(default) {
        builder = builder.stack_size(bytes);
    }
    let handle = builder.spawn(|| {
        LAST.set(Some(last));
        run();
    })?;
    let id = handle.thread().id();
    Ok((handle, Some(Trace { id, name, gone })))
}

/// Under a checker a thread has no end but its handle's.
#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
pub(crate) fn spawn_thread(
    name: String,
    stack_size: Option<usize>,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<(Handle, Option<Trace>)> {
    let builder = ThreadBuilder::new().name(name).stack_size(stack_size.unwrap_or(DEFAULT_STACK));
    Ok((builder.spawn(run)?, None))
}
