//! The two passes over the files. The first reads, cuts and counts; the second makes the vectors. There are two
//! passes because the weights are known only after every chunk was counted. A [`Runner`] runs the jobs. The program
//! has three runners and its companion a fourth. All of them run exactly this code, so `--compare` compares
//! schedulers.
//!
//! Each result carries the number of its job, and the results are sorted by it. So the order in which jobs end leaves
//! no trace.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::document::{self, FileJob, Outcome, Segment, Skipped};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::slot::{Runner, Slot, run_all};
use crate::vector::{DIMENSIONS, Frequencies, Scratch, Weights};

/// A worker's buffers and results in the first pass.
#[derive(Default)]
struct Counting {
    frequencies: Frequencies,
    outcomes: Vec<(usize, Outcome)>,
}

/// A worker's buffers and results in the second pass.
#[derive(Default)]
struct Embedding {
    scratch: Scratch,
    vectors: Vec<(usize, Vec<f32>)>,
}

/// The results and figures of a run.
pub struct Run {
    /// The text in order.
    pub segments: Arc<[Segment]>,
    /// The vectors of each segment's chunks, one after the other.
    pub vectors: Vec<Vec<f32>>,
    /// The weights with which a query is embedded.
    pub weights: Arc<Weights>,
    /// Documents embedded.
    pub documents: u64,
    /// Empty text files.
    pub empty: u64,
    /// Files that are no text.
    pub binary: u64,
    /// Files that could not be read, in order.
    pub unreadable: Vec<Skipped>,
    /// Bytes of text embedded.
    pub bytes: u64,
    /// The time from the first job to the last vector.
    pub wall: Duration,
    /// How long each worker was inside jobs.
    pub busy: Vec<Duration>,
}

/// Reads `files` and embeds them.
pub fn embed_all(
    runner: &impl Runner,
    files: impl Iterator<Item = FileJob>,
    progress: &Progress,
    title: &str,
) -> Result<Run, Failure> {
    let started = Instant::now();
    let slots = Slot::<Counting>::many(runner.workers());
    let outcomes = read_and_count(runner, &slots, files, progress, format!("{title}counting"))?;

    let (mut segments, mut unreadable) = (Vec::new(), Vec::new());
    let (mut documents, mut empty, mut binary, mut bytes) = (0, 0, 0, 0);
    for outcome in outcomes {
        match outcome {
            Outcome::Text(document) if document.chunks.is_empty() => empty += 1,
            Outcome::Text(document) => {
                documents += 1;
                bytes += document.text.len() as u64;
                segments.extend(document.segments());
            }
            Outcome::Binary => binary += 1,
            Outcome::Unreadable(skipped) => unreadable.push(skipped),
        }
    }
    let segments: Arc<[Segment]> = segments.into();
    count_long(runner, &slots, &segments)?;

    let (weights, mut busy) = {
        let guards: Vec<_> = slots.iter().map(Slot::lock).collect();
        let weights = Weights::new(guards.iter().map(|inner| &inner.state.frequencies));
        let busy: Vec<_> = guards.iter().map(|inner| inner.busy).collect();
        (Arc::new(weights), busy)
    };

    let slots = Slot::<Embedding>::many(runner.workers());
    progress.begin(format!("{title}embedding"), bytes);
    let vectors = embed(runner, &slots, &segments, &weights, progress)?;
    for (sum, slot) in busy.iter_mut().zip(&slots) {
        *sum += slot.lock().busy;
    }
    let wall = started.elapsed();
    Ok(Run { segments, vectors, weights, documents, empty, binary, unreadable, bytes, wall, busy })
}

/// Runs the first pass: a job per file. The outcomes are in the order of the files.
fn read_and_count(
    runner: &impl Runner,
    slots: &[Slot<Counting>],
    files: impl Iterator<Item = FileJob>,
    progress: &Progress,
    label: String,
) -> Result<Vec<Outcome>, Failure> {
    progress.begin(label, 0);
    let files = files.inspect(|file| progress.counters().found(file.len));
    let counters = Arc::clone(progress.counters());
    run_all(runner, slots, files, move |state: &mut Counting, file: FileJob| {
        let outcome = document::read(&file);
        if let Outcome::Text(document) = &outcome
            && !document.is_long()
        {
            for chunk in &document.chunks {
                state.frequencies.add(document.chunk_text(chunk));
            }
        }
        state.outcomes.push((file.id, outcome));
        counters.done(file.len, 1);
    })?;
    Ok(in_order(slots, |state| mem::take(&mut state.outcomes)))
}

/// Ends the first pass: long documents were only read so far. This counts them, in segments.
fn count_long(
    runner: &impl Runner,
    slots: &[Slot<Counting>],
    segments: &Arc<[Segment]>,
) -> Result<(), Failure> {
    let long = segments.iter().filter(|segment| segment.document.is_long());
    run_all(runner, slots, long.cloned(), |state: &mut Counting, segment: Segment| {
        for text in segment.texts() {
            state.frequencies.add(text);
        }
    })
}

/// Runs the second pass: a job per segment.
fn embed(
    runner: &impl Runner,
    slots: &[Slot<Embedding>],
    segments: &Arc<[Segment]>,
    weights: &Arc<Weights>,
    progress: &Progress,
) -> Result<Vec<Vec<f32>>, Failure> {
    let counters = Arc::clone(progress.counters());
    let (weights, all) = (Arc::clone(weights), Arc::clone(segments));
    let work = move |state: &mut Embedding, index: usize| {
        let segment = &all[index];
        let mut vectors = vec![0.0; segment.chunks.len() * DIMENSIONS];
        for (text, vector) in segment.texts().zip(vectors.chunks_exact_mut(DIMENSIONS)) {
            weights.embed(text, &mut state.scratch, vector);
        }
        state.vectors.push((index, vectors));
        counters.done(segment.bytes(), segment.documents());
    };
    run_all(runner, slots, 0..segments.len(), work)?;
    Ok(in_order(slots, |state| mem::take(&mut state.vectors)))
}

/// Takes the results out of all slots and puts them into the order of their jobs.
fn in_order<S, T>(slots: &[Slot<S>], mut take: impl FnMut(&mut S) -> Vec<(usize, T)>) -> Vec<T> {
    let parts = slots.iter().flat_map(|slot| take(&mut slot.lock().state));
    let mut all: Vec<(usize, T)> = parts.collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::chunk::SEGMENT_BYTES;
    use crate::on_rayon::OnRayon;
    use crate::roots::roots;
    use crate::runners::{OnFilch, OneThread};
    use crate::vector::{checksum, dot};
    use crate::walk::{Tally, Walk};

    /// The sources, which are short, and one file long enough to be worked on in segments.
    struct Input {
        long: PathBuf,
    }

    impl Input {
        fn new(test: &str) -> Input {
            let name = format!("embed-{}-{test}", std::process::id());
            let long = std::env::temp_dir().join(name);
            let line = |n: u32| format!("{n} {:x} {}\n", n.wrapping_mul(0x9e37_79b9), n % 97);
            let text: String = (0..40_000).map(line).collect();
            assert!(text.len() > 2 * SEGMENT_BYTES);
            fs::write(&long, text).expect("the temporary folder is writable");
            Input { long }
        }

        fn run(&self, runner: &impl Runner) -> Run {
            let sources = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
            let paths = [sources, self.long.clone()];
            let mut tally = Tally::default();
            let files = Walk::new(roots(&paths), u64::MAX, &mut tally);
            embed_all(runner, files, &Progress::start(), "").expect("the input can be read")
        }
    }

    impl Drop for Input {
        fn drop(&mut self) {
            // A file left in the temporary folder is no reason to fail.
            let _ = fs::remove_file(&self.long);
        }
    }

    #[test]
    fn the_same_vectors_whatever_runs_the_jobs() {
        let input = Input::new("same");
        let alone = input.run(&OneThread);
        assert!(alone.segments.len() as u64 > alone.documents);
        let mut runs = vec![input.run(&OnRayon::new(3).expect("a small pool"))];
        // A queue of one slot makes the walk wait at every job.
        for (workers, capacity) in [(1, 1), (4, 1), (4, 1024)] {
            let filch = OnFilch::new(Some(workers), capacity).expect("a small pool");
            runs.push(input.run(&filch));
        }
        for other in runs {
            assert!(alone.vectors == other.vectors);
            assert_eq!(checksum(&alone.vectors), checksum(&other.vectors));
        }
    }

    #[test]
    fn every_chunk_has_a_vector_of_length_one() {
        let run = Input::new("length").run(&OneThread);
        for (segment, vectors) in run.segments.iter().zip(&run.vectors) {
            assert_eq!(vectors.len(), segment.chunks.len() * DIMENSIONS);
            for vector in vectors.chunks_exact(DIMENSIONS) {
                // A chunk without a single word has a vector of zeros.
                let length = dot(vector, vector).sqrt();
                assert!(length == 0.0 || (length - 1.0).abs() < 1e-5);
            }
        }
    }
}
