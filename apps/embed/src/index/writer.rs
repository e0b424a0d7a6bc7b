//! A change of an index: the next generation, written beside the one that is there.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::manifest::{self, Manifest, Part};
use super::reader::Index;
use super::records::{ChunkRecord, FileRecord, Modified};
use crate::failure::Failure;
use crate::model::Identity;
use crate::paths::ShownPath;

const BUFFER: usize = 1 << 20;

/// Held by who writes. Its content tells an index from other folders.
const LOCK: &str = "lock";
const LOCK_CONTENT: &[u8] = b"filch-embed index\n";

/// With this many vectors or fewer, those of no use are left where they are.
const FEW: u64 = 1024;

/// A file as the new generation has it.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Its path.
    pub path: ShownPath,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed.
    pub modified: Modified,
    /// The hash of its content.
    pub hash: u128,
}

/// Where a chunk is in its file.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The number of its first line, from 1.
    pub line: u32,
    /// The first byte in the file.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
    /// The hash of the text.
    pub hash: u64,
}

/// What a change has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes {
    /// Files whose chunks were embedded.
    pub embedded: u64,
    /// Files that the index has had before.
    pub kept: u64,
    /// Files that are no longer in the index.
    pub removed: u64,
    /// All files in the index.
    pub files: u64,
    /// All chunks in the index.
    pub chunks: u64,
}

/// A change under way. Dropped without [`commit`](Update::commit), it leaves the index as it was.
pub struct Update {
    folder: PathBuf,
    model: Identity,
    old: Option<Arc<Index>>,
    /// For each file of the old generation, what becomes of it.
    fates: Vec<Fate>,
    files: Vec<NewFile>,
    embedded: u64,
    /// Taken out at the end.
    vectors: Option<BufWriter<File>>,
    vectors_file: String,
    next_vector: u64,
    /// Whether the kept vectors are copied to a new file.
    copies: bool,
    chunks: Hashed,
    committed: bool,
    /// Dropped last: until then nobody else writes.
    _lock: File,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nobody has looked yet.
    Open,
    /// Its chunks stay; the number of the file in the new generation.
    Kept(u32),
    /// Its content has changed, and it has another number in the new generation.
    Replaced,
    Removed,
}

impl Update {
    /// Begins to change the index in `folder`, which is made if it is not there. Only one program may do so at a time.
    pub fn begin(folder: &Path, model: &Identity) -> Result<Update, Failure> {
        fs::create_dir_all(folder).map_err(|error| Failure::file("make the folder", folder, &error))?;
        check_folder(folder)?;
        let lock = lock(folder)?;
        let old = Index::open_if_there(folder)?.map(Arc::new);
        if let Some(old) = old.as_deref().map(Index::model).filter(|old| !old.fits(model)) {
            return Err(Failure::Unfit(format!(
                "the index in {} was made by {}, and vectors of {} do not compare with it: choose another folder, or remove it",
                folder.display(),
                old.describe(),
                model.describe()
            )));
        }
        let before = old.as_deref().map(Index::manifest);
        let generation = before.map_or(1, |before| before.generation + 1);
        let failed = |error| Failure::file("write the index in", folder, &error);
        // What cannot be removed is in nobody's way.
        let _ = manifest::sweep(folder, before);

        let used = old.as_deref().map_or(0, |old| old.chunks() as u64);
        let copies = before.is_none_or(|before| before.vectors.records > 2 * used + FEW);
        let (vectors_file, next_vector) = match before {
            Some(before) if !copies => (before.vectors.file.clone(), before.vectors.records),
            _ => (format!("vectors-{generation}"), 0),
        };
        let mut options = OpenOptions::new();
        let vectors = options.write(true).create(true).truncate(false).open(folder.join(&vectors_file));
        let mut vectors = vectors.map_err(failed)?;
        // A killed program may have left vectors behind those that count.
        let at = next_vector * model.dimensions as u64 * size_of::<f32>() as u64;
        vectors.set_len(at).and_then(|()| vectors.seek(SeekFrom::Start(at))).map_err(failed)?;
        let chunks = Hashed::create(folder, format!("chunks-{generation}")).map_err(failed)?;
        Ok(Update {
            folder: folder.to_owned(),
            model: model.clone(),
            fates: vec![Fate::Open; old.as_deref().map_or(0, Index::files)],
            old,
            files: Vec::new(),
            embedded: 0,
            vectors: Some(BufWriter::with_capacity(BUFFER, vectors)),
            vectors_file,
            next_vector,
            copies,
            chunks,
            committed: false,
            _lock: lock,
        })
    }

    /// The generation before, if there is one.
    pub fn old(&self) -> Option<&Arc<Index>> {
        self.old.as_ref()
    }

    /// The old generation's files by their paths.
    pub fn known(&self) -> HashMap<Box<[u8]>, u32> {
        let Some(old) = &self.old else { return HashMap::new() };
        let path = |number: usize| (old.path_bytes(&old.file(number)).into(), number as u32);
        (0..old.files()).map(path).collect()
    }

    /// Takes the chunks of the old generation's file `number` over.
    pub fn keep(&mut self, number: u32, file: NewFile) {
        self.fates[number as usize] = Fate::Kept(self.files.len() as u32);
        self.files.push(file);
    }

    /// Forgets the old generation's file `number`.
    pub fn remove(&mut self, number: u32) {
        self.fates[number as usize] = Fate::Removed;
    }

    /// Keeps those of the old generation's files, of which nobody has said anything, for which `stays` is true.
    pub fn settle_rest(&mut self, stays: impl Fn(&Path) -> bool) {
        let Some(old) = self.old.clone() else { return };
        for number in 0..old.files() {
            if self.fates[number] != Fate::Open {
                continue;
            }
            let record = old.file(number);
            let path = old.path(&record);
            if stays(&path.path) {
                let (size, modified, hash) = (record.size, record.modified, record.hash);
                self.keep(number as u32, NewFile { path, size, modified, hash });
            } else {
                self.remove(number as u32);
            }
        }
    }

    /// Adds a file whose chunks follow, and returns its number. `replaced` is its number in the old generation.
    pub fn add_file(&mut self, file: NewFile, replaced: Option<u32>) -> u32 {
        self.embedded += 1;
        if let Some(number) = replaced {
            self.fates[number as usize] = Fate::Replaced;
        }
        self.files.push(file);
        (self.files.len() - 1) as u32
    }

    /// Adds chunks of a file, with their vectors one after the other.
    pub fn add_chunks(&mut self, file: u32, places: &[Place], vectors: &[f32]) -> Result<(), Failure> {
        self.write_chunks(file, places, vectors)
            .map_err(|error| Failure::file("write the index in", &self.folder, &error))
    }

    fn write_chunks(&mut self, file: u32, places: &[Place], vectors: &[f32]) -> io::Result<()> {
        assert_eq!(places.len() * self.model.dimensions, vectors.len(), "a vector for each chunk");
        self.write_vectors(vectors)?;
        for &Place { line, start, end, hash } in places {
            let vector = self.next_vector;
            self.next_vector += 1;
            self.chunks.write(&ChunkRecord { file, line, start, end, hash, vector }.bytes())?;
        }
        Ok(())
    }

    /// Puts the new generation in the place of the old one. Files of which nobody has said anything are forgotten.
    pub fn commit(mut self) -> Result<Changes, Failure> {
        let folder = self.folder.clone();
        let result = self.write_rest();
        let changes = result.map_err(|error| Failure::file("write the index in", &folder, &error))?;
        self.committed = true;
        Ok(changes)
    }

    fn write_rest(&mut self) -> io::Result<Changes> {
        self.copy_kept()?;
        if let Some(vectors) = &mut self.vectors {
            vectors.flush()?;
            vectors.get_ref().sync_all()?;
        }
        let generation = self.old.as_deref().map_or(1, |old| old.manifest().generation + 1);
        let mut paths = Hashed::create(&self.folder, format!("paths-{generation}"))?;
        let mut files = Hashed::create(&self.folder, format!("files-{generation}"))?;
        for file in &self.files {
            let path = file.path.path.as_os_str().as_encoded_bytes();
            let record = FileRecord {
                path_start: paths.bytes,
                path_length: path.len() as u32,
                hidden: file.path.hidden as u32,
                size: file.size,
                modified: file.modified,
                hash: file.hash,
            };
            paths.write(path)?;
            files.write(&record.bytes())?;
        }
        let vectors = Part { file: self.vectors_file.clone(), records: self.next_vector, hash: String::new() };
        let chunks = self.chunks.finish(ChunkRecord::BYTES)?;
        let (files, paths) = (files.finish(FileRecord::BYTES)?, paths.finish(1)?);
        let count = |is: fn(&Fate) -> bool| self.fates.iter().filter(|fate| is(fate)).count() as u64;
        let changes = Changes {
            embedded: self.embedded,
            kept: count(|fate| matches!(fate, Fate::Kept(_))),
            // A file of which nobody has said anything is forgotten.
            removed: count(|fate| matches!(fate, Fate::Removed | Fate::Open)),
            files: files.records,
            chunks: chunks.records,
        };
        // The names first, and then the file that makes them count.
        manifest::sync_folder(&self.folder)?;
        let manifest = Manifest::new(generation, self.model.clone(), [vectors, chunks, files, paths]);
        manifest.put(&self.folder)?;
        // What cannot be removed now is removed by the next change.
        let _ = manifest::sweep(&self.folder, Some(&manifest));
        Ok(changes)
    }

    fn write_vectors(&mut self, vectors: &[f32]) -> io::Result<()> {
        let to = self.vectors.as_mut().expect("taken out at the end");
        to.write_all(bytemuck::cast_slice(vectors))
    }

    /// Writes the records of kept chunks, and their vectors if those move to a new file.
    fn copy_kept(&mut self) -> io::Result<()> {
        let Some(old) = self.old.clone() else { return Ok(()) };
        for number in 0..old.chunks() {
            let mut chunk = old.chunk(number);
            let Fate::Kept(file) = self.fates[chunk.file as usize] else { continue };
            chunk.file = file;
            if self.copies {
                self.write_vectors(old.vector(chunk.vector))?;
                chunk.vector = self.next_vector;
                self.next_vector += 1;
            }
            self.chunks.write(&chunk.bytes())?;
        }
        Ok(())
    }
}

impl Drop for Update {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        // Without what is in the buffer: nobody is to write to the file after the lock is gone.
        let vectors = self.vectors.take().map(|vectors| vectors.into_parts().0);
        // By what counts now: if the commit has failed after the new generation was in place, that one stays. What
        // fails here is done by the next change.
        let Ok(counts) = Manifest::read(&self.folder) else { return };
        let _ = manifest::sweep(&self.folder, counts.as_ref());
        if let Some(counts) = counts.filter(|counts| counts.vectors.file == self.vectors_file)
            && let Some(vectors) = vectors
        {
            let bytes = counts.vectors.records * self.model.dimensions as u64 * size_of::<f32>() as u64;
            let _ = vectors.set_len(bytes);
        }
    }
}

/// Refuses a folder that has files and was never an index: a change removes what it takes for leftovers.
fn check_folder(folder: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("read the folder", folder, &error);
    let is_lock = fs::read(folder.join(LOCK)).is_ok_and(|content| content == LOCK_CONTENT);
    if is_lock || fs::read_dir(folder).map_err(failed)?.next().is_none() {
        return Ok(());
    }
    Err(Failure::Unfit(format!(
        "{} has files, and is no index of this program: choose another folder, or an empty one",
        folder.display()
    )))
}

/// Locks the index in `folder` for this program, until the returned file is closed.
fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.join(LOCK);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|error| Failure::file("write", &path, &error))?;
    match file.try_lock() {
        Ok(()) => {
            let written = (&file).write_all(LOCK_CONTENT);
            written.map(|()| file).map_err(|error| Failure::file("write", &path, &error))
        }
        Err(TryLockError::WouldBlock) => Err(Failure::Busy(format!(
            "another program writes the index in {}: wait for its end",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(Failure::file("lock", &path, &error)),
    }
}

/// A file under way, whose content is hashed as it is written.
struct Hashed {
    name: String,
    file: BufWriter<File>,
    hash: Xxh3,
    bytes: u64,
}

impl Hashed {
    fn create(folder: &Path, name: String) -> io::Result<Hashed> {
        let file = BufWriter::with_capacity(BUFFER, File::create(folder.join(&name))?);
        Ok(Hashed { name, file, hash: Xxh3::new(), bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Brings the content to the disk.
    fn finish(&mut self, record: usize) -> io::Result<Part> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let hash = format!("{:032x}", self.hash.digest128());
        Ok(Part { file: self.name.clone(), records: self.bytes / record as u64, hash })
    }
}
