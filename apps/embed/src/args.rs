//! The command line.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, Subcommand};

/// Turns text into vectors on all cores, keeps them in an index, and finds text by meaning.
///
/// Exit codes: 0; 1 if something broke; 2 for a wrong command line; 3 if a model or an index cannot be used, or they do
/// not fit each other; 130 after Ctrl-C during `index`.
#[derive(Parser, Debug)]
#[command(name = "embed", version, max_term_width = 100)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Bring the index of some files and folders up to date: read and embed what has changed
    Index(IndexArgs),
    /// Do that, and again whenever a file changes
    Watch(IndexArgs),
    /// List the pieces of text nearest to a query, best first
    Search(SearchArgs),
    /// Read texts, one a line, and write the vector of each as a JSON array, one a line
    Vectors(VectorsArgs),
}

/// `embed index` and `embed watch`.
#[derive(clap::Args, Debug)]
pub struct IndexArgs {
    /// Files and folders. What the index has of other places stays
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,

    /// The folder of the index, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub index: PathBuf,

    /// The folder of the model [default: the one that the index was made with, or that get-model has fetched, or none]
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,

    /// Leave out files of more than this many MB (10^6 bytes)
    #[arg(long, value_name = "MB", default_value_t = 64)]
    pub max_file_mb: u64,

    /// Worker threads [default: one for every core]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub workers: Option<usize>,
}

/// `embed search`.
#[derive(clap::Args, Debug)]
pub struct SearchArgs {
    /// What to look for, in words
    pub words: String,

    /// The folder of the index
    #[arg(long, value_name = "DIR")]
    pub index: PathBuf,

    /// How many pieces of text to list
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one())]
    pub top: usize,

    /// Write a JSON array of {"path", "start", "end", "score", "text"}; start and end are bytes of the file
    #[arg(long)]
    pub json: bool,

    /// The folder of the model, if it has moved since the index was made
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,

    /// Worker threads [default: one for every core]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub workers: Option<usize>,
}

/// `embed vectors`.
#[derive(clap::Args, Debug)]
pub struct VectorsArgs {
    /// The folder of the model [default: the one that get-model has fetched, or none]
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,

    /// Worker threads [default: one for every core]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub workers: Option<usize>,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}
