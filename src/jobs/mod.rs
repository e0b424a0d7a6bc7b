//! The jobs of a pool, and the places where jobs lie until they run.

pub(crate) mod deque;
pub(crate) mod inbox;
pub(crate) mod job;
pub(crate) mod private;
pub(crate) mod ring;
