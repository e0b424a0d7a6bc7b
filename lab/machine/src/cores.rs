//! The system's scheduler: which thread runs on which core, for how long, and who comes next.
//!
//! | a thread is | and waits for | goes on by |
//! |---|---|---|
//! | running | – | its core's time |
//! | ready | its core | the core's thread blocks, ends, yields, or has used up its slice |
//! | blocked | a wake, a time or the end of a thread | [`State::make_ready`] |
//! | done | – | – |
//!
//! A core whose thread stops, and that has no other, takes a thread that is bound to no core from the longest queue. A woken thread goes
//! to the core where it ran last if that is idle, to any idle core otherwise, and else waits where it ran last.

use crate::costs::Time;
use crate::state::{Span, State, Status, Thread};

impl State {
    /// Puts a thread that is not running where it can run.
    pub(crate) fn make_ready(&mut self, thread: usize, at: Time) {
        let chosen = self.choose(thread);
        self.threads[thread].core = chosen;
        self.threads[thread].status = Status::Ready;
        let core = &mut self.cores[chosen];
        if core.running.is_none() {
            let idle = at.saturating_sub(core.idle_since);
            let latency = if idle < self.costs.deep_after { self.costs.shallow } else { self.costs.deep };
            let latency = self.about(latency);
            self.start(chosen, thread, at + latency);
            return;
        }
        core.queue.push_back(thread);
        if core.queue.len() == 1 {
            // The system looks at each tick whether the slice is over.
            core.slice_end = core.slice_end.max(at).next_multiple_of(self.costs.tick);
        }
        if core.running == Some(self.current) {
            self.limit = self.limit.min(core.slice_end);
        }
    }

    fn choose(&mut self, thread: usize) -> usize {
        let Thread { affinity, core: last, .. } = &self.threads[thread];
        let last = *last;
        if let Some(bound) = *affinity {
            return bound;
        }
        let count = self.cores.len();
        let nearest = (0..count).map(|step| (last + step) % count);
        nearest.into_iter().find(|&core| self.cores[core].running.is_none()).unwrap_or(last)
    }

    /// Lets a ready thread run on an idle core, from `at` on.
    fn start(&mut self, core: usize, thread: usize, at: Time) {
        // What the core did last, or the thread, may be booked ahead of `at`: a thread runs until it has used up its step.
        let at = at.max(self.threads[thread].clock).max(self.cores[core].idle_since);
        let begun = at + self.costs.switch;
        self.cores[core].running = Some(thread);
        self.cores[core].begun = begun;
        let end = begun + self.costs.slice;
        let waited_for = !self.cores[core].queue.is_empty();
        self.cores[core].slice_end = if waited_for { end.next_multiple_of(self.costs.tick) } else { end };
        let entry = &mut self.threads[thread];
        entry.spent.waiting += begun.saturating_sub(entry.clock);
        entry.core = core;
        entry.status = Status::Running;
        entry.clock = begun;
        self.running.insert((begun, thread));
        if self.current != thread {
            self.limit = self.limit.min(begun);
        }
    }

    /// Takes the running thread off its core at `at`. The next one runs, if there is one.
    pub(crate) fn release(&mut self, core: usize, at: Time) {
        if let Some(thread) = self.cores[core].running.take() {
            self.spans.push(Span { core, thread, begin: self.cores[core].begun, end: at });
        }
        self.cores[core].idle_since = at;
        let own = self.cores[core].queue.pop_front();
        if let Some(next) = own.or_else(|| self.pull()) {
            self.start(core, next, at);
        }
    }

    /// Takes a thread that may run anywhere out of the longest queue that has one.
    fn pull(&mut self) -> Option<usize> {
        let free = |thread: &usize| self.threads[*thread].affinity.is_none();
        let longest = (0..self.cores.len())
            .filter(|&core| self.cores[core].queue.iter().any(free))
            .max_by_key(|&core| (self.cores[core].queue.len(), usize::MAX - core))?;
        let place = self.cores[longest].queue.iter().position(free)?;
        self.cores[longest].queue.remove(place)
    }

    /// Puts the running thread, whose clock is up to date, behind those that wait for its core. A thread that has
    /// used up its slice goes to an idle core, if it is bound to none.
    pub(crate) fn make_way(&mut self, thread: usize, used_up: bool) {
        let (core, at) = (self.threads[thread].core, self.threads[thread].clock);
        let idle = self.cores.iter().any(|core| core.running.is_none());
        if used_up && idle && self.threads[thread].affinity.is_none() {
            self.release(core, at);
            self.make_ready(thread, at);
            return;
        }
        self.threads[thread].status = Status::Ready;
        self.cores[core].queue.push_back(thread);
        self.release(core, at);
    }

    /// Binds a thread to a core, or to none. It moves when it next becomes ready.
    pub(crate) fn bind(&mut self, thread: usize, core: Option<usize>) {
        self.threads[thread].affinity = core;
    }
}
