//! The private stack of jobs: exposure, raids, and forks on workers.

use std::cell::Cell;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::sync::atomic::AtomicUsize;
use loom::thread;

use super::staff::{self, Data, Task};
use crate::fork_join::fork::fork;
use crate::jobs::deque::{Deque, Steal};
use crate::jobs::private::Stack;
use crate::scheduler::worker::Wait;
use crate::sync::Arc;
use crate::sync::fence;
use crate::sync::site::FORK_DEMAND_FENCE;
use crate::sync::{has_light_fences, set_heavy_fence, set_light_fences};
use crate::system::heavy_fence;
use crate::system::parker::Parker;
use crate::system::unwind;
use crate::waiting::sleep::Sleep;

/// Runs a fork whose second side may be raided.
fn fork_and_steal(demand: bool, panics: bool) {
    let [owner, thief] = staff::starts();
    let registry = Arc::clone(&owner.registry);
    if demand {
        assert!(registry.sleep.start_search());
    }
    let thief = thread::spawn(move || staff::work(thief, staff::take_from_first));
    let cells = StdArc::new([Data::new(), Data::new()]);
    let elsewhere = staff::work(owner, |worker| {
        let (left, right) = (StdArc::clone(&cells), StdArc::clone(&cells));
        let call = || {
            worker.isolated_if(Some(Wait::OwnScope), || {
                let a = move || left[0].write();
                let b = move |elsewhere| {
                    right[1].write();
                    if panics {
                        unwind::resume(Box::new(elsewhere));
                    }
                    elsewhere
                };
                fork(&worker.stack, a, b).1
            })
        };
        let elsewhere = match unwind::catch(call) {
            Ok(elsewhere) => elsewhere,
            Err(payload) => *payload.downcast().expect("model: another payload"),
        };
        // The thief is not joined yet: the fork itself must have ordered the reads behind the writes.
        assert_eq!([cells[0].read(), cells[1].read()], [1, 1], "model: a side did not run");
        elsewhere
    });
    let stolen = thief.join().unwrap();
    assert_eq!(elsewhere, stolen, "model: the side ran where nobody took it");
}

/// Proves: a forked job runs once, by its owner or by the raider. The waiting owner sees what the job wrote and its
/// result. Nobody touches the frame afterwards.
/// 2 threads, 6 preemptions; 132,757 executions. The list of forks by itself is explored exhaustively in
/// [`chain`](super::chain).
pub(super) fn stack_job_raided() {
    fork_and_steal(false, false);
}

/// As [`stack_job_raided`], with demand, so that the job goes through the deque. No side panics: the owner would lock
/// while it unwinds, and loom's `try_lock` takes the lock for broken after that.
/// 2 threads, exhaustive; 255,279 executions.
pub(super) fn stack_job_exposed() {
    fork_and_steal(true, false);
}

/// Proves: a fork whose first side panics unwinds only when the second side has ended, wherever that side runs.
/// 2 threads, 2 preemptions; 432 executions.
pub(super) fn unwinding() {
    let [owner, thief] = staff::starts();
    let thief = thread::spawn(move || staff::work(thief, staff::take_from_first));
    let data = StdArc::new(Data::new());
    staff::work(owner, |worker| {
        let write = StdArc::clone(&data);
        let first = || unwind::resume(Box::new(7));
        let call = || {
            worker.isolated_if(Some(Wait::OwnScope), || {
                fork::<_, _, (), ()>(&worker.stack, first, move |_| write.write())
            })
        };
        let payload = unwind::catch(call).expect_err("the first side panics");
        assert_eq!(payload.downcast_ref(), Some(&7), "model: another payload");
        assert_eq!(data.read(), 1, "model: a side did not run");
    });
    thief.join().unwrap();
}

struct Owner {
    stack: Stack,
    deque: Deque<crate::jobs::job::Job>,
    tasks: Vec<StdArc<Task>>,
}

impl Owner {
    fn new() -> Owner {
        Owner { stack: Stack::new(has_light_fences()), deque: Deque::new_lifo(), tasks: Vec::new() }
    }

    /// Pushes a job. Returns how many jobs were exposed.
    fn push(&mut self, wanted: impl Fn(usize) -> usize) -> usize {
        let (task, job) = Task::new();
        self.tasks.push(task);
        if self.stack.push(job) {
            return self
                .stack
                .expose(|available| wanted(available.len), |jobs| jobs.for_each(|job| self.deque.push(job)));
        }
        0
    }

    /// Runs the jobs that are left.
    fn drain(&self) {
        while let Some(job) = self.stack.pop().or_else(|| self.deque.pop()) {
            job.run();
        }
    }

    fn finish(self) {
        self.drain();
        assert!(self.tasks.iter().all(|task| task.ran()), "model: a job was lost");
    }
}

/// Proves: an owner pushes and pops, a raider raids, and a thief asks for a job and steals it. Exactly one of them
/// gets each job, none is lost, and the thread that runs a job sees what was written before the push.
/// 3 threads, 4 preemptions; 960,870 executions; in some the thief gets what it asked for.
pub(super) fn exposure() {
    let mut owner = Owner::new();
    // A new stack has a demand already. This push meets it.
    owner.push(|_| 0);
    let raider = {
        let shared = owner.stack.shared();
        thread::spawn(move || shared.raid().map(|job| job.run()).is_some())
    };
    let thief = {
        let (shared, stealer) = (owner.stack.shared(), owner.deque.stealer());
        thread::spawn(move || {
            shared.demand();
            for _ in 0..2 {
                if let Steal::Success(job) = stealer.steal() {
                    job.run();
                    GOT_WHAT_IT_ASKED_FOR.store(true, Ordering::Relaxed);
                    break;
                }
                thread::yield_now();
            }
        })
    };
    // Exposes as many jobs as are wanted: one.
    let mut exposed = 0;
    for _ in 0..2 {
        let asked = Cell::new(exposed);
        exposed += owner.push(|_| usize::from(asked.replace(1) == 0));
    }
    owner.drain();
    raider.join().unwrap();
    thief.join().unwrap();
    owner.finish();
}

/// Checks what no single execution can tell.
pub(super) fn after_exposure() {
    assert!(GOT_WHAT_IT_ASKED_FOR.load(Ordering::Relaxed), "the thief never got what it asked for");
}

static GOT_WHAT_IT_ASKED_FOR: AtomicBool = AtomicBool::new(false);

/// Proves: an owner that pushes and pops and a raider get each job once, also where the raider's claim is on a slot
/// that is popped and pushed again meanwhile.
/// 2 threads, exhaustive; 41,935 executions. The gate is there to have a raid done before the owner looks for the
/// first time, see [`queue::idle`](super::queue::idle).
pub(super) fn raid() {
    let mut owner = Owner::new();
    owner.push(|_| 0);
    let gate = Arc::new(AtomicUsize::new(0));
    let raider = {
        let (shared, gate) = (owner.stack.shared(), Arc::clone(&gate));
        thread::spawn(move || {
            for _ in 0..2 {
                if let Some(job) = shared.raid() {
                    job.run();
                }
                gate.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    gate.fetch_add(1, Ordering::Relaxed);
    owner.drain();
    owner.push(|_| 0);
    owner.drain();
    raider.join().unwrap();
    owner.finish();
}

/// As [`raid`], with more jobs than the stack has slots at first: the owner adds blocks while a raider comes.
/// 2 threads, 4 preemptions; 52,285 executions.
pub(super) fn raid_and_grow() {
    let mut owner = Owner::new();
    owner.push(|_| 0);
    let raider = {
        let shared = owner.stack.shared();
        thread::spawn(move || {
            for _ in 0..2 {
                if let Some(job) = shared.raid() {
                    job.run();
                }
            }
        })
    };
    for _ in 0..4 {
        owner.push(|_| 0);
    }
    owner.drain();
    raider.join().unwrap();
    owner.finish();
}

/// Proves: two raiders and the owner get each of two jobs once.
/// 3 threads, 4 preemptions; 63,729 executions.
pub(super) fn two_raiders() {
    let mut owner = Owner::new();
    owner.push(|_| 0);
    owner.push(|_| 0);
    let raiders: Vec<_> = (0..2)
        .map(|_| {
            let shared = owner.stack.shared();
            thread::spawn(move || shared.raid().map(|job| job.run()).is_some())
        })
        .collect();
    owner.drain();
    for raider in raiders {
        raider.join().unwrap();
    }
    owner.finish();
}

/// Proves: a job is pushed while a worker falls asleep and an older demand has just been met. Either the sleeper's
/// last look finds a private job, or the owner sees that one more is wanted.
/// 2 threads, exhaustive; 5,755 executions.
pub(super) fn demand() {
    let mut owner = Owner::new();
    let parkers = [Parker::new(), Parker::new(), Parker::new()];
    let sleep = Arc::new(staff::sleep_of(&parkers));
    // The older demand.
    assert!(sleep.start_search());
    let sleeper = {
        let (sleep, shared) = (Arc::clone(&sleep), owner.stack.shared());
        thread::spawn(move || {
            let _ = sleep.fall_asleep(1, false, false);
            shared.demand();
            let _ = heavy_fence::run();
            shared.len() > 0
        })
    };
    let stealer = owner.deque.stealer();
    let mut exposed = 0;
    for _ in 0..2 {
        exposed += owner.push(|_| sleep.snapshot().idle() - stealer.len());
    }
    let found = sleeper.join().unwrap();
    assert!(found || exposed == 2, "model: a job is hidden from a sleeper");
    owner.finish();
}

/// Proves: a worker begins to search and asks for a job while the owner takes an older demand for met. Either the
/// owner sees one more idle worker, or the demand stands.
/// 2 threads, exhaustive; 10 executions.
pub(super) fn demand_in_search() {
    let mut owner = Owner::new();
    let parkers: [Parker; 4] = std::array::from_fn(|_| Parker::new());
    let sleep = Arc::new(staff::sleep_of(&parkers));
    let searcher = {
        let (sleep, shared) = (Arc::clone(&sleep), owner.stack.shared());
        thread::spawn(move || {
            assert!(sleep.start_search());
            fence(FORK_DEMAND_FENCE);
            shared.demand();
        })
    };
    let seen = Cell::new(0);
    owner.push(|_| {
        seen.set(sleep.snapshot().idle());
        0
    });
    searcher.join().unwrap();
    assert!(seen.get() == 1 || owner.stack.is_wanted(), "model: a demand was lost");
    owner.finish();
}

/// As [`raid`], where the system has no fence on all cores: the owner fences itself.
/// 2 threads, exhaustive; 54,871 executions.
pub(super) fn fenced() {
    set_light_fences(false);
    raid();
}

/// Raids, has the system change its mind about the heavy fence, and raids again, while the owner pops a job, looks
/// whether it must fence from now on, and pops another. For the gate see
/// [`chain::refused`](super::chain::refused).
fn system_changes(granted: bool) {
    set_heavy_fence(!granted);
    // The owner may leave the fence to raiders, but does not do so yet if it is only about to be granted.
    set_light_fences(true);
    let mut owner = Owner::new();
    set_light_fences(!granted);
    // A new stack has a demand already. This push meets it.
    owner.push(|_| 0);
    let gate = Arc::new(AtomicUsize::new(0));
    let raider = {
        let (shared, gate) = (owner.stack.shared(), Arc::clone(&gate));
        thread::spawn(move || {
            for change in [true, false] {
                if let Some(job) = shared.raid() {
                    job.run();
                }
                if change {
                    gate.fetch_add(1, Ordering::Relaxed);
                    set_heavy_fence(granted);
                }
            }
        })
    };
    owner.drain();
    gate.fetch_add(1, Ordering::Relaxed);
    owner.stack.expose(|_| 0, |_| ());
    // This push may look again, if the raid left a demand.
    owner.push(|_| 0);
    // The owner fences, or its light fences count.
    set_light_fences(!owner.stack.shared().is_fenced());
    owner.drain();
    raider.join().unwrap();
    owner.finish();
}

/// Proves: if the system refuses the heavy fence at some moment, a raid takes nothing that its owner may take too.
/// The owner fences from its next look on, and can be raided again. Each job runs once.
/// 2 threads, exhaustive; 103,855 executions.
pub(super) fn refused() {
    system_changes(false);
}

/// As [`refused`], where the system answers late: the owner fences first, and then leaves the fence to the raiders.
/// 2 threads, exhaustive; 193,498 executions.
pub(super) fn granted() {
    system_changes(true);
}
