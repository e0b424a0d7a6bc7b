//! Where to look: the paths given, or this repository and, where there are any, the sources of
//! crates that cargo downloaded. The `ignore` crate walks. Its ignore rules hold in the paths
//! given, but not in cargo's sources: there they would hide files that belong to the crates.

use std::fs;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

/// A place to walk.
#[derive(Clone, Debug)]
pub struct Root {
    path: PathBuf,
    ignore_rules: bool,
}

/// The roots for the paths given, or the default ones.
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

    /// The path without links. Those can be in the root's part alone, since none is followed
    /// below it; asking the system once per root instead of once per file is much cheaper.
    pub fn true_path(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.given) {
            Ok(below) if below.as_os_str().is_empty() => self.canonical.clone(),
            Ok(below) => self.canonical.join(below),
            Err(_) => path.to_path_buf(),
        }
    }
}

/// A folder of git's, or one that cargo builds into. Crates have source folders called `target`
/// too, so the mark that cargo leaves in its own decides.
fn is_build_output(entry: &DirEntry) -> bool {
    let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
    let name = entry.file_name();
    let is_cargos = || entry.path().join("CACHEDIR.TAG").exists();
    is_dir && (name == ".git" || (name == "target" && is_cargos()))
}
