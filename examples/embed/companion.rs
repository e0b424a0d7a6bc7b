//! Runs rayon on filch, for `--compare`. One program cannot hold two rayon-cores, so this contender is a program of
//! its own, `rayon-core/embed` in this repository: the same sources, with this repository's `rayon-core` in place of
//! the published one. This program starts the companion once and sends it the list of files. The companion then does
//! a run for every line that it gets.
//!
//! If cargo started this program, cargo builds the companion first: a companion left over from before a change would
//! measure another filch. If you start this program by hand, build the companion by hand.

use std::env::consts::EXE_SUFFIX;
use std::fmt::Display;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::document::FileJob;
use crate::failure::Failure;

/// The path of the built companion.
pub struct Built(PathBuf);

/// Builds the companion, or finds it. The error says what to do.
pub fn build() -> Result<Built, String> {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rayon-core").join("embed");
    // The same profile as this program's: otherwise the comparison would be of compilers.
    let (profile, folder) = if cfg!(debug_assertions) { ("dev", "debug") } else { ("release", "release") };
    let target = package.join("target");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--profile", profile, "--target-dir"]).arg(&target);
        let status = build.arg("--manifest-path").arg(package.join("Cargo.toml")).status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(format!("cargo could not build {} ({status})", package.display())),
            Err(error) => return Err(format!("cargo could not be started: {error}")),
        }
    }
    let program = target.join(folder).join(format!("embed-rayon-on-filch{EXE_SUFFIX}"));
    match program.is_file() {
        true => Ok(Built(program)),
        false => Err(format!("to have it, run (cd {} && cargo build --profile {profile})", package.display())),
    }
}

/// The running companion. It ends when this value is dropped.
pub struct Companion {
    child: Child,
    orders: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

impl Companion {
    /// Starts the companion with `threads` threads and sends it the files.
    pub fn start(Built(program): &Built, threads: usize, files: &[FileJob]) -> Result<Companion, Failure> {
        let mut command = Command::new(program);
        command.arg(threads.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Failure::other)?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for as pipes");
        };
        let (orders, answers) = (Some(BufWriter::new(orders)), BufReader::new(answers));
        let mut companion = Companion { child, orders, answers };
        companion.tell(|orders| {
            writeln!(orders, "{}", files.len())?;
            for file in files {
                // A path may contain any byte except this one.
                write!(orders, "{} ", file.len)?;
                orders.write_all(file.path.as_os_str().as_encoded_bytes())?;
                orders.write_all(&[0])?;
            }
            Ok(())
        })?;
        Ok(companion)
    }

    /// Has the companion do one run. Returns the checksum of the run's vectors and how long the run took.
    pub fn turn(&mut self, title: &str) -> Result<(u64, Duration), Failure> {
        self.tell(|orders| writeln!(orders, "{title}"))?;
        let mut answer = String::new();
        if let Err(error) = self.answers.read_line(&mut answer) {
            return Err(self.broken(error));
        }
        let parsed = answer.trim_end().split_once(' ').and_then(|(checksum, nanoseconds)| {
            let checksum = u64::from_str_radix(checksum, 16).ok()?;
            Some((checksum, Duration::from_nanos(nanoseconds.parse().ok()?)))
        });
        parsed.ok_or_else(|| self.broken(format_args!("it answered {answer:?}")))
    }

    fn tell(
        &mut self,
        write: impl FnOnce(&mut BufWriter<ChildStdin>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let Some(orders) = &mut self.orders else {
            unreachable!("taken only when it has failed or is dropped");
        };
        write(orders).and_then(|()| orders.flush()).map_err(|error| self.broken(error))
    }

    /// Makes the error. The companion's last words explain more than `error` does.
    fn broken(&mut self, error: impl Display) -> Failure {
        let mut said = String::new();
        if let Some(mut complaints) = self.child.stderr.take() {
            // The companion ends when its input does, and then its complaints end.
            self.orders = None;
            let _ = complaints.read_to_string(&mut said);
        }
        let said = if said.is_empty() { error.to_string() } else { said.trim_end().to_owned() };
        Failure::Other(format!("rayon on filch broke off: {said}"))
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        // Without input the companion ends by itself. The wait makes sure that it leaves no zombie.
        self.orders = None;
        let _ = self.child.wait();
    }
}
