//! Skynet: each actor has ten actors below it, and passes up the sum of their answers. The leaves answer with their
//! numbers.

use criterion::Criterion;
use filch_benches::{scaled, tally};

use crate::pools::Join;
use crate::{Medians, ways};

/// An actor with this number of leaves below it is marked.
const MARKED: u64 = 100;

struct Skynet {
    leaves: u64,
    sum: u64,
}

fn actor<J: Join>(first: u64, leaves: u64) -> u64 {
    if leaves == MARKED {
        tally::enter(first);
    }
    if leaves == 1 { first } else { below::<J>(first, leaves / 10, 0, 10) }
}

/// Returns the sum of the actors `from..to` of the ten below an actor. Each of them has `leaves` leaves.
fn below<J: Join>(first: u64, leaves: u64, from: u64, to: u64) -> u64 {
    if to - from == 1 {
        return actor::<J>(first + from * leaves, leaves);
    }
    let middle = from.midpoint(to);
    let (a, b) = J::join(|| below::<J>(first, leaves, from, middle), || below::<J>(first, leaves, middle, to));
    a + b
}

fn run<J: Join>(skynet: &mut Skynet) {
    skynet.sum = actor::<J>(0, skynet.leaves);
}

pub fn compare(c: &mut Criterion, question: &str) -> Medians {
    let leaves = scaled(1_000_000, 10_000);
    let check = |skynet: Skynet| assert_eq!(skynet.sum, leaves * (leaves - 1) / 2);
    crate::compare(c, question, leaves / MARKED, &|| Skynet { leaves, sum: 0 }, ways!(run), &check)
}
