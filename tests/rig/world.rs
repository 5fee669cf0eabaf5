//! A host to pack on: a real registry with sample images in it, a signing key that is trusted, a medium, and the program run there.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlift::domain::digest::Digest;
use airlift::domain::manifest;
use airlift::domain::reference::{Reference, Repository};
use airlift::engine::demo::sample::SampleLayout;
use airlift::engine::registry::{FileSource, Registry, RegistryOptions};
use serde_json::Value;

use super::TempRoot;
use super::registry::{DockerRegistry, Options};

/// The host; everything of it is gone when it is dropped.
pub(crate) struct World {
    /// Where it lives; `home` is the operator's.
    pub(crate) root: TempRoot,
    /// Where images come from.
    pub(crate) registry: DockerRegistry,
}

impl World {
    /// With a plain registry; `None` after a said skip when `docker-registry` is missing.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&Options::default())
    }

    /// With a registry set up by `options`; `None` after a said skip when `docker-registry` is missing.
    pub(crate) fn with(options: &Options) -> Option<Self> {
        let world = Self { registry: DockerRegistry::with(options)?, root: TempRoot::new() };
        std::fs::create_dir(world.medium()).unwrap();
        world.key("signing");
        world.trust("signing", &[]);
        let home = world.root.join("home/.local/share/airlift");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::copy(world.root.join("signing"), home.join("signing_key")).unwrap();
        Some(world)
    }

    /// The medium, a directory.
    pub(crate) fn medium(&self) -> PathBuf {
        self.root.join("medium")
    }

    /// The operator's trust file.
    pub(crate) fn trust_file(&self) -> PathBuf {
        self.root.join("home/.config/airlift/allowed_signers")
    }

    /// Makes a key without passphrase, `NAME` and `NAME.pub`; its path.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        let path = self.root.join(name);
        let path_text = path.to_str().unwrap();
        self.run(["key", "generate", "--no-passphrase", "--comment", name, "--key", path_text]).code(0);
        path
    }

    /// Trusts a key made by [`World::key`], with more flags of `key trust`.
    pub(crate) fn trust(&self, name: &str, more: &[&str]) {
        let public = format!("{}.pub", self.root.join(name).display());
        self.run([&["key", "trust", &public, "--principal", name], more].concat()).code(0);
    }

    /// A reference to what `repo:tag` or `repo@digest` is in the registry.
    pub(crate) fn reference(&self, path: &str) -> String {
        format!("{}/{path}", self.registry.host())
    }

    /// Builds images and pushes all of them under the names given to them; those start with the second argument of `fill`, the host.
    ///
    /// What `fill` returns is returned: digests, for one.
    pub(crate) fn push<T>(&self, fill: impl FnOnce(&mut SampleLayout, &str) -> T) -> T {
        let directory = tempfile::tempdir_in(self.root.path()).unwrap();
        let mut layout = SampleLayout::create(directory.path()).unwrap();
        let returned = fill(&mut layout, &self.registry.host());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(push_layout(&layout));
        returned
    }

    /// The program on this host.
    pub(crate) fn command(&self) -> std::process::Command {
        self.root.command()
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
        let mut command = self.command();
        command.args(arguments);
        Ran::of(command)
    }

    /// `airlift pack --json --no-tool --to MEDIUM` with more words; references are completed by the registry's host.
    pub(crate) fn pack(&self, more: &[&str]) -> Ran {
        let mut command = self.command();
        command.args(["pack", "--json", "--no-tool", "--to"]).arg(self.medium());
        command.args(more.iter().map(|word| word.replace("HOST", &self.registry.host())));
        Ran::of(command)
    }

    /// Packs what must work and gives the bundle.
    pub(crate) fn packed(&self, more: &[&str]) -> PathBuf {
        self.pack(more).code(0).bundle()
    }

    /// `airlift verify BUNDLE --json`, with more flags.
    pub(crate) fn verify(&self, bundle: &Path, more: &[&str]) -> Ran {
        let mut command = self.command();
        command.arg("verify").arg(bundle).arg("--json").args(more);
        Ran::of(command)
    }
}

/// What one run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; nothing where a signal ended it.
    pub(crate) exit: Option<i32>,
    /// Data.
    pub(crate) stdout: String,
    /// Words.
    pub(crate) stderr: String,
}

impl Ran {
    /// Runs it.
    pub(crate) fn of(mut command: std::process::Command) -> Self {
        let output = command.output().expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { exit: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Insists on an exit code.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.exit, Some(expected), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The last line of a `--json` run, the result.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_else(|| panic!("no output: {}", self.stderr));
        let result: Value = serde_json::from_str(last).unwrap();
        assert_eq!(result["event"], "result", "{last}");
        result
    }

    /// The report in it.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        self.result()["report"].take()
    }

    /// The bundle that a `pack --json` reports.
    #[track_caller]
    pub(crate) fn bundle(&self) -> PathBuf {
        let report = self.report();
        PathBuf::from(report["bundle"]["path"].as_str().unwrap_or_else(|| panic!("no path in {report}")))
    }

    /// Everything said, for what must (not) be in it.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Copies a tree of directories and regular files.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Copies a bundle to `to`, with another byte in the middle of a blob.
pub(crate) fn damaged_copy(bundle: &Path, blob: &Digest, to: &Path) {
    copy_tree(bundle, to);
    let blob = to.join(blob.layout_path());
    let mut bytes = std::fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(blob, bytes).unwrap();
}

/// Pushes every name of a layout to the registry that it names.
pub(crate) async fn push_layout(layout: &SampleLayout) {
    let registry = Registry::new(RegistryOptions::default()).unwrap();
    let index: Value =
        serde_json::from_slice(&std::fs::read(layout.dir().join("index.json")).unwrap()).unwrap();
    let mut pushed = HashSet::new();
    for descriptor in index["manifests"].as_array().unwrap() {
        let name = descriptor["annotations"]["io.containerd.image.name"].as_str().unwrap();
        let reference: Reference = name.parse().unwrap();
        let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
        let selector = reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
        let push = Push { registry: &registry, layout, repository: Repository::from(&reference) };
        push.manifest(&digest, descriptor["mediaType"].as_str().unwrap(), &selector, &mut pushed).await;
    }
}

struct Push<'a> {
    registry: &'a Registry,
    layout: &'a SampleLayout,
    repository: Repository,
}

impl Push<'_> {
    /// Children first: a registry takes a manifest only when it has them.
    async fn manifest(
        &self,
        digest: &Digest,
        media_type: &str,
        selector: &str,
        pushed: &mut HashSet<(Repository, Digest)>,
    ) {
        let bytes = std::fs::read(self.layout.blob_path(digest)).unwrap();
        for child in manifest::parse(&bytes, Some(media_type)).unwrap().children() {
            if !pushed.insert((self.repository.clone(), child.digest.clone())) {
                continue;
            }
            let document = airlift::domain::media_type::is_document(&child.media_type);
            if document {
                let selector = child.digest.to_string();
                Box::pin(self.manifest(&child.digest, &child.media_type, &selector, pushed)).await;
            } else {
                let source = Arc::new(FileSource(self.layout.blob_path(&child.digest)));
                self.registry.push_blob(&self.repository, &child.digest, child.size, source).await.unwrap();
            }
        }
        let taken = self.registry.push_manifest(&self.repository, selector, media_type, bytes.into()).await;
        assert_eq!(taken.unwrap(), *digest);
    }
}
