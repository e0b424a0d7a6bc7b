//! Reads files, tells text from binary, and changed files from unchanged ones. A file is text if its first 8 KiB hold no
//! NUL byte (git's and grep's rule of thumb) and the whole file is UTF-8.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::chunk::{self, Chunk};
use crate::index::records::{FileRecord, Modified};
use crate::index::writer::{NewFile, Place};
use crate::paths::ShownPath;

/// The number of bytes at the start of a file that are searched for NUL bytes.
const SNIFF: u64 = 8 * 1024;

/// A file that the walk found.
#[derive(Clone)]
pub struct FileJob {
    /// Its place in the walk's order.
    pub id: usize,
    /// The path of the file.
    pub path: Arc<Path>,
    /// Its length when the walk saw it.
    pub len: u64,
}

/// A path that could not be read.
#[derive(Debug)]
pub struct Skipped {
    /// The path, if the error named it.
    pub path: PathBuf,
    /// The reason.
    pub reason: String,
}

/// A text file, cut into chunks.
pub struct Document {
    /// What the index is to know of it.
    pub file: NewFile,
    /// Its number in the generation before, if it has one.
    pub replaced: Option<u32>,
    /// Its number in the new generation, once it has one.
    pub number: OnceLock<u32>,
    /// The whole text.
    pub text: String,
    /// Its chunks in order.
    pub chunks: Vec<Chunk>,
}

impl Document {
    /// The document in pieces of [`SEGMENT_BYTES`](chunk::SEGMENT_BYTES). One without text has one empty piece.
    pub fn segments(self: &Arc<Self>) -> impl Iterator<Item = Segment> + use<> {
        let mut ranges = chunk::segments(&self.chunks);
        if ranges.is_empty() {
            ranges.push(0..0);
        }
        let document = Arc::clone(self);
        ranges.into_iter().map(move |chunks| Segment { document: Arc::clone(&document), chunks })
    }
}

/// Consecutive chunks of a document.
pub struct Segment {
    /// The document.
    pub document: Arc<Document>,
    /// Which of its chunks.
    pub chunks: Range<usize>,
}

impl Segment {
    /// The texts of the chunks.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        let document = &*self.document;
        document.chunks[self.chunks.clone()].iter().map(|chunk| &document.text[chunk.bytes.clone()])
    }

    /// How many bytes of text there are.
    pub fn bytes(&self) -> u64 {
        self.texts().map(|text| text.len() as u64).sum()
    }

    /// Where the chunks are in their file.
    pub fn places(&self) -> Vec<Place> {
        let chunks = &self.document.chunks[self.chunks.clone()];
        let place = |(chunk, text): (&Chunk, &str)| Place {
            line: u32::try_from(chunk.line).unwrap_or(u32::MAX),
            start: chunk.bytes.start as u64,
            end: chunk.bytes.end as u64,
            hash: text_hash(text.as_bytes()),
        };
        chunks.iter().zip(self.texts()).map(place).collect()
    }
}

/// The hash by which a chunk's text is known again.
pub fn text_hash(text: &[u8]) -> u64 {
    xxh3_64(text)
}

/// What the index knows of a file.
#[derive(Clone, Copy)]
pub struct Known {
    /// The file's number in the index.
    pub number: u32,
    /// The rest.
    pub record: FileRecord,
}

/// What a file turned out to be.
pub enum Outcome {
    /// Text that the index does not have.
    Text(Arc<Document>),
    /// The index has it already.
    Unchanged(NewFile),
    /// The file is no text.
    Binary,
    /// The file could not be read, with the reason.
    Unreadable(Skipped),
    /// There is no such file any more.
    Gone,
}

/// Reads and cuts one file of at most `most` bytes, unless the index knows its content.
pub fn read(path: ShownPath, known: Option<Known>, most: u64) -> Outcome {
    let content = match content(&path, known, most) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Outcome::Gone,
        Err(error) => return Outcome::Unreadable(Skipped { path: path.shown(), reason: error.to_string() }),
    };
    let file = |modified, size, hash| NewFile { path, size, modified, hash };
    let (bytes, modified) = match content {
        Content::AsKnown(Known { record, .. }) => {
            return Outcome::Unchanged(file(record.modified, record.size, record.hash));
        }
        Content::NoText => return Outcome::Binary,
        Content::Bytes(bytes, modified) => (bytes, modified),
    };
    let file = file(modified, bytes.len() as u64, xxh3_128(&bytes));
    if known.is_some_and(|known| known.record.hash == file.hash && known.record.size == file.size) {
        return Outcome::Unchanged(file);
    }
    let Ok(text) = String::from_utf8(bytes) else { return Outcome::Binary };
    let chunks = chunk::chunks(&text);
    let replaced = known.map(|known| known.number);
    Outcome::Text(Arc::new(Document { file, replaced, number: OnceLock::new(), text, chunks }))
}

/// Opens a regular file. A pipe in its place would wait for a writer.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok((file, metadata))
}

enum Content {
    AsKnown(Known),
    NoText,
    Bytes(Vec<u8>, Modified),
}

fn content(path: &ShownPath, known: Option<Known>, most: u64) -> io::Result<Content> {
    let (mut file, before) = open(&path.path)?;
    let (now, length) = (SystemTime::now(), before.len());
    let modified = Modified::new(before.modified().ok(), now);
    if let Some(known) = known
        && modified.is_settled()
        && known.record.modified == modified
        && known.record.size == length
    {
        return Ok(Content::AsKnown(known));
    }
    if length > most {
        let message = format!("it has {length} bytes, and at most {most} are read (--max-file-mb)");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    let mut bytes = Vec::new();
    (&mut file).take(SNIFF.min(length)).read_to_end(&mut bytes)?;
    if bytes.contains(&0) {
        return Ok(Content::NoText);
    }
    // A file that becomes shorter meanwhile ends earlier, and one that becomes longer is read as far as it was.
    let rest = length.saturating_sub(bytes.len() as u64);
    bytes.try_reserve_exact(usize::try_from(rest).unwrap_or(usize::MAX)).map_err(io::Error::other)?;
    (&mut file).take(rest).read_to_end(&mut bytes)?;
    let same = |after: Metadata| after.len() == length && after.modified().ok() == before.modified().ok();
    let settled = bytes.len() as u64 == length && same(file.metadata()?);
    // One that changed while it was read is read again by the next run.
    let modified = if settled { modified } else { Modified::new(None, now) };
    Ok(Content::Bytes(bytes, modified))
}
