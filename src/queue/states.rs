//! A queue's handler, and the states that the workers keep for the handler.
//!
//! | type | holds | held by |
//! |---|---|---|
//! | [`Code`] | the user's closures: `make`, `handler`, `end` | all places and all tools, by counted references |
//! | [`Tools`] | a reference to the code, and one state | one runner while it serves; otherwise its worker's place |
//! | [`Place`] | the tools that no runner uses | [`Stateful`]: one place for each worker, behind a mutex |
//!
//! *Invariant*: at most one runner uses a state. A runner takes its tools out of the place and brings them back, and
//! the mutex says in safe code that the state moves with the runner. An activation locks the mutex twice, and two
//! threads hardly ever want it at once. The reference to the code moves with the state. So an activation changes no
//! count, although the end of the pool can drop both, and a runner that is under way then still has what it needs.
//!
//! *The race at the end of the states.* A worker and the [spare](crate::scheduler::spares) that stood in for the
//! worker may both use the worker's place for a moment: the worker is back, while the spare ends the job that it is
//! in. So the job that ends the states may run on one thread while the other thread uses a state. The job then leaves
//! an [`Again`] at the place. The runner that brings the last tools back calls the [`Again`], which asks for the end
//! of the states once more.

use std::mem;

use super::core::{Again, CoreRef, Service};
use super::parcel::Parcel;
use crate::scheduler::worker::Worker;
use crate::sync::{Mutex, StdArc, defect, lock};
use crate::system::unwind::{self, Payload};

/// The user's closure that gets a worker's number and a state of that worker.
pub(super) type StateEnd<S> = Box<dyn Fn(usize, S) + Send + Sync>;

/// The user's closures.
struct Code<M, H, S> {
    make: M,
    handler: H,
    end: Option<StateEnd<S>>,
}

/// A runner's handler and state.
struct Tools<M, H, S> {
    code: StdArc<Code<M, H, S>>,
    /// `None` until the first job.
    state: Option<S>,
}

/// A worker's tools, between activations.
struct Place<M, H, S> {
    /// `None` once the pool has ended.
    code: Option<StdArc<Code<M, H, S>>>,
    /// The tools that no runner uses.
    idle: Vec<Tools<M, H, S>>,
    /// How many runners have taken tools and not brought them back.
    in_use: usize,
    /// Set if the end of the states found tools in use. The runner that brings the last tools back calls it.
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

    /// Calls `f` with tools of `worker` that nobody else uses. The place keeps the tools afterwards, even if `f`
    /// unwinds.
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
    /// Takes the tools that an earlier runner left, or makes new ones; `None` once the pool has ended.
    fn take(&mut self) -> Option<Tools<M, H, S>> {
        let fresh = || Some(Tools { code: StdArc::clone(self.code.as_ref()?), state: None });
        let tools = self.idle.pop().or_else(fresh);
        self.in_use += usize::from(tools.is_some());
        tools
    }

    /// Keeps `tools` for the next runner, or hands them back if the pool has ended. Also returns the [`Again`] that
    /// the caller must call, if these were the last tools in use and the end of the states has left one.
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

/// Brings tools back to their place when it is dropped.
struct Keep<'s, M, H, S> {
    place: &'s Mutex<Place<M, H, S>>,
    tools: Option<Tools<M, H, S>>,
}

impl<M, H, S> Drop for Keep<'_, M, H, S> {
    fn drop(&mut self) {
        let Some(tools) = self.tools.take() else { return };
        // Foreign code: the refused tools are dropped, and `again` is called, without the lock.
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
    /// Runs one job. Makes the state here, so that a panic of `make` counts as the job's panic.
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
        // Each turn locks anew, because `end` is foreign code and runs without the lock.
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
