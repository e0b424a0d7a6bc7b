//! Reads and sets the cores that a thread may use.

/// Binds a thread to `cores`. Thread 0 means the calling thread.
pub fn bind(thread: libc::pid_t, cores: &[usize]) {
    // SAFETY: plain old data, for which zeros are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &core in cores {
        // SAFETY: the core comes from the system and is in the set's range.
        unsafe { libc::CPU_SET(core, &mut set) };
    }
    // SAFETY: the pointer and the size describe `set`, which the call only reads.
    let code = unsafe { libc::sched_setaffinity(thread, size_of_val(&set), &raw const set) };
    assert!(code == 0 || thread != 0, "the mask was refused");
}

/// Binds the process's main thread and the calling thread to `cores`.
pub fn bind_process(cores: &[usize]) {
    bind(libc::pid_t::try_from(std::process::id()).unwrap(), cores);
    bind(0, cores);
}

/// The cores that the calling thread may use.
pub fn cores() -> Vec<usize> {
    // SAFETY: plain old data, for which zeros are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer and the size describe `set`, which outlives the call.
    let code = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    assert_eq!(code, 0);
    // SAFETY: each number is in the set's range.
    (0..1024).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
}
