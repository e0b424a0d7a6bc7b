//! Threads of a machine, in the shape of `std::thread`.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::machine::current;
use crate::routine::Pause;
use crate::state::Status;

/// Starts threads, with a name if one is given.
#[derive(Debug, Default)]
pub struct Builder {
    name: Option<String>,
}

impl Builder {
    /// Creates a builder of a thread without a name.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Gives the thread a name.
    #[must_use]
    pub fn name(self, name: String) -> Builder {
        Builder { name: Some(name) }
    }

    /// Does nothing: all stacks are of 1 MiB. A thread that needs more ends the process.
    #[must_use]
    pub fn stack_size(self, _bytes: usize) -> Builder {
        self
    }

    /// Starts a thread that runs `f`, bound as the calling thread is.
    ///
    /// # Errors
    /// None: the result has `std`'s shape.
    ///
    /// # Panics
    /// If the caller is no thread of a machine.
    pub fn spawn<T, F>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let machine = current().expect("a thread of a machine");
        let result = Arc::new(Mutex::new(None));
        let place = Arc::clone(&result);
        machine.turn();
        {
            let mut state = machine.state.borrow_mut();
            let price = state.costs.spawn;
            state.spend(price);
        }
        let run = move || {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        };
        let number = machine.start(self.name.unwrap_or_default(), run);
        Ok(JoinHandle { number, result })
    }
}

/// Waits for the end of a thread.
#[derive(Debug)]
pub struct JoinHandle<T> {
    number: usize,
    result: Arc<Mutex<Option<std::thread::Result<T>>>>,
}

impl<T> JoinHandle<T> {
    /// Blocks until the thread has ended, and returns its result.
    ///
    /// # Errors
    /// The payload, if the thread panicked.
    ///
    /// # Panics
    /// If the caller is no thread of the machine.
    pub fn join(self) -> std::thread::Result<T> {
        let machine = current().expect("a thread of a machine");
        machine.turn();
        let ended = {
            let mut state = machine.state.borrow_mut();
            let ended = state.threads[self.number].status == Status::Done;
            if !ended {
                let me = state.current;
                state.threads[self.number].joiners.push(me);
            }
            ended
        };
        if !ended {
            machine.block(None, None);
        }
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.expect("a thread leaves its result before it ends")
    }

    /// Returns whether the thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let Some(machine) = current() else { return true };
        machine.turn();
        let mut state = machine.state.borrow_mut();
        let price = state.costs.hit;
        state.spend(price);
        state.threads[self.number].status == Status::Done
    }
}

/// Offers the core to threads that wait for it.
pub fn yield_now() {
    let Some(machine) = current() else { return };
    machine.turn();
    {
        let mut state = machine.state.borrow_mut();
        let price = state.costs.call;
        state.spend(price);
    }
    machine.pause(Pause::Offer);
}

/// Blocks the calling thread for `time` and the timer's slack.
pub fn sleep(time: std::time::Duration) {
    let Some(machine) = current() else { return };
    machine.turn();
    machine.block(None, Some(crate::clock::to_time(time)));
}

/// Binds the calling thread to a core, or to none. It moves at once.
///
/// # Panics
/// If the machine has no such core.
pub fn bind(core: Option<usize>) {
    let Some(machine) = current() else { return };
    machine.turn();
    let moves = {
        let mut state = machine.state.borrow_mut();
        assert!(core.is_none_or(|core| core < state.cores.len()), "no such core");
        let price = state.costs.call;
        state.spend(price);
        let me = state.current;
        state.bind(me, core);
        core.is_some_and(|core| core != state.threads[me].core)
    };
    if moves {
        machine.pause(Pause::Moved);
    }
}

/// Returns the core that the calling thread is on.
#[must_use]
pub fn core() -> Option<usize> {
    let machine = current()?;
    machine.turn();
    let mut state = machine.state.borrow_mut();
    let price = state.costs.hit;
    state.spend(price);
    Some(state.me().core)
}

/// Returns how many cores the machine has, or 0 if the caller is no thread of a machine.
#[must_use]
pub fn cores() -> usize {
    current().map_or(0, |machine| machine.state.borrow().cores.len())
}
