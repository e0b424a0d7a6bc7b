//! One rayon program with many kinds of work. Built twice, over the real rayon-core and over this one; `compare.sh` runs
//! the two in turn. `NAME` runs one kind and prints nanoseconds for one round of it, without a name it lists them.

mod data;
mod fine;
mod kernels;

use std::time::{Duration, Instant};

/// How long one measurement lasts, at the least.
const LEAST: Duration = Duration::from_millis(120);

/// A kind of work: makes its input, and returns what runs one round of it and says how long that took.
pub type Kind = fn() -> Box<dyn FnMut() -> Duration>;

fn main() {
    let kinds: Vec<(&str, Kind)> = fine::KINDS.iter().chain(kernels::KINDS).copied().collect();
    let Some(wanted) = std::env::args().nth(1) else {
        kinds.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let Some((_, kind)) = kinds.iter().find(|(name, _)| *name == wanted) else {
        eprintln!("no such kind: {wanted}");
        std::process::exit(2);
    };
    let mut round = kind();
    round(); // starts the pool, touches the memory
    let mut times = Vec::new();
    let mut spent = Duration::ZERO;
    while spent < LEAST {
        let time = round();
        spent += time;
        times.push(time);
    }
    times.sort_unstable();
    println!("{}", times[times.len() / 2].as_nanos());
}

/// Times `f`; what it returns must be computed.
pub fn timed<R>(f: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    std::hint::black_box(f());
    start.elapsed()
}
