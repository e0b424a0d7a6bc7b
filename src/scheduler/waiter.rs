//! Blocking the calling thread, whatever it is: a worker lends its place to a spare, or runs jobs of its pool meanwhile; any
//! other thread sleeps. Here, and not in [`crate::waiting::latch`], because waiting on a worker needs the scheduler.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::scheduler::registry::Registry;
use crate::scheduler::worker::{
    Help, Until, UntilSignal, Wait, Worker, return_host_of_dropped_pool, with_current,
};
use crate::sync::{Arc, EXHAUSTIVE, MODEL, defect, thread_local};
use crate::system::parker::{Parker, Unparker};
use crate::system::process;
use crate::system::spin::{Spin, WAKE};
use crate::waiting::latch::{CountLatch, Latch, Seen, Signal, Wake};

thread_local! {
    /// The parker of a thread that is no worker, made when it first blocks, and the process that made it. A forked child makes
    /// another one: who woke the thread in the parent may have been about to, with the parker locked, and is not there.
    static PARKER: RefCell<(u32, Rc<Parker>)> = RefCell::new((process::current(), adopted()));
}

// Not the facade's: under a checker nobody comes here.
std::thread_local! {
    /// When this thread last waited for an answer on the core of a worker that was awake.
    static BESIDE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Two such waits within so short a time are taken for the beginning of many.
const SOON: Duration = Duration::from_micros(50);

/// The calling thread's parker.
fn own_parker() -> Rc<Parker> {
    let own = PARKER.try_with(|own| {
        let mut own = own.borrow_mut();
        if own.0 != process::current() {
            *own = (process::current(), adopted());
        }
        Rc::clone(&own.1)
    });
    // A thread in teardown, whose locals are gone, gets one for this wait only.
    own.unwrap_or_else(|_| adopted())
}

fn adopted() -> Rc<Parker> {
    let parker = Parker::new();
    parker.adopt();
    Rc::new(parker)
}

/// The calling thread, as one that is about to wait.
pub(crate) enum Waiter<'w> {
    Worker(&'w Worker),
    Thread(Rc<Parker>),
}

impl Waiter<'_> {
    /// Calls `f` with the calling thread as a waiter.
    pub(crate) fn with<R>(f: impl FnOnce(Waiter<'_>) -> R) -> R {
        /// One of the jobs that were run meanwhile may have dropped the pool that this thread was lent to.
        struct Return;
        impl Drop for Return {
            fn drop(&mut self) {
                return_host_of_dropped_pool();
            }
        }
        let _return = Return;
        with_current(|worker| {
            f(match worker {
                // In a forked child its jobs are the parent's to run.
                Some(worker) if !worker.registry.forked() => Waiter::Worker(worker),
                _ => Waiter::Thread(own_parker()),
            })
        })
    }

    /// What wakes it.
    pub(crate) fn unparker(&self) -> Unparker {
        match self {
            Waiter::Worker(worker) => worker.unparker(),
            Waiter::Thread(parker) => parker.unparker(),
        }
    }

    /// Waits until `latch`, made with [`unparker`](Self::unparker), is set. A worker lends its place to a spare or runs
    /// jobs meanwhile, as `wait` says: none of them is what it waits for. Another thread, which waits for the pool of
    /// `registry`, spins first, unless it is to `make_way`.
    pub(crate) fn wait(&self, registry: &Registry, latch: &Latch, wait: Option<Wait>, make_way: bool) {
        match self {
            Waiter::Worker(worker) => wait_on_worker(worker, latch, wait),
            Waiter::Thread(parker) => {
                if !make_way && !EXHAUSTIVE {
                    let mut spin = spin_for_answer(registry);
                    registry.sleep.as_outside_spinner(|| while !latch.probe() && spin.again() {});
                }
                while !latch.probe() {
                    if latch.arm() {
                        parker.park(None);
                        if defect("token_believed") {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Waits until `signal`, made with [`unparker`](Self::unparker), has fired or `deadline` is past.
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

/// The spin of a thread from outside that waits for an answer of the pool.
///
/// On the core of a worker that is awake it offers the core to that worker, which is quick, and they stay where they are; if
/// it was so a moment ago, it sleeps, which moves it to a core that is free, where later answers take a tenth of the time.
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
    let help = if matches!(wait, None | Some(Wait::Steal)) { Help::Any } else { Help::Nothing };
    if wait != Some(Wait::Steal) && worker.may_lend_place() {
        let parks = wait == Some(Wait::Park);
        worker.wait_related(until, help, || if parks { None } else { worker.own_if_isolated() });
    } else {
        worker.wait_until(until, help);
    }
}

/// The moment `timeout` from now; `None`, for ever, if that is further away than time can tell, and under a checker.
pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    if MODEL { None } else { Instant::now().checked_add(timeout) }
}

/// Blocks until a signal fires, or until `deadline`. `enter` hands the signal to whoever will fire it,
/// or returns `None` if there is nothing to wait for any more. `leave` takes it back with what `enter`
/// returned, and says whether it was still there. `true` unless time was up first.
pub(crate) fn on_signal<T>(
    deadline: Option<Instant>,
    wait: Option<Wait>,
    enter: impl FnOnce(Wake) -> Option<T>,
    leave: impl FnOnce(T) -> bool,
) -> bool {
    on_signal_after_nap(deadline, wait, |wake| Some((enter(wake)?, None)), || true, leave)
}

/// As [`on_signal`], but `enter` may also say when the caller is to look by itself: if the signal has not fired by then,
/// it asks whether it `must_wait` on.
pub(crate) fn on_signal_after_nap<T>(
    deadline: Option<Instant>,
    wait: Option<Wait>,
    enter: impl FnOnce(Wake) -> Option<(T, Option<Instant>)>,
    must_wait: impl FnOnce() -> bool,
    leave: impl FnOnce(T) -> bool,
) -> bool {
    Waiter::with(|waiter| {
        let signal = Signal::new(waiter.unparker());
        let wake = match waiter {
            Waiter::Worker(_) => Wake::Worker(Arc::clone(&signal)),
            Waiter::Thread(_) => Wake::Thread(Arc::clone(&signal)),
        };
        let Some((entered, nap)) = enter(wake) else { return true };
        if nap.is_some() {
            waiter.wait_signal(&signal, nap, wait);
        }
        if nap.is_none() || !signal.fired() && must_wait() {
            waiter.wait_signal(&signal, deadline, wait);
        }
        // Fired, or taken off the list by somebody who is about to fire it.
        signal.fired() || !leave(entered)
    })
}

impl CountLatch {
    /// Blocks until the count is zero, or was at some moment since the call. In a job, a
    /// [spare](crate::PoolBuilder::spares) has the worker's place meanwhile; elsewhere, the thread sleeps.
    pub fn wait(&self) {
        self.wait_until(None, None);
    }

    /// As [`wait`](Self::wait), with a say in what a worker does meanwhile: see [`Wait`].
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

    /// As [`wait`](Self::wait), for `timeout` at most; `true` if the count was zero at some moment since the call. A
    /// timeout of zero looks once; [`Duration::MAX`] waits for ever.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        if timeout.is_zero() { self.count() == 0 } else { self.wait_until(deadline(timeout), None) }
    }

    pub(crate) fn wait_until(&self, deadline: Option<Instant>, wait: Option<Wait>) -> bool {
        self.wait_since(self.look(), deadline, wait)
    }

    /// Waits until the count is zero, or was at some moment since the look that found `since`.
    pub(crate) fn wait_since(&self, since: Seen, deadline: Option<Instant>, wait: Option<Wait>) -> bool {
        let outside = with_current(|worker| worker.is_none());
        let mut spin = Spin::new(WAKE).beside();
        let mut over = since.count() == 0;
        while !over {
            if !outside || !spin.again() {
                let enter = |wake| self.register(wake, since);
                return on_signal(deadline, wait, enter, |ticket| self.deregister(ticket));
            }
            over = self.is_over(since);
        }
        true
    }
}
