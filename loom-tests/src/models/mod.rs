//! The models, by the mechanism they check. Each says in its head what it proves, with which threads, and
//! under which bound.

mod deque;
mod latch;
mod litmus;
mod parker;
mod pool;
mod queue;
mod ring;
mod sleep;

use std::sync::atomic::{AtomicUsize, Ordering};

/// Executions explored so far, in this process.
static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);

/// One model.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// Threads, the main one included.
    pub(crate) threads: usize,
    /// At most so many preemptions an execution; `None`: all of them.
    pub(crate) bound: Option<usize>,
    /// The body says from where to where interleavings are explored (`loom::explore`).
    pub(crate) part: bool,
    pub(crate) body: fn(),
}

/// What a broken variant is broken by.
pub(crate) enum Defect {
    /// `SITE=Ordering`, as in `FILCH_WEAKEN`.
    Weaken(&'static str),
    /// A name, as in `FILCH_DEFECT`.
    Code(&'static str),
}

/// A broken variant and the model that must reject it.
pub(crate) struct Canary {
    pub(crate) defect: Defect,
    pub(crate) model: &'static str,
}

pub(crate) const MODELS: &[Model] = &[
    Model { name: "litmus", threads: 2, bound: None, part: false, body: litmus::store_buffering },
    Model { name: "deque_last_item", threads: 2, bound: None, part: false, body: deque::last_item },
    Model { name: "deque_publish", threads: 2, bound: None, part: false, body: deque::publish },
    Model { name: "parker_token", threads: 2, bound: None, part: false, body: parker::token },
    Model { name: "ring_hand_over", threads: 3, bound: Some(3), part: false, body: ring::hand_over },
    Model { name: "ring_wrap", threads: 2, bound: None, part: false, body: ring::wrap },
    Model { name: "sleep_inject", threads: 2, bound: None, part: false, body: sleep::inject },
    Model { name: "sleep_local_push", threads: 3, bound: Some(3), part: false, body: sleep::local_push },
    Model { name: "latch_set", threads: 2, bound: None, part: false, body: latch::set_and_free },
    Model { name: "latch_last_decrement", threads: 3, bound: None, part: false, body: latch::last_decrement },
    Model {
        name: "submit_vs_shutdown",
        threads: 3,
        bound: Some(2),
        part: false,
        body: pool::submit_vs_shutdown,
    },
    Model { name: "queue_backpressure", threads: 2, bound: Some(2), part: true, body: queue::backpressure },
    Model { name: "queue_two_producers", threads: 3, bound: Some(1), part: true, body: queue::two_producers },
    Model { name: "queue_wait_again", threads: 2, bound: Some(2), part: true, body: queue::wait_again },
    Model { name: "queue_two_runners", threads: 3, bound: Some(1), part: true, body: queue::two_runners },
    Model { name: "queue_serial", threads: 3, bound: Some(2), part: true, body: queue::serial },
    Model { name: "queue_circle", threads: 2, bound: Some(1), part: true, body: queue::circle },
    Model { name: "queue_worker_waits", threads: 3, bound: Some(2), part: true, body: queue::worker_waits },
    Model {
        name: "queue_vs_shutdown",
        threads: 3,
        bound: Some(2),
        part: false,
        body: queue::submit_vs_shutdown,
    },
];

pub(crate) const CANARIES: &[Canary] = &[
    Canary { defect: Defect::Weaken("SLEEP_PRODUCER_FENCE=none"), model: "sleep_inject" },
    Canary { defect: Defect::Weaken("SLEEP_RECHECK_FENCE=none"), model: "sleep_inject" },
    Canary { defect: Defect::Code("latch_touched_after_set"), model: "latch_set" },
    Canary { defect: Defect::Weaken("LATCH_SET=Relaxed"), model: "latch_set" },
    Canary { defect: Defect::Weaken("COUNT_DOWN=Relaxed"), model: "latch_last_decrement" },
    Canary { defect: Defect::Weaken("DEQUE_PUSH_FENCE=none"), model: "deque_publish" },
    Canary { defect: Defect::Weaken("DEQUE_POP_FENCE=none"), model: "deque_last_item" },
    Canary { defect: Defect::Weaken("UNPARK=Relaxed"), model: "parker_token" },
    Canary { defect: Defect::Weaken("RING_STAMP_STORE=Relaxed"), model: "ring_hand_over" },
    Canary { defect: Defect::Weaken("RING_STAMP_LOAD=Relaxed"), model: "ring_wrap" },
    Canary { defect: Defect::Code("runner_leaves_unlooked"), model: "queue_backpressure" },
    Canary { defect: Defect::Weaken("RUNNERS_CHANGE=Relaxed"), model: "queue_two_runners" },
    Canary { defect: Defect::Weaken("RUNNERS_CHANGE=Relaxed"), model: "queue_serial" },
    Canary { defect: Defect::Code("aside_unnoted"), model: "queue_circle" },
    Canary { defect: Defect::Code("room_unasked"), model: "queue_worker_waits" },
    Canary { defect: Defect::Code("idle_looked_at_unlocked"), model: "queue_wait_again" },
];

impl Model {
    /// Explores it to the end and says how many executions there were. Panics, or aborts the process, if
    /// one of them fails.
    pub(crate) fn explore(&self) -> usize {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = self.bound;
        builder.max_branches = 50_000;
        builder.expect_explicit_explore = self.part;
        // A limit that is hit counts as a pass in loom: there must be none.
        builder.max_permutations = None;
        builder.max_duration = None;
        let body = self.body;
        builder.check(move || {
            EXECUTIONS.fetch_add(1, Ordering::Relaxed);
            body();
        });
        if self.name == "litmus" {
            litmus::after();
        }
        EXECUTIONS.load(Ordering::Relaxed)
    }
}
