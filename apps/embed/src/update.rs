//! Brings an index up to date.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use filch::Pool;

use crate::failure::Failure;
use crate::index::writer::{Changes, Update};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::paths::ShownPath;
use crate::pipeline::{self, Limits, Met};
use crate::progress::{Counters, Progress};
use crate::walk::Roots;

/// What a run has done.
pub struct Report {
    /// What has changed in the index.
    pub changes: Changes,
    /// What the run met.
    pub met: Met,
    /// Bytes of text that were looked at.
    pub bytes: u64,
    /// Tokens that were embedded.
    pub tokens: u64,
    /// Chunks without a token.
    pub without_tokens: u64,
    /// How long it took.
    pub took: Duration,
}

/// Brings what the index has below `roots` up to date. Files elsewhere stay as they are. After an interrupt the index
/// has the files that were done, and of those that were not reached what it had before.
pub fn update(
    pool: &Pool,
    model: &Arc<Model>,
    roots: &Roots,
    update: Update,
    limits: Limits,
    interrupt: &Interrupt,
) -> Result<Report, Failure> {
    let begun = Instant::now();
    let progress = Progress::start();
    let counters = Arc::clone(progress.counters());
    if progress.is_seen() {
        let (roots, counters, interrupt) = (roots.clone(), Arc::clone(&counters), interrupt.clone());
        // The time left is all that depends on it, so nobody waits for this thread, and its failures are ignored.
        let counter = thread::Builder::new().name("count".to_owned());
        let _ = counter.spawn(move || count(&roots, &counters, &interrupt));
    }
    let (mut update, met) = pipeline::run(pool, model, roots, update, limits, &counters, interrupt)?;
    // What could not be examined may still be there: a folder without permission, a disk that is not mounted.
    let unseen: Vec<_> =
        met.unreadable.iter().filter_map(|skipped| ShownPath::new(&skipped.path).ok()).collect();
    update.settle_rest(|path| {
        met.interrupted || !roots.contain(path) || unseen.iter().any(|unseen| path.starts_with(&unseen.path))
    });
    let changes = update.commit()?;
    drop(progress);
    Ok(Report {
        changes,
        met,
        bytes: counters.bytes(),
        tokens: counters.tokens(),
        without_tokens: counters.without_tokens(),
        took: begun.elapsed(),
    })
}

/// Counts the bytes that there are, ahead of the pipeline, for the time that is left.
fn count(roots: &Roots, counters: &Counters, interrupt: &Interrupt) {
    let mut total = 0;
    let _ = roots.walk(|path, _| {
        total += fs::metadata(&path.path).map_or(0, |metadata| metadata.len());
        counters.set_total(total);
        !interrupt.came()
    });
}
