//! The errors that end the program, each with its exit code. Every message says what to do.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;

/// The reason why the program gives up.
#[derive(Debug)]
pub enum Failure {
    /// The request is impossible: exit code 2.
    Usage(String),
    /// The model or the index cannot be used, or they do not fit each other: exit code 3.
    Unfit(String),
    /// Another program writes the index: exit code 1.
    Busy(String),
    /// The output cannot be written: exit code 1, or 0 if its reader has gone.
    Output(io::Error),
    /// Somebody pressed Ctrl-C or sent SIGTERM: exit code 130.
    Interrupted(String),
    /// Any other error: exit code 1.
    Other(String),
}

impl Failure {
    /// The error of a file operation.
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Failure {
        Failure::Other(format!("cannot {doing} {}: {error}", path.display()))
    }

    /// The exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Failure::Output(_) | Failure::Busy(_) | Failure::Other(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unfit(_) => 3,
            Failure::Interrupted(_) => 130,
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Output(error) => write!(f, "cannot write the output: {error}"),
            Failure::Usage(message)
            | Failure::Unfit(message)
            | Failure::Busy(message)
            | Failure::Interrupted(message)
            | Failure::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

/// For `?` on writes to the standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}
