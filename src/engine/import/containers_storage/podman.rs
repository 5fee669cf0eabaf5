//! What podman alone does, or does in its own way: it names by id, and takes an image with several names out by force only.

use tokio::process::Command;

use super::process::Ended;
use super::staging::Staging;
use super::tool::{Address, Copy, Tool};
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;

impl Tool {
    /// Gives a name to an image that is there by podman, with what that says of it.
    ///
    /// # Errors
    /// That it cannot be run, or that the job was asked to stop.
    pub(super) async fn tagged(
        &self,
        ctx: &JobCtx,
        staging: &Staging,
        copy: &Copy<'_>,
        name: &str,
    ) -> Result<Ended> {
        self.podman(ctx, staging, copy, &["tag", copy.id, name]).await
    }

    pub(super) async fn podman(
        &self,
        ctx: &JobCtx,
        staging: &Staging,
        copy: &Copy<'_>,
        words: &[&str],
    ) -> Result<Ended> {
        let mut command = self.program(staging);
        self.podman_store(&mut command, staging, false);
        command.args(words);
        self.watched(copy, None).run(ctx, command).await
    }

    /// By an id that has several names podman takes nothing out but by force, and that would end the containers that use
    /// the image: all names but one go first, and come back where it refuses.
    pub(super) async fn podman_delete(
        &self,
        ctx: &JobCtx,
        staging: &Staging,
        copy: &Copy<'_>,
        names: &[String],
    ) -> Result<Ended> {
        // It gives no name with a digest, so that such a one stays to the last.
        let last = names.iter().find(|name| name.contains('@')).or_else(|| names.first());
        let spare: Vec<&str> = names.iter().filter(|name| Some(*name) != last).map(String::as_str).collect();
        if !spare.is_empty() {
            let ended = self.podman(ctx, staging, copy, &[&["untag", copy.id], &spare[..]].concat()).await?;
            if !ended.success {
                return Ok(ended);
            }
        }
        let ended = self.podman(ctx, staging, copy, &["rmi", copy.id]).await?;
        if !ended.success && !spare.is_empty() {
            let again = self.podman(ctx, staging, copy, &[&["tag", copy.id], &spare[..]].concat()).await?;
            if !again.success {
                return Ok(again);
            }
        }
        Ok(ended)
    }

    pub(super) fn podman_store(&self, command: &mut Command, staging: &Staging, read_only: bool) {
        let Address::Directory(store) = &self.address else { return };
        let root = if read_only { staging.view() } else { store.clone() };
        command.arg("--root").arg(root).arg("--runroot").arg(staging.run());
        command.args(["--storage-driver", "overlay", "--storage-opt", "overlay.skip_mount_home=true"]);
        if read_only {
            command.arg("--storage-opt").arg(format!("overlay.imagestore={}", store.display()));
        }
    }

    pub(super) fn podman_pull(&self, staging: &Staging, copy: &Copy<'_>) -> Command {
        let mut command = self.program(staging);
        self.podman_store(&mut command, staging, false);
        command.args(["pull", "--quiet"]);
        if let Some(platform) = copy.platform {
            command.args(["--os", &platform.os, "--arch", &platform.architecture]);
            platform.variant.iter().for_each(|variant| {
                command.args(["--variant", variant]);
            });
        }
        command.arg(format!("oci:{}", staging.layout().display()));
        command
    }
}
