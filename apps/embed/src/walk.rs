//! Walks the paths that were given, as the example does: in sorted order, by the ignore rules that hold there, without
//! hidden files and build output.

use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use crate::document::{FileJob, Skipped};
use crate::failure::Failure;
use crate::paths::ShownPath;
use crate::roots::roots;
use crate::tree_walk::{Tally, Walk};

/// The paths to index, and the folder of the index, whose files are not indexed.
#[derive(Clone)]
pub struct Roots {
    roots: Vec<Root>,
    /// The folder of the index, without links.
    index: PathBuf,
}

#[derive(Clone)]
struct Root {
    given: PathBuf,
    absolute: PathBuf,
    /// Without links.
    canonical: PathBuf,
}

impl Roots {
    /// Checks that the paths are there, and makes the folder of the index.
    pub fn new(given: &[PathBuf], index: &Path) -> Result<Roots, Failure> {
        let roots = given.iter().map(|path| Root::new(path)).collect::<Result<Vec<_>, Failure>>()?;
        fs::create_dir_all(index).map_err(|error| Failure::file("make the folder", index, &error))?;
        let index = fs::canonicalize(index).map_err(|error| Failure::file("find", index, &error))?;
        if let Some(inside) = roots.iter().find(|root| root.canonical.starts_with(&index)) {
            return Err(Failure::Usage(format!(
                "{} is in the folder of the index, {}: nothing there is indexed",
                inside.given.display(),
                index.display()
            )));
        }
        Ok(Roots { roots, index })
    }

    /// The paths without links, for a watch.
    pub fn canonical(&self) -> impl Iterator<Item = &Path> {
        self.roots.iter().map(|root| &*root.canonical)
    }

    /// Whether an absolute path is one of these, or below one.
    pub fn contain(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(&root.absolute))
    }

    /// Whether a path without links is one of these, or below one, and not in the folder of the index.
    pub fn are_about(&self, path: &Path) -> bool {
        !path.starts_with(&self.index) && self.canonical().any(|root| path.starts_with(root))
    }

    /// Calls `each` for every file below the paths, as long as it returns `true`. Returns what could not be examined.
    pub fn walk(&self, mut each: impl FnMut(ShownPath, FileJob) -> bool) -> Result<Vec<Skipped>, Failure> {
        let mut tally = Tally::default();
        let given: Vec<PathBuf> = self.roots.iter().map(|root| root.given.clone()).collect();
        for job in Walk::new(roots(&given), u64::MAX, &mut tally) {
            let path = ShownPath::new(&job.path);
            let path = path.map_err(|error| Failure::file("find", &job.path, &error))?;
            if !self.is_of_index(&path.path) && !each(path, job) {
                break;
            }
        }
        Ok(tally.unreadable)
    }

    /// Whether an absolute path that the walk found is in the folder of the index.
    fn is_of_index(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| {
            let below = path.strip_prefix(&root.absolute);
            below.is_ok_and(|below| root.canonical.join(below).starts_with(&self.index))
        })
    }
}

impl Root {
    fn new(given: &Path) -> Result<Root, Failure> {
        let failed = |error: io::Error| Failure::file("read", given, &error);
        let canonical = fs::canonicalize(given).map_err(failed)?;
        // What is above a link is not what the path's text says, so the system is asked.
        let climbs = given.components().any(|component| component == Component::ParentDir);
        let given = if climbs { canonical.clone() } else { given.to_owned() };
        let absolute = ShownPath::new(&given).map_err(failed)?.path;
        Ok(Root { given, absolute, canonical })
    }
}
