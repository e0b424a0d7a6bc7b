//! The eventcount: a published job is run, or the execution deadlocks.

use super::staff;
use crate::jobs::deque::{Deque, Injector, Steal};
use crate::system::parker::{Parker, Unparker};
use crate::waiting::sleep::{Sleep, Woken};
use loom::sync::Arc;
use loom::thread;

fn taken<T>(steal: Steal<T>) -> Option<T> {
    match steal {
        Steal::Success(job) => Some(job),
        Steal::Empty | Steal::Retry => None,
    }
}

/// A worker, as far as sleeping goes. It looks with `find` and sleeps by the protocol, until it finds something.
fn work<T>(
    index: usize,
    sleep: &Sleep,
    parker: &Parker,
    find: impl FnMut() -> Option<T>,
    has_work: impl Fn() -> bool,
) -> T {
    parker.adopt();
    work_on(index, sleep, parker, false, find, has_work)
}

/// As [`work`], for a worker that may count as searching from the start.
fn work_on<T>(
    index: usize,
    sleep: &Sleep,
    parker: &Parker,
    mut searching: bool,
    mut find: impl FnMut() -> Option<T>,
    has_work: impl Fn() -> bool,
) -> T {
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

fn inject_and(publish: fn(&Sleep)) {
    let parker = Parker::new();
    let shared = Arc::new((Sleep::new(Box::new([parker.unparker()]), 0), Injector::new()));
    let worker = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (sleep, injector) = &*shared;
            let find = || taken(injector.steal());
            work(0, sleep, &parker, find, || !injector.is_empty())
        })
    };
    let (sleep, injector) = &*shared;
    assert!(sleep.enter());
    injector.push(7);
    publish(sleep);
    let _ = sleep.leave();
    assert_eq!(worker.join().unwrap(), 7);
}

/// Proves: a job injected from outside into a pool of one worker is found, at whatever stage of falling asleep the
/// worker is.
/// 2 threads, exhaustive; 7,305 executions.
pub(super) fn inject() {
    inject_and(Sleep::published);
}

/// As [`inject`], for a thread that then waits for the job.
/// 2 threads, exhaustive; 7,305 executions.
pub(super) fn inject_and_wait() {
    inject_and(|sleep| _ = sleep.published_by_waiter());
}

/// As [`inject`], for a job that a worker on watch would take; here no worker is on watch.
/// 2 threads, exhaustive; 7,305 executions.
pub(super) fn inject_lazily() {
    inject_and(Sleep::published_lazily);
}

/// Proves: a sleeper that finds its bit cleared finds its waker's reservation counted, and so may take it for its
/// own. The sleeper only loads the count, and loom may let that load be out of date. With the exchange that ends the
/// search the load could not be.
/// 2 threads, exhaustive; 118 executions.
pub(super) fn claimed() {
    let parker = Parker::new();
    let shared = Arc::new((Sleep::new(Box::new([parker.unparker()]), 0), Injector::new()));
    let worker = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (sleep, injector) = &*shared;
            parker.adopt();
            assert!(sleep.start_search());
            let _ = sleep.fall_asleep(0, true, false);
            if injector.is_empty() {
                parker.park(None);
            }
            if sleep.get_up(0, false) == Woken::Claimed {
                let searching = sleep.snapshot().searching();
                assert_eq!(searching, 1, "model: a claim came before its reservation");
            }
        })
    };
    let (sleep, injector) = &*shared;
    injector.push(7);
    sleep.published();
    worker.join().unwrap();
}

/// Proves: a worker pushes two jobs onto its own deque and then does nothing. Two other workers that search or sleep
/// find both: a searcher that takes the first job passes the wake on.
/// 3 threads, 3 preemptions; 15,824 executions.
pub(super) fn local_push() {
    let parkers = [Parker::new(), Parker::new()];
    let deque = Deque::new_lifo();
    let sleep = staff::sleep_of(&parkers);
    let shared = Arc::new((sleep, deque.stealer()));
    let workers: Vec<_> = parkers
        .into_iter()
        .enumerate()
        .map(|(index, parker)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (sleep, stealer) = &*shared;
                let find = || taken(stealer.steal());
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

/// Proves: two workers search, sleep, are woken and get up, while two jobs come from outside. Each worker is counted
/// once: at the end all counts are zero, and none was ever above the number of workers.
/// 3 threads, 3 preemptions; 1,872,515 executions.
pub(super) fn accounting() {
    let parkers = [Parker::new(), Parker::new()];
    let shared = Arc::new((staff::sleep_of(&parkers), Injector::new()));
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
                    taken(injector.steal())
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
        let _ = sleep.leave();
    }
    let found: i32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    assert_eq!(found, 3);
    let end = sleep.snapshot();
    assert_eq!((end.searching(), end.asleep(), end.waiting(), end.entered()), (0, 0, 0, 0), "model: {end:?}");
}

/// As [`inject`], for a worker that looks at the injector as the real one does, and that is first woken without a
/// job. A reservation finds the bit of the sleep that it is for (a check in the code confirms this for a lone
/// worker).
/// 2 threads, exhaustive; 27,048 executions.
pub(super) fn again() {
    let parker = Parker::new();
    let shared = Arc::new((Sleep::new(Box::new([parker.unparker()]), 0), Injector::new()));
    let worker = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (sleep, injector) = &*shared;
            let find = || match injector.is_empty() {
                true => None,
                false => taken(injector.steal()),
            };
            work(0, sleep, &parker, find, || !injector.is_empty())
        })
    };
    let (sleep, injector) = &*shared;
    sleep.nudge(0);
    injector.push(7);
    sleep.published();
    assert_eq!(worker.join().unwrap(), 7);
}

/// Proves: a worker that naps on watch finds a job from outside, though no timer ever ends a nap, also if another
/// worker was on watch before. That other worker sees to the job itself if the producer relied on it.
/// 3 threads, 3 preemptions; 6,474 executions. No nap ends by itself here.
pub(super) fn watch() {
    let parkers = [Parker::new(), Parker::new(), Parker::new()];
    let sleep = staff::sleep_of(&parkers).with_searchers(Some(2));
    let shared = Arc::new((sleep, Injector::new()));
    // Both search already; the third worker is busy.
    assert!(shared.0.start_search() && shared.0.start_search());
    let first = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (sleep, injector) = &*shared;
            if sleep.start_napping(0) {
                sleep.stop_napping();
            }
            sleep.end_search(|_| !injector.is_empty());
        })
    };
    let second = {
        let shared = Arc::clone(&shared);
        let [_, parker, _] = parkers;
        thread::spawn(move || {
            let (sleep, injector) = &*shared;
            parker.adopt();
            // As the real worker, which does not steal from an injector that seems empty. The fence in a theft would
            // stand in for the fence of the watch.
            let find = || match injector.is_empty() {
                true => None,
                false => taken(injector.steal()),
            };
            let mut found = None;
            if sleep.start_napping(1) {
                found = find();
                while found.is_none() {
                    parker.park(None);
                    found = find();
                }
                sleep.stop_napping();
            }
            found.unwrap_or_else(|| work_on(1, sleep, &parker, true, find, || !injector.is_empty()))
        })
    };
    let (sleep, injector) = &*shared;
    injector.push(7);
    sleep.published();
    first.join().unwrap();
    assert_eq!(second.join().unwrap(), 7);
}

/// Proves: a thread submits a job, wakes a worker of its own core if one sleeps, and then sleeps until the job has
/// run. The thread is woken, whichever of two workers takes the job, and also if the worker of its core is awake.
/// 3 threads, 2 preemptions; 3,934 executions.
pub(super) fn waiter() {
    let (here, parkers) = (Parker::new(), [Parker::new(), Parker::new()]);
    let sleep = staff::sleep_of(&parkers);
    // The checker's threads are all on core 0.
    sleep.set_home(0, 0);
    let shared = Arc::new((sleep, Injector::new()));
    let workers: Vec<_> = parkers
        .into_iter()
        .enumerate()
        .map(|(index, parker)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (sleep, injector) = &*shared;
                let job: Unparker =
                    work(index, sleep, &parker, || taken(injector.steal()), || !injector.is_empty());
                job.unpark();
            })
        })
        .collect();
    here.adopt();
    let (sleep, injector) = &*shared;
    for _ in 0..2 {
        injector.push(here.unparker());
        let _ = sleep.published_by_waiter();
        here.park(None);
    }
    for worker in workers {
        worker.join().unwrap();
    }
}
