//! Hostile input and failing machines: what must end in its exit code with nothing lost and nothing left behind.

#[cfg(test)]
#[path = "../rig/mod.rs"]
#[expect(dead_code, reason = "each test crate uses its own part of the rig")]
mod rig;

#[cfg(test)]
mod away;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod full;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod import;
#[cfg(test)]
mod k3s;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod media;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod network;
#[cfg(test)]
mod pausing;
#[cfg(test)]
mod power;
#[cfg(test)]
mod readback;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod registry_trust;
#[cfg(test)]
mod registry_wire;
#[cfg(test)]
mod resolve;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod serial;
#[cfg(test)]
mod service;
#[cfg(test)]
mod store;
