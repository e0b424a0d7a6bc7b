//! The global pool, and the pool that the calling thread is in. filch has a global pool too, which follows filch's
//! rules: it is pinned, for example. The pool here is rayon's, and nothing here touches filch's.

use std::sync::OnceLock;

use filch::Pool;

use crate::builder::ThreadPoolBuilder;
use crate::error::{ErrorKind, ThreadPoolBuildError};
use crate::pool::ThreadPool;
use crate::thread::ThreadSpawn;

/// The global pool, or `None` if it could not be built. As in rayon, the build is not tried again.
static GLOBAL: OnceLock<Option<ThreadPool>> = OnceLock::new();

/// Makes the pool that `build` returns the global pool, if there is none.
pub(crate) fn set(
    build: impl FnOnce() -> Result<ThreadPool, ThreadPoolBuildError>,
) -> Result<&'static ThreadPool, ThreadPoolBuildError> {
    let mut failure = ThreadPoolBuildError::new(ErrorKind::GlobalPoolAlreadyInitialized);
    let mut built = false;
    let global = GLOBAL.get_or_init(|| match build() {
        Ok(pool) => {
            built = true;
            Some(pool)
        }
        Err(error) => {
            failure = error;
            None
        }
    });
    match global {
        Some(pool) if built => Ok(pool),
        _ => Err(failure),
    }
}

/// Returns the global pool, and builds it if need be.
pub(crate) fn get() -> &'static Pool {
    match GLOBAL.get() {
        Some(Some(pool)) => pool.inner(),
        _ => first_use(),
    }
}

#[cold]
fn first_use() -> &'static Pool {
    let result = set(|| {
        let alone = || ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
        match ThreadPoolBuilder::new().build() {
            // On a system without threads, most of what rayon offers still works on the calling thread.
            Err(error) if error.is_unsupported() => alone().map_err(|_| error),
            result => result,
        }
    });
    match (result, GLOBAL.get()) {
        (Ok(pool), _) | (Err(_), Some(Some(pool))) => pool.inner(),
        (Err(error), _) => panic!("The global thread pool has not been initialized.: {error:?}"),
    }
}

/// Returns whether the calling thread is a worker of any pool.
#[inline(always)]
pub(crate) fn on_worker() -> bool {
    filch::current_worker().is_some()
}

/// Calls `f` in the global pool.
#[cold]
pub(crate) fn from_outside<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    get().install(f)
}

impl<S> ThreadPoolBuilder<S>
where
    S: ThreadSpawn,
{
    /// Builds the global pool, which is used outside any other pool. It fails if there is a global pool already.
    pub fn build_global(self) -> Result<(), ThreadPoolBuildError> {
        set(|| self.build()).map(drop)
    }
}
