//! Push and pop without a parcel, for tests and models, and the ring's own test.

use super::{Parcel, Refused, Ring};

#[allow(dead_code, reason = "for checks, each of which uses a part of it")]
impl<T> Ring<T> {
    /// Pushes like [`push`](Self::push), and gives the value back if the push was refused.
    pub(crate) fn push_value(&self, value: T, refuse: u64) -> Result<u64, (Refused, T)> {
        let mut parcel = Parcel::new(value, None);
        self.push(&mut parcel, refuse).map_err(|why| (why, parcel.open()))
    }

    /// Pops like [`pop`](Self::pop).
    pub(crate) fn pop_value(&self) -> Option<(T, u64)> {
        let mut parcel = Parcel::empty();
        let flags = self.pop(&mut parcel)?;
        Some((parcel.open(), flags))
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use crate::jobs::ring::Ring;

    /// Checks each offset within a lap, with each number of values.
    #[test]
    fn looks_at_slots_agree_with_the_count() {
        for capacity in [1, 2, 3, 8, 10] {
            let ring: Ring<usize> = Ring::new(capacity, 0).unwrap();
            for _ in 0..3 * capacity {
                for held in 0..=capacity {
                    assert_eq!(ring.len(), held);
                    for count in 1..=capacity {
                        assert_eq!(ring.has(count as u64), count <= held);
                        assert_eq!(ring.has_room(count as u64), count <= capacity - held);
                    }
                    if held < capacity {
                        assert!(ring.push_value(held, 0).is_ok());
                    }
                }
                (0..capacity).for_each(|value| assert_eq!(ring.pop_value().unwrap().0, value));
                assert!(ring.push_value(0, 0).is_ok() && ring.pop_value().is_some());
            }
        }
    }
}
