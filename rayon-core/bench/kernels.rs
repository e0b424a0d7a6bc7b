//! Work that programs do: sorting, searching, sieving, simulating.

use std::hint::black_box;
use std::time::Duration;

use rayon::prelude::*;

use crate::data::{Numbers, text};
use crate::{Kind, timed};

pub const KINDS: &[(&str, Kind)] = &[
    ("sort_stable_1e7", || sort(|v| v.par_sort())),
    ("sort_unstable_1e7", || sort(|v| v.par_sort_unstable())),
    ("map_collect", map_collect),
    ("find_any", find_any),
    ("find_first", find_first),
    ("sieve", sieve),
    ("nbody", nbody),
    ("life", life),
    ("matmul", matmul),
    ("string_search", string_search),
    ("par_bridge", par_bridge),
];

fn sort(by: fn(&mut Vec<u64>)) -> Box<dyn FnMut() -> Duration> {
    let numbers: Vec<u64> = Numbers(1).take(10_000_000).collect();
    Box::new(move || {
        let mut numbers = numbers.clone();
        let time = timed(|| by(&mut numbers));
        assert!(numbers.is_sorted());
        time
    })
}

fn map_collect() -> Box<dyn FnMut() -> Duration> {
    let numbers: Vec<u64> = Numbers(2).take(1_000_000).collect();
    Box::new(move || timed(|| numbers.par_iter().map(|&n| (n as f64).sqrt().sin()).collect::<Vec<f64>>()))
}

fn find_any() -> Box<dyn FnMut() -> Duration> {
    let numbers: Vec<u64> = Numbers(3).take(5_000_000).collect();
    let wanted = numbers[numbers.len() * 2 / 3];
    Box::new(move || timed(|| numbers.par_iter().find_any(|&&n| n == black_box(wanted))))
}

fn find_first() -> Box<dyn FnMut() -> Duration> {
    let numbers: Vec<u64> = Numbers(4).take(5_000_000).collect();
    Box::new(move || timed(|| numbers.par_iter().find_first(|&&n| n % black_box(3_000_017) == 5)))
}

/// Finds the primes below 10^7, segment by segment.
fn sieve() -> Box<dyn FnMut() -> Duration> {
    const SEGMENT: usize = 1 << 15;
    const END: usize = 10_000_000;
    let small: Vec<usize> = (2..3_163usize).filter(|&n| (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0)).collect();
    Box::new(move || {
        timed(|| {
            let mut composite = vec![false; END];
            composite.par_chunks_mut(SEGMENT).enumerate().for_each(|(index, segment)| {
                let start = index * SEGMENT;
                for &prime in &small {
                    let first = (prime * prime).max(start.next_multiple_of(prime));
                    (first - start..segment.len()).step_by(prime).for_each(|place| segment[place] = true);
                }
            });
            composite.par_iter().skip(2).filter(|&&composite| !composite).count()
        })
    })
}

fn nbody() -> Box<dyn FnMut() -> Duration> {
    type Vector = [f64; 3];
    let coordinate = |n: u64| (n >> 11) as f64 / (1u64 << 53) as f64;
    let mut numbers = Numbers(5).map(coordinate);
    let mut bodies: Vec<(Vector, Vector)> =
        (0..1_000).map(|_| (std::array::from_fn(|_| numbers.next().unwrap_or(0.5)), [0.0; 3])).collect();
    Box::new(move || {
        timed(|| {
            bodies = bodies
                .par_iter()
                .map(|(place, speed)| {
                    let mut force = [0.0; 3];
                    for (other, _) in &bodies {
                        let to: Vector = std::array::from_fn(|axis| other[axis] - place[axis]);
                        let square = to.iter().map(|d| d * d).sum::<f64>() + 1e-3;
                        let scale = 1.0 / (square * square.sqrt());
                        (0..3).for_each(|axis| force[axis] += to[axis] * scale);
                    }
                    let speed: Vector = std::array::from_fn(|axis| speed[axis] + force[axis] * 1e-9);
                    (std::array::from_fn(|axis| place[axis] + speed[axis]), speed)
                })
                .collect();
        })
    })
}

fn life() -> Box<dyn FnMut() -> Duration> {
    const SIDE: usize = 512;
    let mut board: Vec<u8> = Numbers(6).take(SIDE * SIDE).map(|n| u8::from(n % 3 == 0)).collect();
    let mut next = vec![0; SIDE * SIDE];
    Box::new(move || {
        timed(|| {
            for _ in 0..10 {
                next.par_chunks_mut(SIDE).enumerate().for_each(|(y, row)| {
                    let above = &board[(y + SIDE - 1) % SIDE * SIDE..][..SIDE];
                    let same = &board[y * SIDE..][..SIDE];
                    let below = &board[(y + 1) % SIDE * SIDE..][..SIDE];
                    for (x, cell) in row.iter_mut().enumerate() {
                        let (left, right) = ((x + SIDE - 1) % SIDE, (x + 1) % SIDE);
                        let column = |x: usize| above[x] + same[x] + below[x];
                        let around = column(left) + column(x) + column(right) - same[x];
                        *cell = u8::from(around == 3 || around == 2 && same[x] == 1);
                    }
                });
                std::mem::swap(&mut board, &mut next);
            }
        })
    })
}

/// Computes the rows of the result in parallel, halved with `join` down to 8 rows.
fn matmul() -> Box<dyn FnMut() -> Duration> {
    const SIDE: usize = 256;
    fn rows(a: &[f64], b: &[f64], c: &mut [f64]) {
        if c.len() > 8 * SIDE {
            let half = c.len() / SIDE / 2 * SIDE;
            let (c1, c2) = c.split_at_mut(half);
            let (a1, a2) = a.split_at(half);
            rayon::join(|| rows(a1, b, c1), || rows(a2, b, c2));
            return;
        }
        for (a, c) in a.chunks(SIDE).zip(c.chunks_mut(SIDE)) {
            c.fill(0.0);
            for (&a, b) in a.iter().zip(b.chunks(SIDE)) {
                c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
            }
        }
    }
    let a: Vec<f64> = Numbers(7).take(SIDE * SIDE).map(|n| n as f64).collect();
    let b: Vec<f64> = Numbers(8).take(SIDE * SIDE).map(|n| n as f64).collect();
    let mut c = vec![0.0; SIDE * SIDE];
    Box::new(move || timed(|| rows(&a, &b, &mut c)))
}

fn string_search() -> Box<dyn FnMut() -> Duration> {
    let text = text(4 << 20);
    Box::new(move || timed(|| text.par_lines().filter(|line| line.contains(black_box("ork"))).count()))
}

fn par_bridge() -> Box<dyn FnMut() -> Duration> {
    Box::new(|| {
        timed(|| {
            let work = |n: u64| Numbers(n).take(50).fold(0, u64::wrapping_add);
            (0..black_box(20_000u64)).par_bridge().map(work).reduce(|| 0, u64::wrapping_add)
        })
    })
}
