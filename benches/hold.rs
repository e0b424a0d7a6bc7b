//! What does a pool hold?
//!
//! Bytes for each closure that waits. The allocator counts them while the only worker is kept from running the
//! closures.

use std::alloc::System;
use std::hint::black_box;
use std::sync::mpsc;

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::{print_aligned, scaled};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Returns how many bytes are allocated now.
fn held() -> isize {
    let stats = ALLOCATOR.stats();
    // Both counters include reallocations, so the third counter, of reallocations alone, is not needed.
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

fn filch_pool(workers: usize) -> filch::Pool {
    filch::Pool::builder().workers(workers).build().expect("a pool")
}

/// How many jobs wait at a time. A little less than a power of two: a buffer that doubles is nearly full. A little
/// more: it is half empty.
fn amounts() -> [usize; 2] {
    scaled([1_000_000, 1_100_000], [10_000, 20_000])
}

/// Returns the bytes held for each of `jobs` jobs that capture `N` words, in filch and in rayon. The jobs come from
/// outside, and the only worker is kept busy.
fn outside<const N: usize>(jobs: usize) -> [f64; 2] {
    let filch = {
        let pool = filch_pool(1);
        let (release, kept) = mpsc::channel::<()>();
        pool.execute(move || _ = kept.recv()).expect("an open pool");
        let before = held();
        for id in 0..jobs {
            let words = [id; N];
            pool.execute(move || _ = black_box(words)).expect("an open pool");
        }
        let after = held();
        drop(release);
        after - before
    };
    let rayon = {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
        let (release, kept) = mpsc::channel::<()>();
        pool.spawn(move || _ = kept.recv());
        let before = held();
        for id in 0..jobs {
            let words = [id; N];
            pool.spawn(move || _ = black_box(words));
        }
        let after = held();
        drop(release);
        // The only worker runs this closure last. Its end means that all jobs have run.
        pool.install(|| ());
        after - before
    };
    [filch, rayon].map(|bytes| bytes as f64 / jobs as f64)
}

/// Returns the bytes held for each of `jobs` jobs that the only worker spawns into a scope, as [`outside`] does.
fn inside<const N: usize>(jobs: usize) -> [f64; 2] {
    let filch = filch_pool(1).install(|| {
        let mut bytes = 0;
        filch::scope(|s| {
            let before = held();
            for id in 0..jobs {
                let words = [id; N];
                s.spawn(move |_| _ = black_box(words));
            }
            bytes = held() - before;
        });
        bytes
    });
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool").install(|| {
        let mut bytes = 0;
        rayon::scope(|s| {
            let before = held();
            for id in 0..jobs {
                let words = [id; N];
                s.spawn(move |_| _ = black_box(words));
            }
            bytes = held() - before;
        });
        bytes
    });
    [filch, rayon].map(|bytes| bytes as f64 / jobs as f64)
}

/// Tells whether the program's arguments let `name` pass. Criterion's filter does not reach a table that criterion
/// does not time. A number is the value of some option, and no filter.
fn passes(name: &str) -> bool {
    let passes = |argument: &str| {
        argument.starts_with('-') || argument.parse::<f64>().is_ok() || name.contains(argument)
    };
    std::env::args().skip(1).all(|argument| argument != "--list" && passes(&argument))
}

fn bytes(_: &mut Criterion) {
    if !passes("bytes") {
        return;
    }
    let header = ["bytes a closure that waits", "captures", "jobs", "filch", "rayon", "filch ÷ it"];
    let mut rows = vec![header.map(String::from).to_vec()];
    type Way = fn(usize) -> [f64; 2];
    let ways: [(&str, usize, Way); 6] = [
        ("`execute`, `spawn` from outside", 8, outside::<1>),
        ("`execute`, `spawn` from outside", 24, outside::<3>),
        ("`execute`, `spawn` from outside", 64, outside::<8>),
        ("`scope.spawn`", 8, inside::<1>),
        ("`scope.spawn`", 24, inside::<3>),
        ("`scope.spawn`", 64, inside::<8>),
    ];
    for (way, captures, count) in ways {
        for jobs in amounts() {
            let [filch, rayon] = count(jobs);
            assert!(filch > 0.0 && rayon > 0.0, "nothing waited");
            rows.push(vec![
                way.into(),
                captures.to_string(),
                jobs.to_string(),
                format!("{filch:.1}"),
                format!("{rayon:.1}"),
                format!("{:.2}", filch / rayon),
            ]);
        }
    }
    print_aligned("bytes held", &rows);
}

criterion_group!(benches, bytes);
criterion_main!(benches);
