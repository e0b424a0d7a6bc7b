//! A queue's handler and the states that its workers keep for it.
//!
//! A mutex a worker, locked twice an activation and by that worker only: it says in safe code that the
//! state moves with the runner. With the state moves a count of the handler, so that to let go of both when the pool has
//! ended costs no activation anything, and a runner that is under way has what it needs.

use std::mem;

use super::core::{CoreRef, Service};
use crate::sync::{Mutex, StdArc, lock};
use crate::worker::Worker;

/// What the user wrote.
struct Code<M, H> {
    make: M,
    handler: H,
}

/// What a runner works with.
struct Tools<M, H, S> {
    code: StdArc<Code<M, H>>,
    /// `None` until the first job.
    state: Option<S>,
}

/// What a worker keeps between activations.
struct Place<M, H, S> {
    /// `None` once the pool has ended.
    code: Option<StdArc<Code<M, H>>>,
    /// Those that no runner uses.
    idle: Vec<Tools<M, H, S>>,
}

/// A handler and the places of its workers.
pub(super) struct Stateful<M, H, S> {
    places: Box<[Mutex<Place<M, H, S>>]>,
}

impl<M, H, S> Stateful<M, H, S> {
    pub(super) fn new(workers: usize, make: M, handler: H) -> Self {
        let code = StdArc::new(Code { make, handler });
        let place = || Mutex::new(Place { code: Some(StdArc::clone(&code)), idle: Vec::new() });
        Stateful { places: (0..workers).map(|_| place()).collect() }
    }

    /// Calls `f` with tools of `worker` that nobody else uses. They are kept afterwards, even if `f` unwinds.
    fn with_tools<R>(&self, worker: &Worker, f: impl FnOnce(&mut Tools<M, H, S>) -> R) -> R {
        let place = &self.places[worker.index];
        let tools = lock(place).take();
        let mut kept = Keep { place, tools };
        match &mut kept.tools {
            Some(tools) => f(tools),
            None => unreachable!("a runner after the end of its pool"),
        }
    }
}

impl<M, H, S> Place<M, H, S> {
    /// Those of a runner that has gone, or new ones.
    fn take(&mut self) -> Option<Tools<M, H, S>> {
        let fresh = || Some(Tools { code: StdArc::clone(self.code.as_ref()?), state: None });
        self.idle.pop().or_else(fresh)
    }

    /// Keeps them for the next runner; hands them back if the pool has ended.
    fn keep(&mut self, tools: Tools<M, H, S>) -> Option<Tools<M, H, S>> {
        if self.code.is_none() {
            return Some(tools);
        }
        self.idle.push(tools);
        None
    }
}

struct Keep<'s, M, H, S> {
    place: &'s Mutex<Place<M, H, S>>,
    tools: Option<Tools<M, H, S>>,
}

impl<M, H, S> Drop for Keep<'_, M, H, S> {
    fn drop(&mut self) {
        // What comes back is dropped without the lock.
        let refused = self.tools.take().and_then(|tools| lock(self.place).keep(tools));
        drop(refused);
    }
}

impl<M, H, S> Tools<M, H, S>
where
    M: Fn(usize) -> S,
{
    /// Runs one job. The state is made here, so that a panic of its maker counts as the job's.
    fn run<J>(&mut self, worker: &Worker, job: J)
    where
        H: Fn(&mut S, J),
    {
        let Tools { code, state } = self;
        (code.handler)(state.get_or_insert_with(|| (code.make)(worker.index)), job);
    }
}

impl<J, S, M, H> Service<J> for Stateful<M, H, S>
where
    J: Send + 'static,
    S: Send + 'static,
    M: Fn(usize) -> S + Send + Sync + 'static,
    H: Fn(&mut S, J) + Send + Sync + 'static,
{
    fn activate(&self, core: &CoreRef<J>, worker: &Worker) {
        self.with_tools(worker, |tools| core.serve(worker, |job| tools.run(worker, job)));
    }

    fn run_one(&self, core: &CoreRef<J>, worker: &Worker) -> bool {
        self.with_tools(worker, |tools| core.pop_and_run(worker, &mut |job| tools.run(worker, job)))
    }

    fn let_go(&self) {
        for place in &self.places {
            let left = {
                let mut place = lock(place);
                (place.code.take(), mem::take(&mut place.idle))
            };
            drop(left);
        }
    }
}
