//! What does a pool of two workers lose beside a neighbour that never sleeps?
//!
//! The neighbour is another process: a thread bound to the first core, a thread that is bound to none, or a busy pool of
//! two, of filch's or of rayon's. Each figure is the wall time and, in brackets, the processor time of this process, in
//! microseconds a piece. A thread that is bound takes half of one core, so that of two cores one and a half are left.

use std::hint::black_box;
use std::io::Read;
use std::iter;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use filch_benches::{Meter, Spent, cores, print_aligned, rounds, scaled, settle};

const WORKERS: usize = 2;

/// The argument that makes this program a neighbour.
const NEIGHBOUR: &str = "--neighbour=";

/// The neighbours: their names as arguments, and in the tables.
const NEIGHBOURS: [(&str, &str); 5] = [
    ("none", "no neighbour"),
    ("bound", "a thread bound to the first core"),
    ("unbound", "a thread bound to no core"),
    ("filch", "a busy pool of two, filch's"),
    ("rayon", "a busy pool of two, rayon's"),
];

/// Works for as long as so many rounds take: a job that loses its core is not any shorter for that.
fn work(rounds: u64) {
    let mut value = black_box(rounds);
    for _ in 0..rounds {
        value = value.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(7);
    }
    black_box(value);
}

/// Returns how many rounds take a microsecond on a core that nobody else has: the shortest of some measurements.
fn rounds_a_micro() -> u64 {
    let time = |rounds| {
        let start = Instant::now();
        work(rounds);
        start.elapsed()
    };
    let shortest = (0..20).map(|_| time(100_000)).min().unwrap_or_default();
    (100_000_000_000 / shortest.as_nanos().max(1) / 1000) as u64
}

fn fib(n: u64, join: fn(u64) -> u64) -> u64 {
    if n < 2 { n } else { join(n) }
}

fn filch_fib(n: u64) -> u64 {
    let (a, b) = filch::join(|| fib(n - 1, filch_fib), || fib(n - 2, filch_fib));
    a + b
}

fn rayon_fib(n: u64) -> u64 {
    let (a, b) = rayon::join(|| fib(n - 1, rayon_fib), || fib(n - 2, rayon_fib));
    a + b
}

/// A program: runs `pieces` pieces and tells what they cost.
struct Program {
    name: &'static str,
    pieces: u64,
    ours: Box<dyn Fn(u64) -> Spent>,
    peer: (&'static str, Box<dyn Fn(u64) -> Spent>),
}

fn filch_pool() -> filch::Pool {
    let pool = filch::Pool::builder().workers(WORKERS).build().expect("a pool");
    settle();
    pool
}

fn rayon_pool() -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("a pool");
    settle();
    pool
}

fn timed(pieces: u64, mut piece: impl FnMut()) -> Spent {
    let meter = Meter::start();
    (0..pieces).for_each(|_| piece());
    meter.stop()
}

/// Four steps of four pieces of 20 µs, after a millisecond of rest.
fn frame(micro: u64) -> Program {
    const REST: Duration = Duration::from_millis(1);
    let ours = move |pieces| {
        let pool = filch_pool();
        timed(pieces, || {
            thread::sleep(REST);
            (0..4).for_each(|_| {
                pool.install(|| filch::scope(|s| (0..4).for_each(|_| s.spawn(|_| work(20 * micro)))))
            });
        })
    };
    let peer = move |pieces| {
        let pool = rayon_pool();
        timed(pieces, || {
            thread::sleep(REST);
            (0..4).for_each(|_| {
                pool.install(|| rayon::scope(|s| (0..4).for_each(|_| s.spawn(|_| work(20 * micro)))))
            });
        })
    };
    Program { name: "frame", pieces: scaled(200, 5), ours: Box::new(ours), peer: ("rayon", Box::new(peer)) }
}

fn install() -> Program {
    let ours = |pieces| {
        let pool = filch_pool();
        timed(pieces, || _ = black_box(pool.install(|| 1)))
    };
    let peer = |pieces| {
        let pool = rayon_pool();
        timed(pieces, || _ = black_box(pool.install(|| 1)))
    };
    let pieces = scaled(10_000, 100);
    Program { name: "`install` back to back", pieces, ours: Box::new(ours), peer: ("rayon", Box::new(peer)) }
}

fn broadcast() -> Program {
    const REST: Duration = Duration::from_millis(1);
    let ours = |pieces| {
        let pool = filch_pool();
        timed(pieces, || {
            thread::sleep(REST);
            black_box(pool.broadcast(|_| 1));
        })
    };
    let peer = |pieces| {
        let pool = rayon_pool();
        timed(pieces, || {
            thread::sleep(REST);
            black_box(pool.broadcast(|_| 1));
        })
    };
    let pieces = scaled(200, 5);
    Program { name: "broadcast after 1 ms", pieces, ours: Box::new(ours), peer: ("rayon", Box::new(peer)) }
}

fn forks() -> Program {
    let ours = |pieces| {
        let pool = filch_pool();
        timed(pieces, || _ = black_box(pool.install(|| filch_fib(black_box(25)))))
    };
    let peer = |pieces| {
        let pool = rayon_pool();
        timed(pieces, || _ = black_box(pool.install(|| rayon_fib(black_box(25)))))
    };
    Program { name: "fib(25)", pieces: scaled(30, 1), ours: Box::new(ours), peer: ("rayon", Box::new(peer)) }
}

fn execute() -> Program {
    static DONE: AtomicU64 = AtomicU64::new(0);
    fn awaited(pieces: u64, submit: impl Fn()) -> Spent {
        DONE.store(0, Ordering::Relaxed);
        let meter = Meter::start();
        (0..pieces).for_each(|_| submit());
        while DONE.load(Ordering::Relaxed) < pieces {
            thread::sleep(Duration::from_micros(50));
        }
        meter.stop()
    }
    let job = || _ = DONE.fetch_add(1, Ordering::Relaxed);
    let ours = move |pieces| {
        let pool = filch_pool();
        awaited(pieces, || pool.execute(job).expect("an open pool"))
    };
    let peer = move |pieces| {
        let pool = rayon_pool();
        awaited(pieces, || pool.spawn(job))
    };
    let pieces = scaled(200_000, 1000);
    Program { name: "`execute`", pieces, ours: Box::new(ours), peer: ("rayon", Box::new(peer)) }
}

/// A queue of `capacity`, with jobs of so many rounds and so many producers.
fn queue(name: &'static str, capacity: usize, job: u64, producers: u64, pieces: u64) -> Program {
    fn produce(producers: u64, pieces: u64, submit: impl Fn(u64) + Sync) {
        thread::scope(|scope| {
            for producer in 0..producers {
                let submit = &submit;
                scope.spawn(move || (producer..pieces).step_by(producers as usize).for_each(submit));
            }
        });
    }
    let ours = move |pieces| {
        let pool = filch_pool();
        let queue = pool.queue().capacity(capacity).build(move |_: u64| work(job)).expect("a queue");
        let meter = Meter::start();
        produce(producers, pieces, |piece| queue.submit(piece).expect("an open queue"));
        queue.close();
        queue.wait();
        meter.stop()
    };
    let peer = move |pieces| {
        let (sender, receiver) = crossbeam_channel::bounded::<u64>(capacity);
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                let receiver = receiver.clone();
                thread::spawn(move || receiver.into_iter().for_each(|_| work(job)))
            })
            .collect();
        settle();
        let meter = Meter::start();
        produce(producers, pieces, |piece| sender.send(piece).expect("an open channel"));
        drop(sender);
        workers.into_iter().for_each(|worker| worker.join().expect("a worker that did not panic"));
        meter.stop()
    };
    Program { name, pieces, ours: Box::new(ours), peer: ("crossbeam-channel", Box::new(peer)) }
}

fn programs() -> Vec<Program> {
    let micro = rounds_a_micro();
    let (many, some, few) = (scaled(500_000, 2000), scaled(50_000, 500), scaled(10_000, 200));
    vec![
        frame(micro),
        install(),
        broadcast(),
        forks(),
        execute(),
        queue("queue of 10, near-empty jobs", 10, 0, 1, scaled(100_000, 2000)),
        queue("queue of 1,024, near-empty jobs", 1024, 0, 1, many),
        queue("queue of 1,024, jobs of 1 µs", 1024, micro, 1, some),
        queue("queue of 10, jobs of 10 µs", 10, 10 * micro, 1, few),
        queue("queue of 1,024, jobs of 10 µs", 1024, 10 * micro, 1, few),
        queue("queue of 1,024, four producers", 1024, 0, 4, many),
    ]
}

/// Is the neighbour `kind` until the other process is gone.
fn be_neighbour(kind: &str) {
    thread::spawn(|| {
        // The pipe closes with the process that has started this one.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    match kind {
        "filch" => {
            let pool = filch_pool();
            loop {
                pool.install(|| black_box(filch_fib(black_box(30))));
            }
        }
        "rayon" => {
            let pool = rayon_pool();
            loop {
                pool.install(|| black_box(rayon_fib(black_box(30))));
            }
        }
        _ => {
            if kind == "bound" {
                cores::bind(&cores::allowed()[..1]);
            }
            loop {
                work(1000);
            }
        }
    }
}

/// A neighbour, which ends when this is dropped.
struct Neighbour(Option<Child>);

impl Neighbour {
    fn start(kind: &str) -> Neighbour {
        if kind == "none" {
            return Neighbour(None);
        }
        let this = std::env::current_exe().expect("this program");
        let child = Command::new(this).arg(format!("{NEIGHBOUR}{kind}")).stdin(Stdio::piped()).spawn();
        let child = child.expect("this program once more");
        // It is busy by then.
        thread::sleep(Duration::from_millis(100));
        Neighbour(Some(child))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.stdin.take());
            child.wait().expect("the neighbour ends");
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(kind) = arguments.iter().find_map(|argument| argument.strip_prefix(NEIGHBOUR)) {
        return be_neighbour(kind);
    }
    let is_option = |argument: &&String| argument.starts_with('-') || argument.parse::<u64>().is_ok();
    let words: Vec<&String> = arguments.iter().filter(|argument| !is_option(argument)).collect();
    let programs = programs();
    for (kind, what) in NEIGHBOURS {
        let asked = |program: &&Program| {
            words.iter().all(|word| format!("{kind}, {}", program.name).contains(word.as_str()))
        };
        let asked: Vec<_> = programs.iter().filter(asked).collect();
        if asked.is_empty() {
            continue;
        }
        let _neighbour = Neighbour::start(kind);
        let header =
            ["µs a piece (processor time)", "filch", "best peer", "", "filch ÷ it", "processor time ÷ its"];
        let rows = asked.into_iter().map(row);
        let rows: Vec<_> = iter::once(header.map(String::from).to_vec()).chain(rows).collect();
        print_aligned(&format!("{WORKERS} workers beside {what}"), &rows);
    }
}

fn row(program: &Program) -> Vec<String> {
    let mut spent = [const { Vec::new() }; 2];
    for round in 0..rounds(9) {
        for turn in 0..2 {
            let index = (round + turn) % 2;
            let run = if index == 0 { &program.ours } else { &program.peer.1 };
            spent[index].push(run(program.pieces));
            settle();
        }
    }
    let [ours, its] = spent.map(|times| {
        let median = |of: fn(&Spent) -> Duration| {
            let mut times: Vec<Duration> = times.iter().map(of).collect();
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e6 / program.pieces as f64
        };
        [median(|spent| spent.wall), median(|spent| spent.processor)]
    });
    let cell = |[wall, processor]: [f64; 2]| format!("{wall:.3} ({processor:.3})");
    let ratios = iter::zip(ours, its).map(|(ours, its)| format!("{:.2}", ours / its));
    let cells = [program.name.to_owned(), cell(ours), program.peer.0.to_owned(), cell(its)];
    cells.into_iter().chain(ratios).collect()
}
