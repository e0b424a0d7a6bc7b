//! Runs filch's scheduler on a machine of any number of cores, in virtual time: see the README.

mod calibrate;
mod eager;
mod lines_of_their_own;
mod prices;
mod programs;
mod ready;
mod report;

use std::cell::Cell;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, Parser, Subcommand, ValueEnum};
use filch::Pool;
use filch_lab_machine::{Costs, nanos, thread, work};

use eager::Eager;
use programs::{ALL, Outcome, Program, Settings};

#[derive(Parser)]
#[command(about = "Runs filch's scheduler on a machine of any number of cores, in virtual time")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a program, and says how long it took and what each thread did.
    Run(Run),
    /// Lists the programs.
    Programs,
    /// Measures the prices of the machine that this runs on, and writes them to a file, or prints them.
    Calibrate {
        /// The file.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Prints the prices that a run uses if no file is given.
    Prices,
}

#[derive(Args)]
struct Run {
    /// The program's name.
    #[arg(value_parser = find)]
    program: &'static Program,
    /// Whose policy schedules: filch's own code, or a small model of rayon's.
    #[arg(long, default_value = "filch")]
    policy: Policy,
    /// How many cores the machine has.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    cores: u16,
    /// How many workers the pool has; as many as cores if it is not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4095))]
    workers: Option<u16>,
    /// A core on which another program runs all the time.
    #[arg(long)]
    neighbour: Option<u16>,
    /// A file for a timeline of the cores, in the Trace Event Format of browsers and of Perfetto.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// A file of prices of the machine: see `lab prices`.
    #[arg(long)]
    prices: Option<PathBuf>,
    /// Decides how long each wake and each time-out takes, within a fifth.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many threads outside the pool submit jobs.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    producers: u16,
    /// How many jobs the queue holds.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    capacity: u32,
    /// How long a job takes, in nanoseconds.
    #[arg(long, default_value_t = 1)]
    job: u64,
    /// How many jobs there are, or items of a loop.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    jobs: u32,
    /// How many items of a loop are done as one piece.
    #[arg(long, default_value_t = 1)]
    grain: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Policy {
    Filch,
    Rayon,
}

fn find(name: &str) -> Result<&'static Program, String> {
    ALL.iter().find(|program| program.name == name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|program| program.name).collect();
        format!("it is none of {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Programs => {
            ALL.iter().for_each(|program| println!("{:8} {}", program.name, program.about));
            ExitCode::SUCCESS
        }
        Command::Calibrate { out } => {
            let text = prices::write(&calibrate::calibrate());
            let Some(path) = out else {
                print!("{text}");
                return ExitCode::SUCCESS;
            };
            match std::fs::write(&path, text) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&format!("{}: {error}", path.display())),
            }
        }
        Command::Prices => {
            print!("{}", prices::write(&Costs::default()));
            ExitCode::SUCCESS
        }
        Command::Run(run) => match run.check() {
            Ok(costs) => run.run(costs),
            Err(fault) => fail(&fault),
        },
    }
}

fn fail(fault: &str) -> ExitCode {
    eprintln!("error: {fault}");
    ExitCode::from(2)
}

impl Run {
    /// Returns the prices, if all is as it can be.
    fn check(&self) -> Result<Costs, String> {
        if let Some(core) = self.neighbour.filter(|&core| core >= self.cores) {
            return Err(format!("--neighbour {core}: the machine has the cores 0 to {}", self.cores - 1));
        }
        if self.policy == Policy::Rayon && self.program.run_eager.is_none() {
            return Err(format!(
                "--policy rayon: {} needs queues, which rayon does not have",
                self.program.name
            ));
        }
        self.prices.as_deref().map_or_else(|| Ok(Costs::default()), prices::read)
    }

    fn run(&self, costs: Costs) -> ExitCode {
        let settings = Settings {
            producers: self.producers.into(),
            capacity: self.capacity as usize,
            job: nanos(self.job),
            jobs: self.jobs as usize,
            grain: self.grain as usize,
        };
        let (program, neighbour, policy) = (self.program, self.neighbour, self.policy);
        let workers = usize::from(self.workers.unwrap_or(self.cores.min(4095)));
        let result: Rc<Cell<Option<Outcome>>> = Rc::default();
        let place = Rc::clone(&result);
        let begun = Instant::now();
        let report = filch_lab_machine::run(self.cores.into(), costs, self.seed, move || {
            let stop = neighbour.map(|core| Neighbour::start(core.into()));
            // The pool's threads end before the neighbour is told to, or it would run for ever.
            place.set(Some(match program.run_eager.filter(|_| policy == Policy::Rayon) {
                Some(run) => run(&Arc::new(Eager::new(workers)), settings),
                None => {
                    let pool = Pool::builder().workers(workers).build();
                    (program.run)(&Arc::new(pool.expect("the machine has room for the pool")), settings)
                }
            }));
            drop(stop);
        });
        let Some(outcome) = result.get() else { return ExitCode::FAILURE };
        let mut text = String::new();
        let longest = ready::longest(&report, workers.min(self.cores.into()));
        report::write(&mut text, program, outcome, &report, longest, begun.elapsed())
            .expect("a string takes all");
        // Who reads it may have seen enough.
        let _ = std::io::stdout().write_all(text.as_bytes());
        if let Some(path) = &self.trace
            && let Err(error) = std::fs::write(path, report::timeline(&report))
        {
            return fail(&format!("{}: {error}", path.display()));
        }
        ExitCode::SUCCESS
    }
}

/// A thread that is bound to a core and runs all the time, until this is dropped.
struct Neighbour {
    stop: Arc<filch_lab_machine::AtomicBool>,
}

impl Neighbour {
    fn start(core: usize) -> Neighbour {
        let stop = Arc::new(filch_lab_machine::AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let run = move || {
            thread::bind(Some(core));
            while !told.load(std::sync::atomic::Ordering::Relaxed) {
                work(nanos(10_000));
            }
        };
        let started = thread::Builder::new().name("neighbour".to_owned()).spawn(run);
        drop(started.expect("threads cost nothing"));
        Neighbour { stop }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}
