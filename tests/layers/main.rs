//! Checks the layout of the sources: each file uses its own floor and those below, no files use each other in a
//! circle, no file is long, and the documents name only files that exist.

mod graph;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use graph::Graph;
use source::Module;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The folders of `src`, lowest first. `error.rs` is below them all, and `lib.rs` above.
const FLOORS: [&str; 9] =
    ["sync", "system", "waiting", "jobs", "scheduler", "tasks", "fork_join", "queue", "pool"];

/// The most lines that a file of `src` may have.
const LONGEST: usize = 350;

/// All files below `folder` whose name ends with `ending`.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                found.extend(files(&path, ending));
            }
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn modules(folder: &str) -> Vec<Module> {
    let root = Path::new(ROOT).join(folder);
    files(&root, ".rs").iter().map(|path| Module::read(&root, path)).collect()
}

/// The floor of a file, found by the file's place in the module tree.
fn floor(path: &[String]) -> usize {
    match path.first().map(String::as_str) {
        None => FLOORS.len() + 1,
        Some("error") => 0,
        Some(folder) => {
            1 + FLOORS
                .iter()
                .position(|floor| *floor == folder)
                .unwrap_or_else(|| panic!("{folder} is no floor"))
        }
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    for folder in [
        "src",
        "rayon-core/src",
        "loom-tests/src",
        "shuttle-tests/src",
        "lab/src",
        "lab/machine/src",
        "apps/embed/src",
        "benches",
    ] {
        let modules = modules(folder);
        assert!(modules.len() > 2, "the sources of {folder} were found");
        let circles = Graph::of(&modules).circles();
        assert!(circles.is_empty(), "{folder}: {circles:#?}");
    }
}

#[test]
fn a_file_uses_its_own_floor_and_those_below() {
    let modules = modules("src");
    let graph = Graph::of(&modules);
    let upward: Vec<String> = graph
        .edges()
        .filter(|(from, to)| floor(&from.path) < floor(&to.path))
        .map(|(from, to)| format!("{} uses {}", from.path.join("::"), to.path.join("::")))
        .collect();
    assert!(graph.edges().count() > 300, "the imports were found");
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn each_floor_is_a_folder_and_in_the_map() {
    let folder = Path::new(ROOT).join("src");
    let mut entries: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    entries.sort();
    let mut expected: Vec<&str> = FLOORS.into_iter().chain(["error.rs", "lib.rs"]).collect();
    expected.sort_unstable();
    assert_eq!(entries, expected);
    for document in ["src/lib.rs", "docs/DESIGN.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join(document)).unwrap();
        let rows = text.lines().filter_map(|line| {
            let row = line.trim_start_matches("//! ").strip_prefix("| ")?;
            let (number, rest) = row.split_once(" | `")?;
            Some((number.parse::<usize>().ok()?, rest.split('`').next()?.trim_end_matches('/').to_owned()))
        });
        let map: Vec<(usize, String)> = rows.collect();
        let expected = FLOORS.iter().enumerate().map(|(below, floor)| (below + 1, (*floor).to_owned()));
        let expected: Vec<(usize, String)> = expected.rev().collect();
        assert_eq!(map, expected, "the floors in {document}, highest first");
    }
}

#[test]
fn no_file_is_long() {
    let long: Vec<String> = files(&Path::new(ROOT).join("src"), ".rs")
        .iter()
        .map(|path| (path, fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// Returns the path in `text` if `text` names a file or a folder of this project. `text` comes from backquotes.
fn named(text: &str) -> Option<&str> {
    let path = text.split("::").next()?.trim_end_matches('/');
    let known = [
        "src/",
        "docs/",
        "tests/",
        "benches/",
        "examples/",
        "loom-tests/",
        "shuttle-tests/",
        "lab/",
        "rayon-core/",
    ];
    let is_path = known.iter().any(|folder| text.starts_with(folder));
    let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    (is_path && is_plain && !path.contains("target")).then_some(path)
}

#[test]
fn the_documents_name_files_that_exist() {
    let mut texts = files(Path::new(ROOT), ".md");
    texts.extend(files(&Path::new(ROOT).join("src"), ".rs"));
    let (mut missing, mut seen) = (Vec::new(), 0);
    for text in texts.iter().filter(|path| !path.ends_with("CHANGELOG.md")) {
        let content = fs::read_to_string(text).unwrap();
        for path in content.split('`').skip(1).step_by(2).filter_map(named) {
            seen += 1;
            // The path is relative to the project, or to the folder of the file that names it.
            let bases = [Path::new(ROOT), text.parent().unwrap()];
            if !bases.iter().any(|base| base.join(path).exists()) {
                missing.push(format!("{} names {path}", text.display()));
            }
        }
    }
    assert!(seen > 50, "paths were found");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_check_sees_what_it_is_for() {
    let module = |path: &str, text: &str| Module::of(path.split("::").map(str::to_owned).collect(), text);
    let two = [module("a", "use crate::b::B;"), module("b", "fn f() { crate::a::g() }")];
    assert_eq!(Graph::of(&two).circles().len(), 1);
    // A circle through a name that a folder passes on, and a circle through a path that begins with a child module.
    let folder = |own: &str| {
        [module("a", "use crate::f::Name;"), module("f", own), module("f::inner", "use crate::a::thing;")]
    };
    assert_eq!(Graph::of(&folder("mod inner; pub(crate) use inner::Name;")).circles().len(), 1);
    assert_eq!(Graph::of(&folder("mod inner; struct Name;")).circles().len(), 0);
    assert_eq!(Graph::of(&folder("mod inner; use inner::Other; struct Name;")).circles().len(), 1);
    // Names in comments and in tests do not count as uses.
    let comment = [
        module("a", "// crate::b::B\n#[cfg(test)] mod tests { use crate::b::B; }"),
        module("b", "use crate::a::A;"),
    ];
    assert_eq!(Graph::of(&comment).circles().len(), 0);
    let up = [module("jobs::job", "use super::super::pool::Pool;"), module("pool", "")];
    let graph = Graph::of(&up);
    assert!(graph.edges().any(|(from, to)| floor(&from.path) < floor(&to.path)));
}
