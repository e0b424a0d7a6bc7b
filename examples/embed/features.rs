//! The features of a text: its words and the three-letter pieces of each word, hashed with a sign. No vocabulary is
//! kept. This is feature hashing (Weinberger, Dasgupta, Langford, Smola and Attenberg, "Feature Hashing for Large
//! Scale Multitask Learning", ICML 2009), in the way of scikit-learn's `HashingVectorizer`
//! (<https://scikit-learn.org/stable/modules/generated/sklearn.feature_extraction.text.HashingVectorizer.html>):
//! * signed MurmurHash3, column `|h| % n`, sign of `h`;
//! * words of two characters and more, as its `token_pattern` asks;
//! * pieces within a word padded by one blank on each side, as its `char_wb` analyser makes them.
//!
//! The signs let collisions cancel on average instead of adding up.
//!
//! Words and pieces hash under different seeds. So the word `for` and the piece `for` of `information` are different
//! features.

use crate::murmur::murmur3;

const WORD_SEED: u32 = 0;
const PIECE_SEED: u32 = 1;

/// The weight of a piece. A word has about as many pieces as letters, so a piece weighs much less than a word. Words
/// decide; pieces let `steal` find `stealing`.
const PIECE_WEIGHT: f32 = 0.25;

/// The number of characters in a piece.
const PIECE: usize = 3;

/// One occurrence of one feature.
#[derive(Clone, Copy)]
pub struct Feature {
    /// The absolute value of scikit-learn's signed hash. The sign is in `weight`.
    pub magnitude: u32,
    /// +1 or -1, times the weight of the feature's kind.
    pub weight: f32,
}

impl Feature {
    fn new(bytes: &[u8], seed: u32, weight: f32) -> Feature {
        let hash = murmur3(bytes, seed) as i32;
        Feature { magnitude: hash.unsigned_abs(), weight: if hash < 0 { -weight } else { weight } }
    }
}

/// The buffers that the tokeniser reuses from word to word. Each worker has one.
#[derive(Default)]
pub struct Tokeniser {
    /// The current word, lowercased, between two blanks.
    padded: String,
    /// The positions where its characters begin, and its end. Used only if some characters are longer than a byte.
    borders: Vec<usize>,
}

impl Tokeniser {
    /// Calls `each` for every feature of `text`, in the text's order.
    pub fn features(&mut self, text: &str, mut each: impl FnMut(Feature)) {
        // The test for ASCII comes first, because it is nearly always enough.
        let apart = |c: char| match c {
            '_' => false,
            _ if c.is_ascii() => !c.is_ascii_alphanumeric(),
            _ => !c.is_alphanumeric(),
        };
        for word in text.split(apart) {
            self.word(word, &mut each);
        }
    }

    fn word(&mut self, word: &str, each: &mut impl FnMut(Feature)) {
        if word.is_empty() {
            return;
        }
        self.padded.clear();
        self.padded.push(' ');
        if word.is_ascii() {
            if word.len() < 2 {
                return;
            }
            self.padded.push_str(word);
            self.padded.make_ascii_lowercase();
        } else {
            if word.chars().nth(1).is_none() {
                return;
            }
            self.padded.extend(word.chars().flat_map(char::to_lowercase));
        }
        let end = self.padded.len();
        self.padded.push(' ');

        let bytes = self.padded.as_bytes();
        each(Feature::new(&bytes[1..end], WORD_SEED, 1.0));
        if self.padded.is_ascii() {
            for piece in bytes.windows(PIECE) {
                each(Feature::new(piece, PIECE_SEED, PIECE_WEIGHT));
            }
        } else {
            self.borders.clear();
            self.borders.extend(self.padded.char_indices().map(|(at, _)| at));
            self.borders.push(bytes.len());
            for border in self.borders.windows(PIECE + 1) {
                let piece = &bytes[border[0]..border[PIECE]];
                each(Feature::new(piece, PIECE_SEED, PIECE_WEIGHT));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn magnitudes(text: &str) -> Vec<u32> {
        let mut all = Vec::new();
        Tokeniser::default().features(text, |feature| all.push(feature.magnitude));
        all
    }

    fn expected(words_and_pieces: &[(&str, u32)]) -> Vec<u32> {
        words_and_pieces
            .iter()
            .map(|(text, seed)| (murmur3(text.as_bytes(), *seed) as i32).unsigned_abs())
            .collect()
    }

    #[test]
    fn words_and_pieces_as_scikit_learn_cuts_them() {
        let want = expected(&[
            ("ab_1", 0),
            (" ab", 1),
            ("ab_", 1),
            ("b_1", 1),
            ("_1 ", 1),
            ("no", 0),
            (" no", 1),
            ("no ", 1),
        ]);
        assert_eq!(magnitudes("(Ab_1, x) NO"), want);
    }

    #[test]
    fn pieces_are_of_characters_not_bytes() {
        let want = expected(&[("überß", 0), (" üb", 1), ("übe", 1), ("ber", 1), ("erß", 1), ("rß ", 1)]);
        assert_eq!(magnitudes("«ÜBERß» é"), want);
    }

    #[test]
    fn the_sign_is_the_hashs() {
        // murmur3("foo", 0) is negative: see the tests of the hash.
        let mut first = None;
        Tokeniser::default().features("foo", |feature| {
            first.get_or_insert(feature);
        });
        let first = first.expect("one word");
        assert_eq!((first.magnitude, first.weight), (156_908_512, -1.0));
    }
}
