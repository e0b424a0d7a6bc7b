//! Compares the contenders. They take turns, and each round begins with another one, so that a machine that slows
//! down or speeds up does so for all of them. The median of the rounds counts. All contenders start from one list of
//! paths, and the files are in the system's cache since the run before. The program ends with an error if a contender
//! finds other vectors.

use std::time::Duration;

use crate::companion::{Built, Companion};
use crate::document::FileJob;
use crate::failure::Failure;
use crate::on_rayon::OnRayon;
use crate::pipeline::embed_all;
use crate::progress::Progress;
use crate::runners::{OnFilch, OneThread};
use crate::slot::Runner;
use crate::vector::checksum;

const ROUNDS: usize = 3;

/// One contender's figures.
pub struct Row {
    /// The contender's name and number of threads.
    pub name: String,
    /// The median of its times.
    pub median: Duration,
    /// Its shortest and its longest time.
    pub range: (Duration, Duration),
}

/// Does one run with the given title. Returns the checksum of the run's vectors and how long the run took.
type Turn<'a> = Box<dyn FnMut(&str) -> Result<(u64, Duration), Failure> + 'a>;

struct Contender<'a> {
    name: String,
    turn: Turn<'a>,
    times: Vec<Duration>,
}

impl<'a> Contender<'a> {
    fn new(name: String, turn: Turn<'a>) -> Contender<'a> {
        Contender { name, turn, times: Vec::new() }
    }
}

/// Runs the contenders and returns their figures, filch's first. Rayon on filch takes part if its program was built.
pub fn compare(
    filch: &OnFilch,
    companion: Option<&Built>,
    files: &[FileJob],
    expected: u64,
    progress: &Progress,
) -> Result<Vec<Row>, Failure> {
    let workers = filch.workers();
    let rayon = OnRayon::new(workers)?;
    let mut contenders = vec![
        Contender::new(format!("filch, {workers} workers"), here(filch, files, progress)),
        Contender::new(format!("rayon, {workers} threads"), here(&rayon, files, progress)),
        Contender::new("one thread".to_owned(), here(&OneThread, files, progress)),
    ];
    if let Some(built) = companion {
        let mut companion = Companion::start(built, workers, files)?;
        let turn: Turn<'_> = Box::new(move |title| {
            // The companion has a bar of its own, on a standard error stream that nobody sees.
            progress.begin(title.to_owned(), 0);
            companion.turn(title)
        });
        contenders.insert(2, Contender::new(format!("rayon on filch, {workers} threads"), turn));
    }
    for round in 0..ROUNDS {
        for turn in 0..contenders.len() {
            let next = (round + turn) % contenders.len();
            let Contender { name, turn, times } = &mut contenders[next];
            let (found, wall) = turn(&format!("{}/{ROUNDS} {name}: ", round + 1))?;
            if found != expected {
                return Err(Failure::Other(format!(
                    "{name} found other vectors ({found:016x}, not {expected:016x}); \
                     this is an error unless files changed meanwhile"
                )));
            }
            times.push(wall);
        }
    }
    let rows = contenders.into_iter().map(|Contender { name, mut times, .. }| {
        times.sort_unstable();
        let range = (times[0], times[ROUNDS - 1]);
        Row { name, median: times[ROUNDS / 2], range }
    });
    Ok(rows.collect())
}

/// Makes a contender that runs within this program.
fn here<'a>(runner: &'a impl Runner, files: &'a [FileJob], progress: &'a Progress) -> Turn<'a> {
    Box::new(move |title| {
        let run = embed_all(runner, files.iter().cloned(), progress, title)?;
        Ok((checksum(&run.vectors), run.wall))
    })
}
