//! The threads of a pool, and the types that start them.

use std::fmt;
use std::io;
use std::thread;

use filch::WorkerThread;

use crate::pool::PoolId;

/// A worker that waits for its thread. The closure of
/// [`ThreadPoolBuilder::spawn_handler`](crate::ThreadPoolBuilder::spawn_handler) gets it.
pub struct ThreadBuilder {
    pub(crate) pool: PoolId,
    pub(crate) name: Option<String>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) worker: WorkerThread,
}

impl ThreadBuilder {
    /// Returns the number of the thread in its pool. It is below the number of threads.
    pub fn index(&self) -> usize {
        self.worker.index()
    }

    /// Returns the name that [`ThreadPoolBuilder::thread_name`](crate::ThreadPoolBuilder::thread_name) gave for the
    /// thread.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the value given to [`ThreadPoolBuilder::stack_size`](crate::ThreadPoolBuilder::stack_size).
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// Makes the calling thread this worker, and returns when the pool has ended.
    pub fn run(self) {
        self.worker.run();
    }
}

impl fmt::Debug for ThreadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBuilder")
            .field("pool", &self.pool)
            .field("index", &self.index())
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .finish()
    }
}

/// A type that other crates cannot name, so that they cannot implement [`ThreadSpawn`].
#[derive(Debug)]
pub struct Sealed;

/// Starts the threads of a pool. It is public only because it bounds public items.
pub trait ThreadSpawn {
    #[doc(hidden)]
    fn sealed(&self) -> Sealed;

    /// Starts a thread that runs `thread`.
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()>;
}

/// Starts threads as std does.
#[derive(Debug, Default)]
pub struct DefaultSpawn;

impl ThreadSpawn for DefaultSpawn {
    fn sealed(&self) -> Sealed {
        Sealed
    }

    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()> {
        as_asked(&thread).spawn(|| thread.run()).map(drop)
    }
}

/// A thread with the name and the stack that the pool's builder asked for.
pub(crate) fn as_asked(thread: &ThreadBuilder) -> thread::Builder {
    let mut builder = thread::Builder::new();
    if let Some(name) = thread.name() {
        builder = builder.name(name.to_owned());
    }
    if let Some(bytes) = thread.stack_size() {
        builder = builder.stack_size(bytes);
    }
    builder
}

/// Has the program start the threads.
#[derive(Debug)]
pub struct CustomSpawn<F>(pub(crate) F);

impl<F> ThreadSpawn for CustomSpawn<F>
where
    F: FnMut(ThreadBuilder) -> io::Result<()>,
{
    fn sealed(&self) -> Sealed {
        Sealed
    }

    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()> {
        (self.0)(thread)
    }
}
