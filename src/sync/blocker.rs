//! Blocks and wakes the thread of a parker, in the normal build.
//!
//! A blocker gives up the core and keeps no token: the parker's own word says whether there is one. A blocker does
//! not use std's thread handle. The handle may be gone, because a C or C++ host may call in a thread's late
//! destructors.

pub(crate) use imp::Blocker;

/// Blocks on the parker's word, which is a futex.
#[cfg(target_os = "linux")]
mod imp {
    use std::ptr;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    #[derive(Debug, Default)]
    pub(crate) struct Blocker(());

    impl Blocker {
        /// Makes the calling thread the thread that blocks here.
        #[expect(clippy::unused_self, reason = "a checker's blocker has a state")]
        pub(crate) fn adopt(&self) {}

        /// Blocks while `word` is `expected`, until a [`wake`](Self::wake) or the end of `timeout`. It may also
        /// return early for no reason.
        #[expect(clippy::unused_self, reason = "a checker's blocker has a state")]
        pub(crate) fn block(&self, word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
            let time = timeout.map(|timeout| libc::timespec {
                // The size of `tv_sec` differs between systems.
                tv_sec: timeout.as_secs().try_into().unwrap_or(i32::MAX.into()),
                tv_nsec: timeout.subsec_nanos() as _,
            });
            let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
            let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: `word` is borrowed during the call, and the time is null or points to this stack. The result
            // may be ignored: the caller looks at the word again.
            unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, time) };
        }

        /// Ends the current `block` of the thread that blocks on `word`.
        #[expect(clippy::unused_self, reason = "a checker's blocker has a state")]
        pub(crate) fn wake(&self, word: &AtomicU32) {
            let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: the call uses the address of the word only as a name.
            unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 1) };
        }
    }
}

/// Where there is only one thread, nobody could wake it.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
mod imp {
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    #[derive(Debug, Default)]
    pub(crate) struct Blocker(());

    impl Blocker {
        #[expect(clippy::unused_self, reason = "a blocker of another system has a state")]
        pub(crate) fn adopt(&self) {}

        /// Lets `timeout` pass, or returns early for no reason.
        ///
        /// # Panics
        /// If there is no timeout: the wait could never end.
        #[expect(clippy::unused_self, reason = "a blocker of another system has a state")]
        pub(crate) fn block(&self, _word: &AtomicU32, _expected: u32, timeout: Option<Duration>) {
            let Some(timeout) = timeout else {
                panic!("a wait that nobody can end: there is only this thread")
            };
            if cfg!(not(target_os = "unknown")) {
                std::thread::sleep(timeout);
            }
        }

        #[expect(clippy::unused_self, reason = "a blocker of another system has a state")]
        pub(crate) fn wake(&self, _word: &AtomicU32) {}
    }
}

/// Blocks on a lock and a condition variable, which need no handle of the thread either.
#[cfg(not(any(target_os = "linux", all(target_family = "wasm", not(target_feature = "atomics")))))]
mod imp {
    use std::sync::atomic::AtomicU32;
    use std::sync::{Condvar, Mutex, PoisonError};
    use std::time::Duration;

    #[derive(Debug, Default)]
    pub(crate) struct Blocker {
        woken: Mutex<bool>,
        condition: Condvar,
    }

    impl Blocker {
        /// Makes the calling thread the thread that blocks here.
        #[expect(clippy::unused_self, reason = "a checker's blocker has a state")]
        pub(crate) fn adopt(&self) {}

        /// Blocks until a [`wake`](Self::wake) or the end of `timeout`. It may also return early for no reason.
        pub(crate) fn block(&self, _word: &AtomicU32, _expected: u32, timeout: Option<Duration>) {
            let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            if !*woken {
                woken = match timeout {
                    None => self.condition.wait(woken).unwrap_or_else(PoisonError::into_inner),
                    Some(timeout) => {
                        self.condition.wait_timeout(woken, timeout).unwrap_or_else(PoisonError::into_inner).0
                    }
                };
            }
            *woken = false;
        }

        /// Ends the current or the next `block`.
        pub(crate) fn wake(&self, _word: &AtomicU32) {
            *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
            self.condition.notify_one();
        }
    }
}
