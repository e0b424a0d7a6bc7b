//! Two pools of one worker each, on two cores: how much longer does each take than one pool alone?
//!
//! Ideally no longer. The pools belong to one process or to two. Either the system decides where their workers start; or
//! both are started on the first core, and rest there before they get work, as it may happen to pools that have nothing to
//! do when they start.
//!
//! Figures are milliseconds of the slower pool, medians; in brackets, divided by the time of one pool alone.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::iter;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use filch_benches::{cores, print_aligned, rounds, scaled, settle};

/// The arguments that make this program a process with one pool: the contender, the kind of work, where it starts.
const PARTNER: &str = "--partner";

/// What a pool of one worker is to do.
type Work = fn(&dyn Pool);

const WORK: [(&str, Work); 3] = [
    ("one call that forks", |pool| pool.forks(scaled(38, 30))),
    ("jobs of 100 µs", |pool| pool.jobs(scaled(5000, 100), 100)),
    ("jobs of 1 µs", |pool| pool.jobs(scaled(500_000, 1000), 1)),
];

const CONTENDERS: [&str; 2] = ["filch", "rayon"];

/// A pool of one worker.
trait Pool: Send + Sync {
    fn forks(&self, n: u64);
    /// Runs so many jobs of so many microseconds, and waits for the last.
    fn jobs(&self, jobs: u64, micros: u64);
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

/// Works about so many microseconds, however often it loses its core meanwhile.
fn work(micros: u64) {
    let mut value = black_box(micros);
    for _ in 0..micros * 1000 {
        value = value.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(7);
    }
    black_box(value);
}

impl Pool for filch::Pool {
    fn forks(&self, n: u64) {
        self.install(|| black_box(filch_fib(black_box(n))));
    }

    fn jobs(&self, jobs: u64, micros: u64) {
        for _ in 0..jobs {
            self.execute(move || work(micros)).map_err(|closed| closed.reason()).expect("it is open");
        }
        // The last job from outside is the last to run on one worker.
        self.install(|| ());
    }
}

impl Pool for rayon::ThreadPool {
    fn forks(&self, n: u64) {
        // Rayon's forks cost more: this is about as long.
        self.install(|| black_box(rayon_fib(black_box(n - 4))));
    }

    fn jobs(&self, jobs: u64, micros: u64) {
        for _ in 0..jobs {
            self.spawn(move || work(micros));
        }
        self.install(|| ());
    }
}

/// Builds a pool. Its worker starts on the first core if `crowded`.
fn build(contender: &str, crowded: bool) -> Box<dyn Pool> {
    let contender = contender.to_owned();
    let build = move || -> Box<dyn Pool> {
        let all = cores::allowed();
        if crowded {
            cores::bind(&all[..1]);
        }
        match contender.as_str() {
            "filch" => Box::new(filch::Pool::builder().workers(1).build().expect("a pool")),
            _ => {
                // A thread inherits the mask of its parent, and rayon leaves it at that.
                let free = move |_| cores::bind(&all);
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).start_handler(free);
                Box::new(pool.build().expect("a pool"))
            }
        }
    };
    // The process keeps its cores: only the new thread is bound.
    let pool = thread::spawn(build).join().expect("no panic");
    thread::sleep(Duration::from_millis(20));
    pool
}

/// The main function of a process with one pool: says that the pool is there, waits, works, and says how long that took.
fn be_partner(arguments: &[String]) {
    let [contender, kind, crowded, ..] = arguments else { panic!("three arguments") };
    let pool = build(contender, crowded == "crowded");
    let work = WORK[kind.parse::<usize>().expect("a number")].1;
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a line");
    let begun = Instant::now();
    work(&*pool);
    println!("{}", begun.elapsed().as_nanos());
}

/// Has `partners` processes work at once. Returns the time of the slowest.
fn processes(partners: usize, contender: &str, kind: usize, crowded: bool) -> Duration {
    let this = std::env::current_exe().expect("this program");
    let start = |_| -> (Child, _) {
        let place = if crowded { "crowded" } else { "free" };
        let mut child = Command::new(&this)
            .args([PARTNER, contender, &kind.to_string(), place])
            // Such as tell that this is a quick run.
            .args(std::env::args().skip(1))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program once more");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        output.read_line(&mut String::new()).expect("it is ready");
        (child, output)
    };
    let mut partners: Vec<_> = (0..partners).map(start).collect();
    for (child, _) in &mut partners {
        child.stdin.take().expect("it is piped").write_all(b"go\n").expect("it reads");
    }
    let time = |(mut child, mut output): (Child, BufReader<_>)| {
        let mut text = String::new();
        output.read_to_string(&mut text).expect("a time");
        child.wait().expect("it ends");
        Duration::from_nanos(text.trim().parse().expect("a number"))
    };
    partners.into_iter().map(time).max().expect("there is one")
}

/// Has two pools of this process work at once. Returns the time of the slower.
fn pools(contender: &str, kind: usize, crowded: bool) -> Duration {
    let pools = [build(contender, crowded), build(contender, crowded)];
    let together = Barrier::new(2);
    thread::scope(|s| {
        let timed = |pool: &dyn Pool| {
            together.wait();
            let begun = Instant::now();
            WORK[kind].1(pool);
            begun.elapsed()
        };
        let [first, second] = &pools;
        let other = s.spawn(move || timed(&**second));
        timed(&**first).max(other.join().expect("no panic"))
    })
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((PARTNER, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return be_partner(rest);
    }
    let header = [
        "",
        "",
        "alone",
        "two pools",
        "two processes",
        "two pools, from one core",
        "two processes, from one core",
    ];
    let mut rows = vec![header.map(String::from).to_vec()];
    for (kind, (what, _)) in WORK.into_iter().enumerate() {
        for contender in CONTENDERS {
            let mut times = [const { Vec::new() }; 5];
            for _ in 0..rounds(9) {
                times[0].push(processes(1, contender, kind, false));
                times[1].push(pools(contender, kind, false));
                times[2].push(processes(2, contender, kind, false));
                times[3].push(pools(contender, kind, true));
                times[4].push(processes(2, contender, kind, true));
                settle();
            }
            let medians = times.map(|mut times| {
                times.sort();
                times[times.len() / 2].as_secs_f64() * 1e3
            });
            let cell = |millis: f64| format!("{millis:.0} ({:.2})", millis / medians[0]);
            let names = [what.to_owned(), contender.to_owned()];
            rows.push(
                names
                    .into_iter()
                    .chain(iter::once(format!("{:.0}", medians[0])))
                    .chain(medians[1..].iter().map(|&millis| cell(millis)))
                    .collect(),
            );
        }
    }
    print_aligned("two pools of one worker each", &rows);
}
