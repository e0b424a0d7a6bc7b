//! Reads and sets the cores that a thread may use.

/// Binds a thread to `cores`. Thread 0 means the calling thread.
#[cfg(target_os = "linux")]
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
#[cfg(target_os = "linux")]
pub fn bind_process(cores: &[usize]) {
    bind(libc::pid_t::try_from(std::process::id()).unwrap(), cores);
    bind(0, cores);
}

/// The cores that the calling thread may use.
#[cfg(target_os = "linux")]
pub fn cores() -> Vec<usize> {
    // SAFETY: plain old data, for which zeros are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer and the size describe `set`, which outlives the call.
    let code = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    assert_eq!(code, 0);
    // SAFETY: each number is in the set's range.
    (0..1024).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
}

/// The cores that the calling thread may use, as filch numbers them.
#[cfg(target_os = "windows")]
pub fn cores() -> Vec<usize> {
    windows::cores()
}

#[cfg(target_os = "windows")]
mod windows {
    use std::ffi::c_void;

    const GROUP: usize = usize::BITS as usize;

    #[repr(C)]
    #[derive(Default)]
    struct Affinity {
        mask: usize,
        group: u16,
        reserved: [u16; 3],
    }

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetCurrentThread() -> *mut c_void;
        fn GetThreadGroupAffinity(thread: *mut c_void, affinity: *mut Affinity) -> i32;
    }

    pub fn cores() -> Vec<usize> {
        let mut now = Affinity::default();
        // SAFETY: the handle is this thread's, and the place is valid for a write.
        let done = unsafe { GetThreadGroupAffinity(GetCurrentThread(), &raw mut now) };
        assert_ne!(done, 0);
        let first = usize::from(now.group) * GROUP;
        (0..GROUP).filter(|place| now.mask >> place & 1 == 1).map(|place| first + place).collect()
    }
}
