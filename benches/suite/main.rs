//! How fast is a whole program that forks all the way down?
//!
//! Workloads that the field measures with. Each is written once and runs serially, on rayon and on filch. The last
//! figure is the geometric mean of the ratios.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::{Contender, Unit, ask, print_aligned, rounds, scaled};

use pools::clock;

mod bounce;
mod matmul;
#[path = "../pools.rs"]
mod pools;
mod queens;
mod skynet;
mod sort;
mod uts;

const WORKERS: usize = 2;

type Compare = fn(&mut Criterion, &str) -> Medians;
type Medians = Option<Vec<(&'static str, Duration)>>;

/// Compares the three `work` functions on data that `prepare` makes anew for each. Checks the results, off the clock,
/// and expects that `marks` pieces of work are marked.
fn compare<T: Send>(
    c: &mut Criterion,
    question: &str,
    marks: u64,
    prepare: &dyn Fn() -> T,
    work: [fn(&mut T); 3],
    check: &dyn Fn(T),
) -> Medians {
    let [serial, rayon, filch] = work;
    let time = |run: &mut dyn FnMut(&mut T)| {
        let mut data = prepare();
        let time = clock(&(), || run(&mut data));
        check(data);
        vec![time]
    };
    let contenders = vec![
        Contender::baseline("serial", || pools::serial(marks, || time(&mut |data| serial(data)))),
        Contender::peer("rayon", || {
            pools::rayon(WORKERS, marks, |pool| {
                time(&mut |data| {
                    pool.install(|| rayon(data));
                })
            })
        }),
        Contender::ours("filch", || {
            pools::filch(WORKERS, marks, |pool| {
                time(&mut |data| {
                    pool.install(|| filch(data));
                })
            })
        }),
    ];
    ask(c, question, Unit::millis(), rounds(7), contenders)
}

/// The three versions of a function that forks: serial, rayon, filch.
macro_rules! ways {
    ($path:path) => {{
        use crate::pools::{Filch, Rayon, Serial};
        use $path as way;
        [|data| way::<Serial>(data), |data| way::<Rayon>(data), |data| way::<Filch>(data)]
    }};
}
use ways;

fn suite(c: &mut Criterion) {
    let workloads: [(&str, Compare); 7] = [
        (scaled("skynet, 10^6 leaves", "skynet, 10^4 leaves"), skynet::compare),
        (scaled("queens, 13", "queens, 9"), queens::compare),
        (scaled("quicksort of 10^7", "quicksort of 10^5"), sort::compare),
        (scaled("matmul, 1024", "matmul, 256"), matmul::compare),
        (scaled("UTS T1", "UTS T1, 6 levels"), uts::compare_wide),
        ("UTS T3", uts::compare_deep),
        (scaled("bouncing producer, 200 × 500", "bouncing producer, 10 × 100"), bounce::compare),
    ];
    let mut rows = vec![
        ["workload", "filch ÷ rayon", "bound", "filch: speed-up", "rayon: speed-up"].map(String::from).into(),
    ];
    let mut ratios = Vec::new();
    let mut bounds = Vec::new();
    for (name, compare) in workloads {
        let Some(medians) = compare(c, name) else { continue };
        let [serial, rayon, filch] = ["serial", "rayon", "filch"].map(|name| {
            let found = medians.iter().find(|median| median.0 == name);
            found.expect("each contender").1.as_secs_f64()
        });
        ratios.push(filch / rayon);
        // The ratio that a scheduler without any cost would reach.
        bounds.push(serial / WORKERS as f64 / rayon);
        rows.push(vec![
            name.to_owned(),
            format!("{:.2}", filch / rayon),
            format!("{:.2}", serial / WORKERS as f64 / rayon),
            format!("{:.2}", serial / filch),
            format!("{:.2}", serial / rayon),
        ]);
    }
    if !ratios.is_empty() {
        let mean = |of: &[f64]| {
            let logs: f64 = of.iter().map(|ratio| ratio.ln()).sum();
            format!("{:.2}", (logs / of.len() as f64).exp())
        };
        rows.push(vec!["geometric mean".into(), mean(&ratios), mean(&bounds), String::new(), String::new()]);
        print_aligned("suite", &rows);
    }
}

criterion_group!(benches, suite);
criterion_main!(benches);
