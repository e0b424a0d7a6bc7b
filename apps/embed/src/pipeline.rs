//! The stages from a path to a vector, on filch's queues:
//!
//! ```text
//! walk ──► [files] read, chunk ──► [segments] tokenise, embed ──► [pieces] write, one at a time
//! ```
//!
//! Each queue is bounded, so a stage that falls behind holds up the stages before it, and memory is bounded by the
//! capacities. A handler that waits for room in the next queue lends its worker to a spare meanwhile, and so does one that
//! waits for a disk, in [`filch::blocking`]. The walk runs in the calling thread.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use filch::{Pool, Queue};

use crate::document::{self, Document, Known, Outcome, Segment, Skipped};
use crate::failure::Failure;
use crate::index::writer::{NewFile, Place, Update};
use crate::interrupt::Interrupt;
use crate::model::{Model, Scratch};
use crate::paths::ShownPath;
use crate::progress::Counters;
use crate::walk::Roots;

/// Paths that may wait to be read.
const FILES: usize = 256;
/// Segments that may wait to be embedded. Each may keep its document in memory.
const SEGMENTS: usize = 32;
/// Vectors of segments that may wait to be written.
const PIECES: usize = 16;

/// The limits of a run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest file that is read, in bytes.
    pub largest_file: u64,
}

/// What a run met.
#[derive(Default)]
pub struct Met {
    /// Files that are no text.
    pub binary: u64,
    /// What could not be read.
    pub unreadable: Vec<Skipped>,
    /// Whether somebody has ended the walk.
    pub interrupted: bool,
}

/// A path to look at.
struct FileJob {
    path: ShownPath,
    known: Option<Known>,
}

/// What the last stage gets.
enum Piece {
    /// Chunks and their vectors.
    Chunks { document: Arc<Document>, places: Vec<Place>, vectors: Vec<f32> },
    /// The index has the file.
    Unchanged { number: u32, file: NewFile },
    /// The file is no text any more, or cannot be read.
    Gone { number: u32 },
}

/// What the stages share.
struct Shared {
    /// Taken out at the end.
    update: Mutex<Option<Update>>,
    met: Mutex<Met>,
    failed: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

impl Shared {
    /// Keeps the first failure, and has the stages let the rest pass.
    fn fail(&self, failure: Failure) {
        lock(&self.failure).get_or_insert(failure);
        // Relaxed: who sees the flag only does less.
        self.failed.store(true, Ordering::Relaxed);
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Brings what is below `roots` into the index, and returns it uncommitted.
pub fn run(
    pool: &Pool,
    model: &Arc<Model>,
    roots: &Roots,
    update: Update,
    limits: Limits,
    counters: &Arc<Counters>,
    interrupt: &Interrupt,
) -> Result<(Update, Met), Failure> {
    let known = update.known();
    let old = update.old().cloned();
    let shared = Arc::new(Shared {
        update: Mutex::new(Some(update)),
        met: Mutex::default(),
        failed: AtomicBool::new(false),
        failure: Mutex::default(),
    });
    let pieces = write_stage(pool, &shared)?;
    let segments = embed_stage(pool, model, &pieces, &shared, counters)?;
    let files = read_stage(pool, &pieces, &segments, &shared, limits, counters, interrupt)?;

    let walked = roots.walk(|path, _| {
        let number = known.get(path.path.as_os_str().as_encoded_bytes()).copied();
        let known =
            number.zip(old.as_deref()).map(|(number, old)| Known { number, record: old.file(number as usize) });
        // Waits while the queue is full. The queue is closed below, so nothing is refused.
        files.submit(FileJob { path, known }).is_ok() && !interrupt.came() && !shared.has_failed()
    });
    // In this order each queue gets all that the one before has for it.
    let panicked = end(files) + end(segments) + end(pieces);

    // A handler may live a little longer than its queue's last job, so nothing is taken out of the `Arc` itself.
    if let Some(failure) = lock(&shared.failure).take() {
        return Err(failure);
    }
    if panicked > 0 {
        let message =
            format!("{panicked} jobs have panicked, so the index stays as it was: this is a fault of embed");
        return Err(Failure::Other(message));
    }
    let mut met = mem::take(&mut *lock(&shared.met));
    met.unreadable.extend(walked?);
    met.interrupted = interrupt.came();
    let update = lock(&shared.update).take().expect("only this call takes it");
    Ok((update, met))
}

/// A panic under one of these locks is told by the pool, and leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a stage when it has done all that it got. Returns how many of its jobs have panicked.
fn end<J: Send + 'static>(queue: Queue<J>) -> u64 {
    queue.close();
    queue.wait();
    queue.counts().panicked
}

/// Reads files and cuts them.
fn read_stage(
    pool: &Pool,
    pieces: &Queue<Piece>,
    segments: &Queue<Segment>,
    shared: &Arc<Shared>,
    limits: Limits,
    counters: &Arc<Counters>,
    interrupt: &Interrupt,
) -> Result<Queue<FileJob>, Failure> {
    let (pieces, segments) = (pieces.clone(), segments.clone());
    let (shared, counters, interrupt) = (Arc::clone(shared), Arc::clone(counters), interrupt.clone());
    let read = move |FileJob { path, known }: FileJob| {
        // After an interrupt the index keeps what it has of files that nobody has looked at.
        if shared.has_failed() || interrupt.came() {
            return;
        }
        let gone = |known: Option<Known>| {
            known.is_none_or(|Known { number, .. }| pieces.submit(Piece::Gone { number }).is_ok())
        };
        let passed_on = match filch::blocking(|| document::read(path, known, limits.largest_file)) {
            Outcome::Text(document) => document.segments().all(|segment| segments.submit(segment).is_ok()),
            Outcome::Unchanged(file) => {
                counters.done(file.size, 0, 0, 0);
                known.is_some_and(|Known { number, .. }| {
                    pieces.submit(Piece::Unchanged { number, file }).is_ok()
                })
            }
            Outcome::Binary => {
                lock(&shared.met).binary += 1;
                gone(known)
            }
            // What the index has of it stays.
            Outcome::Unreadable(skipped) => {
                lock(&shared.met).unreadable.push(skipped);
                true
            }
            Outcome::Gone => gone(known),
        };
        if !passed_on {
            shared.fail(Failure::Other("a stage has ended early".to_owned()));
        }
    };
    pool.queue().name("files").capacity(FILES).build(read).map_err(refused)
}

/// Makes the vectors.
fn embed_stage(
    pool: &Pool,
    model: &Arc<Model>,
    pieces: &Queue<Piece>,
    shared: &Arc<Shared>,
    counters: &Arc<Counters>,
) -> Result<Queue<Segment>, Failure> {
    let (model, pieces) = (Arc::clone(model), pieces.clone());
    let (shared, counters) = (Arc::clone(shared), Arc::clone(counters));
    let embed = move |scratch: &mut Scratch, segment: Segment| {
        if shared.has_failed() {
            return;
        }
        let tokens = scratch.tokens();
        let done = embed_segment(&model, scratch, &segment).and_then(|(vectors, without_tokens)| {
            let places = segment.places();
            let chunks = places.len() as u64;
            counters.done(segment.bytes(), chunks, scratch.tokens() - tokens, without_tokens);
            let piece = Piece::Chunks { document: segment.document, places, vectors };
            pieces.submit(piece).map_err(|_| Failure::Other("a stage has ended early".to_owned()))
        });
        if let Err(failure) = done {
            shared.fail(failure);
        }
    };
    let queue = pool.queue().name("segments").capacity(SEGMENTS);
    queue.worker_state(|_| Scratch::default()).build(embed).map_err(refused)
}

/// Makes the vectors of a segment, one after the other, and counts the texts without a token.
pub fn embed_segment(
    model: &Model,
    scratch: &mut Scratch,
    segment: &Segment,
) -> Result<(Vec<f32>, u64), Failure> {
    let texts = segment.texts();
    let mut vectors = vec![0.0; texts.len() * model.dimensions()];
    let mut without_tokens = 0;
    for (text, vector) in texts.zip(vectors.chunks_exact_mut(model.dimensions())) {
        without_tokens += u64::from(!model.embed(text, scratch, vector)?);
    }
    Ok((vectors, without_tokens))
}

/// Writes what there is, one piece at a time.
fn write_stage(pool: &Pool, shared: &Arc<Shared>) -> Result<Queue<Piece>, Failure> {
    let shared = Arc::clone(shared);
    let write = move |piece: Piece| {
        if shared.has_failed() {
            return;
        }
        // Not contended: the queue runs one job at a time.
        let mut update = lock(&shared.update);
        let Some(update) = &mut *update else { return };
        match piece {
            Piece::Unchanged { number, file } => update.keep(number, file),
            Piece::Gone { number } => update.remove(number),
            Piece::Chunks { document, places, vectors } => {
                let file =
                    *document.number.get_or_init(|| update.add_file(document.file.clone(), document.replaced));
                // Into buffers and the system's cache: no time to lend a worker.
                if let Err(failure) = update.add_chunks(file, &places, &vectors) {
                    shared.fail(failure);
                }
            }
        }
    };
    pool.queue().name("pieces").capacity(PIECES).concurrency(1).build(write).map_err(refused)
}

fn refused(error: filch::BuildError) -> Failure {
    Failure::Other(error.to_string())
}
