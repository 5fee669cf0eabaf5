//! The runtimes of this node as they answer over their unix sockets: containerd's own services, and the CRI of any of them.

pub mod containerd;
pub mod cri;
pub mod durable;
pub mod error;
mod grpc;
mod proto;
