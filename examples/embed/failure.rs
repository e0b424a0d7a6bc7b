//! The errors that end the program early. A wrong command line has an exit code of its own. Output that nobody reads
//! is no error.

use std::fmt::Display;
use std::io;

/// The reason why the program gives up.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something impossible.
    Usage(String),
    /// The output cannot be written.
    Output(io::Error),
    /// Any other error.
    Other(String),
}

impl Failure {
    /// Makes the error for a request of the command line that is refused.
    pub fn usage(error: impl Display) -> Failure {
        Failure::Usage(error.to_string())
    }

    /// Makes an error that is not the command line's.
    pub fn other(error: impl Display) -> Failure {
        Failure::Other(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}
