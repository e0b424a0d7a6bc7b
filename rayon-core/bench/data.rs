//! Input: the same in each run.

/// A sequence of numbers without a pattern (splitmix64), from a seed.
pub struct Numbers(pub u64);

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some(z ^ (z >> 31))
    }
}

/// Returns lines of made-up words, about `bytes` bytes in all.
pub fn text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    for n in Numbers(11) {
        for letter in 0..2 + n % 8 {
            text.push(char::from(b'a' + (n >> (8 + 5 * letter)) as u8 % 26));
        }
        text.push(if n % 11 == 0 { '\n' } else { ' ' });
        if text.len() >= bytes {
            break;
        }
    }
    text
}
