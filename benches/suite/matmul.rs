//! The product of two square matrices, by quarters down to tiles of 32 × 32.
//!
//! A matrix lies in memory as its four quarters one after the other, each again in quarters, down to the tiles. So a
//! quarter is a slice, and different workers write to different slices.

use criterion::Criterion;
use filch_benches::{scaled, tally};

use crate::pools::Join;
use crate::{Medians, ways};

const TILE: usize = 32;

struct Product {
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
}

fn quarters(matrix: &[f32]) -> [&[f32]; 4] {
    let (top, bottom) = matrix.split_at(matrix.len() / 2);
    let ((a, b), (c, d)) = (top.split_at(top.len() / 2), bottom.split_at(bottom.len() / 2));
    [a, b, c, d]
}

fn quarters_mut(matrix: &mut [f32]) -> [&mut [f32]; 4] {
    let (top, bottom) = matrix.split_at_mut(matrix.len() / 2);
    let half = top.len() / 2;
    let ((a, b), (c, d)) = (top.split_at_mut(half), bottom.split_at_mut(half));
    [a, b, c, d]
}

fn tile(c: &mut [f32], a: &[f32], b: &[f32]) {
    for (c, a) in c.chunks_exact_mut(TILE).zip(a.chunks_exact(TILE)) {
        for (&a, b) in a.iter().zip(b.chunks_exact(TILE)) {
            for (c, b) in c.iter_mut().zip(b) {
                *c += a * b;
            }
        }
    }
}

/// Adds the product of `a` and `b` to `c`.
fn multiply<J: Join>(c: &mut [f32], a: &[f32], b: &[f32]) {
    if c.len() == TILE * TILE {
        tally::enter(1);
        tile(c, a, b);
        return;
    }
    let [c0, c1, c2, c3] = quarters_mut(c);
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (quarters(a), quarters(b));
    let quarter = |c: &mut [f32], a: [&[f32]; 2], b: [&[f32]; 2]| {
        multiply::<J>(c, a[0], b[0]);
        multiply::<J>(c, a[1], b[1]);
    };
    J::join(
        || J::join(|| quarter(c0, [a0, a1], [b0, b2]), || quarter(c1, [a0, a1], [b1, b3])),
        || J::join(|| quarter(c2, [a2, a3], [b0, b2]), || quarter(c3, [a2, a3], [b1, b3])),
    );
}

fn run<J: Join>(product: &mut Product) {
    multiply::<J>(&mut product.c, &product.a, &product.b);
}

/// Returns the product of `matrix` and `vector`.
fn apply(matrix: &[f32], vector: &[f64]) -> Vec<f64> {
    if matrix.len() == TILE * TILE {
        let dot = |row: &[f32]| row.iter().zip(vector).map(|(&a, b)| f64::from(a) * b).sum();
        return matrix.chunks_exact(TILE).map(dot).collect();
    }
    let [a, b, c, d] = quarters(matrix);
    let (left, right) = vector.split_at(vector.len() / 2);
    let half = |a, b| apply(a, left).into_iter().zip(apply(b, right)).map(|(a, b)| a + b);
    half(a, b).chain(half(c, d)).collect()
}

pub fn compare(c: &mut Criterion, question: &str) -> Medians {
    let size = scaled(1024, 256);
    // The numbers are small and whole, so no sum is rounded.
    let matrix = |step: usize| (0..size * size).map(|n| (n * step % 11) as f32 - 5.0).collect::<Vec<_>>();
    let prepare = || Product { a: matrix(7), b: matrix(5), c: vec![0.0; size * size] };
    let check = |product: Product| {
        let vector: Vec<f64> = (0..size).map(|n| (n % 13) as f64).collect();
        assert_eq!(apply(&product.c, &vector), apply(&product.a, &apply(&product.b, &vector)));
    };
    let tiles = (size / TILE).pow(3) as u64;
    crate::compare(c, question, tiles, &prepare, ways!(run), &check)
}
