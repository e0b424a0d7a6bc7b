//! What the program prints. The results of a run go to the standard output stream, one fact a line, so that they can
//! be read and compared. The progress bar and complaints go to the standard error stream.

use std::io::{self, Write};
use std::time::Duration;

use filch::Stats;

use crate::compare::Row;
use crate::document::Skipped;
use crate::pipeline::Run;
use crate::search::Hit;
use crate::vector::{DIMENSIONS, checksum};
use crate::walk::Tally;

/// The number of unreadable paths that are named.
const NAMED: usize = 5;

/// Prints the figures of a run.
pub fn summary(out: &mut impl Write, run: &Run, tally: &Tally, stats: &Stats) -> io::Result<()> {
    let chunks: usize = run.segments.iter().map(|segment| segment.chunks.len()).sum();
    let seconds = run.wall.as_secs_f64();
    let unreadable = run.unreadable.len() + tally.unreadable.len();
    // A path that could not be examined counts as seen, so that the figures below add up.
    writeln!(out, "files seen       {:>12}", tally.files + tally.unreadable.len() as u64)?;
    writeln!(out, "  embedded       {:>12}", run.documents)?;
    writeln!(out, "  empty          {:>12}", run.empty)?;
    writeln!(out, "  binary         {:>12}  skipped", run.binary)?;
    writeln!(out, "  unreadable     {unreadable:>12}  skipped")?;
    if tally.over_budget > 0 {
        let left = megabytes(tally.over_budget_bytes);
        let over = tally.over_budget;
        writeln!(out, "  left out       {over:>12}  {left:.1} MB over --max-mb")?;
    }
    writeln!(out, "chunks           {chunks:>12}  of {DIMENSIONS} dimensions")?;
    writeln!(out, "text             {:>12.1}  MB", megabytes(run.bytes))?;
    writeln!(out, "time             {seconds:>12.3}  s")?;
    writeln!(out, "documents/s      {:>12.0}", run.documents as f64 / seconds)?;
    writeln!(out, "MB/s             {:>12.2}", megabytes(run.bytes) / seconds)?;
    writeln!(out, "checksum     {:016x}", checksum(&run.vectors))?;
    workers(out, run, stats)
}

fn workers(out: &mut impl Write, run: &Run, stats: &Stats) -> io::Result<()> {
    writeln!(out, "\nworker   core   busy      run   stolen")?;
    for (index, (busy, worker)) in run.busy.iter().zip(&stats.workers).enumerate() {
        let core = worker.pinned_to.map_or("-".to_owned(), |core| core.to_string());
        let share = 100.0 * busy.as_secs_f64() / run.wall.as_secs_f64();
        let (ran, stolen) = (worker.run, worker.stolen);
        writeln!(out, "{index:>6} {core:>6} {share:>5.1}% {ran:>8} {stolen:>8}")?;
    }
    Ok(())
}

/// Names the first few paths that could not be read.
pub fn unreadable(out: &mut impl Write, run: &Run, tally: &Tally) -> io::Result<()> {
    let all = tally.unreadable.iter().chain(&run.unreadable);
    for Skipped { path, reason } in all.clone().take(NAMED) {
        writeln!(out, "embed: skipped {}: {reason}", path.display())?;
    }
    match all.count().saturating_sub(NAMED) {
        0 => Ok(()),
        more => writeln!(out, "embed: skipped {more} more unreadable paths"),
    }
}

/// Prints the answer to a query.
pub fn hits(out: &mut impl Write, query: &str, hits: &[Hit<'_>]) -> io::Result<()> {
    writeln!(out, "\nnearest to \"{query}\"")?;
    if hits.is_empty() {
        writeln!(out, "  nothing")?;
    }
    for hit in hits {
        let (score, path, line) = (hit.score, hit.path.display(), hit.line);
        writeln!(out, "{score:.4}  {path}:{line}  {}", hit.excerpt())?;
    }
    Ok(())
}

/// Prints the table of `--compare`. The first row is the measure of the others.
pub fn comparison(out: &mut impl Write, rows: &[Row], bytes: u64) -> io::Result<()> {
    let seconds = |time: Duration| time.as_secs_f64();
    let Some(measure) = rows.first() else {
        return Ok(());
    };
    writeln!(out, "\nsame vectors from all; median of the runs, their range, speed relative to filch")?;
    for row in rows {
        let (median, (low, high)) = (seconds(row.median), row.range);
        let (low, high) = (seconds(low), seconds(high));
        let rate = megabytes(bytes) / median;
        let ratio = seconds(measure.median) / median;
        let name = &row.name;
        writeln!(out, "{name:<25} {median:>8.3} s  {low:>8.3} to {high:.3} s  {rate:>8.2} MB/s  {ratio:>6.3}")?;
    }
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
