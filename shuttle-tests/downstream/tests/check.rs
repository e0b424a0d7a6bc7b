//! What a user's tests look like: `cargo test` in this folder, which passes `--cfg shuttle`.

#![cfg(shuttle)]

use std::process::Command;

use downstream_shuttle::{Account, pay_in};
use shuttle::sync::Arc;

/// Pays in on a pool of four workers and looks whether all of it is there.
fn check(pay: fn(&Account, u64)) {
    let pool = filch::Pool::builder().workers(4).build().expect("a pool");
    let account = Arc::new(Account::default());
    pay_in(&pool, &account, pay);
    pool.shutdown().expect("a shutdown from outside");
    assert_eq!(account.total(), (8, 8));
}

/// Set for a run that is to fail, to the fault that it is to have.
const FAULT: &str = "DOWNSTREAM_FAULT";

#[test]
fn all_that_is_paid_is_there() {
    let pay = match std::env::var(FAULT).as_deref() {
        Ok("careless") => Account::pay_carelessly,
        _ => Account::pay,
    };
    shuttle::check_random(move || check(pay), 300);
    shuttle::check_pct(move || check(pay), 300, 3);
}

#[test]
fn a_job_asserts() {
    let wrong = std::env::var_os(FAULT).is_some();
    let check = move || {
        let pool = filch::Pool::builder().workers(4).build().expect("a pool");
        pool.execute(move || assert!(!wrong, "a wrong job")).expect("an open pool");
    };
    shuttle::check_random(check, 10);
}

/// What the test `name` says when it has `fault`, with which it must fail for `reason`.
fn failing(name: &str, fault: &str, seed: Option<&str>, reason: &str) -> String {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", name, "--nocapture"]).env(FAULT, fault).env_remove("SHUTTLE_RANDOM_SEED");
    if let Some(seed) = seed {
        child.env("SHUTTLE_RANDOM_SEED", seed);
    }
    let output = child.output().expect("a child process");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "the fault was not found");
    assert!(said.contains(reason), "it failed for another reason: {said}");
    said
}

fn careless(seed: Option<&str>) -> String {
    failing("all_that_is_paid_is_there", "careless", seed, "assertion `left == right` failed")
}

#[test]
fn a_failed_assertion_in_a_job_ends_the_check() {
    failing("a_job_asserts", "assert", None, "filch: a job panicked and the pool has no panic handler");
}

/// The line after the one that begins with `head`, from the end.
fn after<'t>(said: &'t str, head: &str) -> &'t str {
    let lines: Vec<&str> = said.lines().collect();
    let at = lines.iter().rposition(|line| line.starts_with(head)).expect("a report");
    lines[at + 2]
}

#[test]
fn a_lost_payment_is_found_and_its_seed_finds_it_again() {
    let said = careless(None);
    let seed = after(&said, "failing seed:");
    let again = careless(Some(seed));
    assert_eq!(after(&again, "failing seed:"), seed, "not in the first execution: {again}");
    assert_eq!(after(&again, "failing schedule:"), after(&said, "failing schedule:"));
}
