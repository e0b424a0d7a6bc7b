//! All ways to set n queens on a board of n × n, with a fork for each field that is free.

use criterion::Criterion;
use filch_benches::{scaled, tally};

use crate::pools::Join;
use crate::{Medians, ways};

struct Board {
    size: u32,
    solutions: u64,
}

/// The fields of this row that the queens in the rows above attack, one bit a field.
#[derive(Clone, Copy)]
struct Row {
    columns: u32,
    left: u32,
    right: u32,
}

/// Returns the number of solutions from this row on.
fn row<J: Join>(all: u32, attacked: Row) -> u64 {
    if attacked.columns == all {
        tally::enter(1);
        return 1;
    }
    let free = all & !(attacked.columns | attacked.left | attacked.right);
    if free == 0 { 0 } else { fields::<J>(all, attacked, free) }
}

/// Returns the number of solutions with a queen in one of the `free` fields of this row.
fn fields<J: Join>(all: u32, attacked: Row, free: u32) -> u64 {
    let field = free & free.wrapping_neg();
    let next = Row {
        columns: attacked.columns | field,
        left: (attacked.left | field) << 1,
        right: (attacked.right | field) >> 1,
    };
    let others = free ^ field;
    if others == 0 {
        return row::<J>(all, next);
    }
    let (a, b) = J::join(|| row::<J>(all, next), || fields::<J>(all, attacked, others));
    a + b
}

fn run<J: Join>(board: &mut Board) {
    board.solutions = row::<J>((1 << board.size) - 1, Row { columns: 0, left: 0, right: 0 });
}

pub fn compare(c: &mut Criterion, question: &str) -> Medians {
    let (size, solutions) = scaled((13, 73_712), (9, 352));
    let check = |board: Board| assert_eq!(board.solutions, solutions);
    crate::compare(c, question, solutions, &|| Board { size, solutions: 0 }, ways!(run), &check)
}
