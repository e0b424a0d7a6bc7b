//! Scopes: the count in two words, and what the end of a scope makes visible.

use std::sync::Arc as StdArc;

use loom::thread;

use super::staff::{self, Data};
use crate::fork_join::scope::{Scope, scope_on};
use crate::jobs::job::Job;
use crate::scheduler::worker::{Wait, Worker};
use crate::sync::{Arc, Mutex, lock};
use crate::system::unwind;

type Cells<const N: usize> = [Data; N];

/// Runs `body` in a scope of worker 0. The other workers are thieves: each takes one job of the scope, if it finds
/// one. Checks that all of `cells` were written when the scope is over.
fn stolen_from<const N: usize, const W: usize>(body: fn(&Scope<'_>, &StdArc<Cells<N>>)) {
    let mut starts = staff::starts::<W>().into_iter();
    let owner = starts.next().expect("an owner");
    let registry = Arc::clone(&owner.registry);
    let thieves: Vec<_> =
        starts.map(|start| thread::spawn(move || staff::work(start, staff::take_from_first))).collect();
    let cells: StdArc<Cells<N>> = StdArc::new(std::array::from_fn(|_| Data::new()));
    staff::work(owner, |_: &Worker| {
        scope_on(&registry, Some(Wait::OwnScope), |scope| body(scope, &cells));
        for cell in &*cells {
            assert_eq!(cell.read(), 1, "model: a scope ended before its jobs");
        }
    });
    for thief in thieves {
        thief.join().unwrap();
    }
}

/// Proves: a scope ends when its jobs have ended, including the jobs that a stolen job spawned. The owner then sees
/// what all jobs wrote. Nobody touches the scope afterwards.
/// 3 threads, 2 preemptions; 488 executions.
pub(super) fn nested() {
    stolen_from::<2, 3>(|scope, cells| {
        let cells = StdArc::clone(cells);
        scope.spawn(move |scope| {
            let inner = StdArc::clone(&cells);
            scope.spawn(move |_| inner[1].write());
            cells[0].write();
        });
    });
}

/// As [`nested`], with jobs that two thieves take: the last thief to end passes on what the other did.
/// 3 threads, 3 preemptions; 10,514 executions.
pub(super) fn two_thieves() {
    stolen_from::<2, 3>(|scope, cells| {
        for index in 0..2 {
            let cells = StdArc::clone(cells);
            scope.spawn(move |_| cells[index].write());
        }
    });
}

/// Writes to a cell when it is dropped.
struct Payload(StdArc<Cells<2>>, usize);

impl Drop for Payload {
    fn drop(&mut self) {
        self.0[self.1].write();
    }
}

/// Proves: a scope whose jobs panic ends when their payloads have been kept or dropped, not before.
/// 2 threads, 3 preemptions; 675 executions.
pub(super) fn panics() {
    let [owner, thief] = staff::starts();
    let registry = Arc::clone(&owner.registry);
    let thief = thread::spawn(move || staff::work(thief, staff::take_from_first));
    let cells: StdArc<Cells<2>> = StdArc::new([Data::new(), Data::new()]);
    staff::work(owner, |_: &Worker| {
        let call = || {
            scope_on(&registry, Some(Wait::OwnScope), |scope| {
                for index in 0..2 {
                    let payload = Payload(StdArc::clone(&cells), index);
                    scope.spawn(move |_| unwind::resume(Box::new(payload)));
                }
            });
        };
        drop(unwind::catch(call));
        assert_eq!([cells[0].read(), cells[1].read()], [1, 1], "model: a scope ended before its jobs");
    });
    thief.join().unwrap();
}

/// Proves: a worker holds a lock and waits for its scope alone. It does not run another job of its own that wants the
/// lock, which would make it wait for itself.
/// 2 threads, 3 preemptions; 464 executions.
pub(super) fn with_lock() {
    let [owner, thief] = staff::starts();
    let registry = Arc::clone(&owner.registry);
    let thief = thread::spawn(move || staff::work(thief, staff::take_from_first));
    let (mutex, data) = (StdArc::new(Mutex::new(())), Data::new());
    staff::work(owner, |worker| {
        let wanted = StdArc::clone(&mutex);
        worker.push_shown(Job::new(move || drop(lock(&wanted))));
        {
            let _held = lock(&mutex);
            scope_on(&registry, Some(Wait::OwnScope), |scope| scope.spawn(|_| data.write()));
            assert_eq!(data.read(), 1, "model: a scope ended before its job");
        }
        while worker.run_own() {}
    });
    thief.join().unwrap();
}
