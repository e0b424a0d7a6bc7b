//! Scopes: the count in two words, and what its end makes visible.

use std::sync::Arc as StdArc;

use loom::thread;

use super::staff::{self, Data};
use crate::scope::{Scope, scope_on};
use crate::sync::Arc;
use crate::worker::{Wait, Worker};

type Cells<const N: usize> = [Data; N];

/// Runs `body` in a scope of worker 0, with `thieves` others that each take one job of it, if they find one, and
/// checks when the scope is over that all of `cells` were written.
fn stolen_from<const N: usize, const W: usize>(body: fn(&Scope<'_>, &StdArc<Cells<N>>)) {
    let mut seats = staff::seats::<W>().into_iter();
    let owner = seats.next().expect("an owner");
    let registry = Arc::clone(&owner.registry);
    let thieves: Vec<_> =
        seats.map(|seat| thread::spawn(move || staff::work(seat, staff::take_from_first))).collect();
    let cells: StdArc<Cells<N>> = StdArc::new(std::array::from_fn(|_| Data::new()));
    staff::work(owner, |_: &Worker| {
        scope_on(&registry, Wait::OwnScope, |scope| body(scope, &cells));
        for cell in &*cells {
            assert_eq!(cell.read(), 1, "model: a scope ended before its jobs");
        }
    });
    for thief in thieves {
        thief.join().unwrap();
    }
}

/// Proves: a scope ends when its jobs have, those too that a job spawned that was stolen; its owner then sees what
/// all wrote; and nobody touches it afterwards.
/// 2 threads, 4 preemptions.
pub(super) fn nested() {
    stolen_from::<2, 2>(|scope, cells| {
        let cells = StdArc::clone(cells);
        scope.spawn(move |scope| {
            let inner = StdArc::clone(&cells);
            scope.spawn(move |_| inner[1].write());
            cells[0].write();
        });
    });
}

/// As [`nested`], with jobs that two thieves take: the last to end passes on what the other did.
/// 3 threads, 2 preemptions.
pub(super) fn two_thieves() {
    stolen_from::<2, 3>(|scope, cells| {
        for index in 0..2 {
            let cells = StdArc::clone(cells);
            scope.spawn(move |_| cells[index].write());
        }
    });
}
