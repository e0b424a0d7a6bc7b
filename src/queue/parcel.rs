//! The ring's parcel, with what a queue's job carries beside its value.

use crate::jobs::ring;
use crate::tasks::packet::Promise;

/// The promise to tell the holder of a job's handle how the job ended. A job without a handle carries none.
pub(super) type Note = Promise<()>;
/// A job on its way into the ring, or taken out and about to run.
pub(crate) type Parcel<J> = ring::Parcel<J, Note>;
