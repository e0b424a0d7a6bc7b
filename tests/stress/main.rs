//! Stress: what the models cannot reach, because it needs many threads, long runs, a deque that grows, or a system
//! that interferes. One program holds named cases. Each case runs in a process of its own, under a watchdog that
//! shows the stacks of all its threads.
//!
//! ```sh
//! cargo test --test stress                          # the short form; `cargo test` runs it with the others
//! cargo test --release --test stress -- --long      # the long form: minutes, on a quiet machine
//! cargo test --release --test stress -- --long --seed 7 lone    # that seed, and the cases named like "lone"
//! cargo test --test stress -- --size 1000 panics    # that many, whatever the case counts
//! ```
//!
//! Without `--seed` each run draws another seed and prints it. The seed decides what is random in a case, but not
//! what the system's scheduler does. So a failed case may pass with the same seed; run it again a few times.

#[path = "../common/mod.rs"]
mod common;

mod counts;
mod ends;
#[cfg(target_os = "linux")]
mod host;
mod options;
mod panics;
mod programs;
#[cfg(target_os = "linux")]
mod quota;
mod races;
mod wakeups;
mod watch;

use std::process::ExitCode;
use std::time::Instant;

use options::Options;

/// What a case is asked to do.
struct Order {
    size: usize,
    seed: u64,
    /// Whether nothing else is supposed to run on this machine, so that times mean something.
    long: bool,
}

/// One case. It panics, or never ends, if something is wrong. It returns what is worth a note.
struct Case {
    name: &'static str,
    /// What the size counts.
    unit: &'static str,
    short: usize,
    long: usize,
    run: fn(&Order) -> String,
}

const fn case(name: &'static str, unit: &'static str, sizes: [usize; 2], run: fn(&Order) -> String) -> Case {
    Case { name, unit, short: sizes[0], long: sizes[1], run }
}

const CASES: &[Case] = &[
    case("lone_job", "jobs", [4_000, 1_000_000], wakeups::lone_job),
    case("barrier", "meetings", [1_000, 20_000], wakeups::barrier),
    case("one_worker", "jobs", [30_000, 3_000_000], wakeups::one_worker),
    case("one_blocked", "jobs", [100_000, 3_000_000], wakeups::one_blocked),
    case("exactly_once", "jobs, 4 times", [500_000, 20_000_000], counts::exactly_once),
    case("growth", "jobs", [200_000, 50_000_000], counts::growth),
    case("trees", "nodes", [100_000, 50_000_000], counts::trees),
    case("near_the_limit", "steps", [100_000, 10_000_000], counts::near_the_limit),
    case("close", "races", [1_500, 100_000], races::close),
    case("shutdown_queue", "races", [500, 100_000], races::shutdown_queue),
    case("shutdown_closures", "races", [500, 100_000], races::shutdown_closures),
    case("shutdown_jobs", "races", [300, 30_000], races::shutdown_jobs),
    case("wakers", "wakers", [5_000, 1_000_000], ends::wakers),
    case("wakers_pool_drop", "pools", [300, 100_000], ends::wakers_against_the_pools_end),
    case("programs", "programs", [400, 200_000], programs::programs),
    case("panics", "panics", [10_000, 1_000_000], panics::all_operations),
    #[cfg(target_os = "linux")]
    case("create_drop", "pools", [1_000, 10_000], ends::create_and_drop),
    #[cfg(target_os = "linux")]
    case("rejected", "submissions", [200_000, 10_000_000], ends::rejected),
    #[cfg(target_os = "linux")]
    case("signals", "signals", [20_000, 1_000_000], host::signals),
    #[cfg(target_os = "linux")]
    case("stopped", "stops", [50, 2_000], host::stopped),
    #[cfg(target_os = "linux")]
    case("masks", "rounds", [1_000, 50_000], host::masks),
    #[cfg(target_os = "linux")]
    case("quota", "stops", [10, 500], quota::half_a_processor),
    #[cfg(target_os = "linux")]
    case("memory_limits", "limits", [6, 300], host::memory_limits),
];

/// Cases that the watchdog's own test or other cases run. Nobody selects them by name.
const HIDDEN: &[Case] = &[
    case("stuck", "", [0, 0], watch::stuck),
    case("race", "", [0, 0], watch::race),
    #[cfg(target_os = "linux")]
    case("frozen", "", [0, 0], watch::frozen),
    #[cfg(target_os = "linux")]
    case("starved", "", [0, 0], host::starved),
];

fn main() -> ExitCode {
    if let Some(child) = watch::Child::of_arguments() {
        return child
            .run(|name| CASES.iter().chain(HIDDEN).find(|case| case.name == name).map(|case| case.run));
    }
    let options = Options::of_arguments();
    let chosen = Vec::from_iter(CASES.iter().filter(|case| options.wants(case.name)));
    let watchdog = options.wants("watchdog");
    if options.list {
        chosen.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let (mut passed, mut failed) = (0, Vec::new());
    println!("seed {}\n{:18} {:>10} {:14} {:>7}  result", options.seed, "case", "size", "", "time");
    if watchdog {
        let began = Instant::now();
        watch::prove();
        passed += 1;
        println!(
            "{:18} {:>10} {:14} {:>5.1} s  ok: shows the stacks",
            "watchdog",
            "",
            "",
            began.elapsed().as_secs_f64()
        );
    }
    for case in chosen {
        let size = options.size.unwrap_or(if options.long { case.long } else { case.short });
        let order = Order { size, seed: options.seed, long: options.long };
        let ended = watch::run(case.name, &order, options.limit());
        let seconds = ended.time.as_secs_f64();
        let result = if ended.passed { "ok" } else { "FAILED" };
        println!("{:18} {size:>10} {:14} {seconds:>5.1} s  {result}: {}", case.name, case.unit, ended.note);
        if ended.passed {
            passed += 1;
        } else {
            println!("{}", ended.output);
            failed.push(format!("{} --size {size} --seed {}", case.name, options.seed));
        }
    }
    failed.iter().for_each(|failed| println!("again: cargo test --test stress -- --exact {failed}"));
    let result = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {result}. {passed} passed; {} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        failed.len(),
        began.elapsed().as_secs_f64(),
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
