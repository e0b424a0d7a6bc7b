//! A DLL with a pool of its own. It drops the pool in `DllMain`, when the DLL goes.

#![cfg(windows)]

use std::ffi::c_void;
use std::sync::Mutex;

use filch::Pool;

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

/// Builds the pool and runs jobs on it. Returns how many ran.
#[unsafe(no_mangle)]
pub extern "C" fn start() -> usize {
    let pool = Pool::builder().workers(2).build().expect("threads");
    let ran = (0..100).map(|_| pool.spawn(|| 1_usize)).map(|job| job.join().expect("no panic")).sum();
    *POOL.lock().unwrap() = Some(pool);
    ran
}

/// Shuts the pool down, as a host must before it unloads the DLL.
#[unsafe(no_mangle)]
pub extern "C" fn stop() -> usize {
    let pool = POOL.lock().unwrap().take().expect("a pool");
    usize::try_from(pool.shutdown().expect("from outside").run).unwrap()
}

/// Called by the system when the DLL comes and goes.
#[unsafe(no_mangle)]
pub extern "system" fn DllMain(_module: *mut c_void, reason: u32, _reserved: *mut c_void) -> i32 {
    const DETACH: u32 = 0;
    if reason == DETACH {
        // At the end of the process the other threads are gone, and one may have held the lock.
        drop(POOL.try_lock().ok().and_then(|mut pool| pool.take()));
    }
    1
}
