//! Answers queries: looks at the host, its media and directories, and asks registries. Changes nothing.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::effects::off;
use super::model::Settings;
use super::msg::{Found, Query};
use crate::dialogs::path::Entry;
use crate::domain::digest::Digest;
use crate::domain::reference::Reference;
use crate::engine::bundle::offer::{OfferSpec, offers};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Kind};
use crate::engine::host::{HostSpec, look};
use crate::engine::import::changes::NotedRun;
use crate::engine::import::undo::{UndoSpec, undo};
use crate::engine::media;
use crate::engine::node;
use crate::engine::registry::Registry;
use crate::engine::sign::agent;
use crate::engine::sign::keys::{KeyReport, load_public};
use crate::failure::Failure;

/// Entries of a directory that are listed at most.
const ENTRIES: usize = 10_000;
/// Bytes of the kept list that are read at most.
const LIST: u64 = 16 * 1024 * 1024;

/// The answer to a query.
pub(super) async fn find(query: &Query, settings: &Settings, ctx: &JobCtx) -> Result<Found, Failure> {
    let registry = || Ok::<_, Failure>(Registry::new(settings.registry.clone())?);
    Ok(match query {
        Query::Host => {
            let paths = &settings.paths;
            let spec = HostSpec { root: "/".into(), key: paths.key(), trust: paths.allowed_signers() };
            Found::Host(Arc::new(off(move || look(&spec)).await?))
        }
        Query::Media => Found::Media(Arc::new(media::list(looking(settings), ctx).await?)),
        Query::Place(path) => {
            let place = media::place_of(path.clone(), looking(settings), ctx).await?;
            Found::Place(path.clone(), Box::new(place))
        }
        Query::Bundles(given) => {
            let places = settings.places();
            let media = media::ListSpec { sources: Vec::new(), ..looking(settings) };
            let spec = OfferSpec { given: given.clone(), media, trust: places.trust, state: places.state };
            Found::Bundles(given.clone(), Arc::new(offers(spec, ctx).await?))
        }
        Query::Node(places) => {
            let node = node::find(Path::new("/"), &*ctx.files).await;
            let (wanted, files) = (places.clone(), ctx.files.clone());
            let room = move || wanted.iter().map(|place| node::free(&*files, place)).collect();
            Found::Node(places.clone(), Arc::new(node), off(room).await?)
        }
        Query::Noted => Found::Noted(noted(settings, ctx).await?),
        Query::Select(images) => {
            let requests = images.requests(&registry()?, ctx).await?;
            Found::Selected(images.clone(), Box::new(requests))
        }
        Query::Repositories(host) => {
            let found = async { Ok(registry()?.catalog(host).await?) };
            Found::Repositories(host.clone(), found.await)
        }
        Query::Tags(repository) => {
            let found = async { Ok(registry()?.tags(repository).await?) };
            Found::Tags(repository.clone(), found.await)
        }
        Query::Digest(reference) => {
            let found = async { digest(&registry()?, reference).await };
            Found::Digest(reference.clone(), found.await)
        }
        Query::Entries(directory) => {
            let (place, found) = (directory.clone(), directory.clone());
            Found::Entries(found, off(move || entries(&place)).await?)
        }
        Query::AgentKeys => Found::AgentKeys(agent_keys().await),
        Query::PublicKey(path) => {
            let file = path.clone();
            let public = off(move || load_public(&file)).await??;
            Found::PublicKey(path.clone(), Box::new(KeyReport::of(&public, Some(path.clone()))))
        }
        Query::Interrupted => Found::Interrupted(Arc::new(super::resume::find(settings, ctx).await?)),
        Query::Last => {
            let path = settings.list_file();
            let (text, written) = off(move || last(&path)).await??;
            Found::Last(text, written)
        }
    })
}

/// The imports that can be taken back.
async fn noted(settings: &Settings, ctx: &JobCtx) -> Result<Vec<NotedRun>, Failure> {
    let spec = UndoSpec { file: None, state: settings.places().state, list: true, dry_run: true };
    Ok(undo(spec, ctx).await?.runs)
}

/// No medium that holds this user's key or history is one to write to.
fn looking(settings: &Settings) -> media::ListSpec {
    let sources = vec![settings.paths.data_dir().to_owned()];
    media::ListSpec { host: settings.host.clone(), sources, bundles: true }
}

async fn agent_keys() -> Result<Vec<KeyReport>, Failure> {
    let held = agent::list_agent_keys(&agent::socket()?).await?;
    Ok(held.iter().map(|key| KeyReport::of(key, None)).collect())
}

/// Read and hashed here, as a bare claim is not worth pinning.
async fn digest(registry: &Registry, reference: &Reference) -> Result<Digest, Failure> {
    Ok(registry.manifest(&reference.repository_of(), &reference.selector()).await?.digest)
}

fn entries(directory: &Path) -> Result<Vec<Entry>, String> {
    let refused = |error: std::io::Error| format!("cannot list {}: {error}", directory.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(refused)?.flatten().take(ENTRIES) {
        // A name that is no UTF-8 could not be typed.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let directory = std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
        entries.push(Entry { name, directory });
    }
    entries.sort_unstable();
    Ok(entries)
}

/// The kept list and when it was written; empty where there is none yet.
fn last(path: &Path) -> Result<(String, jiff::Timestamp), Failure> {
    let refused = |source: std::io::Error| {
        let path: PathBuf = path.to_owned();
        Failure::from(EngineError::from(crate::engine::error::FileError { operation: "read", path, source }))
    };
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((String::new(), jiff::Timestamp::UNIX_EPOCH));
        }
        other => other.map_err(refused)?,
    };
    let written = file.metadata().and_then(|meta| meta.modified()).map_err(refused)?;
    let written = jiff::Timestamp::try_from(written)
        .map_err(|error| Failure::new(Kind::Other, format!("{}: {error}", path.display())))?;
    let mut text = String::new();
    file.take(LIST).read_to_string(&mut text).map_err(refused)?;
    Ok((text, written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_listed_by_name_and_links_to_directories_are_directories() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("b.txt"), "").unwrap();
        std::os::unix::fs::symlink("sub", dir.path().join("a")).unwrap();
        let names: Vec<_> =
            entries(dir.path()).unwrap().into_iter().map(|entry| (entry.name, entry.directory)).collect();
        assert_eq!(names, [("a".to_owned(), true), ("b.txt".to_owned(), false), ("sub".to_owned(), true)]);
        let reason = entries(&dir.path().join("none")).unwrap_err();
        assert!(reason.contains("none: No such file"), "{reason}");
    }

    #[test]
    fn a_list_that_was_never_kept_is_empty_and_one_that_was_says_when() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(last(&dir.path().join("images.txt")).unwrap().0, "");
        std::fs::write(dir.path().join("images.txt"), "nginx:1\n").unwrap();
        let (text, written) = last(&dir.path().join("images.txt")).unwrap();
        assert!(text == "nginx:1\n" && written > jiff::Timestamp::UNIX_EPOCH);
    }
}
