//! What a pool is asked to be like: its options.

use std::fmt;
use std::io;

use super::placement::Placement;
use super::worker_thread::WorkerThread;
use crate::scheduler::hooks::Hooks;

/// See [`PoolBuilder::help_stack`].
const HELP_STACK: usize = 256 << 10;

/// Makes a [`Pool`](crate::Pool); from [`Pool::builder`](crate::Pool::builder).
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
    pub(super) hooks: Hooks,
    pub(super) spawn: Option<Box<HostSpawn>>,
    pub(super) use_current_thread: bool,
}

/// Starts the thread of a worker.
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
            hooks: Hooks::default(),
            spawn: None,
            use_current_thread: false,
        }
    }

    /// How many workers: 1 to 4,095, spares included. If not given, one for each core that the process may use, as the first
    /// pool found it, or fewer if a cgroup's CPU quota allows fewer.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Which cores they are bound to; [`Placement::Cores`] if not given. A placement that the system refuses
    /// does not fail the build: [`Pool::stats`](crate::Pool::stats) tells what was asked for and what was got.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// The threads are called `name-0`, `name-1` and so on; `filch-…` if not given. Linux shows the first
    /// 15 bytes.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The size of each thread's stack in bytes; `RUST_MIN_STACK`, or else 8 MiB, if not given. What is not used costs
    /// address space only. Threads of [`spawn_with`](Self::spawn_with) have what their host gives them.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// How much of its stack a worker may have used and still begin a job that is not its own while it waits in a
    /// [`join`](crate::join()) or a [`scope`](crate::scope()); 256 KiB if not given. A worker needs this much and the stack of
    /// its own recursion. With more, deeper chains of jobs that each wait for the next keep all cores busy; with
    /// `usize::MAX` a worker that waits always helps, as rayon's do, and may overflow its stack as theirs may.
    pub fn help_stack(mut self, bytes: usize) -> Self {
        self.help_stack = bytes;
        self
    }

    /// How many workers with nothing to do may look for jobs at once, each for about the price of a wake, before they sleep;
    /// half of them if not given. All of them find the parts of short parallel loops, of 20 to 100 µs, that follow each
    /// other; a loop that finds everybody asleep is over before a second worker has come. Fewer leave the machine to
    /// others, and cost those less who submit many small jobs.
    pub fn searchers(mut self, searchers: usize) -> Self {
        self.searchers = Some(searchers);
        self
    }

    /// How many spare workers may stand in at once for workers that wait inside a job; 64 if not given, 0 for none.
    ///
    /// A job that waits, for a handle, a latch, a queue, a scope, keeps its thread. A spare has its worker's place
    /// meanwhile, on a thread of its own that is bound to the same core: so a wait keeps its core busy, and whatever it
    /// waits for can go on. Its [number](crate::current_worker) is that of the worker that it stands in for. A spare's
    /// thread is started when one is first needed, and ends after 10 s without work. When the wait is over, the spare ends
    /// the job that it is in, and rests; so never more workers than the pool has run for longer than a job.
    ///
    /// Where more wait than there are spares, those that come late run other jobs of the pool while they wait, on top of
    /// the one that waits; [`Stats::waits_helped`](crate::Stats) counts them. Such a job may come to wait for what lies
    /// beneath it, and then neither goes on: with few spares, or none, that is to be kept in mind.
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
