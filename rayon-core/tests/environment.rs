//! How many threads a pool has if nobody says.

mod common;

use common::{child, role};
use rayon_core::{ThreadPoolBuilder, current_num_threads};

/// Returns how many threads the global pool has in a process with these environment variables.
fn threads(variables: &[(&str, &str)]) -> usize {
    let output = child("by_the_environment", "count", variables);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = text.split("threads=").nth(1).unwrap_or_else(|| panic!("{output:?}"));
    number.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn by_the_environment() {
    if role().is_some() {
        let exact = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(exact.current_num_threads(), 3, "what the program says wins");
        println!("threads={} ", current_num_threads());
        return;
    }
    let available = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let (new, old) = ("RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS");
    assert_eq!(threads(&[]), available);
    assert_eq!(threads(&[(new, "5")]), 5);
    assert_eq!(threads(&[(new, "0")]), available);
    assert_eq!(threads(&[(new, "0"), (old, "7")]), available, "zero is an answer");
    assert_eq!(threads(&[(new, "5"), (old, "7")]), 5);
    assert_eq!(threads(&[(old, "7")]), 7);
    assert_eq!(threads(&[(old, "0")]), available);
    for nonsense in ["", "many", "-1", "2.0", " 2", "99999999999999999999999"] {
        assert_eq!(threads(&[(new, nonsense)]), available, "{nonsense:?}");
        assert_eq!(threads(&[(new, nonsense), (old, "7")]), 7, "{nonsense:?}");
    }
}

/// This core's own: real rayon ignores the variable.
#[test]
fn without_fences_on_all_cores() {
    if role().is_some() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let fib = |n| {
            fn fib(n: u32) -> u32 {
                if n < 2 {
                    return n;
                }
                let (a, b) = rayon_core::join(|| fib(n - 1), || fib(n - 2));
                a + b
            }
            fib(n)
        };
        println!("fib={} ", pool.install(|| fib(15)));
        return;
    }
    let output = child("without_fences_on_all_cores", "fib", &[("FILCH_ASYMMETRIC_FENCES", "0")]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("fib=610 "), "{output:?}");
}
