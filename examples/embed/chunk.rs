//! Cuts a text into chunks. A chunk is a run of whole lines: at most 40 lines and 2000 bytes, whichever comes first.
//! A chunk consists of lines rather than characters, so that an answer can be given as `path:line`. The limit in
//! bytes makes every chunk cost about the same, and keeps minified files from becoming one chunk. A longer line is
//! cut between characters. The chunks of a text put together are the text.

use std::ops::Range;

/// The most lines in a chunk.
const MAX_LINES: usize = 40;
/// The most bytes in a chunk.
const MAX_BYTES: usize = 2000;

/// Texts of this size and more are worked on in pieces of about this size. Otherwise one long file that is handed out
/// last would keep a single worker busy while the other workers have nothing left.
pub const SEGMENT_BYTES: usize = 256 * 1024;

/// A run of lines of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes of the document's text that it covers.
    pub bytes: Range<usize>,
    /// The number of its first line, from 1.
    pub line: usize,
}

/// Cuts `text` into chunks.
pub fn chunks(text: &str) -> Vec<Chunk> {
    let mut all = Vec::new();
    let (mut start, mut end, mut lines) = (0, 0, 0);
    let mut first_line = 1;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if lines == MAX_LINES || (lines > 0 && end - start + line.len() > MAX_BYTES) {
            all.push(Chunk { bytes: start..end, line: first_line });
            (start, lines) = (end, 0);
        }
        if lines == 0 {
            first_line = number;
        }
        end += line.len();
        lines += 1;
        // The text is longer than a chunk here only if a single line is too long.
        while end - start > MAX_BYTES {
            let cut = border_before(text, start + MAX_BYTES);
            all.push(Chunk { bytes: start..cut, line: first_line });
            start = cut;
        }
    }
    if end > start {
        all.push(Chunk { bytes: start..end, line: first_line });
    }
    all
}

/// Groups chunks into consecutive runs of about [`SEGMENT_BYTES`].
pub fn segments(chunks: &[Chunk]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (index, chunk) in chunks.iter().enumerate() {
        bytes += chunk.bytes.len();
        if bytes >= SEGMENT_BYTES {
            all.push(first..index + 1);
            (first, bytes) = (index + 1, 0);
        }
    }
    if first < chunks.len() {
        all.push(first..chunks.len());
    }
    all
}

/// Returns the last character border at or before `at`, as `str::floor_char_boundary` does. The oldest compiler
/// supported here does not have that function.
fn border_before(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<String> {
        vec![
            String::new(),
            "\n".into(),
            "no newline at the end".into(),
            "a\r\nb\r\n\r\n".into(),
            "line\n".repeat(1000),
            "x".repeat(3 * MAX_BYTES + 1),
            // Two bytes a character, and an odd byte in front, so no cut falls on a border.
            format!("x{}\nshort\n", "ß".repeat(MAX_BYTES)),
            (0..2500).map(|n| "ab".repeat(n % 131) + "\n").collect(),
        ]
    }

    #[test]
    fn chunks_cover_every_byte_once_and_in_order() {
        for text in texts() {
            let mut at = 0;
            for chunk in chunks(&text) {
                assert_eq!(chunk.bytes.start, at);
                assert!(!chunk.bytes.is_empty() && chunk.bytes.len() <= MAX_BYTES);
                let piece = &text[chunk.bytes.clone()];
                assert!(piece.lines().count() <= MAX_LINES);
                at = chunk.bytes.end;
            }
            assert_eq!(at, text.len());
        }
    }

    #[test]
    fn a_chunk_knows_its_first_line() {
        for text in texts() {
            for chunk in chunks(&text) {
                let before = text[..chunk.bytes.start].matches('\n').count();
                assert_eq!(chunk.line, before + 1);
            }
        }
    }

    #[test]
    fn segments_cover_every_chunk_once_and_are_of_even_size() {
        let text = texts().concat().repeat(3);
        let all = chunks(&text);
        let segments = segments(&all);
        assert!(segments.len() > 1);
        assert_eq!(segments[0].start, 0);
        assert_eq!(segments[segments.len() - 1].end, all.len());
        for pair in segments.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
            let bytes: usize = all[pair[0].clone()].iter().map(|c| c.bytes.len()).sum();
            assert!((SEGMENT_BYTES..SEGMENT_BYTES + MAX_BYTES).contains(&bytes));
        }
    }
}
