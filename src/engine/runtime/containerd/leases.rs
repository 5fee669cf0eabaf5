//! Leases: what is written under one stays until it has a name, and goes with the lease where it never gets one.

use std::collections::HashMap;

use tonic::transport::Channel;

use super::{Containerd, Result};
use crate::engine::runtime::grpc::QUICK;
use crate::engine::runtime::proto::leases as wire;
use wire::leases_client::LeasesClient;

/// When containerd lets go of a lease by itself (containerd's `docs/garbage-collection.md`), in RFC 3339.
const EXPIRE: &str = "containerd.io/gc.expire";
/// What a run of ours works on; other clients' leases have no such label.
const OF: &str = "airlift/import";
/// The boot that a run of ours ran in.
const BOOT: &str = "airlift/boot";

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
    /// The kernel's id of the boot that it was made in.
    pub boot: String,
}

impl Containerd {
    fn leases(&self) -> LeasesClient<Channel> {
        LeasesClient::new(self.socket.channel())
    }

    /// Takes a lease and works under it from then on; containerd drops it at `until`, whatever becomes of this run.
    ///
    /// # Errors
    /// As it answers.
    pub async fn leased(&self, lease: &Lease, until: jiff::Timestamp) -> Result<Self> {
        let labels = [(EXPIRE, until.to_string()), (OF, lease.of.clone()), (BOOT, lease.boot.clone())];
        let labels: HashMap<_, _> = labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let request = self.request(wire::CreateRequest { id: lease.id.clone(), labels });
        let call = async { self.leases().create(request).await };
        self.socket.answer("make a lease", QUICK, call).await?;
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
            Some(Lease { of, boot: lease.labels.remove(BOOT).unwrap_or_default(), id: lease.id })
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
        self.socket.answer("keep what is there", QUICK, call).await?;
        Ok(())
    }

    /// Has containerd remove everything that nothing names any more, and waits for it.
    ///
    /// # Errors
    /// As it answers.
    pub async fn collect(&self) -> Result<()> {
        // There is no call for it but to end a lease.
        let id = format!("airlift-collect-{}", uuid::Uuid::now_v7());
        let request = self.request(wire::CreateRequest { id: id.clone(), labels: HashMap::new() });
        let call = async { self.leases().create(request).await };
        self.socket.answer("make a lease", QUICK, call).await?;
        self.release(&id, true).await
    }

    /// Ends a lease; with `sync`, containerd first removes everything that nothing names any more.
    ///
    /// # Errors
    /// As it answers; that there is no such lease is none.
    pub async fn release(&self, id: &str, sync: bool) -> Result<()> {
        let request = self.request(wire::DeleteRequest { id: id.to_owned(), sync });
        let call = async { self.leases().delete(request).await };
        match self.socket.answer("end a lease", QUICK * 5, call).await {
            Err(error) if !error.not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
