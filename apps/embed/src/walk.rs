//! Walks the paths that were given, as the example does: in sorted order, by the ignore rules that hold there, without
//! hidden files and build output.

use std::path::{Path, PathBuf};

use crate::document::{FileJob, Skipped};
use crate::failure::Failure;
use crate::paths::ShownPath;
use crate::roots::roots;
use crate::tree_walk::{Tally, Walk};

/// The paths to index, and the folder of the index, whose files are not indexed.
#[derive(Clone)]
pub struct Roots {
    given: Vec<PathBuf>,
    absolute: Vec<PathBuf>,
    index: PathBuf,
}

impl Roots {
    /// Checks that the paths are there.
    pub fn new(given: &[PathBuf], index: &Path) -> Result<Roots, Failure> {
        let absolute = |path: &Path| {
            let path = ShownPath::new(path).map_err(|error| Failure::file("find", path, &error))?;
            Ok(path.path)
        };
        for path in given {
            path.metadata().map_err(|error| Failure::file("read", path, &error))?;
        }
        Ok(Roots {
            given: given.to_vec(),
            absolute: given.iter().map(|path| absolute(path)).collect::<Result<_, Failure>>()?,
            index: absolute(index)?,
        })
    }

    /// The paths as they were given.
    pub fn given(&self) -> &[PathBuf] {
        &self.given
    }

    /// Whether an absolute path is one of these, or below one.
    pub fn contain(&self, path: &Path) -> bool {
        self.absolute.iter().any(|root| path.starts_with(root))
    }

    /// Whether an absolute path is in the folder of the index.
    pub fn is_of_index(&self, path: &Path) -> bool {
        path.starts_with(&self.index)
    }

    /// Calls `each` for every file below the paths, as long as it returns `true`. Returns what could not be examined.
    pub fn walk(&self, mut each: impl FnMut(ShownPath, FileJob) -> bool) -> Result<Vec<Skipped>, Failure> {
        let mut tally = Tally::default();
        for job in Walk::new(roots(&self.given), u64::MAX, &mut tally) {
            let path = ShownPath::new(&job.path);
            let path = path.map_err(|error| Failure::file("find", &job.path, &error))?;
            if !self.is_of_index(&path.path) && !each(path, job) {
                break;
            }
        }
        Ok(tally.unreadable)
    }
}
