//! Fork and join: `join` runs two closures, `scope` any number, and `broadcast` one on each worker.

pub(crate) mod broadcast;
pub(crate) mod fork;
pub(crate) mod fork_job;
pub(crate) mod join;
pub(crate) mod scope;
