//! A bouncing producer and consumers: a producer spawns the next producer and then 500 consumers of about a
//! microsecond each, to a depth of 200. The thief of the oldest job becomes the producer.

use std::hint::black_box;

use criterion::Criterion;
use filch_benches::{scaled, tally};

use crate::Medians;

struct Bounce {
    depth: u64,
    consumers: u64,
}

fn consume() {
    tally::enter(1);
    let mut state = black_box(1u64);
    for _ in 0..400 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}

fn serial(bounce: &mut Bounce) {
    (0..bounce.depth * bounce.consumers).for_each(|_| consume());
}

macro_rules! producer {
    ($runtime:ident) => {
        fn $runtime(bounce: &mut Bounce) {
            fn produce<'s>(s: &$runtime::Scope<'s>, depth: u64, consumers: u64) {
                if depth > 1 {
                    s.spawn(move |s| produce(s, depth - 1, consumers));
                }
                (0..consumers).for_each(|_| s.spawn(|_| consume()));
            }
            $runtime::scope(|s| produce(s, bounce.depth, bounce.consumers));
        }
    };
}

producer!(rayon);
producer!(filch);

pub fn compare(c: &mut Criterion, question: &str) -> Medians {
    let (depth, consumers) = scaled((200, 500), (10, 100));
    let prepare = || Bounce { depth, consumers };
    crate::compare(c, question, depth * consumers, &prepare, [serial, rayon, filch], &drop)
}
