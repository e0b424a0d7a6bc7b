//! Reruns a bench's tables in processes that have fewer cores.

use std::env;
use std::process::Command;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The argument by which a process is told how many cores it has.
const CORES: &str = "--cores=";

/// Calls `tables` with each number of cores that there is, in a process of its own that is bound to so many, and with the
/// arguments that are no options: a pool believes what the first one of its process found.
///
/// # Panics
/// If one of these processes fails.
pub fn in_processes(counts: &[usize], tables: fn(usize, &[String])) {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some(cores) = arguments.iter().find_map(|argument| argument.strip_prefix(CORES)) {
        let cores = cores.parse().expect("a number of cores");
        let there = bind_to_first(cores);
        if there < cores {
            println!("no tables for {cores} cores: there are {there}");
            return;
        }
        let is_option = |argument: &String| argument.starts_with('-') || argument.parse::<u64>().is_ok();
        let words: Vec<String> = arguments.into_iter().filter(|argument| !is_option(argument)).collect();
        return tables(cores, &words);
    }
    for cores in counts {
        let this = env::current_exe().expect("this program");
        let status = Command::new(this).args(&arguments).arg(format!("{CORES}{cores}")).status();
        assert!(status.expect("this program once more").success(), "it failed with {cores} cores");
    }
}

/// The cores that the calling thread may use.
///
/// # Panics
/// If the system does not say.
#[must_use]
pub fn allowed() -> Vec<usize> {
    let all = sched_getaffinity(None).expect("the cores of this thread");
    (0..CpuSet::MAX_CPU).filter(|&core| all.is_set(core)).collect()
}

/// Binds the calling thread, and those that it starts, to `cores`.
///
/// # Panics
/// If the system refuses.
pub fn bind(cores: &[usize]) {
    let mut mask = CpuSet::new();
    cores.iter().for_each(|&core| mask.set(core));
    sched_setaffinity(None, &mask).expect("cores of this process");
}

/// Binds the calling thread to the first `count` of its cores, or all if they are fewer: how many those are.
fn bind_to_first(count: usize) -> usize {
    let all = allowed();
    let some = &all[..count.min(all.len())];
    bind(some);
    some.len()
}
