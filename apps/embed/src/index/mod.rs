//! An index: a folder that holds the vectors of texts, and where each text is.
//!
//! | file | holds |
//! |---|---|
//! | `current` | JSON: the names and lengths of the files below, and which model made the vectors |
//! | `vectors-N` | the vectors, one after the other, as 32-bit floats, least byte first |
//! | `chunks-G` | 40 bytes for each chunk: its file, its place there, and its vector's number ([`records`]) |
//! | `files-G` | 56 bytes for each file: size, time, hash, and where its path is |
//! | `paths-G` | the paths, one after the other |
//! | `lock` | a line that tells an index from other folders; who writes holds its lock |
//!
//! A change appends to `vectors-N`, behind what `current` counts, and writes new files of the generation G + 1. Last, it
//! puts a new `current` in place of the old one, which is one step for the system. So a program that is killed at any
//! moment leaves the index as it was, and a search that runs meanwhile finds one generation or the other. What a killed
//! program left is removed by the next change. When half of `vectors-N` is of no use any more, the next change writes
//! another file of vectors.

mod manifest;
pub mod reader;
pub mod records;
pub mod writer;
