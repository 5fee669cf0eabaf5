//! The only room with network, disk and cryptography: one verb, one file, one async function.

mod blocking;
pub mod bundle;
pub(crate) mod child;
pub mod ctx;
pub mod demo;
mod directory;
pub mod error;
pub mod files;
pub mod given;
pub mod hash;
pub mod host;
pub mod import;
pub mod jobs;
pub mod journal;
pub mod lockfile;
pub mod media;
pub mod meter;
pub mod pack;
pub mod registry;
pub mod resolve;
pub mod select;
pub mod serve;
pub mod sheet;
pub mod sign;
pub mod spec;
pub mod state;
pub mod store;
