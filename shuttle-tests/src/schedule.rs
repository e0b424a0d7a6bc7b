//! Draws the schedules of one model from a seed and runs them, in one process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fmt, panic};

use shuttle::scheduler::{
    PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId, UncontrolledNondeterminismCheckScheduler,
};
use shuttle::{Config, FailurePersistence, Runner};

/// How schedules are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each step is taken by a random thread.
    Random,
    /// Threads have priorities, which change [`DEPTH`] - 1 times in an execution ("A randomized scheduler with
    /// probabilistic guarantees of finding bugs", Burckhardt and others, 2010).
    Pct,
    /// As random, but each execution runs a second time, to check that it takes the same course. If it does not, no
    /// replay can be trusted.
    Twice,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Random, Kind::Pct, Kind::Twice];

/// How many steps must come in a certain order for the bugs that PCT is to find.
const DEPTH: usize = 4;

/// A body that takes more steps counts as stuck. The bodies of the models take some thousands.
const STEPS: usize = 1_000_000;

impl Kind {
    pub(crate) fn named(name: &str) -> Option<Kind> {
        KINDS.into_iter().find(|kind| kind.to_string() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Random => "random",
            Kind::Pct => "pct",
            Kind::Twice => "twice",
        })
    }
}

/// Which executions to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    pub(crate) iterations: usize,
}

impl Plan {
    /// The plan that repeats the execution that failed as the `number`-th of this plan. Random executions have a seed
    /// each. PCT derives from each execution how long the next may be, so the replay runs all executions before the
    /// failed one as well.
    pub(crate) fn replay(self, number: usize) -> Plan {
        match self.kind {
            Kind::Random | Kind::Twice => {
                Plan { seed: self.seed.wrapping_add(number as u64 - 1), iterations: 1, ..self }
            }
            Kind::Pct => Plan { iterations: number, ..self },
        }
    }
}

/// Executions of `body` begun so far, in this process.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// What a failing process prints before the number of the execution.
pub(crate) const FAILED: &str = "failed in execution ";

/// Runs `body` as `plan` says. Panics, or ends the process, if an execution fails.
pub(crate) fn explore(plan: Plan, body: fn()) {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        hook(info);
        // Some panics are part of a model and print this line, too. The last line counts.
        let begun = BEGUN.load(Ordering::Relaxed);
        println!("{FAILED}{}", if plan.kind == Kind::Twice { begun.div_ceil(2) } else { begun });
    }));
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = shuttle::MaxSteps::FailAfter(STEPS);
    let Plan { kind, seed, iterations } = plan;
    let body = move || {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        body();
    };
    let ran = match kind {
        Kind::Random => Runner::new(Seeds::new(seed, iterations), config).run(body),
        Kind::Pct => Runner::new(PctScheduler::new_from_seed(seed, DEPTH, iterations), config).run(body),
        Kind::Twice => {
            let scheduler = UncontrolledNondeterminismCheckScheduler::new(Seeds::new(seed, iterations));
            Runner::new(scheduler, config).run(body) / 2
        }
    };
    assert_eq!(ran, iterations, "the scheduler ended early");
}

/// shuttle's random scheduler, with a seed for each execution: the first seed plus the number of the execution.
#[derive(Debug)]
struct Seeds {
    next: u64,
    left: usize,
    /// The scheduler of the execution under way.
    inner: Option<RandomScheduler>,
}

impl Seeds {
    fn new(seed: u64, iterations: usize) -> Seeds {
        Seeds { next: seed, left: iterations, inner: None }
    }
}

impl Scheduler for Seeds {
    fn new_execution(&mut self) -> Option<Schedule> {
        if let Some(passed) = &mut self.inner {
            // Ends the old scheduler: one that is dropped without this call reports a failure.
            assert!(passed.new_execution().is_none());
        }
        self.left = self.left.checked_sub(1)?;
        let inner = self.inner.insert(RandomScheduler::new_from_seed(self.next, 1));
        self.next = self.next.wrapping_add(1);
        inner.new_execution()
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, yields: bool) -> Option<TaskId> {
        self.inner.as_mut()?.next_task(runnable, current, yields)
    }

    fn next_u64(&mut self) -> u64 {
        self.inner.as_mut().expect("an execution").next_u64()
    }
}
