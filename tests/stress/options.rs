//! The arguments, including the test harness's: `cargo test -- …` gives the same arguments to each test program.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Default)]
pub struct Options {
    pub long: bool,
    pub list: bool,
    pub size: Option<usize>,
    pub seed: u64,
    exact: bool,
    names: Vec<String>,
    skipped: Vec<String>,
}

fn number<N: std::str::FromStr>(argument: &str, value: Option<String>) -> N {
    let parsed = value.as_deref().and_then(|value| value.parse().ok());
    parsed.unwrap_or_else(|| panic!("{argument} needs a number, not {value:?}"))
}

impl Options {
    pub fn of_arguments() -> Options {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut options = Options { seed: now.as_micros() as u64 % 1_000_000_007, ..Options::default() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--long" => options.long = true,
                "--list" => options.list = true,
                "--exact" => options.exact = true,
                "--size" => options.size = Some(number("--size", arguments.next())),
                "--seed" => options.seed = number("--seed", arguments.next()),
                "--skip" => options.skipped.extend(arguments.next()),
                "--test-threads" | "--format" | "--color" | "--logfile" | "-Z" => _ = arguments.next(),
                flag if flag.starts_with('-') => (),
                name => options.names.push(name.to_owned()),
            }
        }
        options
    }

    pub fn wants(&self, case: &str) -> bool {
        let matches = |name: &String| if self.exact { case == name } else { case.contains(name.as_str()) };
        (self.names.is_empty() || self.names.iter().any(matches)) && !self.skipped.iter().any(matches)
    }

    /// Returns a time that no case needs.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(if self.long { 900 } else { 60 })
    }
}
