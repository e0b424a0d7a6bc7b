//! Decides which side pays for the fence in a race between an owner and a raider.
//!
//! | fencing | the owner's pop | the raider | where |
//! |---|---|---|---|
//! | `Raider` | holds back the compiler only | has the system fence every core ([`heavy_fence`]) | the system has the call, and the pool may use it |
//! | `Both` | fences | fences | on other systems, and until the system has answered |
//!
//! Invariant: only the owner changes the fencing of a list, and it does so under the lock that a raider needs. So a
//! raider that holds the lock knows how the owner fences meanwhile. A heavy fence orders against both kinds of owner,
//! so a system that answers late does no harm.
//!
//! A *push* fences in neither kind. With `Raider` the heavy fence of the worker that is about to sleep makes up for
//! the missing fence. With `Both` nothing does, and the race has two sides:
//!
//! * the worker that is about to sleep may overlook a fork or a job that is pushed at the moment of its look;
//! * the owner that pushes may overlook the worker's demand.
//!
//! Both stores reach the other core all the same, in about the time that a store takes to leave its core. So the
//! worker looks a second time, a nap later, before it sleeps for good. A worker that goes on, and would wake another
//! worker for the jobs it leaves, looks again after some microseconds.
//!
//! If the system refuses its call later, no raid on an owner that is still `Raider` succeeds. The owner's next push
//! finds the demand, and the owner fences from then on.

use crate::sync::site::FORK_HEAVY;
use crate::sync::{defect, fence};
use crate::system::heavy_fence;

/// The side that pays for the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fencing {
    Raider,
    Both,
}

impl Fencing {
    /// Returns the fencing that a pool can have now. `may` says whether the pool may use the system's call.
    pub(crate) fn possible(may: bool) -> Fencing {
        if may && heavy_fence::available() { Fencing::Raider } else { Fencing::Both }
    }

    /// Returns whether the fencing of a pool may change to `Raider` soon, because the system has not answered yet.
    pub(super) fn may_improve(may: bool) -> bool {
        may && heavy_fence::is_pending()
    }

    /// Runs the raider's fence. Returns `false` if nothing is ordered against the owner, because the system refuses
    /// the call now.
    #[must_use]
    pub(super) fn fence(self) -> bool {
        match self {
            Fencing::Raider => heavy_fence::run() || defect("refusal_overlooked"),
            Fencing::Both => {
                fence(FORK_HEAVY);
                true
            }
        }
    }
}
