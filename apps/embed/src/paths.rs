//! Paths as an index keeps them: absolute, without `.` and `..`, as bytes. A path is shown as its user named it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

/// An absolute path, and which part of it to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPath {
    /// The absolute path.
    pub path: PathBuf,
    /// How many bytes of it are not shown: those of the folder that it was named from.
    pub hidden: usize,
}

impl ShownPath {
    /// The path that a user named as `given` in the current folder.
    pub fn new(given: &Path) -> io::Result<ShownPath> {
        if given.is_absolute() {
            return Ok(ShownPath { path: tidy(given), hidden: 0 });
        }
        let here = std::env::current_dir()?;
        let path = tidy(&here.join(given));
        let below = path.starts_with(&here) && path != here;
        let hidden = if below { here.as_os_str().len() + usize::from(here.parent().is_some()) } else { 0 };
        Ok(ShownPath { path, hidden })
    }

    /// The part to show.
    pub fn shown(&self) -> PathBuf {
        to_path(&self.path.as_os_str().as_encoded_bytes()[self.hidden..]).unwrap_or_else(|| self.path.clone())
    }
}

/// Takes `.` and `..` out of an absolute path, without asking the system.
fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                tidied.pop();
            }
            other => tidied.push(other),
        }
    }
    tidied
}

/// The path whose bytes an index has kept. `None` if this system has no such path.
pub fn to_path(bytes: &[u8]) -> Option<PathBuf> {
    #[cfg(unix)]
    let text = Some(std::os::unix::ffi::OsStrExt::from_bytes(bytes));
    #[cfg(not(unix))]
    let text = std::str::from_utf8(bytes).ok().map(OsStr::new);
    text.map(|text: &OsStr| PathBuf::from(OsString::from(text)))
}
