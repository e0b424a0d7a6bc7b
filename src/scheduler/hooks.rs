//! What the embedder wants to be called for, and until when a pool keeps it.
//!
//! A hook or a panic handler may hold a handle of its own pool. So the pool lets go of them when it has ended, or the two
//! would keep each other for ever. Each call is made without the lock, by a count of its own.

use std::panic::AssertUnwindSafe;

use crate::scheduler::panic_at::PanicAt;
use crate::sync::{MODEL, Mutex, StdArc, lock};
use crate::system::unwind::{self, AbortOnUnwind, Payload};

/// Called with a worker's number.
pub(super) type Hook = Box<dyn Fn(usize) + Send + Sync>;
/// Called with the payload of a panic that has no other place to go, and where that was.
pub(super) type PanicHandler = Box<dyn Fn(Payload, &PanicAt<'_>) + Send + Sync>;

/// What is called.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) on_start: Option<Hook>,
    pub(crate) on_exit: Option<Hook>,
    pub(crate) panic_handler: Option<PanicHandler>,
}

/// A pool's hold on it.
pub(crate) struct HeldHooks {
    /// Whether there is anything: no lock is taken otherwise.
    any: bool,
    /// `None` once the pool has ended.
    held: Mutex<Option<StdArc<Hooks>>>,
}

impl HeldHooks {
    pub(crate) fn new(hooks: Hooks) -> HeldHooks {
        let Hooks { on_start, on_exit, panic_handler } = &hooks;
        let any = on_start.is_some() || on_exit.is_some() || panic_handler.is_some();
        HeldHooks { any, held: Mutex::new(any.then(|| StdArc::new(hooks))) }
    }

    fn get(&self) -> Option<StdArc<Hooks>> {
        if self.any { lock(&self.held).clone() } else { None }
    }

    /// Whether a worker's start is to be told.
    pub(crate) fn has_start(&self) -> bool {
        self.get().is_some_and(|hooks| hooks.on_start.is_some())
    }

    /// Calls a hook; what it panics with goes to the panic handler.
    pub(crate) fn call(&self, which: impl FnOnce(&Hooks) -> &Option<Hook>, index: usize) {
        if let Some(hooks) = self.get()
            && let Some(hook) = which(&hooks)
            && let Err(payload) = unwind::catch(AssertUnwindSafe(|| hook(index)))
        {
            self.handle_panic(payload, &PanicAt::new(None, Some(index)));
        }
    }

    /// Takes what a job panicked with to the handler. A handler that panics itself ends the process.
    pub(super) fn handle_panic(&self, payload: Payload, at: &PanicAt<'_>) {
        let hooks = self.get();
        match hooks.as_ref().and_then(|hooks| hooks.panic_handler.as_ref()) {
            // A check that goes on would pass: nobody hears of what a job asserted.
            None if MODEL => unwind::panic_unheard(),
            // The panic hook has reported it by now; a pool keeps its worker.
            None => unwind::discard(payload),
            Some(handler) => {
                let guard = AbortOnUnwind("the panic handler panicked");
                handler(payload, at);
                std::mem::forget(guard);
            }
        }
    }

    /// The pool has ended: drops them, on the calling thread, which must hold no lock and have no frame below that goes
    /// on as a worker. A drop that panics has been reported by the panic hook, and nobody else is left to tell.
    pub(super) fn drop_user_code(&self) {
        let hooks = if self.any { lock(&self.held).take() } else { None };
        if let Err(payload) = unwind::catch(|| drop(hooks)) {
            unwind::discard(payload);
        }
    }
}
