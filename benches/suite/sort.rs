//! Quicksort, with a fork for the two sides of each partition, down to 32 numbers.

use std::cell::OnceCell;

use criterion::Criterion;
use filch_benches::{scaled, tally};

use crate::pools::Join;
use crate::{Medians, ways};

/// A part of at most this length is sorted by insertion.
const SHORT: usize = 32;

/// Splits `values` into two parts. No value of the first part is greater than any value of the second, and neither
/// part is empty.
fn partition(values: &mut [u32]) -> (&mut [u32], &mut [u32]) {
    let (first, middle, last) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    let pivot = first.max(middle).min(first.min(middle).max(last));
    let (mut low, mut high) = (0, values.len() - 1);
    loop {
        while values[low] < pivot {
            low += 1;
        }
        while values[high] > pivot {
            high -= 1;
        }
        if low >= high {
            break;
        }
        values.swap(low, high);
        low += 1;
        high -= 1;
    }
    values.split_at_mut(low.max(1))
}

fn insertion(values: &mut [u32]) {
    for end in 1..values.len() {
        let mut at = end;
        while at > 0 && values[at - 1] > values[at] {
            values.swap(at - 1, at);
            at -= 1;
        }
    }
}

fn sort<J: Join>(values: &mut [u32]) {
    if values.len() <= SHORT {
        insertion(values);
        return;
    }
    let (low, high) = partition(values);
    J::join(|| sort::<J>(low), || sort::<J>(high));
}

/// Sorts `values` as [`sort`] does, and marks `marks` parts. No part inside a marked part is marked.
fn upper_sort<J: Join>(values: &mut [u32], marks: u32) {
    if marks == 1 {
        tally::enter(1);
        sort::<J>(values);
        return;
    }
    let (low, high) = partition(values);
    J::join(|| upper_sort::<J>(low, marks / 2), || upper_sort::<J>(high, marks / 2));
}

const MARKS: u32 = 64;

#[allow(clippy::ptr_arg)] // As it is prepared.
fn run<J: Join>(values: &mut Vec<u32>) {
    upper_sort::<J>(values, MARKS);
}

/// Returns numbers that look random, the same at each call.
fn shuffled(length: usize) -> Vec<u32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub fn compare(c: &mut Criterion, question: &str) -> Medians {
    let values = OnceCell::new();
    let values = || values.get_or_init(|| shuffled(scaled(10_000_000, 100_000)));
    let sorted = OnceCell::new();
    let sorted = || {
        sorted.get_or_init(|| {
            let mut sorted = values().clone();
            sorted.sort_unstable();
            sorted
        })
    };
    let check = |result: Vec<u32>| assert!(&result == sorted());
    crate::compare(c, question, MARKS.into(), &|| values().clone(), ways!(run), &check)
}
