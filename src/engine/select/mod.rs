//! Where lists of images come from: one file per source, each giving a [`Selection`] and hiding nothing it could not read.

use std::io::Read;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::blocking::blocking as apart;
use super::ctx::JobCtx;
use super::error::{Explain, FileError, Interrupted, Kind, Result};
use super::files::open_named;
use super::given;
use super::registry::Registry;
use crate::domain::reference::Reference;
use crate::domain::selection::{Candidate, Origin, Requests, Selection};

mod chart;
mod guess;
pub mod kubeadm;
pub mod list;
pub mod manifests;
pub mod registry;
mod yaml;
#[cfg(test)]
mod yaml_tests;

/// The largest list or manifest file that is read, in bytes.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

/// One place that names images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A list file.
    List(PathBuf),
    /// The images of a Kubernetes version, from the tables and a `kubeadm` on PATH.
    Kubeadm(String),
    /// A `k3s-images.txt`.
    K3s(PathBuf),
    /// Kubernetes manifests: a file, or a directory with everything below it.
    Manifests(PathBuf),
    /// A Helm chart with its default values, as `helm template` renders it: a directory or an archive.
    Chart(PathBuf),
    /// What a registry holds: `HOST`, `HOST/REPO` or `HOST/REPO:TAGGLOB`.
    Registry(String),
}

/// Why a source gives nothing at all.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// A text after `--from` that names no source.
    #[error(
        "{text:?} is no source: expected kubeadm:VERSION, k3s:FILE, manifests:PATH, chart:PATH or registry:HOST[/REPO[:TAGS]]"
    )]
    Source {
        /// As given.
        text: String,
    },
    /// A file over the limit.
    #[error("{} has more than the {MAX_FILE} bytes that are read at most", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A version that is none.
    #[error("{text:?} is no Kubernetes version: expected MAJOR.MINOR or MAJOR.MINOR.PATCH, as in 1.31.2")]
    Version {
        /// As given.
        text: String,
    },
    /// A minor version that is in no table, and no kubeadm that knows it.
    #[error("Kubernetes {minor} is in no table; known are {known}")]
    UnknownMinor {
        /// `1.99`.
        minor: String,
        /// The versions of the tables.
        known: String,
    },
    /// A release of k3s, whose images no table has.
    #[error("the images of k3s {version} are in no table, and there is no file of that name")]
    K3sVersion {
        /// As given.
        version: String,
    },
    /// A chart that nothing here renders.
    #[error("chart:{} needs helm, which is not on PATH", path.display())]
    NoHelm {
        /// The chart.
        path: PathBuf,
    },
    /// A chart that helm does not render.
    #[error("helm template {}: {reason}", path.display())]
    Chart {
        /// The chart.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The tables in this program do not parse; a fault of the build.
    #[error("the built-in kubeadm table does not read: {0}")]
    Table(String),
}

impl Explain for SelectError {
    fn kind(&self) -> Kind {
        match self {
            Self::Table(_) => Kind::Other,
            _ => Kind::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::UnknownMinor { .. } => vec![
                "put a kubeadm of that version on PATH, or give its output as a list:".to_owned(),
                "kubeadm config images list --kubernetes-version vX.Y.Z > images.txt; airlift … -f images.txt"
                    .to_owned(),
            ],
            Self::K3sVersion { version } => vec![
                "each release of k3s has its list among its files; fetch it and give it as k3s:k3s-images.txt:".to_owned(),
                format!(
                    "https://github.com/k3s-io/k3s/releases/download/{}/k3s-images.txt",
                    version.replace('+', "%2B")
                ),
            ],
            Self::NoHelm { path } | Self::Chart { path, .. } => vec![format!(
                "render it where helm is, with the values that the site uses, and give the result: \
                 helm template NAME {} -f values.yaml > rendered.yaml; --from manifests:rendered.yaml",
                path.display()
            )],
            _ => Vec::new(),
        }
    }
}

impl FromStr for Source {
    type Err = SelectError;

    fn from_str(text: &str) -> std::result::Result<Self, SelectError> {
        let refuse = || SelectError::Source { text: text.chars().take(160).collect() };
        let (kind, rest) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()).ok_or_else(refuse)?;
        Ok(match kind {
            "kubeadm" => Self::Kubeadm(rest.to_owned()),
            "k3s" => Self::K3s(rest.into()),
            "manifests" => Self::Manifests(rest.into()),
            "chart" => Self::Chart(rest.into()),
            "registry" => Self::Registry(rest.to_owned()),
            _ => return Err(refuse()),
        })
    }
}

/// Reads one source.
///
/// # Errors
/// A source that gives nothing at all; what is unreadable inside one is a problem in the selection.
pub async fn gather(source: &Source, registry: &Registry, ctx: &JobCtx) -> Result<Selection> {
    ctx.check()?;
    match source {
        Source::K3s(path) if is_version(path) && !path.exists() => {
            Err(SelectError::K3sVersion { version: path.display().to_string() }.into())
        }
        Source::List(path) | Source::K3s(path) => {
            let (path, job) = (path.clone(), ctx.clone());
            blocking(ctx, move || {
                let bytes = read_file(&job, &path)?;
                Ok(list::parse(&bytes, &path.display().to_string()))
            })
            .await
        }
        Source::Kubeadm(version) => kubeadm::select(version, ctx).await,
        Source::Manifests(path) => {
            let (path, job) = (path.clone(), ctx.clone());
            blocking(ctx, move || manifests::select(&path, &job)).await
        }
        Source::Chart(path) => chart::select(path, ctx).await,
        Source::Registry(text) => registry::select(text, registry, ctx).await,
    }
}

/// `1.31`, `v1.31.2+k3s1`: a release of k3s and not a file of ours.
fn is_version(path: &Path) -> bool {
    let text = path.to_str().unwrap_or_default();
    let text = text.strip_prefix('v').unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('/') && !text.ends_with(".txt")
}

/// The requests of a command: references as given, then every source in order; the last look at names before the network.
///
/// # Errors
/// As [`gather`], and a reference given by hand that is none.
pub async fn requests(
    references: &[String],
    sources: &[Source],
    registry: &Registry,
    ctx: &JobCtx,
) -> Result<Requests> {
    let mut selection = Selection::default();
    for text in references {
        text.parse::<Reference>()?;
        selection.candidates.push(Candidate::sure(text, Origin::named("command line")));
    }
    for source in sources {
        selection.merge(gather(source, registry, ctx).await?);
    }
    Ok(selection.into_requests())
}

/// Runs reading apart from the runtime's threads; a pipe that nobody writes to does not keep the job from stopping.
async fn blocking<T: Send + 'static>(
    ctx: &JobCtx,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::select! {
        done = apart(work) => done,
        () = ctx.cancel.cancelled() => Err(Interrupted.into()),
    }
}

/// Reads a list or manifest file whole, capped; `-` is standard input, and a pipe is read to its end.
pub(crate) fn read_file(ctx: &JobCtx, path: &Path) -> Result<Vec<u8>> {
    let at = |source| FileError { operation: "read", path: path.to_owned(), source };
    let mut bytes = Vec::new();
    open(ctx, path)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(SelectError::TooLarge { path: path.to_owned() }.into());
    }
    Ok(bytes)
}

fn open(ctx: &JobCtx, path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    given::check(path, "list or manifest file", "give a file that is there, or - for standard input")?;
    let at = |source| FileError { operation: "read", path: path.to_owned(), source };
    let kind = std::fs::metadata(path).map_err(at)?.file_type();
    if kind.is_fifo() || kind.is_char_device() {
        // As a shell hands over the output of a command: it has no name of its own below a directory.
        return Ok(Box::new(std::fs::File::open(path).map_err(at)?));
    }
    Ok(open_named(&*ctx.files, path)?.reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_by_its_kind() {
        assert_eq!("kubeadm:1.31.2".parse::<Source>().unwrap(), Source::Kubeadm("1.31.2".into()));
        assert_eq!("registry:h:5000/a".parse::<Source>().unwrap(), Source::Registry("h:5000/a".into()));
        for bad in ["", "kubeadm", "kubeadm:", "helm:x", "list:x", "nginx:1.25"] {
            assert!(bad.parse::<Source>().is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_missing_special_or_too_large_is_named() {
        let ctx = JobCtx::silent();
        let registry = Registry::new(super::super::registry::RegistryOptions::default()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let large = dir.path().join("large");
        std::fs::File::create(&large).unwrap().set_len(MAX_FILE + 1).unwrap();
        for path in [dir.path().join("none"), large, dir.path().to_owned(), "/dev/zero".into()] {
            let error = gather(&Source::List(path.clone()), &registry, &ctx).await.unwrap_err();
            assert!(error.message().contains(&path.display().to_string()), "{error}");
            assert_eq!(error.kind(), Kind::Usage, "{error}");
        }
    }

    #[tokio::test]
    async fn a_list_comes_through_a_pipe_and_one_that_never_comes_can_be_stopped() {
        let ctx = JobCtx::silent();
        let registry = Registry::new(super::super::registry::RegistryOptions::default()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let node = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, node, 0o600.into(), 0).unwrap();
        let source = Source::List(pipe.clone());
        let writer = std::thread::spawn(move || std::fs::write(pipe, "nginx:1\nredis:7\n").unwrap());
        assert_eq!(gather(&source, &registry, &ctx).await.unwrap().candidates.len(), 2);
        writer.join().unwrap();
        // Nobody writes this time.
        let Source::List(pipe) = &source else { unreachable!() };
        let (waiting, stop) = (gather(&source, &registry, &ctx), ctx.cancel.clone());
        let (stopped, ()) = tokio::join!(waiting, async move { stop.cancel() });
        assert_eq!(stopped.unwrap_err().kind(), Kind::Interrupted);
        // The reader is let go, so that the runtime can end too: once it is there, which a busy machine may put off.
        let write = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        while rustix::fs::open(pipe, write, 0.into()).is_err() {
            std::thread::yield_now();
        }
    }
}
