//! The whole job on one machine, on loopback, with images made here: to show that it works, and to test it.

pub mod layer;
pub mod sample;
