//! Forks and joins: two sides, a scope of any number, one turn a worker.

pub(crate) mod broadcast;
pub(crate) mod fork;
pub(crate) mod fork_job;
pub(crate) mod join;
pub(crate) mod scope;
