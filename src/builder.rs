//! How a pool is made. Everything is checked before anything is allocated or started.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::io;

use crossbeam_utils::CachePadded;

use crate::affinity;
use crate::barrier;
use crate::error::BuildError;
use crate::hooks::Hooks;
use crate::latch::CountLatch;
use crate::panic_at::PanicAt;
use crate::pool::Pool;
use crate::registry::{Kit, Peer, Registry, Shared};
use crate::sleep::{MAX_WORKERS, Sleep};
use crate::spares::{Spares, default_beside};
use crate::sync::{Arc, MODEL, defect};
use crate::thread::{Starter, Threads, WorkerThread};
use crate::unwind::{self, Payload};
use crate::worker::{Seat, Worker, lend_host, return_abandoned_host, return_host, with_current};

/// Which cores the workers are bound to.
///
/// A thread or a process that a job starts inherits the worker's core: see
/// [`unpin_current_thread`](crate::unpin_current_thread) and [`unpin_child`](crate::unpin_child).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// Worker *i* to the *i*-th core that the process may use. Workers beyond the last core are not bound:
    /// two that shared a core could not make way for each other.
    #[default]
    Cores,
    /// The system decides.
    Unpinned,
    /// Worker *i* to the *i*-th core listed, by the system's number. Without an explicit number of workers,
    /// one a core; workers beyond the list are not bound.
    List(Vec<usize>),
}

/// The largest stack that is asked of the system: what rounding up to a page cannot overflow.
const MAX_STACK: usize = isize::MAX as usize / 2;

/// See [`PoolBuilder::help_stack`].
const HELP_STACK: usize = 256 << 10;

/// Makes a [`Pool`]; from [`Pool::builder`].
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).name("embed").build()?;
/// assert_eq!(pool.install(|| std::thread::current().name().map(str::to_owned)).as_deref(), Some("embed-0"));
/// # Ok::<(), filch::BuildError>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct PoolBuilder {
    workers: Option<usize>,
    placement: Placement,
    name: String,
    stack_size: Option<usize>,
    help_stack: usize,
    searchers: Option<usize>,
    spares: Option<usize>,
    hooks: Hooks,
    spawn: Option<Box<HostSpawn>>,
    use_current_thread: bool,
}

/// Starts the thread of a worker.
type HostSpawn = dyn FnMut(WorkerThread) -> io::Result<()> + Send + Sync;

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
    /// does not fail the build: [`Pool::stats`] tells what was asked for and what was got.
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

    /// Called on each worker's thread with its number, before its first job, and on a spare's with the number of the first
    /// worker that it stands in for. What it panics with goes to the panic handler. Not called for a thread that was lent
    /// with `use_current_thread`. Dropped when the pool has ended, so it may hold a handle of the pool.
    pub fn on_start(mut self, f: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_start = Some(Box::new(f));
        self
    }

    /// Called on each worker's thread with its number, after its last job: what it submits to its pool is refused.
    /// Otherwise as [`on_start`](Self::on_start).
    pub fn on_exit(mut self, f: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_exit = Some(Box::new(f));
        self
    }

    /// Called, on the worker, with what a job panicked with that has nobody to tell: those of `execute`, of
    /// queues, of detached `spawn`s, and of hooks. If not given, the payload is dropped: by then std's panic
    /// hook has reported it. A handler that panics ends the process. Dropped as [`on_start`](Self::on_start).
    pub fn panic_handler(self, f: impl Fn(Box<dyn Any + Send>) + Send + Sync + 'static) -> Self {
        self.on_panic(move |payload, _| f(payload))
    }

    /// As [`panic_handler`](Self::panic_handler), with where the panic was. The later of the two calls counts.
    ///
    /// # Examples
    /// ```
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let pool = filch::Pool::builder()
    ///     .workers(1)
    ///     .on_panic(move |_, at| tell.send((at.queue().map(str::to_owned), at.worker())).unwrap())
    ///     .build()?;
    /// let queue = pool.queue().name("mail").build(|_: u8| panic!("lost"))?;
    /// queue.submit(1)?;
    /// assert_eq!(told.recv()?, (Some("mail".to_owned()), Some(0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_panic(mut self, f: impl Fn(Box<dyn Any + Send>, &PanicAt<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.panic_handler = Some(Box::new(f));
        self
    }

    /// Has the host start the threads: `f` is called once for each and must see to it that
    /// [`WorkerThread::run`] is called on a thread of its own. The host joins its threads itself; `shutdown`
    /// waits until `run` has returned on all of them. If `f` returns an error or panics, the build ends the workers
    /// before, and waits for them, before it does the same.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder()
    ///     .workers(2)
    ///     .spawn_with(|worker| {
    ///         std::thread::Builder::new().name(worker.name().to_owned()).spawn(|| worker.run()).map(drop)
    ///     })
    ///     .build()?;
    /// assert_eq!(pool.install(|| 1 + 1), 2);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn spawn_with(mut self, f: impl FnMut(WorkerThread) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.spawn = Some(Box::new(f));
        self
    }

    /// Makes the calling thread worker 0 of the pool, instead of a new one. It runs jobs whenever it waits for
    /// something, and only then: with no other worker, nothing runs until it does. It is not bound to a core.
    ///
    /// It stays a worker until the pool is dropped, by any thread, or it shuts it down itself, or ends. If it is the
    /// only worker, its end closes the pool, and runs what that holds. A shutdown by another thread runs nothing
    /// in its place: jobs that are left wait for it, and so does the shutdown, whose timeout names it as stuck. Of a
    /// broadcast that comes when it is a worker no more, another worker runs its turn.
    pub fn use_current_thread(mut self) -> Self {
        self.use_current_thread = true;
        self
    }

    /// Builds the pool and starts its threads. Does not wait until they run: that takes the system longer than all the
    /// rest, and whoever has a job for them need not wait for it twice. Threads of [`spawn_with`](Self::spawn_with) are
    /// waited for.
    ///
    /// # Errors
    /// [`BuildError`], with what was given and what is allowed. If the system refuses a thread, those started
    /// before it are ended and joined.
    pub fn build(self) -> Result<Pool, BuildError> {
        match self.start() {
            Ok((pool, awaited)) => {
                if let Some(started) = awaited {
                    started.wait();
                }
                Ok(pool)
            }
            Err(failed) => Err(failed.clean_up()),
        }
    }

    /// As [`build`](Self::build), with the threads started by `f` as for [`spawn_with`](Self::spawn_with); but `f` may
    /// borrow, and may put a worker aside to run it later: nothing here waits for a thread.
    ///
    /// # Errors
    /// As for [`build`](Self::build). After an error of `f`, the pool is closed and the workers that were started
    /// leave, without being waited for; also if `f` panics, before that goes on.
    ///
    /// # Examples
    /// ```
    /// let words = vec!["borrowed", "by", "threads"];
    /// let count = std::thread::scope(|scope| {
    ///     let pool = filch::Pool::builder().workers(2).build_with(|worker| {
    ///         scope.spawn(|| {
    ///             let _borrow = &words;
    ///             worker.run();
    ///         });
    ///         Ok(())
    ///     })?;
    ///     Ok::<_, filch::BuildError>(pool.install(|| words.len()))
    /// })?;
    /// assert_eq!(count, 3);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn build_with(self, mut f: impl FnMut(WorkerThread) -> io::Result<()>) -> Result<Pool, BuildError> {
        match self.start_by(&mut Starter::Host(&mut f)) {
            Ok((pool, _)) => Ok(pool),
            Err(failed) => Err(failed.cause()),
        }
    }

    /// Starts the threads and waits for none: a wait may run jobs, and one of them may come for what the caller
    /// holds. The latch, if any, is what the caller is to wait for then: it opens when all run. Under a checker there is
    /// one always, so that not every model has to explore how threads come up; one that uses `build_with` does.
    pub(crate) fn start(mut self) -> Result<(Pool, Option<Arc<CountLatch>>), Failed> {
        match self.spawn.take() {
            None => self.start_by(&mut Starter::Std).map(|(pool, started)| (pool, MODEL.then_some(started))),
            Some(mut f) => {
                self.start_by(&mut Starter::Host(&mut *f)).map(|(pool, started)| (pool, Some(started)))
            }
        }
    }

    fn start_by(self, starter: &mut Starter<'_>) -> Result<(Pool, Arc<CountLatch>), Failed> {
        let plan = self.plan().map_err(Failed::Refused)?;
        barrier::prepare();
        let PoolBuilder {
            name,
            stack_size,
            help_stack,
            searchers,
            spares,
            hooks,
            use_current_thread: host,
            ..
        } = self;
        if host {
            return_abandoned_host();
            if with_current(|worker| worker.is_some()) {
                return Err(Failed::Refused(BuildError::AlreadyWorker));
            }
        }
        let mut kits: Vec<Kit> = (0..plan.len()).map(|_| Kit::new()).collect();
        if !MODEL && let Some(kit) = kits.first() {
            // Has crossbeam set up what all deques share, once a process. If a thread of ours came first and somebody
            // forked in that moment, no pool of the child could ever take a job.
            let _ = kit.deque.stealer().steal();
        }
        let peers = plan
            .iter()
            .zip(&kits)
            .enumerate()
            .map(|(index, (&asked, kit))| {
                let runs = !(host && index == 0);
                let asked = asked.filter(|_| runs);
                CachePadded::new(Peer::new(kit, format!("{name}-{index}"), asked, runs))
            })
            .collect();
        let unparkers = kits.iter().map(|kit| kit.parker.unparker()).collect();
        let max_spares = spares.unwrap_or_else(|| default_beside(plan.len()));
        let sleep = Sleep::new(unparkers, max_spares).with_searchers(searchers);
        let spares = Spares::new(plan.len(), max_spares, name.clone(), stack_size);
        let threads = plan.len() - usize::from(host);
        let registry: Shared = Arc::new(Registry::new(peers, sleep, hooks, help_stack, threads, spares));
        if host {
            let kit = kits.remove(0);
            lend_host(Worker::new(Seat { index: 0, registry: Arc::clone(&registry), kit }, true));
        }
        let mut started = Threads::new(threads);
        for (offset, kit) in kits.into_iter().enumerate() {
            let index = offset + usize::from(host);
            let seat = Seat { index, registry: Arc::clone(&registry), kit };
            let cause = match unwind::catch(|| started.start(starter, seat, stack_size)) {
                Ok(Ok(())) => continue,
                Ok(Err(source)) => Cause::Error(BuildError::Spawn { worker: index, source }),
                Err(payload) => Cause::Panic(payload),
            };
            // Those that will never run no longer hold up the end.
            for missing in index + 1..plan.len() {
                registry.lose(missing);
            }
            if !defect("start_not_undone") {
                registry.close();
            }
            return_host(&registry);
            return Err(Failed::Midway { cause, registry, started });
        }
        let running = started.started();
        let bound = match starter {
            Starter::Std => Arc::clone(&running),
            // Some may be put aside, for as long as the host likes.
            Starter::Host(_) => Arc::new(CountLatch::new(0)),
        };
        Ok((Pool::assemble(registry, started, bound), running))
    }

    /// Builds the pool and makes it the [global](Pool::global) one.
    ///
    /// # Errors
    /// As for [`build`](Self::build); and if there is a global pool already, also one that was made by its
    /// first use.
    pub fn build_global(self) -> Result<&'static Pool, BuildError> {
        crate::global::build(self)
    }

    /// The core for each worker.
    fn plan(&self) -> Result<Vec<Option<usize>>, BuildError> {
        let snapshot = affinity::snapshot();
        if self.name.contains('\0') {
            return Err(BuildError::NameContainsNul { name: self.name.clone() });
        }
        match self.stack_size {
            Some(0) => return Err(BuildError::ZeroStackSize),
            Some(given) if given > MAX_STACK => {
                return Err(BuildError::StackSizeTooLarge { given, max: MAX_STACK });
            }
            _ => {}
        }
        let (cores, default): (&[usize], usize) = match &self.placement {
            Placement::Cores => (&snapshot.cores, snapshot.parallelism),
            Placement::Unpinned => (&[], snapshot.parallelism),
            Placement::List(list) => {
                if list.is_empty() {
                    return Err(BuildError::EmptyPlacement);
                }
                let mut seen = BTreeSet::new();
                for &core in list {
                    if !snapshot.cores.contains(&core) {
                        return Err(BuildError::CoreNotAllowed { core, allowed: snapshot.cores.clone() });
                    }
                    if !seen.insert(core) {
                        return Err(BuildError::CoreListedTwice { core });
                    }
                }
                (list, list.len())
            }
        };
        let workers = self.workers.unwrap_or(default.min(MAX_WORKERS));
        match workers {
            0 => return Err(BuildError::ZeroWorkers),
            given if given > MAX_WORKERS => {
                return Err(BuildError::TooManyWorkers { given, max: MAX_WORKERS });
            }
            _ => {}
        }
        if let Some(spares) = self.spares
            && workers.saturating_add(spares) > MAX_WORKERS
        {
            return Err(BuildError::TooManySpares { workers, spares, max: MAX_WORKERS });
        }
        let cores = if MODEL { &[] } else { cores };
        Ok((0..workers).map(|index| cores.get(index).copied()).collect())
    }
}

/// A build that came to nothing.
pub(crate) enum Failed {
    /// Before anything was done.
    Refused(BuildError),
    /// With some of the threads started; they were told to end.
    Midway { cause: Cause, registry: Shared, started: Threads },
}

pub(crate) enum Cause {
    Error(BuildError),
    /// Of the host's closure.
    Panic(Payload),
}

impl Failed {
    /// Waits for the end of the threads that were started, and says, or panics with, what went wrong.
    pub(crate) fn clean_up(self) -> BuildError {
        let (cause, registry, started) = match self {
            Failed::Refused(error) => return error,
            Failed::Midway { cause, registry, started } => (cause, registry, started),
        };
        let _ = registry.wait_left(None);
        started.join();
        cause.surface()
    }

    /// Says, or panics with, what went wrong, and leaves threads that the host started to end by themselves.
    fn cause(self) -> BuildError {
        match self {
            Failed::Refused(error) => error,
            Failed::Midway { cause, .. } => cause.surface(),
        }
    }
}

impl Cause {
    fn surface(self) -> BuildError {
        match self {
            Cause::Error(error) => error,
            Cause::Panic(payload) => unwind::resume(payload),
        }
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
