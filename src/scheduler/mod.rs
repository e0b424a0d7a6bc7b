//! The scheduler: the state that the workers of a pool share, the workers themselves, and how threads wait for
//! them.

pub(crate) mod end;
pub(crate) mod finish;
pub(crate) mod hooks;
pub(crate) mod panic_at;
pub(crate) mod peer;
pub(crate) mod registry;
pub(crate) mod rng;
mod run_delays;
pub(crate) mod sources;
pub(crate) mod spares;
pub(crate) mod stats;
pub(crate) mod thread;
pub(crate) mod waiter;
mod watch;
pub(crate) mod worker;
