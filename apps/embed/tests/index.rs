//! An index: made, searched, brought up to date.

mod common;

use std::fs;
use std::time::{Duration, SystemTime};

use common::{Folder, embed, fail, run, search, stderr, stdout, succeed, text};

/// A time that is long enough ago for the index to rely on it.
fn make_old(path: &std::path::Path) {
    let file = fs::File::options().write(true).open(path).expect("just written");
    file.set_modified(SystemTime::now() - Duration::from_secs(100)).expect("the time can be set");
}

#[test]
fn the_nearest_chunk_comes_first() {
    let folder = Folder::new();
    folder.write("t/cats.txt", "cats sleep on the warm windowsill\n");
    folder.write("t/deep/dogs.txt", "grüße an alle hunde, dogs bark at strangers\n");
    folder.write("t/binary", b"dogs\0dogs");
    folder.write("t/latin1.txt", b"dogs gr\xfc\xdfe");
    let (tree, index) = (folder.join("t"), folder.join("i"));
    let said = succeed(&mut embed(&["index", text(&tree), "--index", text(&index)]));
    assert!(said.lines().next().expect("a first line").contains("hashing"), "{said}");
    assert!(said.contains("2 files embedded, 0 unchanged, 0 removed; 2 binary, 0 unreadable"), "{said}");

    let hits = search(&index, "which dogs bark", &["--top", "2"]);
    let [dogs, cats] = &hits[..] else { panic!("two hits are wanted: {hits:?}") };
    assert_eq!(dogs["path"], text(&tree.join("deep/dogs.txt")));
    assert_eq!(cats["path"], text(&tree.join("cats.txt")));
    assert!(dogs["score"].as_f64() > cats["score"].as_f64());
    let content = fs::read(tree.join("deep/dogs.txt")).expect("just written");
    let place = |name: &str| dogs[name].as_u64().expect("a number") as usize;
    assert_eq!(dogs["text"].as_str().expect("a text").as_bytes(), &content[place("start")..place("end")]);
    let mut keys: Vec<_> = dogs.as_object().expect("an object").keys().collect();
    keys.sort();
    assert_eq!(keys, ["end", "path", "score", "start", "text"]);
    // For people.
    let shown = succeed(&mut embed(&["search", "which dogs bark", "--index", text(&index)]));
    assert!(shown.contains("dogs.txt:1\n"), "{shown}");
}

#[test]
fn paths_are_shown_as_they_were_named() {
    let folder = Folder::new();
    folder.write("t/a.txt", "some words\n");
    let said = succeed(embed(&["index", "./t", "--index", "i"]).current_dir(folder.path()));
    assert!(said.contains("1 files embedded"), "{said}");
    // From elsewhere, too, and with the text.
    let hits = search(&folder.join("i"), "words", &[]);
    assert_eq!(hits[0]["path"], "t/a.txt");
    assert_eq!(hits[0]["text"], "some words\n");
}

#[test]
fn only_what_has_changed_is_embedded_again() {
    let folder = Folder::new();
    let names = ["a.txt", "b.txt", "c.txt", "d.txt"];
    let paths = names.map(|name| folder.write(&format!("t/{name}"), format!("content of {name}, first\n")));
    paths.iter().for_each(|path| make_old(path));
    let (tree, index) = (folder.join("t"), folder.join("i"));
    let bring = || succeed(&mut embed(&["index", text(&tree), "--index", text(&index)]));
    assert!(bring().contains("4 files embedded, 0 unchanged"));
    assert!(bring().contains("0 files embedded, 4 unchanged"));

    // One with other content of the same length; one with another time and the same content; one that is gone; a new
    // one.
    fs::write(&paths[0], "content of a.txt, later\n").expect("writable");
    fs::write(&paths[1], "content of b.txt, first\n").expect("writable");
    fs::remove_file(&paths[2]).expect("there");
    folder.write("t/e.txt", "brand new\n");
    let said = bring();
    assert!(said.contains("2 files embedded, 2 unchanged, 1 removed"), "{said}");
    assert!(said.contains("the index has 4 chunks of 4 files"), "{said}");
    assert_eq!(search(&index, "later", &[])[0]["text"], "content of a.txt, later\n");
    assert!(search(&index, "c.txt", &[]).iter().all(|hit| hit["path"] != text(&paths[2])));
}

#[test]
fn a_file_changed_within_the_same_moment_is_seen() {
    let folder = Folder::new();
    let path = folder.write("t/a.txt", "one one\n");
    // As new as can be, however slow the machine is.
    let soon = SystemTime::now() + Duration::from_secs(5);
    fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(soon)).expect("settable");
    let (tree, index) = (folder.join("t"), folder.join("i"));
    let bring = || succeed(&mut embed(&["index", text(&tree), "--index", text(&index)]));
    bring();
    let time = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("there");
    fs::write(&path, "two two\n").expect("writable");
    fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("settable");
    assert!(bring().contains("1 files embedded"));
    assert_eq!(search(&index, "two", &[])[0]["text"], "two two\n");
}

#[test]
fn what_the_index_has_of_other_places_stays() {
    let folder = Folder::new();
    folder.write("one/a.txt", "apples\n");
    let b = folder.write("two/b.txt", "bananas\n");
    let index = folder.join("i");
    let bring =
        |place: &str| succeed(&mut embed(&["index", text(&folder.join(place)), "--index", text(&index)]));
    bring("one");
    assert!(bring("two").contains("the index has 2 chunks of 2 files"));
    fs::remove_file(b).expect("there");
    assert!(bring("one").contains("the index has 2 chunks of 2 files"));
    assert!(bring("two").contains("the index has 1 chunks of 1 files"));
}

#[test]
fn an_index_does_not_index_itself_and_grows_no_larger_than_twice_its_use() {
    let folder = Folder::new();
    let index = folder.join("t/index");
    for round in 0..40 {
        for file in 0..100 {
            folder.write(&format!("t/{file}.txt"), format!("round {round} of file {file}\n"));
        }
        let said = succeed(&mut embed(&["index", text(&folder.join("t")), "--index", text(&index)]));
        assert!(said.contains("the index has 100 chunks of 100 files"), "{said}");
    }
    let bytes: u64 = fs::read_dir(&index)
        .expect("the index's folder")
        .map(|entry| entry.and_then(|entry| entry.metadata()).expect("there").len())
        .sum();
    // 4,000 vectors of a KiB were written. 100 are of use, and up to 1,024 others may stay until the next change.
    assert!(bytes < 1_500_000, "{bytes}");
}

#[test]
fn long_files_empty_files_and_files_without_words() {
    let folder = Folder::new();
    let long: String = (0..60_000).map(|n| format!("line {n} of a long file\n")).collect();
    folder.write("t/long.txt", &long);
    folder.write("t/empty.txt", "");
    folder.write("t/marks.txt", "; . { }\n");
    let (tree, index) = (folder.join("t"), folder.join("i"));
    let said = succeed(&mut embed(&["index", text(&tree), "--index", text(&index)]));
    assert!(said.contains("3 files embedded"), "{said}");
    assert!(said.contains("1 chunks have no token: their vectors are zeros"), "{said}");
    let mut hits = search(&index, "line", &["--top", "100000"]);
    hits.retain(|hit| hit["path"] == text(&tree.join("long.txt")));
    hits.sort_by_key(|hit| hit["start"].as_u64());
    let whole: String = hits.iter().map(|hit| hit["text"].as_str().expect("a text")).collect();
    assert!(whole == long, "the chunks are not the file");

    let said = run(&mut embed(&["index", text(&tree), "--index", text(&index), "--max-file-mb", "1"]));
    assert!(stderr(&said).contains("at most 1000000 are read"), "{}", stderr(&said));
    assert!(stdout(&said).contains("1 unreadable"), "{}", stdout(&said));
}

#[test]
fn a_text_that_has_changed_since_is_not_shown() {
    let folder = Folder::new();
    let path = folder.write("t/a.txt", "first words\n");
    let (tree, index) = (folder.join("t"), folder.join("i"));
    succeed(&mut embed(&["index", text(&tree), "--index", text(&index)]));
    fs::write(&path, "other words\n").expect("writable");
    let output = run(&mut embed(&["search", "words", "--index", text(&index), "--json"]));
    assert!(output.status.success());
    assert!(stdout(&output).contains("\"text\":\"\""), "{}", stdout(&output));
    assert!(stderr(&output).contains("has changed: run `embed index` again"), "{}", stderr(&output));
}

#[test]
fn a_missing_path_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    let index = folder.join("i");
    let missing = folder.join("missing");
    let said = fail(&mut embed(&["index", text(&missing), "--index", text(&index)]), 1);
    assert!(said.contains("cannot read") && said.contains("missing"), "{said}");
    assert!(!index.exists());
}

#[test]
fn a_query_without_a_word_is_refused() {
    let folder = Folder::new();
    folder.write("t/a.txt", "words\n");
    let index = folder.join("i");
    succeed(&mut embed(&["index", text(&folder.join("t")), "--index", text(&index)]));
    let said = fail(&mut embed(&["search", " . ", "--index", text(&index)]), 2);
    assert!(said.contains("no token"), "{said}");
}

#[cfg(unix)]
#[test]
fn names_that_are_no_utf8_are_found() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::new();
    folder.write("t/plain.txt", "something else\n");
    let odd = folder.join("t").join(OsStr::from_bytes(b"gr\xfc\xdfe.txt"));
    fs::write(odd, "words in a file with an odd name\n").expect("the system allows any name");
    let index = folder.join("i");
    succeed(&mut embed(&["index", text(&folder.join("t")), "--index", text(&index)]));
    let hits = search(&index, "odd name", &[]);
    assert!(hits[0]["path"].as_str().expect("a path").ends_with("gr\u{fffd}\u{fffd}e.txt"));
    assert_eq!(hits[0]["text"], "words in a file with an odd name\n");
}
