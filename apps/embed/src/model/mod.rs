//! From a text to a vector of length one: by a model, or without one by hashing.
//!
//! A model is a folder with two files, as models of static embeddings are published: `model.safetensors` holds a matrix
//! with a row for each token, and `tokenizer.json` describes the tokenizer in the Hugging Face format. A text's vector is
//! the mean of its tokens' rows, brought to length one.

mod hashing;
mod matrix;
mod static_embedding;

use std::env;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::model::hashing::Hashing;
use crate::model::static_embedding::StaticEmbedding;

/// What tells vectors of one model from those of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The model's folder, or `None` for hashing. Bytes that are no UTF-8 are replaced.
    pub folder: Option<String>,
    /// A hash of the model's files.
    pub fingerprint: String,
    /// The length of a vector.
    pub dimensions: usize,
}

impl Identity {
    /// Whether vectors of the two may be compared. A model that has moved is the same model.
    pub fn fits(&self, other: &Identity) -> bool {
        self.fingerprint == other.fingerprint && self.dimensions == other.dimensions
    }

    /// The model in words.
    pub fn describe(&self) -> String {
        match &self.folder {
            Some(folder) => {
                format!("the model in {folder} ({} dimensions)", self.dimensions)
            }
            None => format!("hashing ({} dimensions)", self.dimensions),
        }
    }
}

enum Kind {
    // Boxed, because the other kind is small.
    Static(Box<StaticEmbedding>),
    Hashing(Hashing),
}

/// What turns texts into vectors. All threads share one.
pub struct Model {
    identity: Identity,
    kind: Kind,
}

/// The buffers of one thread.
#[derive(Default)]
pub struct Scratch {
    hashing: hashing::Scratch,
    row: Vec<f32>,
    tokens: u64,
}

impl Scratch {
    /// How many tokens were embedded with these buffers. Hashing has none.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }
}

impl Model {
    /// The model in `folder`. Without a folder, the one in [`cache_folder`], or hashing if there is none.
    pub fn find(folder: Option<&Path>) -> Result<Model, Failure> {
        match (folder, cache_folder()) {
            (Some(folder), _) => Model::load(folder),
            (None, Some(folder)) if folder.is_dir() => Model::load(&folder),
            (None, _) => Ok(Model::hashing()),
        }
    }

    /// The model that made the vectors of an index: the one in `folder` if given, or where it was, or in the cache.
    pub fn of_index(identity: &Identity, folder: Option<&Path>) -> Result<Model, Failure> {
        let Some(was_in) = &identity.folder else {
            let hashing = Model::hashing();
            let why = match folder {
                None if hashing.identity.fits(identity) => return Ok(hashing),
                None => "the index was made by another version of hashing: choose another folder, or remove it",
                Some(_) => {
                    "the index was made by hashing, without a model: leave out --model, or choose another folder for an \
                     index with a model"
                }
            };
            return Err(Failure::Unfit(why.to_owned()));
        };
        let candidates = match folder {
            Some(folder) => vec![folder.to_owned()],
            None => [Some(PathBuf::from(was_in)), cache_folder()].into_iter().flatten().collect(),
        };
        let mut last = None;
        for folder in candidates {
            match Model::load(&folder) {
                Ok(model) if model.identity.fits(identity) => return Ok(model),
                Ok(model) => {
                    let (found, wanted) = (model.identity.describe(), identity.describe());
                    last = Some(Failure::Unfit(format!(
                        "the index was made by {wanted}, and {found} is another: give its folder by --model, or choose another folder for a new index"
                    )));
                }
                Err(error) => last = last.or(Some(error)),
            }
        }
        Err(last.unwrap_or_else(|| Failure::Unfit("there is no model".to_owned())))
    }

    /// The model in `folder`.
    pub fn load(folder: &Path) -> Result<Model, Failure> {
        let (embedding, fingerprint) = StaticEmbedding::load(folder)?;
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let folder = folder.to_string_lossy().into_owned();
        let identity = Identity { folder: Some(folder), fingerprint, dimensions: embedding.dimensions() };
        Ok(Model { identity, kind: Kind::Static(Box::new(embedding)) })
    }

    /// No model: each word and each three letters of a word have a place in the vector by their hash.
    pub fn hashing() -> Model {
        let identity = Identity {
            folder: None,
            fingerprint: hashing::FINGERPRINT.to_owned(),
            dimensions: hashing::DIMENSIONS,
        };
        Model { identity, kind: Kind::Hashing(Hashing::default()) }
    }

    /// What tells this model from others.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The length of a vector.
    pub fn dimensions(&self) -> usize {
        self.identity.dimensions
    }

    /// What a user is to know first: which model there is, and how to get one.
    pub fn notice(&self) -> String {
        match &self.identity.folder {
            Some(_) => self.identity.describe(),
            None => "no model, so text is compared by hashing: words, not meaning; `get-model` fetches a model"
                .to_owned(),
        }
    }

    /// Writes the vector of `text` over `vector`, whose length is [`dimensions`](Model::dimensions). Returns whether
    /// the text has any token; if not, the vector is all zeros.
    pub fn embed(&self, text: &str, scratch: &mut Scratch, vector: &mut [f32]) -> Result<bool, Failure> {
        match &self.kind {
            Kind::Static(model) => {
                let tokens = model.embed(text, &mut scratch.row, vector)?;
                scratch.tokens += tokens as u64;
                Ok(tokens > 0)
            }
            Kind::Hashing(hashing) => Ok(hashing.embed(text, &mut scratch.hashing, vector)),
        }
    }

    /// Tokenises `text` and does nothing with it: the part of the work that no pipeline can save. Returns the number of
    /// tokens; zero for hashing.
    pub fn tokenise(&self, text: &str) -> Result<usize, Failure> {
        match &self.kind {
            Kind::Static(model) => model.tokenise(text),
            Kind::Hashing(_) => Ok(0),
        }
    }
}

/// Where `get-model` puts a model by default, if the system says where caches belong.
pub fn cache_folder() -> Option<PathBuf> {
    let from = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = match cfg!(windows) {
        true => from("LOCALAPPDATA"),
        false => from("XDG_CACHE_HOME").or_else(|| from("HOME").map(|home| home.join(".cache"))),
    };
    caches.map(|caches| caches.join("filch-embed").join("model"))
}
