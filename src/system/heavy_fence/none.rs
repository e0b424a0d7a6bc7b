//! Systems without such a call. macOS has none: .NET's runtime asks Mach for each thread's registers instead, which was
//! not tried here.

use super::State;

pub(super) fn prepare() {}

pub(super) fn state() -> State {
    State::Missing
}

pub(super) fn run() -> bool {
    false
}
