//! The progress bar: bytes, MB/s and the time left. Workers add to plain counters. The bar has a thread of its own,
//! which reads the counters ten times a second and draws, so no worker ever waits for the terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// How far the work has come.
#[derive(Default)]
pub struct Counters {
    total: AtomicU64,
    bytes: AtomicU64,
    chunks: AtomicU64,
    tokens: AtomicU64,
    without_tokens: AtomicU64,
    stop: AtomicBool,
}

// Relaxed throughout: the counters are only displayed, or read after a queue's `wait`.
impl Counters {
    /// Sets how many bytes there are in all.
    pub fn set_total(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }

    /// Adds work that was done.
    pub fn done(&self, bytes: u64, chunks: u64, tokens: u64, without_tokens: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.chunks.fetch_add(chunks, Ordering::Relaxed);
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
        self.without_tokens.fetch_add(without_tokens, Ordering::Relaxed);
    }

    /// Bytes of text that were embedded, or that are known.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Tokens that were embedded.
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// Texts without a token.
    pub fn without_tokens(&self) -> u64 {
        self.without_tokens.load(Ordering::Relaxed)
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
        let template =
            "[{wide_bar}] {decimal_bytes}/{decimal_total_bytes}, {decimal_bytes_per_sec}, {msg}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        let counters = Arc::new(Counters::default());
        let drawer = (!bar.is_hidden()).then(|| {
            let (bar, counters) = (bar.clone(), Arc::clone(&counters));
            let thread = thread::Builder::new().name("progress".to_owned());
            // Without a bar the program is still of use, so a failure to start the thread is ignored.
            thread.spawn(move || draw(&bar, &counters)).ok()
        });
        Progress { bar, counters, drawer: drawer.flatten() }
    }

    /// The counters that the workers add to.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Whether anybody sees the bar.
    pub fn is_seen(&self) -> bool {
        self.drawer.is_some()
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
        bar.set_message(format!("{} chunks", counters.chunks.load(Ordering::Relaxed)));
        bar.update(|state| {
            let bytes = counters.bytes();
            state.set_len(counters.total.load(Ordering::Relaxed).max(bytes));
            state.set_pos(bytes);
        });
        thread::park_timeout(TICK);
    }
}
