//! What is run, and where it lies until then.

pub(crate) mod deque;
pub(crate) mod inbox;
pub(crate) mod job;
pub(crate) mod private;
pub(crate) mod ring;
