//! Finds the chunks nearest to a query. It compares every vector with the query's: some hundred thousand dot products
//! take a fraction of a second, and an index would have to be explained.
//!
//! Dot products only make a shortlist, though. A chunk has several hundred features, so among 256 columns a chunk may
//! share columns with the query and not one word. Therefore the shortlist is sorted by the same cosine, taken before
//! the features were folded. That costs next to nothing for a few chunks.

use std::collections::HashMap;
use std::path::Path;

use crate::pipeline::Run;
use crate::vector::{DIMENSIONS, Scratch, Weights, dot};

/// The number of chunks on the shortlist for each chunk that is asked for.
const SHORTLIST: usize = 500;

/// The longest excerpt, in characters.
const EXCERPT: usize = 60;

/// The smallest number of letters and digits in a line that says something: more than a lone brace or `else`.
const ENOUGH: usize = 8;

/// A chunk near the query.
pub struct Hit<'a> {
    /// The cosine of the angle between the chunk and the query.
    pub score: f32,
    /// The document.
    pub path: &'a Path,
    /// The number of the document's line that is nearest to the query.
    pub line: usize,
    /// The bytes of the chunk; at the end the bytes of that line.
    text: &'a str,
}

impl Hit<'_> {
    /// Narrows a chunk down to the line to show: the line nearest to the query, the first among equals. All lines are
    /// equal if the chunk shares words with the query only across lines.
    fn focus(&mut self, exact: &Exact<'_>, scratch: &mut Scratch) {
        let mut best = -1.0;
        for (number, line) in (self.line..).zip(self.text.lines()) {
            let letters = line.chars().filter(|c| c.is_alphanumeric()).count();
            let score = if letters < ENOUGH { -0.5 } else { exact.cosine(line, scratch) };
            if score > best {
                (best, self.line, self.text) = (score, number, line);
            }
        }
    }

    /// Returns that line, shortened. Control characters become blanks, because they would reach the terminal.
    pub fn excerpt(&self) -> String {
        let line = self.text.trim();
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let mut excerpt: String = line.chars().map(clean).take(EXCERPT).collect();
        if line.chars().nth(EXCERPT).is_some() {
            excerpt.push('…');
        }
        excerpt
    }
}

/// Returns the `top` chunks nearest to `query`, the nearest first; among equals, in the order of the text.
pub fn nearest<'a>(run: &'a Run, query: &str, top: usize) -> Vec<Hit<'a>> {
    let mut scratch = Scratch::default();
    let mut hits = shortlist(run, query, top.saturating_mul(SHORTLIST), &mut scratch);
    let exact = Exact::new(&run.weights, query, &mut scratch);
    for hit in &mut hits {
        hit.score = exact.cosine(hit.text, &mut scratch);
    }
    hits.retain(|hit| hit.score > 0.0);
    // The sort is stable, so equals keep their order.
    hits.sort_by(|left, right| right.score.total_cmp(&left.score));
    hits.truncate(top);
    hits.iter_mut().for_each(|hit| hit.focus(&exact, &mut scratch));
    hits
}

/// Returns the chunks whose vectors have the largest dot products with the query's, in the text's order.
fn shortlist<'a>(run: &'a Run, query: &str, length: usize, scratch: &mut Scratch) -> Vec<Hit<'a>> {
    let mut target = vec![0.0; DIMENSIONS];
    run.weights.embed(query, scratch, &mut target);
    let mut hits = Vec::new();
    for (segment, vectors) in run.segments.iter().zip(&run.vectors) {
        let chunks = &segment.document.chunks[segment.chunks.clone()];
        for (chunk, vector) in chunks.iter().zip(vectors.chunks_exact(DIMENSIONS)) {
            hits.push(Hit {
                score: dot(&target, vector),
                path: &segment.document.path,
                line: chunk.line,
                text: segment.document.chunk_text(chunk),
            });
        }
    }
    if hits.len() > length {
        let mut scores: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
        let (_, &mut least, _) = scores.select_nth_unstable_by(length, |a, b| b.total_cmp(a));
        hits.retain(|hit| hit.score > least);
    }
    hits
}

/// The query before folding.
struct Exact<'a> {
    weights: &'a Weights,
    columns: HashMap<usize, f32>,
    length: f32,
}

impl<'a> Exact<'a> {
    fn new(weights: &'a Weights, query: &str, scratch: &mut Scratch) -> Exact<'a> {
        let (mut columns, mut squares) = (HashMap::new(), 0.0);
        weights.columns(query, scratch, |column, value| {
            columns.insert(column, value);
            squares += value * value;
        });
        Exact { weights, columns, length: squares.sqrt() }
    }

    fn cosine(&self, text: &str, scratch: &mut Scratch) -> f32 {
        let (mut product, mut squares) = (0.0, 0.0);
        self.weights.columns(text, scratch, |column, value| {
            product += value * self.columns.get(&column).copied().unwrap_or(0.0);
            squares += value * value;
        });
        match self.length * squares.sqrt() {
            0.0 => 0.0,
            lengths => product / lengths,
        }
    }
}
