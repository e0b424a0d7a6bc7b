//! Blocking the calling thread, whatever thread it is.
//!
//! | the calling thread | while it waits |
//! |---|---|
//! | a worker inside a job | runs what it waits for, or lends its place to a spare; [`Wait`] says what it does without one |
//! | a lent thread outside any job | runs jobs of its pool |
//! | any other thread | sleeps, and looks after the workers now and then: see [`super::watch`] |
//!
//! The module is here, and not in [`crate::waiting::latch`], because a wait on a worker needs the scheduler.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::scheduler::registry::Registry;
use crate::scheduler::watch::Watch;
use crate::scheduler::worker::{
    Help, Until, UntilSignal, Wait, Worker, return_host_of_dropped_pool, with_current,
};
use crate::sync::{Arc, EXHAUSTIVE, MODEL, defect, thread_local, unseen_local};
use crate::system::clock::Instant;
use crate::system::parker::{Parker, Unparker};
use crate::system::process;
use crate::system::spin::{Spin, WAKE};
use crate::system::spin_history::SpinHistory;
use crate::waiting::latch::{CountLatch, Latch, Seen, Signal, Wake};

thread_local! {
    /// The parker of a thread that is no worker, with the fork generation of the process that made it. The thread
    /// makes it when it first blocks. A forked child makes another one: a thread of the parent may have held the
    /// old parker's lock at the fork, to wake this thread, and does not exist in the child.
    static PARKER: RefCell<(u32, Rc<Parker>)> = RefCell::new((process::current(), adopted()));
}

// Not the facade's macro: under a checker no thread comes here.
unseen_local! {
    /// When this thread last waited for an answer while it was on the core of a worker that was awake.
    static BESIDE: Cell<Option<Instant>> = const { Cell::new(None) };

    /// What became of this thread's last spins as an outside thread.
    static SPINS: SpinHistory = const { SpinHistory::new() };
}

/// If two waits beside a worker come within this time of each other, many more are expected.
const SOON: Duration = Duration::from_micros(50);

/// Returns the calling thread's parker.
fn own_parker() -> Rc<Parker> {
    let own = PARKER.try_with(|own| {
        let mut own = own.borrow_mut();
        if own.0 != process::current() {
            *own = (process::current(), adopted());
        }
        Rc::clone(&own.1)
    });
    // A thread in teardown has lost its locals: it gets a parker for this wait only.
    own.unwrap_or_else(|_| adopted())
}

fn adopted() -> Rc<Parker> {
    let parker = Parker::new();
    parker.adopt();
    Rc::new(parker)
}

/// The calling thread, as a thread that is about to wait.
pub(crate) enum Waiter<'w> {
    Worker(&'w Worker),
    Thread(Rc<Parker>),
}

impl Waiter<'_> {
    /// Calls `f` with the calling thread as a waiter.
    pub(crate) fn with<R>(f: impl FnOnce(Waiter<'_>) -> R) -> R {
        /// Runs at the end. A job that ran during the wait may have dropped the pool that this thread was lent to;
        /// the thread then ceases to be a worker of that pool.
        struct Return;
        impl Drop for Return {
            fn drop(&mut self) {
                return_host_of_dropped_pool();
            }
        }
        let _return = Return;
        with_current(|worker| {
            f(match worker {
                // In a forked child the worker's jobs are the parent's to run, so the thread only sleeps.
                Some(worker) if !worker.registry.forked() => Waiter::Worker(worker),
                _ => Waiter::Thread(own_parker()),
            })
        })
    }

    /// Returns the handle that wakes this waiter.
    pub(crate) fn unparker(&self) -> Unparker {
        match self {
            Waiter::Worker(worker) => worker.unparker(),
            Waiter::Thread(parker) => parker.unparker(),
        }
    }

    /// Waits until `latch`, which was made with [`unparker`](Self::unparker), is set.
    ///
    /// A worker lends its place to a spare or runs jobs meanwhile, as `wait` says. None of these jobs is what it
    /// waits for. Any other thread waits for the pool of `registry`: it spins before it sleeps, unless it is to
    /// `make_way`.
    pub(crate) fn wait(&self, registry: &Registry, latch: &Latch, wait: Option<Wait>, make_way: bool) {
        match self {
            Waiter::Worker(worker) => wait_on_worker(worker, latch, wait),
            Waiter::Thread(parker) => {
                if !make_way && !EXHAUSTIVE {
                    let spin = spin_for_answer(registry);
                    registry.sleep.as_outside_spinner(|| spin_outside(spin, || latch.probe()));
                }
                let mut watch = Watch::new(registry);
                while !latch.probe() {
                    if latch.arm() {
                        if !parker.park(watch.next()) {
                            watch.look();
                        }
                        if defect("token_believed") {
                            break;
                        }
                    }
                }
                SPINS.with(SpinHistory::note_over);
            }
        }
    }

    /// Waits until `signal`, which was made with [`unparker`](Self::unparker), has fired or `deadline` has passed.
    fn wait_signal(&self, signal: &Signal, deadline: Option<Instant>, wait: Option<Wait>) {
        match self {
            Waiter::Worker(worker) => wait_on_worker(worker, &UntilSignal { signal, deadline }, wait),
            Waiter::Thread(parker) => {
                let due = || deadline.is_some_and(|deadline| deadline <= Instant::now());
                while !signal.fired() && !due() {
                    parker.park(deadline);
                }
            }
        }
    }
}

/// Spins on an outside thread until `is_over`, but not for longer than such spins have paid lately. Returns whether it is
/// over.
fn spin_outside(spin: Spin, is_over: impl Fn() -> bool) -> bool {
    SPINS.with(|history| {
        let mut spin = history.shorten(spin);
        while spin.again() {
            if is_over() {
                history.note_paid();
                return true;
            }
        }
        history.note_vain(&spin);
        false
    })
}

/// Returns the spin of an outside thread that waits for an answer of the pool.
///
/// If the thread is on the core of a worker that is awake, it first offers the core to that worker. That is quick,
/// and both stay where they are. If such a wait came a moment ago, the thread soon sleeps instead. Its wake then
/// moves it to a free core, where later answers come much faster.
fn spin_for_answer(registry: &Registry) -> Spin {
    let spin = Spin::new(WAKE).beside();
    if MODEL || !registry.sleep.is_beside_a_worker() {
        return registry.sleep.spin_outside(spin, || 0);
    }
    let now = Instant::now();
    let before = BESIDE.replace(Some(now));
    if before.is_some_and(|before| now - before < SOON) {
        registry.sleep.spin_outside(spin, || 0)
    } else {
        Spin::offering()
    }
}

fn wait_on_worker(worker: &Worker, until: &impl Until, wait: Option<Wait>) {
    let wait = worker.allowed_wait(wait);
    if worker.inside() && worker.is_apart(wait) {
        worker.wait_apart(until, || None);
    } else if wait != Some(Wait::Steal) && worker.may_lend_place() {
        worker.wait_related(until, Help::Any, || None);
    } else {
        worker.wait_until(until, Help::Any);
    }
}

/// Returns the moment `timeout` from now. Returns `None`, which means for ever, if time cannot represent that
/// moment, and under a checker.
pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    if MODEL { None } else { Instant::now().checked_add(timeout) }
}

/// Blocks until a signal fires, or until `deadline`. Returns `false` only if the deadline came first.
///
/// `enter` hands the signal to the thread that will fire it, or returns `None` if there is nothing to wait for any
/// more. `leave` gets what `enter` returned, takes the signal back, and says whether it was still there.
pub(crate) fn on_signal<T>(
    deadline: Option<Instant>,
    wait: Option<Wait>,
    enter: impl FnOnce(Wake) -> Option<T>,
    leave: impl FnOnce(T) -> bool,
) -> bool {
    Waiter::with(|waiter| {
        let signal = Signal::new(waiter.unparker());
        let wake = match waiter {
            Waiter::Worker(_) => Wake::Worker(Arc::clone(&signal)),
            Waiter::Thread(_) => Wake::Thread(Arc::clone(&signal)),
        };
        let Some(entered) = enter(wake) else { return true };
        waiter.wait_signal(&signal, deadline, wait);
        // Either it has fired, or another thread took it off the list and is about to fire it.
        signal.fired() || !leave(entered)
    })
}

/// Blocks the calling thread until the signal in the entry that `enter` makes has fired, but only as long as `nap_on`
/// returns a moment at which the caller looks by itself. It is asked before each nap. Returns whether the signal has
/// fired. `enter` and `leave` are those of [`on_signal`].
pub(crate) fn in_naps<T>(
    enter: impl FnOnce(Wake) -> Option<T>,
    mut nap_on: impl FnMut() -> Option<Instant>,
    leave: impl FnOnce(T) -> bool,
) -> bool {
    Waiter::with(|waiter| {
        let signal = Signal::new(waiter.unparker());
        let Some(entered) = enter(Wake::Thread(Arc::clone(&signal))) else { return true };
        while !signal.fired()
            && let Some(end) = nap_on()
        {
            waiter.wait_signal(&signal, Some(end), None);
        }
        signal.fired() || !leave(entered)
    })
}

impl CountLatch {
    /// Blocks until the count is zero, or was zero at some moment since the call.
    ///
    /// In a job, a [spare](crate::PoolBuilder::spares) has the worker's place meanwhile. A thread that was lent
    /// with [`use_current_thread`](crate::PoolBuilder::use_current_thread) and is in no job runs jobs of its pool.
    /// Any other thread sleeps.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let done = std::sync::Arc::new(filch::CountLatch::new(4));
    /// for _ in 0..4 {
    ///     let done = done.clone();
    ///     pool.execute(move || done.count_down())?;
    /// }
    /// done.wait();
    /// assert_eq!(done.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&self) {
        self.wait_until(None, None);
    }

    /// Waits like [`wait`](Self::wait), and lets the caller choose what a worker does meanwhile: see [`Wait`].
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// pool.install(|| {
    ///     let done = std::sync::Arc::new(filch::CountLatch::new(8));
    ///     for _ in 0..8 {
    ///         let done = done.clone();
    ///         filch::execute(move || done.count_down())?;
    ///     }
    ///     // These jobs wait for nothing, so the worker may as well run them itself.
    ///     done.wait_with(filch::Wait::Steal);
    ///     Ok::<(), filch::Closed<_>>(())
    /// }).map_err(|closed| closed.reason().to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_with(&self, wait: Wait) {
        self.wait_until(None, Some(wait));
    }

    /// Waits like [`wait`](Self::wait), but for at most `timeout`. Returns `true` if the count was zero at some
    /// moment since the call.
    ///
    /// A timeout of zero looks once and does not block. [`Duration::MAX`] waits for ever.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// let done = filch::CountLatch::new(1);
    /// assert!(!done.wait_timeout(Duration::ZERO));
    /// done.count_down();
    /// assert!(done.wait_timeout(Duration::MAX));
    /// ```
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        if timeout.is_zero() { self.count() == 0 } else { self.wait_until(deadline(timeout), None) }
    }

    pub(crate) fn wait_until(&self, deadline: Option<Instant>, wait: Option<Wait>) -> bool {
        self.wait_since(self.look(), deadline, wait)
    }

    /// Waits until the count is zero, or was zero at some moment since the look that returned `since`. Returns
    /// `false` if `deadline` came first.
    pub(crate) fn wait_since(&self, since: Seen, deadline: Option<Instant>, wait: Option<Wait>) -> bool {
        if since.count() == 0 {
            return true;
        }
        let outside = with_current(|worker| worker.is_none());
        if outside && spin_outside(Spin::new(WAKE).beside(), || self.is_over(since)) {
            return true;
        }
        let enter = |wake| self.register(wake, since);
        let in_time = on_signal(deadline, wait, enter, |ticket| self.deregister(ticket));
        if outside {
            SPINS.with(SpinHistory::note_over);
        }
        in_time
    }
}
