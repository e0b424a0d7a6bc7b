//! Who pays for the fence in a race between an owner and a raider.
//!
//! | fencing | the owner's pop | the raider | where |
//! |---|---|---|---|
//! | `Raider` | holds back the compiler only | has the system fence every core ([`heavy_fence`]) | the system has that call, and the pool may use it |
//! | `Both` | fences | fences | elsewhere, and until the system has answered |
//!
//! The fencing of a list changes only by its owner, with the lock that a raider needs. So a raider that holds the lock
//! knows what the owner does meanwhile. A heavy fence orders against both kinds of owner, so a system that answers late
//! does no harm.
//!
//! In neither kind does a *push* fence. With `Raider` the heavy fence of a worker that is about to sleep makes up for
//! that. With `Both` such a worker may overlook a fork or a job that was pushed in the moment of its look, and its owner
//! may overlook the demand. Both stores reach the other core all the same, in about the time that a store takes to leave
//! its core. So the worker looks a second time, a nap later, before it sleeps for good; and a worker that goes on, and
//! would wake another for what it left, looks again after some microseconds.
//!
//! If the system refuses its call later, an owner that is still `Raider` cannot be raided. Its next push finds the demand,
//! and it fences from then on.

use crate::sync::fence;
use crate::sync::site::FORK_HEAVY;
use crate::system::heavy_fence;

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fencing {
    Raider,
    Both,
}

impl Fencing {
    /// The fencing that a pool can have now, which `may` use the system's call or not.
    pub(crate) fn possible(may: bool) -> Fencing {
        if may && heavy_fence::available() { Fencing::Raider } else { Fencing::Both }
    }

    /// Whether a pool may have another fencing in a moment: the system has not answered yet.
    pub(super) fn may_improve(may: bool) -> bool {
        may && heavy_fence::is_pending()
    }

    /// The raider's fence. Returns `false` if nothing is ordered against the owner: the system has the call no more.
    #[must_use]
    pub(super) fn fence(self) -> bool {
        match self {
            Fencing::Raider => heavy_fence::run(),
            Fencing::Both => {
                fence(FORK_HEAVY);
                true
            }
        }
    }
}
