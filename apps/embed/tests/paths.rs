//! How an index names files.

use std::path::Path;

use filch_embed::paths::ShownPath;

fn named(path: &str) -> ShownPath {
    ShownPath::new(Path::new(path)).expect("there is a current folder")
}

#[test]
fn a_relative_path_is_shown_as_it_was_named() {
    let named = named("./src/../src/lib.rs");
    assert!(named.path.is_absolute());
    assert_eq!(named.shown(), Path::new("src/lib.rs"));
}

#[test]
fn a_path_outside_of_the_current_folder_is_shown_whole() {
    for path in ["../x", ".", "/a/./b"] {
        let named = named(path);
        assert_eq!(named.shown(), named.path);
    }
    assert_eq!(named("/a/./c/../b").path, Path::new("/a/b"));
}
