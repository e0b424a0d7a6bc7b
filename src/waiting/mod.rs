//! Waiting: for an event ([`latch`]), for work ([`sleep`]), and for each other ([`wait_graph`]).

pub(crate) mod latch;
pub(crate) mod numbered;
pub(crate) mod sleep;
pub(crate) mod wait_graph;
