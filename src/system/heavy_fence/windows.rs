//! Windows, since Vista: `FlushProcessWriteBuffers`. The call is made for this purpose and never fails.

use super::State;

#[link(name = "kernel32")]
unsafe extern "system" {
    // No arguments and no preconditions.
    safe fn FlushProcessWriteBuffers();
}

pub(super) fn prepare() {}

pub(super) fn state() -> State {
    State::Available
}

pub(super) fn run() -> bool {
    FlushProcessWriteBuffers();
    true
}
