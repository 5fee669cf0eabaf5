//! The program that writes into the store: skopeo as it is on the node, or podman; bounded in silence, ended with the job.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::error::{Meaning, StorageError};
use super::process::{Ended, Reading, Watched, last_words};
use super::staging::Staging;
use crate::domain::digest::Digest;
use crate::domain::platform::Platform;
use crate::engine::child;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::hash;

/// Where a policy is looked for.
const POLICIES: [&str; 2] = ["/etc/containers/policy.json", "/usr/share/containers/policy.json"];

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Writes any image that a store can hold.
    Skopeo,
    /// Where skopeo is missing; it gives no name with a digest.
    Podman,
}

/// The store that is written.
#[derive(Clone, Debug)]
pub(super) enum Address {
    /// As `storage.conf` of this host says.
    Default,
    /// The one in this directory.
    Directory(PathBuf),
}

/// One image on its way.
pub(super) struct Copy<'a> {
    /// The image, in errors.
    pub(super) image: &'a str,
    /// The id it gets: hex of its configuration's digest.
    pub(super) id: &'a str,
    /// The platform to take of an index.
    pub(super) platform: Option<&'a Platform>,
    /// Files that will be read, with their lengths.
    pub(super) files: &'a [(PathBuf, u64)],
}

/// A program, a store and the directory it works in.
#[derive(Clone)]
pub(super) struct Tool {
    pub(super) program: Program,
    pub(super) address: Address,
    /// As it is written on a command line.
    pub(super) target: String,
}

/// How containers-transports(5) writes an image that is meant by its id alone.
fn by_id(id: &str) -> String {
    format!("@{id}")
}

impl Program {
    /// The one that is there.
    ///
    /// # Errors
    /// [`StorageError::NoTool`].
    pub(super) async fn find(target: &str) -> Result<Self> {
        for program in [Self::Skopeo, Self::Podman] {
            if program.is_there().await {
                return Ok(program);
            }
        }
        Err(StorageError::NoTool { target: target.to_owned() }.into())
    }

    /// Whether it can be run here.
    pub(super) async fn is_there(self) -> bool {
        let mut command = child::program(self.name());
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success())
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Skopeo => "skopeo",
            Self::Podman => "podman",
        }
    }
}

impl Tool {
    /// Copies the staged image without a name, to be found by its id; bytes it reads are counted, at most those of the
    /// files.
    ///
    /// # Errors
    /// [`StorageError`], or that the job was asked to stop.
    pub(super) async fn bring(
        &self,
        ctx: &JobCtx,
        staging: &Staging,
        copy: &Copy<'_>,
        reading: Option<Reading<'_>>,
    ) -> Result<()> {
        let command = match self.program {
            Program::Skopeo => self.skopeo_copy(staging, copy, &by_id(copy.id)),
            Program::Podman => self.podman_pull(staging, copy),
        };
        let ended = self.watched(copy, reading).run(ctx, command).await?;
        if !ended.success {
            return Err(self.failed(copy.image, &ended).into());
        }
        if self.program == Program::Podman {
            // It names what it pulls out of a layout after the directory; other versions give it no name at all, and
            // then there is none to be taken away.
            let directory = format!("localhost{}:latest", staging.layout().display());
            self.podman(ctx, staging, copy, &["untag", copy.id, &directory]).await?;
        }
        Ok(())
    }

    /// Gives a name to the staged image, which is there; one that was another image's moves.
    ///
    /// # Errors
    /// As [`Tool::bring`].
    pub(super) async fn name(
        &self,
        ctx: &JobCtx,
        staging: &Staging,
        copy: &Copy<'_>,
        name: &str,
    ) -> Result<()> {
        let ended = match self.program {
            Program::Skopeo => {
                let command = self.skopeo_copy(staging, copy, name);
                self.watched(copy, None).run(ctx, command).await?
            }
            Program::Podman => self.tagged(ctx, staging, copy, name).await?,
        };
        if ended.success { Ok(()) } else { Err(self.failed(copy.image, &ended).into()) }
    }

    /// The digest of what the store answers for `repository@digest`, as its readers will ask; nothing where it has none.
    ///
    /// # Errors
    /// As [`Tool::copy`].
    pub(super) async fn answer(
        &self,
        ctx: &JobCtx,
        staging: &Staging,
        name: &str,
        digest: &Digest,
    ) -> Result<Option<Digest>> {
        let copy = Copy { image: name, id: "", platform: None, files: &[] };
        let mut command = self.program(staging);
        match self.program {
            Program::Skopeo => {
                command.args(["inspect", "--raw"]).arg(self.location(staging, name, true));
            }
            Program::Podman => {
                self.podman_store(&mut command, staging, true);
                command.args(["image", "exists", name]);
            }
        }
        let ended = self.watched(&copy, None).run(ctx, command).await?;
        Ok(match (ended.success, self.program) {
            (false, _) => None,
            (true, Program::Skopeo) => Some(hash::sha256(&ended.output)),
            (true, Program::Podman) => Some(digest.clone()),
        })
    }

    /// What podman lists of the store where it only reads it: each name, and whether that image is read-only for it.
    ///
    /// # Errors
    /// As [`Tool::bring`].
    pub(super) async fn listed(&self, ctx: &JobCtx, staging: &Staging) -> Result<HashMap<String, bool>> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            #[serde(default)]
            names: Option<Vec<String>>,
            #[serde(default)]
            read_only: bool,
        }
        let mut command = self.program(staging);
        self.podman_store(&mut command, staging, true);
        command.args(["images", "--all", "--format", "json"]);
        let copy = Copy { image: "the list of images", id: "", platform: None, files: &[] };
        let ended = self.watched(&copy, None).run(ctx, command).await?;
        let listed = serde_json::from_slice::<Vec<Listed>>(&ended.output);
        let Ok(listed) = listed else { return Err(self.failed(copy.image, &ended).into()) };
        let names = |one: Listed| one.names.into_iter().flatten().map(move |name| (name, one.read_only));
        Ok(listed.into_iter().flat_map(names).collect())
    }

    /// Takes an image out with all of its names, which are these, and the layers that no other image has. It stays with
    /// its names where a container of that store uses it.
    ///
    /// # Errors
    /// As [`Tool::bring`].
    pub(super) async fn delete(
        &self,
        ctx: &JobCtx,
        staging: &Staging,
        copy: &Copy<'_>,
        names: &[String],
    ) -> Result<()> {
        let ended = self.deleted(ctx, staging, copy, names).await?;
        if ended.success { Ok(()) } else { Err(self.failed(copy.image, &ended).into()) }
    }

    /// The same, with what the program says of it.
    ///
    /// # Errors
    /// That it cannot be run, or that the job was asked to stop.
    pub(super) async fn deleted(
        &self,
        ctx: &JobCtx,
        staging: &Staging,
        copy: &Copy<'_>,
        names: &[String],
    ) -> Result<Ended> {
        match self.program {
            Program::Skopeo => {
                let mut command = self.program(staging);
                command.arg("delete").arg(self.location(staging, &by_id(copy.id), false));
                self.watched(copy, None).run(ctx, command).await
            }
            Program::Podman => self.podman_delete(ctx, staging, copy, names).await,
        }
    }

    pub(super) fn watched<'a>(&'a self, copy: &'a Copy<'a>, reading: Option<Reading<'a>>) -> Watched<'a> {
        let program = self.program.name();
        Watched { program, target: &self.target, image: copy.image, files: copy.files, reading }
    }

    pub(super) fn program(&self, staging: &Staging) -> Command {
        let mut command = child::tied(self.program.name());
        // Of its own, so that what it starts ends with it.
        command.process_group(0).env("TMPDIR", staging.temp()).env("LC_ALL", "C.UTF-8");
        if matches!(self.address, Address::Directory(_)) {
            // What this host's own store is set to does not belong into this one.
            command.env("CONTAINERS_STORAGE_CONF", staging.conf());
        }
        command
    }

    /// containers-transports(5): `containers-storage:[DRIVER@ROOT+RUNROOT:OPTIONS]NAME`.
    fn location(&self, staging: &Staging, name: &str, read_only: bool) -> String {
        // Without this option the driver leaves a mount behind.
        const UNMOUNTED: &str = "overlay.skip_mount_home=true";
        let run = staging.run();
        match (&self.address, read_only) {
            (Address::Default, _) => format!("containers-storage:{name}"),
            (Address::Directory(store), false) => {
                format!(
                    "containers-storage:[overlay@{}+{}:{UNMOUNTED}]{name}",
                    store.display(),
                    run.display()
                )
            }
            (Address::Directory(store), true) => format!(
                "containers-storage:[overlay@{}+{}:{UNMOUNTED},overlay.imagestore={}]{name}",
                staging.view().display(),
                run.display(),
                store.display()
            ),
        }
    }

    fn skopeo_copy(&self, staging: &Staging, copy: &Copy<'_>, to: &str) -> Command {
        let mut command = self.program(staging);
        if !POLICIES.iter().any(|policy| Path::new(policy).is_file()) {
            // Without a policy nothing can be copied at all; the bundle's signature was verified.
            command.arg("--insecure-policy");
        }
        command.arg("--tmpdir").arg(staging.temp());
        if let Some(platform) = copy.platform {
            command.args(["--override-os", &platform.os, "--override-arch", &platform.architecture]);
            platform.variant.iter().for_each(|variant| {
                command.args(["--override-variant", variant]);
            });
        }
        command.args(["copy", "--quiet", "--preserve-digests"]);
        command.arg(format!("oci:{}", staging.layout().display()));
        command.arg(self.location(staging, to, false));
        command
    }

    fn failed(&self, image: &str, ended: &Ended) -> StorageError {
        StorageError::Failed {
            image: image.to_owned(),
            target: self.target.clone(),
            program: self.program.name(),
            meaning: Meaning::of(&ended.words),
            words: last_words(&ended.words),
        }
    }
}
