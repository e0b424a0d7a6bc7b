//! A model of static embeddings: a tokenizer, and a row for each token.

use std::path::Path;

use tokenizers::Tokenizer;
use xxhash_rust::xxh3::Xxh3;

use super::matrix::{self, Matrix};
use crate::failure::Failure;

/// The tokenizer's file in a model's folder.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// A matrix may have more rows than there are tokens, because some are filled up to a round number. With more than this
/// it is another model's.
const MOST_SPARE_ROWS: usize = 256;

/// A loaded model.
pub struct StaticEmbedding {
    tokenizer: Tokenizer,
    matrix: Matrix,
}

impl StaticEmbedding {
    /// Loads the model in `folder`, with a hash of its files.
    pub fn load(folder: &Path) -> Result<(StaticEmbedding, String), Failure> {
        let path = folder.join(TOKENIZER_FILE);
        for file in [&matrix::path(folder), &path] {
            if !file.exists() {
                return Err(Failure::Unfit(format!(
                    "{} is missing: a model's folder has {} and {TOKENIZER_FILE}; get-model fetches both",
                    file.display(),
                    matrix::FILE
                )));
            }
        }
        let matrix = Matrix::load(folder)?;
        let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|error| {
            Failure::Unfit(format!(
                "{} is no tokenizer ({error}); fetch the model again with get-model",
                path.display()
            ))
        })?;
        tokenizer.with_padding(None);
        // Never refused: nothing is to be cut off.
        let _ = tokenizer.with_truncation(None);
        let tokens = tokenizer.get_vocab(true).values().max().map_or(0, |&highest| highest as usize + 1);
        if tokens > matrix.rows() || matrix.rows() >= tokens + MOST_SPARE_ROWS {
            return Err(Failure::Unfit(format!(
                "the tokenizer in {} has {tokens} tokens, and the matrix has {} rows: they are of different models",
                folder.display(),
                matrix.rows()
            )));
        }
        let mut hash = Xxh3::new();
        hash.update(matrix.bytes());
        hash.update(&bytes);
        let fingerprint = format!("{:032x}", hash.digest128());
        Ok((StaticEmbedding { tokenizer, matrix }, fingerprint))
    }

    /// The length of a vector.
    pub fn dimensions(&self) -> usize {
        self.matrix.columns()
    }

    /// Writes the vector of `text` over `vector`, and returns the number of tokens.
    pub fn embed(&self, text: &str, row: &mut Vec<f32>, vector: &mut [f32]) -> Result<usize, Failure> {
        row.resize(self.matrix.columns(), 0.0);
        vector.fill(0.0);
        let encoding = self.encode(text)?;
        let ids = encoding.get_ids();
        for &id in ids {
            self.matrix.add_row(id as usize, row, vector);
        }
        // The mean and the sum have the same direction.
        let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        }
        Ok(ids.len())
    }

    /// Returns the number of tokens of `text`.
    pub fn tokenise(&self, text: &str) -> Result<usize, Failure> {
        Ok(self.encode(text)?.len())
    }

    fn encode(&self, text: &str) -> Result<tokenizers::Encoding, Failure> {
        // No special tokens, and no positions in the text, which take time to find.
        let encoding = self.tokenizer.encode_fast(text, false);
        encoding.map_err(|error| Failure::Other(format!("the tokenizer refused a text: {error}")))
    }
}
