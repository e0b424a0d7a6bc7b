//! Models of filch as its users see it, under schedules that shuttle draws. Their pools have 4 to 8 workers, which
//! are beyond loom's reach. `cargo test` here runs them all; see [`runner`].

#![cfg(shuttle)]

mod models;
mod runner;
mod schedule;

pub use runner::run;
