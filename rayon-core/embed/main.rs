//! The contender "rayon on filch" of `embed --compare`. It does the work of the example `embed` with that example's
//! rayon code, built over the rayon-core of this repository. It is a program apart because one program cannot hold
//! two versions of rayon-core.
//!
//! The program is started as `embed-rayon-on-filch THREADS`. Its standard input holds the number of files and a line
//! break. Then come, for each file, its length, a blank, its path and a NUL. Then comes a title and a line break for
//! every run. The program answers each run with the checksum of its vectors and its nanoseconds.

// The example uses all of the modules that this program shares with it. This program needs no queries, no report, and
// no weights after the run.
#![allow(dead_code)]

#[path = "../../examples/embed/chunk.rs"]
mod chunk;
#[path = "../../examples/embed/document.rs"]
mod document;
#[path = "../../examples/embed/failure.rs"]
mod failure;
#[path = "../../examples/embed/features.rs"]
mod features;
#[path = "../../examples/embed/murmur.rs"]
mod murmur;
#[path = "../../examples/embed/on_rayon.rs"]
mod on_rayon;
#[path = "../../examples/embed/pipeline.rs"]
mod pipeline;
#[path = "../../examples/embed/progress.rs"]
mod progress;
#[path = "../../examples/embed/slot.rs"]
mod slot;
#[path = "../../examples/embed/vector.rs"]
mod vector;

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::document::FileJob;
use crate::failure::Failure;
use crate::on_rayon::OnRayon;
use crate::pipeline::embed_all;
use crate::progress::Progress;
use crate::vector::checksum;

fn main() -> ExitCode {
    match run(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => complain(&error.to_string()),
        Err(Failure::Other(message) | Failure::Usage(message)) => complain(&message),
    }
}

fn complain(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}

fn run(orders: &mut impl BufRead, answers: &mut impl Write) -> Result<(), Failure> {
    let threads = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let threads = threads.ok_or_else(|| Failure::usage("started by `embed --compare` only"))?;
    let rayon = OnRayon::new(threads)?;
    let files = files(orders)?;
    let progress = Progress::start();
    let mut title = String::new();
    while orders.read_line(&mut title)? > 0 {
        let run = embed_all(&rayon, files.iter().cloned(), &progress, title.trim_end_matches('\n'))?;
        writeln!(answers, "{:x} {}", checksum(&run.vectors), run.wall.as_nanos())?;
        answers.flush()?;
        title.clear();
    }
    Ok(())
}

fn files(orders: &mut impl BufRead) -> Result<Vec<FileJob>, Failure> {
    let mut count = String::new();
    orders.read_line(&mut count)?;
    let count: usize = count.trim_end().parse().map_err(Failure::other)?;
    let file = |id| -> Result<FileJob, Failure> {
        let (mut len, mut path) = (Vec::new(), Vec::new());
        orders.read_until(b' ', &mut len)?;
        orders.read_until(0, &mut path)?;
        path.pop();
        let len = str::from_utf8(&len).map_err(Failure::other)?.trim_end().parse().map_err(Failure::other)?;
        let path = Arc::from(Path::new(&path_of(path)?));
        Ok(FileJob { id, path, len })
    };
    (0..count).map(file).collect()
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> Result<OsString, Failure> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

/// On other systems the sender writes a path as UTF-8. Other bytes are an error.
#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> Result<OsString, Failure> {
    String::from_utf8(bytes).map(OsString::from).map_err(Failure::other)
}
