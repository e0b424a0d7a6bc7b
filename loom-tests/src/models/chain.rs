//! The list of open forks, by itself. The frames lie one above the other as on a stack, and a new frame lies where an
//! old one was.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::Arc as StdArc;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::staff::{self, Task};
use crate::jobs::deque::{Deque, Steal, Stealer};
use crate::jobs::job::{Home, Job, Kind, Words, address_of};
use crate::jobs::private::{Frame, Settled, Shared, Stack};
use crate::sync::site::REST_LOOK_FENCE;
use crate::sync::{Arc, defect, fence};
use crate::sync::{has_light_fences, set_heavy_fence, set_light_fences};
use crate::system::heavy_fence;
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

    /// Runs the second side, as a fork's job does, for a list whose owner is never isolated.
    unsafe fn run(words: *mut Words) {
        // SAFETY: the words are at the address of a frame, and a `Side` begins with its frame (`repr(C)`).
        let this: *const Side = unsafe { address_of(words) };
        // SAFETY: the owner keeps the side alive until its latch is set, which is below.
        let side = unsafe { &*this };
        let latch = side.frame.latch();
        // SAFETY: the frame is alive until its latch is set; the job has left, so the latch was made.
        let owner = unsafe { (*latch).begun_by(1, words.addr()) };
        assert!(!owner.is_isolated(), "model: a fork left for another owner than it was made for");
        side.task.run();
        // SAFETY: the frame is alive until its latch is set, and this function touches nothing of it afterwards.
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
    /// Makes an owner with places for `deepest` frames, of which nothing is wanted.
    fn new(deepest: usize) -> Owner {
        let stack = Stack::new(has_light_fences());
        stack.expose(|_| 0, |_| ());
        let places = (0..deepest).map(|_| Box::new(MaybeUninit::uninit())).collect();
        Owner { stack, deque: Deque::new_lifo(), places, depth: 0, exposed: false, tasks: Vec::new() }
    }

    /// Pushes a fork. Returns whether something is wanted.
    fn push(&mut self) -> bool {
        let task = Task::bare();
        self.tasks.push(StdArc::clone(&task));
        let frame = Frame::new(Side::KIND, self.stack.newest_fork());
        let side = self.places[self.depth].write(Side { frame, task });
        self.depth += 1;
        // SAFETY: the frame stays in its place until it was popped and its job, if it left, has ended or is back.
        unsafe { self.stack.push_fork(std::ptr::from_ref(side).cast()) }
    }

    /// Hands out forks and returns how many.
    fn expose(&mut self, wanted: impl Fn(usize) -> usize) -> usize {
        self.exposed = true;
        self.stack.expose(|available| wanted(available.len), |jobs| jobs.for_each(|job| self.deque.push(job)))
    }

    /// Takes the newest fork back and runs it, or waits for its end. Then drops its frame.
    fn pop(&mut self) {
        self.depth -= 1;
        // SAFETY: `push` wrote this place, and nothing has dropped it since.
        let side = unsafe { self.places[self.depth].assume_init_ref() };
        let frame = &side.frame;
        // SAFETY: the frame is the newest one; it is settled right after the pop that did not get it.
        let settled =
            unsafe { if self.stack.pop_fork(frame) { Settled::Private } else { self.stack.settle(frame) } };
        match settled {
            Settled::Private => side.task.run(),
            Settled::Left => {
                // SAFETY: the fork has left, so its latch was made; the frame is alive.
                let latch = unsafe { &*frame.latch() };
                while !latch.probe() {
                    // Only an exposed fork can be in the deque.
                    match self.exposed.then(|| self.deque.pop()).flatten() {
                        Some(job) if job.home() == (Home::Fork, frame.address()) => {
                            side.task.run();
                            break;
                        }
                        Some(job) => job.run(),
                        None => thread::yield_now(),
                    }
                }
                // SAFETY: the owner ends the latch, once, after it was set or its job came back.
                unsafe { frame.end_latch() };
            }
        }
        // SAFETY: `push` wrote this place; a thread that took the fork has let go of the frame.
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

/// Raids, passes the gate, calls `between`, and raids again.
fn raid_twice(owner: &Owner, between: impl FnOnce() + 'static) -> (Arc<AtomicUsize>, thread::JoinHandle<()>) {
    let gate = Arc::new(AtomicUsize::new(0));
    let (shared, passed) = (owner.stack.shared(), Arc::clone(&gate));
    let raider = thread::spawn(move || {
        raid(&shared);
        passed.fetch_add(1, Ordering::Relaxed);
        between();
        raid(&shared);
    });
    (gate, raider)
}

/// Proves: with two open forks, each second side runs once, by the owner or by the raider, wherever the raid falls.
/// The raider sees what was written before the push. Nobody looks at a frame after its end.
/// 2 threads, exhaustive; 303,164 executions.
pub(super) fn raid_two_deep() {
    raided(2, 1, |owner| {
        owner.push();
        owner.push();
        owner.pop();
        owner.pop();
    });
}

/// As [`raid_two_deep`], with three open forks: the raid walks over more forks than it takes.
/// 2 threads, 6 preemptions; 258,318 executions.
pub(super) fn raid_three_deep() {
    raided(3, 1, |owner| {
        for _ in 0..3 {
            owner.push();
        }
        (0..3).for_each(|_| owner.pop());
    });
}

/// Proves: when the owner pops a fork that a raid has entered into the index but has not taken, the owner sees the
/// entry and removes it. So the next raid meets neither a frame that has gone nor the younger fork in its place.
/// 2 threads, exhaustive; 246,948 executions. The gate is there to have a raid done before the owner looks for the
/// first time, see [`queue::idle`](super::queue::idle).
pub(super) fn index() {
    let mut owner = Owner::new(2);
    owner.push();
    owner.push();
    let (gate, raider) = raid_twice(&owner, || ());
    gate.fetch_add(1, Ordering::Relaxed);
    owner.pop();
    owner.push();
    raider.join().unwrap();
    owner.finish();
}

/// Proves: of two raiders and the owner, exactly one gets each of two forks. A raider that finds the lock taken takes
/// none.
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

/// Proves: the owner hands forks out on demand while they are raided. Each second side runs once, by the owner, by
/// the raider or by the thief. The owner waits for the sides that it does not run.
/// 2 threads, 6 preemptions; 193,330 executions.
pub(super) fn exposed_and_raided() {
    let mut owner = Owner::new(3);
    owner.push();
    let raider = {
        let (shared, stealer) = (owner.stack.shared(), owner.deque.stealer());
        thread::spawn(move || {
            // A raid that takes a fork asks for more.
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

/// Proves: a fork is pushed while a worker falls asleep and an older demand has just been met. Either the sleeper's
/// last look finds a fork, or the owner sees that one more is wanted.
/// 2 threads, exhaustive; 13,007 executions.
pub(super) fn demand() {
    let mut owner = Owner::new(2);
    let parkers = [Parker::new(), Parker::new(), Parker::new()];
    let sleep = Arc::new(staff::sleep_of(&parkers));
    // The older demand.
    assert!(sleep.start_search());
    owner.stack.shared().demand();
    let sleeper = {
        let (sleep, shared) = (Arc::clone(&sleep), owner.stack.shared());
        thread::spawn(move || {
            let _ = sleep.fall_asleep(1, false, false);
            shared.demand();
            let _ = heavy_fence::run();
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

/// Proves: an owner at rest begins to work while a worker falls asleep that relies on its rest. The owner's first look
/// at what is wanted sees the sleeper's demand. The owner does so twice. It pushes nothing: under loom the light fence
/// of a push would hide a missing fence.
/// 2 threads, exhaustive; 93 executions.
pub(super) fn demand_at_rest() {
    let owner = Owner::new(1);
    owner.stack.rest();
    let sleeper = {
        let shared = owner.stack.shared();
        thread::spawn(move || {
            shared.demand();
            fence(REST_LOOK_FENCE);
            shared.is_at_rest()
        })
    };
    owner.stack.work();
    let mut saw = owner.stack.is_wanted();
    owner.stack.rest();
    owner.stack.work();
    saw |= owner.stack.is_wanted();
    let relied = sleeper.join().unwrap();
    assert!(saw || !relied, "model: a worker at rest oversees a demand");
}

/// Proves: a raid takes a fork while its owner, which believes the fork gone, begins an isolated wait. The fork's job
/// still finds its owner as the owner was when it made the fork: not isolated.
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

/// As [`raid_three_deep`], where the system has no fence on all cores: the owner fences itself.
/// 2 threads, 4 preemptions; 274,157 executions.
pub(super) fn fenced() {
    set_light_fences(false);
    raid_three_deep();
}

/// Raids, has the system change its mind about the heavy fence, and raids again, while the owner pops a fork, looks
/// whether it must fence from now on, and pops another.
///
/// The gate shows loom the change, and the owner's look for it.
fn system_changes(granted: bool) {
    set_heavy_fence(!granted);
    // The owner may leave the fence to raiders, but does not do so yet if it is only about to be granted.
    set_light_fences(true);
    let mut owner = Owner::new(3);
    set_light_fences(!granted);
    owner.push();
    let (gate, raider) = raid_twice(&owner, move || set_heavy_fence(granted));
    owner.push();
    owner.pop();
    gate.fetch_add(1, Ordering::Relaxed);
    owner.expose(|_| 0);
    // The owner fences, or its light fences count.
    set_light_fences(!owner.stack.shared().is_fenced());
    owner.push();
    owner.pop();
    owner.pop();
    raider.join().unwrap();
    owner.finish();
}

/// Proves: if the system refuses the heavy fence at some moment, a raid takes nothing that its owner may take too.
/// The owner fences from its next look on, and can be raided again. Each second side runs once.
/// 2 threads, 3 preemptions; 224,137 executions.
pub(super) fn refused() {
    system_changes(false);
}

/// As [`refused`], where the system answers late: the owner fences first, and then leaves the fence to the raiders.
/// 2 threads, 2 preemptions; 120,642 executions.
pub(super) fn granted() {
    system_changes(true);
}
