//! containers/storage, the image store of CRI-O and podman: what its configuration says and what lies in it; nothing here writes.

pub mod conf;
pub mod store;
