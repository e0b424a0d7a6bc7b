//! The contenders take turns and each round begins with another one, so that a machine that slows
//! down or speeds up does so for all of them; the median of the rounds counts. They start from one
//! list of paths, and the files are in the system's cache since the run before. A contender that
//! finds other vectors ends the program.

use std::time::Duration;

use crate::Failure;
use crate::document::FileJob;
use crate::pipeline::{Run, embed_all};
use crate::progress::Progress;
use crate::runners::{OnFilch, OnRayon, OneThread};
use crate::slot::Runner;
use crate::vector::checksum;

const ROUNDS: usize = 3;

/// One contender's figures.
pub struct Row {
    /// What ran the jobs.
    pub name: String,
    /// The median of its times.
    pub median: Duration,
    /// Its shortest and its longest time.
    pub range: (Duration, Duration),
}

/// The contenders' figures, filch's first.
pub fn compare(
    filch: &OnFilch,
    files: &[FileJob],
    expected: u64,
    progress: &Progress,
) -> Result<Vec<Row>, Failure> {
    let workers = filch.workers();
    let rayon = OnRayon::new(workers)?;
    let names =
        [format!("filch, {workers} workers"), format!("rayon, {workers} threads"), "one thread".to_owned()];
    let mut times = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        for turn in 0..names.len() {
            let contender = (round + turn) % names.len();
            let name = &names[contender];
            let title = format!("{}/{ROUNDS} {name}: ", round + 1);
            let run = match contender {
                0 => once(filch, files, progress, &title),
                1 => once(&rayon, files, progress, &title),
                _ => once(&OneThread, files, progress, &title),
            }?;
            let found = checksum(&run.vectors);
            if found != expected {
                return Err(Failure::Other(format!(
                    "{name} found other vectors ({found:016x}, not {expected:016x}); \
                     this is an error unless files changed meanwhile"
                )));
            }
            times[contender].push(run.wall);
        }
    }
    let rows = names.into_iter().zip(times).map(|(name, mut times)| {
        times.sort_unstable();
        let range = (times[0], times[ROUNDS - 1]);
        Row { name, median: times[ROUNDS / 2], range }
    });
    Ok(rows.collect())
}

fn once(runner: &impl Runner, files: &[FileJob], progress: &Progress, title: &str) -> Result<Run, Failure> {
    embed_all(runner, files.iter().cloned(), progress, title)
}
