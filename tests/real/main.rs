//! Tests against real components: registries, image tools, OpenSSH. Each says so when its component is missing.

#[cfg(test)]
#[path = "../rig/mod.rs"]
#[expect(dead_code, reason = "each crate of tests uses its own part of the rig")]
mod rig;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod corpus_import;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod distribution;
#[cfg(test)]
mod fat;
#[cfg(test)]
mod import;
#[cfg(test)]
mod import_containerd;
#[cfg(test)]
mod import_containerd_claim;
#[cfg(test)]
mod import_containerd_cut;
#[cfg(test)]
mod import_containerd_gone;
#[cfg(test)]
mod import_containerd_hard;
#[cfg(test)]
mod import_containerd_live;
#[cfg(test)]
mod import_containerd_undo;
#[cfg(test)]
mod import_denied;
#[cfg(test)]
mod import_k3s;
#[cfg(test)]
mod import_k3s_damaged;
#[cfg(test)]
mod import_k3s_live;
#[cfg(test)]
mod import_packed;
#[cfg(test)]
mod import_parts;
#[cfg(test)]
mod import_stopped;
#[cfg(test)]
mod import_storage;
#[cfg(test)]
mod import_storage_cut;
#[cfg(test)]
mod import_storage_node;
#[cfg(test)]
mod import_storage_undo;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod openssh;
#[cfg(test)]
mod pack;
#[cfg(test)]
mod pack_cut;
#[cfg(test)]
mod prompt;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod registry_access;
#[cfg(test)]
mod registry_client;
#[cfg(test)]
mod resolve;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod serve_bundle;
#[cfg(test)]
mod service;
#[cfg(test)]
mod udisks;
#[cfg(test)]
mod verify_deep;
#[cfg(test)]
mod verify_matrix;
#[cfg(test)]
mod verify_trust;
