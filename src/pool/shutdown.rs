//! The end of a pool: the methods that shut it down, and its drop.
//!
//! A shutdown closes the pool, waits until all accepted jobs have run and each worker has left its main loop, and
//! joins the threads. A lent thread that calls it runs jobs meanwhile, and is returned. A shutdown with a time limit
//! takes the handles of the threads only when it knows that joining them takes no time.

use std::time::Duration;

use super::Pool;
use super::error::ShutdownError;
use super::report::Shutdown;
use crate::scheduler::thread::Trace;
use crate::scheduler::waiter::deadline;
use crate::scheduler::worker::{return_host, return_host_of_dropped_pool, with_current};
use crate::sync::{Arc, defect, lock};
use crate::system::clock::Instant;
use crate::system::{loader_lock, thread_id};

impl Pool {
    /// Shuts the pool down and returns its report. Blocks until the pool has ended.
    ///
    /// The pool refuses jobs from outside, runs all accepted jobs and what they submit in turn, and ends and joins
    /// its threads. Several threads may call this, also again later; each call returns the report.
    ///
    /// A thread that was lent with [`use_current_thread`](crate::PoolBuilder::use_current_thread) and calls this
    /// helps to run the jobs, and is returned. If a lent thread is the only worker and another thread calls this, the
    /// call waits until the lent thread has run what is left.
    ///
    /// # Errors
    /// [`ShutdownError::WouldDeadlock`] in a job of this pool and, on Windows, under the loader's lock;
    /// [`ShutdownError::ForkedProcess`] in a forked child. Neither changes anything.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// pool.execute(|| ())?;
    /// pool.execute(|| ())?;
    /// // All accepted jobs run first.
    /// assert_eq!(pool.shutdown()?.run, 2);
    /// assert!(pool.execute(|| ()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self) -> Result<Shutdown, ShutdownError> {
        self.shutdown_until(None, true)
    }

    /// Shuts the pool down as [`shutdown`](Self::shutdown) does, but stops waiting after `timeout`.
    ///
    /// After a timeout the pool is closed and goes on draining; a later call, or the drop of the pool, waits for the
    /// rest.
    ///
    /// # Errors
    /// As for [`shutdown`](Self::shutdown). Also [`ShutdownError::Timeout`], with the names of the threads that have
    /// not ended.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    ///
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (release, blocked) = channel::<()>();
    /// pool.execute(move || drop(blocked.recv()))?;
    /// let stuck = filch::ShutdownError::Timeout { stuck: vec!["filch-0".into()] };
    /// assert_eq!(pool.shutdown_timeout(Duration::from_millis(10)), Err(stuck));
    /// drop(release);
    /// assert_eq!(pool.shutdown()?.run, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_timeout(&self, timeout: Duration) -> Result<Shutdown, ShutdownError> {
        self.shutdown_until(deadline(timeout), true)
    }

    /// Closes the pool and lets its threads go, without a wait for them: they finish what was accepted, and end.
    ///
    /// Any thread may call this, also a worker of the pool. A calling thread that was lent with
    /// [`use_current_thread`](crate::PoolBuilder::use_current_thread) is returned, unless it is in a job of the pool.
    /// What it was to run goes to the other workers; if there are none, this call runs it. Jobs that only the lent
    /// thread was to run, such as its turn of a broadcast, run in this call in any case.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (release, blocked) = std::sync::mpsc::channel();
    /// let job = pool.spawn(move || blocked.recv());
    /// pool.detach(); // would wait here for ever, if it did
    /// release.send(7)?;
    /// assert_eq!(job.join()?, Ok(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detach(mut self) {
        self.detached = true;
    }

    /// The drop of a pool that was [detached](Self::detach), or that goes under the loader's lock. The drop
    /// of the threads' handles detaches the threads.
    fn close_and_let_go(&self) {
        if let Some(threads) = lock(&self.threads).take()
            && self.registry.forked()
        {
            threads.forget();
            self.registry.spares.forget();
            return;
        }
        self.registry.close();
        let lent = with_current(|worker| {
            let host =
                worker.filter(|worker| Arc::ptr_eq(&worker.registry, &self.registry) && !worker.inside());
            if let Some(host) = host {
                host.run_inbox();
                if self.registry.threads() == 0 {
                    host.drain(None);
                }
            }
            host.is_some()
        });
        if lent {
            return_host(&self.registry);
        }
    }

    /// Shuts the pool down, and waits until `deadline` at most. `read` says that the caller reads the
    /// report: the call then waits first until each thread is on its core, which the report names.
    fn shutdown_until(&self, deadline: Option<Instant>, read: bool) -> Result<Shutdown, ShutdownError> {
        let registry = &self.registry;
        if registry.forked() {
            return Err(ShutdownError::ForkedProcess);
        }
        let own = |worker: &crate::scheduler::worker::Worker| Arc::ptr_eq(&worker.registry, registry);
        // A worker in its exit hook is outside the pool, and yet a shutdown waits for it.
        let waited_for =
            |worker: &crate::scheduler::worker::Worker| own(worker) && (worker.inside() || !worker.is_lent());
        let inside = with_current(|worker| worker.is_some_and(waited_for));
        let this = thread_id::current();
        if inside && !defect("own_end_awaited")
            || loader_lock::is_held()
            || self.traces.iter().any(|trace| trace.id == this)
        {
            return Err(ShutdownError::WouldDeadlock);
        }
        if read {
            // Before the pool closes: a worker that comes up in a closed pool may not go to its core.
            self.bound.wait_until(deadline, None);
        }
        registry.close();
        with_current(|worker| {
            if let Some(host) = worker.filter(|worker| own(worker)) {
                host.drain(deadline);
            }
        });
        let stuck = |stuck| ShutdownError::Timeout { stuck };
        if deadline.is_some() && registry.threads() == 0 {
            // Before the lent thread is returned: if the time is up, the jobs that are left still need it.
            registry.wait_left(deadline).map_err(stuck)?;
        }
        return_host(registry);
        if deadline.is_none() && registry.threads() > 0 && with_current(|worker| worker.is_none()) {
            self.join_at_once();
        } else {
            registry.wait_left(deadline).map_err(stuck)?;
            registry.drop_user_code_alone();
            self.join_left(deadline).map_err(stuck)?;
        }
        Ok(Shutdown::of(registry))
    }
}

impl Pool {
    /// Waits for the threads' end, for a caller that is no worker and has no time limit. It sleeps once for each
    /// thread. The other way takes three sleeps for each: until the worker has left, until the thread's locals are
    /// gone, and until the thread has ended.
    fn join_at_once(&self) {
        let threads = lock(&self.threads).take();
        let Some(threads) = threads else {
            self.joined.wait();
            return;
        };
        threads.join();
        // The host's threads and a lent thread have no handle to join. Once they have left too, no spare is called
        // any more.
        let _ = self.registry.wait_left(None);
        let _ = self.registry.spares.join(None);
        self.joined.count_down();
    }

    /// Joins the threads, whose workers have left, or waits for the other caller that does. After `deadline`: the
    /// names of the threads that still run.
    fn join_left(&self, deadline: Option<Instant>) -> Result<(), Vec<String>> {
        let names = |running: &dyn Fn(&Trace) -> bool| -> Vec<String> {
            let traces = self.traces.iter().filter(|trace| running(trace));
            traces.map(|trace| trace.name.clone()).collect()
        };
        // Only one caller can take the handles, and a join knows no deadline. So this waits for the end of the
        // threads' locals first: what a thread still does after that takes no time.
        if !self.traces.iter().all(|trace| trace.gone.wait_until(deadline, None)) {
            let running = names(&|trace| trace.gone.count() > 0);
            if !running.is_empty() {
                return Err(running);
            }
        }
        self.registry.spares.join(deadline)?;
        let threads = lock(&self.threads).take();
        if let Some(threads) = threads {
            threads.join();
            self.joined.count_down();
            return Ok(());
        }
        if self.joined.wait_until(deadline, None) { Ok(()) } else { Err(names(&|_| true)) }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Under the loader's lock no thread could end.
        if self.detached || loader_lock::is_held() {
            self.close_and_let_go();
        } else {
            match self.shutdown_until(None, false) {
                Ok(_) => {}
                Err(ShutdownError::ForkedProcess) => {
                    if let Some(threads) = lock(&self.threads).take() {
                        threads.forget();
                    }
                    self.registry.spares.forget();
                }
                Err(_) => self.registry.close(),
            }
        }
        // A lent thread that is not the caller, or that is inside a job now, finds this note at a later call, and
        // is returned then.
        self.registry.note_owner_dropped();
        return_host_of_dropped_pool();
    }
}
