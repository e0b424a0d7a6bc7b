//! Waiting: for an event, for work, for each other.

pub(crate) mod latch;
pub(crate) mod numbered;
pub(crate) mod sleep;
pub(crate) mod wait_graph;
