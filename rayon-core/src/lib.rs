//! Runs [rayon](https://docs.rs/rayon)'s core on [`filch`]: with one line in a program's manifest, all crates in its
//! tree that use rayon run on filch's workers, iterators included.
//!
//! ```toml
//! [patch.crates-io]
//! rayon-core = { git = "…", package = "rayon-core" } # or path = "…/filch/rayon-core"
//! ```
//!
//! The surface is that of rayon-core 1.13: the same functions and types, bounds, error texts and environment
//! variables, including the deprecated parts. rayon's documentation says what they promise; here each has a line.
//! Nothing in this package is `unsafe`. `docs/RAYON.md` in filch's repository says what differs.
//!
//! | file | what it adapts |
//! |---|---|
//! | `builder`, `configuration`, `error`, `thread` | how a pool is made |
//! | `pool`, `global` | pools, and which one a free function uses |
//! | `join`, `scope`, `spawn`, `broadcast`, `current` | the free functions |

#![deny(unreachable_pub)]

mod broadcast;
mod builder;
mod configuration;
mod current;
mod error;
mod global;
mod join;
mod pool;
mod scope;
mod spawn;
mod thread;

pub use broadcast::{BroadcastContext, broadcast, spawn_broadcast};
pub use builder::ThreadPoolBuilder;
#[allow(deprecated)]
pub use configuration::{Configuration, initialize};
pub use current::{
    Yield, current_num_threads, current_thread_has_pending_tasks, current_thread_index, max_num_threads,
    yield_local, yield_now,
};
pub use error::ThreadPoolBuildError;
pub use join::{FnContext, join, join_context};
pub use pool::ThreadPool;
pub use scope::{Scope, ScopeFifo, in_place_scope, in_place_scope_fifo, scope, scope_fifo};
pub use spawn::{spawn, spawn_fifo};
pub use thread::ThreadBuilder;
