//! Runs each model and each canary in a child process and prints a table.
//!
//! Why a child: a model that fails may leave its process in any state, and the defects are chosen by environment
//! variables that are read once. A model passes if its child prints how many executions it explored, and the number
//! is more than one. A child that takes too long has explored an unknown part and proves nothing: the model fails. A
//! canary passes if its child fails, for a reason that the checker gives.

use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::bugs::{self, BUGS, Bug};
use crate::heads;
use crate::models::{ALL, BOUND, CANARIES, Canary, Defect, MODELS, Model, SURVEY};
use crate::sync::site::{CORE, STANDIN};

/// How long one model may compute.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);
const CHILD: &str = "FILCH_MODEL";
/// What a child prints before the number of executions.
const EXPLORED: &str = "explored ";
/// What a child prints before the sites that it passed.
pub(crate) const TOUCHED: &str = "touched ";

/// Explores one model, if this process was started for that.
pub(crate) fn be_child() -> Option<ExitCode> {
    let name = env::var(CHILD).ok()?;
    let model = find(&name).unwrap_or_else(|| panic!("there is no model {name}"));
    let executions = model.explore();
    let sites = CORE.iter().chain(STANDIN).copied().flatten();
    let touched: Vec<&str> = sites.filter(|site| site.is_touched()).map(|site| site.name()).collect();
    println!("{TOUCHED}{}\n{EXPLORED}{executions}", touched.join(" "));
    Some(ExitCode::SUCCESS)
}

/// Runs everything, or only the models whose names contain one of the arguments. With `FILCH_BOUND` set, runs the
/// models alone, with that preemption bound and without a limit of time.
pub fn run() -> ExitCode {
    if let Some(end) = be_child() {
        return end;
    }
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let wrong = heads::check();
    if !wrong.is_empty() {
        println!("{}", wrong.join("\n"));
        return ExitCode::FAILURE;
    }
    let other = env::var(BOUND).ok();
    let mut failed = 0;
    let mut passed = 0;
    println!("{:<58} {:>7} {:>5} {:>10} {:>8}  result", "model", "threads", "bound", "executions", "seconds");
    let mut row = |label: &str, model: &Model, outcome: Outcome, ok: bool| {
        let own = if model.bound == ALL { "all".to_owned() } else { model.bound.to_string() };
        let bound = other.as_ref().unwrap_or(&own);
        let executions = outcome.executions.map_or("-".into(), |n| n.to_string());
        let seconds = outcome.time.as_secs_f64();
        let result = if ok { "ok" } else { "FAILED" };
        println!(
            "{label:<58} {:>7} {bound:>5} {executions:>10} {seconds:>8.1}  {result}: {}",
            model.threads, outcome.why
        );
        if ok {
            passed += 1;
        } else {
            failed += 1;
            println!("{}", outcome.output);
        }
    };
    let models: Vec<&Model> = MODELS.iter().filter(|model| is_wanted(model.name)).collect();
    let limit = if other.is_some() { Duration::MAX } else { LIMIT };
    for (model, mut outcome) in side_by_side(&models, |model| child(model.name, None, limit)) {
        let ok = outcome.executions.is_some_and(|executions| executions > 1);
        if ok && other.is_none() && outcome.executions != heads::stated(model) {
            outcome.why += "; its head gives another number of executions";
        }
        row(model.name, model, outcome, ok);
    }
    let is_wanted = |name: &str| other.is_none() && is_wanted(name);
    let canaries: Vec<&Canary> = CANARIES.iter().filter(|canary| is_wanted(canary.model)).collect();
    for (canary, outcome) in side_by_side(&canaries, |canary| child(canary.model, Some(&canary.defect), LIMIT))
    {
        let model = find(canary.model).unwrap_or_else(|| panic!("a canary names no model: {}", canary.model));
        let ok = outcome.killed;
        row(&canary.label(), model, outcome, ok);
    }
    let bugs: Vec<&Bug> = BUGS.iter().filter(|bug| is_wanted(bug.model)).collect();
    println!("{:<46} {:<26} {:<26} {:>7}", "bug put back", "as in", "caught by", "seconds");
    let limit = bugs::LIMIT;
    for (bug, outcome) in side_by_side(&bugs, |bug| child(bug.model, Some(&bug.defect), limit)) {
        let caught = if outcome.killed { bug.model } else { "NOBODY" };
        println!("{:<46} {:<26} {caught:<26} {:>7.1}", bug.what, bug.seen, outcome.time.as_secs_f64());
        if outcome.killed {
            passed += 1;
        } else {
            failed += 1;
            println!("{}: {}\n{}", bug.model, outcome.why, outcome.output);
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Canary {
    fn label(&self) -> String {
        let what = match &self.defect {
            Defect::Weaken(what) => what,
            Defect::Code(what) => *what,
            Defect::Survey => "nothing",
        };
        format!("  canary {} with {what}", self.model)
    }
}

pub(crate) fn find(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}

/// The result of a child.
pub(crate) struct Outcome {
    /// How many executions there were, if the child explored everything and found nothing.
    pub(crate) executions: Option<usize>,
    /// Whether the checker rejected what it saw.
    pub(crate) killed: bool,
    pub(crate) why: String,
    pub(crate) output: String,
    pub(crate) time: Duration,
}

/// Runs as many children at a time as there are cores. Returns the results in order.
pub(crate) fn side_by_side<'t, T: Sync, R: Send>(
    tasks: &[&'t T],
    run: impl Fn(&'t T) -> R + Sync,
) -> Vec<(&'t T, R)> {
    let next = std::sync::Mutex::new(0..tasks.len());
    let results = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(task) = next.lock().unwrap().next() else { return };
                    let outcome = run(tasks[task]);
                    results.lock().unwrap().push((task, outcome));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(task, _)| *task);
    results.into_iter().map(|(task, outcome)| (tasks[task], outcome)).collect()
}

pub(crate) fn child(model: &str, defect: Option<&Defect>, limit: Duration) -> Outcome {
    let start = Instant::now();
    let log = env::temp_dir().join(format!("filch-model-{}-{model}-{:p}", std::process::id(), &start));
    let file = fs::File::create(&log).expect("a log in the temporary folder");
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    command.env(CHILD, model).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command.env_remove("FILCH_WEAKEN").env_remove("FILCH_DEFECT").env_remove(SURVEY);
    if defect.is_some() {
        command.env_remove(BOUND);
    }
    for limit in ["LOOM_MAX_PERMUTATIONS", "LOOM_MAX_DURATION", "LOOM_MAX_PREEMPTIONS", "LOOM_CHECKPOINT_FILE"]
    {
        command.env_remove(limit);
    }
    match defect {
        Some(Defect::Weaken(what)) => drop(command.env("FILCH_WEAKEN", &**what)),
        Some(Defect::Code(what)) => drop(command.env("FILCH_DEFECT", what)),
        Some(Defect::Survey) => drop(command.env(SURVEY, "1")),
        None => {}
    }
    command.stdout(file.try_clone().expect("a second handle of the log")).stderr(file);
    let mut child = command.spawn().expect("a child process");
    let finished = wait(&mut child, start, limit);
    let output = fs::read_to_string(&log).unwrap_or_default();
    let _ = fs::remove_file(&log);
    let executions = output.lines().rev().find_map(|line| line.strip_prefix(EXPLORED)?.parse().ok());
    let complaint = complaint(&output);
    let why = match (finished, executions, complaint) {
        (false, ..) => "inconclusive: time is up".into(),
        (true, Some(_), _) => "nothing found".into(),
        (true, None, Some(line)) => line.trim().to_owned(),
        (true, None, None) => "ended without a word".into(),
    };
    let killed = finished && executions.is_none() && complaint.is_some();
    Outcome { executions: executions.filter(|_| finished), killed, why, output, time: start.elapsed() }
}

/// The first complaint of the checker or of a check in filch. That the checker gave up is no complaint.
fn complaint(output: &str) -> Option<&str> {
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("filch: ") {
            return Some(line);
        }
        if line.contains("panicked at ") {
            return lines.next().filter(|text| !text.contains("Model exceeded"));
        }
    }
    None
}

/// Waits for the child. `false` if the child had to be stopped.
fn wait(child: &mut Child, start: Instant, limit: Duration) -> bool {
    loop {
        if child.try_wait().expect("the state of a child process").is_some() {
            return true;
        }
        if spent(child.id()).unwrap_or(start.elapsed()) > limit {
            let _ = child.kill();
            let _ = child.wait();
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// How long a process has computed. On a busy machine that is much less than it has lived. `None` where the system
/// does not say.
fn spent(process: u32) -> Option<Duration> {
    /// Ticks per second, the unit of these counts: the same on all architectures of Linux.
    const TICKS: u64 = 100;
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field, the name, is in brackets and may contain anything. The fields behind it count from 3 on; the
    // wanted ones are 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}
