//! What ends the program early. A wrong command line has an exit code of its own, and output that nobody reads is no error.

use std::fmt::Display;
use std::io;

/// Why the program gives up.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that cannot be.
    Usage(String),
    /// The output cannot be written.
    Output(io::Error),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// A refusal of what the command line asked for.
    pub fn usage(error: impl Display) -> Failure {
        Failure::Usage(error.to_string())
    }

    /// An error that is not the command line's.
    pub fn other(error: impl Display) -> Failure {
        Failure::Other(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}
