//! The hash: MurmurHash3 x86_32 (Austin Appleby, public domain, `MurmurHash3.cpp` of the smhasher repository).
//! scikit-learn's `HashingVectorizer` uses it too, and its published vectors make it easy to check. It is written
//! here from the algorithm rather than taken from a crate: forty lines do not justify a dependency.

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

/// Returns the 32-bit MurmurHash3 of `bytes` under `seed`.
#[inline]
pub fn murmur3(bytes: &[u8], seed: u32) -> u32 {
    let mut hash = seed;
    let mut blocks = bytes.chunks_exact(4);
    for block in &mut blocks {
        let word = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        hash ^= scramble(word);
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    // The tail's bytes are read little-endian as well, missing ones as zero.
    let tail = blocks.remainder();
    if !tail.is_empty() {
        let word = tail.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        hash ^= scramble(word);
    }
    // The reference takes the length as an int, so it wraps for inputs of 4 GiB and more.
    finish(hash ^ bytes.len() as u32)
}

#[inline]
fn scramble(word: u32) -> u32 {
    word.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

#[inline]
fn finish(mut hash: u32) -> u32 {
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::murmur3;

    /// Vectors of the reference implementation that circulate with its ports.
    #[test]
    fn published_vectors() {
        let vectors: &[(&[u8], u32, u32)] = &[
            (b"", 0, 0),
            (b"", 1, 0x514e_28b7),
            (b"", 0xffff_ffff, 0x81f1_6f39),
            (&[0xff, 0xff, 0xff, 0xff], 0, 0x7629_3b50),
            (&[0x21, 0x43, 0x65, 0x87], 0, 0xf55b_516b),
            (&[0x21, 0x43, 0x65, 0x87], 0x5082_edee, 0x2362_f9de),
            (&[0x21, 0x43, 0x65], 0, 0x7e4a_8634),
            (&[0x21, 0x43], 0, 0xa0f7_b07a),
            (&[0x21], 0, 0x7266_1cf4),
            (&[0, 0, 0, 0], 0, 0x2362_f9de),
            (&[0, 0, 0], 0, 0x85f0_b427),
            (&[0, 0], 0, 0x30f4_c306),
            (&[0], 0, 0x514e_28b7),
            (b"Hello, world!", 0x9747_b28c, 0x2488_4cba),
            (b"The quick brown fox jumps over the lazy dog", 0x9747_b28c, 0x2fa8_26cd),
        ];
        for (bytes, seed, want) in vectors {
            assert_eq!(murmur3(bytes, *seed), *want, "{bytes:?} under {seed:#x}");
        }
    }

    /// scikit-learn's own test of the signed hash: `murmurhash3_32("foo", 0)` is -156908512.
    #[test]
    fn scikit_learns_foo() {
        assert_eq!(murmur3(b"foo", 0) as i32, -156_908_512);
        assert_eq!(murmur3(b"foo", 42) as i32, -1_322_301_282);
    }
}
