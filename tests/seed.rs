//! The behaviour of the Go program that this library grew from: three workers, a queue of ten, ten jobs. Each job is
//! processed once and finished by one of the workers, and a last line follows when all are through. The tests check
//! the library, and the example that is the program's port.

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use common::{LIMIT, within};
use filch::Pool;

const LAST: &str = "All jobs have been processed";

/// Panics unless the Go program may print `lines`.
#[track_caller]
fn check(lines: &[String], workers: usize, jobs: usize) {
    assert_eq!(lines.last().map(String::as_str), Some(LAST), "{lines:#?}");
    assert_eq!(lines.len(), 2 * jobs + 1, "{lines:#?}");
    for job in 0..jobs {
        let processing = format!("Processing job {job}...");
        let places: Vec<_> = (0..lines.len()).filter(|&place| lines[place] == processing).collect();
        assert_eq!(places.len(), 1, "job {job} in {lines:#?}");
        let after = &lines[places[0]..];
        let by = (0..workers).filter(|worker| after.contains(&format!("Worker {worker} finished job {job}")));
        assert_eq!(by.count(), 1, "job {job} in {lines:#?}");
    }
}

#[test]
fn as_a_program_of_the_library() {
    struct Job {
        id: usize,
    }

    within(LIMIT, || {
        for _ in 0..100 {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let print = {
                let lines = Arc::clone(&lines);
                move |line: String| lines.lock().unwrap().push(line)
            };
            let pool = Pool::builder().workers(3).build().unwrap();
            let jobs = {
                let print = print.clone();
                let handler = move |worker: &mut usize, job: Job| {
                    print(format!("Processing job {}...", job.id));
                    print(format!("Worker {worker} finished job {}", job.id));
                };
                pool.queue().capacity(10).worker_state(|worker| worker).build(handler).unwrap()
            };
            for id in 0..10 {
                jobs.submit(Job { id }).unwrap();
            }
            jobs.close();
            jobs.wait();
            print(LAST.to_owned());
            check(&lines.lock().unwrap(), 3, 10);
        }
    });
}

/// Returns the path of the example, which cargo builds next to the tests: `target/debug/examples` beside
/// `target/debug/deps`.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let name = format!("worker_pool{}", std::env::consts::EXE_SUFFIX);
    let path = test.parent().unwrap().with_file_name("examples").join(name);
    assert!(path.exists(), "{} is missing; `cargo test` or `cargo build --examples` builds it", path.display());
    path
}

#[track_caller]
fn check_example(arguments: &[&str], workers: usize, jobs: usize) {
    let output = Command::new(example()).args(arguments).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    assert_eq!(stderr, "");
    assert!(stdout.ends_with(&format!("{LAST}\n")));
    check(&stdout.lines().map(str::to_owned).collect::<Vec<_>>(), workers, jobs);
}

#[test]
fn as_the_example() {
    within(LIMIT, || (0..20).for_each(|_| check_example(&[], 3, 10)));
}

#[test]
fn as_the_example_with_other_numbers() {
    within(LIMIT, || {
        check_example(&["--workers", "1", "--jobs", "25"], 1, 25);
        check_example(&["--workers", "4", "--jobs", "500"], 4, 500);
        check_example(&["--jobs", "0"], 3, 0);
    });
}
