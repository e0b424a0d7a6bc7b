//! `embed watch`: a run for each burst of changes, and none without.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};

use common::{Folder, embed, search, spawn, text};

#[test]
fn a_changed_file_is_embedded_again_and_the_index_itself_is_no_change() {
    let folder = Folder::new();
    folder.write("real/t/a.txt", "first words\n");
    folder.write("real/t/b.txt", "other words\n");
    std::os::unix::fs::symlink(folder.join("real"), folder.join("link")).expect("the system has links");
    // The index lies below the root, and both are named by other ways.
    let mut watching =
        embed(&["watch", text(&folder.join("link")), "--index", text(&folder.join("real/t/../index"))]);
    let mut child = spawn(&mut watching);
    let mut said =
        BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("UTF-8"));
    let mut report = || said.by_ref().find(|line| line.contains("files embedded")).expect("a report");
    assert!(report().starts_with("2 files embedded, 0 unchanged, 0 removed"));
    folder.write("real/t/a.txt", "later words\n");
    let changed = report();
    assert!(changed.starts_with("1 files embedded") || changed.starts_with("0 files embedded"), "{changed}");
    let index = folder.join("real/index");
    // A change may come in two bursts, of which the first finds an empty file.
    while search(&index, "later", &[])[0]["text"] != "later words\n" {
        report();
    }
    // Each run writes a generation. After the last burst there are no more.
    let generation = || {
        let current = fs::read_to_string(index.join("current")).expect("there");
        let current: serde_json::Value = serde_json::from_str(&current).expect("JSON");
        current["generation"].as_u64().expect("a number")
    };
    assert!(generation() < 10, "{}", generation());
    // SAFETY: the child has not been waited for, so its number is still its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    assert!(child.wait().expect("it ends").success());
    assert_eq!(search(&index, "words", &["--top", "10"]).len(), 2);
}
