//! An index as a reader sees it: one generation, mapped.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

use super::manifest::{self, Manifest, Part};
use super::records::{ChunkRecord, FileRecord};
use crate::failure::Failure;
use crate::mapped::Mapped;
use crate::model::Identity;
use crate::paths::{ShownPath, to_path};

/// How often a reader tries again that lost its generation to a writer.
const TRIES: usize = 10;

/// One generation of an index.
#[derive(Debug)]
pub struct Index {
    manifest: Manifest,
    vectors: Mapped,
    chunks: Mapped,
    files: Mapped,
    paths: Mapped,
}

impl Index {
    /// Opens the index in `folder`.
    pub fn open(folder: &Path) -> Result<Index, Failure> {
        Index::open_if_there(folder)?.ok_or_else(|| {
            Failure::Unfit(format!(
                "there is no index in {0}: `embed index PATH... --index {0}` makes one",
                folder.display()
            ))
        })
    }

    /// Opens the index in `folder`. `None` if there is none.
    pub fn open_if_there(folder: &Path) -> Result<Option<Index>, Failure> {
        let Some(mut manifest) = Manifest::read(folder)? else { return Ok(None) };
        for _ in 0..TRIES {
            let failure = match Index::of(folder, manifest.clone()) {
                Ok(index) => return Ok(Some(index)),
                Err(failure) => failure,
            };
            // A writer removes the files of a generation once the next one is in place.
            match Manifest::read(folder)? {
                Some(now) if now.generation != manifest.generation => manifest = now,
                _ => return Err(failure),
            }
        }
        Err(Failure::Other(format!("the index in {} changes all the time: try again", folder.display())))
    }

    fn of(folder: &Path, manifest: Manifest) -> Result<Index, Failure> {
        let open = |part: &Part, bytes: usize| {
            let damaged = |why: String| {
                Failure::Unfit(format!("the index is damaged: {why}; remove it and run `embed index` again"))
            };
            let path = manifest::path(folder, part);
            let length = part.records.checked_mul(bytes as u64);
            let length = length.ok_or_else(|| damaged(format!("{} records", part.records)))?;
            let mapped = Mapped::open(&path, Some(length)).map_err(|error| match error {
                Failure::Unfit(_) => damaged(error.to_string()),
                _ if !path.exists() => damaged(format!("{} is missing", path.display())),
                other => other,
            })?;
            if !part.hash.is_empty() && part.hash != hash(&mapped) {
                return Err(damaged(format!("{} has other content than was written", path.display())));
            }
            Ok(mapped)
        };
        let vectors = open(&manifest.vectors, manifest.model.dimensions * size_of::<f32>())?;
        let chunks = open(&manifest.chunks, ChunkRecord::BYTES)?;
        let files = open(&manifest.files, FileRecord::BYTES)?;
        let paths = open(&manifest.paths, 1)?;
        Ok(Index { manifest, vectors, chunks, files, paths })
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What made the vectors.
    pub fn model(&self) -> &Identity {
        &self.manifest.model
    }

    /// The number of chunks.
    pub fn chunks(&self) -> usize {
        self.chunks.len() / ChunkRecord::BYTES
    }

    /// The number of files.
    pub fn files(&self) -> usize {
        self.files.len() / FileRecord::BYTES
    }

    /// A chunk.
    pub fn chunk(&self, number: usize) -> ChunkRecord {
        ChunkRecord::read(&self.chunks[number * ChunkRecord::BYTES..][..ChunkRecord::BYTES])
    }

    /// A file.
    pub fn file(&self, number: usize) -> FileRecord {
        FileRecord::read(&self.files[number * FileRecord::BYTES..][..FileRecord::BYTES])
    }

    /// A file's path, as bytes.
    pub fn path_bytes(&self, file: &FileRecord) -> &[u8] {
        &self.paths[file.path_start as usize..][..file.path_length as usize]
    }

    /// A file's path. A path of another system, which this one cannot have, is shown with replacements.
    pub fn path(&self, file: &FileRecord) -> ShownPath {
        let bytes = self.path_bytes(file);
        let path = to_path(bytes);
        let path = path.unwrap_or_else(|| PathBuf::from(String::from_utf8_lossy(bytes).into_owned()));
        ShownPath { path, hidden: file.hidden as usize }
    }

    /// A vector.
    pub fn vector(&self, number: u64) -> &[f32] {
        let dimensions = self.manifest.model.dimensions;
        // The file is mapped at the begin of a page, so floats are aligned.
        let all: &[f32] = bytemuck::cast_slice(&self.vectors);
        &all[number as usize * dimensions..][..dimensions]
    }
}

/// The hash of a part's content.
fn hash(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}
