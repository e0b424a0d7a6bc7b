//! What the program says.

use std::io::{self, Write};

use filch_embed::lines::Counts;
use filch_embed::pipeline::Met;
use filch_embed::search::Hit;
use filch_embed::update::Report;

/// The most paths that could not be read that are listed.
const LISTED: usize = 20;

/// The most lines of a piece of text that are shown.
const LINES: usize = 4;

/// What a run has done to the index.
pub fn index(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let (changes, met) = (report.changes, &report.met);
    let seconds = report.took.as_secs_f64();
    writeln!(
        out,
        "{} files embedded, {} unchanged, {} removed; {} binary, {} unreadable",
        changes.embedded,
        changes.kept,
        changes.removed,
        met.binary,
        met.unreadable.len()
    )?;
    let megabytes = report.bytes as f64 / 1e6;
    write!(out, "{megabytes:.1} MB in {seconds:.2} s, {:.1} MB/s", megabytes / seconds)?;
    if report.tokens > 0 {
        write!(out, ", {} tokens, {:.0} tokens/s", report.tokens, report.tokens as f64 / seconds)?;
    }
    writeln!(out)?;
    if report.without_tokens > 0 {
        writeln!(out, "{} chunks have no token: their vectors are zeros", report.without_tokens)?;
    }
    writeln!(out, "the index has {} chunks of {} files", changes.chunks, changes.files)
}

/// What could not be read.
pub fn unreadable(out: &mut impl Write, met: &Met) -> io::Result<()> {
    for skipped in met.unreadable.iter().take(LISTED) {
        writeln!(out, "embed: {}: {}", skipped.path.display(), skipped.reason)?;
    }
    if met.unreadable.len() > LISTED {
        writeln!(out, "embed: and {} more", met.unreadable.len() - LISTED)?;
    }
    Ok(())
}

/// The chunks nearest to a query.
pub fn hits(out: &mut impl Write, hits: &[Hit]) -> io::Result<()> {
    if hits.is_empty() {
        writeln!(out, "the index is empty")?;
    }
    for hit in hits {
        writeln!(out, "\n{:.3} {}:{}", hit.score, hit.path, hit.line)?;
        let lines = hit.text.lines().filter(|line| !line.trim().is_empty());
        for line in lines.take(LINES) {
            writeln!(out, "      {line}")?;
        }
    }
    Ok(())
}

/// What was odd about the lines.
pub fn lines(counts: Counts) {
    let say = |number: u64, what: &str| {
        if number > 0 {
            let _ = writeln!(io::stderr(), "embed: {number} of {} texts {what}", counts.lines);
        }
    };
    say(counts.without_tokens, "have no token: their vectors are zeros");
    say(counts.not_utf8, "are no UTF-8: U+FFFD stands for what is not");
}
