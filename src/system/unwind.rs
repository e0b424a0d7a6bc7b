//! Panics as values: catching, carrying and ending them.
//!
//! A panic is caught at one place for each kind of job and carried as a payload to whoever must see
//! it. Nothing else in the crate calls `catch_unwind`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::sync::MODEL;

/// What a panic carried.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// Runs `f` and returns its result or the payload of its panic.
///
/// Unwind safety is asserted: the caller of every job either gets the payload (and may resume it) or
/// named a handler for it, as with `std::thread::spawn`.
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

/// Goes on with a panic that was caught elsewhere.
pub(crate) fn resume(payload: Payload) -> ! {
    resume_unwind(payload)
}

/// Drops a payload that nobody will see. A payload whose drop panics ends the process: there is no
/// caller left to whom that second panic could go.
pub(crate) fn discard<T>(payload: T) {
    let guard = AbortOnUnwind("the drop of a panic payload, or of a result beside one, panicked");
    drop(payload);
    std::mem::forget(guard);
}

/// Ends the process if it is dropped, which happens only while unwinding: whoever makes one forgets
/// it on the normal way out.
pub(crate) struct AbortOnUnwind(pub(crate) &'static str);

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("filch: {}; aborting", self.0);
        std::process::abort();
    }
}

/// Under a checker, ends the process: a job panicked, and the pool has no handler for that.
pub(crate) fn panic_unheard() -> ! {
    eprintln!(
        "filch: a job panicked and the pool has no panic handler; under a checker that is a failure; aborting"
    );
    std::process::abort();
}

/// The text of a payload, where it has one.
fn text(payload: &Payload) -> Option<&str> {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&'static str>().copied())
}

/// Whether the checker itself, or a check of a model, panicked. Such a panic must not be taken for the job's: the execution
/// it reports on is already over. The checker has printed its report by then.
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
