//! Measures the prices of the machine that this runs on.
//!
//! Each price is the median of several rounds. Prices that need two cores stay as they are on a machine with one. How long the
//! system lets a thread run, when it looks, and after how long an idle core sleeps deeply are not measured.

use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use filch_lab_machine::{Costs, Time};
#[cfg(target_os = "linux")]
use rustix::thread::{MembarrierCommand, membarrier};

/// How many rounds each measurement has.
const ROUNDS: usize = 15;

/// Measures all prices that can be measured here. Takes some seconds.
pub fn calibrate() -> Costs {
    let mut costs = Costs::default();
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(&first) = cores.first() {
        core_affinity::set_for_current(first);
    }
    let word = AtomicU64::new(0);
    costs.hit = each(100_000, || _ = black_box(word.load(Ordering::Relaxed)));
    costs.rmw = each(100_000, || _ = black_box(word.fetch_add(1, Ordering::Relaxed)));
    // With a store in between, or the compiler makes one fence of many.
    costs.fence = each(100_000, || {
        word.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    });
    costs.pause = each(100_000, spin_loop);
    costs.clock = each(100_000, || _ = black_box(Instant::now()));
    costs.call = each(10_000, thread::yield_now);
    costs.timer_slack = timer_slack();
    costs.spawn = spawn();
    let [first, second, ..] = cores[..] else { return costs };
    costs.occupied = occupied(&cores);
    // One way is a store, which occupies the line, and a load, which waits for it.
    costs.transfer = transfer(first, second).saturating_sub(costs.occupied).max(costs.hit);
    costs.occupied = costs.occupied.min(costs.transfer);
    costs.stream = stream(first, second).min(costs.transfer);
    costs.switch = switch(first).saturating_sub(costs.call);
    let (wake_price, shallow) = wake(first, second, Duration::from_micros(20));
    let (_, deep) = wake(first, second, Duration::from_millis(5));
    // The machine adds its parts: a wake is a call, and a start is a switch.
    costs.wake = wake_price.saturating_sub(costs.call);
    costs.shallow = shallow.saturating_sub(costs.switch);
    costs.deep = deep.saturating_sub(costs.switch).max(costs.shallow);
    costs.timer_slack = costs.timer_slack.saturating_sub(costs.shallow + costs.switch);
    barrier(&mut costs, first, second);
    costs
}

fn median(mut rounds: Vec<Time>) -> Time {
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}

fn to_time(time: Duration) -> Time {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 1000) * 1000
}

/// Returns how long one of `times` calls of `f` takes.
fn each(times: u32, f: impl Fn()) -> Time {
    let round = |_| {
        let begun = Instant::now();
        (0..times).for_each(|_| f());
        to_time(begun.elapsed()) / Time::from(times)
    };
    median((0..ROUNDS).map(round).collect())
}

/// Starts a thread that is bound to `core`.
fn bound<T: Send + 'static>(core: CoreId, f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::spawn(move || {
        core_affinity::set_for_current(core);
        f()
    })
}

fn end<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("a measurement does not panic")
}

/// How much later than asked a timer fires.
fn timer_slack() -> Time {
    const ASKED: Duration = Duration::from_micros(200);
    let round = |_| {
        let begun = Instant::now();
        thread::sleep(ASKED);
        to_time(begun.elapsed().saturating_sub(ASKED))
    };
    median((0..ROUNDS).map(round).collect())
}

fn spawn() -> Time {
    let round = |_| {
        let begun = Instant::now();
        let thread = thread::spawn(|| ());
        let time = to_time(begun.elapsed());
        end(thread);
        time
    };
    median((0..ROUNDS).map(round).collect())
}

/// Half of a round trip of a word between two cores. Each way moves the line twice: to be read, and to be written.
fn transfer(first: CoreId, second: CoreId) -> Time {
    const TRIPS: u64 = 20_000;
    let round = |_| {
        let word = Arc::new(AtomicU64::new(0));
        let other = Arc::clone(&word);
        let answers = bound(second, move || {
            for trip in 0..TRIPS {
                while other.load(Ordering::Acquire) != 2 * trip + 1 {}
                other.store(2 * trip + 2, Ordering::Release);
            }
        });
        let asks = bound(first, move || {
            let mut begun = Instant::now();
            for trip in 0..TRIPS {
                if trip == 100 {
                    begun = Instant::now();
                }
                word.store(2 * trip + 1, Ordering::Release);
                while word.load(Ordering::Acquire) != 2 * trip + 2 {}
            }
            to_time(begun.elapsed()) / (TRIPS - 100) / 2
        });
        end(answers);
        end(asks)
    };
    median((0..ROUNDS).map(round).collect())
}

/// A line of many that another core wrote, read one after the other.
fn stream(first: CoreId, second: CoreId) -> Time {
    /// Less than the caches that belong to one core hold.
    const LINES: usize = 2048;
    #[repr(align(64))]
    struct Line(AtomicU64);
    let round = |_| {
        let lines: Arc<Vec<Line>> = Arc::new((0..LINES).map(|_| Line(AtomicU64::new(0))).collect());
        let others = Arc::clone(&lines);
        end(bound(second, move || others.iter().for_each(|line| line.0.store(1, Ordering::Relaxed))));
        end(bound(first, move || {
            let begun = Instant::now();
            black_box(lines.iter().map(|line| line.0.load(Ordering::Acquire)).sum::<u64>());
            to_time(begun.elapsed()) / LINES as Time
        }))
    };
    median((0..ROUNDS).map(round).collect())
}

/// The time between two additions to a word that all cores add to.
fn occupied(cores: &[CoreId]) -> Time {
    const TIMES: u64 = 50_000;
    let round = |_| {
        let (word, ready) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let count = cores.len() as u64;
        let threads: Vec<_> = cores
            .iter()
            .map(|&core| {
                let (word, ready) = (Arc::clone(&word), Arc::clone(&ready));
                bound(core, move || {
                    ready.fetch_add(1, Ordering::AcqRel);
                    while ready.load(Ordering::Acquire) < count {}
                    let begun = Instant::now();
                    (0..TIMES).for_each(|_| _ = word.fetch_add(1, Ordering::Relaxed));
                    to_time(begun.elapsed())
                })
            })
            .collect();
        let longest = threads.into_iter().map(end).max().unwrap_or(0);
        longest / (TIMES * count)
    };
    median((0..ROUNDS).map(round).collect())
}

/// From one thread to the next on a core.
fn switch(core: CoreId) -> Time {
    const TIMES: u32 = 5_000;
    let round = |_| {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let other = bound(core, move || {
            while !told.load(Ordering::Acquire) {
                thread::yield_now();
            }
        });
        let time = end(bound(core, || {
            let begun = Instant::now();
            (0..TIMES).for_each(|_| thread::yield_now());
            to_time(begun.elapsed()) / Time::from(2 * TIMES)
        }));
        stop.store(true, Ordering::Release);
        end(other);
        time
    };
    median((0..ROUNDS).map(round).collect())
}

/// What a wake costs its caller, and how long the woken thread takes to its first instruction if its core has been idle for
/// `idle`.
fn wake(first: CoreId, second: CoreId, idle: Duration) -> (Time, Time) {
    const TIMES: usize = 40;
    let epoch = Instant::now();
    let awake_at = Arc::new(AtomicU64::new(0));
    let noted = Arc::clone(&awake_at);
    let sleeper = bound(second, move || {
        for _ in 0..TIMES {
            // A token may be left over, or the park end for no reason: the waker looks whether it is still asleep.
            thread::park();
            noted.store(to_time(epoch.elapsed()), Ordering::Release);
        }
    });
    let handle = sleeper.thread().clone();
    let rounds = end(bound(first, move || {
        let mut rounds = Vec::new();
        while !sleeper.is_finished() {
            awake_at.store(0, Ordering::Release);
            let until = Instant::now() + idle;
            while Instant::now() < until {
                spin_loop();
            }
            let called = epoch.elapsed();
            handle.unpark();
            let price = epoch.elapsed() - called;
            let patience = Instant::now() + Duration::from_millis(100);
            while awake_at.load(Ordering::Acquire) == 0 && Instant::now() < patience {
                spin_loop();
            }
            let awake = awake_at.load(Ordering::Acquire);
            if awake > 0 {
                rounds.push((to_time(price), awake.saturating_sub(to_time(called + price))));
            }
        }
        end(sleeper);
        rounds
    }));
    let (prices, delays): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
    (median(prices), median(delays))
}

/// Returns whether the system has a fence on all cores.
#[cfg(target_os = "linux")]
fn prepare_heavy_fence() -> bool {
    membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
}

#[cfg(target_os = "linux")]
fn heavy_fence() {
    membarrier(MembarrierCommand::PrivateExpedited).expect("the system has granted it");
}

#[cfg(not(target_os = "linux"))]
fn prepare_heavy_fence() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn heavy_fence() {}

/// A fence on all cores while one and while two cores run, and what it costs the other.
fn barrier(costs: &mut Costs, first: CoreId, second: CoreId) {
    const TIMES: u64 = 2_000;
    let fences = move |_| end(bound(first, || each_barrier(TIMES)));
    if !prepare_heavy_fence() {
        return;
    }
    let alone = median((0..ROUNDS).map(fences).collect());
    let (mut beside, mut hits) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        // Looks at the clock without end. A gap that is much longer than a look is an interrupt.
        let other = bound(second, move || {
            let (mut lost, mut gaps) = (Duration::ZERO, 0);
            let mut last = Instant::now();
            while !told.load(Ordering::Relaxed) {
                let now = Instant::now();
                let gap = now - last;
                if gap > Duration::from_nanos(300) && gap < Duration::from_micros(50) {
                    lost += gap;
                    gaps += 1;
                }
                last = now;
            }
            to_time(lost).checked_div(gaps)
        });
        beside.push(fences(0));
        stop.store(true, Ordering::Release);
        hits.extend(end(other));
    }
    costs.barrier = alone;
    costs.barrier_each = median(beside).saturating_sub(alone);
    if !hits.is_empty() {
        costs.interrupt = median(hits);
    }
}

fn each_barrier(times: u64) -> Time {
    let begun = Instant::now();
    (0..times).for_each(|_| heavy_fence());
    to_time(begun.elapsed()) / times
}
