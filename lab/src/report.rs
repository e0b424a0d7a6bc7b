//! Tells what a run took, in words and as a timeline.

use std::fmt::{self, Write};
use std::time::Duration;

use filch_lab_machine::{Report, Spent, Time, nanos};

use crate::programs::{Outcome, Program};

/// How many threads get a line each.
const SHOWN: usize = 40;

/// Writes the outcome, what all threads together did, and how each spent its time.
pub fn write(
    text: &mut String,
    program: &Program,
    outcome: Outcome,
    report: &Report,
    longest: Time,
    real: Duration,
) -> fmt::Result {
    let Outcome { time, ideal, pieces } = outcome;
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    writeln!(
        text,
        "{}: {:.1} µs, {:.1} ns a piece",
        program.name,
        micros(time),
        1e3 * micros(time) / pieces as f64
    )?;
    if ideal > Duration::ZERO {
        writeln!(text, "ideal {:.1} µs; × {:.2}", micros(ideal), time.as_secs_f64() / ideal.as_secs_f64())?;
    }
    writeln!(text, "{:.1} µs a piece was ready at most while a core was free", to_micros(longest))?;
    let counts = &report.counts;
    writeln!(
        text,
        "{} wakes, {} sleeps, {} fences on all cores, {} accesses, of which {} needed a line of another core",
        counts.wakes, counts.sleeps, counts.barriers, counts.accesses, counts.transfers
    )?;
    writeln!(
        text,
        "{:16} {:>10} {:>10} {:>10} {:>10} {:>11}",
        "µs", "work", "other", "asleep", "ready", "interrupted"
    )?;
    for (name, spent) in report.threads.iter().take(SHOWN) {
        let Spent { work, other, asleep, waiting, interrupted } = spent;
        let [work, other, asleep, ready, interrupted] =
            [work, other, asleep, waiting, interrupted].map(|time| to_micros(*time));
        writeln!(text, "{name:16} {work:10.1} {other:10.1} {asleep:10.1} {ready:10.1} {interrupted:11.1}")?;
    }
    if let Some(more) = report.threads.len().checked_sub(SHOWN).filter(|&more| more > 0) {
        writeln!(text, "and {more} threads more")?;
    }
    let rate = counts.accesses as f64 / real.as_secs_f64();
    writeln!(text, "in {:.1} ms of real time, {rate:.0} accesses a second", real.as_secs_f64() * 1e3)
}

fn to_micros(time: Time) -> f64 {
    time as f64 / nanos(1_000) as f64
}

/// Returns a timeline of the cores, in the Trace Event Format, which browsers' profilers and Perfetto show.
pub fn timeline(report: &Report) -> String {
    let mut text = String::from("{\"traceEvents\":[");
    for (place, span) in report.spans.iter().enumerate() {
        let comma = if place > 0 { "," } else { "" };
        let (name, begin, length) =
            (&report.threads[span.thread].0, to_micros(span.begin), to_micros(span.end - span.begin));
        let core = span.core;
        // Names are filch's and this program's: none has a character that JSON would want escaped.
        write!(
            text,
            "{comma}\n{{\"name\":\"{name}\",\"ph\":\"X\",\"pid\":0,\"tid\":{core},\"ts\":{begin},\"dur\":{length}}}"
        )
        .expect("a string takes all");
    }
    text.push_str("\n]}\n");
    text
}
