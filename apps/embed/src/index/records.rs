//! The records of fixed size.
//!
//! | chunk, byte | what | file, byte | what |
//! |---|---|---|---|
//! | 0 | number of the file | 0 | where its path begins |
//! | 4 | number of the first line, from 1 | 8 | the path's length |
//! | 8 | first byte in the file | 12 | how many bytes of the path are not shown |
//! | 16 | behind the last byte | 16 | the file's size |
//! | 24 | hash of the text | 24 | the file's time, seconds |
//! | 32 | number of the vector | 32 | nanoseconds, or [`UNSETTLED`]; four bytes of zero |
//! | | | 40 | hash of the content, 16 bytes |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// In place of a time's nanoseconds: the file was so new when it was read that a later change may have the same time.
pub const UNSETTLED: u32 = u32::MAX;

/// A file that has changed within this time before it was read may change again at the same time, by its system's clock.
const SETTLES_AFTER: Duration = Duration::from_secs(2);

/// A chunk of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRecord {
    /// The number of the file.
    pub file: u32,
    /// The number of the first line, from 1.
    pub line: u32,
    /// The first byte in the file.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
    /// The hash of the text.
    pub hash: u64,
    /// The number of the vector.
    pub vector: u64,
}

impl ChunkRecord {
    /// The length of a record in bytes.
    pub const BYTES: usize = 40;

    /// Reads a record.
    pub fn read(mut bytes: &[u8]) -> ChunkRecord {
        let bytes = &mut bytes;
        ChunkRecord {
            file: u32::from_le_bytes(take(bytes)),
            line: u32::from_le_bytes(take(bytes)),
            start: u64::from_le_bytes(take(bytes)),
            end: u64::from_le_bytes(take(bytes)),
            hash: u64::from_le_bytes(take(bytes)),
            vector: u64::from_le_bytes(take(bytes)),
        }
    }

    /// The record's bytes.
    pub fn bytes(&self) -> [u8; ChunkRecord::BYTES] {
        let mut bytes = [0; ChunkRecord::BYTES];
        let rest = &mut bytes[..];
        let rest = put(rest, self.file.to_le_bytes());
        let rest = put(rest, self.line.to_le_bytes());
        let rest = put(rest, self.start.to_le_bytes());
        let rest = put(rest, self.end.to_le_bytes());
        let rest = put(rest, self.hash.to_le_bytes());
        put(rest, self.vector.to_le_bytes());
        bytes
    }
}

/// When a file was last changed, as far as it may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modified {
    seconds: i64,
    nanoseconds: u32,
}

impl Modified {
    /// The time `modified` of a file that was read at `read`.
    pub fn new(modified: Option<SystemTime>, read: SystemTime) -> Modified {
        let settled = modified.filter(|modified| {
            // A time in the future never settles.
            read.duration_since(*modified).is_ok_and(|age| age > SETTLES_AFTER)
        });
        let Some(time) = settled else {
            return Modified { seconds: 0, nanoseconds: UNSETTLED };
        };
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Modified { seconds: after.as_secs() as i64, nanoseconds: after.subsec_nanos() },
            Err(before) => {
                let before = before.duration();
                Modified { seconds: -1 - before.as_secs() as i64, nanoseconds: before.subsec_nanos() }
            }
        }
    }

    /// Whether equal times mean that the file has not changed.
    pub fn is_settled(self) -> bool {
        self.nanoseconds != UNSETTLED
    }
}

/// A file of which the index has chunks, or whose text was empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Where its path begins.
    pub path_start: u64,
    /// The path's length.
    pub path_length: u32,
    /// How many bytes of the path are not shown.
    pub hidden: u32,
    /// The file's size in bytes.
    pub size: u64,
    /// When it was changed.
    pub modified: Modified,
    /// The hash of the content.
    pub hash: u128,
}

impl FileRecord {
    /// The length of a record in bytes.
    pub const BYTES: usize = 56;

    /// Reads a record.
    pub fn read(mut bytes: &[u8]) -> FileRecord {
        let bytes = &mut bytes;
        let path_start = u64::from_le_bytes(take(bytes));
        let path_length = u32::from_le_bytes(take(bytes));
        let hidden = u32::from_le_bytes(take(bytes));
        let size = u64::from_le_bytes(take(bytes));
        let seconds = i64::from_le_bytes(take(bytes));
        let nanoseconds = u32::from_le_bytes(take(bytes));
        let _: [u8; 4] = take(bytes);
        let hash = u128::from_le_bytes(take(bytes));
        FileRecord { path_start, path_length, hidden, size, modified: Modified { seconds, nanoseconds }, hash }
    }

    /// The record's bytes.
    pub fn bytes(&self) -> [u8; FileRecord::BYTES] {
        let mut bytes = [0; FileRecord::BYTES];
        let rest = &mut bytes[..];
        let rest = put(rest, self.path_start.to_le_bytes());
        let rest = put(rest, self.path_length.to_le_bytes());
        let rest = put(rest, self.hidden.to_le_bytes());
        let rest = put(rest, self.size.to_le_bytes());
        let rest = put(rest, self.modified.seconds.to_le_bytes());
        let rest = put(rest, self.modified.nanoseconds.to_le_bytes());
        let rest = put(rest, [0; 4]);
        put(rest, self.hash.to_le_bytes());
        bytes
    }
}

/// Takes the first bytes. A record's slice always has its length.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (first, rest) = bytes.split_first_chunk().expect("a whole record");
    *bytes = rest;
    *first
}

fn put<const N: usize>(bytes: &mut [u8], value: [u8; N]) -> &mut [u8] {
    let (first, rest) = bytes.split_at_mut(N);
    first.copy_from_slice(&value);
    rest
}
