//! The folders to walk: the given paths, or this repository and the sources of crates that cargo downloaded, if there
//! are any. The `ignore` crate does the walk. Its ignore rules hold in the given paths, but not in cargo's sources:
//! there they would hide files that belong to the crates.

use std::fs;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

/// A place to walk.
#[derive(Clone, Debug)]
pub struct Root {
    path: PathBuf,
    ignore_rules: bool,
}

/// Returns the roots for the given paths, or the default roots.
pub fn roots(paths: &[PathBuf]) -> Vec<Root> {
    if !paths.is_empty() {
        let given = |path: &PathBuf| Root { path: path.clone(), ignore_rules: true };
        return paths.iter().map(given).collect();
    }
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut roots = vec![Root { path: here, ignore_rules: true }];
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    if let Some(home) = cargo_home {
        let path = home.join("registry").join("src");
        let ignore_rules = false;
        roots.extend(path.is_dir().then_some(Root { path, ignore_rules }));
    }
    roots
}

/// The walk of one root.
pub struct Rooted {
    /// Its entries in sorted order.
    pub walk: ignore::Walk,
    given: PathBuf,
    canonical: PathBuf,
}

impl Rooted {
    /// Begins the walk.
    pub fn new(root: Root) -> Rooted {
        // The crate reads a lone "-" as standard input.
        let given = match root.path.as_os_str() == "-" {
            true => Path::new(".").join("-"),
            false => root.path,
        };
        let walk = WalkBuilder::new(&given)
            .standard_filters(root.ignore_rules)
            // Hidden files hold settings and histories rather than text worth finding.
            .hidden(true)
            .sort_by_file_name(Ord::cmp)
            .filter_entry(|entry| entry.depth() == 0 || !is_build_output(entry))
            .build();
        let canonical = fs::canonicalize(&given).unwrap_or_else(|_| given.clone());
        Rooted { walk, given, canonical }
    }

    /// Returns the path without links. Only the root's part can contain links, because the walk follows none below
    /// it. So the system is asked once per root instead of once per file, which is much cheaper.
    pub fn true_path(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.given) {
            Ok(below) if below.as_os_str().is_empty() => self.canonical.clone(),
            Ok(below) => self.canonical.join(below),
            Err(_) => path.to_path_buf(),
        }
    }
}

/// Returns whether the entry is a folder of git's, or a folder that cargo builds into. Crates have source folders
/// called `target`, too, so the mark that cargo leaves in its own folder decides.
fn is_build_output(entry: &DirEntry) -> bool {
    let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
    let name = entry.file_name();
    let is_cargos = || entry.path().join("CACHEDIR.TAG").exists();
    is_dir && (name == ".git" || (name == "target" && is_cargos()))
}
