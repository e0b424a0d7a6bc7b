//! Quicksort on the lines of a file: two closures that may run at once, and borrow.
//!
//! ```sh
//! cargo run --release --example join -- docs/DESIGN.md
//! ```

use std::time::Instant;
use std::{env, fs, io};

/// Sorts the parts before and after the pivot, each on whichever worker has time.
///
/// `join` runs the first closure here, and the second too unless another worker takes it meanwhile. The two
/// halves are different slices, so the compiler knows that neither closure sees what the other one moves.
fn quicksort(lines: &mut [&str]) {
    if lines.len() > 1 {
        let pivot = partition(lines);
        let (before, rest) = lines.split_at_mut(pivot);
        filch::join(|| quicksort(before), || quicksort(&mut rest[1..]));
    }
}

fn quicksort_alone(lines: &mut [&str]) {
    if lines.len() > 1 {
        let pivot = partition(lines);
        let (before, rest) = lines.split_at_mut(pivot);
        quicksort_alone(before);
        quicksort_alone(&mut rest[1..]);
    }
}

/// Moves the line in the middle to where it belongs, and what is less before it.
fn partition(lines: &mut [&str]) -> usize {
    let last = lines.len() - 1;
    lines.swap(last / 2, last);
    let mut less = 0;
    for at in 0..last {
        if lines[at] < lines[last] {
            lines.swap(at, less);
            less += 1;
        }
    }
    lines.swap(less, last);
    less
}

fn main() -> io::Result<()> {
    let path = env::args().nth(1).unwrap_or_else(|| "docs/DESIGN.md".into());
    let text = fs::read_to_string(&path)?;
    // A sort that moves equal lines about takes longer the more of them there are: each line counts once.
    let mut lines: Vec<&str> = text.lines().collect::<std::collections::HashSet<_>>().into_iter().collect();
    let mut alone = lines.clone();

    let pool = filch::Pool::global();
    pool.install(|| ()); // Starts the workers, so that this is not timed.
    let start = Instant::now();
    pool.install(|| quicksort(&mut lines));
    let together = start.elapsed();

    let start = Instant::now();
    quicksort_alone(&mut alone);
    println!("{} different lines of {path}, sorted in {together:?} by {} workers", lines.len(), pool.workers());
    println!(
        "and in {:?} by one thread; the results are {}",
        start.elapsed(),
        match lines == alone {
            true => "equal",
            false => "different!",
        }
    );
    println!("first: {:?}, last: {:?}", lines.first(), lines.last());
    Ok(())
}
