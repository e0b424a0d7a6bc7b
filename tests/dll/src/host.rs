//! Loads the DLL. With `stop` it has the pool shut down and unloads the DLL, twenty times. Without, it ends while the
//! pool is there.

#[cfg(not(windows))]
fn main() {}

#[cfg(windows)]
fn main() {
    use std::ffi::{CStr, c_char, c_void};

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn LoadLibraryA(name: *const c_char) -> *mut c_void;
        fn GetProcAddress(module: *mut c_void, name: *const c_char) -> Option<unsafe extern "C" fn() -> usize>;
        fn FreeLibrary(module: *mut c_void) -> i32;
    }

    let call = |module: *mut c_void, name: &CStr| {
        // SAFETY: the module is loaded, and its function with this name takes nothing and returns a number.
        unsafe { GetProcAddress(module, name.as_ptr()).expect("exported")() }
    };
    // No more: each load of a DLL takes some of the process's thread-local slots, which std does not give back.
    const TIMES: usize = 20;
    let stops = std::env::args().nth(1).as_deref() == Some("stop");
    for _ in 0..if stops { TIMES } else { 1 } {
        // SAFETY: the name ends with a zero, and what the DLL does when it is loaded is known.
        let module = unsafe { LoadLibraryA(c"dll.dll".as_ptr()) };
        assert!(!module.is_null(), "dll.dll beside the program");
        assert_eq!(call(module, c"start"), 100);
        if stops {
            assert_eq!(call(module, c"stop"), 100);
            // SAFETY: nothing of the DLL is used afterwards.
            assert_ne!(unsafe { FreeLibrary(module) }, 0);
        }
    }
    println!("ok");
}
