//! Finds the chunks nearest to a query, by the cosine of the angle between the vectors. Every vector is compared: that
//! takes as long as reading them from memory does, and misses nothing. Workers take ranges of the vectors by forks, so
//! each scans a long run of memory in order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use filch::Pool;
use serde::Serialize;

use crate::document::{open, text_hash};
use crate::index::reader::Index;
use crate::index::records::ChunkRecord;
use crate::paths::ShownPath;

/// The most vectors that are compared without another fork: some hundred microseconds of work.
const RANGE: usize = 2048;

/// A chunk and how near it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// The cosine, from -1 to 1.
    pub score: f32,
    /// The chunk's number.
    pub chunk: usize,
}

impl Eq for Near {}

impl Ord for Near {
    /// The nearer one is greater; among equals the one that comes first in the index.
    fn cmp(&self, other: &Near) -> Ordering {
        self.score.total_cmp(&other.score).then(other.chunk.cmp(&self.chunk))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Near) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The `top` chunks nearest to the query's vector, best first.
pub fn nearest(pool: &Pool, index: &Index, query: &[f32], top: usize) -> Vec<Near> {
    let mut best = pool.install(|| scan(index, query, top, 0..index.chunks()));
    best.sort_unstable_by(|left, right| right.cmp(left));
    best
}

/// The nearest chunks of a range, in no order.
fn scan(index: &Index, query: &[f32], top: usize, range: Range<usize>) -> Vec<Near> {
    if range.len() > RANGE {
        let middle = range.start + range.len() / 2;
        let (mut left, right) = filch::join(
            || scan(index, query, top, range.start..middle),
            || scan(index, query, top, middle..range.end),
        );
        left.extend(right);
        if left.len() > top {
            left.select_nth_unstable_by(top, |left, right| right.cmp(left));
            left.truncate(top);
        }
        return left;
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has both.
        return unsafe { leaf_avx2(index, query, top, range) };
    }
    leaf(index, query, top, range)
}

/// [`leaf`] for processors with wider registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn leaf_avx2(index: &Index, query: &[f32], top: usize, range: Range<usize>) -> Vec<Near> {
    leaf(index, query, top, range)
}

/// Compares the query with each vector of the range.
#[inline(always)]
fn leaf(index: &Index, query: &[f32], top: usize, range: Range<usize>) -> Vec<Near> {
    // The worst of the best lies on top.
    let mut best: BinaryHeap<Reverse<Near>> = BinaryHeap::with_capacity(top.min(RANGE) + 1);
    let mut least = f32::NEG_INFINITY;
    for chunk in range {
        let vector = index.vector(index.chunk(chunk).vector);
        let score = dot(query, vector);
        // Most are no better than the worst of the best. One that is as good may still come first in the index.
        if score < least {
            continue;
        }
        let near = Near { score, chunk };
        if best.len() == top && best.peek().is_some_and(|worst| near > worst.0) {
            best.pop();
        }
        if best.len() < top {
            best.push(Reverse(near));
        }
        if best.len() == top {
            least = best.peek().map_or(least, |worst| worst.0.score);
        }
    }
    best.into_iter().map(|Reverse(near)| near).collect()
}

/// The dot product. Inlined, so that the compiler uses the registers of the caller.
#[inline(always)]
fn dot(left: &[f32], right: &[f32]) -> f32 {
    // Independent sums, which the compiler keeps in vector registers; one sum would have to wait for itself.
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f32>() + rest
}

/// A chunk as it is shown.
#[derive(Debug, Serialize)]
pub struct Hit {
    /// The file's path, as its user named it. Bytes that are no UTF-8 are replaced.
    pub path: String,
    /// The chunk's first byte in the file.
    pub start: u64,
    /// Behind its last byte.
    pub end: u64,
    /// The cosine, from -1 to 1.
    pub score: f32,
    /// The text; empty if the file has changed since, or cannot be read.
    pub text: String,
    /// The number of its first line, from 1.
    #[serde(skip)]
    pub line: u32,
    /// Why there is no text.
    #[serde(skip)]
    pub missing: Option<String>,
}

/// Reads the text of a chunk from its file.
pub fn hit(index: &Index, near: Near) -> Hit {
    let chunk = index.chunk(near.chunk);
    let path = index.path(&index.file(chunk.file as usize));
    let (text, missing) = match text(&path, &chunk) {
        Ok(Some(text)) => (text, None),
        Ok(None) => {
            let why = format!("{} has changed: run `embed index` again", path.shown().display());
            (String::new(), Some(why))
        }
        Err(error) => (String::new(), Some(format!("cannot read {}: {error}", path.shown().display()))),
    };
    let ChunkRecord { start, end, line, .. } = chunk;
    Hit {
        path: path.shown().to_string_lossy().into_owned(),
        start,
        end,
        score: near.score,
        text,
        line,
        missing,
    }
}

/// The chunk's text, or `None` if another text is there now.
fn text(path: &ShownPath, chunk: &ChunkRecord) -> io::Result<Option<String>> {
    let (mut file, _) = open(&path.path)?;
    file.seek(SeekFrom::Start(chunk.start))?;
    let mut bytes = Vec::new();
    file.take(chunk.end - chunk.start).read_to_end(&mut bytes)?;
    if text_hash(&bytes) != chunk.hash {
        return Ok(None);
    }
    Ok(String::from_utf8(bytes).ok())
}
