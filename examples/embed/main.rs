//! Embeds text: a complete program for the kind of work that this library is made for. There are many small jobs of
//! uneven size, they need buffers of their own, and their source should not run ahead. The program walks the given
//! paths, cuts text files into chunks, turns every chunk into a vector of 256 dimensions on all cores, and answers
//! `--query "some words"` with the nearest chunks.
//!
//! ```text
//! cargo run --release --example embed -- --query "parking a worker that has nothing to do"
//! cargo run --release --example embed -- --compare --max-mb 64 PATH...
//! ```
//!
//! `runners` uses filch, `pipeline` has the two passes, `features` and `vector` have the method with its sources, and
//! `companion` lets rayon on filch take part. Files that cannot be read, and files that are no text, are counted and
//! skipped. Exit codes: 0; 1 if no text was found or something broke; 2 for a wrong command line.

mod args;
mod chunk;
mod companion;
mod compare;
mod document;
mod failure;
mod features;
mod murmur;
mod on_rayon;
mod pipeline;
mod progress;
mod report;
mod roots;
mod runners;
mod search;
mod slot;
mod vector;
mod walk;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::failure::Failure;
use crate::pipeline::embed_all;
use crate::progress::Progress;
use crate::runners::OnFilch;
use crate::vector::checksum;
use crate::walk::{Tally, Walk};

fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let result = run(&args, &mut out).and_then(|()| Ok(out.flush()?));
    let (message, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        // The reader of the output, `head` for instance, has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Err(Failure::Output(error)) => (format!("cannot write the output: {error}"), 1),
        Err(Failure::Other(message)) => (message, 1),
        Err(Failure::Usage(message)) => (message, 2),
    };
    // The figures printed so far come first. Even if they cannot be written, the message may be.
    let _ = out.flush();
    eprintln!("embed: {message}");
    ExitCode::from(code)
}

fn run(args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    args.check()?;
    let companion = args.compare.then(companion::build);
    let filch = OnFilch::new(args.workers, args.capacity)?;
    let budget = (args.max_mb as u64).saturating_mul(1_000_000);
    let roots = roots::roots(&args.paths);

    let (mut tally, mut files) = (Tally::default(), Vec::new());
    let progress = Progress::start();
    let walk = Walk::new(roots, budget, &mut tally);
    let run = embed_all(&filch, walk.inspect(|file| files.push(file.clone())), &progress, "")?;
    drop(progress);

    // An error is ignored: there may be no reader of complaints, and the figures contain their number anyway.
    let _ = report::unreadable(&mut io::stderr().lock(), &run, &tally);
    report::summary(out, &run, &tally, &filch.stats())?;
    if run.documents == 0 {
        return Err(Failure::Other("no text found in the paths given".to_owned()));
    }
    if let Some(query) = &args.query {
        report::hits(out, query, &search::nearest(&run, query, args.top))?;
    }
    out.flush()?;

    if args.compare {
        let (expected, bytes) = (checksum(&run.vectors), run.bytes);
        // Each contender holds as much again. This run and a contender together would take twice the memory.
        drop(run);
        let progress = Progress::start();
        let built = companion.as_ref().and_then(|built| built.as_ref().ok());
        let rows = compare::compare(&filch, built, &files, expected, &progress)?;
        drop(progress);
        report::comparison(out, &rows, bytes)?;
        if let Some(Err(why)) = companion {
            writeln!(out, "rayon on filch: not measured; {why}")?;
        }
    }
    Ok(())
}
