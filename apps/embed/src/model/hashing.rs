//! Vectors without a model: the example's feature hashing, with equal weights. The example weighs words by how rare they
//! are in all of its texts. A text that comes alone has no such weights.

// The example uses more of it.
#[allow(dead_code)]
#[path = "../../../../examples/embed/vector.rs"]
mod vector;

pub use self::vector::DIMENSIONS;
pub use self::vector::Scratch;
use self::vector::Weights;

/// Tells these vectors from those of a model.
pub const FINGERPRINT: &str = "hashing-1";

/// The weights of the features, all the same.
pub struct Hashing(Weights);

impl Default for Hashing {
    fn default() -> Hashing {
        // Where nothing was counted, all weights are one.
        Hashing(Weights::new([]))
    }
}

impl Hashing {
    /// Writes the vector of `text` over `vector`. Returns whether the text has a word of two letters or more.
    pub fn embed(&self, text: &str, scratch: &mut Scratch, vector: &mut [f32]) -> bool {
        self.0.embed(text, scratch, vector);
        vector.iter().any(|&value| value != 0.0)
    }
}
