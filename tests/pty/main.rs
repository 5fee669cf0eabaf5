//! The workstation in a real pseudo-terminal, as an operator has it: keys in, a screen out, everything given back.

#[cfg(test)]
mod console;
#[cfg(test)]
mod plain;
#[cfg(test)]
#[path = "../rig/mod.rs"]
#[expect(dead_code, reason = "each crate of tests uses its part of the rig")]
mod rig;
#[cfg(test)]
mod terminal;
