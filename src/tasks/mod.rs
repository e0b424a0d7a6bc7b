//! Single closures: run, waited for, and run in the middle of another one.

pub(crate) mod blocking;
pub(crate) mod error;
pub(crate) mod handle;
pub(crate) mod install;
pub(crate) mod packet;
pub(crate) mod spawn;
pub(crate) mod yields;
