//! What the operator sets: where things lie, how they look and which keys they have.

pub mod file;
pub mod key;
pub mod keymap;
pub mod options;
pub mod paths;
pub mod surroundings;
pub mod theme;
pub mod themes;
