//! containers/storage, the image store of CRI-O and podman: what its configuration says, what lies in it, and how an additional store gets into it.

pub mod change;
pub mod conf;
pub mod edit;
mod mounts;
pub mod store;
