//! The contenders. All of them use the stages of the library; they differ in who runs a stage and how work is passed on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use filch::Pool;
use filch_embed::document::{Document, Outcome, Segment, read};
use filch_embed::failure::Failure;
use filch_embed::index::writer::{Place, Update};
use filch_embed::interrupt::Interrupt;
use filch_embed::model::{Model, Scratch};
use filch_embed::paths::ShownPath;
use filch_embed::pipeline::{self, Limits, embed_segment};
use filch_embed::progress::Counters;
use filch_embed::walk::Roots;
use rayon::iter::{ParallelBridge, ParallelIterator};

/// What a contender gets.
pub struct Run {
    /// The model.
    pub model: Arc<Model>,
    /// What to embed.
    pub roots: Roots,
    /// How many threads embed.
    pub workers: usize,
    /// Where the index goes.
    pub folder: PathBuf,
}

/// What must be the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Tokens.
    pub tokens: u64,
    /// Chunks.
    pub chunks: u64,
    /// Files.
    pub files: u64,
}

type Contender = fn(&Run) -> Result<Counts, Failure>;

/// The contenders with their names.
pub const CONTENDERS: [(&str, Contender); 5] = [
    ("filch", on_filch),
    ("rayon par_bridge", on_rayon),
    ("crossbeam-channel", on_channels),
    ("one thread", on_one_thread),
    ("tokenizer alone, on rayon", tokenizer_alone),
];

const LIMITS: Limits = Limits { largest_file: u64::MAX };

fn on_filch(run: &Run) -> Result<Counts, Failure> {
    let pool = Pool::builder().workers(run.workers).build();
    let pool = pool.map_err(|error| Failure::Other(error.to_string()))?;
    let update = Update::begin(&run.folder, run.model.identity())?;
    let counters = Arc::new(Counters::default());
    let interrupt = Interrupt::default();
    let (update, _) = pipeline::run(&pool, &run.model, &run.roots, update, LIMITS, &counters, &interrupt)?;
    let changes = update.commit()?;
    Ok(Counts { tokens: counters.tokens(), chunks: changes.chunks, files: changes.files })
}

/// The last stage: it writes, under a lock.
struct Writer {
    update: Mutex<(Update, u64)>,
}

impl Writer {
    fn new(run: &Run) -> Result<Writer, Failure> {
        Ok(Writer { update: Mutex::new((Update::begin(&run.folder, run.model.identity())?, 0)) })
    }

    fn add(&self, document: &Document, places: &[Place], vectors: &[f32], tokens: u64) -> Result<(), Failure> {
        let mut update = self.update.lock().unwrap_or_else(PoisonError::into_inner);
        let (update, all) = &mut *update;
        *all += tokens;
        let file = *document.number.get_or_init(|| update.add_file(document.file.clone(), None));
        update.add_chunks(file, places, vectors)
    }

    fn end(self) -> Result<Counts, Failure> {
        let (update, tokens) = self.update.into_inner().unwrap_or_else(PoisonError::into_inner);
        let changes = update.commit()?;
        Ok(Counts { tokens, chunks: changes.chunks, files: changes.files })
    }
}

fn segments(path: ShownPath) -> Vec<Segment> {
    match read(path, None, LIMITS.largest_file) {
        Outcome::Text(document) => document.segments().collect(),
        _ => Vec::new(),
    }
}

fn embed(run: &Run, scratch: &mut Scratch, segment: &Segment, writer: &Writer) -> Result<(), Failure> {
    let before = scratch.tokens();
    let (vectors, _) = embed_segment(&run.model, scratch, segment)?;
    writer.add(&segment.document, &segment.places(), &vectors, scratch.tokens() - before)
}

/// Paths come from a thread that walks, through a bounded channel.
fn walk<R>(run: &Run, consume: impl FnOnce(crossbeam_channel::Receiver<ShownPath>) -> R) -> Result<R, Failure> {
    let (sender, receiver) = crossbeam_channel::bounded(256);
    thread::scope(|scope| {
        let walker = scope.spawn(move || run.roots.walk(|path, _| sender.send(path).is_ok()));
        let result = consume(receiver);
        walker.join().expect("the walk does not panic")?;
        Ok(result)
    })
}

fn rayon_pool(run: &Run) -> Result<rayon::ThreadPool, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(run.workers).build();
    pool.map_err(|error| Failure::Other(error.to_string()))
}

fn on_rayon(run: &Run) -> Result<Counts, Failure> {
    let (pool, writer) = (rayon_pool(run)?, Writer::new(run)?);
    walk(run, |paths| {
        pool.install(|| {
            let segments = paths.into_iter().par_bridge().flat_map_iter(segments);
            segments
                .try_for_each_init(Scratch::default, |scratch, segment| embed(run, scratch, &segment, &writer))
        })
    })??;
    writer.end()
}

fn on_channels(run: &Run) -> Result<Counts, Failure> {
    let writer = Writer::new(run)?;
    let (sender, receiver) = crossbeam_channel::bounded::<Segment>(32);
    let embedded = walk(run, |paths| {
        thread::scope(|scope| {
            for _ in 0..run.workers {
                let (paths, sender) = (paths.clone(), sender.clone());
                // The receivers live as long as this scope.
                scope
                    .spawn(move || paths.iter().flat_map(segments).all(|segment| sender.send(segment).is_ok()));
            }
            drop((paths, sender));
            let workers: Vec<_> = (0..run.workers)
                .map(|_| {
                    let (receiver, writer) = (receiver.clone(), &writer);
                    scope.spawn(move || {
                        let mut scratch = Scratch::default();
                        receiver.iter().try_for_each(|segment| embed(run, &mut scratch, &segment, writer))
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })
    })?;
    embedded?;
    writer.end()
}

fn on_one_thread(run: &Run) -> Result<Counts, Failure> {
    let (writer, mut scratch) = (Writer::new(run)?, Scratch::default());
    let mut paths = Vec::new();
    run.roots.walk(|path, _| {
        paths.push(path);
        true
    })?;
    for segment in paths.into_iter().flat_map(segments) {
        embed(run, &mut scratch, &segment, &writer)?;
    }
    writer.end()
}

/// Reads, cuts and tokenises, and makes no vectors. With a model, this is what the rest is measured against.
fn tokenizer_alone(run: &Run) -> Result<Counts, Failure> {
    let pool = rayon_pool(run)?;
    let counts = Mutex::new(Counts { tokens: 0, chunks: 0, files: 0 });
    walk(run, |paths| {
        pool.install(|| {
            let segments = paths.into_iter().par_bridge().flat_map_iter(segments);
            segments.try_for_each(|segment| -> Result<(), Failure> {
                let mut tokens = 0;
                for text in segment.texts() {
                    tokens += run.model.tokenise(text)? as u64;
                }
                let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                counts.tokens += tokens;
                counts.chunks += segment.chunks.len() as u64;
                counts.files += u64::from(segment.chunks.start == 0);
                Ok(())
            })
        })
    })??;
    Ok(counts.into_inner().unwrap_or_else(PoisonError::into_inner))
}
