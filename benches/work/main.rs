//! What does a bounded queue cost when its jobs take real time?
//!
//! The pattern that this library began with: a bounded queue, one or more producers, and as many workers as cores.
//! For each row the table gives the wall time of a job and, in brackets, the processor time that the whole process
//! used for it. Then it gives what filch takes as a ratio of the best channel's time. A job is a number of rounds of
//! a loop, not a time by the clock: a job that loses its core must not be any shorter for that. *Serial* runs the
//! same jobs on one thread. Its time divided by the number of cores that may work at once is the *ideal*.
//!
//! Contenders run in turn, in an order that rotates. A pool is started before the clock, and is at rest when the
//! clock starts. One core means that the whole process is bound to one. `--channels` leaves the other contenders out.

mod contenders;

use std::env;
use std::iter;
use std::thread;
use std::time::Duration;

use contenders::{CHANNELS, CONTENDERS, Contender, OURS, PEERS, Producers, Setup, burn_time, go, serial};
use filch_benches::{Spent, cores, print_aligned, rounds, scaled};

/// About how long the jobs of a row take together on one core.
const ROW: Duration = Duration::from_millis(40);

/// The setup that the rows of a table share.
struct Table {
    cores: usize,
    producers: Producers,
    contenders: &'static [Contender],
}

fn main() {
    cores::in_processes(&[1, 2], tables);
}

fn tables(cores: usize, words: &[String]) {
    let few = env::args().any(|argument| argument == "--channels");
    let count = match few {
        true => CHANNELS,
        false if go().is_some() => CONTENDERS.len(),
        false => CONTENDERS.len() - 1,
    };
    for producers in [Producers::Outside(1), Producers::Outside(4), Producers::Job] {
        Table { cores, producers, contenders: &CONTENDERS[..count] }.print(words);
    }
}

impl Table {
    fn print(&self, words: &[String]) {
        let header = ["µs a job (processor time)", "ideal"].into_iter();
        let names = self.contenders.iter().map(|contender| contender.name);
        let ratios = ["÷ ideal", "÷ best channel", "processor time ÷ its"];
        let header: Vec<String> = header.chain(names).chain(ratios).map(String::from).collect();
        let (micros, capacities, workers) = self.sizes();
        let mut rows = vec![header];
        for &workers in workers {
            for &capacity in capacities {
                for &micros in micros {
                    let name = format!(
                        "{} cores, {}, {workers} workers, capacity {capacity}, {micros} µs",
                        self.cores, self.producers
                    );
                    if words.iter().all(|word| name.contains(word)) {
                        rows.push(self.row(workers, capacity, micros));
                    }
                }
            }
        }
        if rows.len() > 1 {
            print_aligned(&format!("{} cores, {}", self.cores, self.producers), &rows);
        }
    }

    /// Returns job times in microseconds, capacities, and numbers of workers. With several producers, or a job that
    /// produces, the table has fewer numbers of workers.
    fn sizes(&self) -> (&'static [u64], &'static [usize], &'static [usize]) {
        let (quick_micros, quick_capacities): (&[u64], &[usize]) = (&[0, 10], &[10]);
        let (micros, capacities): (&[u64], &[usize]) = (&[0, 1, 10, 100, 1000], &[1, 10, 1024]);
        let workers: &[usize] = match self.producers {
            Producers::Outside(1) => &[1, 2, 3, 4, 64],
            _ => &[1, 2],
        };
        (scaled(micros, quick_micros), scaled(capacities, quick_capacities), scaled(workers, &[2]))
    }

    fn row(&self, workers: usize, capacity: usize, micros: u64) -> Vec<String> {
        let time = scaled(ROW, Duration::from_millis(2));
        let jobs = match micros {
            0 if capacity > 1 => scaled(200_000, 5_000),
            0 => scaled(20_000, 1_000),
            _ => (time.as_micros() as u64 / micros).clamp(20, 20_000),
        };
        let jobs = jobs.next_multiple_of(4);
        let setup =
            Setup { capacity, workers, producers: self.producers, jobs, micros, work: burn_time(micros) };
        let mut spent: Vec<Vec<Spent>> = vec![Vec::new(); self.contenders.len()];
        let mut alone = Vec::new();
        for round in 0..rounds(9) {
            alone.push(serial(setup));
            for turn in 0..self.contenders.len() {
                let index = (round + turn) % self.contenders.len();
                let Contender { run, .. } = self.contenders[index];
                spent[index].push(run(setup));
                // Gives the threads of the last contender time to end.
                thread::sleep(Duration::from_millis(1));
            }
        }
        let each = |times: &[Spent]| Cost::of(times, jobs);
        let ideal = each(&alone).wall / workers.min(self.cores) as f64;
        let costs: Vec<Cost> = spent.iter().map(|times| each(times)).collect();
        let best =
            |of: fn(&Cost) -> f64| PEERS.map(|peer| of(&costs[peer])).into_iter().fold(f64::INFINITY, f64::min);
        let ours = &costs[OURS];
        let name = format!("{workers} workers, {capacity}, {micros} µs");
        iter::once(name)
            .chain([figure(ideal)])
            .chain(costs.iter().map(|cost| format!("{} ({})", figure(cost.wall), figure(cost.processor))))
            .chain([
                if micros > 0 { format!("{:.2}", ours.wall / ideal) } else { "–".into() },
                format!("{:.2}", ours.wall / best(|cost| cost.wall)),
                format!("{:.2}", ours.processor / best(|cost| cost.processor)),
            ])
            .collect()
    }
}

/// Median times, in microseconds a job.
struct Cost {
    wall: f64,
    processor: f64,
}

impl Cost {
    fn of(times: &[Spent], jobs: u64) -> Cost {
        let median = |of: fn(&Spent) -> Duration| {
            let mut times: Vec<Duration> = times.iter().map(of).collect();
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e6 / jobs as f64
        };
        Cost { wall: median(|spent| spent.wall), processor: median(|spent| spent.processor) }
    }
}

fn figure(micros: f64) -> String {
    match micros {
        ..1.0 => format!("{micros:.3}"),
        ..100.0 => format!("{micros:.1}"),
        _ => format!("{micros:.0}"),
    }
}
