//! Bugs that runtimes of this kind had, put back in one at a time. A model must catch each of them within two
//! minutes.

use std::time::Duration;

use crate::models::{Defect, weaken};

/// How long the model that is to catch a bug may compute.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A bug, where it occurred, what brings it back, and the model that catches it.
pub(crate) struct Bug {
    pub(crate) what: &'static str,
    /// Issues and advisories of other projects about a bug of the same kind; `here` for one of filch.
    pub(crate) seen: &'static str,
    pub(crate) defect: Defect,
    pub(crate) model: &'static str,
}

const fn bug(what: &'static str, seen: &'static str, defect: Defect, model: &'static str) -> Bug {
    Bug { what, seen, defect, model }
}

use Defect::Code;

pub(crate) static BUGS: &[Bug] = &[
    bug(
        "lost wakeup: no look before the sleep",
        "tokio 525, Go 45867",
        Code("sleeps_unlooked"),
        "pool_stale_token",
    ),
    bug(
        "lost wakeup: no fence behind the push",
        "tokio 1768",
        weaken("SLEEP_PRODUCER_FENCE=none"),
        "sleep_inject",
    ),
    bug(
        "lost wakeup: a search ends without a look",
        "oneTBB 1281, .NET 121608",
        Code("search_ends_unlooked"),
        "sleep_local_push",
    ),
    bug(
        "lost wakeup: a runner leaves without a look",
        "rayon 992",
        Code("runner_leaves_unlooked"),
        "queue_end_to_end",
    ),
    bug(
        "counter drifts: a reservation is not given back",
        "JDK-8330017",
        Code("reservation_kept"),
        "sleep_accounting",
    ),
    bug(
        "counter bleeds: claimed before it is counted",
        "rayon 800, 883",
        Code("claimed_before_counted"),
        "sleep_accounting",
    ),
    bug(
        "double pop: no fence in the pop",
        "RUSTSEC-2021-0093",
        weaken("DEQUE_POP_FENCE=none"),
        "deque_last_item",
    ),
    bug("double pop: no look at the other end", "RUSTSEC-2021-0093", Code("bottom_unlooked"), "fork_raid"),
    bug("latch used after it was set", "rayon 740, 1011", Code("latch_touched_after_set"), "latch_set"),
    bug(
        "fork's latch used after it was set",
        "rayon 913, rust 98498",
        Code("task_touched_after_set"),
        "stack_job_raided",
    ),
    bug(
        "scope ends before a payload is dropped",
        "rust 157969, 94644",
        Code("payload_dropped_late"),
        "scope_panics",
    ),
    bug("unwinds while the other side runs", "rayon 63", Code("unwound_unjoined"), "fork_unwinding"),
    bug("wakes with a lock held", "tokio 2082, 5429", Code("woken_under_lock"), "latch_waker"),
    bug("waits for itself when dropped inside", "tokio 1950", Code("own_end_awaited"), "pool_dropped_inside"),
    bug(
        "runs a job that wants the lock it holds",
        "rayon 592, 446, 1174",
        Code("isolation_ignored"),
        "scope_with_lock",
    ),
    bug("shutdown leaks a job being submitted", "rayon 544", Code("entered_ignored"), "submit_vs_shutdown"),
    bug(
        "shutdown hangs: the last to leave is silent",
        "tokio 6463",
        Code("last_to_leave_silent"),
        "submit_vs_shutdown",
    ),
    bug("shutdown leaks what the last job submits", "here", Code("end_undecided"), "end_vs_get_up"),
    bug(
        "shutdown leaks what a lent thread kept",
        "here",
        Code("private_forgotten"),
        "lent_shut_down_by_another",
    ),
    bug("takes a stale park token for the event", "reqwest 1131", Code("token_believed"), "pool_stale_token"),
    bug("close against submit loses a job", "fault plan", Code("closed_unkicked"), "queue_vs_shutdown"),
    bug(
        "a thread fails to start, the others stay",
        "ForkJoinPool, fault plan",
        Code("start_not_undone"),
        "pool_start_fails",
    ),
];
