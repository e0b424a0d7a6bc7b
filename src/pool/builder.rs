//! The options of a pool, except for the options in [`super::builder_threads`], which concern its threads.

use std::fmt;
use std::io;

use super::placement::Placement;
use super::worker_thread::WorkerThread;
use crate::scheduler::hooks::Hooks;

/// The default of [`PoolBuilder::help_stack`], in bytes.
const HELP_STACK: usize = 256 << 10;

/// The options of a [`Pool`](crate::Pool) that is to be built; from [`Pool::builder`](crate::Pool::builder).
///
/// Each option has a default, which its description names. [`build`](Self::build) checks the options.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).name("embed").build()?;
/// assert_eq!(pool.install(|| std::thread::current().name().map(str::to_owned)).as_deref(), Some("embed-0"));
/// # Ok::<(), filch::BuildError>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct PoolBuilder {
    pub(super) workers: Option<usize>,
    pub(super) placement: Placement,
    pub(super) name: String,
    pub(super) stack_size: Option<usize>,
    pub(super) help_stack: usize,
    pub(super) searchers: Option<usize>,
    pub(super) spares: Option<usize>,
    pub(super) asymmetric_fences: Option<bool>,
    pub(super) hooks: Hooks,
    pub(super) spawn: Option<Box<HostSpawn>>,
    pub(super) use_current_thread: bool,
}

/// The host's closure, which starts the thread of a worker.
pub(super) type HostSpawn = dyn FnMut(WorkerThread) -> io::Result<()> + Send + Sync;

impl PoolBuilder {
    pub(crate) fn new() -> PoolBuilder {
        PoolBuilder {
            workers: None,
            placement: Placement::default(),
            name: String::from("filch"),
            stack_size: None,
            help_stack: HELP_STACK,
            searchers: None,
            spares: None,
            asymmetric_fences: None,
            hooks: Hooks::default(),
            spawn: None,
            use_current_thread: false,
        }
    }

    /// Sets the number of workers.
    ///
    /// How many workers: 1 to 4,095, spares included. If not given, the pool has one worker for each core that the
    /// process may use when the pool is built, or fewer if a cgroup's CPU quota allows fewer. With
    /// [`Placement::List`] it then has one worker for each core of the list.
    ///
    /// # Examples
    /// ```
    /// // A pool for a side task, which leaves most cores to others.
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// assert_eq!(pool.workers(), 2);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Sets which cores the workers are bound to.
    ///
    /// If not given, [`Placement::Cores`] holds. A placement that the system refuses does not fail the build:
    /// [`Pool::stats`](crate::Pool::stats) says for each worker which core was asked for and which core it got.
    ///
    /// # Examples
    /// ```
    /// // Beside other busy programs, leave the choice of cores to the system.
    /// let pool = filch::Pool::builder().workers(2).placement(filch::Placement::Unpinned).build()?;
    /// assert!(pool.stats().workers.iter().all(|worker| worker.asked.is_none()));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Sets the name of the threads.
    ///
    /// The threads are called `name-0`, `name-1` and so on; if not given, `filch-0`, `filch-1` and so on. Linux shows
    /// at most 15 bytes: of a longer name, its beginning and its number.
    ///
    /// # Examples
    /// ```
    /// // Tell the threads of several pools apart, in a debugger or in `top`.
    /// let pool = filch::Pool::builder().workers(2).name("parse").build()?;
    /// assert_eq!(pool.shutdown()?.workers[1].name, "parse-1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets the size of each thread's stack, in bytes.
    ///
    /// Less than 64 KiB is rounded up to that. If not given, the size is `RUST_MIN_STACK`, or else 8 MiB. The part of a stack that is not used costs address
    /// space only. Threads of [`spawn_with`](Self::spawn_with) have the stack that their host gives them.
    ///
    /// # Examples
    /// ```
    /// fn depth(levels: u32) -> u32 {
    ///     if levels == 0 { 0 } else { 1 + depth(levels - 1) }
    /// }
    ///
    /// // For jobs that recurse deeply.
    /// let pool = filch::Pool::builder().workers(1).stack_size(64 << 20).build()?;
    /// assert_eq!(pool.install(|| depth(100_000)), 100_000);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets how much of its stack, in bytes, a waiting worker may have used and still begin jobs that are not its
    /// own.
    ///
    /// This concerns a worker that waits in a [`join`](crate::join()) or a [`scope`](crate::scope()). If it has used
    /// more of its stack than this, it begins only jobs of its own while it waits. If not given, the limit is
    /// 256 KiB.
    ///
    /// A worker needs this much stack and the stack of its own recursion. A higher limit keeps all cores busy also
    /// with deeper chains of jobs that each wait for the next. With `usize::MAX` a waiting worker always helps, as
    /// rayon's workers do, and may overflow its stack as rayon's may.
    ///
    /// # Examples
    /// ```
    /// fn fib(n: u32) -> u32 {
    ///     if n < 2 {
    ///         return n;
    ///     }
    ///     let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
    ///     a + b
    /// }
    ///
    /// // For deep chains of jobs with large frames: workers help for longer, on stacks with room for it.
    /// let pool = filch::Pool::builder().workers(2).help_stack(1 << 20).stack_size(16 << 20).build()?;
    /// assert_eq!(pool.install(|| fib(15)), 610);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn help_stack(mut self, bytes: usize) -> Self {
        self.help_stack = bytes;
        self
    }

    /// Sets how many idle workers may search for jobs at once before they sleep.
    ///
    /// Each of them searches for about the price of one wake. If not given, half of the workers may search, at least
    /// one.
    ///
    /// Let all workers search if short parallel loops, of 20 to 100 µs, follow each other: workers that still search
    /// find the parts of the next loop. A loop that finds all workers asleep is over before a second worker has come.
    /// Let fewer workers search to leave the machine to other programs, and to make many small jobs cheaper to
    /// submit.
    ///
    /// # Examples
    /// ```
    /// // For short loops that follow each other: all four workers look for the next loop before they sleep.
    /// let pool = filch::Pool::builder().workers(4).searchers(4).build()?;
    /// for frame in 0..3 {
    ///     assert_eq!(pool.join(|| frame, || frame + 1), (frame, frame + 1));
    /// }
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn searchers(mut self, searchers: usize) -> Self {
        self.searchers = Some(searchers);
        self
    }

    /// Sets how many spare workers may stand in at once for workers that wait inside a job.
    ///
    /// If not given, up to 64 spares may stand in, or fewer if the workers leave room for fewer below the limit of
    /// [`MAX_WORKERS`](crate::MAX_WORKERS). With 0 the pool has no spares.
    ///
    /// A job that waits (for a handle, a latch, a queue or a scope) keeps its thread. Meanwhile a spare takes the
    /// worker's place, on another thread that is bound to the same core. So the core stays busy during the wait, and
    /// whatever the job waits for can go on. A spare has the [number](crate::current_worker) of the worker that it
    /// stands in for.
    ///
    /// The pool starts a spare's thread when it first needs one. The thread ends after 10 s without work. When the
    /// wait is over, the spare finishes the job that it is in, and rests; if it waits in that job itself, its own spare
    /// does. So more threads than the pool has workers run jobs for at most the length of one job.
    ///
    /// If more workers wait than there are spares, a worker that finds no spare runs other jobs of the pool while it
    /// waits, on top of the waiting job; with [`Wait::OwnScope`](crate::Wait::OwnScope) or
    /// [`Park`](crate::Wait::Park) only once no worker of the pool goes on.
    /// [`Stats::waits_helped`](crate::Stats) counts these waits. Such a job may come to wait for the job beneath it,
    /// and then neither goes on. Keep that in mind with few spares or none.
    ///
    /// # Examples
    /// ```
    /// // One worker, and jobs that wait for each other.
    /// let pool = filch::Pool::builder().workers(1).spares(2).build()?;
    /// let gate = std::sync::Arc::new(filch::CountLatch::new(1));
    /// let first = pool.spawn({ let gate = gate.clone(); move || gate.wait() });
    /// let second = pool.spawn(move || gate.count_down());
    /// first.join()?;
    /// second.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spares(mut self, spares: usize) -> Self {
        self.spares = Some(spares);
        self
    }

    /// Sets whether the pool uses the system's fence on all cores at once: `membarrier` on Linux and FreeBSD,
    /// `FlushProcessWriteBuffers` on Windows. If not given, the pool uses the fence where the system has one.
    ///
    /// With that fence a fork costs its worker no fence, and a thief that takes a fork out of a busy worker's hands
    /// pays with a system call. Without it each fork and each private job costs a fence, and a worker without work
    /// looks a second time, a moment later, before it sleeps. Every promise of the crate holds either way, if a store
    /// leaves its core within 3 µs, as it does on the processors of today.
    ///
    /// Use `false` in a sandbox that kills a process for that call, or to compare. With `true`, `build` waits for the
    /// system's answer, and fails with [`BuildError::NoAsymmetricFences`](crate::BuildError) if the system has no
    /// such fence or refuses it. [`Stats::asymmetric_fences`](crate::Stats) tells whether the pool uses the fence.
    ///
    /// # Examples
    /// ```
    /// // Make no call that a strict sandbox may forbid.
    /// let pool = filch::Pool::builder().workers(2).asymmetric_fences(false).build()?;
    /// assert_eq!(pool.join(|| 1, || 2), (1, 2));
    /// assert!(!pool.stats().asymmetric_fences);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn asymmetric_fences(mut self, asymmetric_fences: bool) -> Self {
        self.asymmetric_fences = Some(asymmetric_fences);
        self
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("workers", &self.workers)
            .field("placement", &self.placement)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .field("use_current_thread", &self.use_current_thread)
            .finish_non_exhaustive()
    }
}
