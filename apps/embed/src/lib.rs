//! Turns text into vectors on all cores, keeps them in an index, and finds text by meaning.
//!
//! The program `embed` is a thin layer over this library. The library exists so that the comparison with other
//! schedulers, and the tests, run the same code. From high to low:
//!
//! | module | what it does |
//! |---|---|
//! | [`watch`] | indexes again when files change |
//! | [`search`], [`lines`], [`update`] | answers a query; turns lines into vectors; brings an index up to date |
//! | [`pipeline`] | the stages from a path to a vector, on filch's queues |
//! | [`index`] | the files of an index: read, written beside and put in place |
//! | [`model`] | from a text to a vector |
//! | [`document`], [`walk`], [`chunk`] | from a folder to pieces of text |
//! | [`failure`], [`interrupt`], [`mapped`], [`progress`] | errors and exit codes, Ctrl-C, mapped files, the bar |

pub mod document;
pub mod failure;
pub mod index;
pub mod interrupt;
pub mod lines;
pub mod mapped;
pub mod model;
pub mod paths;
pub mod pipeline;
pub mod progress;
pub mod search;
pub mod update;
pub mod walk;
pub mod watch;

// The rules by which the example walks, cuts and hashes hold here, too. It has more uses for some of them.
#[path = "../../../examples/embed/chunk.rs"]
pub mod chunk;
#[path = "../../../examples/embed/features.rs"]
mod features;
#[path = "../../../examples/embed/murmur.rs"]
mod murmur;
#[allow(dead_code)]
#[path = "../../../examples/embed/roots.rs"]
mod roots;
#[allow(dead_code)]
#[path = "../../../examples/embed/walk.rs"]
mod tree_walk;
