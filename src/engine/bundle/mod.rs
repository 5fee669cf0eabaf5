//! Bundles on a medium: assembling, reading, verifying, comparing.

pub mod assemble;
pub mod begun;
mod commit;
pub mod contents;
pub mod diff;
pub mod fetch;
pub mod foresee;
pub mod glance;
pub mod graph;
pub mod ground;
pub mod hash_all;
mod inside;
pub mod inspect;
pub mod listing;
mod nearby;
pub mod offer;
mod pool;
pub mod read;
pub mod readback;
pub mod repeat;
pub mod sources;
pub mod sums;
pub mod unfinished;
mod unpack;
pub mod verify;
pub mod workdir;

/// A document of ours could not be written as JSON: a defect, told as one.
pub(crate) fn write_json(error: serde_json::Error) -> super::error::Panicked {
    super::error::Panicked(format!("JSON cannot be written: {error}"))
}
