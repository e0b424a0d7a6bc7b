//! Is work that takes milliseconds ever kept from a worker that has nothing to do?
//!
//! The closures spin, or they sleep: sleeping closures can keep more workers busy than there are cores. The times are
//! multiples of what a scheduler that knew everything would need.

use std::hint::spin_loop;
use std::iter;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::{Contender, Unit, ask, rounds, scaled, tally};

use pools::{Filch, Join, Rayon, Serial, clock};

mod pools;

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn nap(time: Duration) {
    tally::enter(1);
    thread::sleep(time);
}

fn spin(time: Duration) {
    tally::enter(1);
    let start = Instant::now();
    while start.elapsed() < time {
        spin_loop();
    }
}

/// One fork with 10 ms on each side.
fn two<J: Join>(work: fn(Duration)) {
    J::join(|| work(millis(10)), || work(millis(10)));
}

fn chili_two(s: &mut chili::Scope<'_>, work: fn(Duration)) {
    s.join(|_| work(millis(10)), |_| work(millis(10)));
}

/// `n` items of 10 ms, halved until one is left.
fn halves<J: Join>(n: u64) {
    if n == 1 {
        nap(millis(10));
    } else {
        J::join(|| halves::<J>(n / 2), || halves::<J>(n - n / 2));
    }
}

fn chili_halves(s: &mut chili::Scope<'_>, n: u64) {
    if n == 1 {
        nap(millis(10));
    } else {
        s.join(|s| chili_halves(s, n / 2), |s| chili_halves(s, n - n / 2));
    }
}

/// `n` items of 10 ms, one beside each fork. All forks are made within a moment, and then wait to be taken.
fn chain<J: Join>(n: u64) {
    if n == 1 {
        nap(millis(10));
    } else {
        J::join(|| chain::<J>(n - 1), || nap(millis(10)));
    }
}

fn chili_chain(s: &mut chili::Scope<'_>, n: u64) {
    if n == 1 {
        nap(millis(10));
    } else {
        // chili runs the second closure first.
        s.join(|_| nap(millis(10)), |s| chili_chain(s, n - 1));
    }
}

/// The worker that forks goes into 20 ms of work and leaves two forks behind. The first of them takes `short`, the
/// second 20 ms.
fn behind_a_long_leaf<J: Join>(short: Duration) {
    J::join(|| J::join(|| nap(millis(20)), || nap(millis(20))), || nap(short));
}

fn chili_behind_a_long_leaf(s: &mut chili::Scope<'_>, short: Duration) {
    s.join(|_| nap(short), |s| s.join(|_| nap(millis(20)), |_| nap(millis(20))));
}

/// The forks of `behind_a_long_leaf`, after ten thousand fine forks: by then a runtime may have begun to run its
/// forks itself.
fn after_fine_forks<J: Join>(short: Duration) {
    fn fine<J: Join>(n: u32) -> u32 {
        if n == 0 {
            return 1;
        }
        let (a, b) = J::join(|| fine::<J>(n - 1), || fine::<J>(n - 1));
        a + b
    }
    assert_eq!(fine::<J>(13), 1 << 13);
    behind_a_long_leaf::<J>(short);
}

fn chili_after_fine_forks(s: &mut chili::Scope<'_>, short: Duration) {
    fn fine(s: &mut chili::Scope<'_>, n: u32) -> u32 {
        if n == 0 {
            return 1;
        }
        let (a, b) = s.join(|s| fine(s, n - 1), |s| fine(s, n - 1));
        a + b
    }
    assert_eq!(fine(s, 13), 1 << 13);
    chili_behind_a_long_leaf(s, short);
}

/// A workload in four versions, with its number of items.
struct Case {
    question: &'static str,
    workers: usize,
    items: u64,
    ideal: Duration,
    serial: fn(),
    rayon: fn(),
    chili: fn(&mut chili::Scope<'_>),
    filch: fn(),
    /// Samples in each round.
    samples: usize,
    rounds: usize,
}

macro_rules! ways {
    ($way:ident, $chili:ident $(, $argument:expr)?) => {
        (
            || $way::<Serial>($($argument)?),
            || $way::<Rayon>($($argument)?),
            |s: &mut chili::Scope<'_>| $chili(s $(, $argument)?),
            || $way::<Filch>($($argument)?),
        )
    };
}

type Ways = (fn(), fn(), fn(&mut chili::Scope<'_>), fn());

fn joins(c: &mut Criterion) {
    let case = |question, workers, items, ideal, ways: Ways, samples, rounds| {
        let (serial, rayon, chili, filch) = ways;
        Case { question, workers, items, ideal, serial, rayon, chili, filch, samples, rounds }
    };
    let cases = [
        case("two sleeps of 10 ms, 2 workers", 2, 2, millis(10), ways!(two, chili_two, nap), 4, 11),
        case("two spins of 10 ms, 2 workers", 2, 2, millis(10), ways!(two, chili_two, spin), 4, 11),
        case("64 sleeps in halves, 8 workers", 8, 64, millis(80), ways!(halves, chili_halves, 64), 1, 4),
        case("16 sleeps in a chain, 8 workers", 8, 16, millis(20), ways!(chain, chili_chain, 16), 1, 7),
        case(
            "20 ms behind a leaf of 20 ms, 2 workers",
            2,
            3,
            millis(21),
            ways!(behind_a_long_leaf, chili_behind_a_long_leaf, millis(1)),
            3,
            7,
        ),
        case(
            "20 ms behind a leaf of 20 ms, 4 workers",
            4,
            3,
            millis(20),
            ways!(behind_a_long_leaf, chili_behind_a_long_leaf, millis(1)),
            3,
            7,
        ),
        case(
            "the same after fine forks, 2 workers",
            2,
            3,
            millis(21),
            ways!(after_fine_forks, chili_after_fine_forks, millis(1)),
            3,
            7,
        ),
        case(
            "the same after fine forks, 4 workers",
            4,
            3,
            millis(20),
            ways!(after_fine_forks, chili_after_fine_forks, millis(1)),
            3,
            7,
        ),
        case(
            "three of 20 ms after fine forks, 4 workers",
            4,
            3,
            millis(20),
            ways!(after_fine_forks, chili_after_fine_forks, millis(20)),
            3,
            7,
        ),
    ];
    for Case { question, workers, items, ideal, serial, rayon, chili, filch, samples, rounds: full } in cases {
        let samples = scaled(samples, 1);
        let items = items * samples as u64;
        let times = |f: fn()| -> Vec<Duration> { (0..samples).map(|_| clock(&(), f)).collect() };
        let contenders = vec![
            Contender::baseline("serial", || pools::serial(items, || times(serial))),
            Contender::peer("rayon", || pools::rayon(workers, items, |pool| pool.install(|| times(rayon)))),
            Contender::peer("chili", || {
                pools::chili(workers, items, |pool| {
                    let mut s = pool.scope();
                    (0..samples).map(|_| clock(&(), || chili(&mut s))).collect()
                })
            }),
            Contender::ours("filch", || pools::filch(workers, items, |pool| pool.install(|| times(filch)))),
        ];
        ask(c, question, Unit::ideal(ideal), scaled(rounds(full), 1), contenders);
    }
}

fn spawned(c: &mut Criterion) {
    let ideal = millis(80);
    let contenders = vec![
        Contender::peer("rayon", || {
            pools::rayon(8, 64, |pool| {
                pool.install(|| {
                    let all = || rayon::scope(|s| (0..64).for_each(|_| s.spawn(|_| nap(millis(10)))));
                    iter::once(clock(&(), all)).collect()
                })
            })
        }),
        Contender::ours("filch", || {
            pools::filch(8, 64, |pool| {
                pool.install(|| {
                    let all = || filch::scope(|s| (0..64).for_each(|_| s.spawn(|_| nap(millis(10)))));
                    iter::once(clock(&(), all)).collect()
                })
            })
        }),
    ];
    ask(c, "64 sleeps spawned, 8 workers", Unit::ideal(ideal), scaled(rounds(7), 1), contenders);
}

criterion_group!(benches, joins, spawned);
criterion_main!(benches);
