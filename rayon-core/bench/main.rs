//! One rayon program with many kinds of work. It is built twice, over the real rayon-core and over this one, and
//! `compare.sh` runs the two in turn. With `NAME` it runs one kind and prints the nanoseconds of one round. Without a
//! name it lists the kinds.

mod data;
mod fine;
mod kernels;

use std::time::{Duration, Instant};

/// The least time that one measurement lasts.
const LEAST: Duration = Duration::from_millis(120);

/// A kind of work. It makes its input and returns a closure, which runs one round and returns the time of that round.
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

/// Returns how long `f` takes. The compiler cannot leave out the computation of the value that `f` returns.
pub fn timed<R>(f: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    std::hint::black_box(f());
    start.elapsed()
}
