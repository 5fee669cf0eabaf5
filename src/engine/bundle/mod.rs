//! Bundles on a medium: assembling, reading, verifying, comparing.

pub mod read;
