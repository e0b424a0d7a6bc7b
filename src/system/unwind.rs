//! Panics as values: catches, carries and ends them.
//!
//! Each kind of job has one place that catches its panic. The payload is then carried to the thread that must see it.
//! No other module of the crate calls `catch_unwind`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::sync::MODEL;

/// What a panic carried.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// Runs `f` and returns its result or the payload of its panic.
///
/// The function asserts unwind safety. As with `std::thread::spawn`, the caller of a job either gets the payload, and
/// may resume the panic, or has named a handler for it.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
    let result = catch_unwind(AssertUnwindSafe(f));
    if MODEL
        && let Err(payload) = &result
        && from_checker(payload)
    {
        std::process::abort();
    }
    result
}

/// Resumes a panic that was caught elsewhere.
pub(crate) fn resume(payload: Payload) -> ! {
    resume_unwind(payload)
}

/// Drops a payload that no caller will see. A payload whose drop panics ends the process: no caller is left that
/// could get the second panic.
pub(crate) fn discard<T>(payload: T) {
    let guard = AbortOnUnwind("the drop of a panic payload, or of a result beside one, panicked");
    drop(payload);
    std::mem::forget(guard);
}

/// A guard that ends the process when it is dropped. Its maker forgets it on the normal way out, so the drop happens
/// only while unwinding.
pub(crate) struct AbortOnUnwind(pub(crate) &'static str);

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("filch: {}; aborting", self.0);
        std::process::abort();
    }
}

/// Ends the process, under a checker: a job panicked, and the pool has no panic handler.
pub(crate) fn panic_unheard() -> ! {
    eprintln!(
        "filch: a job panicked and the pool has no panic handler; under a checker that is a failure; aborting"
    );
    std::process::abort();
}

/// Returns the text of a payload, if it has one.
fn text(payload: &Payload) -> Option<&str> {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&'static str>().copied())
}

/// Returns whether the panic comes from the checker or from a check of a model. That panic must not be taken for a
/// panic of the job: the execution on which it reports is already over. The checker has printed its report by then.
fn from_checker(payload: &Payload) -> bool {
    const MARKS: [&str; 7] = [
        "Causality violation",
        "deadlock",
        "Model exceeded",
        "Concurrent ",
        "cannot access Loom execution state",
        "leaked",
        "model:",
    ];
    text(payload).is_some_and(|text| MARKS.iter().any(|mark| text.contains(mark)))
}
