//! Stands in for filch's fork-join until that exists: nothing measured with it counts.

use std::ops::Deref;

pub use rayon::{Scope, join, scope};
pub use real::{Closed, CountLatch, Queue, execute};

pub struct Builder(usize, usize);

impl Builder {
    pub fn workers(self, n: usize) -> Self {
        Builder(n, self.1)
    }
    pub fn stack_size(self, n: usize) -> Self {
        Builder(self.0, n)
    }
    pub fn build(self) -> Result<Pool, real::BuildError> {
        Ok(Pool {
            real: real::Pool::builder().workers(self.0).build()?,
            forks: rayon::ThreadPoolBuilder::new().num_threads(self.0).stack_size(1 << 26).build().unwrap(),
        })
    }
}

pub struct Pool {
    real: real::Pool,
    forks: rayon::ThreadPool,
}

impl Pool {
    pub fn builder() -> Builder {
        Builder(2, 0)
    }
    pub fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        self.forks.install(f)
    }
    pub fn broadcast<R: Send>(&self, f: impl Fn(usize) -> R + Sync) -> Vec<R> {
        self.forks.broadcast(|c| f(c.index()))
    }
}

impl Deref for Pool {
    type Target = real::Pool;
    fn deref(&self) -> &real::Pool {
        &self.real
    }
}
