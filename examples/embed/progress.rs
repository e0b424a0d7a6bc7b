//! The progress bar. Workers add to plain counters. The bar has a thread of its own, which reads the counters ten
//! times a second and draws. Neither a worker nor the thread that feeds the workers ever draws or waits for the
//! terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// Counts how far the work has come.
#[derive(Default)]
pub struct Counters {
    total: AtomicU64,
    bytes: AtomicU64,
    documents: AtomicU64,
    stop: AtomicBool,
}

// Relaxed throughout: the counters are only displayed, and no other data is read because of their values.
impl Counters {
    /// Adds work that was found.
    pub fn found(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds work that was done.
    pub fn done(&self, bytes: u64, documents: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.documents.fetch_add(documents, Ordering::Relaxed);
    }
}

/// A bar on the standard error stream, if that is a terminal, for as long as this value lives.
pub struct Progress {
    bar: ProgressBar,
    counters: Arc<Counters>,
    drawer: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows the bar.
    pub fn start() -> Progress {
        let bar = ProgressBar::new(0);
        let template = "{prefix} [{wide_bar}] {decimal_bytes}/{decimal_total_bytes}, {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        let counters = Arc::new(Counters::default());
        let drawer = match bar.is_hidden() {
            true => None,
            // Without a bar the program is still of use, so a failure to start the thread is ignored.
            false => thread::Builder::new()
                .name("progress".to_owned())
                .spawn({
                    let (bar, counters) = (bar.clone(), Arc::clone(&counters));
                    move || draw(&bar, &counters)
                })
                .ok(),
        };
        Progress { bar, counters, drawer }
    }

    /// Returns the counters that the workers add to.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Begins a pass with `total` bytes of work known so far.
    pub fn begin(&self, label: String, total: u64) {
        self.bar.set_prefix(label);
        self.counters.bytes.store(0, Ordering::Relaxed);
        self.counters.documents.store(0, Ordering::Relaxed);
        self.counters.total.store(total, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.counters.stop.store(true, Ordering::Relaxed);
        if let Some(drawer) = self.drawer.take() {
            drawer.thread().unpark();
            // A panic of the thread that draws does not matter here.
            let _ = drawer.join();
        }
        self.bar.finish_and_clear();
    }
}

fn draw(bar: &ProgressBar, counters: &Counters) {
    while !counters.stop.load(Ordering::Relaxed) {
        let documents = counters.documents.load(Ordering::Relaxed);
        bar.set_message(format!("{documents} documents"));
        bar.update(|state| {
            state.set_len(counters.total.load(Ordering::Relaxed));
            state.set_pos(counters.bytes.load(Ordering::Relaxed));
        });
        thread::park_timeout(TICK);
    }
}
