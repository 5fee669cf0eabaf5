//! One command, one file: its arguments, the spec it builds from them, and how its report reads.

pub mod completions;
pub mod demo;
pub mod diff;
pub mod import;
pub mod inspect;
pub mod key;
pub mod man;
pub mod media;
pub mod pack;
pub mod resolve;
pub mod serve;
pub mod sign;
pub mod verify;
