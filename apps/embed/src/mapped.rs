//! Files mapped into memory.
//!
//! The system ends a program with SIGBUS that reads a mapped file behind its end. This program never shortens a file
//! that it has committed, but somebody else may. A handler then says what happened and ends the program with exit code
//! 1, because the thread that reads cannot go on.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::failure::Failure;

/// A file's bytes.
#[derive(Debug)]
pub struct Mapped(Option<Mmap>);

impl Mapped {
    /// Maps the first `length` bytes of the file, or all. Fails if it has fewer.
    pub fn open(path: &Path, length: Option<u64>) -> Result<Mapped, Failure> {
        let file = File::open(path).map_err(|error| Failure::file("open", path, &error))?;
        let metadata = file.metadata().map_err(|error| Failure::file("examine", path, &error))?;
        if !metadata.is_file() {
            return Err(Failure::Unfit(format!("{} is not a regular file", path.display())));
        }
        let length = length.unwrap_or(metadata.len());
        if metadata.len() < length {
            return Err(Failure::Unfit(format!(
                "{} has {} bytes where {length} are expected: it was cut off or belongs to something else",
                path.display(),
                metadata.len()
            )));
        }
        if length == 0 {
            return Ok(Mapped(None));
        }
        let size = usize::try_from(length)
            .map_err(|_| Failure::Other(format!("{} does not fit into the address space", path.display())))?;
        bus_error::report();
        let mut options = memmap2::MmapOptions::new();
        // SAFETY: the map is read only. The program's own files are never written below their committed length, and
        // are removed but not shortened. Somebody else's change shows as other bytes, which every reader of a map
        // bears, or ends the program by the handler above.
        let map = unsafe { options.len(size).map(&file) };
        map.map(|map| Mapped(Some(map))).map_err(|error| Failure::file("map", path, &error))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

#[cfg(unix)]
mod bus_error {
    use std::sync::Once;

    const MESSAGE: &[u8] =
        b"embed: a file of the model or the index became shorter while it was read; put it back, or run `embed index` again\n";

    /// Installs the handler, once in a process.
    pub fn report() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: all bytes zero are a valid `sigaction`: no flags, an empty mask.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = on_bus_error as *const () as usize;
            // SAFETY: the handler calls async-signal-safe functions only, and the pointers are to live values.
            unsafe { libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut()) };
        });
    }

    extern "C" fn on_bus_error(_signal: libc::c_int) {
        // SAFETY: `write` is async-signal-safe, and the buffer is static.
        unsafe { libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len()) };
        // SAFETY: `_exit` is async-signal-safe.
        unsafe { libc::_exit(1) }
    }
}

#[cfg(not(unix))]
mod bus_error {
    /// Other systems do not let a mapped file be shortened.
    pub fn report() {}
}
