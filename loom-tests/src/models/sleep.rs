//! The eventcount: a job that was published is run, or the execution deadlocks.

use crate::deque::{Deque, Injector, Steal};
use crate::parker::Parker;
use crate::sleep::Sleep;
use loom::sync::Arc;
use loom::thread;

/// A worker as far as sleeping goes: looks with `find`, sleeps by the protocol, until it has found something.
fn work<T>(
    index: usize,
    sleep: &Sleep,
    parker: &Parker,
    mut find: impl FnMut() -> Option<T>,
    has_work: impl Fn() -> bool,
) -> T {
    parker.adopt();
    let mut searching = false;
    loop {
        if let Some(found) = find() {
            if searching {
                sleep.end_search(|_| has_work());
            }
            return found;
        }
        searching = searching || sleep.start_search();
        let _ = sleep.fall_asleep(index, searching, false);
        if !has_work() {
            parker.park(None);
        }
        let _ = sleep.get_up(index, false);
        searching = true;
    }
}

/// Proves: a job injected from outside into a pool of one worker is found, at whatever stage of falling asleep
/// the worker is.
/// 2 threads, exhaustive.
pub(super) fn inject() {
    let parker = Parker::new();
    let shared = Arc::new((Sleep::new(Box::new([parker.unparker()])), Injector::new()));
    let worker = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (sleep, injector) = &*shared;
            let find = || match injector.steal() {
                Steal::Success(job) => Some(job),
                Steal::Empty | Steal::Retry => None,
            };
            work(0, sleep, &parker, find, || !injector.is_empty())
        })
    };
    let (sleep, injector) = &*shared;
    assert!(sleep.enter());
    injector.push(7);
    sleep.published();
    sleep.leave();
    assert_eq!(worker.join().unwrap(), 7);
}

/// Proves: two jobs that a worker pushes onto its own deque, whose owner then does nothing, are found by two
/// workers that search or sleep: a searcher that takes the first passes the wake on.
/// 3 threads, 3 preemptions.
pub(super) fn local_push() {
    let parkers = [Parker::new(), Parker::new()];
    let deque = Deque::new_lifo();
    let sleep = Sleep::new(parkers.iter().map(Parker::unparker).collect());
    let shared = Arc::new((sleep, deque.stealer()));
    let workers: Vec<_> = parkers
        .into_iter()
        .enumerate()
        .map(|(index, parker)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (sleep, stealer) = &*shared;
                let find = || match stealer.steal() {
                    Steal::Success(job) => Some(job),
                    Steal::Empty | Steal::Retry => None,
                };
                work(index, sleep, &parker, find, || !stealer.is_empty())
            })
        })
        .collect();
    for job in [1, 2] {
        deque.push(job);
        shared.0.published();
    }
    let found: i32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    assert_eq!(found, 3);
}

/// Proves: whatever happens while two workers search, sleep, are woken and get up, and two jobs come from outside,
/// each is counted once: at the end all counts are zero, and none was ever above the number of workers.
/// 3 threads, 2 preemptions.
pub(super) fn accounting() {
    let parkers = [Parker::new(), Parker::new()];
    let shared = Arc::new((Sleep::new(parkers.iter().map(Parker::unparker).collect()), Injector::new()));
    let workers: Vec<_> = parkers
        .into_iter()
        .enumerate()
        .map(|(index, parker)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (sleep, injector) = &*shared;
                let find = || {
                    let now = sleep.snapshot();
                    assert!(now.searching() <= 2 && now.asleep() <= 2 && now.entered() <= 1, "model: {now:?}");
                    match injector.steal() {
                        Steal::Success(job) => Some(job),
                        Steal::Empty | Steal::Retry => None,
                    }
                };
                work(index, sleep, &parker, find, || !injector.is_empty())
            })
        })
        .collect();
    let (sleep, injector) = &*shared;
    for job in [1, 2] {
        assert!(sleep.enter());
        injector.push(job);
        sleep.published();
        sleep.leave();
    }
    let found: i32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    assert_eq!(found, 3);
    let end = sleep.snapshot();
    assert_eq!((end.searching(), end.asleep(), end.waiting(), end.entered()), (0, 0, 0, 0), "model: {end:?}");
}
