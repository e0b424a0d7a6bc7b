//! A queue's handler and the states that its workers keep for it.
//!
//! A mutex a worker, locked twice an activation and hardly ever by two at once: it says in safe code that the
//! state moves with the runner. With the state moves a count of the handler, so that to let go of both when the pool has
//! ended costs no activation anything, and a runner that is under way has what it needs.
//!
//! A worker and the [spare](crate::scheduler::spares) that has stood in for it may both be at the place for a moment: the spare ends the
//! job that it is in, and the worker is back. So the end of the states may come upon one that is in use by the other
//! thread. It then leaves word at the place, and whoever brings the last one back asks for the end again.

use std::mem;

use super::core::{Again, CoreRef, Service};
use super::parcel::Parcel;
use crate::scheduler::worker::Worker;
use crate::sync::{Mutex, StdArc, defect, lock};
use crate::system::unwind::{self, Payload};

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
    /// For whoever brings the last one back: the end of the states has found some in use.
    again: Option<Again>,
}

/// A handler and the places of its workers.
pub(super) struct Stateful<M, H, S> {
    places: Box<[Mutex<Place<M, H, S>>]>,
}

impl<M, H, S> Stateful<M, H, S> {
    pub(super) fn new(workers: usize, make: M, handler: H, end: Option<StateEnd<S>>) -> Self {
        let code = StdArc::new(Code { make, handler, end });
        let place =
            || Mutex::new(Place { code: Some(StdArc::clone(&code)), idle: Vec::new(), in_use: 0, again: None });
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

    /// Keeps them for the next runner; hands them back if the pool has ended. Also what is to be called.
    fn keep(&mut self, tools: Tools<M, H, S>) -> (Option<Tools<M, H, S>>, Option<Again>) {
        self.in_use -= 1;
        let again = if self.in_use == 0 { self.again.take() } else { None };
        if self.code.is_none() {
            return (Some(tools), again);
        }
        self.idle.push(tools);
        (None, again)
    }
}

struct Keep<'s, M, H, S> {
    place: &'s Mutex<Place<M, H, S>>,
    tools: Option<Tools<M, H, S>>,
}

impl<M, H, S> Drop for Keep<'_, M, H, S> {
    fn drop(&mut self) {
        let Some(tools) = self.tools.take() else { return };
        // What comes back is dropped, and called, without the lock.
        let (refused, again) = lock(self.place).keep(tools);
        drop(refused);
        if let Some(again) = again {
            again();
        }
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

    fn end_states(&self, owner: usize, report_panic: &dyn Fn(Payload), again: Again) -> bool {
        // Foreign code is called without the lock.
        let mut again = Some(again);
        let mut next = || {
            let mut place = lock(&self.places[owner]);
            let tools = place.idle.pop();
            if tools.is_none() && place.in_use > 0 && !defect("states_in_use_passed") {
                place.again = again.take();
            }
            tools
        };
        while let Some(Tools { code, state }) = next() {
            if let (Some(end), Some(state)) = (&code.end, state)
                && let Err(payload) = unwind::catch(|| end(owner, state))
            {
                report_panic(payload);
            }
        }
        again.is_some()
    }

    fn drop_user_code(&self) {
        for place in &self.places {
            let left = {
                let mut place = lock(place);
                (place.code.take(), mem::take(&mut place.idle))
            };
            drop(left);
        }
    }
}
