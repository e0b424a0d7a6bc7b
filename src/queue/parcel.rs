//! A job of a queue on its way: into the ring, or out of it and about to be run.

use crate::jobs::ring;
use crate::tasks::packet::Promise;

/// What a job has with it on its way: whom to tell of its end, if somebody asked.
pub(super) type Note = Promise<()>;
/// A job on its way in, or taken out and about to be run.
pub(crate) type Parcel<J> = ring::Parcel<J, Note>;
