//! The models. The head of each says what it shows, as far as random schedules can show anything. The models use only
//! filch's public interface and draw the number of workers, 4 to 8, anew in each execution.

mod jobs;
mod queues;
mod waits;

use filch::Pool;
use shuttle::rand::{Rng, thread_rng};

use crate::schedule::Kind;

/// One model.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// Executions under each scheduler by default.
    pub(crate) iterations: usize,
    pub(crate) body: fn(),
}

/// A broken variant of filch, by its name in `FILCH_DEFECT`, and the model that must reject it.
pub(crate) struct Canary {
    pub(crate) defect: &'static str,
    pub(crate) model: &'static str,
    pub(crate) kind: Kind,
    /// The model must reject the variant within this many executions.
    pub(crate) iterations: usize,
}

pub(crate) const MODELS: &[Model] = &[
    Model { name: "lone_job", iterations: 1000, body: jobs::lone_job },
    Model { name: "barrier", iterations: 1000, body: jobs::barrier },
    Model { name: "stealing", iterations: 1000, body: jobs::stealing },
    Model { name: "handles", iterations: 1000, body: jobs::handles },
    Model { name: "scope", iterations: 1000, body: jobs::scope },
    Model { name: "row", iterations: 1000, body: jobs::row },
    Model { name: "shutdown", iterations: 1000, body: jobs::shutdown },
    Model { name: "backpressure", iterations: 1000, body: queues::backpressure },
    Model { name: "circle", iterations: 1000, body: queues::circle },
    Model { name: "queue_shutdown", iterations: 1000, body: queues::shutdown },
    Model { name: "drain", iterations: 1000, body: queues::drain },
    Model { name: "chain", iterations: 1000, body: waits::chain },
    Model { name: "grid", iterations: 1000, body: waits::grid },
    Model { name: "back", iterations: 1000, body: waits::back },
    Model { name: "recall", iterations: 1000, body: waits::recall },
    Model { name: "each_other", iterations: 1000, body: waits::each_other },
    Model { name: "block_again", iterations: 1000, body: waits::block_again },
    Model { name: "relief", iterations: 1000, body: waits::relief },
    Model { name: "meeting", iterations: 1000, body: waits::meeting },
    Model { name: "states", iterations: 1000, body: waits::states },
    Model { name: "two_pools", iterations: 1000, body: waits::two_pools },
];

pub(crate) const CANARIES: &[Canary] = &[
    Canary { defect: "sleeps_unlooked", model: "lone_job", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "sleeps_unlooked", model: "lone_job", kind: Kind::Pct, iterations: 20000 },
    Canary { defect: "theft_unclaimed", model: "stealing", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "ends_untold", model: "row", kind: Kind::Random, iterations: 100 },
    Canary { defect: "closing_unheeded", model: "shutdown", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "runner_leaves_unlooked", model: "backpressure", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "room_unasked", model: "backpressure", kind: Kind::Pct, iterations: 2000 },
    Canary { defect: "ends_unawaited", model: "drain", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "spare_called_unlooked", model: "grid", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "standins_left", model: "back", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "waiting_spare_recalled", model: "recall", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "recall_waits", model: "each_other", kind: Kind::Pct, iterations: 20_000 },
    Canary { defect: "inner_wait_ends_all", model: "block_again", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "recall_unheard", model: "recall", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "relief_in_two_steps", model: "relief", kind: Kind::Random, iterations: 2000 },
    Canary { defect: "states_in_use_passed", model: "states", kind: Kind::Random, iterations: 100 },
    Canary { defect: "aside_unnoted", model: "circle", kind: Kind::Random, iterations: 2000 },
];

/// A pool of 4 to 8 workers.
fn pool() -> Pool {
    Pool::builder().workers(below(5) + 4).build().expect("a pool")
}

/// A number that is part of the schedule.
fn below(bound: usize) -> usize {
    thread_rng().gen_range(0..bound)
}

/// Lets other threads run for a while. How long is part of the schedule.
fn idle() {
    for _ in 0..below(100) {
        shuttle::thread::yield_now();
    }
}
