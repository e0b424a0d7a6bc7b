//! Makes the vectors. A chunk's vector is the sum of its features, brought to length one. Each feature stands at its
//! column of 256, with its sign, weighted by how rare it is. 256 columns cannot show how rare a feature is, because
//! every chunk has something in each column. Therefore rarity is counted in 2^18 columns of the same hash, and a
//! feature is folded to 256 columns only after it got its weight.
//!
//! The weight is the smooth idf of scikit-learn's `TfidfTransformer`, `ln((1 + n) / (1 + df)) + 1`
//! (<https://scikit-learn.org/stable/modules/generated/sklearn.feature_extraction.text.TfidfTransformer.html>), with
//! a chunk as the document. Occurrences within a chunk count as `1 + ln(tf)`, its `sublinear_tf`: generated code says
//! one thing fifty times, and in 256 columns that would drown the rest.
//!
//! Sums of floats depend on their order, so one worker adds up a chunk, in the text's order. Counts are integers,
//! whose sums do not depend on the order. So the vectors are the same, bit for bit, for any number of workers.

use std::mem;

use crate::features::Tokeniser;

/// The length of a vector.
pub const DIMENSIONS: usize = 256;

/// The columns that document frequencies are counted in.
const COLUMNS: usize = 1 << 18;

// Folding must keep the column that scikit-learn's hasher gives.
const _: () = assert!(COLUMNS.is_multiple_of(DIMENSIONS));

/// In how many chunks each feature occurs.
pub struct Frequencies {
    chunks: u32,
    counts: Vec<u32>,
    /// The last chunk that counted in each column. A chunk counts a feature once.
    last: Vec<u32>,
    tokeniser: Tokeniser,
}

impl Default for Frequencies {
    fn default() -> Frequencies {
        Frequencies {
            chunks: 0,
            counts: vec![0; COLUMNS],
            last: vec![0; COLUMNS],
            tokeniser: Tokeniser::default(),
        }
    }
}

impl Frequencies {
    /// Counts one more chunk.
    pub fn add(&mut self, text: &str) {
        self.chunks += 1;
        let (chunk, counts, last) = (self.chunks, &mut self.counts, &mut self.last);
        self.tokeniser.features(text, |feature| {
            let column = feature.magnitude as usize % COLUMNS;
            if last[column] != chunk {
                last[column] = chunk;
                counts[column] += 1;
            }
        });
    }
}

/// The weight of each feature.
pub struct Weights(Vec<f32>);

impl Weights {
    /// Returns the weights after all of `parts` were counted.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a Frequencies>) -> Weights {
        let mut counts = vec![0_u64; COLUMNS];
        let mut chunks = 0;
        for part in parts {
            chunks += u64::from(part.chunks);
            for (sum, &count) in counts.iter_mut().zip(&part.counts) {
                *sum += u64::from(count);
            }
        }
        let idf = |count| ((1.0 + chunks as f64) / (1.0 + count as f64)).ln() + 1.0;
        Weights(counts.into_iter().map(|count| idf(count) as f32).collect())
    }

    /// Writes the vector of `text` over `vector`. It is all zero if the text has no word.
    pub fn embed(&self, text: &str, scratch: &mut Scratch, vector: &mut [f32]) {
        vector.fill(0.0);
        self.columns(text, scratch, |column, value| {
            vector[column % DIMENSIONS] += value;
        });
        let length = dot(vector, vector).sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|value| *value /= length);
        }
    }

    /// Returns the weighted features of `text` before they are folded, each column once, in the order of first
    /// occurrence.
    pub fn columns(&self, text: &str, scratch: &mut Scratch, mut each: impl FnMut(usize, f32)) {
        let Scratch { tokeniser, counts, first } = scratch;
        tokeniser.features(text, |feature| {
            let column = feature.magnitude as usize % COLUMNS;
            if counts[column] == 0 {
                first.push((column, feature.weight));
            }
            counts[column] += 1;
        });
        for (column, weight) in first.drain(..) {
            let frequency = match mem::take(&mut counts[column]) {
                1 => 1.0,
                more => 1.0 + (more as f32).ln(),
            };
            each(column, weight * frequency * self.0[column]);
        }
    }
}

/// The buffers with which vectors are made. Each worker has one.
pub struct Scratch {
    tokeniser: Tokeniser,
    /// Occurrences in the current chunk; all zero between chunks.
    counts: Vec<u32>,
    /// The columns in use, and the weight of the feature that was found there first. Among a chunk's few hundred
    /// features, two in one column are too rare to matter.
    first: Vec<(usize, f32)>,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { tokeniser: Tokeniser::default(), counts: vec![0; COLUMNS], first: Vec::new() }
    }
}

/// Returns the dot product. For vectors of length one it is the cosine of the angle between them.
pub fn dot(left: &[f32], right: &[f32]) -> f32 {
    // Eight sums side by side fit in vector registers. One sum would not, because the compiler must not reorder
    // additions of floats. The order is fixed here, so the result is fixed as well.
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    for (left, right) in left.chunks_exact(LANES).zip(right.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    sums.iter().sum()
}

/// Returns a 64-bit checksum of vectors in order (FNV-1a over the floats' bits). It shows at a glance whether two
/// runs found the same vectors.
pub fn checksum<'a>(vectors: impl IntoIterator<Item = &'a Vec<f32>>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for value in vectors.into_iter().flatten() {
        hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0000_0100_0000_01b3);
    }
    // FNV mixes upwards only. Without this step the last floats would not change the upper bits.
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(weights: &Weights, text: &str) -> Vec<f32> {
        let mut vector = vec![f32::NAN; DIMENSIONS];
        weights.embed(text, &mut Scratch::default(), &mut vector);
        vector
    }

    fn counted(texts: &[&str]) -> Frequencies {
        let mut frequencies = Frequencies::default();
        texts.iter().for_each(|text| frequencies.add(text));
        frequencies
    }

    #[test]
    fn vectors_have_length_one_or_zero() {
        let weights = Weights::new(&[counted(&["fn main", "let it be", "grüße"])]);
        for text in ["main", "something else entirely, grüße", "the the the"] {
            let vector = vector(&weights, text);
            assert!((dot(&vector, &vector) - 1.0).abs() < 1e-5, "{text}");
        }
        assert_eq!(vector(&weights, "; . { }"), vec![0.0; DIMENSIONS]);
    }

    #[test]
    fn rare_words_weigh_more() {
        let texts = ["steal the work", "share the work", "the end", "the rest"];
        let weights = Weights::new(&[counted(&texts)]);
        let query = vector(&weights, "the steal");
        let score = |text| dot(&query, &vector(&weights, text));
        assert!(score(texts[0]) > score(texts[1]));
        assert!(score(texts[0]) > score(texts[3]));
    }

    #[test]
    fn counting_in_parts_changes_nothing() {
        let texts = ["one two", "two three", "three two one", "four"];
        let whole = Weights::new(&[counted(&texts)]);
        let parts = Weights::new(&[counted(&texts[2..]), counted(&texts[..2])]);
        assert!(whole.0 == parts.0);
    }

    #[test]
    fn the_idf_is_scikit_learns() {
        let weights = Weights::new(&[counted(&["aa aa", "aa bb", "cc"])]);
        let mut seen = Vec::new();
        Tokeniser::default().features("aa", |feature| {
            seen.push(weights.0[feature.magnitude as usize % COLUMNS]);
        });
        // Three chunks, two of them with the word.
        assert_eq!(seen[0], ((4.0_f64 / 3.0).ln() + 1.0) as f32);
    }
}
