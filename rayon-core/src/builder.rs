//! Makes a pool: translates the settings of rayon and of the environment to filch's.

use std::any::Any;
use std::env;
use std::fmt;
use std::io;
use std::thread;

use filch::{Placement, Pool};

use crate::error::ThreadPoolBuildError;
use crate::pool::{PoolId, ThreadPool};
use crate::thread::{CustomSpawn, DefaultSpawn, ThreadBuilder, ThreadSpawn, as_asked};

type PanicHandler = dyn Fn(Box<dyn Any + Send>) + Send + Sync;
/// Called on a thread of the pool with its number.
type ThreadHandler = dyn Fn(usize) + Send + Sync;

/// Makes a [`ThreadPool`], or the global pool.
///
/// ```
/// let pool = rayon_core::ThreadPoolBuilder::new().num_threads(3).build()?;
/// assert_eq!(pool.install(rayon_core::current_num_threads), 3);
/// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
/// ```
pub struct ThreadPoolBuilder<S = DefaultSpawn> {
    num_threads: usize,
    use_current_thread: bool,
    panic_handler: Option<Box<PanicHandler>>,
    get_thread_name: Option<Box<dyn FnMut(usize) -> String>>,
    stack_size: Option<usize>,
    start_handler: Option<Box<ThreadHandler>>,
    exit_handler: Option<Box<ThreadHandler>>,
    spawn_handler: S,
    breadth_first: bool,
}

impl Default for ThreadPoolBuilder {
    fn default() -> Self {
        ThreadPoolBuilder {
            num_threads: 0,
            use_current_thread: false,
            panic_handler: None,
            get_thread_name: None,
            stack_size: None,
            start_handler: None,
            exit_handler: None,
            spawn_handler: DefaultSpawn,
            breadth_first: false,
        }
    }
}

impl ThreadPoolBuilder {
    /// Creates a builder with rayon's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Builds a pool for the time of `with_pool`. Each thread of the pool calls `wrapper`, which may borrow and must
    /// call [`ThreadBuilder::run`]. All threads have ended when this returns.
    ///
    /// ```
    /// let words = vec!["two", "words"];
    /// let letters = rayon_core::ThreadPoolBuilder::new().build_scoped(
    ///     |thread| {
    ///         assert_eq!(words.len(), 2);
    ///         thread.run();
    ///     },
    ///     |pool| pool.install(|| words.iter().map(|word| word.len()).sum::<usize>()),
    /// )?;
    /// assert_eq!(letters, 8);
    /// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
    /// ```
    pub fn build_scoped<W, F, R>(self, wrapper: W, with_pool: F) -> Result<R, ThreadPoolBuildError>
    where
        W: Fn(ThreadBuilder) + Sync,
        F: FnOnce(&ThreadPool) -> R,
    {
        thread::scope(|scope| {
            let wrapper = &wrapper;
            let pool = self
                .spawn_handler(|thread| {
                    as_asked(&thread).spawn_scoped(scope, move || wrapper(thread)).map(drop)
                })
                .build()?;
            Ok(with_pool(&pool))
        })
    }
}

impl<S> ThreadPoolBuilder<S>
where
    S: ThreadSpawn,
{
    /// Builds a pool.
    pub fn build(self) -> Result<ThreadPool, ThreadPoolBuildError> {
        let threads = self.threads();
        let ThreadPoolBuilder { panic_handler, start_handler, exit_handler, .. } = self;
        let (stack_size, mut name, mut spawn) = (self.stack_size, self.get_thread_name, self.spawn_handler);
        let mut name = |index| name.as_mut().map(|name| name(index));

        // As in rayon, all threads search before they sleep, and a thread that waits helps, however deep its stack
        // is.
        let mut builder = Pool::builder()
            .workers(threads)
            .placement(placement())
            .searchers(threads)
            .help_stack(usize::MAX)
            .spares(0);
        if !may_use_heavy_fences() {
            builder = builder.asymmetric_fences(false);
        }
        builder = builder.panic_handler(move |payload| match &panic_handler {
            Some(handler) => handler(payload),
            None => {
                eprintln!("Rayon: detected unexpected panic; aborting");
                std::process::abort();
            }
        });
        if let Some(handler) = start_handler {
            builder = builder.on_start(handler);
        }
        if let Some(handler) = exit_handler {
            builder = builder.on_exit(handler);
        }
        if self.use_current_thread {
            let _ = name(0);
            builder = builder.use_current_thread();
        }
        let id = PoolId::next();
        let pool = builder.build_with(|worker| {
            let name = name(worker.index());
            spawn.spawn(ThreadBuilder { pool: id, name, stack_size, worker })
        })?;
        Ok(ThreadPool::new_in(pool, id))
    }
}

impl<S> ThreadPoolBuilder<S> {
    /// Returns how many threads the pool gets.
    fn threads(&self) -> usize {
        let asked = if self.num_threads > 0 { self.num_threads } else { threads_of_environment() };
        asked.min(filch::MAX_WORKERS)
    }

    /// Has the program start the threads: `spawn` is called once for each thread, and must have
    /// [`ThreadBuilder::run`] called on a thread of its own. By default, threads are started as std does.
    pub fn spawn_handler<F>(self, spawn: F) -> ThreadPoolBuilder<CustomSpawn<F>>
    where
        F: FnMut(ThreadBuilder) -> io::Result<()>,
    {
        ThreadPoolBuilder {
            spawn_handler: CustomSpawn(spawn),
            num_threads: self.num_threads,
            use_current_thread: self.use_current_thread,
            panic_handler: self.panic_handler,
            get_thread_name: self.get_thread_name,
            stack_size: self.stack_size,
            start_handler: self.start_handler,
            exit_handler: self.exit_handler,
            breadth_first: self.breadth_first,
        }
    }

    /// Sets the closure that returns a thread's name, given its number. By default, threads have no names.
    pub fn thread_name<F>(mut self, closure: F) -> Self
    where
        F: FnMut(usize) -> String + 'static,
    {
        self.get_thread_name = Some(Box::new(closure));
        self
    }

    /// Sets the number of threads. 0 is the default: as many as `RAYON_NUM_THREADS` says, or `RAYON_RS_NUM_CPUS`, or
    /// as many as the process may run at once.
    pub fn num_threads(mut self, num_threads: usize) -> Self {
        self.num_threads = num_threads;
        self
    }

    /// Makes the calling thread number 0 of the pool. It works for the pool whenever it waits in one of the pool's
    /// functions, and only then. Dropping the pool on that thread returns the thread, where rayon keeps it for good.
    /// By default, all threads are started for the pool.
    pub fn use_current_thread(mut self) -> Self {
        self.use_current_thread = true;
        self
    }

    /// Sets the handler that is called with the payload of a panic in a job that nobody waits for. Without a handler,
    /// such a panic ends the process. So does a panic of the handler.
    pub fn panic_handler<H>(mut self, panic_handler: H) -> Self
    where
        H: Fn(Box<dyn Any + Send>) + Send + Sync + 'static,
    {
        self.panic_handler = Some(Box::new(panic_handler));
        self
    }

    /// Sets the size of each thread's stack, in bytes.
    pub fn stack_size(mut self, stack_size: usize) -> Self {
        self.stack_size = Some(stack_size);
        self
    }

    /// Asks for threads that run the oldest of their own jobs first. It has no effect here; rayon calls it a hint.
    #[deprecated(note = "use `scope_fifo` and `spawn_fifo` for similar effect")]
    pub fn breadth_first(mut self) -> Self {
        self.breadth_first = true;
        self
    }

    /// Sets the handler that each thread of the pool calls with its number, before its first job.
    pub fn start_handler<H>(mut self, start_handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.start_handler = Some(Box::new(start_handler));
        self
    }

    /// Sets the handler that each thread of the pool calls with its number, after its last job.
    pub fn exit_handler<H>(mut self, exit_handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.exit_handler = Some(Box::new(exit_handler));
        self
    }
}

/// Returns the number of threads that the environment asks for.
fn threads_of_environment() -> usize {
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let available = || thread::available_parallelism().map_or(1, |threads| threads.get());
    match number("RAYON_NUM_THREADS") {
        Some(0) => available(),
        Some(threads) => threads,
        None => number("RAYON_RS_NUM_CPUS").filter(|&threads| threads > 0).unwrap_or_else(available),
    }
}

/// Returns where threads are placed. rayon leaves them where the system puts them. `FILCH_PLACEMENT=cores` binds them
/// to cores without a change to the program.
fn placement() -> Placement {
    match env::var("FILCH_PLACEMENT").as_deref() {
        Ok("cores") => Placement::Cores,
        _ => Placement::Unpinned,
    }
}

/// `FILCH_ASYMMETRIC_FENCES=0` does without the system's fence on all cores, for a sandbox that kills a process for the
/// call.
fn may_use_heavy_fences() -> bool {
    env::var("FILCH_ASYMMETRIC_FENCES").as_deref() != Ok("0")
}

impl<S> fmt::Debug for ThreadPoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closure = |given: bool| given.then_some(format_args!("<closure>"));
        f.debug_struct("ThreadPoolBuilder")
            .field("num_threads", &self.num_threads)
            .field("use_current_thread", &self.use_current_thread)
            .field("get_thread_name", &closure(self.get_thread_name.is_some()))
            .field("panic_handler", &closure(self.panic_handler.is_some()))
            .field("stack_size", &self.stack_size)
            .field("start_handler", &closure(self.start_handler.is_some()))
            .field("exit_handler", &closure(self.exit_handler.is_some()))
            .field("breadth_first", &self.breadth_first)
            .finish()
    }
}
