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
use rustix::time::{ClockId, clock_gettime};

pub mod cores;
pub mod tally;

/// What one contender did in one round.
#[derive(Debug)]
pub struct Round {
    /// What was timed: once a round, or more often where a round is a stretch of many short pieces.
    pub times: Vec<Duration>,
    /// Jobs that each worker ran, for those that ran any; empty where there is one job at a time.
    pub jobs: Vec<u64>,
}

/// What a table's times are told in.
#[derive(Debug)]
pub struct Unit {
    label: String,
    /// How many of them a second is.
    second: f64,
    /// Pieces of work in what is timed at once, for criterion's throughput.
    per: u64,
}

impl Unit {
    /// Nanoseconds for each of `per` pieces of work that are timed at once.
    #[must_use]
    pub fn each(piece: &str, per: u64) -> Unit {
        Unit { label: format!("ns a {piece}"), second: 1e9 / per as f64, per }
    }

    /// Milliseconds.
    #[must_use]
    pub fn millis() -> Unit {
        Unit { label: "ms".into(), second: 1e3, per: 1 }
    }

    /// Multiples of the time that no schedule could go below.
    #[must_use]
    pub fn ideal(ideal: Duration) -> Unit {
        Unit { label: format!("× {ideal:?}"), second: 1.0 / ideal.as_secs_f64(), per: 1 }
    }
}

/// Nanoseconds a job, or microseconds if there is one.
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

/// One of those that a question compares.
pub struct Contender<'a> {
    name: &'static str,
    role: Role,
    round: Box<dyn FnMut() -> Round + 'a>,
}

impl<'a> Contender<'a> {
    /// A way to use filch: the table gets a column with its ratio to each other contender.
    pub fn ours(name: &'static str, round: impl FnMut() -> Round + 'a) -> Self {
        Contender { name, role: Role::Ours, round: Box::new(round) }
    }

    /// Something that filch is compared with.
    pub fn peer(name: &'static str, round: impl FnMut() -> Round + 'a) -> Self {
        Contender { name, role: Role::Peer, round: Box::new(round) }
    }

    /// The same work on one thread, with no scheduler: the table gets a column with the speed-up over it.
    pub fn baseline(name: &'static str, round: impl FnMut() -> Round + 'a) -> Self {
        Contender { name, role: Role::Baseline, round: Box::new(round) }
    }
}

/// Whether the benches are only to show that they run: with `--quick`, and as tests.
#[must_use]
pub fn quick() -> bool {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    has("--quick") || has("--test") || !has("--bench")
}

/// `full` as a rule, `short` if the run is to be [quick].
#[must_use]
pub fn scaled<T>(full: T, short: T) -> T {
    if quick() { short } else { full }
}

/// How many rounds: what `--sample-size` says, or else `full`, or 3 if the run is to be [quick].
#[must_use]
pub fn rounds(full: usize) -> usize {
    let asked = std::env::args().skip_while(|argument| argument != "--sample-size").nth(1);
    asked.and_then(|rounds| rounds.parse().ok()).unwrap_or(scaled(full, 3))
}

/// What something took.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// By the clock on the wall.
    pub wall: Duration,
    /// Of all threads of this process.
    pub processor: Duration,
}

/// A clock for both.
#[derive(Debug)]
pub struct Meter {
    start: Instant,
    processor: Duration,
}

impl Meter {
    /// Starts both.
    #[must_use]
    pub fn start() -> Meter {
        Meter { start: Instant::now(), processor: Meter::processor() }
    }

    /// What was spent since. Sleeps for a moment: the system counts the time of a thread when that stops to run, or at a tick.
    #[must_use]
    pub fn stop(&self) -> Spent {
        let wall = self.start.elapsed();
        settle();
        Spent { wall, processor: Meter::processor().saturating_sub(self.processor) }
    }

    /// The time that this process has had processors for.
    fn processor() -> Duration {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::try_from(time).expect("a time that is not negative")
    }
}

/// Waits until threads that were just started have nothing to do and sleep, and those that were told to end
/// have ended.
pub fn settle() {
    thread::sleep(Duration::from_millis(2));
}

/// Has the contenders answer one question in `rounds` rounds, after one that does not count, and prints the
/// table. Returns the medians, by contender; `None` where criterion's filter leaves this question out.
///
/// Nothing runs before criterion asks for it, so that its filter and `--list` work as ever.
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
    // A quick run must not become the run before of a full one.
    let mut group = c.benchmark_group(format!("{question}{}", scaled("", " (quick)")));
    // The samples are there already: criterion need not warm up, and one look at each is enough.
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
            // The first call is the warm-up, of which criterion keeps nothing.
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
    /// All that was timed, in ascending order once all rounds are over.
    times: Vec<Duration>,
    /// The median of each round.
    points: Vec<Duration>,
    /// The fewest workers that took part in a round.
    workers: usize,
    /// The largest share of the jobs that one worker had, on average.
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

/// The smallest of the ascending `times` that at least the share `q` of them does not exceed.
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

/// Prints rows as a table of Markdown, the first column to the left and the others to the right.
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

/// Where workers leave what they did, so that it can be checked.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<(u64, u64)>>>);

impl Ledger {
    /// An account for one worker, entered when it is dropped.
    #[must_use]
    pub fn account(&self) -> Account {
        Account { sum: 0, jobs: 0, ledger: self.clone() }
    }

    /// The jobs of each worker that ran any, all of them together being those with the ids `0..jobs`.
    ///
    /// # Panics
    /// If they are not.
    #[must_use]
    pub fn check(&self, jobs: u64) -> Vec<u64> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        check(&entries, jobs)
    }
}

/// The jobs of each worker in `entries` that ran any, all of them together being those with the ids `0..jobs`.
/// An entry is the sum of a worker's ids and their number.
///
/// # Panics
/// If they are not.
#[must_use]
pub fn check(entries: &[(u64, u64)], jobs: u64) -> Vec<u64> {
    let total = entries.iter().fold((0, 0), |total, entry| (total.0 + entry.0, total.1 + entry.1));
    assert_eq!(total, (jobs * (jobs - 1) / 2, jobs), "sum of ids, number of jobs");
    entries.iter().map(|entry| entry.1).filter(|&jobs| jobs > 0).collect()
}

/// What one worker did.
#[derive(Debug)]
pub struct Account {
    sum: u64,
    jobs: u64,
    ledger: Ledger,
}

impl Account {
    /// The body of a job: as little as will show that it was run.
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
