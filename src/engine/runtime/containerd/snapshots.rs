//! Unpacked layers: made from a parent, filled by containerd from a layer of its content store, committed by chain id.

use tonic::transport::Channel;

use super::{Blob, Containerd, Labels, Result};
use crate::engine::runtime::error::RuntimeError;
use crate::engine::runtime::grpc::QUICK;
use crate::engine::runtime::proto::{diff, snapshots as wire, types};
use diff::diff_client::DiffClient;
use wire::snapshots_client::SnapshotsClient;

/// Where a snapshot that is not committed can be written to.
#[derive(Clone, Debug)]
pub struct Mounts(Vec<types::Mount>);

impl Containerd {
    fn snapshot_client(&self) -> SnapshotsClient<Channel> {
        SnapshotsClient::new(self.socket.channel())
    }

    /// Whether there is a snapshot of that name.
    ///
    /// # Errors
    /// As it answers.
    pub async fn has_snapshot(&self, snapshotter: &str, key: &str) -> Result<bool> {
        let request = self
            .request(wire::StatSnapshotRequest { snapshotter: snapshotter.to_owned(), key: key.to_owned() });
        let call = async { self.snapshot_client().stat(request).await };
        match self
            .socket
            .answer(&format!("say whether the layers up to {key} are unpacked"), QUICK, call)
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a snapshot that can be written to; the parent is empty for the first layer.
    ///
    /// # Errors
    /// As it answers; `is_there_already` where the snapshotter has what is to become of it already.
    pub async fn prepare(
        &self,
        snapshotter: &str,
        key: &str,
        parent: &str,
        labels: Labels,
    ) -> Result<Mounts> {
        let request = self.request(wire::PrepareSnapshotRequest {
            snapshotter: snapshotter.to_owned(),
            key: key.to_owned(),
            parent: parent.to_owned(),
            labels: labels.into_iter().collect(),
        });
        let call = async { self.snapshot_client().prepare(request).await };
        let answer = self.socket.done("make a place for layers to be unpacked", call).await?;
        Ok(Mounts(answer.into_inner().mounts))
    }

    /// Unpacks a layer; returns the digest of its tar file, as containerd computed it.
    ///
    /// # Errors
    /// As it answers.
    pub async fn unpack(&self, layer: &Blob, mounts: &Mounts) -> Result<String> {
        let request =
            self.request(diff::ApplyRequest { diff: Some(layer.to_wire()), mounts: mounts.0.clone() });
        let mut client = DiffClient::new(self.socket.channel());
        let asked = format!("unpack {}", layer.digest);
        let answer = self.socket.done(&asked, client.apply(request)).await?.into_inner();
        Ok(answer.applied.map(|applied| applied.digest).unwrap_or_default())
    }

    /// Bytes and files that a snapshot holds on disk; of one that is being filled, so far.
    ///
    /// # Errors
    /// As it answers; files may go while it counts them.
    pub async fn usage(&self, snapshotter: &str, key: &str) -> Result<(i64, i64)> {
        let request =
            self.request(wire::UsageRequest { snapshotter: snapshotter.to_owned(), key: key.to_owned() });
        let call = async { self.snapshot_client().usage(request).await };
        let answer = self.socket.done(&format!("tell how large snapshot {key} is"), call).await?.into_inner();
        Ok((answer.size, answer.inodes))
    }

    /// Commits a snapshot under its name; that one of that name is there meanwhile is told, and is no failure.
    ///
    /// # Errors
    /// As it answers.
    pub async fn commit_snapshot(
        &self,
        snapshotter: &str,
        key: &str,
        name: &str,
        labels: Labels,
    ) -> Result<()> {
        let request = self.request(wire::CommitSnapshotRequest {
            snapshotter: snapshotter.to_owned(),
            name: name.to_owned(),
            key: key.to_owned(),
            labels: labels.into_iter().collect(),
        });
        let call = async { self.snapshot_client().commit(request).await };
        self.socket.done(&format!("commit snapshot {name}"), call).await?;
        Ok(())
    }

    /// Removes a snapshot; that there is none is no failure.
    ///
    /// # Errors
    /// As it answers.
    pub async fn remove_snapshot(&self, snapshotter: &str, key: &str) -> Result<()> {
        let request = self.request(wire::RemoveSnapshotRequest {
            snapshotter: snapshotter.to_owned(),
            key: key.to_owned(),
        });
        let call = async { self.snapshot_client().remove(request).await };
        match self.socket.done(&format!("remove snapshot {key}"), call).await {
            Err(RuntimeError::Refused { code: tonic::Code::NotFound, .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
