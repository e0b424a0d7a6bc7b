//! What the machine knows: its threads, cores and lines, and what happens next.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::rc::Rc;

use crate::costs::{Costs, Time, micros};
use crate::lines::{Access, Lines};
use crate::routine::Routine;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Ready,
    Blocked,
    Done,
}

/// How a thread spent its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// In work, as a program told by [`work`](crate::work).
    pub work: Time,
    /// On a core, in anything else.
    pub other: Time,
    /// Blocked: until a wake, a time, or the end of a thread.
    pub asleep: Time,
    /// Ready, until it ran.
    pub waiting: Time,
    /// Interrupted by fences on all cores. A part of `other`.
    pub interrupted: Time,
}

pub(crate) struct Thread {
    pub(crate) name: String,
    pub(crate) clock: Time,
    pub(crate) status: Status,
    /// Where it runs, or ran last.
    pub(crate) core: usize,
    pub(crate) affinity: Option<usize>,
    pub(crate) routine: Option<Routine>,
    /// Tells its sleeps from each other, so that an old time-out wakes nobody.
    pub(crate) sleeps: u64,
    /// The address that it sleeps on.
    pub(crate) sleeps_on: Option<usize>,
    /// When all its stores will have left the core.
    pub(crate) drained: Time,
    /// Its thread-locals, by their keys, in the order in which they were made.
    pub(crate) locals: Vec<(usize, Rc<dyn Any>)>,
    pub(crate) locals_gone: bool,
    pub(crate) joiners: Vec<usize>,
    pub(crate) spent: Spent,
}

/// A core.
#[derive(Default)]
pub(crate) struct Core {
    pub(crate) running: Option<usize>,
    pub(crate) queue: VecDeque<usize>,
    /// When the running thread got it.
    pub(crate) begun: Time,
    /// When the running thread makes way, if others wait.
    pub(crate) slice_end: Time,
    /// Since when the core has been idle.
    pub(crate) idle_since: Time,
}

/// A time during which a thread had a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The core.
    pub core: usize,
    /// The thread's place in [`Report::threads`](crate::Report::threads).
    pub thread: usize,
    /// When the thread got the core.
    pub begin: Time,
    /// When it let go of the core, or lost it.
    pub end: Time,
}

/// What all threads together did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accesses to words that threads share.
    pub accesses: u64,
    /// Accesses that needed a line from another core.
    pub transfers: u64,
    /// Threads that were woken.
    pub wakes: u64,
    /// Fences on all cores.
    pub barriers: u64,
    /// Sleeps.
    pub sleeps: u64,
}

/// When a machine starts: its cores have been idle for that long.
pub(crate) const START: Time = micros(1_000_000);

/// A time-out: when, of which thread, and of which of its sleeps.
type TimeOut = Reverse<(Time, usize, u64)>;

pub(crate) struct State {
    pub(crate) costs: Costs,
    pub(crate) threads: Vec<Thread>,
    pub(crate) cores: Vec<Core>,
    lines: Lines,
    /// The threads that run but the current one, each with its clock.
    pub(crate) running: BTreeSet<(Time, usize)>,
    time_outs: BinaryHeap<TimeOut>,
    sleepers: HashMap<usize, VecDeque<usize>>,
    pub(crate) current: usize,
    /// The clock of the current thread.
    pub(crate) now: Time,
    /// When another thread, or a time-out, comes before the current thread's next step.
    pub(crate) limit: Time,
    pub(crate) counts: Counts,
    pub(crate) spans: Vec<Span>,
    /// The state of the generator.
    chance: u64,
}

/// What the machine does next.
pub(crate) enum Next {
    Run(Routine),
    /// All threads have ended.
    End,
    /// All threads that are left wait for ever: their names.
    Stuck(Vec<String>),
}

impl State {
    pub(crate) fn new(cores: usize, costs: Costs, seed: u64) -> State {
        State {
            costs,
            threads: Vec::new(),
            cores: (0..cores).map(|_| Core::default()).collect(),
            lines: Lines::default(),
            running: BTreeSet::new(),
            time_outs: BinaryHeap::new(),
            sleepers: HashMap::new(),
            current: usize::MAX,
            now: START,
            limit: 0,
            counts: Counts::default(),
            spans: Vec::new(),
            // Never 0, where the generator would stay.
            chance: seed.wrapping_mul(2).wrapping_add(1),
        }
    }

    /// Returns `time`, more or less by up to a fifth.
    pub(crate) fn about(&mut self, time: Time) -> Time {
        // xorshift64 (Marsaglia 2003).
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        time - time / 5 + (time * 2 / 5) * (self.chance >> 32 & 0xFF) / 0xFF
    }

    pub(crate) fn add_thread(&mut self, name: String, routine: Routine, parent: Option<usize>) -> usize {
        let number = self.threads.len();
        let (affinity, core) = parent.map_or((None, 0), |parent| {
            let parent = &self.threads[parent];
            (parent.affinity, parent.core)
        });
        self.threads.push(Thread {
            name,
            clock: self.now,
            status: Status::Ready,
            core,
            affinity,
            routine: Some(routine),
            sleeps: 0,
            sleeps_on: None,
            drained: 0,
            locals: Vec::new(),
            locals_gone: false,
            joiners: Vec::new(),
            spent: Spent::default(),
        });
        self.make_ready(number, self.now);
        number
    }

    /// Chooses the thread with the lowest clock, after the time-outs that come before it.
    pub(crate) fn next(&mut self) -> Next {
        loop {
            let first = self.running.first().copied();
            let time_out = self.time_outs.peek().map(|Reverse((at, ..))| *at);
            if let Some(at) = time_out
                && first.is_none_or(|(clock, _)| at <= clock)
            {
                self.fire();
                continue;
            }
            let Some((clock, thread)) = first else {
                let left = self.threads.iter().filter(|thread| thread.status != Status::Done);
                let left: Vec<_> = left.map(|thread| thread.name.clone()).collect();
                return if left.is_empty() { Next::End } else { Next::Stuck(left) };
            };
            self.running.remove(&(clock, thread));
            let core = &self.cores[self.threads[thread].core];
            let waited_for = !core.queue.is_empty();
            if waited_for && clock >= core.slice_end {
                self.make_way(thread, true);
                continue;
            }
            let slice_end = if waited_for { core.slice_end } else { Time::MAX };
            self.current = thread;
            self.now = clock;
            let next = self.running.first().map_or(Time::MAX, |&(clock, _)| clock);
            let time_out = self.time_outs.peek().map_or(Time::MAX, |Reverse((at, ..))| *at);
            self.limit = next.min(time_out).min(slice_end);
            let routine = self.threads[thread].routine.take().expect("a running thread has its routine");
            return Next::Run(routine);
        }
    }

    fn fire(&mut self) {
        let Some(Reverse((at, thread, sleep))) = self.time_outs.pop() else { return };
        let entry = &mut self.threads[thread];
        if entry.status != Status::Blocked || entry.sleeps != sleep {
            return;
        }
        if let Some(address) = entry.sleeps_on.take()
            && let Some(sleepers) = self.sleepers.get_mut(&address)
        {
            sleepers.retain(|&sleeper| sleeper != thread);
        }
        self.end_sleep(thread, at);
    }

    fn end_sleep(&mut self, thread: usize, at: Time) {
        let entry = &mut self.threads[thread];
        entry.sleeps += 1;
        entry.spent.asleep += at.saturating_sub(entry.clock);
        entry.clock = entry.clock.max(at);
        let at = entry.clock;
        self.make_ready(thread, at);
    }

    // --- the current thread ---

    pub(crate) fn me(&mut self) -> &mut Thread {
        &mut self.threads[self.current]
    }

    /// Moves the current thread's clock.
    pub(crate) fn spend(&mut self, time: Time) {
        self.now += time;
        self.me().spent.other += time;
    }

    pub(crate) fn work(&mut self, time: Time) {
        self.now += time;
        self.me().spent.work += time;
    }

    fn spend_until(&mut self, moment: Time) {
        self.spend(moment.saturating_sub(self.now));
    }

    /// Pays for an access.
    pub(crate) fn access(&mut self, address: usize, access: Access) {
        self.counts.accesses += 1;
        if access == Access::ReadModifyWrite {
            self.spend_until(self.threads[self.current].drained);
        }
        let core = self.threads[self.current].core;
        let price = self.lines.access(&self.costs, core, address, access, self.now);
        self.counts.transfers += u64::from(price.arrived > self.now);
        let me = self.me();
        me.drained = me.drained.max(price.arrived);
        self.spend_until(price.done);
    }

    pub(crate) fn fence(&mut self) {
        self.spend_until(self.threads[self.current].drained);
        self.spend(self.costs.fence);
    }

    /// A fence on all cores that run a thread.
    pub(crate) fn barrier(&mut self) {
        let Costs { barrier, barrier_each, interrupt, .. } = self.costs;
        self.counts.barriers += 1;
        let others = std::mem::take(&mut self.running);
        let price = barrier + barrier_each * others.len() as Time;
        // The call ends when all have answered.
        self.spend(if others.is_empty() { price } else { price.max(interrupt) });
        for (clock, thread) in others {
            self.threads[thread].clock += interrupt;
            self.threads[thread].spent.interrupted += interrupt;
            self.threads[thread].spent.other += interrupt;
            self.running.insert((clock + interrupt, thread));
        }
    }

    /// The current thread stops on its core, with its clock up to date: it blocks, on `address` if there is one.
    pub(crate) fn block(&mut self, address: Option<usize>, time_out: Option<Time>) {
        self.counts.sleeps += 1;
        let (thread, now) = (self.current, self.now);
        let slack = self.about(self.costs.timer_slack);
        let me = self.me();
        me.status = Status::Blocked;
        me.sleeps_on = address;
        let sleep = me.sleeps;
        // A time that the clock does not reach never comes.
        if let Some(at) = time_out.and_then(|time| now.checked_add(time)?.checked_add(slack)) {
            self.time_outs.push(Reverse((at, thread, sleep)));
        }
        if let Some(address) = address {
            self.sleepers.entry(address).or_default().push_back(thread);
        }
    }

    /// Wakes a thread that sleeps on `address`. Returns whether there was one.
    pub(crate) fn wake(&mut self, address: usize) -> bool {
        let Some(thread) = self.sleepers.get_mut(&address).and_then(VecDeque::pop_front) else { return false };
        self.counts.wakes += 1;
        self.spend(self.costs.wake);
        self.threads[thread].sleeps_on = None;
        self.end_sleep(thread, self.now);
        true
    }

    /// The current thread has ended.
    pub(crate) fn end(&mut self) {
        let (thread, now) = (self.current, self.now);
        let me = self.me();
        me.status = Status::Done;
        me.clock = now;
        let core = me.core;
        let joiners = std::mem::take(&mut me.joiners);
        for joiner in joiners {
            self.end_sleep(joiner, now);
        }
        debug_assert_eq!(self.cores[core].running, Some(thread));
        self.release(core, now);
    }
}
