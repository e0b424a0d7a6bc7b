//! Checks everything on the command line before any work begins, so that a slip costs no wait.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use crate::failure::Failure;
use crate::features::Tokeniser;

/// Finds text: turns the files under some paths into vectors and lists the chunks nearest to a
/// query.
#[derive(Parser, Debug)]
#[command(name = "embed", max_term_width = 100)]
pub struct Args {
    /// Files and folders to embed [default: this repository and cargo's registry sources]
    pub paths: Vec<PathBuf>,

    /// Worker threads [default: one for every core]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub workers: Option<usize>,

    /// List the chunks nearest to this text
    #[arg(long, value_name = "TEXT")]
    pub query: Option<String>,

    /// How many chunks to list
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one())]
    pub top: usize,

    /// Run the same work on rayon, on rayon over filch and on one thread as well, three times each.
    ///
    /// Rayon over filch is a program of its own, rayon-core/embed in the repository. Cargo builds
    /// it if `cargo run` started this one; otherwise it has to be built before.
    #[arg(long)]
    pub compare: bool,

    /// Read at most this many MB (10^6 bytes); memory in use grows to about two and a half times that
    #[arg(long, value_name = "MB", default_value_t = 256, value_parser = at_least_one())]
    pub max_mb: usize,

    /// Jobs that may wait in the queue
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = at_least_one())]
    pub capacity: usize,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

impl Args {
    /// Checks what the parser cannot.
    pub fn check(&self) -> Result<(), Failure> {
        if let Some(query) = &self.query {
            let mut words = false;
            Tokeniser::default().features(query, |_| words = true);
            if !words {
                let message = "the query has no word of two letters or more";
                return Err(Failure::Usage(message.to_owned()));
            }
        }
        Ok(())
    }
}
