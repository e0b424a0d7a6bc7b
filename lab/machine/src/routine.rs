//! A thread as a coroutine, and why it lets go of the machine.

use corosensei::Coroutine;

/// Why a thread lets go of the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    /// Another thread, or a time-out, comes first.
    Turn,
    /// It has blocked.
    Blocked,
    /// It offers its core.
    Offer,
    /// It goes to the core that it is bound to.
    Moved,
}

pub(crate) type Routine = Coroutine<(), Pause, ()>;
