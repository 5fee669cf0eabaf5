//! What is generated from the `.proto` files beside this: messages and clients, named as in the services they are of.

#[expect(unreachable_pub, reason = "written by prost and tonic, not by hand")]
mod generated {
    tonic::include_proto!("runtimes");
}

pub(super) use generated::containerd::services::content::v1 as content;
pub(super) use generated::containerd::services::diff::v1 as diff;
pub(super) use generated::containerd::services::images::v1 as images;
pub(super) use generated::containerd::services::introspection::v1 as introspection;
pub(super) use generated::containerd::services::leases::v1 as leases;
pub(super) use generated::containerd::services::namespaces::v1 as namespaces;
pub(super) use generated::containerd::services::snapshots::v1 as snapshots;
pub(super) use generated::containerd::services::version::v1 as version;
pub(super) use generated::containerd::types;
pub(super) use generated::runtime::v1 as cri;
