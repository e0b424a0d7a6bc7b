//! Reruns a bench's tables in processes that have fewer cores.

use std::env;
use std::process::Command;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The argument that tells a process how many cores it has.
const CORES: &str = "--cores=";

/// Calls `tables` once for each number in `counts`, each time in a new process that is bound to this number of cores.
/// A new process has nothing left of the tables before. A number is left out if there are fewer cores.
///
/// `tables` also gets the arguments of the program that are neither options nor numbers.
///
/// # Panics
/// Panics if one of these processes fails.
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

/// Returns the cores that the calling thread may use, ascending.
///
/// # Panics
/// Panics if the system does not tell them.
#[must_use]
pub fn allowed() -> Vec<usize> {
    let all = sched_getaffinity(None).expect("the cores of this thread");
    (0..CpuSet::MAX_CPU).filter(|&core| all.is_set(core)).collect()
}

/// Binds the calling thread, and the threads that it starts from now on, to `cores`.
///
/// # Panics
/// Panics if the system refuses.
pub fn bind(cores: &[usize]) {
    let mut mask = CpuSet::new();
    cores.iter().for_each(|&core| mask.set(core));
    sched_setaffinity(None, &mask).expect("cores of this process");
}

/// Binds the calling thread to the first `count` of its cores, or to all if there are fewer. Returns the number of
/// cores that the thread has now.
fn bind_to_first(count: usize) -> usize {
    let all = allowed();
    let some = &all[..count.min(all.len())];
    bind(some);
    some.len()
}
