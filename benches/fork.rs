//! What does a fork cost whose work is next to nothing?
//!
//! Fibonacci numbers, one fork for each addition, and sums over perfect binary trees of boxed nodes, one fork for
//! each node. The recursion marks which worker works on each of its upper subtrees. The marks are so few that they
//! cost nothing.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::{Contender, Unit, ask, rounds, scaled, tally};

use pools::{Filch, Join, Rayon, Serial, clock};

mod pools;

/// The recursion marks each subtree that it enters at this `n` or below, and nothing inside that subtree.
const MARKED: u32 = 20;

fn fib<J: Join>(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let (a, b) = J::join(|| fib::<J>(n - 1), || fib::<J>(n - 2));
    a + b
}

fn upper_fib<J: Join>(n: u32) -> u64 {
    if n <= MARKED {
        tally::enter(1);
        return fib::<J>(n);
    }
    let (a, b) = J::join(|| upper_fib::<J>(n - 1), || upper_fib::<J>(n - 2));
    a + b
}

fn chili_fib(s: &mut chili::Scope<'_>, n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    // chili runs the second closure first.
    let (b, a) = s.join(|s| chili_fib(s, n - 2), |s| chili_fib(s, n - 1));
    a + b
}

fn chili_upper_fib(s: &mut chili::Scope<'_>, n: u32) -> u64 {
    if n <= MARKED {
        tally::enter(1);
        return chili_fib(s, n);
    }
    let (b, a) = s.join(|s| chili_upper_fib(s, n - 2), |s| chili_upper_fib(s, n - 1));
    a + b
}

/// Returns `fib(n)`, the number of forks that computing it takes, and the number of marked subtrees.
fn expected(n: u32) -> (u64, u64, u64) {
    let (fib, _) = (0..n).fold((0, 1), |(a, b), _| (b, a + b));
    let (next, _) = (0..=n).fold((0, 1), |(a, b), _| (b, a + b));
    let (_, marks) = (MARKED..=n).fold((0, 1), |(a, b), _| (b, a + b));
    (fib, next - 1, if n <= MARKED { 1 } else { marks })
}

fn fibonacci(c: &mut Criterion) {
    let n = scaled(32, 24);
    let (answer, forks, marks) = expected(n);
    for workers in [1, 2] {
        let samples = 3;
        let all = marks * samples;
        let times = |f: &(dyn Fn() -> u64 + Sync)| -> Vec<Duration> {
            (0..samples).map(|_| clock(&answer, f)).collect()
        };
        let contenders = vec![
            Contender::baseline("serial", || {
                pools::serial(all, || times(&|| upper_fib::<Serial>(black_box(n))))
            }),
            Contender::peer("rayon", || {
                pools::rayon(workers, all, |pool| pool.install(|| times(&|| upper_fib::<Rayon>(black_box(n)))))
            }),
            Contender::peer("chili", || {
                pools::chili(workers, all, |pool| {
                    let mut s = pool.scope();
                    (0..samples).map(|_| clock(&answer, || chili_upper_fib(&mut s, black_box(n)))).collect()
                })
            }),
            Contender::ours("filch", || {
                pools::filch(workers, all, |pool| pool.install(|| times(&|| upper_fib::<Filch>(black_box(n)))))
            }),
        ];
        let question = format!("fib({n}), {workers} worker{}", if workers == 1 { "" } else { "s" });
        ask(c, &question, Unit::each("fork", forks), rounds(15), contenders);
    }
}

struct Node {
    value: u64,
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
}

/// Builds a perfect tree with `levels` levels, whose nodes hold 1.
fn plant(levels: u32) -> Node {
    let child = || (levels > 1).then(|| Box::new(plant(levels - 1)));
    Node { value: 1, left: child(), right: child() }
}

/// Returns the sum of a tree. The worker that forks goes into the right child first if `RIGHT`, or else into the
/// left.
fn sum<J: Join, const RIGHT: bool>(node: &Node) -> u64 {
    let left = || node.left.as_deref().map_or(0, sum::<J, RIGHT>);
    let right = || node.right.as_deref().map_or(0, sum::<J, RIGHT>);
    let (a, b) = if RIGHT { J::join(right, left) } else { J::join(left, right) };
    node.value + a + b
}

/// Returns the sum of a tree, and marks each subtree that is rooted `levels` levels below the root. The levels above
/// have no marks.
fn upper_sum<J: Join, const RIGHT: bool>(node: &Node, levels: u32) -> u64 {
    if levels == 0 {
        tally::enter(1);
        return sum::<J, RIGHT>(node);
    }
    let left = || node.left.as_deref().map_or(0, |node| upper_sum::<J, RIGHT>(node, levels - 1));
    let right = || node.right.as_deref().map_or(0, |node| upper_sum::<J, RIGHT>(node, levels - 1));
    let (a, b) = if RIGHT { J::join(right, left) } else { J::join(left, right) };
    node.value + a + b
}

fn chili_sum<const RIGHT: bool>(s: &mut chili::Scope<'_>, node: &Node) -> u64 {
    let left = |s: &mut chili::Scope<'_>| node.left.as_deref().map_or(0, |node| chili_sum::<RIGHT>(s, node));
    let right = |s: &mut chili::Scope<'_>| node.right.as_deref().map_or(0, |node| chili_sum::<RIGHT>(s, node));
    let (a, b) = if RIGHT { s.join(left, right) } else { s.join(right, left) };
    node.value + a + b
}

fn chili_upper_sum<const RIGHT: bool>(s: &mut chili::Scope<'_>, node: &Node, levels: u32) -> u64 {
    if levels == 0 {
        tally::enter(1);
        return chili_sum::<RIGHT>(s, node);
    }
    let left = |s: &mut chili::Scope<'_>| {
        node.left.as_deref().map_or(0, |node| chili_upper_sum::<RIGHT>(s, node, levels - 1))
    };
    let right = |s: &mut chili::Scope<'_>| {
        node.right.as_deref().map_or(0, |node| chili_upper_sum::<RIGHT>(s, node, levels - 1))
    };
    let (a, b) = if RIGHT { s.join(left, right) } else { s.join(right, left) };
    node.value + a + b
}

const WORKERS: usize = 2;

/// Sums a tree that is done before a second worker can wake: from a pool at rest, and again and again.
fn small_tree(c: &mut Criterion) {
    const LEVELS: u32 = 10;
    let tree = plant(LEVELS);
    let tree = &tree;
    let nodes = (1 << LEVELS) - 1;
    let samples = scaled(50, 5);
    // The other workers fall asleep during the nap. The serial sum then brings the tree back into this thread's
    // cache.
    let rest = || {
        thread::sleep(Duration::from_millis(1));
        assert_eq!(black_box(sum::<Serial, true>(tree)), nodes);
    };
    let rested = |f: &(dyn Fn() -> u64 + Sync)| -> Vec<Duration> {
        let sample = |_| {
            rest();
            clock(&nodes, f)
        };
        (0..samples).map(sample).collect()
    };
    // Four marks a sample: fewer would not show which worker did what, more would cost something.
    let marks = samples * 4;

    let question = format!("tree of {nodes} nodes, others at rest");
    let contenders = vec![
        Contender::baseline("serial", || {
            pools::serial(marks, || rested(&|| upper_sum::<Serial, true>(tree, 2)))
        }),
        Contender::peer("rayon", || {
            pools::rayon(WORKERS, marks, |pool| pool.install(|| rested(&|| upper_sum::<Rayon, true>(tree, 2))))
        }),
        Contender::peer("chili", || {
            pools::chili(WORKERS, marks, |pool| {
                let mut s = pool.scope();
                let sample = |_| {
                    rest();
                    clock(&nodes, || chili_upper_sum::<true>(&mut s, tree, 2))
                };
                (0..samples).map(sample).collect()
            })
        }),
        Contender::ours("filch", || {
            pools::filch(WORKERS, marks, |pool| pool.install(|| rested(&|| upper_sum::<Filch, true>(tree, 2))))
        }),
    ];
    ask(c, &question, Unit::each("node", nodes), rounds(15), contenders);

    let question = format!("tree of {nodes} nodes, `install` from rest included");
    let contenders = vec![
        Contender::peer("rayon", || {
            pools::rayon(WORKERS, marks, |pool| rested(&|| pool.install(|| upper_sum::<Rayon, true>(tree, 2))))
        }),
        Contender::peer("chili", || {
            pools::chili(WORKERS, marks, |pool| rested(&|| chili_upper_sum::<true>(&mut pool.scope(), tree, 2)))
        }),
        Contender::ours("filch", || {
            pools::filch(WORKERS, marks, |pool| rested(&|| pool.install(|| upper_sum::<Filch, true>(tree, 2))))
        }),
    ];
    ask(c, &question, Unit::each("node", nodes), rounds(15), contenders);

    let question = format!("tree of {nodes} nodes, again and again");
    let times = scaled(1000, 10);
    let marks = times * 4;
    let again = |f: &(dyn Fn() -> u64 + Sync)| {
        vec![clock(&(nodes * times), || (0..times).map(|_| black_box(f())).sum())]
    };
    let contenders = vec![
        Contender::baseline("serial", || {
            pools::serial(marks, || again(&|| upper_sum::<Serial, true>(black_box(tree), 2)))
        }),
        Contender::peer("rayon", || {
            pools::rayon(WORKERS, marks, |pool| {
                pool.install(|| again(&|| upper_sum::<Rayon, true>(black_box(tree), 2)))
            })
        }),
        Contender::peer("chili", || {
            pools::chili(WORKERS, marks, |pool| {
                let mut s = pool.scope();
                let mut once = |_| black_box(chili_upper_sum::<true>(&mut s, black_box(tree), 2));
                vec![clock(&(nodes * times), || (0..times).map(&mut once).sum())]
            })
        }),
        Contender::ours("filch", || {
            pools::filch(WORKERS, marks, |pool| {
                pool.install(|| again(&|| upper_sum::<Filch, true>(black_box(tree), 2)))
            })
        }),
    ];
    ask(c, &question, Unit::each("node", nodes * times), rounds(15), contenders);
}

fn large_tree(c: &mut Criterion) {
    // The tree takes half a gigabyte, so it is built only if a question is asked that needs it.
    let levels = scaled(24, 16);
    let tree = std::sync::LazyLock::new(|| plant(levels));
    large_tree_in_order::<true>(c, &tree, levels, "right");
    large_tree_in_order::<false>(c, &tree, levels, "left");
}

fn large_tree_in_order<const RIGHT: bool>(
    c: &mut Criterion,
    tree: &std::sync::LazyLock<Node, impl FnOnce() -> Node + Send>,
    levels: u32,
    first: &str,
) {
    let nodes = (1 << levels) - 1;
    let upper = levels / 2;
    let marks = 1 << upper;
    let contenders = vec![
        Contender::baseline("serial", || {
            let tree = &**tree;
            pools::serial(marks, || vec![clock(&nodes, || upper_sum::<Serial, RIGHT>(tree, upper))])
        }),
        Contender::peer("rayon", || {
            let tree = &**tree;
            pools::rayon(WORKERS, marks, |pool| {
                pool.install(|| vec![clock(&nodes, || upper_sum::<Rayon, RIGHT>(tree, upper))])
            })
        }),
        Contender::peer("chili", || {
            let tree = &**tree;
            pools::chili(WORKERS, marks, |pool| {
                let mut s = pool.scope();
                vec![clock(&nodes, || chili_upper_sum::<RIGHT>(&mut s, tree, upper))]
            })
        }),
        Contender::ours("filch", || {
            let tree = &**tree;
            pools::filch(WORKERS, marks, |pool| {
                pool.install(|| vec![clock(&nodes, || upper_sum::<Filch, RIGHT>(tree, upper))])
            })
        }),
    ];
    let question = format!("tree of {nodes} nodes, {first} child first");
    ask(c, &question, Unit::each("node", nodes), rounds(9), contenders);
}

criterion_group!(benches, fibonacci, small_tree, large_tree);
criterion_main!(benches);
