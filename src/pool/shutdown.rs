//! A pool's end, and what it reports.

use std::time::{Duration, Instant};

use super::Pool;
use super::error::ShutdownError;
use super::report::Shutdown;
use crate::scheduler::thread::Trace;
use crate::scheduler::waiter::deadline;
use crate::scheduler::worker::{return_host, return_host_of_dropped_pool, with_current};
use crate::sync::{Arc, defect, lock};

impl Pool {
    /// Shuts the pool down and reports: refuses jobs from outside, runs all that was accepted and what that
    /// submits in turn, ends and joins the threads.
    ///
    /// May be called by several threads and again; each gets the report. A thread that was lent with
    /// [`use_current_thread`](crate::PoolBuilder::use_current_thread) helps, and is returned; if it is the only worker and
    /// another thread calls this, that waits until it has run what is left.
    ///
    /// # Errors
    /// [`ShutdownError::WouldDeadlock`] in a job of this pool, [`ShutdownError::ForkedProcess`] in a forked
    /// child. Nothing is changed then.
    pub fn shutdown(&self) -> Result<Shutdown, ShutdownError> {
        self.shutdown_until(None, true)
    }

    /// As [`shutdown`](Self::shutdown), but stops waiting after `timeout`. The pool is closed then, and drains;
    /// a later call, or the drop of the pool, waits for the rest.
    ///
    /// # Errors
    /// As for [`shutdown`](Self::shutdown); and [`ShutdownError::Timeout`] with the names of the threads that
    /// have not ended.
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

    /// Closes the pool and lets its threads go, at once: they finish what was accepted, and end. From any thread, also one
    /// of its own workers. A thread that was lent with [`use_current_thread`](crate::PoolBuilder::use_current_thread) is returned
    /// if it is the calling one and in none of the pool's jobs; what it was to run goes to the others, or is run here if
    /// there are none.
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

    /// With a report of where the workers were, if it is `read`.
    fn shutdown_until(&self, deadline: Option<Instant>, read: bool) -> Result<Shutdown, ShutdownError> {
        let registry = &self.registry;
        if registry.forked() {
            return Err(ShutdownError::ForkedProcess);
        }
        let own = |worker: &crate::scheduler::worker::Worker| Arc::ptr_eq(&worker.registry, registry);
        // A worker in its exit hook is outside the pool, and is waited for all the same.
        let waited_for =
            |worker: &crate::scheduler::worker::Worker| own(worker) && (worker.inside() || !worker.is_lent());
        let inside = with_current(|worker| worker.is_some_and(waited_for));
        let this = std::thread::current().id();
        if inside && !defect("own_end_awaited") || self.traces.iter().any(|trace| trace.id == this) {
            return Err(ShutdownError::WouldDeadlock);
        }
        if read {
            // A worker that comes up in a pool that is closed has no reason to go to its core.
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
            // Before the thread is returned: if time is up it is still needed.
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
    /// For a thread that has nothing else to do and no limit of time: sleeps once for each thread, until that has ended,
    /// where to wait until it has left, until its locals are gone and until it has ended takes three sleeps.
    fn join_at_once(&self) {
        let threads = lock(&self.threads).take();
        let Some(threads) = threads else {
            self.joined.wait();
            return;
        };
        threads.join();
        // Those of a host, and a lent one. No spare is called after that.
        let _ = self.registry.wait_left(None);
        let _ = self.registry.spares.join(None);
        self.joined.count_down();
    }

    /// Joins the threads, which have left, or waits for who does; the names of those that still run at `deadline`.
    fn join_left(&self, deadline: Option<Instant>) -> Result<(), Vec<String>> {
        let names = |running: &dyn Fn(&Trace) -> bool| -> Vec<String> {
            let traces = self.traces.iter().filter(|trace| running(trace));
            traces.map(|trace| trace.name.clone()).collect()
        };
        // Before their handles are taken, which only one can: what is left of a thread afterwards takes no time.
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
        if self.detached {
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
        // For a thread that was lent and had no part in this, or is in a job and will be returned behind it.
        self.registry.note_owner_dropped();
        return_host_of_dropped_pool();
    }
}
