//! How long does a thread beside a pool wait for an answer, on whichever core it is?
//!
//! Round trips of `install` from a thread that is no worker: a trivial closure, and a frame of 465 forks, back to
//! back. They run on one core, and on two with the caller bound to either core or to none, as the pool's workers are.
//! Each figure is the wall time and, in brackets, the processor time of the whole process, in microseconds a trip.

use std::hint::black_box;
use std::iter;
use std::time::Duration;

use filch_benches::{Meter, Spent, cores, print_aligned, rounds, scaled, settle};

const WORKERS: usize = 2;

fn answer() -> u64 {
    black_box(1)
}

fn frame_with_filch() -> u64 {
    fn fib(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
        a + b
    }
    fib(black_box(12))
}

fn frame_with_rayon() -> u64 {
    fn fib(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let (a, b) = rayon::join(|| fib(n - 1), || fib(n - 2));
        a + b
    }
    fib(black_box(12))
}

/// A contender: builds its pool, makes `trips` round trips from a thread bound to `place`, and tells their cost.
type Contender = fn(place: &[usize], trips: u64, frame: bool) -> Spent;

fn filch(place: &[usize], trips: u64, frame: bool) -> Spent {
    let pool = filch::Pool::builder().workers(WORKERS).build().expect("a pool");
    let work = if frame { frame_with_filch } else { answer };
    timed(place, trips, || pool.install(work))
}

fn rayon(place: &[usize], trips: u64, frame: bool) -> Spent {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("a pool");
    let work = if frame { frame_with_rayon } else { answer };
    timed(place, trips, || pool.install(work))
}

/// Times `trips` calls of `trip` with the calling thread bound to `place`. The pool's threads run already, so they do
/// not inherit this mask.
fn timed(place: &[usize], trips: u64, trip: impl Fn() -> u64) -> Spent {
    let all = cores::allowed();
    cores::bind(place);
    let expected = trip();
    (0..20).for_each(|_| assert_eq!(trip(), expected));
    settle();
    let meter = Meter::start();
    (0..trips).for_each(|_| assert_eq!(trip(), expected));
    let spent = meter.stop();
    cores::bind(&all);
    spent
}

fn main() {
    cores::in_processes(&[1, 2], tables);
}

fn tables(count: usize, words: &[String]) {
    let all = cores::allowed();
    let mut places = vec![("anywhere".to_owned(), all.clone())];
    if count > 1 {
        places.extend(all.iter().map(|&core| (format!("on core {core}"), vec![core])));
    }
    let header = ["µs a trip (processor time)", "filch", "rayon", "filch ÷ it", "processor time ÷ its"];
    let mut rows = vec![header.map(String::from).to_vec()];
    for (frame, what) in [(false, "`install`"), (true, "frame of `fib(12)`")] {
        for (name, place) in &places {
            let name = format!("{what}, caller {name}");
            if words.iter().all(|word| format!("{count} cores, {name}").contains(word)) {
                rows.push(row(name, place, frame));
            }
        }
    }
    if rows.len() > 1 {
        print_aligned(&format!("{count} cores, {WORKERS} workers"), &rows);
    }
}

fn row(name: String, place: &[usize], frame: bool) -> Vec<String> {
    let contenders: [Contender; 2] = [filch, rayon];
    let trips = scaled(2000, 50);
    let mut spent = [const { Vec::new() }; 2];
    for round in 0..rounds(15) {
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            spent[index].push(contenders[index](place, trips, frame));
            settle();
        }
    }
    let [ours, its] = spent.map(|times| {
        let median = |of: fn(&Spent) -> Duration| {
            let mut times: Vec<Duration> = times.iter().map(of).collect();
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e6 / trips as f64
        };
        [median(|spent| spent.wall), median(|spent| spent.processor)]
    });
    let cell = |[wall, processor]: [f64; 2]| format!("{wall:.2} ({processor:.2})");
    let ratios = iter::zip(ours, its).map(|(ours, its)| format!("{:.2}", ours / its));
    iter::once(name).chain([cell(ours), cell(its)]).chain(ratios).collect()
}
