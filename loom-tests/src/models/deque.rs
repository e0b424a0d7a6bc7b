//! The deque: the stand-in, with crossbeam's orderings.

use super::staff::Task;
use crate::jobs::deque::{Deque, Injector, Steal};
use crate::jobs::job::Job;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::thread;

/// Proves: of the owner and a thief, exactly one gets each item, the last item included, and no item is lost.
/// 2 threads, exhaustive; 1,346 executions. The gate is there to have both stolen before the owner looks for the
/// first time, see [`queue::idle`](super::queue::idle).
pub(super) fn last_item() {
    let deque = Deque::new_lifo();
    let stealer = deque.stealer();
    let gate = Arc::new(AtomicUsize::new(0));
    deque.push(1);
    deque.push(2);
    let thief = {
        let gate = Arc::clone(&gate);
        thread::spawn(move || {
            let steal = || match stealer.steal() {
                Steal::Success(item) => item,
                Steal::Empty | Steal::Retry => 0,
            };
            let stolen = steal() + steal();
            gate.fetch_add(1, Ordering::Relaxed);
            stolen
        })
    };
    let mut popped = 0;
    gate.fetch_add(1, Ordering::Relaxed);
    while let Some(item) = deque.pop() {
        popped += item;
    }
    let stolen = thief.join().unwrap();
    assert_eq!(popped + stolen, 3, "popped {popped}, stolen {stolen}");
}

/// Proves: a thief sees what the owner wrote before it pushed.
/// 2 threads, exhaustive; 6 executions.
pub(super) fn publish() {
    let deque = Deque::new_lifo();
    let stealer = deque.stealer();
    let data = Arc::new(UnsafeCell::new(0));
    let thief = thread::spawn(move || {
        if let Steal::Success(data) = stealer.steal() {
            let data: Arc<UnsafeCell<i32>> = data;
            let seen = data.with(|data| {
                // SAFETY: the owner wrote before it pushed and does not write again; loom reports the read if it is
                // not ordered after the write.
                unsafe { *data }
            });
            assert_eq!(seen, 1);
        }
    });
    data.with_mut(|data| {
        // SAFETY: no other thread has the data yet.
        unsafe { *data = 1 }
    });
    deque.push(data);
    thief.join().unwrap();
}

/// Runs what is left and checks that all tasks ran.
fn finish(deque: &Deque<Job>, tasks: &[std::sync::Arc<Task>]) {
    while let Some(job) = deque.pop() {
        job.run();
    }
    assert!(tasks.iter().all(|task| task.ran()), "model: an item was lost");
}

fn run(stolen: Steal<Job>) {
    if let Steal::Success(job) = stolen {
        job.run();
    }
}

/// Proves: two thieves and the owner get each of two items once.
/// 3 threads, 4 preemptions; 99,390 executions.
pub(super) fn two_thieves() {
    let deque = Deque::new_lifo();
    let thieves: Vec<_> = (0..2)
        .map(|_| {
            let stealer = deque.stealer();
            thread::spawn(move || run(stealer.steal()))
        })
        .collect();
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let (task, job) = Task::new();
            deque.push(job);
            task
        })
        .collect();
    while let Some(job) = deque.pop() {
        job.run();
    }
    for thief in thieves {
        thief.join().unwrap();
    }
    finish(&deque, &tasks);
}

/// Proves: positions go on over the end of the slots while a thief is at the other end.
/// 2 threads, 4 preemptions; 52,892 executions.
pub(super) fn wrap() {
    let deque = Deque::new_lifo();
    let stealer = deque.stealer();
    let thief = thread::spawn(move || {
        for _ in 0..2 {
            run(stealer.steal());
        }
    });
    let mut tasks = Vec::new();
    for _ in 0..3 {
        for _ in 0..2 {
            let (task, job) = Task::new();
            deque.push(job);
            tasks.push(task);
        }
        if let Some(job) = deque.pop() {
            job.run();
        }
        if deque.len() > 1
            && let Some(job) = deque.pop()
        {
            job.run();
        }
    }
    thief.join().unwrap();
    finish(&deque, &tasks);
}

/// Proves: a thief announces itself and then looks for a job; another thread pushes, fences, and then looks for
/// thieves. One of the two sees the other, because a theft has a fence between the two positions that it reads.
/// 2 threads, exhaustive; 36 executions.
pub(super) fn injector_steal() {
    let shared = Arc::new((Injector::new(), AtomicBool::new(false)));
    let thief = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            shared.1.store(true, Ordering::Relaxed);
            matches!(shared.0.steal(), Steal::Success(1))
        })
    };
    shared.0.push(1);
    fence(Ordering::SeqCst);
    let announced = shared.1.load(Ordering::Relaxed);
    let stolen = thief.join().unwrap();
    assert!(announced || stolen, "model: a thief and a job missed each other");
}

/// Proves: an injector that always holds something is never seen empty, because a head that moved brings the tail.
/// 2 threads, exhaustive; 9 executions.
pub(super) fn injector_len() {
    let injector = Arc::new(Injector::new());
    injector.push(1);
    let other = {
        let injector = Arc::clone(&injector);
        // This thread comes last: loom remembers one access of each atomic, and a theft begins with a load of its
        // own.
        thread::spawn(move || assert!(!injector.is_empty(), "model: seen empty"))
    };
    injector.push(2);
    assert!(matches!(injector.steal(), Steal::Success(1)));
    other.join().unwrap();
}
