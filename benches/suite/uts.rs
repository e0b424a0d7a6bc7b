//! Unbalanced tree search: counts the nodes of a tree whose shape is not known before the search.
//!
//! A node is the SHA-1 digest of its parent and of its number among the children. The last 31 bits of the digest
//! decide how many children the node has. T1 has the same distribution of children down to a fixed level. In T3 a
//! node has eight children or none, and the paths are long.

use criterion::Criterion;
use filch_benches::{scaled, tally};
use sha1::{Digest, Sha1};

use crate::pools::Join;
use crate::{Medians, ways};

type Node = [u8; 20];

enum Shape {
    /// Above the level `levels` a node has a geometrically distributed number of children, `mean` on average. From
    /// that level on it has none.
    Geometric { mean: f64, levels: u32 },
    /// The root has `root` children. Any other node has `children` children with this probability, or else none.
    Binomial { root: u32, children: u32, probability: f64 },
}

struct Tree {
    seed: u32,
    shape: Shape,
    nodes: u64,
    depth: u32,
}

/// The most children that a node of a geometric tree has.
const MOST: u32 = 100;

fn root(seed: u32) -> Node {
    let mut text = [0; 20];
    text[16..].copy_from_slice(&seed.to_be_bytes());
    Sha1::digest(text).into()
}

fn child(parent: &Node, number: u32) -> Node {
    let mut text = [0; 24];
    text[..20].copy_from_slice(parent);
    text[20..].copy_from_slice(&number.to_be_bytes());
    Sha1::digest(text).into()
}

fn children(shape: &Shape, node: &Node, level: u32) -> u32 {
    let [.., a, b, c, d] = *node;
    let random = f64::from(u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff) / f64::from(1u32 << 31);
    match *shape {
        Shape::Geometric { levels, .. } if level >= levels && level > 0 => 0,
        Shape::Geometric { mean, .. } => {
            let stop = 1.0 / (1.0 + mean);
            (((1.0 - random).ln() / (1.0 - stop).ln()) as u32).min(MOST)
        }
        Shape::Binomial { root, .. } if level == 0 => root,
        Shape::Binomial { children, probability, .. } => {
            if random < probability {
                children
            } else {
                0
            }
        }
    }
}

/// Returns the number of nodes of the subtree at `node`, and its deepest level.
fn visit<J: Join>(shape: &Shape, node: &Node, level: u32) -> (u64, u32) {
    tally::enter(1);
    let children = children(shape, node, level);
    if children == 0 {
        return (1, level);
    }
    let (nodes, depth) = family::<J>(shape, node, level, 0, children);
    (nodes + 1, depth)
}

/// Returns the number of nodes of the subtrees at the children `from..to`, and their deepest level.
fn family<J: Join>(shape: &Shape, parent: &Node, level: u32, from: u32, to: u32) -> (u64, u32) {
    if to - from == 1 {
        return visit::<J>(shape, &child(parent, from), level + 1);
    }
    let middle = from.midpoint(to);
    let (a, b) = J::join(
        || family::<J>(shape, parent, level, from, middle),
        || family::<J>(shape, parent, level, middle, to),
    );
    (a.0 + b.0, a.1.max(b.1))
}

fn run<J: Join>(tree: &mut Tree) {
    (tree.nodes, tree.depth) = visit::<J>(&tree.shape, &root(tree.seed), 0);
}

fn compare(c: &mut Criterion, question: &str, tree: fn() -> Tree, nodes: u64, depth: u32) -> Medians {
    let check = |tree: Tree| assert_eq!((tree.nodes, tree.depth), (nodes, depth));
    crate::compare(c, question, nodes, &tree, ways!(run), &check)
}

/// Compares the contenders on T1, or on its first six levels in a quick run.
pub fn compare_wide(c: &mut Criterion, question: &str) -> Medians {
    let tree =
        || Tree { seed: 19, shape: Shape::Geometric { mean: 4.0, levels: scaled(10, 6) }, nodes: 0, depth: 0 };
    let (nodes, depth) = scaled((4_130_071, 10), (16_000, 6));
    compare(c, question, tree, nodes, depth)
}

/// Compares the contenders on T3.
pub fn compare_deep(c: &mut Criterion, question: &str) -> Medians {
    let tree = || Tree {
        seed: 42,
        shape: Shape::Binomial { root: 2000, children: 8, probability: 0.124_875 },
        nodes: 0,
        depth: 0,
    };
    compare(c, question, tree, 4_112_897, 1572)
}
