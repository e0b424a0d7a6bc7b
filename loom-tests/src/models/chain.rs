//! The list of open forks, by itself: frames that lie one above the other as on a stack, a new one where an old one was.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::Arc as StdArc;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::staff::Task;
use crate::jobs::deque::{Deque, Steal, Stealer};
use crate::jobs::job::{Home, Job, Kind, Words, address_of};
use crate::jobs::private::{Frame, Settled, Shared, Stack};
use crate::sync::{Arc, defect};
use crate::system::membarrier;
use crate::system::parker::Parker;
use crate::waiting::latch::{TaskLatch, TaskOwner};
use crate::waiting::sleep::Sleep;

/// A fork whose second side is a task.
#[repr(C)]
struct Side {
    frame: Frame,
    task: StdArc<Task>,
}

impl Side {
    const KIND: &'static Kind = &Kind::at(Home::Fork, Side::run);

    /// As a fork's job, of a list whose owner never waits apart.
    unsafe fn run(words: *mut Words) {
        // SAFETY: the address is that of a frame, with which a side begins.
        let this: *const Side = unsafe { address_of(words) };
        // SAFETY: alive until its latch is set.
        let side = unsafe { &*this };
        let latch = side.frame.latch();
        // SAFETY: the job has left, so its latch was made.
        let owner = unsafe { (*latch).begun_by(1, words.addr()) };
        assert!(!owner.is_isolated(), "model: a fork left for another owner than it was made for");
        side.task.run();
        // SAFETY: alive until it is set, and nothing here is touched afterwards.
        unsafe { TaskLatch::set(latch, |_| ()) };
    }
}

/// The owner of a list, and the places of its frames.
struct Owner {
    stack: Stack,
    deque: Deque<Job>,
    #[expect(clippy::vec_box, reason = "a place stays where it is")]
    places: Vec<Box<MaybeUninit<Side>>>,
    /// How many forks are open.
    depth: usize,
    exposed: bool,
    tasks: Vec<StdArc<Task>>,
}

impl Owner {
    /// With places for `deepest` frames. Nothing is wanted.
    fn new(deepest: usize) -> Owner {
        let stack = Stack::new();
        stack.expose(|_| 0, |_| ());
        let places = (0..deepest).map(|_| Box::new(MaybeUninit::uninit())).collect();
        Owner { stack, deque: Deque::new_lifo(), places, depth: 0, exposed: false, tasks: Vec::new() }
    }

    /// Returns whether something is wanted.
    fn push(&mut self) -> bool {
        let task = Task::bare();
        self.tasks.push(StdArc::clone(&task));
        let frame = Frame::new(Side::KIND, self.stack.newest_fork());
        let side = self.places[self.depth].write(Side { frame, task });
        self.depth += 1;
        // SAFETY: the frame stays until it was popped and its job, if it left, has ended or is back.
        unsafe { self.stack.push_fork(std::ptr::from_ref(side).cast()) }
    }

    /// Hands out forks and returns how many.
    fn expose(&mut self, wanted: impl Fn(usize) -> usize) -> usize {
        self.exposed = true;
        self.stack.expose(|available| wanted(available.len), |jobs| jobs.for_each(|job| self.deque.push(job)))
    }

    /// Takes the newest fork back and runs it, or waits for its end. The frame goes.
    fn pop(&mut self) {
        self.depth -= 1;
        // SAFETY: written by `push`.
        let side = unsafe { self.places[self.depth].assume_init_ref() };
        let frame = &side.frame;
        // SAFETY: it is the newest; it was popped right before it is asked for.
        let settled =
            unsafe { if self.stack.pop_fork(frame) { Settled::Private } else { self.stack.settle(frame) } };
        match settled {
            Settled::Private => side.task.run(),
            Settled::Left => {
                // SAFETY: it was made when the fork left.
                let latch = unsafe { &*frame.latch() };
                while !latch.probe() {
                    // What was not exposed is not in the deque.
                    match self.exposed.then(|| self.deque.pop()).flatten() {
                        Some(job) if job.home() == (Home::Fork, frame.address()) => {
                            side.task.run();
                            break;
                        }
                        Some(job) => job.run(),
                        None => thread::yield_now(),
                    }
                }
                // SAFETY: by the owner, once.
                unsafe { frame.end_latch() };
            }
        }
        // SAFETY: whoever had it has let go of it.
        unsafe { self.places[self.depth].assume_init_drop() };
    }

    fn finish(mut self) {
        while self.depth > 0 {
            self.pop();
        }
        assert!(self.tasks.iter().all(|task| task.ran()), "model: a second side did not run");
        assert!(!self.stack.shared().has_some(), "model: an empty list seems filled");
        assert!(self.stack.is_empty(), "model: an empty list seems filled to its owner");
    }
}

fn raid(shared: &Shared) -> bool {
    shared.raid().map(Job::run).is_some()
}

/// Raids `times` times while the owner does what `play` says.
fn raided(deepest: usize, times: usize, play: impl FnOnce(&mut Owner)) {
    let mut owner = Owner::new(deepest);
    let raider = {
        let shared = owner.stack.shared();
        thread::spawn(move || {
            for _ in 0..times {
                raid(&shared);
            }
        })
    };
    play(&mut owner);
    raider.join().unwrap();
    owner.finish();
}

/// Proves: of forks two deep each second side runs once, by the owner or by who raids, wherever the raid falls; who raids
/// sees what was written before the push; no frame is looked at once it has gone.
/// 2 threads, exhaustive; 303,164 executions.
pub(super) fn raid_two_deep() {
    raided(2, 1, |owner| {
        owner.push();
        owner.push();
        owner.pop();
        owner.pop();
    });
}

/// As [`raid_two_deep`], three deep: more is walked over than is taken.
/// 2 threads, 6 preemptions; 258,318 executions.
pub(super) fn raid_three_deep() {
    raided(3, 1, |owner| {
        for _ in 0..3 {
            owner.push();
        }
        (0..3).for_each(|_| owner.pop());
    });
}

/// Proves: the owner that pops a fork which a raid has entered into the index, but not taken, sees that it is there and takes it out;
/// so the next raid does not come by a frame that has gone, nor by the younger fork in its place.
/// 2 threads, exhaustive; 246,948 executions. The gate is there to have a raid done before the owner looks for the first time,
/// see [`queue::idle`](super::queue::idle).
pub(super) fn index() {
    let mut owner = Owner::new(2);
    owner.push();
    owner.push();
    let gate = Arc::new(AtomicUsize::new(0));
    let raider = {
        let (shared, gate) = (owner.stack.shared(), Arc::clone(&gate));
        thread::spawn(move || {
            raid(&shared);
            gate.fetch_add(1, Ordering::Relaxed);
            raid(&shared);
        })
    };
    gate.fetch_add(1, Ordering::Relaxed);
    owner.pop();
    owner.push();
    raider.join().unwrap();
    owner.finish();
}

/// Proves: of two raiders and the owner one gets each of two forks; the one that finds the lock taken takes none.
/// 3 threads, 3 preemptions; 742,781 executions.
pub(super) fn two_raiders() {
    let mut owner = Owner::new(2);
    owner.push();
    owner.push();
    let raiders = [(); 2].map(|()| {
        let shared = owner.stack.shared();
        thread::spawn(move || raid(&shared))
    });
    owner.pop();
    owner.pop();
    for raider in raiders {
        raider.join().unwrap();
    }
    owner.finish();
}

/// Proves: the owner hands forks out on demand while they are raided; each second side runs once, by the owner, who raided
/// it or who stole it, and the owner waits for those that it has not.
/// 2 threads, 6 preemptions; 193,330 executions.
pub(super) fn exposed_and_raided() {
    let mut owner = Owner::new(3);
    owner.push();
    let raider = {
        let (shared, stealer) = (owner.stack.shared(), owner.deque.stealer());
        thread::spawn(move || {
            // A raid that takes one asks for more.
            raid(&shared);
            if let Steal::Success(job) = stealer.steal() {
                job.run();
            }
        })
    };
    for _ in 0..2 {
        if owner.push() {
            let asked = Cell::new(false);
            owner.expose(|len| if asked.replace(true) { 0 } else { len.min(1) });
        }
    }
    (0..3).for_each(|_| owner.pop());
    raider.join().unwrap();
    owner.finish();
}

/// Proves: a fork is pushed while a worker falls asleep, and an older demand has just been met: either the sleeper's last look
/// finds a fork, or the owner sees that one more is wanted.
/// 2 threads, exhaustive; 13,007 executions.
pub(super) fn demand() {
    let mut owner = Owner::new(2);
    let parkers = [Parker::new(), Parker::new(), Parker::new()];
    let sleep = Arc::new(Sleep::new(parkers.iter().map(Parker::unparker).collect(), 0));
    // The older demand.
    assert!(sleep.start_search());
    owner.stack.shared().demand();
    let sleeper = {
        let (sleep, shared) = (Arc::clone(&sleep), owner.stack.shared());
        thread::spawn(move || {
            let _ = sleep.fall_asleep(1, false, false);
            shared.demand();
            membarrier::heavy();
            shared.has_some()
        })
    };
    let stealer = owner.deque.stealer();
    let mut exposed = 0;
    for _ in 0..2 {
        if owner.push() {
            exposed += owner.expose(|_| sleep.snapshot().idle() - stealer.len());
        }
    }
    let found = sleeper.join().unwrap();
    assert!(found || exposed == 2, "model: a fork is hidden from a sleeper");
    owner.finish();
}

/// Proves: a fork that leaves by a raid while its owner, which takes it for gone, goes on to wait apart is waited for as
/// the one that the owner was when it made it.
/// 2 threads, exhaustive; 9,850 executions.
pub(super) fn owner_apart() {
    raided(1, 1, |owner| {
        owner.push();
        if !owner.stack.is_empty() && !defect("private_kept") {
            owner.expose(|len| len);
        }
        owner.stack.set_owner(TaskOwner::new(0, true));
        owner.stack.set_owner(TaskOwner::new(0, false));
        owner.pop();
    });
}
