//! Models of filch's lock-free parts, explored by loom.
//!
//! This package compiles filch's own sources. So the models reach private items, and they check the code that ships.
//! `cargo test` here runs them all; see [`runner`].

#![cfg(loom)]
#![allow(dead_code, unused_imports, reason = "the models use a part of the library's sources")]

#[cfg(not(debug_assertions))]
compile_error!("loom checks by debug assertions: build the models with them");

macro_rules! sources {
    ($($name:ident = $path:literal,)*) => { $(#[path = $path] mod $name;)* };
}

sources! {
    error = "../../src/error.rs",
    fork_join = "../../src/fork_join/mod.rs",
    jobs = "../../src/jobs/mod.rs",
    pool = "../../src/pool/mod.rs",
    queue = "../../src/queue/mod.rs",
    scheduler = "../../src/scheduler/mod.rs",
    sync = "../../src/sync/mod.rs",
    system = "../../src/system/mod.rs",
    tasks = "../../src/tasks/mod.rs",
    waiting = "../../src/waiting/mod.rs",
}

// The names that the sources and the models expect at the crate root.
use error::{BuildError, Closed, ClosedReason};
use fork_join::join::FnContext;
use fork_join::scope::{BroadcastContext, Scope, ScopeFifo};
use pool::{
    Placement, Pool, PoolBuilder, Shutdown, ShutdownError, WorkerReport, WorkerThread, broadcast,
    broadcast_context, in_place_scope, join, join_context, scope,
};
use queue::{Queue, QueueBuilder, StatefulQueueBuilder};
use scheduler::stats::{Stats, WorkerStats};
use scheduler::worker::Wait;
use tasks::error::JoinError;
use tasks::handle::JoinHandle;
use tasks::yields::{Yield, yield_local, yield_now};
use waiting::latch::{CountLatch, CountWait};

mod bugs;
mod heads;
mod models;
mod mutants;
mod runner;

pub use mutants::run as run_mutants;
pub use runner::run;
