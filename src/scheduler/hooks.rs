//! The embedder's callbacks (start and exit hooks, panic handler), and how long a pool keeps them.
//!
//! A callback may hold a handle of its own pool. So the pool drops the callbacks when it has ended; otherwise each
//! would keep the other alive for ever. Each call holds a reference count instead of the lock, because a callback
//! is foreign code and may come back here.

use std::panic::AssertUnwindSafe;

use crate::scheduler::panic_at::PanicAt;
use crate::sync::{MODEL, Mutex, StdArc, lock};
use crate::system::unwind::{self, AbortOnUnwind, Payload};

/// A start or exit hook, called with a worker's number.
pub(super) type Hook = Box<dyn Fn(usize) + Send + Sync>;
/// Called with the payload of a panic that has no other receiver, and with the place of the panic.
pub(super) type PanicHandler = Box<dyn Fn(Payload, &PanicAt<'_>) + Send + Sync>;

/// The callbacks of one pool.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) on_start: Option<Hook>,
    pub(crate) on_exit: Option<Hook>,
    pub(crate) panic_handler: Option<PanicHandler>,
}

/// A pool's reference to its callbacks, which it gives up when it has ended.
pub(crate) struct HeldHooks {
    /// Whether there is any callback. If not, no call takes the lock.
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

    /// Whether there is a start hook to call.
    pub(crate) fn has_start(&self) -> bool {
        self.get().is_some_and(|hooks| hooks.on_start.is_some())
    }

    /// Calls the hook that `which` selects, if there is one. If the hook panics, the payload goes to the panic
    /// handler.
    pub(crate) fn call(&self, which: impl FnOnce(&Hooks) -> &Option<Hook>, index: usize) {
        if let Some(hooks) = self.get()
            && let Some(hook) = which(&hooks)
            && let Err(payload) = unwind::catch(AssertUnwindSafe(|| hook(index)))
        {
            self.handle_panic(payload, &PanicAt::new(None, Some(index)));
        }
    }

    /// Passes the payload of a job's panic to the panic handler. If the handler panics, the process ends.
    pub(super) fn handle_panic(&self, payload: Payload, at: &PanicAt<'_>) {
        let hooks = self.get();
        match hooks.as_ref().and_then(|hooks| hooks.panic_handler.as_ref()) {
            // Without a handler nothing else reports a failed assertion in a job, so under a checker the model
            // would pass.
            None if MODEL => unwind::panic_unheard(),
            // std's panic hook has reported the panic already. The worker goes on.
            None => unwind::discard(payload),
            Some(handler) => {
                let guard = AbortOnUnwind("the panic handler panicked");
                handler(payload, at);
                std::mem::forget(guard);
            }
        }
    }

    /// Drops the callbacks on the calling thread: the pool has ended. The caller must hold no lock, and must have
    /// no frame below it that goes on as a worker. A panic of the drop goes nowhere: std's panic hook has reported
    /// it, and there is no handler left to tell.
    pub(super) fn drop_user_code(&self) {
        let hooks = if self.any { lock(&self.held).take() } else { None };
        if let Err(payload) = unwind::catch(|| drop(hooks)) {
            unwind::discard(payload);
        }
    }
}
