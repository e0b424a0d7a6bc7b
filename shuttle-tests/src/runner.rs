//! Runs each model under each scheduler, and each canary, in a child process and prints a table.
//!
//! Why a child: defects are chosen by an environment variable that is read once, and a failed assertion in a job ends
//! the process. A model passes if its child reports that all executions ended well. A canary passes if its child
//! fails, and if the replay command that a failure prints then fails in the same way.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::models::{CANARIES, MODELS, Model};
use crate::schedule::{self, FAILED, KINDS, Kind, Plan};

/// Marks the process as a child, which runs one plan itself.
const CHILD: &str = "FILCH_SHUTTLE_CHILD";
/// What a child prints when all executions ended well.
const PASSED: &str = "passed";
/// The first seed by default, so that each run is the same.
const SEED: u64 = 1;
/// What shuttle prints about an execution that it gave up. That is no bug found, so it does not pass a canary.
const STEP_LIMIT: &str = "exceeded max_steps";
/// By default, one of this many executions runs twice to compare. If the `twice` scheduler is asked for, all of them
/// do.
const TWICE: usize = 20;
/// One of this many executions runs once more, on a system that refuses the fence on all cores.
const REFUSED: usize = 4;
/// How long a child may take: at the start, and more for each execution.
const LIMIT: (Duration, Duration) = (Duration::from_secs(120), Duration::from_millis(500));

/// What the command line asks for.
#[derive(Clone, Debug, Default)]
struct Options {
    /// Parts of models' names, or whole names with `exact`.
    names: Vec<String>,
    exact: bool,
    kind: Option<Kind>,
    seed: Option<u64>,
    iterations: Option<usize>,
    defect: Option<String>,
    refused: bool,
}

impl Options {
    fn parse(args: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} wants a value"));
            match arg.as_str() {
                "--exact" => options.exact = true,
                "--scheduler" => {
                    let name = value()?;
                    options.kind = Some(Kind::named(&name).ok_or(format!("there is no scheduler {name}"))?);
                }
                "--seed" => options.seed = Some(number(&value()?)?),
                "--iterations" => options.iterations = Some(number(&value()?)?),
                "--defect" => options.defect = Some(value()?),
                "--no-heavy-fence" => options.refused = true,
                flag if flag.starts_with('-') => return Err(format!("there is no option {flag}")),
                _ => options.names.push(arg),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        let is_it = |part: &String| if self.exact { name == part } else { name.contains(part.as_str()) };
        self.names.is_empty() || self.names.iter().any(is_it)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// Executions of one model in one process.
#[derive(Clone)]
struct Task {
    model: &'static Model,
    plan: Plan,
    defect: Option<String>,
    /// Whether the checked system refuses the fence on all cores.
    refused: bool,
    /// Whether the executions are to fail.
    canary: bool,
}

/// The result of a task.
struct Outcome {
    ok: bool,
    /// The number of the execution that failed.
    failed: Option<usize>,
    why: String,
    output: String,
    time: Duration,
}

/// Runs everything, or what the arguments ask for.
pub fn run() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    if env::var_os(CHILD).is_some() {
        return be_child(&options);
    }
    let tasks = tasks(&options);
    let (mut passed, mut failed) = (0, 0);
    println!("{:<46} {:>9} {:>10} {:>6} {:>8}  result", "model", "scheduler", "executions", "seed", "seconds");
    side_by_side(&tasks, |task, outcome| {
        let label = match (&task.defect, task.canary) {
            (Some(defect), true) => format!("  canary {} with {defect}", task.model.name),
            (Some(defect), false) => format!("{} with {defect}", task.model.name),
            (None, _) if task.refused => format!("{}, no heavy fence", task.model.name),
            (None, _) => task.model.name.to_owned(),
        };
        let Plan { kind, seed, iterations } = task.plan;
        let seconds = outcome.time.as_secs_f64();
        let result = if outcome.ok { "ok" } else { "FAILED" };
        println!("{label:<46} {kind:>9} {iterations:>10} {seed:>6} {seconds:>8.1}  {result}: {}", outcome.why);
        if outcome.ok {
            passed += 1;
        } else {
            failed += 1;
            println!("{}", outcome.output);
            if let Some(number) = outcome.failed {
                println!("to replay: cargo test --test models -- {}", task.replay(number).join(" "));
            }
        }
    });
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const USAGE: &str = "cargo test --test models -- [PART OF A NAME...] [--exact] [--scheduler random|pct|twice] \
    [--seed N] [--iterations N] [--defect NAME] [--no-heavy-fence]";

fn tasks(options: &Options) -> Vec<Task> {
    let seed = options.seed.unwrap_or(SEED);
    let mut tasks = Vec::new();
    for model in MODELS.iter().filter(|model| options.wants(model.name)) {
        for kind in KINDS.into_iter().filter(|&kind| options.kind.is_none_or(|wanted| wanted == kind)) {
            let iterations = options.iterations.unwrap_or(model.iterations);
            let few = kind == Kind::Twice && options.kind.is_none();
            let iterations = if few { iterations.div_ceil(TWICE) } else { iterations };
            let plan = Plan { kind, seed, iterations };
            let (defect, refused) = (options.defect.clone(), options.refused);
            tasks.push(Task { model, plan, defect, refused, canary: false });
            // Most of a model does not depend on the fence. So a part of the executions will do without.
            if kind == Kind::Random && options.kind.is_none() {
                let plan = Plan { iterations: iterations.div_ceil(REFUSED), ..plan };
                tasks.push(Task { model, plan, defect: options.defect.clone(), refused: true, canary: false });
            }
        }
    }
    // A request for one scheduler, seed or defect is for a certain execution, so it leaves out the canaries.
    if options.kind.is_none() && options.seed.is_none() && options.defect.is_none() {
        for canary in CANARIES.iter().filter(|canary| options.wants(canary.model)) {
            let model = MODELS.iter().find(|model| model.name == canary.model);
            let model = model.unwrap_or_else(|| panic!("a canary names no model: {}", canary.model));
            let plan = Plan { kind: canary.kind, seed, iterations: canary.iterations };
            tasks.push(Task { model, plan, defect: Some(canary.defect.into()), refused: false, canary: true });
        }
    }
    tasks
}

/// Explores one model in this process.
fn be_child(options: &Options) -> ExitCode {
    let task = &tasks(options)[0];
    schedule::explore(task.plan, task.model.body);
    println!("{PASSED}");
    ExitCode::SUCCESS
}

impl Task {
    /// The arguments that ask for this task alone.
    fn arguments(&self) -> Vec<String> {
        let Plan { kind, seed, iterations } = self.plan;
        let mut arguments = vec![
            "--exact".to_owned(),
            self.model.name.to_owned(),
            "--scheduler".to_owned(),
            kind.to_string(),
            "--seed".to_owned(),
            seed.to_string(),
            "--iterations".to_owned(),
            iterations.to_string(),
        ];
        if let Some(defect) = &self.defect {
            arguments.extend(["--defect".to_owned(), defect.clone()]);
        }
        if self.refused {
            arguments.push("--no-heavy-fence".to_owned());
        }
        arguments
    }

    /// The arguments that ask for the execution that failed as the `number`-th.
    fn replay(&self, number: usize) -> Vec<String> {
        Task { plan: self.plan.replay(number), ..self.clone() }.arguments()
    }

    fn run(&self) -> Outcome {
        let start = Instant::now();
        let limit = LIMIT.0 + LIMIT.1 * u32::try_from(self.plan.iterations).unwrap_or(u32::MAX);
        let mut command = this_program();
        command.args(self.arguments()).env(CHILD, "1");
        command.env_remove("FILCH_DEFECT").env_remove("FILCH_WEAKEN").env_remove("SHUTTLE_RANDOM_SEED");
        if let Some(defect) = &self.defect {
            command.env("FILCH_DEFECT", defect);
        }
        command.env("FILCH_HEAVY_FENCE", if self.refused { "0" } else { "1" });
        let (finished, output) = run_to_end(command, limit);
        let passed = finished && output.lines().last() == Some(PASSED);
        let failed = output.lines().rev().find_map(|line| line.strip_prefix(FAILED)?.parse().ok());
        let failed = failed.filter(|_| finished && !passed);
        let complaint = complaint(&output).filter(|_| !passed);
        let mut why = match (finished, passed, complaint) {
            (false, ..) => "inconclusive: time is up".into(),
            (true, true, _) => "nothing found".into(),
            // The message of a deadlock goes on with a list of all threads.
            (true, false, Some(line)) => line.split(": [").next().unwrap_or(line).to_owned(),
            (true, false, None) => "ended without a word".into(),
        };
        let mut ok = passed;
        if self.canary {
            ok = false;
            if let (Some(number), Some(complaint)) =
                (failed, complaint.filter(|line| !line.contains(STEP_LIMIT)))
            {
                ok = self.fails_again(number, complaint);
                why = format!(
                    "in execution {number}, {} in its replay: {why}",
                    if ok { "and" } else { "but not" }
                );
            }
        }
        Outcome { ok, failed, why, output, time: start.elapsed() }
    }

    /// Runs the printed replay command. Returns whether it fails for the same reason and in the expected execution:
    /// the first one if the replay has the seed of the failed execution.
    fn fails_again(&self, number: usize, complaint: &str) -> bool {
        let mut command = this_program();
        command.args(self.replay(number));
        let (finished, output) = run_to_end(command, LIMIT.0 + LIMIT.1 * number as u32);
        let again = self.plan.replay(number).iterations;
        finished
            && output.lines().any(|line| line.trim() == complaint)
            && output.lines().any(|line| line == format!("{FAILED}{again}"))
            && output.contains("0 passed, 1 failed")
    }
}

fn this_program() -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    command.env("RUST_BACKTRACE", "0").env_remove(CHILD).stdin(Stdio::null());
    command
}

/// Runs a process. Returns whether it came to its end, and what it printed.
fn run_to_end(mut command: Command, limit: Duration) -> (bool, String) {
    let start = Instant::now();
    let log = env::temp_dir().join(format!("filch-shuttle-{}-{:p}", std::process::id(), &start));
    let file = fs::File::create(&log).expect("a log in the temporary folder");
    command.stdout(file.try_clone().expect("a second handle of the log")).stderr(file);
    let mut child = command.spawn().expect("a child process");
    let finished = loop {
        if child.try_wait().expect("the state of a child process").is_some() {
            break true;
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            break false;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let output = fs::read_to_string(&log).unwrap_or_default();
    let _ = fs::remove_file(&log);
    (finished, output)
}

/// The last complaint. Panics that are part of a model come before it.
fn complaint(output: &str) -> Option<&str> {
    let mut found = None;
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        if line.contains("panicked at ") {
            found = lines.next().or(found);
        }
    }
    found.map(str::trim)
}

/// Runs as many tasks at a time as there are cores. `report` gets the outcomes in order, each as soon as possible.
fn side_by_side(tasks: &[Task], mut report: impl FnMut(&Task, Outcome)) {
    let next = std::sync::Mutex::new(0..tasks.len());
    let (send, ends) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                loop {
                    let Some(at) = next.lock().expect("no panic").next() else { return };
                    send.send((at, tasks[at].run())).expect("the reporter");
                }
            });
        }
        drop(send);
        let mut early = std::collections::BTreeMap::new();
        let mut due = 0;
        for (at, outcome) in ends {
            early.insert(at, outcome);
            while let Some(outcome) = early.remove(&due) {
                report(&tasks[due], outcome);
                due += 1;
            }
        }
    });
}
