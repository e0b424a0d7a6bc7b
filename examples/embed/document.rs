//! Reads files and tells text from binary. A file is text if its first 8 KiB hold no NUL byte (git's and grep's rule
//! of thumb) and the whole file is UTF-8. Any other file counts as binary. Texts stay in memory between the two
//! passes, because a second read could find them changed. `--max-mb` bounds the memory.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::chunk::{self, Chunk, SEGMENT_BYTES};

/// The number of bytes at the start of a file that are searched for NUL bytes.
const SNIFF: u64 = 8 * 1024;

/// A file that the walk found. Cloning is cheap: the contenders of `--compare` share the paths.
#[derive(Clone)]
pub struct FileJob {
    /// Its place in the walk's order. All later results have this order.
    pub id: usize,
    /// The path of the file.
    pub path: Arc<Path>,
    /// Its length when the walk saw it; no more than that is read.
    pub len: u64,
}

/// A text file, cut into chunks.
pub struct Document {
    /// The path of the file.
    pub path: Arc<Path>,
    /// The whole text.
    pub text: String,
    /// Its chunks in order.
    pub chunks: Vec<Chunk>,
}

impl Document {
    /// Returns the text of `chunk`.
    pub fn chunk_text(&self, chunk: &Chunk) -> &str {
        &self.text[chunk.bytes.clone()]
    }

    /// Returns whether the document has several segments.
    pub fn is_long(&self) -> bool {
        self.text.len() >= SEGMENT_BYTES
    }

    /// Returns the whole document in segments.
    pub fn segments(self: &Arc<Self>) -> impl Iterator<Item = Segment> {
        let ranges = chunk::segments(&self.chunks).into_iter();
        ranges.map(|chunks| Segment { document: Arc::clone(self), chunks })
    }
}

/// Consecutive chunks of a document: the job of the second pass, one or more to a document.
#[derive(Clone)]
pub struct Segment {
    /// The document.
    pub document: Arc<Document>,
    /// The range of the document's chunks.
    pub chunks: Range<usize>,
}

impl Segment {
    /// Returns how many bytes of text the segment covers.
    pub fn bytes(&self) -> u64 {
        let chunks = &self.document.chunks[self.chunks.clone()];
        chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum()
    }

    /// Returns the texts of the segment's chunks.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let chunks = &self.document.chunks[self.chunks.clone()];
        chunks.iter().map(|chunk| self.document.chunk_text(chunk))
    }

    /// Returns one for the first segment of a document and zero for the others. The sum over segments is the number
    /// of documents.
    pub fn documents(&self) -> u64 {
        u64::from(self.chunks.start == 0)
    }
}

/// The result of reading a file.
pub enum Outcome {
    /// The file is text.
    Text(Arc<Document>),
    /// The file is no text.
    Binary,
    /// The file could not be read, with the reason.
    Unreadable(Skipped),
}

/// A path that could not be read.
#[derive(Debug)]
pub struct Skipped {
    /// The path, if the error named it.
    pub path: PathBuf,
    /// The system's message.
    pub reason: String,
}

/// Reads and cuts one file.
pub fn read(job: &FileJob) -> Outcome {
    match read_text(job) {
        Ok(Some(text)) => {
            let chunks = chunk::chunks(&text);
            let path = Arc::clone(&job.path);
            Outcome::Text(Arc::new(Document { path, text, chunks }))
        }
        Ok(None) => Outcome::Binary,
        Err(error) => Outcome::Unreadable(Skipped { path: job.path.to_path_buf(), reason: error.to_string() }),
    }
}

fn read_text(job: &FileJob) -> io::Result<Option<String>> {
    let mut file = File::open(&job.path)?;
    let mut bytes = Vec::new();
    (&mut file).take(SNIFF.min(job.len)).read_to_end(&mut bytes)?;
    if bytes.contains(&0) {
        return Ok(None);
    }
    let rest = job.len.saturating_sub(bytes.len() as u64);
    bytes.reserve_exact(usize::try_from(rest).unwrap_or(0));
    file.take(rest).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome_of(name: &str, content: &[u8]) -> Outcome {
        let path = std::env::temp_dir().join(format!("embed-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("the temporary folder is writable");
        let len = content.len() as u64;
        let outcome = read(&FileJob { id: 0, path: Arc::from(path.as_path()), len });
        std::fs::remove_file(&path).expect("just written");
        outcome
    }

    #[test]
    fn text_is_kept_whole() {
        let text = "grüße\n".repeat(5000);
        let Outcome::Text(document) = outcome_of("text", text.as_bytes()) else {
            panic!("text taken for something else");
        };
        assert_eq!(document.text, text);
    }

    #[test]
    fn nul_bytes_and_broken_utf8_are_binary() {
        assert!(matches!(outcome_of("nul", b"ab\0cd"), Outcome::Binary));
        assert!(matches!(outcome_of("latin1", b"gr\xfc\xdfe"), Outcome::Binary));
    }

    #[test]
    fn a_missing_file_is_unreadable() {
        let path = Arc::from(Path::new("no/such/file"));
        let job = FileJob { id: 0, path, len: 1 };
        assert!(matches!(read(&job), Outcome::Unreadable(_)));
    }
}
