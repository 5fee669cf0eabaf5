//! Bundles on a medium: assembling, reading, verifying, comparing.

pub mod diff;
pub mod graph;
pub mod hash_all;
pub mod inspect;
pub mod listing;
pub mod read;
pub mod readback;
pub mod sums;
pub mod workdir;
