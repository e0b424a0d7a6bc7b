//! The Go seed as a contender: a process that sleeps until it is told to run a round.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::{Spent, check};

/// A round of the Go seed: a channel of `capacity`, goroutines that send and receive, and a `WaitGroup`.
#[derive(Clone, Copy, Debug)]
pub struct GoRound {
    /// How many jobs the channel holds.
    pub capacity: usize,
    /// How many goroutines receive.
    pub workers: usize,
    /// How many goroutines send.
    pub producers: u64,
    /// How many jobs there are.
    pub jobs: u64,
    /// How long a job takes, in microseconds.
    pub micros: u64,
}

/// The process.
#[derive(Debug)]
pub struct Go {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Go {
    /// Builds the program in the folder `built_in`, and starts it. Returns `None`, and says why, if this machine has no
    /// Go that works.
    ///
    /// # Panics
    /// Panics if the program that was built does not start.
    #[must_use]
    pub fn start(built_in: &str) -> Option<Go> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/go/queue.go");
        let program = Path::new(built_in).join("queue-go");
        let built = Command::new("go").args(["build", "-o"]).arg(&program).arg(source).output();
        let trouble = match built {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(trouble) = trouble {
            eprintln!("Go's channel pool does not take part: `go build` failed: {trouble}");
            return None;
        }
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program that was just built");
        let (commands, answers) = (process.stdin.take(), process.stdout.take().expect("a piped stdout"));
        Some(Go { process, commands, answers: BufReader::new(answers) })
    }

    /// Runs a round. Returns what it took, and how many jobs each worker ran.
    ///
    /// # Panics
    /// Panics if the process has ended, or if not each job ran once.
    pub fn round(&mut self, round: GoRound) -> (Spent, Vec<u64>) {
        let GoRound { capacity, workers, producers, jobs, micros } = round;
        let commands = self.commands.as_mut().expect("a piped stdin");
        writeln!(commands, "{capacity} {workers} {producers} {jobs} {micros}").expect("a process that listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("a process that answers");
        let numbers: Vec<u64> = answer.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        let [wall, processor, entries @ ..] = numbers.as_slice() else {
            panic!("no outcome of a round: {answer}")
        };
        let entries: Vec<_> = entries.chunks_exact(2).map(|entry| (entry[0], entry[1])).collect();
        let spent = Spent { wall: Duration::from_nanos(*wall), processor: Duration::from_nanos(*processor) };
        (spent, check(&entries, jobs))
    }
}

impl Drop for Go {
    fn drop(&mut self) {
        // The process ends when its input ends.
        self.commands = None;
        let _ = self.process.wait();
    }
}
