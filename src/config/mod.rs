//! What the operator sets: where things lie and how they behave.

pub mod paths;
