//! Runs the threads in turn: each step is one of the thread whose clock is lowest.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::costs::{Costs, Time, micros};
use crate::lines::Access;
use crate::routine::{Pause, Routine};
use crate::state::{Counts, Next, START, Span, Spent, State, Status};

/// The size of a thread's stack. The pages that a thread does not touch cost nothing.
const STACK: usize = 1 << 20;

/// Work is done in pieces of this length, so that the system can take the core away, and interrupts count.
const PIECE: Time = micros(20);

pub(crate) struct Machine {
    pub(crate) state: RefCell<State>,
    /// The current thread's way back to the machine.
    yielder: Cell<*const Yielder<(), Pause>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Machine>>> = const { RefCell::new(None) };
}

/// Returns the machine that the calling thread is of, if it is one of a machine.
pub(crate) fn current() -> Option<Rc<Machine>> {
    CURRENT.with_borrow(Option::clone)
}

/// What a run took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The virtual time from the start of the first thread to the end of the last.
    pub time: Time,
    /// What all threads together did.
    pub counts: Counts,
    /// Each thread's name, and how it spent its time, in the order of their starts.
    pub threads: Vec<(String, Spent)>,
    /// Who had which core when, in the order of the ends. The times begin at the start of the first thread.
    pub spans: Vec<Span>,
}

/// Runs `program` as the first thread of a machine with `cores` cores, until all threads have ended.
///
/// `seed` decides how long each wake and each time-out takes, within a fifth of its price. Apart from that, a run depends
/// on nothing but its arguments and on how the program's words lie in cache lines.
///
/// # Panics
/// If there are no cores, if the caller is a thread of a machine, if threads are left that wait for ever, or if the first
/// thread panics.
///
/// # Examples
/// ```
/// use filch_lab_machine::{Costs, micros, run, thread, work};
///
/// let report = run(2, Costs::default(), 1, || {
///     let other = thread::Builder::new().spawn(|| work(micros(100))).expect("threads cost nothing");
///     work(micros(100));
///     other.join().expect("it does not panic");
/// });
/// // Both start on a core that has slept, which takes about 30 µs to come back, and the second 12 µs later.
/// assert!(report.time > micros(155) && report.time < micros(190));
/// ```
pub fn run(cores: usize, costs: Costs, seed: u64, program: impl FnOnce() + 'static) -> Report {
    assert!(cores > 0, "a machine has a core at least");
    let machine = Rc::new(Machine {
        state: RefCell::new(State::new(cores, costs, seed)),
        yielder: Cell::new(std::ptr::null()),
    });
    assert!(current().is_none(), "a machine within a machine");
    CURRENT.set(Some(Rc::clone(&machine)));
    let _reset = Reset;
    let failed = Rc::new(Cell::new(true));
    let ended = Rc::clone(&failed);
    machine.start("main".to_owned(), move || {
        program();
        ended.set(false);
    });
    let stuck = machine.run();
    let state = machine.state.borrow();
    let main_has_ended = state.threads[0].status == Status::Done;
    assert!(!main_has_ended || !failed.get(), "the program panicked");
    if let Some(names) = stuck {
        panic!("these threads wait for ever: {}", names.join(", "));
    }
    Report {
        time: state.threads.iter().map(|thread| thread.clock).max().unwrap_or(START) - START,
        counts: state.counts.clone(),
        threads: state.threads.iter().map(|thread| (thread.name.clone(), thread.spent.clone())).collect(),
        spans: state
            .spans
            .iter()
            .map(|span| Span { begin: span.begin - START, end: span.end - START, ..*span })
            .collect(),
    }
}

/// Says, when it is dropped, that the calling thread is of no machine.
struct Reset;

impl Drop for Reset {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

impl Machine {
    /// Starts a thread, and returns its number.
    pub(crate) fn start(self: &Rc<Self>, name: String, run: impl FnOnce() + 'static) -> usize {
        let machine = Rc::clone(self);
        let stack = DefaultStack::new(STACK).expect("memory for a thread's stack");
        let routine = Coroutine::with_stack(stack, move |yielder: &Yielder<(), Pause>, ()| {
            machine.yielder.set(yielder);
            let all = || {
                // The panic was told when it began. Who joins the thread learns of it there.
                drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)));
                machine.end_locals();
                // Up to here the thread is on its core.
                machine.turn();
            };
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(all)).is_err() {
                // As std does if a thread-local's destructor panics.
                std::process::abort();
            }
        });
        let mut state = self.state.borrow_mut();
        let parent = (state.current != usize::MAX).then_some(state.current);
        state.add_thread(name, routine, parent)
    }

    /// Runs all threads to their ends. Returns the names of those that wait for ever.
    fn run(&self) -> Option<Vec<String>> {
        loop {
            let next = self.state.borrow_mut().next();
            let mut routine = match next {
                Next::Run(routine) => routine,
                Next::End => return None,
                Next::Stuck(names) => {
                    // Their frames are left as they are: to unwind them would run code that expects to go on.
                    for thread in &mut self.state.borrow_mut().threads {
                        std::mem::forget(thread.routine.take());
                    }
                    return Some(names);
                }
            };
            let paused = routine.resume(());
            self.yielder.set(std::ptr::null());
            match paused {
                CoroutineResult::Yield(pause) => self.state.borrow_mut().pause(routine, pause),
                CoroutineResult::Return(()) => self.state.borrow_mut().end(),
            }
        }
    }

    /// Drops the current thread's variables.
    fn end_locals(&self) {
        let locals = {
            let mut state = self.state.borrow_mut();
            let me = state.me();
            me.locals_gone = true;
            std::mem::take(&mut me.locals)
        };
        drop(locals);
    }

    /// Lets the other threads go first whose clocks are lower.
    pub(crate) fn turn(&self) {
        // The host counts the panics of its thread, which all threads of the machine share.
        if std::thread::panicking() {
            return;
        }
        loop {
            let state = self.state.borrow();
            if state.now <= state.limit {
                return;
            }
            drop(state);
            self.pause(Pause::Turn);
        }
    }

    /// Lets go of the machine, and returns when it is this thread's turn again.
    pub(crate) fn pause(&self, pause: Pause) {
        let own = self.yielder.get();
        assert!(!own.is_null(), "a thread of this machine runs");
        // SAFETY: the pointer is that of the running thread's coroutine: set when that began, and again below each time that
        // it goes on. A coroutine's yielder lives as long as its closure runs.
        let yielder = unsafe { &*own };
        yielder.suspend(pause);
        self.yielder.set(own);
    }

    /// Spends `time` at work, of which the system and interrupts see each piece.
    pub(crate) fn work(&self, mut time: Time) {
        while time > 0 {
            self.turn();
            let piece = time.min(PIECE);
            self.state.borrow_mut().work(piece);
            time -= piece;
        }
    }

    /// An access to the word at `address`, which may now be made.
    pub(crate) fn access(&self, address: usize, access: Access) {
        self.turn();
        self.state.borrow_mut().access(address, access);
    }

    /// Blocks the current thread, on `address` if there is one, for `time` at most.
    pub(crate) fn block(&self, address: Option<usize>, time: Option<Time>) {
        self.state.borrow_mut().block(address, time);
        self.pause(Pause::Blocked);
    }
}

impl State {
    /// Takes the current thread back, which has let go of the machine.
    fn pause(&mut self, routine: Routine, pause: Pause) {
        let (thread, now) = (self.current, self.now);
        self.current = usize::MAX;
        let entry = &mut self.threads[thread];
        entry.routine = Some(routine);
        entry.clock = now;
        let core = entry.core;
        match pause {
            Pause::Offer if !self.cores[core].queue.is_empty() => self.make_way(thread, false),
            Pause::Turn | Pause::Offer => {
                self.running.insert((now, thread));
            }
            Pause::Moved => {
                self.release(core, now);
                self.make_ready(thread, now);
            }
            Pause::Blocked => {
                debug_assert_eq!(self.threads[thread].status, Status::Blocked);
                self.release(core, now);
            }
        }
    }
}
