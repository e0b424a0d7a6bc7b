//! Counts words: jobs of a scope borrow data that lives outside the scope, and spawn more jobs like themselves.
//!
//! ```sh
//! cargo run --release --example scope -- src docs
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs};

#[derive(Default)]
struct Totals {
    files: AtomicUsize,
    words: AtomicUsize,
}

/// Spawns a job for each entry of a folder. The jobs outlive this call, but not the scope. `totals` outlives the
/// scope too.
fn folder<'scope>(scope: &filch::Scope<'scope>, path: &Path, totals: &'scope Totals) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => scope.spawn(move |scope| folder(scope, &path, totals)),
            Ok(kind) if kind.is_file() => scope.spawn(move |_| file(&path, totals)),
            _ => {}
        }
    }
}

/// Opens a scope inside a job of another scope. It ends when both halves have been counted.
fn file(path: &Path, totals: &Totals) {
    let Ok(text) = fs::read_to_string(path) else { return };
    let middle = text.find('\n').map_or(0, |_| text.len() / 2);
    let middle = text.bytes().skip(middle).position(|byte| byte == b'\n').map_or(text.len(), |n| n + middle);
    let (mut top, mut bottom) = (0, 0);
    filch::scope(|scope| {
        scope.spawn(|_| top = text[..middle].split_whitespace().count());
        scope.spawn(|_| bottom = text[middle..].split_whitespace().count());
    });
    // The scope has ended, so the data that its jobs borrowed and wrote is free again.
    totals.words.fetch_add(top + bottom, Ordering::Relaxed);
    totals.files.fetch_add(1, Ordering::Relaxed);
}

fn main() {
    let mut paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        paths = vec!["src".into(), "docs".into()];
    }
    let totals = Totals::default();
    filch::Pool::global().scope(|scope| {
        for path in &paths {
            folder(scope, path, &totals);
        }
    });
    println!("{} words in {} files", totals.words.into_inner(), totals.files.into_inner());
}
