//! Leases: what is written under one stays until it has a name, and goes with the lease where it never gets one.

use std::collections::HashMap;

use tonic::transport::Channel;

use super::{Containerd, Result};
use crate::engine::runtime::grpc::QUICK;
use crate::engine::runtime::proto::leases as wire;
use wire::leases_client::LeasesClient;

/// What a run of ours works on; other clients' leases have no such label.
const OF: &str = "airlift/import";
/// The boot that a run of ours ran in.
const BOOT: &str = "airlift/boot";
/// The process that it was.
const PROCESS: &str = "airlift/process";

/// Something that a lease keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept<'a> {
    /// A blob, by digest.
    Content(&'a str),
    /// A snapshot: its snapshotter and its key.
    Snapshot(&'a str, &'a str),
}

/// A lease of a run of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its id.
    pub id: String,
    /// What the run works on.
    pub of: String,
    /// The kernel's id of the boot that it was made in; empty where that was not known.
    pub boot: String,
    /// The process that made it, as its maker writes it; empty where that was not known.
    pub process: String,
}

impl Containerd {
    fn leases(&self) -> LeasesClient<Channel> {
        LeasesClient::new(self.socket.channel())
    }

    /// Takes a lease and works under it from then on. It has no end of its own: whoever takes it ends it.
    ///
    /// # Errors
    /// As it answers.
    pub async fn leased(&self, lease: &Lease) -> Result<Self> {
        let labels = [(OF, &lease.of), (BOOT, &lease.boot), (PROCESS, &lease.process)];
        let known = labels.into_iter().filter(|(_, value)| !value.is_empty());
        let labels: HashMap<_, _> = known.map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let request = self.request(wire::CreateRequest { id: lease.id.clone(), labels });
        let call = async { self.leases().create(request).await };
        self.socket.done("hold what this run brings", call).await?;
        Ok(self.under(&lease.id))
    }

    /// The leases that runs of ours hold or left.
    ///
    /// # Errors
    /// As it answers.
    pub async fn our_leases(&self) -> Result<Vec<Lease>> {
        let request = self.request(wire::ListRequest::default());
        let call = async { self.leases().list(request).await };
        let answer = self.socket.answer("list its leases", QUICK, call).await?.into_inner();
        let ours = |mut lease: wire::Lease| {
            let of = lease.labels.remove(OF)?;
            let boot = lease.labels.remove(BOOT).unwrap_or_default();
            let process = lease.labels.remove(PROCESS).unwrap_or_default();
            Some(Lease { of, boot, process, id: lease.id })
        };
        Ok(answer.leases.into_iter().filter_map(ours).collect())
    }

    /// Has the lease worked under keep something that is there already.
    ///
    /// # Errors
    /// As it answers.
    pub async fn keep(&self, kept: Kept<'_>) -> Result<()> {
        let Some(lease) = self.lease.clone() else { return Ok(()) };
        let resource = match kept {
            Kept::Content(digest) => wire::Resource { id: digest.to_owned(), r#type: "content".to_owned() },
            Kept::Snapshot(snapshotter, key) => {
                wire::Resource { id: key.to_owned(), r#type: format!("snapshots/{snapshotter}") }
            }
        };
        let request = self.request(wire::AddResourceRequest { id: lease, resource: Some(resource) });
        let call = async { self.leases().add_resource(request).await };
        self.socket.done("keep what is there", call).await?;
        Ok(())
    }

    /// Ends a lease; with `sync`, containerd first removes everything that nothing names any more.
    ///
    /// # Errors
    /// As it answers; that there is no such lease is none.
    pub async fn release(&self, id: &str, sync: bool) -> Result<()> {
        let request = self.request(wire::DeleteRequest { id: id.to_owned(), sync });
        let call = async { self.leases().delete(request).await };
        match self.socket.done("let go of what this run held", call).await {
            Err(error) if !error.not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
