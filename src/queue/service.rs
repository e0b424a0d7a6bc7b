//! A queue's handler and the states that its workers keep for it.
//!
//! A mutex a worker, locked twice an activation and by that worker only: it says in safe code that the
//! state moves with the runner. With the state moves a count of the handler, so that to let go of both when the pool has
//! ended costs no activation anything, and a runner that is under way has what it needs.

use std::mem;

use super::core::{CoreRef, Parcel, Service};
use crate::sync::{Mutex, StdArc, lock};
use crate::unwind::{self, Payload};
use crate::worker::Worker;

/// Called with a worker's number and a state of it.
pub(super) type StateEnd<S> = Box<dyn Fn(usize, S) + Send + Sync>;

/// What the user wrote.
struct Code<M, H, S> {
    make: M,
    handler: H,
    end: Option<StateEnd<S>>,
}

/// What a runner works with.
struct Tools<M, H, S> {
    code: StdArc<Code<M, H, S>>,
    /// `None` until the first job.
    state: Option<S>,
}

/// What a worker keeps between activations.
struct Place<M, H, S> {
    /// `None` once the pool has ended.
    code: Option<StdArc<Code<M, H, S>>>,
    /// Those that no runner uses.
    idle: Vec<Tools<M, H, S>>,
    /// How many runners have come for some and not gone.
    in_use: usize,
}

/// A handler and the places of its workers.
pub(super) struct Stateful<M, H, S> {
    places: Box<[Mutex<Place<M, H, S>>]>,
}

impl<M, H, S> Stateful<M, H, S> {
    pub(super) fn new(workers: usize, make: M, handler: H, end: Option<StateEnd<S>>) -> Self {
        let code = StdArc::new(Code { make, handler, end });
        let place = || Mutex::new(Place { code: Some(StdArc::clone(&code)), idle: Vec::new(), in_use: 0 });
        Stateful { places: (0..workers).map(|_| place()).collect() }
    }

    /// Calls `f` with tools of `worker` that nobody else uses. They are kept afterwards, even if `f` unwinds.
    fn with_tools<R>(&self, worker: &Worker, f: impl FnOnce(&mut Tools<M, H, S>) -> R) -> R {
        let place = &self.places[worker.number.get()];
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
        let tools = self.idle.pop().or_else(fresh);
        self.in_use += usize::from(tools.is_some());
        tools
    }

    /// Keeps them for the next runner; hands them back if the pool has ended.
    fn keep(&mut self, tools: Tools<M, H, S>) -> Option<Tools<M, H, S>> {
        self.in_use -= 1;
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
    #[inline(always)]
    fn run<J>(&mut self, worker: &Worker, job: &mut Parcel<J>)
    where
        H: Fn(&mut S, J),
    {
        let Tools { code, state } = self;
        (code.handler)(state.get_or_insert_with(|| (code.make)(worker.number.get())), job.open());
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

    fn owners(&self) -> Vec<usize> {
        let owns = |place: &Mutex<Place<M, H, S>>| {
            let place = lock(place);
            place.in_use > 0 || place.idle.iter().any(|tools| tools.state.is_some())
        };
        (0..self.places.len()).filter(|&owner| owns(&self.places[owner])).collect()
    }

    fn end_states(&self, owner: usize, unheard: &dyn Fn(Payload)) {
        // Foreign code is called without the lock.
        let next = || lock(&self.places[owner]).idle.pop();
        while let Some(Tools { code, state }) = next() {
            if let (Some(end), Some(state)) = (&code.end, state)
                && let Err(payload) = unwind::catch(|| end(owner, state))
            {
                unheard(payload);
            }
        }
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
