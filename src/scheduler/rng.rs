//! Random numbers for the choice of a victim.
//!
//! The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): one
//! addition and two multiplications, and any seed works. The only demand on its quality is that thieves do not all
//! try their peers in the same order. So the crate needs no dependency for it.

use std::cell::Cell;

/// The generator of one worker.
#[derive(Debug)]
pub(crate) struct Rng(Cell<u64>);

impl Rng {
    /// Creates a generator whose sequence `seed` determines.
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(Cell::new(seed))
    }

    /// Returns a number in `0..bound`. `bound` must not be 0. The bias is at most `bound / 2^32`.
    pub(crate) fn below(&self, bound: usize) -> usize {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((z >> 32).wrapping_mul(bound as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn every_number_below_the_bound_is_drawn_about_equally_often() {
        let rng = Rng::new(1);
        let mut drawn = [0u32; 7];
        for _ in 0..70_000 {
            drawn[rng.below(7)] += 1;
        }
        assert!(drawn.iter().all(|&n| (9_000..11_000).contains(&n)), "{drawn:?}");
    }
}
