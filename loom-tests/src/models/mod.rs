//! The models, by the mechanism that they check. The head of each says what it proves, with which threads, and under
//! which bound.

mod chain;
mod deque;
mod fork;
mod latch;
mod lent;
mod litmus;
mod parker;
mod pool;
mod queue;
mod ring;
mod scope;
mod sleep;
mod spares;
mod staff;

use std::sync::atomic::{AtomicUsize, Ordering};

/// Executions explored so far, in this process.
static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);

/// Set for a child that is to explore the first executions only.
pub(crate) const SURVEY: &str = "FILCH_SURVEY";

/// Replaces the preemption bound of each model.
pub(crate) const BOUND: &str = "FILCH_BOUND";

/// One model.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// Threads, the main one included.
    pub(crate) threads: usize,
    /// The most preemptions of one execution.
    pub(crate) bound: usize,
    /// Whether the body says from where to where interleavings are explored (`loom::explore`).
    pub(crate) part: bool,
    pub(crate) body: fn(),
    /// Where the body is.
    pub(crate) path: &'static str,
}

/// More preemptions than any execution has. With a bound, loom goes back to an earlier switch as well when it finds a
/// race. So it explores executions that it misses without a bound.
pub(crate) const ALL: usize = 100;

/// What breaks a broken variant.
pub(crate) enum Defect {
    /// `SITE=Ordering`, as in `FILCH_WEAKEN`.
    Weaken(std::borrow::Cow<'static, str>),
    /// A name, as in `FILCH_DEFECT`.
    Code(&'static str),
    /// Nothing: the run only records, from the first executions, which sites the model passes.
    Survey,
}

/// A broken variant and the model that must reject it.
pub(crate) struct Canary {
    pub(crate) defect: Defect,
    pub(crate) model: &'static str,
}

macro_rules! models {
    ($($kind:ident($name:literal, $threads:literal, $bound:expr, $module:ident::$function:ident);)*) => {
        /// The longest model comes first: on two cores, all others run beside it.
        pub(crate) const MODELS: &[Model] = &[$(Model {
            name: $name,
            threads: $threads,
            bound: $bound,
            part: models!($kind),
            body: $module::$function,
            path: concat!(stringify!($module), "::", stringify!($function)),
        }),*];
    };
    (whole) => { false };
    (part) => { true };
}

models! {
    whole("sleep_accounting", 3, 3, sleep::accounting);
    whole("litmus", 2, ALL, litmus::store_buffering);
    whole("deque_last_item", 2, ALL, deque::last_item);
    whole("deque_publish", 2, ALL, deque::publish);
    whole("parker_token", 2, ALL, parker::token);
    whole("ring_hand_over", 3, 3, ring::hand_over);
    whole("ring_wrap", 2, ALL, ring::wrap);
    whole("ring_len", 2, ALL, ring::len);
    whole("sleep_inject", 2, ALL, sleep::inject);
    whole("sleep_inject_and_wait", 2, ALL, sleep::inject_and_wait);
    whole("sleep_inject_lazily", 2, ALL, sleep::inject_lazily);
    whole("sleep_local_push", 3, 3, sleep::local_push);
    whole("sleep_claimed", 2, ALL, sleep::claimed);
    whole("sleep_again", 2, ALL, sleep::again);
    whole("sleep_watch", 3, 3, sleep::watch);
    whole("sleep_waiter", 3, 2, sleep::waiter);
    whole("latch_set", 2, ALL, latch::set_and_free);
    whole("latch_probe", 2, ALL, latch::probe);
    whole("latch_last_decrement", 3, 6, latch::last_decrement);
    whole("latch_waker", 2, ALL, latch::waker);
    whole("latch_passing_zero", 2, ALL, latch::passing_zero);
    whole("latch_late_release", 2, ALL, latch::late_release);
    whole("submit_vs_shutdown", 3, 2, pool::submit_vs_shutdown);
    whole("pool_start_fails", 2, 2, pool::start_fails);
    whole("pool_dropped_inside", 2, 2, pool::dropped_inside);
    part("pool_stale_token", 2, 2, pool::stale_token);
    part("end_vs_get_up", 2, 3, pool::end_vs_get_up);
    whole("lent_vs_shutdown", 2, 3, lent::vs_shutdown);
    whole("lent_shut_down_by_another", 2, 3, lent::shut_down_by_another);
    whole("lent_lets_go", 2, 3, lent::lets_go);
    part("pool_lets_go", 3, 2, pool::lets_go);
    whole("spare_relieved", 2, 5, spares::relieved);
    whole("spare_recalled", 2, 4, spares::recalled);
    whole("spare_runs", 3, 2, spares::runs);
    part("spare_again", 2, 3, spares::again);
    part("spare_shutdown", 3, 2, spares::shutdown);
    whole("queue_idle", 2, ALL, queue::idle);
    whole("queue_aside", 2, 4, queue::aside);
    whole("queue_places", 2, ALL, queue::places);
    whole("queue_idle_two", 3, 3, queue::idle_two);
    whole("queue_drain", 2, ALL, queue::drain);
    part("queue_backpressure", 3, 3, queue::backpressure);
    part("queue_naps", 3, 1, queue::naps);
    part("queue_end_to_end", 2, 2, queue::end_to_end);
    part("queue_two_producers", 3, 1, queue::two_producers);
    part("queue_wait_again", 2, 2, queue::wait_again);
    part("queue_two_runners", 3, 1, queue::two_runners);
    part("queue_serial", 3, 4, queue::serial);
    part("queue_circle", 2, 1, queue::circle);
    part("queue_worker_waits", 3, 2, queue::worker_waits);
    whole("queue_vs_shutdown", 3, 2, queue::submit_vs_shutdown);
    whole("stack_job_raided", 2, 6, fork::stack_job_raided);
    whole("stack_job_exposed", 2, ALL, fork::stack_job_exposed);
    whole("fork_unwinding", 2, 2, fork::unwinding);
    whole("chain_raid", 2, ALL, chain::raid_two_deep);
    whole("chain_raid_deep", 2, 6, chain::raid_three_deep);
    whole("chain_index", 2, ALL, chain::index);
    whole("chain_two_raiders", 3, 3, chain::two_raiders);
    whole("chain_exposed_and_raided", 2, 6, chain::exposed_and_raided);
    whole("chain_demand", 2, ALL, chain::demand);
    whole("chain_rest", 2, ALL, chain::demand_at_rest);
    whole("chain_owner_apart", 2, ALL, chain::owner_apart);
    whole("chain_fenced", 2, 4, chain::fenced);
    whole("chain_refused", 2, 3, chain::refused);
    whole("chain_granted", 2, 2, chain::granted);
    whole("fork_raid", 2, ALL, fork::raid);
    whole("fork_fenced", 2, ALL, fork::fenced);
    whole("fork_refused", 2, ALL, fork::refused);
    whole("fork_granted", 2, ALL, fork::granted);
    whole("fork_raid_and_grow", 2, 4, fork::raid_and_grow);
    whole("fork_two_raiders", 3, 4, fork::two_raiders);
    whole("fork_exposure", 3, 4, fork::exposure);
    whole("fork_demand", 2, ALL, fork::demand);
    whole("fork_demand_in_search", 2, ALL, fork::demand_in_search);
    whole("scope_nested", 3, 2, scope::nested);
    whole("scope_two_thieves", 3, 3, scope::two_thieves);
    whole("scope_panics", 2, 3, scope::panics);
    whole("scope_with_lock", 2, 3, scope::with_lock);
    whole("injector_steal", 2, ALL, deque::injector_steal);
    whole("injector_len", 2, ALL, deque::injector_len);
    whole("deque_two_thieves", 3, 4, deque::two_thieves);
    whole("deque_wrap", 2, 4, deque::wrap);
    part("pool_smoke_join", 3, 2, pool::join);
    part("pool_smoke_scope", 3, 2, pool::scope);
    part("pool_smoke_broadcast", 3, 2, pool::broadcast);
}

pub(crate) const fn weaken(what: &'static str) -> Defect {
    Defect::Weaken(std::borrow::Cow::Borrowed(what))
}

pub(crate) static CANARIES: &[Canary] = &[
    Canary { defect: weaken("SLEEP_RECHECK_FENCE=none"), model: "sleep_inject" },
    Canary { defect: weaken("LATCH_SET=Relaxed"), model: "latch_set" },
    Canary { defect: weaken("COUNT_DOWN=Relaxed"), model: "latch_last_decrement" },
    Canary { defect: Defect::Code("zero_forgotten"), model: "latch_passing_zero" },
    Canary { defect: Defect::Code("next_round_released"), model: "latch_late_release" },
    Canary { defect: weaken("DEQUE_PUSH_FENCE=none"), model: "deque_publish" },
    Canary { defect: weaken("UNPARK=Relaxed"), model: "parker_token" },
    Canary { defect: weaken("RING_VALUE_STORE=Relaxed"), model: "ring_hand_over" },
    Canary { defect: weaken("RING_FREE_LOAD=Relaxed"), model: "ring_wrap" },
    Canary { defect: Defect::Code("freeze_unheeded"), model: "chain_raid" },
    Canary { defect: weaken("FORK_POP_LIGHT=none"), model: "chain_raid" },
    Canary { defect: weaken("FORK_POP_FENCE=none"), model: "chain_fenced" },
    Canary { defect: weaken("STACK_POP_FENCE=none"), model: "fork_fenced" },
    Canary { defect: Defect::Code("refusal_overlooked"), model: "chain_refused" },
    Canary { defect: Defect::Code("refusal_overlooked"), model: "fork_refused" },
    Canary { defect: weaken("FORK_PUSH=Relaxed"), model: "chain_raid_deep" },
    Canary { defect: weaken("FORK_THAW=Relaxed"), model: "chain_index" },
    Canary { defect: weaken("FORK_FROZEN=Relaxed"), model: "chain_index" },
    Canary { defect: Defect::Code("index_kept"), model: "chain_index" },
    Canary { defect: weaken("FORK_HEAVY=none"), model: "chain_two_raiders" },
    Canary { defect: Defect::Code("freeze_unheeded"), model: "chain_exposed_and_raided" },
    Canary { defect: weaken("FORK_PUSH_LIGHT=none"), model: "chain_demand" },
    Canary { defect: weaken("FORK_HEAVY=none"), model: "chain_demand" },
    Canary { defect: weaken("REST_END_FENCE=none"), model: "chain_rest" },
    Canary { defect: weaken("REST_LOOK_FENCE=none"), model: "chain_rest" },
    Canary { defect: Defect::Code("private_kept"), model: "chain_owner_apart" },
    Canary { defect: weaken("STACK_POP_LIGHT=none"), model: "fork_raid" },
    Canary { defect: weaken("FORK_HEAVY=none"), model: "fork_raid" },
    Canary { defect: weaken("STACK_PUSH_LIGHT=none"), model: "fork_demand" },
    Canary { defect: weaken("FORK_HEAVY=none"), model: "fork_demand" },
    Canary { defect: weaken("FORK_ANSWER_FENCE=none"), model: "fork_demand" },
    Canary { defect: weaken("FORK_DEMAND_FENCE=none"), model: "fork_demand_in_search" },
    Canary { defect: weaken("STACK_PUSH=Relaxed"), model: "fork_raid" },
    Canary { defect: weaken("TASK_SET=Relaxed"), model: "stack_job_raided" },
    Canary { defect: weaken("SCOPE_DONE=Relaxed"), model: "scope_nested" },
    Canary { defect: Defect::Code("claim_believed"), model: "scope_two_thieves" },
    Canary { defect: weaken("RING_POP=Relaxed"), model: "ring_len" },
    Canary { defect: weaken("RUNNERS_LOAD=Relaxed"), model: "queue_idle" },
    Canary { defect: weaken("RING_HEAD_LOAD=Relaxed"), model: "queue_idle" },
    Canary { defect: weaken("RING_POP=Relaxed"), model: "queue_idle" },
    Canary { defect: Defect::Code("crew_before_ring"), model: "queue_idle" },
    Canary { defect: Defect::Code("crew_before_ring"), model: "queue_idle_two" },
    Canary { defect: weaken("SLEEP_RESERVE=Relaxed"), model: "sleep_again" },
    Canary { defect: weaken("SLEEP_WATCH=Relaxed"), model: "sleep_watch" },
    Canary { defect: Defect::Code("near_or_nobody"), model: "sleep_waiter" },
    Canary { defect: Defect::Code("entered_ignored"), model: "lent_vs_shutdown" },
    Canary { defect: Defect::Code("end_undecided"), model: "lent_shut_down_by_another" },
    Canary { defect: Defect::Code("end_unawaited"), model: "lent_lets_go" },
    Canary { defect: Defect::Code("kept_for_ever"), model: "pool_lets_go" },
    Canary { defect: Defect::Code("spare_called_awake"), model: "spare_relieved" },
    Canary { defect: Defect::Code("spare_called_unheard"), model: "spare_runs" },
    Canary { defect: Defect::Code("spare_called_unlooked"), model: "spare_runs" },
    Canary { defect: weaken("INJECTOR_STEAL_FENCE=none"), model: "injector_steal" },
    Canary { defect: weaken("INJECTOR_LEN=Relaxed"), model: "injector_len" },
    Canary { defect: weaken("RUNNERS_GO=Relaxed"), model: "queue_places" },
    Canary { defect: weaken("RUNNERS_COME=Relaxed"), model: "queue_places" },
    Canary { defect: Defect::Code("one_waiter_at_most"), model: "queue_backpressure" },
    Canary { defect: Defect::Code("unflagged_after_a_nap"), model: "queue_naps" },
    Canary { defect: Defect::Code("aside_unnoted"), model: "queue_circle" },
    Canary { defect: Defect::Code("aside_unlooked"), model: "queue_aside" },
    Canary { defect: Defect::Code("room_unasked"), model: "queue_worker_waits" },
    Canary { defect: Defect::Code("idle_looked_at_unlocked"), model: "queue_wait_again" },
    Canary { defect: Defect::Code("drained_by_a_flag"), model: "queue_drain" },
];

impl Model {
    /// Explores the model to the end and returns how many executions there were. Panics, or aborts the process, if an
    /// execution fails.
    pub(crate) fn explore(&self) -> usize {
        let mut builder = loom::model::Builder::new();
        let other = std::env::var(BOUND).ok().map(|bound| bound.parse().expect("FILCH_BOUND is a number"));
        builder.preemption_bound = Some(other.unwrap_or(self.bound));
        builder.max_branches = 50_000;
        builder.expect_explicit_explore = self.part;
        // In loom, an exploration that hits a limit passes. So a run that is to prove something must have no limit.
        builder.max_permutations = std::env::var_os(SURVEY).map(|_| 3000);
        builder.max_duration = None;
        let body = self.body;
        builder.check(move || {
            EXECUTIONS.fetch_add(1, Ordering::Relaxed);
            body();
        });
        if std::env::var_os(SURVEY).is_none() {
            match self.name {
                "litmus" => litmus::after(),
                "fork_exposure" => fork::after_exposure(),
                _ => {}
            }
        }
        EXECUTIONS.load(Ordering::Relaxed)
    }
}
