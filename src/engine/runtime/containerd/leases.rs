//! Leases: what is written under one stays until it has a name, and goes with the lease where it never gets one.

use std::collections::HashMap;

use super::{Containerd, Result};
use crate::engine::runtime::grpc::QUICK;
use crate::engine::runtime::proto::leases as wire;
use tonic::transport::Channel;
use wire::leases_client::LeasesClient;

/// When containerd lets go of a lease by itself (containerd's `docs/garbage-collection.md`), in RFC 3339.
const EXPIRE: &str = "containerd.io/gc.expire";
/// Which runs of ours are for the same thing.
const OF: &str = "airlift/import";

/// Something that a lease keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept<'a> {
    /// A blob, by digest.
    Content(&'a str),
    /// A snapshot: its snapshotter and its key.
    Snapshot(&'a str, &'a str),
}

impl Containerd {
    fn leases(&self) -> LeasesClient<Channel> {
        LeasesClient::new(self.socket.channel())
    }

    /// Takes a lease and works under it from then on; containerd drops it at `until`, whatever becomes of this run.
    ///
    /// # Errors
    /// As it answers.
    pub async fn leased(&self, id: &str, of: &str, until: jiff::Timestamp) -> Result<Self> {
        let labels: HashMap<_, _> = [(EXPIRE, until.to_string()), (OF, of.to_owned())]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let request = self.request(wire::CreateRequest { id: id.to_owned(), labels });
        let call = async { self.leases().create(request).await };
        self.socket.answer("make a lease", QUICK, call).await?;
        Ok(self.under(id))
    }

    /// The leases that runs of ours for the same thing left.
    ///
    /// # Errors
    /// As it answers.
    pub async fn leases_of(&self, of: &str) -> Result<Vec<String>> {
        let request = self.request(wire::ListRequest::default());
        let call = async { self.leases().list(request).await };
        let answer = self.socket.answer("list its leases", QUICK, call).await?.into_inner();
        let ours = |lease: &wire::Lease| lease.labels.get(OF).is_some_and(|label| label == of);
        Ok(answer.leases.into_iter().filter(ours).map(|lease| lease.id).collect())
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

    /// The lease worked under.
    pub fn lease(&self) -> Option<&str> {
        self.lease.as_deref()
    }
}
