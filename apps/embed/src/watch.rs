//! Indexes again when files change: `embed watch`. The system tells which paths change. A run then looks at the sizes
//! and times of all files, and reads and embeds those that differ.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher};

use crate::failure::Failure;
use crate::walk::Roots;

/// Changes come in bursts. A run begins when there was none for this long.
const QUIET: Duration = Duration::from_millis(200);

/// A run begins after this long even if changes go on.
const LONGEST_BURST: Duration = Duration::from_secs(2);

/// What wakes the loop.
#[derive(Debug)]
pub enum Event {
    /// A file below the roots may have changed.
    Changed,
    /// Somebody wants the program to end.
    Ended,
    /// The system watches no longer.
    Failed(String),
}

/// A watch on the paths, as long as this value lives.
pub struct Watch {
    _watcher: RecommendedWatcher,
    events: Receiver<Event>,
}

/// Makes the channel by which a watch is woken. The sender is for whoever ends the program.
pub fn channel() -> (Sender<Event>, Receiver<Event>) {
    mpsc::channel()
}

impl Watch {
    /// Begins to watch what is below `roots`.
    pub fn new(roots: &Roots, (sender, events): (Sender<Event>, Receiver<Event>)) -> Result<Watch, Failure> {
        let about = roots.clone();
        let tell = move |event: notify::Result<notify::Event>| {
            let event = match event {
                // What the index itself writes, what only reads, and what is beside a file is no change.
                Ok(event) if event.kind.is_access() => return,
                Ok(event)
                    if !event.paths.is_empty() && !event.paths.iter().any(|path| about.are_about(path)) =>
                {
                    return;
                }
                Ok(_) => Event::Changed,
                Err(error) => Event::Failed(error.to_string()),
            };
            // The receiver has gone only if the program ends.
            let _ = sender.send(event);
        };
        let failed = |error: notify::Error| Failure::Other(format!("cannot watch: {error}"));
        // The walk follows no links either.
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(tell, config).map_err(failed)?;
        for path in roots.canonical() {
            // An editor may put another file in a file's place, so the folder is watched.
            match path.parent().filter(|_| path.is_file()) {
                Some(folder) => watcher.watch(folder, RecursiveMode::NonRecursive),
                None => watcher.watch(path, RecursiveMode::Recursive),
            }
            .map_err(failed)?;
        }
        Ok(Watch { _watcher: watcher, events })
    }

    /// Waits for a change and for the end of its burst. `false` if the program is to end.
    pub fn wait(&self) -> Result<bool, Failure> {
        let mut event = self.events.recv().unwrap_or(Event::Ended);
        let begun = Instant::now();
        loop {
            match event {
                Event::Changed => {}
                Event::Ended => return Ok(false),
                Event::Failed(why) => return Err(Failure::Other(format!("cannot watch any longer: {why}"))),
            }
            if begun.elapsed() > LONGEST_BURST {
                return Ok(true);
            }
            event = match self.events.recv_timeout(QUIET) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => return Ok(true),
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
            };
        }
    }
}
