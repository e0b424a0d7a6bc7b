//! Folders and runs of the program, for its tests.

#![allow(dead_code, missing_docs)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is removed with this value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("filch-embed-test-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the temporary folder is writable");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder is writable");
        fs::write(&path, content).expect("the folder is writable");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program, without a model unless one is named: no cache folder has one.
pub fn embed(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_embed"));
    command.args(arguments).env("XDG_CACHE_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("the test's paths are UTF-8")
}

pub fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Runs the program, which must end well, and returns its standard output.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{:?}: {}", output.status, stderr(&output));
    stdout(&output)
}

/// Runs the program, which must end with `code`, and returns its complaints.
pub fn fail(command: &mut Command, code: i32) -> String {
    let output = run(command);
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
    stderr(&output)
}

/// Runs the program with an input.
pub fn feed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = spawn(command);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        // The program may end before it has read all.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("the program ends");
    feeder.join().expect("the feeder does not panic");
    output
}

/// Starts the program with pipes.
pub fn spawn(command: &mut Command) -> Child {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// The hits of a search.
pub fn search(index: &Path, words: &str, more: &[&str]) -> Vec<serde_json::Value> {
    let arguments = [&["search", words, "--index", text(index), "--json"], more].concat();
    let found = succeed(&mut embed(&arguments));
    serde_json::from_str(&found).expect("a JSON array")
}

/// The folder of a model, named by `EMBED_MODEL`. Without one, the test that asks says so and is skipped.
pub fn model() -> Option<PathBuf> {
    let folder = std::env::var_os("EMBED_MODEL").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: EMBED_MODEL does not name the folder of a model, as get-model fetches it");
    }
    folder
}
