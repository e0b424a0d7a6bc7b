//! Windows' loader lock. Each thread takes it at its start and at its end, so a thread that holds it must not wait for the
//! start or the end of another. Whoever holds it is in `DllMain`, in a static destructor of a DLL, or in the destructor
//! of a thread-local. At the end of the process the lock counts as held, because all other threads are gone.

/// Whether the calling thread holds the loader's lock. Always `false` on other systems.
pub(crate) fn is_held() -> bool {
    #[cfg(target_os = "windows")]
    return windows::is_held();
    #[cfg(not(target_os = "windows"))]
    false
}

#[cfg(target_os = "windows")]
mod windows {
    use std::ffi::c_void;

    /// Where the process's environment block has the address of the lock. Not documented, and the same in all
    /// versions since Windows 2000.
    const LOADER_LOCK: usize = if cfg!(target_pointer_width = "64") { 0x110 } else { 0xA0 };

    /// The first fields of `RTL_CRITICAL_SECTION`.
    #[repr(C)]
    struct CriticalSection {
        debug_info: *mut c_void,
        lock_count: i32,
        recursion_count: i32,
        /// The number of the thread that holds the lock, or 0.
        owner: usize,
    }

    #[link(name = "kernel32")]
    unsafe extern "system" {
        // No preconditions.
        safe fn GetCurrentThreadId() -> u32;
    }

    #[link(name = "ntdll")]
    unsafe extern "system" {
        // No preconditions.
        safe fn RtlDllShutdownInProgress() -> u8;
        safe fn RtlGetCurrentPeb() -> *const u8;
    }

    pub(super) fn is_held() -> bool {
        let (at_end, this) = (RtlDllShutdownInProgress() != 0, GetCurrentThreadId());
        // SAFETY: the block is larger than the offset.
        let place = unsafe { RtlGetCurrentPeb().add(LOADER_LOCK) };
        // SAFETY: the block lives as long as the process, and the address of a lock lies there, aligned.
        let lock = unsafe { place.cast::<*const CriticalSection>().read() };
        if lock.is_null() {
            return at_end;
        }
        // SAFETY: the loader's lock lives as long as the process.
        let owner = unsafe { &raw const (*lock).owner };
        // SAFETY: as above. Other threads write the field meanwhile, as a whole word, and only this thread writes this
        // thread's number there. So the comparison is right whatever they do.
        let owner = unsafe { owner.read_volatile() };
        at_end || owner == this as usize
    }
}
