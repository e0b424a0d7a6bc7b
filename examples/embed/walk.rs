//! Walks the roots. Files come in sorted order from one thread, so the same tree always gives the same document
//! numbers, and `--max-mb` always cuts at the same place. The walk is a small part of the work and runs beside the
//! rest. A file that no longer fits is left out, and smaller files after it may still fit. Otherwise one huge file
//! would end the walk.

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ignore::DirEntry;

use crate::document::{FileJob, Skipped};
use crate::roots::{Root, Rooted};

/// Counts what the walk met besides the files that it gave out.
#[derive(Default)]
pub struct Tally {
    /// Files met, including files left out.
    pub files: u64,
    /// Files left out because they did not fit into the budget.
    pub over_budget: u64,
    /// The bytes of the files left out.
    pub over_budget_bytes: u64,
    /// Paths that could not be examined.
    pub unreadable: Vec<Skipped>,
}

/// The files under some roots, as an iterator.
pub struct Walk<'a> {
    roots: std::vec::IntoIter<Root>,
    current: Option<Rooted>,
    /// Paths given out so far. Roots may lie within each other, and a file is given out once.
    seen: HashSet<PathBuf>,
    budget: u64,
    next_id: usize,
    tally: &'a mut Tally,
}

impl<'a> Walk<'a> {
    /// Walks `roots` and gives out files of `budget` bytes in all.
    pub fn new(roots: Vec<Root>, budget: u64, tally: &'a mut Tally) -> Walk<'a> {
        Walk { roots: roots.into_iter(), current: None, seen: HashSet::new(), budget, next_id: 0, tally }
    }

    fn next_entry(&mut self) -> Option<Result<DirEntry, ignore::Error>> {
        loop {
            let current = self.current.as_mut();
            if let Some(entry) = current.and_then(|current| current.walk.next()) {
                return Some(entry);
            }
            self.current = Some(Rooted::new(self.roots.next()?));
        }
    }

    fn unreadable(&mut self, path: PathBuf, reason: String) {
        self.tally.unreadable.push(Skipped { path, reason });
    }

    /// Returns the job for an entry, if the entry is a file, is new and fits.
    fn job(&mut self, entry: DirEntry) -> Option<FileJob> {
        let kind = entry.file_type()?;
        // Links are followed only if they were named by hand: a walk must not go in circles.
        let named_by_hand = entry.depth() == 0 && !kind.is_dir();
        if !kind.is_file() && !named_by_hand {
            return None;
        }
        let path = entry.into_path();
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.unreadable(path, error.to_string());
                return None;
            }
        };
        if metadata.is_dir() {
            return None;
        }
        if !metadata.is_file() {
            // A pipe that was named by hand would block a worker for good.
            self.unreadable(path, "not a regular file".to_owned());
            return None;
        }
        let true_path = self.current.as_ref().map(|current| current.true_path(&path));
        if !self.seen.insert(true_path.unwrap_or_else(|| path.clone())) {
            return None;
        }
        self.tally.files += 1;
        let len = metadata.len();
        if len > self.budget {
            self.tally.over_budget += 1;
            self.tally.over_budget_bytes += len;
            return None;
        }
        self.budget -= len;
        let id = self.next_id;
        self.next_id += 1;
        Some(FileJob { id, path: Arc::from(path), len })
    }
}

impl Iterator for Walk<'_> {
    type Item = FileJob;

    fn next(&mut self) -> Option<FileJob> {
        loop {
            match self.next_entry()? {
                Ok(entry) => {
                    if let Some(job) = self.job(entry) {
                        return Some(job);
                    }
                }
                Err(error) => {
                    let path = path_of(&error).unwrap_or_default();
                    let reason = cause(&error);
                    self.unreadable(path, reason);
                }
            }
        }
    }
}

fn path_of(error: &ignore::Error) -> Option<PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.clone()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

/// Returns the system's message, without the crates' words around it, which repeat the path.
fn cause(error: &ignore::Error) -> String {
    let Some(io) = error.io_error() else {
        return error.to_string();
    };
    let mut cause: &dyn Error = io;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::roots::roots;

    fn walked(paths: &[&str], budget: u64) -> (Vec<FileJob>, Tally) {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/embed");
        let paths: Vec<PathBuf> = paths.iter().map(|path| here.join(path)).collect();
        let mut tally = Tally::default();
        let jobs = Walk::new(roots(&paths), budget, &mut tally).collect();
        (jobs, tally)
    }

    #[test]
    fn files_come_once_sorted_and_numbered() {
        let (jobs, tally) = walked(&[".", "main.rs", "."], u64::MAX);
        assert_eq!(tally.files, jobs.len() as u64);
        assert!(jobs.iter().any(|job| job.path.ends_with("main.rs")));
        assert!(jobs.windows(2).all(|pair| pair[0].path < pair[1].path));
        assert!(jobs.iter().zip(0..).all(|(job, id)| job.id == id));
    }

    #[test]
    fn the_budget_leaves_out_what_does_not_fit() {
        let (all, _) = walked(&["."], u64::MAX);
        let budget = all.iter().map(|job| job.len).sum::<u64>() / 2;
        let (some, tally) = walked(&["."], budget);
        assert!(some.iter().map(|job| job.len).sum::<u64>() <= budget);
        assert_eq!(some.len() as u64 + tally.over_budget, all.len() as u64);
    }

    #[test]
    fn missing_paths_are_counted() {
        let (jobs, tally) = walked(&["no such folder", "main.rs"], u64::MAX);
        assert_eq!((jobs.len(), tally.unreadable.len()), (1, 1));
        assert!(tally.unreadable[0].path.ends_with("no such folder"));
    }
}
