//! Does a fork or a job cost the same if there are a thousand of them, and if there are a hundred million? And with
//! more workers, up to eight times as many as there are cores?
//!
//! A sample is a million forks or jobs, in several runs if they are smaller, or else one run. `SCALE_FORKS` and
//! `SCALE_JOBS` in the environment set the most that there are at once; the defaults are 10^7 and 10^6. Jobs that
//! wait take memory: 10^8 of them, some 10 GB in rayon.

use std::env;
use std::hint::black_box;
use std::iter::successors;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::tally::{self, enter};
use filch_benches::{Contender, Unit, ask, print_aligned, rounds, scaled};

use pools::{Filch, Join, Rayon, Serial, clock};

mod pools;

/// How many sets of leaves each run marks.
const MARKS: u64 = 8;

fn leaves<J: Join>(n: u64) -> u64 {
    if n == 1 {
        return black_box(1);
    }
    let (a, b) = J::join(|| leaves::<J>(n / 2), || leaves::<J>(n - n / 2));
    a + b
}

fn upper_leaves<J: Join>(n: u64, marks: u64) -> u64 {
    if marks == 1 {
        enter(1);
        return leaves::<J>(n);
    }
    let (a, b) = J::join(|| upper_leaves::<J>(n / 2, marks / 2), || upper_leaves::<J>(n - n / 2, marks / 2));
    a + b
}

/// Returns the value of the environment variable `name`, or else `most`. A quick run has a fixed value.
fn most(name: &str, most: u64) -> u64 {
    let said = env::var(name).ok().and_then(|value| value.parse::<f64>().ok());
    scaled(said.map_or(most, |value| value as u64), 10_000)
}

/// Returns the powers of ten from 10^3 to `most`.
fn sizes(most: u64) -> impl Iterator<Item = u64> {
    successors(Some(1000), |n| Some(n * 10)).take_while(move |&n| n <= most)
}

/// Returns how many runs make a sample, and how many rounds make an answer.
fn effort(n: u64) -> (u64, usize) {
    let repeat = (scaled(1_000_000, 10_000) / n).max(1);
    (repeat, rounds(if n > 1_000_000 { 5 } else { 11 }))
}

/// A table of all answers, in nanoseconds a piece.
struct Summary {
    title: &'static str,
    rows: Vec<Vec<String>>,
}

impl Summary {
    fn new(title: &'static str, of: &str, contenders: &[&str]) -> Summary {
        let mut header = vec![of.to_owned()];
        header.extend(contenders.iter().map(|&name| name.to_owned()));
        header.push("filch ÷ rayon".into());
        Summary { title, rows: vec![header] }
    }

    fn add(&mut self, of: String, pieces: u64, medians: Option<Vec<(&'static str, Duration)>>) {
        let Some(medians) = medians else { return };
        let nanos = |name: &str| {
            let median = medians.iter().find(|median| median.0 == name).expect("each contender");
            median.1.as_secs_f64() * 1e9 / pieces as f64
        };
        let mut row = vec![of];
        row.extend(self.rows[0][1..self.rows[0].len() - 1].iter().map(|name| format!("{:.2}", nanos(name))));
        row.push(format!("{:.2}", nanos("filch") / nanos("rayon")));
        self.rows.push(row);
    }

    fn print(&self) {
        if self.rows.len() > 1 {
            print_aligned(self.title, &self.rows);
        }
    }
}

fn forks(n: u64, workers: usize, repeat: u64) -> Vec<Contender<'static>> {
    let marks = MARKS * repeat;
    let times = move |f: fn(u64, u64) -> u64| {
        vec![clock(&(n * repeat), || (0..repeat).map(|_| f(black_box(n), MARKS)).sum())]
    };
    vec![
        Contender::baseline("serial", move || pools::serial(marks, || times(upper_leaves::<Serial>))),
        Contender::peer("rayon", move || {
            pools::rayon(workers, marks, |pool| pool.install(|| times(upper_leaves::<Rayon>)))
        }),
        Contender::ours("filch", move || {
            pools::filch(workers, marks, |pool| pool.install(|| times(upper_leaves::<Filch>)))
        }),
    ]
}

fn jobs(n: u64, workers: usize, repeat: u64) -> Vec<Contender<'static>> {
    let check = move |time| {
        let sum: u64 = tally::entries().iter().map(|entry| entry.0).sum();
        assert_eq!(sum, n * (n - 1) / 2 * repeat, "sum of ids");
        vec![time]
    };
    vec![
        Contender::peer("rayon", move || {
            pools::rayon(workers, n * repeat, |pool| {
                let all = || rayon::scope(|s| (0..n).for_each(|id| s.spawn(move |_| enter(id))));
                check(pool.install(|| clock(&(), || (0..repeat).for_each(|_| all()))))
            })
        }),
        Contender::ours("filch", move || {
            pools::filch(workers, n * repeat, |pool| {
                let all = || filch::scope(|s| (0..n).for_each(|id| s.spawn(move |_| enter(id))));
                check(pool.install(|| clock(&(), || (0..repeat).for_each(|_| all()))))
            })
        }),
    ]
}

fn more_work(c: &mut Criterion) {
    let mut summary = Summary::new("ns a fork, 2 workers", "forks", &["serial", "rayon", "filch"]);
    for n in sizes(most("SCALE_FORKS", 10_000_000)) {
        let (repeat, rounds) = effort(n);
        let question = format!("{n} forks, 2 workers");
        let medians = ask(c, &question, Unit::each("fork", n * repeat), rounds, forks(n, 2, repeat));
        summary.add(n.to_string(), n * repeat, medians);
    }
    summary.print();
    let mut summary = Summary::new("ns a job of a scope, 2 workers", "jobs", &["rayon", "filch"]);
    for n in sizes(most("SCALE_JOBS", 1_000_000)) {
        let (repeat, rounds) = effort(n);
        let question = format!("{n} jobs, 2 workers");
        let medians = ask(c, &question, Unit::each("job", n * repeat), rounds, jobs(n, 2, repeat));
        summary.add(n.to_string(), n * repeat, medians);
    }
    summary.print();
}

fn more_workers(c: &mut Criterion) {
    let n = scaled(1_000_000, 10_000);
    let mut summary = Summary::new("ns a fork of a million", "workers", &["serial", "rayon", "filch"]);
    for workers in [1, 2, 4, 8, 16] {
        let question = format!("{n} forks by {workers}");
        let medians = ask(c, &question, Unit::each("fork", n), rounds(9), forks(n, workers, 1));
        summary.add(workers.to_string(), n, medians);
    }
    summary.print();
    let n = scaled(100_000, 10_000);
    let mut summary = Summary::new("ns a job of 100,000 in a scope", "workers", &["rayon", "filch"]);
    for workers in [1, 2, 4, 8, 16] {
        let question = format!("{n} jobs by {workers}");
        let medians = ask(c, &question, Unit::each("job", n), rounds(9), jobs(n, workers, 1));
        summary.add(workers.to_string(), n, medians);
    }
    summary.print();
}

criterion_group!(benches, more_work, more_workers);
criterion_main!(benches);
