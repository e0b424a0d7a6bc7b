//! The file `current`, which says what the index consists of.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::model::Identity;

const FORMAT: &str = "filch-embed index";
const VERSION: u32 = 1;
const FILE: &str = "current";
const NEXT: &str = "current.next";

/// One of the other files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the folder.
    pub file: String,
    /// How many records it has, or bytes of paths.
    pub records: u64,
    /// The hash of its content; empty for the vectors, which may be larger than memory.
    pub hash: String,
}

/// What the index consists of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    format: String,
    version: u32,
    /// Counts the changes of the index.
    pub generation: u64,
    /// What made the vectors.
    pub model: Identity,
    /// The vectors.
    pub vectors: Part,
    /// The chunks.
    pub chunks: Part,
    /// The files.
    pub files: Part,
    /// Their paths.
    pub paths: Part,
}

impl Manifest {
    /// Makes the manifest of a new generation.
    pub fn new(generation: u64, model: Identity, [vectors, chunks, files, paths]: [Part; 4]) -> Manifest {
        let format = FORMAT.to_owned();
        Manifest { format, version: VERSION, generation, model, vectors, chunks, files, paths }
    }

    /// Reads the manifest in `folder`. `None` if there is none.
    pub fn read(folder: &Path) -> Result<Option<Manifest>, Failure> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file("read", &path, &error)),
        };
        // The version first: the rest of another version may look different.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let again = "choose another folder, or remove this one and run `embed index` again";
        let unfit = |error| {
            Failure::Unfit(format!("{} is not an index's, or is damaged ({error}): {again}", path.display()))
        };
        let head: Head = serde_json::from_str(&text).map_err(unfit)?;
        if head.format != FORMAT {
            return Err(Failure::Unfit(format!("{} is not an index's: choose another folder", path.display())));
        }
        if head.version != VERSION {
            return Err(Failure::Unfit(format!(
                "{} is an index of version {}, and this program knows version {VERSION}: {again}",
                folder.display(),
                head.version
            )));
        }
        serde_json::from_str(&text).map(Some).map_err(unfit)
    }

    /// Puts this manifest in place of the one in `folder`: after this call the new one is there even if the machine
    /// loses power.
    pub fn put(&self, folder: &Path) -> io::Result<()> {
        let next = folder.join(NEXT);
        let mut file = File::create(&next)?;
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, folder.join(FILE))?;
        sync_folder(folder)
    }

    /// The files of this generation.
    pub fn parts(&self) -> [&Part; 4] {
        [&self.vectors, &self.chunks, &self.files, &self.paths]
    }
}

/// Makes the names in `folder` survive a loss of power, where a system needs to be asked for that.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Removes what a killed program has left in `folder`: files of other generations than the one of `keep`.
pub fn sweep(folder: &Path, keep: Option<&Manifest>) -> io::Result<()> {
    let mut result = Ok(());
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_part = ["vectors-", "chunks-", "files-", "paths-"]
            .iter()
            .any(|kind| name.strip_prefix(kind).is_some_and(|number| number.parse::<u64>().is_ok()));
        let is_kept = keep.is_some_and(|keep| keep.parts().iter().any(|part| part.file == name));
        if (is_part && !is_kept) || name == NEXT {
            // Another system may refuse while somebody reads it. The next change tries again.
            result = result.and(fs::remove_file(folder.join(name)));
        }
    }
    result
}

/// The path of a part.
pub fn path(folder: &Path, part: &Part) -> PathBuf {
    folder.join(&part.file)
}
