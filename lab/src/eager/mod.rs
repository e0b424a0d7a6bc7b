//! A peer: a small scheduler with rayon's policy, written from its documentation. It shows each fork and job at once, in
//! a deque that pays a fence for each pop; an idle worker looks at all deques from a random one on, and then at the
//! queue of jobs from outside; [`sleep`] has the rules of who wakes whom.
//!
//! It is here to be compared with, so it has what programs of the lab need and no more: no panics, no early end.

mod deque;
mod sleep;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use filch_lab_machine::{AtomicU32, AtomicUsize, thread, wait, wake};

use deque::{Deque, Injector, Job, Steal};
use sleep::{Latch, Sleep};

struct Shared {
    deques: Vec<Deque>,
    injector: Injector,
    sleep: Sleep,
    /// Set at the end, for each worker.
    ends: Vec<Latch>,
}

/// A pool.
pub struct Eager {
    shared: Arc<Shared>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// A worker, as its thread sees it.
#[derive(Clone)]
struct Worker {
    shared: Arc<Shared>,
    index: usize,
}

filch_lab_machine::thread_local! {
    static WORKER: RefCell<Option<Worker>> = RefCell::new(None);
    static CHANCE: Cell<u64> = Cell::new(0);
}

fn current() -> Option<Worker> {
    WORKER.with(|worker| worker.borrow().clone())
}

/// A result on its way from one thread of the machine to another.
struct Packet<R> {
    latch: Latch,
    result: std::sync::Mutex<Option<R>>,
}

impl<R> Packet<R> {
    fn new() -> Arc<Packet<R>> {
        Arc::new(Packet { latch: Latch::default(), result: std::sync::Mutex::new(None) })
    }

    fn put(&self, value: R) {
        *self.result.lock().expect("nobody panics with it") = Some(value);
    }

    fn take(&self) -> R {
        self.result.lock().expect("nobody panics with it").take().expect("the latch is set after that")
    }
}

impl Worker {
    fn push(&self, job: Job) {
        let own = &self.shared.deques[self.index];
        let was_empty = own.is_empty();
        own.push(job);
        self.shared.sleep.new_jobs(1, was_empty);
    }

    fn pop(&self) -> Option<Job> {
        self.shared.deques[self.index].pop()
    }

    fn find(&self) -> Option<Job> {
        self.pop().or_else(|| self.steal()).or_else(|| {
            loop {
                match self.shared.injector.steal() {
                    Steal::Success(job) => return Some(job),
                    Steal::Empty => return None,
                    Steal::Retry => {}
                }
            }
        })
    }

    fn steal(&self) -> Option<Job> {
        let count = self.shared.deques.len();
        loop {
            let mut chance = CHANCE.get();
            if chance == 0 {
                chance = (self.index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            }
            // xorshift64 (Marsaglia 2003).
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            CHANCE.set(chance);
            let start = (chance % count as u64) as usize;
            let mut retry = false;
            for victim in (0..count).map(|step| (start + step) % count).filter(|&victim| victim != self.index) {
                match self.shared.deques[victim].steal() {
                    Steal::Success(job) => return Some(job),
                    Steal::Empty => {}
                    Steal::Retry => retry = true,
                }
            }
            if !retry {
                return None;
            }
        }
    }

    fn wait_until(&self, latch: &Latch) {
        let sleep = &self.shared.sleep;
        while !latch.probe() {
            if let Some(job) = self.pop() {
                job();
                continue;
            }
            let mut idle = sleep.start_looking(self.index);
            while !latch.probe() {
                if let Some(job) = self.find() {
                    sleep.work_found();
                    job();
                    idle = sleep.start_looking(self.index);
                } else {
                    sleep.no_work_found(&mut idle, latch, || !self.shared.injector.is_empty());
                }
            }
            sleep.work_found();
        }
    }

    /// Sets a latch on which the worker `waiter` waits.
    fn set(&self, latch: &Latch, waiter: usize) {
        if latch.set() {
            self.shared.sleep.wake(waiter);
        }
    }
}

impl Eager {
    pub fn new(workers: usize) -> Eager {
        let shared = Arc::new(Shared {
            deques: (0..workers).map(|_| Deque::new()).collect(),
            injector: Injector::new(),
            sleep: Sleep::new(workers),
            ends: (0..workers).map(|_| Latch::default()).collect(),
        });
        let start = |index| {
            let worker = Worker { shared: Arc::clone(&shared), index };
            let run = move || {
                WORKER.with(|own| *own.borrow_mut() = Some(worker.clone()));
                worker.wait_until(&worker.shared.ends[index]);
            };
            thread::Builder::new().name(format!("eager-{index}")).spawn(run).expect("threads cost nothing")
        };
        let threads = (0..workers).map(start).collect();
        Eager { shared, threads }
    }

    pub fn workers(&self) -> usize {
        self.shared.deques.len()
    }

    pub fn execute(&self, job: Job) {
        match current() {
            Some(worker) => worker.push(job),
            None => {
                let was_empty = self.shared.injector.is_empty();
                self.shared.injector.push(job);
                self.shared.sleep.new_jobs(1, was_empty);
            }
        }
    }

    /// Runs `f` on a worker, while the calling thread, which is none, sleeps.
    pub fn install<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> R {
        let (packet, done) = (Packet::new(), Arc::new(AtomicU32::new(0)));
        let (place, told) = (Arc::clone(&packet), Arc::clone(&done));
        self.execute(Box::new(move || {
            place.put(f());
            told.store(1, SeqCst);
            wake(&told);
        }));
        while done.load(SeqCst) == 0 {
            wait(&done, 0, None);
        }
        packet.take()
    }

    /// Runs `f`, and waits for all that it has spawned.
    pub fn scope(&self, f: impl FnOnce(&Scope) + Send + 'static) {
        self.install(move || {
            let Some(worker) = current() else { unreachable!("a job outside a worker") };
            let scope = Scope(Arc::new(Count {
                left: AtomicUsize::new(1),
                latch: Latch::default(),
                owner: worker.index,
            }));
            f(&scope);
            scope.ends(&worker);
            worker.wait_until(&scope.0.latch);
        });
    }
}

impl Drop for Eager {
    fn drop(&mut self) {
        for (index, end) in self.shared.ends.iter().enumerate() {
            if end.set() {
                self.shared.sleep.wake(index);
            }
        }
        self.threads.drain(..).for_each(|thread| thread.join().expect("it does not panic"));
    }
}

struct Count {
    left: AtomicUsize,
    latch: Latch,
    owner: usize,
}

/// Jobs that are waited for together.
pub struct Scope(Arc<Count>);

impl Scope {
    pub fn spawn(&self, f: impl FnOnce(&Scope) + Send + 'static) {
        let Some(worker) = current() else { unreachable!("a scope outside a worker") };
        self.0.left.fetch_add(1, SeqCst);
        let scope = Scope(Arc::clone(&self.0));
        worker.push(Box::new(move || {
            f(&scope);
            let Some(worker) = current() else { unreachable!("a job outside a worker") };
            scope.ends(&worker);
        }));
    }

    fn ends(&self, worker: &Worker) {
        if self.0.left.fetch_sub(1, SeqCst) == 1 {
            worker.set(&self.0.latch, self.0.owner);
        }
    }
}

/// Runs both, the second perhaps on another worker.
pub fn join<A, B>(a: impl FnOnce() -> A + Send + 'static, b: impl FnOnce() -> B + Send + 'static) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let Some(worker) = current() else { unreachable!("a fork outside a worker") };
    let packet = Packet::new();
    let (place, owner) = (Arc::clone(&packet), worker.index);
    worker.push(Box::new(move || {
        place.put(b());
        let Some(worker) = current() else { unreachable!("a job outside a worker") };
        if worker.index == owner {
            // Nobody else waits for it.
            place.latch.mark();
        } else {
            worker.set(&place.latch, owner);
        }
    }));
    let first = a();
    while !packet.latch.probe() {
        let Some(job) = worker.pop() else {
            worker.wait_until(&packet.latch);
            break;
        };
        job();
    }
    (first, packet.take())
}
