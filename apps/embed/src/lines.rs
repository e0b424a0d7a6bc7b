//! Turns lines into vectors, in order and as they come: `embed vectors`.
//!
//! The calling thread reads. It takes the lines that have arrived as one batch, and spawns a job that makes their
//! vectors. The job's handle goes into a queue that runs one job at a time, in order: that one waits for the handle and
//! writes. So a line that comes alone is answered at once, many lines keep all workers busy, and the queue's capacity
//! bounds how far the reader gets ahead.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use filch::{JoinHandle, Pool, Queue};

use crate::failure::Failure;
use crate::model::{Model, Scratch};

/// The most lines in a batch, and the most bytes: a batch takes some hundred microseconds to some milliseconds.
const LINES: usize = 32;
const BYTES: usize = 16 * 1024;

/// The longest line in bytes.
const LONGEST: u64 = 16_000_000;

/// Batches that may be under way.
const AHEAD: usize = 64;

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines.
    pub lines: u64,
    /// Lines without a token, whose vectors are zeros.
    pub without_tokens: u64,
    /// Lines that are no UTF-8, with replacements where they are not.
    pub not_utf8: u64,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.lines += other.lines;
        self.without_tokens += other.without_tokens;
        self.not_utf8 += other.not_utf8;
    }
}

/// The vectors of a batch as they are written, and what was counted.
type Answer = Result<(Vec<u8>, Counts), Failure>;

/// The end of the pipe.
struct Output<W> {
    to: W,
    counts: Counts,
    failure: Option<Failure>,
}

/// Reads `input` to its end and writes a JSON array for each line to `output`. Ends earlier if `output` is closed.
pub fn vectors(
    pool: &Pool,
    model: &Arc<Model>,
    input: &mut BufReader<impl Read>,
    output: impl Write + Send + 'static,
) -> Result<Counts, Failure> {
    let output = Arc::new(Mutex::new(Output { to: output, counts: Counts::default(), failure: None }));
    let failed = Arc::new(AtomicBool::new(false));
    let answers = writer(pool, &output, &failed)?;
    let read = feed(pool, model, input, &answers, &failed);
    answers.close();
    answers.wait();
    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
    match output.failure.take() {
        Some(failure) => Err(failure),
        None => read
            .map(|()| output.counts)
            .map_err(|error| Failure::Other(format!("cannot read the standard input: {error}"))),
    }
}

/// Spawns a job for each batch of lines, until there are no more or somebody has failed.
fn feed(
    pool: &Pool,
    model: &Arc<Model>,
    input: &mut BufReader<impl Read>,
    answers: &Queue<JoinHandle<Answer>>,
    failed: &AtomicBool,
) -> io::Result<()> {
    let mut batch = Batch::default();
    loop {
        let more = batch.read_line(input);
        let goes_on = matches!(more, Ok(true));
        // The next look would wait for the other end of the pipe.
        let has_line = goes_on && input.buffer().contains(&b'\n');
        if !batch.ends.is_empty() && (!has_line || batch.is_full()) {
            let (batch, model) = (mem::take(&mut batch), Arc::clone(model));
            let answer = pool.spawn(move || batch.embed(&model));
            if answers.submit(answer).is_err() {
                unreachable!("the queue is closed by its owner, later");
            }
        }
        // Relaxed: whoever sees the flag only does less.
        if !goes_on || failed.load(Ordering::Relaxed) {
            return more.map(|_| ());
        }
    }
}

/// The queue that writes the answers in order, one at a time.
fn writer<W: Write + Send + 'static>(
    pool: &Pool,
    output: &Arc<Mutex<Output<W>>>,
    failed: &Arc<AtomicBool>,
) -> Result<Queue<JoinHandle<Answer>>, Failure> {
    let (output, failed) = (Arc::clone(output), Arc::clone(failed));
    let write = move |answer: JoinHandle<Answer>| {
        let answer = answer
            .join()
            .unwrap_or_else(|error| Err(Failure::Other(format!("a text could not be embedded: {error}"))));
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        let Output { to, counts, failure } = &mut *output;
        if failure.is_some() {
            return;
        }
        let written = answer.and_then(|(text, batch)| {
            counts.add(batch);
            filch::blocking(|| to.write_all(&text).and_then(|()| to.flush()))?;
            Ok(())
        });
        if let Err(error) = written {
            *failure = Some(error);
            failed.store(true, Ordering::Relaxed);
        }
    };
    let queue = pool.queue().name("answers").capacity(AHEAD).concurrency(1).build(write);
    queue.map_err(|error| Failure::Other(error.to_string()))
}

/// Lines that arrived together.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each line ends, without its line break.
    ends: Vec<(usize, usize)>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.ends.len() >= LINES || self.bytes.len() >= BYTES
    }

    /// Reads a line; `false` at the end of the input.
    fn read_line(&mut self, input: &mut impl BufRead) -> io::Result<bool> {
        let start = self.bytes.len();
        if input.take(LONGEST + 1).read_until(b'\n', &mut self.bytes)? == 0 {
            return Ok(false);
        }
        if (self.bytes.len() - start) as u64 > LONGEST {
            let message = format!("a line has more than {LONGEST} bytes: give shorter texts");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let line = &self.bytes[start..];
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.ends.push((start, start + line.len()));
        Ok(true)
    }

    fn embed(&self, model: &Model) -> Answer {
        let (mut text, mut counts) = (Vec::new(), Counts::default());
        let (mut scratch, mut vector) = (Scratch::default(), vec![0.0_f32; model.dimensions()]);
        for &(start, end) in &self.ends {
            let line = String::from_utf8_lossy(&self.bytes[start..end]);
            let has_token = model.embed(&line, &mut scratch, &mut vector)?;
            counts.lines += 1;
            counts.without_tokens += u64::from(!has_token);
            counts.not_utf8 += u64::from(matches!(line, std::borrow::Cow::Owned(_)));
            // A vector of finite floats can always be written to memory.
            serde_json::to_writer(&mut text, &vector).map_err(io::Error::from)?;
            text.push(b'\n');
        }
        Ok((text, counts))
    }
}
