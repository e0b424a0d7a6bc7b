//! Ctrl-C and SIGTERM. The first one asks the program to end what it is at and to keep the result. The second one ends
//! it at once.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

/// Whether the program was asked to end.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C, SIGTERM and SIGHUP, and calls `also` at the first of them. To be called once in a process.
    pub fn listen(also: impl Fn() + Send + 'static) -> Result<Interrupt, Failure> {
        let interrupt = Interrupt::default();
        let flag = interrupt.clone();
        // Relaxed throughout: the flag carries no other data.
        ctrlc::set_handler(move || {
            if flag.0.swap(true, Ordering::Relaxed) {
                process::exit(130);
            }
            also();
        })
        .map_err(|error| Failure::Other(format!("cannot listen for Ctrl-C: {error}")))?;
        Ok(interrupt)
    }

    /// Whether the program was asked to end.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
