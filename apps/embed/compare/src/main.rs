//! How many tokens a second the pipeline of `embed index` makes, beside the same stages built on rayon's `par_bridge`, on
//! crossbeam-channel and threads, and on one thread; and the tokenizer alone, which nobody can beat.
//!
//! ```text
//! cargo run --release -p filch-embed-compare -- --model DIR PATH...
//! taskset -c 0 target/release/filch-embed-compare --workers 1 --model DIR PATH...
//! ```
//!
//! All contenders walk, read, cut, tokenise, embed and write an index, into a folder that is removed. They take turns, and
//! each round begins with another one. A round fails if a contender has other counts than the first.

mod contenders;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use filch_embed::failure::Failure;
use filch_embed::model::Model;
use filch_embed::walk::Roots;

use crate::contenders::{CONTENDERS, Run};

/// Compares the pipeline of `embed index` with the same stages on other schedulers.
#[derive(Parser)]
struct Args {
    /// Files and folders
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The folder of the model [default: the one that get-model has fetched, or none]
    #[arg(long)]
    model: Option<PathBuf>,
    /// Worker threads [default: one for every core]
    #[arg(long)]
    workers: Option<usize>,
    /// How often each contender runs
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Only contenders with this in their name
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let model = Arc::new(Model::find(args.model.as_deref())?);
    println!("{}", model.notice());
    let workers = match args.workers {
        Some(workers) => workers,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let folder = std::env::temp_dir().join(format!("filch-embed-compare-{}", std::process::id()));
    let roots = Roots::new(&args.paths, &folder)?;
    let run = Run { model, roots, workers, folder };

    let chosen: Vec<_> = CONTENDERS.iter().filter(|(name, _)| name.contains(&args.only)).collect();
    let mut rows: Vec<(Vec<Duration>, u64)> = vec![(Vec::new(), 0); chosen.len()];
    let mut expected = None;
    // The first round fills the system's cache and does not count.
    for round in 0..=args.rounds {
        for turn in 0..chosen.len() {
            let place = (round + turn) % chosen.len();
            let (name, contender) = chosen[place];
            let begun = Instant::now();
            let counts = contender(&run)?;
            let took = begun.elapsed();
            // Some paths have no write stage.
            let _ = std::fs::remove_dir_all(&run.folder);
            if *expected.get_or_insert(counts) != counts {
                return Err(Failure::Other(format!("{name} counted {counts:?}, not {expected:?}")));
            }
            if round > 0 {
                rows[place].0.push(took);
                rows[place].1 = counts.tokens;
            }
        }
    }

    println!("| {workers} workers | median, s | range | tokens/s | the first ÷ it |");
    println!("|---|---|---|---|---|");
    let mut first = None;
    for ((name, _), (times, tokens)) in chosen.iter().zip(&mut rows) {
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64();
        let (least, most) = (times[0].as_secs_f64(), times[times.len() - 1].as_secs_f64());
        let first = *first.get_or_insert(median);
        let speed = *tokens as f64 / median;
        println!("| {name} | {median:.3} | {least:.3} to {most:.3} | {speed:.0} | {:.2} |", first / median);
    }
    Ok(())
}
