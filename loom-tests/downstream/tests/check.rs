//! What a user's tests look like: `cargo test` in this folder, which passes `--cfg loom`.

#![cfg(loom)]

use std::process::Command;

use loom::sync::atomic::Ordering;

/// Explores `f` on a pool of its own. The start and the end of the pool are filch's to check and would multiply
/// the executions: they run in one way only.
fn explore(workers: usize, preemptions: usize, f: impl Fn(&filch::Pool) + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 50_000;
    builder.expect_explicit_explore = true;
    builder.check(move || {
        let pool = filch::Pool::builder().workers(workers).build().expect("a pool");
        loom::explore();
        f(&pool);
        loom::stop_exploring();
        pool.shutdown().expect("a shutdown from outside");
    });
}

/// Set for the run that is to fail: a failed model ends its process.
const RACE: &str = "DOWNSTREAM_RACE";

#[test]
fn a_letter_is_read_as_it_was_written() {
    let publish = if std::env::var_os(RACE).is_some() { Ordering::Relaxed } else { Ordering::Release };
    explore(2, 2, move |pool| {
        let read = downstream::write_and_read(pool, publish);
        assert!(read.is_none_or(|text| text == 7));
    });
}

#[test]
fn a_missing_release_is_found() {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "a_letter_is_read_as_it_was_written", "--nocapture"]).env(RACE, "1");
    let output = child.output().expect("a child process");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "the race was not found");
    assert!(said.contains("Causality violation"), "it failed for another reason: {said}");
}

#[test]
fn each_kind_of_job_runs_under_the_checker() {
    explore(1, 1, |pool| assert_eq!(downstream::all_kinds(pool), 4));
}
