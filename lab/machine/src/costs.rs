//! What each step costs on the machine, in virtual time.

/// A moment or a span of virtual time, in picoseconds. A machine's time begins at 0.
pub type Time = u64;

/// Returns a span of nanoseconds.
#[must_use]
pub const fn nanos(nanos: u64) -> Time {
    nanos * 1_000
}

/// Returns a span of microseconds.
#[must_use]
pub const fn micros(micros: u64) -> Time {
    micros * 1_000_000
}

/// The prices of a machine. The [default](Costs::default) ones were chosen so that some programs take about as long as they
/// did on a virtual machine with sixteen cores of an x86-64 server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costs {
    /// A load or a store of a line that the core has.
    pub hit: Time,
    /// A read-modify-write of a line that the core has.
    pub rmw: Time,
    /// What it takes to bring a line from another core.
    pub transfer: Time,
    /// The same for the line after one that the core brought a moment ago: it asks for such lines ahead.
    pub stream: Time,
    /// For how long a line that goes to another core can't go to a third.
    pub occupied: Time,
    /// A full fence, when all stores have left the core.
    pub fence: Time,
    /// One pause of a spin.
    pub pause: Time,
    /// A look at the clock.
    pub clock: Time,
    /// A system call that does nothing else.
    pub call: Time,
    /// What the caller pays to wake a thread, beyond the call.
    pub wake: Time,
    /// How long a woken thread takes to its first instruction on a core that has been idle for less than
    /// [`deep_after`](Self::deep_after).
    pub shallow: Time,
    /// After how long an idle core sleeps deeply.
    pub deep_after: Time,
    /// As [`shallow`](Self::shallow), for a core that sleeps deeply.
    pub deep: Time,
    /// To go from one thread to the next on a core.
    pub switch: Time,
    /// How long a thread may run while others wait for its core.
    pub slice: Time,
    /// How often the system looks whether a slice is over.
    pub tick: Time,
    /// How much later than asked a timer may fire. It fires that much later.
    pub timer_slack: Time,
    /// A fence on all cores at once: what the caller pays without any other running thread.
    pub barrier: Time,
    /// What the caller pays more for each other core that runs a thread.
    pub barrier_each: Time,
    /// How long each of these other cores is interrupted.
    pub interrupt: Time,
    /// The start of a thread, for the thread that starts it.
    pub spawn: Time,
}

impl Default for Costs {
    fn default() -> Costs {
        Costs {
            hit: 300,
            rmw: nanos(5),
            transfer: nanos(110),
            stream: nanos(10),
            occupied: nanos(50),
            fence: nanos(8),
            pause: nanos(12),
            clock: nanos(22),
            call: nanos(150),
            wake: nanos(1_200),
            shallow: micros(6),
            deep_after: micros(200),
            deep: micros(30),
            switch: nanos(1_300),
            slice: micros(3_000),
            tick: micros(4_000),
            timer_slack: micros(50),
            barrier: nanos(600),
            barrier_each: nanos(500),
            interrupt: micros(2),
            spawn: micros(12),
        }
    }
}
