//! Models of filch's lock-free parts, explored by loom.
//!
//! filch's own sources are compiled into this package, so that the models reach what is private, and so
//! that what they check is the code that ships. `cargo test` here runs them all; see [`runner`].

#![cfg(loom)]
#![allow(dead_code, unused_imports, reason = "the models use a part of the library's sources")]

#[cfg(not(debug_assertions))]
compile_error!("loom checks by debug assertions: build the models with them");

macro_rules! sources {
    ($($name:ident = $path:literal,)*) => { $(#[path = $path] mod $name;)* };
}

sources! {
    affinity = "../../src/affinity.rs",
    barrier = "../../src/barrier.rs",
    blocking = "../../src/blocking.rs",
    broadcast = "../../src/broadcast.rs",
    builder = "../../src/builder.rs",
    deque = "../../src/deque/mod.rs",
    error = "../../src/error.rs",
    finish = "../../src/finish.rs",
    fork = "../../src/fork/mod.rs",
    global = "../../src/global.rs",
    handle = "../../src/handle.rs",
    hooks = "../../src/hooks.rs",
    inbox = "../../src/inbox.rs",
    install = "../../src/install.rs",
    job = "../../src/job.rs",
    join = "../../src/join.rs",
    latch = "../../src/latch/mod.rs",
    numbered = "../../src/numbered.rs",
    panic_at = "../../src/panic_at.rs",
    parker = "../../src/parker.rs",
    pool = "../../src/pool.rs",
    pool_fork = "../../src/pool_fork.rs",
    process = "../../src/process.rs",
    queue = "../../src/queue/mod.rs",
    registry = "../../src/registry.rs",
    ring = "../../src/ring/mod.rs",
    rng = "../../src/rng.rs",
    room = "../../src/room.rs",
    scope = "../../src/scope/mod.rs",
    shutdown = "../../src/shutdown.rs",
    sleep = "../../src/sleep/mod.rs",
    spares = "../../src/spares.rs",
    spawn = "../../src/spawn.rs",
    spin = "../../src/spin.rs",
    stats = "../../src/stats.rs",
    switches = "../../src/switches.rs",
    sync = "../../src/sync/mod.rs",
    thread = "../../src/thread.rs",
    unwind = "../../src/unwind.rs",
    wait = "../../src/wait.rs",
    worker = "../../src/worker/mod.rs",
    yields = "../../src/yields.rs",
}

// The names that the sources expect at their root.
use broadcast::{BroadcastContext, broadcast, broadcast_context};
use builder::Placement;
use error::{BuildError, Closed, ClosedReason, JoinError, ShutdownError};
use handle::JoinHandle;
use join::{FnContext, join, join_context};
use latch::{CountLatch, CountWait};
use pool::Pool;
use queue::{Queue, QueueBuilder, StatefulQueueBuilder};
use scope::{Scope, ScopeFifo, in_place_scope, scope};
use shutdown::{Shutdown, WorkerReport};
use stats::{Stats, WorkerStats};
use thread::WorkerThread;
use worker::Wait;
use yields::{Yield, yield_local, yield_now};

mod bugs;
mod heads;
mod models;
mod mutants;
mod runner;

pub use mutants::run as run_mutants;
pub use runner::run;
