//! An index among faults: kills, interrupts, two writers, damage, a full disk, a file that becomes shorter.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use common::{Folder, embed, fail, search, spawn, stderr, succeed, text};

/// A tree of `files` files of some kilobytes each.
fn tree(folder: &Folder, files: usize) {
    for file in 0..files {
        let words: String =
            (0..400).map(|word| format!("word{} ", (file * 7919 + word * 104_729) % 5000)).collect();
        folder.write(&format!("t/{}/{file}.txt", file % 16), words.replace("9 ", "9\n"));
    }
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: the child has not been waited for, so its number is still its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

fn end(mut child: Child) -> (ExitStatus, String) {
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
    (child.wait().expect("the child ends"), said)
}

/// Waits until `path` is there, so that the program is in the midst of its work.
fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} does not come", path.display());
        std::thread::yield_now();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_the_last_good_index() {
    let folder = Folder::new();
    tree(&folder, 400);
    let (t, index) = (folder.join("t"), folder.join("i"));
    let arguments = ["index", text(&t), "--index", text(&index)];
    let begun = Instant::now();
    succeed(&mut embed(&arguments));
    let whole = begun.elapsed();
    let paths = || {
        let hits = search(&index, "word17", &["--top", "100000"]);
        let mut paths: Vec<_> =
            hits.iter().map(|hit| hit["path"].as_str().expect("a path").to_owned()).collect();
        paths.sort();
        paths.dedup();
        paths
    };
    let before = paths();
    assert_eq!(before.len(), 400);
    let mut killed = 0;
    for round in 0..60 {
        // Each round has something to do: every file is new.
        for file in 0..400 {
            let path = folder.join(&format!("t/{}/{file}.txt", file % 16));
            let mut content = fs::read_to_string(&path).expect("there");
            content.push_str(&format!("round{round}\n"));
            fs::write(path, content).expect("writable");
        }
        let mut child = spawn(&mut embed(&arguments));
        // Not a synchronisation: the kill is to come at any moment.
        std::thread::sleep(whole.mul_f64(f64::from(round) / 50.0));
        child.kill().expect("the child was started");
        let (status, _) = (child.wait().expect("it ends"), child);
        killed += u32::from(!status.success());
        assert_eq!(paths(), before);
    }
    assert!(killed > 10, "only {killed} of 60 were killed in the midst");
    let said = succeed(&mut embed(&arguments));
    assert!(said.contains("of 400 files"), "{said}");
    let names: Vec<_> =
        fs::read_dir(&index).expect("there").map(|entry| entry.expect("there").file_name()).collect();
    assert_eq!(names.len(), 6, "something was left: {names:?}");
}

#[test]
fn ctrl_c_leaves_what_was_done() {
    let folder = Folder::new();
    tree(&folder, 4000);
    let (t, index) = (folder.join("t"), folder.join("i"));
    let child = spawn(&mut embed(&["index", text(&t), "--index", text(&index), "--workers", "1"]));
    wait_for(&index.join("chunks-1"));
    signal(&child, libc::SIGINT);
    let (status, said) = end(child);
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("run the same command to go on"), "{said}");
    search(&index, "word17", &[]);
    let said = succeed(&mut embed(&["index", text(&t), "--index", text(&index)]));
    assert!(said.contains("of 4000 files"), "{said}");
}

#[test]
fn a_second_writer_is_refused_and_readers_go_on() {
    let folder = Folder::new();
    folder.write("t/a.txt", "words\n");
    let (t, index) = (folder.join("t"), folder.join("i"));
    succeed(&mut embed(&["index", text(&t), "--index", text(&index)]));
    let lock = fs::File::open(index.join("lock")).expect("the index has a lock");
    lock.lock().expect("nobody else has it");
    let said = fail(&mut embed(&["index", text(&t), "--index", text(&index)]), 1);
    assert!(said.contains("another program writes the index"), "{said}");
    assert_eq!(search(&index, "words", &[]).len(), 1);
}

#[test]
fn a_damaged_index_is_told() {
    let folder = Folder::new();
    folder.write("t/a.txt", "words\n");
    let (t, index) = (folder.join("t"), folder.join("i"));
    let make = || succeed(&mut embed(&["index", text(&t), "--index", text(&index)]));
    let complain = |expected: &str| {
        let said = fail(&mut embed(&["search", "words", "--index", text(&index)]), 3);
        assert!(said.contains(expected), "{said}");
        fs::remove_dir_all(&index).expect("there");
        make();
    };
    fail(&mut embed(&["search", "words", "--index", text(&index)]), 3);
    make();
    for part in ["vectors-1", "chunks-1", "files-1", "paths-1"] {
        let file = fs::File::options().write(true).open(index.join(part)).expect("there");
        let length = file.metadata().expect("there").len();
        file.set_len(length - 1).expect("writable");
        complain("bytes where");
    }
    for part in ["chunks-1", "files-1", "paths-1"] {
        let mut bytes = fs::read(index.join(part)).expect("there");
        bytes[0] ^= 1;
        fs::write(index.join(part), bytes).expect("writable");
        complain("other content than was written");
    }
    let current = || fs::read_to_string(index.join("current")).expect("there");
    fs::write(index.join("current"), current().replace("\"version\": 1", "\"version\": 7")).expect("writable");
    complain("an index of version 7, and this program knows version 1");
    fs::write(index.join("current"), &current()[..40]).expect("writable");
    complain("or is damaged");
    fs::write(index.join("current"), current().replace("filch-embed", "other")).expect("writable");
    complain("is not an index's");
    fs::write(index.join("current"), current().replace("hashing-1", "0123456789abcdef")).expect("writable");
    let said = fail(&mut embed(&["index", text(&t), "--index", text(&index)]), 3);
    assert!(said.contains("choose another folder, or remove it"), "{said}");
}

#[test]
fn a_full_disk_leaves_the_index_as_it_was() {
    let folder = Folder::new();
    folder.write("t/a.txt", "the first words\n");
    let (t, index) = (folder.join("t"), folder.join("i"));
    succeed(&mut embed(&["index", text(&t), "--index", text(&index)]));
    tree(&folder, 3000);
    // A limit on the size of files stands in for the disk. The system kills who goes beyond it, unless the signal is
    // ignored, as a shell's child inherits it.
    let program = env!("CARGO_BIN_EXE_embed");
    let line =
        format!("trap '' XFSZ; ulimit -f 1024; exec {program} index {} --index {}", text(&t), text(&index));
    let mut shell = std::process::Command::new("bash");
    let output =
        shell.args(["-c", &line]).env("XDG_CACHE_HOME", "/nonexistent").output().expect("bash is there");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot write the index in"), "{}", stderr(&output));
    let hits = search(&index, "first words", &[]);
    assert_eq!((hits.len(), hits[0]["text"].as_str()), (1, Some("the first words\n")));
    let said = succeed(&mut embed(&["index", text(&t), "--index", text(&index)]));
    assert!(said.contains("of 3001 files"), "{said}");
}

#[test]
fn files_that_become_shorter_while_they_are_read_do_no_harm() {
    let folder = Folder::new();
    tree(&folder, 200);
    let (t, index) = (folder.join("t"), folder.join("i"));
    for _ in 0..10 {
        let child = spawn(&mut embed(&["index", text(&t), "--index", text(&index)]));
        for file in 0..200 {
            let file =
                fs::File::options().write(true).open(folder.join(&format!("t/{}/{file}.txt", file % 16)));
            let file = file.expect("there");
            let length = file.metadata().expect("there").len();
            file.set_len(length / 2).expect("writable");
        }
        let (status, said) = end(child);
        assert!(status.success(), "{said}");
    }
    let said = succeed(&mut embed(&["index", text(&t), "--index", text(&index)]));
    assert!(said.contains("of 200 files"), "{said}");
    // Each text that is shown is the one that is there.
    let hits = search(&index, "word17", &["--top", "1000"]);
    for hit in &hits {
        assert!(!hit["text"].as_str().expect("a text").is_empty(), "{hit}");
    }
}

#[test]
fn a_folder_that_is_no_index_is_left_alone() {
    let folder = Folder::new();
    folder.write("t/a.txt", "words\n");
    let (t, mine) = (folder.join("t"), folder.join("mine"));
    let kept = [folder.write("mine/files-2024", "mine"), folder.write("mine/current.next", "mine")];
    let said = fail(&mut embed(&["index", text(&t), "--index", text(&mine)]), 3);
    assert!(said.contains("has files, and is no index"), "{said}");
    for path in kept {
        assert_eq!(fs::read(path).expect("it is still there"), b"mine");
    }
    let said = fail(&mut embed(&["index", text(&t), "--index", text(folder.path())]), 2);
    assert!(said.contains("is in the folder of the index"), "{said}");
}

#[test]
fn what_is_above_a_link_is_found() {
    let folder = Folder::new();
    folder.write("far/docs/f.txt", "far words\n");
    folder.write("docs/f.txt", "near words\n");
    fs::create_dir(folder.join("far/inner")).expect("writable");
    std::os::unix::fs::symlink(folder.join("far/inner"), folder.join("link")).expect("the system has links");
    succeed(embed(&["index", "link/../docs", "--index", "i"]).current_dir(folder.path()));
    let hits = search(&folder.join("i"), "words", &[]);
    assert_eq!((hits.len(), hits[0]["text"].as_str()), (1, Some("far words\n")));
}

#[test]
fn a_pipe_in_the_place_of_a_file_stops_nobody() {
    let folder = Folder::new();
    let path = folder.write("t/a.txt", "words\n");
    let (t, index) = (folder.join("t"), folder.join("i"));
    succeed(&mut embed(&["index", text(&t), "--index", text(&index)]));
    fs::remove_file(&path).expect("there");
    let name = std::ffi::CString::new(text(&path)).expect("no NUL");
    // SAFETY: the name is a string that ends with NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let hits = search(&index, "words", &[]);
    assert_eq!((hits.len(), hits[0]["text"].as_str()), (1, Some("")));
    succeed(&mut embed(&["index", text(&t), "--index", text(&index)]));
}
