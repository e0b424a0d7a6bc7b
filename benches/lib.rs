//! Runs contenders in turn: each round runs every contender once, in an order that rotates from round to round. The
//! printed ratios are those of samples that were taken side by side.
//!
//! Criterion alone was rejected: it times one contender for seconds and then the next, so a change of the machine in
//! between looks like a difference between the contenders. Here criterion gets the samples when all of them are
//! taken, for its statistics and its comparison with the run before.
//!
//! A contender builds its pool before it starts the clock, waits until the new threads are [at rest](settle), and
//! shuts the pool down after it stopped the clock. So at any time one pool is awake, and there is no thread beside
//! its workers and the thread that submits. The contender checks that all the work was done, and tells how many jobs
//! each worker ran, so a pool that ran everything on one thread shows.

use std::hint::black_box;
use std::iter;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
#[cfg(unix)]
use rustix::time::{ClockId, clock_gettime};

#[cfg(unix)]
pub mod cores;
mod go_process;
pub mod tally;

pub use go_process::{Go, GoRound};

/// What one contender did in one round.
#[derive(Debug)]
pub struct Round {
    /// The times: one for the round, or more if the round is a series of many short pieces.
    pub times: Vec<Duration>,
    /// The number of jobs of each worker that ran any. Empty if there is only one job at a time.
    pub jobs: Vec<u64>,
}

/// The unit of the times in a table.
#[derive(Debug)]
pub struct Unit {
    label: String,
    /// How many of these units one second has.
    second: f64,
    /// How many pieces of work one timing covers, for criterion's throughput.
    per: u64,
}

impl Unit {
    /// Creates the unit of nanoseconds a piece, for timings that cover `per` pieces of work.
    #[must_use]
    pub fn each(piece: &str, per: u64) -> Unit {
        Unit { label: format!("ns a {piece}"), second: 1e9 / per as f64, per }
    }

    /// Creates the unit of milliseconds.
    #[must_use]
    pub fn millis() -> Unit {
        Unit { label: "ms".into(), second: 1e3, per: 1 }
    }

    /// Creates the unit of multiples of `ideal`, the time that no schedule can go below.
    #[must_use]
    pub fn ideal(ideal: Duration) -> Unit {
        Unit { label: format!("× {ideal:?}"), second: 1.0 / ideal.as_secs_f64(), per: 1 }
    }
}

/// Nanoseconds a job, or microseconds if there is a single job.
impl From<u64> for Unit {
    fn from(jobs: u64) -> Unit {
        if jobs > 1 { Unit::each("job", jobs) } else { Unit { label: "µs".into(), second: 1e6, per: 1 } }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Ours,
    Peer,
    Baseline,
}

/// A contender: one of the candidates that a question compares.
pub struct Contender<'a> {
    name: &'static str,
    role: Role,
    round: Box<dyn FnMut() -> Round + 'a>,
}

impl<'a> Contender<'a> {
    /// Creates a contender that uses filch. The table gets a column with its ratio to each other contender.
    pub fn ours(name: &'static str, round: impl FnMut() -> Round + 'a) -> Self {
        Contender { name, role: Role::Ours, round: Box::new(round) }
    }

    /// Creates a contender that filch is compared with.
    pub fn peer(name: &'static str, round: impl FnMut() -> Round + 'a) -> Self {
        Contender { name, role: Role::Peer, round: Box::new(round) }
    }

    /// Creates a contender that does the work on one thread without a scheduler. The table gets a column with the
    /// speed-up over it.
    pub fn baseline(name: &'static str, round: impl FnMut() -> Round + 'a) -> Self {
        Contender { name, role: Role::Baseline, round: Box::new(round) }
    }
}

/// Returns whether the benches only have to show that they run: with `--quick`, or as tests.
#[must_use]
pub fn quick() -> bool {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    has("--quick") || has("--test") || !has("--bench")
}

/// Returns `short` if the run is to be [quick], or else `full`.
#[must_use]
pub fn scaled<T>(full: T, short: T) -> T {
    if quick() { short } else { full }
}

/// Returns the number of rounds: the value of `--sample-size`, or else `full`, or 3 if the run is to be [quick].
#[must_use]
pub fn rounds(full: usize) -> usize {
    let asked = std::env::args().skip_while(|argument| argument != "--sample-size").nth(1);
    asked.and_then(|rounds| rounds.parse().ok()).unwrap_or(scaled(full, 3))
}

/// The time that a piece of work took.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// The wall time.
    pub wall: Duration,
    /// The processor time of all threads of this process.
    pub processor: Duration,
}

/// Measures wall time and processor time together.
#[derive(Debug)]
pub struct Meter {
    start: Instant,
    processor: Duration,
}

impl Meter {
    /// Starts the measurement.
    #[must_use]
    pub fn start() -> Meter {
        Meter { start: Instant::now(), processor: Meter::processor() }
    }

    /// Returns the time spent since the start. Sleeps for a moment first, because the system counts a thread's
    /// processor time only at a tick or when the thread stops running. The wall time does not include this sleep.
    #[must_use]
    pub fn stop(&self) -> Spent {
        let wall = self.start.elapsed();
        settle();
        Spent { wall, processor: Meter::processor().saturating_sub(self.processor) }
    }

    /// Returns the processor time of this process so far. Only Unix tells it here.
    #[cfg(not(unix))]
    fn processor() -> Duration {
        Duration::ZERO
    }

    /// Returns the processor time of this process so far.
    #[cfg(unix)]
    fn processor() -> Duration {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::try_from(time).expect("a time that is not negative")
    }
}

/// Waits until new threads have nothing to do and sleep, and until threads that were told to end have ended.
pub fn settle() {
    thread::sleep(Duration::from_millis(2));
}

/// Runs `rounds` rounds of all contenders for one question, after one round that does not count, and prints the
/// table. Returns the median of each contender, or `None` if criterion's filter leaves this question out.
///
/// Nothing runs before criterion asks for it, so criterion's filter and `--list` work as usual.
pub fn ask(
    c: &mut Criterion,
    question: &str,
    unit: impl Into<Unit>,
    rounds: usize,
    mut contenders: Vec<Contender<'_>>,
) -> Option<Vec<(&'static str, Duration)>> {
    let unit = unit.into();
    let names: Vec<_> = contenders.iter().map(|contender| contender.name).collect();
    let mut records: Option<Vec<Record>> = None;
    // Criterion compares a run with the run before. A quick run has another name, so that no full run is compared
    // with it.
    let mut group = c.benchmark_group(format!("{question}{}", scaled("", " (quick)")));
    // The samples are there already. Criterion needs no warm-up, and has to look at each sample only once.
    let moment = Duration::from_nanos(1);
    group.warm_up_time(moment).measurement_time(scaled(Duration::from_millis(1), moment));
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(rounds.max(10))
        .throughput(Throughput::Elements(unit.per));
    for (index, name) in names.into_iter().enumerate() {
        let mut calls = 0;
        group.bench_function(name, |bencher| {
            let records = records.get_or_insert_with(|| {
                let records = interleave(rounds, &mut contenders);
                print_table(question, &unit, &records);
                records
            });
            let points = &records[index].points;
            // The first call is criterion's warm-up, and its result is thrown away.
            let point = points[usize::saturating_sub(calls, 1) % points.len()];
            calls += 1;
            bencher.iter_custom(|iterations| point.mul_f64(iterations as f64));
        });
    }
    group.finish();
    records.map(|records| records.iter().map(|record| (record.name, record.median())).collect())
}

/// What one contender did in all rounds.
struct Record {
    name: &'static str,
    role: Role,
    /// All times, ascending once all rounds are over.
    times: Vec<Duration>,
    /// The median of each round.
    points: Vec<Duration>,
    /// The fewest workers that took part in a round.
    workers: usize,
    /// The share of the jobs that the busiest worker of a round ran, averaged over the rounds.
    busiest: f64,
}

impl Record {
    fn median(&self) -> Duration {
        quantile(&self.times, 0.5)
    }
}

fn interleave(rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Record> {
    let mut records: Vec<Record> = contenders
        .iter()
        .map(|&Contender { name, role, .. }| Record {
            name,
            role,
            times: Vec::new(),
            points: Vec::new(),
            workers: usize::MAX,
            busiest: 0.0,
        })
        .collect();
    for contender in &mut *contenders {
        (contender.round)();
    }
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let index = (turn + round) % contenders.len();
            let Round { mut times, jobs } = (contenders[index].round)();
            let record = &mut records[index];
            times.sort();
            record.points.push(quantile(&times, 0.5));
            record.times.append(&mut times);
            record.workers = record.workers.min(jobs.len());
            let (most, all) = (jobs.iter().max().copied().unwrap_or(0), jobs.iter().sum::<u64>());
            record.busiest += most as f64 / all as f64 / rounds as f64;
        }
    }
    for record in &mut records {
        record.times.sort();
    }
    records
}

/// Returns the smallest of the ascending `times` such that at least the share `q` of all times is not above it.
fn quantile(times: &[Duration], q: f64) -> Duration {
    times[((times.len() as f64 * q).ceil() as usize).max(1) - 1]
}

fn print_table(question: &str, unit: &Unit, records: &[Record]) {
    let rounds = records[0].points.len();
    let compared: Vec<&Record> = records.iter().filter(|record| record.role != Role::Peer).collect();
    let mut header = vec![unit.label.clone(), "min".into(), "median".into(), "p99".into(), "max".into()];
    let parallel = records[0].workers > 0;
    if parallel {
        header.extend(["workers".into(), "busiest".into()]);
    }
    header.extend(compared.iter().map(|record| match record.role {
        Role::Baseline => "speed-up".into(),
        _ => format!("{} ÷ it", record.name),
    }));
    let rows = records.iter().map(|record| {
        let mut row = vec![record.name.to_owned()];
        row.extend([0.0, 0.5, 0.99, 1.0].map(|q| {
            let value = quantile(&record.times, q).as_secs_f64() * unit.second;
            if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
        }));
        if parallel {
            row.extend([record.workers.to_string(), format!("{:.0} %", record.busiest * 100.0)]);
        }
        row.extend(
            compared
                .iter()
                .map(|other| format!("{:.2}", other.median().as_secs_f64() / record.median().as_secs_f64())),
        );
        row
    });
    let title = format!("{question}: {rounds} rounds, {} samples each", records[0].times.len());
    print_aligned(&title, &iter::once(header).chain(rows).collect::<Vec<_>>());
}

/// Prints `rows` as a Markdown table, with the first column aligned left and the others aligned right.
pub fn print_aligned(title: &str, rows: &[Vec<String>]) {
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    println!("\n{title}\n");
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = iter::zip(row, &widths)
            .enumerate()
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        println!("| {} |", cells.join(" | "));
        if number == 0 {
            let rules: Vec<String> = iter::zip(0.., &widths)
                .map(|(column, &width)| match column {
                    0 => "-".repeat(width),
                    _ => format!("{}:", "-".repeat(width - 1)),
                })
                .collect();
            println!("| {} |", rules.join(" | "));
        }
    }
    println!();
}

/// Collects what the workers of a round did, so that it can be checked.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<(u64, u64)>>>);

impl Ledger {
    /// Creates an account for one worker. The account goes into the ledger when it is dropped.
    #[must_use]
    pub fn account(&self) -> Account {
        Account { sum: 0, jobs: 0, ledger: self.clone() }
    }

    /// Checks that the workers ran the jobs with the ids `0..jobs`, and returns the number of jobs of each worker
    /// that ran any.
    ///
    /// # Panics
    /// Panics if the sum of the ids or the number of jobs is not right.
    #[must_use]
    pub fn check(&self, jobs: u64) -> Vec<u64> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        check(&entries, jobs)
    }
}

/// Checks that `entries` account for the jobs with the ids `0..jobs`, and returns the number of jobs of each worker
/// that ran any. An entry holds the sum of a worker's ids and the number of its jobs.
///
/// # Panics
/// Panics if the sum of the ids or the number of jobs is not right.
#[must_use]
pub fn check(entries: &[(u64, u64)], jobs: u64) -> Vec<u64> {
    let total = entries.iter().fold((0, 0), |total, entry| (total.0 + entry.0, total.1 + entry.1));
    assert_eq!(total, (jobs * (jobs - 1) / 2, jobs), "sum of ids, number of jobs");
    entries.iter().map(|entry| entry.1).filter(|&jobs| jobs > 0).collect()
}

/// The sum of one worker's ids, and the number of its jobs.
#[derive(Debug)]
pub struct Account {
    sum: u64,
    jobs: u64,
    ledger: Ledger,
}

impl Account {
    /// The body of a job: as little work as shows that the job ran.
    #[inline]
    pub fn enter(&mut self, id: u64) {
        self.sum += black_box(id);
        self.jobs += 1;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.ledger.0.lock().unwrap_or_else(PoisonError::into_inner).push((self.sum, self.jobs));
    }
}
