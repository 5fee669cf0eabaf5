//! The workstation in a real pseudo-terminal, as an operator has it: keys in, a screen out, everything given back.

#[cfg(test)]
mod access;
#[cfg(test)]
mod beside;
#[cfg(test)]
#[expect(dead_code, reason = "the bench of the workstation uses the rest of it")]
mod console;
#[cfg(test)]
mod import;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod line;
#[cfg(test)]
mod long_names;
#[cfg(test)]
#[path = "../faults/machine.rs"]
#[expect(dead_code, reason = "journeys need its small file systems alone")]
mod machine;
#[cfg(test)]
mod medium;
#[cfg(test)]
mod plain;
#[cfg(test)]
#[path = "../rig/mod.rs"]
#[expect(dead_code, reason = "each crate of tests uses its part of the rig")]
mod rig;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod terminal;
