//! How long a search over many vectors takes, beside reading the same memory: `nearest`, and the sum of all bytes as
//! 64-bit numbers, both over the same ranges on the same pool, in turn.
//!
//! ```text
//! cargo run --release -p filch-embed-compare --bin scan -- [VECTORS [WORKERS]]     default: 1000000, one for every core
//! ```

use std::ops::Range;
use std::time::Instant;

use filch::Pool;
use filch_embed::failure::Failure;
use filch_embed::index::reader::Index;
use filch_embed::index::records::Modified;
use filch_embed::index::writer::{NewFile, Place, Update};
use filch_embed::model::Model;
use filch_embed::paths::ShownPath;
use filch_embed::search::nearest;

const ROUNDS: usize = 15;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let mut next = || arguments.next().transpose().map_err(|error| Failure::Usage(error.to_string()));
    let vectors = next()?.unwrap_or(1_000_000);
    let builder = match next()? {
        Some(workers) => Pool::builder().workers(workers),
        None => Pool::builder(),
    };
    let pool = builder.build().map_err(|error| Failure::Other(error.to_string()))?;

    let folder = std::env::temp_dir().join(format!("filch-embed-scan-{}", std::process::id()));
    let result = measure(&pool, vectors, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn measure(pool: &Pool, vectors: usize, folder: &std::path::Path) -> Result<(), Failure> {
    let model = Model::hashing();
    let dimensions = model.dimensions();
    make(&model, vectors, folder)?;
    let index = Index::open(folder)?;
    let query = index.vector(vectors as u64 / 2).to_vec();
    let (mut reading, mut searching) = (Vec::new(), Vec::new());
    // The first round brings the file into memory.
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let sum = pool.install(|| read(&index, 0..vectors));
        let read = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let best = nearest(pool, &index, &query, 10);
        let searched = begun.elapsed().as_secs_f64();
        assert!(best[0].chunk == vectors / 2 && sum != 0, "the query is one of the vectors");
        if round > 0 {
            reading.push(read);
            searching.push(searched);
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2] * 1000.0
    };
    let (reading, searching) = (median(&mut reading), median(&mut searching));
    println!("| vectors of {dimensions} | workers | read, ms | searched, ms | ratio |");
    println!("|---|---|---|---|---|");
    println!("| {vectors} | {} | {reading:.1} | {searching:.1} | {:.2} |", pool.workers(), searching / reading);
    Ok(())
}

/// The sum of the vectors' bytes, eight at a time.
fn read(index: &Index, range: Range<usize>) -> u64 {
    if range.len() > 2048 {
        let middle = range.start + range.len() / 2;
        let (left, right) = filch::join(|| read(index, range.start..middle), || read(index, middle..range.end));
        return left.wrapping_add(right);
    }
    let mut sums = [0_u64; 8];
    for number in range {
        let vector = index.vector(number as u64);
        for eight in vector.as_chunks::<16>().0 {
            for (sum, pair) in sums.iter_mut().zip(eight.as_chunks::<2>().0) {
                let bits = u64::from(pair[0].to_bits()) | u64::from(pair[1].to_bits()) << 32;
                *sum = sum.wrapping_add(bits);
            }
        }
    }
    sums.iter().fold(0, |all, sum| all.wrapping_add(*sum))
}

/// An index of made-up vectors.
fn make(model: &Model, vectors: usize, folder: &std::path::Path) -> Result<(), Failure> {
    let mut update = Update::begin(folder, model.identity())?;
    let path = ShownPath { path: "/nowhere".into(), hidden: 0 };
    let modified = Modified::new(None, std::time::SystemTime::now());
    let file = update.add_file(NewFile { path, size: 0, modified, hash: 0 }, None);
    let mut state = 1_u64;
    let mut vector = vec![0.0_f32; model.dimensions()];
    for number in 0..vectors {
        for value in &mut vector {
            // Marsaglia's xorshift, 2003.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *value = (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
        }
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|value| *value /= length);
        let place = Place { line: 1, start: number as u64, end: number as u64, hash: 0 };
        update.add_chunks(file, &[place], &vector)?;
    }
    update.commit()?;
    Ok(())
}
