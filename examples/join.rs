//! Quicksort on the lines of a file: two closures that borrow and may run at once.
//!
//! ```sh
//! cargo run --release --example join -- docs/DESIGN.md
//! ```

use std::collections::HashSet;
use std::time::Instant;
use std::{env, fs, io};

/// Sorts the lines before and after a pivot: with `TOGETHER` on the workers that have time, otherwise one side after
/// the other.
///
/// `join` runs the first closure here. It runs the second one here too, unless another worker takes it meanwhile. The
/// two sides are different slices, so the compiler knows that neither closure sees what the other moves.
fn quicksort<const TOGETHER: bool>(lines: &mut [&str]) {
    if lines.len() > 1 {
        let pivot = partition(lines);
        let (before, rest) = lines.split_at_mut(pivot);
        let after = &mut rest[1..];
        if TOGETHER {
            filch::join(|| quicksort::<true>(before), || quicksort::<true>(after));
        } else {
            quicksort::<false>(before);
            quicksort::<false>(after);
        }
    }
}

/// Moves the line in the middle to its final place, and smaller lines before it.
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
    // Each line once: many equal lines would make one side of each pivot long.
    let mut alone: Vec<&str> = text.lines().collect::<HashSet<_>>().into_iter().collect();
    let mut together = alone.clone();
    let workers = filch::Pool::global().workers();

    let start = Instant::now();
    quicksort::<false>(&mut alone);
    println!("{} different lines of {path} sorted by one thread in {:?}", alone.len(), start.elapsed());
    let start = Instant::now();
    filch::Pool::global().install(|| quicksort::<true>(&mut together));
    println!("and by {workers} workers in {:?}", start.elapsed());
    assert_eq!(alone, together);
    Ok(())
}
