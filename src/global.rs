//! The one pool that is not somebody's: started at its first use, as rayon's is. Nothing else is global.
//! And the free functions, which act on the pool that the calling thread works for, or else on that one.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::builder::PoolBuilder;
use crate::error::{BuildError, Closed};
use crate::pool::Pool;
use crate::registry::Shared;
use crate::spawn::{self, JoinHandle};
use crate::sync::MODEL;
use crate::worker::with_current;

static GLOBAL: OnceLock<Pool> = OnceLock::new();
/// Held while the global pool is built, so that of two threads that do so one builds none.
static BUILDING: Mutex<()> = Mutex::new(());

pub(crate) fn build(builder: PoolBuilder) -> Result<&'static Pool, BuildError> {
    if MODEL {
        panic!("under the checker there is no global pool: an execution must own all it uses");
    }
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    if GLOBAL.get().is_some() {
        return Err(BuildError::GlobalAlreadyBuilt);
    }
    let pool = builder.build()?;
    Ok(GLOBAL.get_or_init(|| pool))
}

pub(crate) fn get() -> &'static Pool {
    if let Some(pool) = GLOBAL.get() {
        return pool;
    }
    match build(Pool::builder()) {
        Ok(pool) => pool,
        // Somebody was faster.
        Err(BuildError::GlobalAlreadyBuilt) => get(),
        Err(error) => panic!("the global pool could not be built: {error}"),
    }
}

/// The pool that the calling thread works for, or else the global one.
pub(crate) fn current() -> Shared {
    with_registry(crate::sync::Arc::clone)
}

fn with_registry<R>(f: impl FnOnce(&Shared) -> R) -> R {
    with_current(|worker| match worker {
        Some(worker) => f(&worker.registry),
        None => f(get().registry()),
    })
}

/// [`Pool::execute`] on the pool that the calling thread works for, or else on the [global](Pool::global) one.
///
/// # Errors
/// As for the method.
///
/// # Examples
/// ```
/// let pool = filch::Pool::new()?;
/// pool.install(|| filch::execute(|| println!("on the same pool")))
///     .map_err(|closed| closed.reason().to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn execute<F>(f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    with_registry(|registry| spawn::execute(registry, f))
}

/// [`Pool::spawn`] on the pool that the calling thread works for, or else on the [global](Pool::global) one.
///
/// # Examples
/// ```
/// assert_eq!(filch::spawn(|| 6 * 7).join()?, 42);
/// # Ok::<(), filch::JoinError>(())
/// ```
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    with_registry(|registry| spawn::spawn(registry, f))
}

/// The number of the worker that the calling thread is, in its pool; `None` if it is none.
///
/// # Examples
/// ```
/// assert_eq!(filch::current_worker(), None);
/// let pool = filch::Pool::builder().workers(1).build()?;
/// assert_eq!(pool.install(filch::current_worker), Some(0));
/// # Ok::<(), filch::BuildError>(())
/// ```
#[must_use]
pub fn current_worker() -> Option<usize> {
    with_current(|worker| worker.map(|worker| worker.index))
}

/// How many workers the pool has that the calling thread works for, or else the [global](Pool::global) one,
/// which is started if need be.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(3).build()?;
/// assert_eq!(pool.install(filch::current_workers), 3);
/// # Ok::<(), filch::BuildError>(())
/// ```
#[must_use]
pub fn current_workers() -> usize {
    with_registry(|registry| registry.peers.len())
}
