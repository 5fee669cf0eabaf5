//! Answers queries: looks at the host, its media and directories, and asks registries. Changes nothing.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::effects::off;
use super::model::Settings;
use super::msg::{Found, Query};
use crate::dialogs::path::{Entry, Unlisted};
use crate::domain::bundle::check_name;
use crate::domain::digest::Digest;
use crate::domain::reference::Reference;
use crate::engine::bundle::offer::{OfferSpec, offers};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, FileError, Kind};
use crate::engine::host::{HostSpec, look};
use crate::engine::import::changes::NotedRun;
use crate::engine::import::undo::{UndoSpec, undo};
use crate::engine::media;
use crate::engine::node;
use crate::engine::registry::Registry;
use crate::engine::sign::agent::{self, AgentError};
use crate::engine::sign::keys::{KeyReport, load_public, load_public_to_sign};
use crate::engine::state::State;
use crate::failure::Failure;
use ssh_key::PublicKey;

/// Entries of a directory that are listed at most.
const ENTRIES: usize = 10_000;
/// Bytes of the kept list that are read at most.
const LIST: u64 = 16 * 1024 * 1024;
/// Bytes of the name of a series that are read at most.
const NAME: u64 = 1024;

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
        Query::Room(of) => room(of, settings, ctx).await?,
        Query::Place(path) => {
            let place = media::place_of(path.clone(), looking(settings), ctx).await?;
            Found::Place(path.clone(), Box::new(place))
        }
        Query::Bundles(given) => {
            let places = settings.places();
            let media = media::ListSpec { sources: Vec::new(), begun: false, ..looking(settings) };
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
        Query::Entry(path) => looked_at(path).await?,
        Query::AgentKeys => Found::AgentKeys(agent_keys().await),
        Query::PublicKey(path) => public_key(path, None, settings).await?,
        Query::PaperKey(path, bundle) => public_key(path, Some(bundle), settings).await?,
        Query::Interrupted => Found::Interrupted(Arc::new(super::resume::find(settings, ctx).await?)),
        Query::Series => series(settings, ctx).await?,
        Query::Last => {
            let path = settings.list_file();
            let (text, written) = off(move || last(&path)).await??;
            Found::Last(text, written)
        }
    })
}

async fn room(of: &media::Mounted, settings: &Settings, ctx: &JobCtx) -> Result<Found, Failure> {
    Ok(Found::Room(of.clone(), media::room(of.clone(), settings.host.clone(), ctx).await?))
}

/// The imports that can be taken back.
async fn noted(settings: &Settings, ctx: &JobCtx) -> Result<Vec<NotedRun>, Failure> {
    let spec =
        UndoSpec { file: None, state: settings.places().state, list: true, dry_run: true, store: None };
    Ok(undo(spec, ctx).await?.runs)
}

/// No medium that holds this user's key or history is one to write to.
fn looking(settings: &Settings) -> media::ListSpec {
    let sources = vec![settings.paths.data_dir().to_owned()];
    media::ListSpec { host: settings.host.clone(), sources, bundles: true, begun: true }
}

async fn agent_keys() -> Result<Vec<KeyReport>, Failure> {
    keys_at(agent::socket()?).await
}

/// The keys of an agent; that it holds none is said as any other reason why none of it can sign.
async fn keys_at(socket: PathBuf) -> Result<Vec<KeyReport>, Failure> {
    let held = agent::list_agent_keys(&socket).await?;
    if held.is_empty() {
        return Err(AgentError::Empty { socket }.into());
    }
    Ok(held.iter().map(|key| KeyReport::of(key, None)).collect())
}

/// Read and hashed here, as a bare claim is not worth pinning.
async fn digest(registry: &Registry, reference: &Reference) -> Result<Digest, Failure> {
    Ok(registry.manifest(&reference.repository_of(), &reference.selector()).await?.digest)
}

/// The public half of a key file, which did not come with the bundle that is named.
async fn public_key(path: &Path, bundle: Option<&Path>, settings: &Settings) -> Result<Found, Failure> {
    let (file, bundle) = (path.to_owned(), bundle.map(Path::to_owned));
    let own = settings.paths.data_dir().to_owned();
    let public = off(move || match bundle {
        Some(bundle) => paper_key(&file, &bundle, &own),
        None => Ok(load_public_to_sign(&file)?),
    });
    let public = public.await??;
    Ok(Found::PublicKey(path.to_owned(), Box::new(KeyReport::of(&public, Some(path.to_owned())))))
}

/// Reads a public key file, unless the bundle or its medium brought it: that would only say what the bundle says of itself.
fn paper_key(file: &Path, bundle: &Path, own: &Path) -> Result<PublicKey, Failure> {
    // What is read is what was looked at, wherever a link leads by then.
    let Ok(real) = file.canonicalize() else { return Ok(load_public(file)?) };
    let hosts = [Path::new("/"), own.ancestors().find(|place| place.exists()).unwrap_or(own)];
    let path = || bundle.to_owned();
    let came = came_with(&real, bundle, &hosts)
        .map_err(|source| EngineError::from(FileError { operation: "look at", path: path(), source }))?;
    if came {
        let words = format!("{} came with the bundle: whoever changed one could change both", file.display());
        return Err(Failure::usage(words).hint("compare with what its signer gave you another way"));
    }
    Ok(load_public(&real)?)
}

/// Whether a file, by its resolved path, lies in a bundle or on the medium that carries it. A file system that is one of
/// the host's own is no medium.
fn came_with(file: &Path, bundle: &Path, hosts: &[&Path]) -> std::io::Result<bool> {
    let bundle = bundle.canonicalize()?;
    let device = |path: &Path| path.metadata().map(|meta| meta.dev());
    let carrier = device(&bundle)?;
    let is_hosts = hosts.iter().any(|place| device(place).is_ok_and(|own| own == carrier));
    Ok(file.starts_with(&bundle) || (!is_hosts && device(file)? == carrier))
}

fn entries(directory: &Path) -> Result<Vec<Entry>, Unlisted> {
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Unlisted::NotThere,
        _ => Unlisted::Refused(format!("cannot list {}: {error}", directory.display())),
    };
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

async fn looked_at(path: &Path) -> Result<Found, Failure> {
    let place = path.to_owned();
    Ok(Found::Entry(path.to_owned(), off(move || entry(&place)).await?))
}

/// Whether something is there and a directory, links followed; an error where that cannot be told, or where even the
/// directory is missing that it would lie in.
fn entry(path: &Path) -> Result<Option<bool>, String> {
    let refused = |path: &Path, error: std::io::Error| format!("cannot look at {}: {error}", path.display());
    match path.metadata() {
        Ok(meta) => Ok(Some(meta.is_dir())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let around = path.parent().filter(|around| !around.as_os_str().is_empty());
            let around = around.unwrap_or(Path::new("."));
            around.metadata().map(|_| None).map_err(|error| refused(around, error))
        }
        Err(error) => Err(refused(path, error)),
    }
}

/// What is known of the series; a name that cannot be read is none, as it is only a proposal.
async fn series(settings: &Settings, ctx: &JobCtx) -> Result<Found, Failure> {
    let (file, state) = (settings.name_file(), State::new(ctx.files.clone(), settings.paths.state()));
    let look = move || {
        let mut name = String::new();
        let read = std::fs::File::open(file).and_then(|file| file.take(NAME).read_to_string(&mut name));
        let name = Some(name.trim().to_owned()).filter(|name| read.is_ok() && check_name(name).is_ok());
        Found::Series(name, Arc::new(state.read()))
    };
    off(look).await
}

/// The kept list and when it was written; empty where there is none yet.
fn last(path: &Path) -> Result<(String, jiff::Timestamp), Failure> {
    let refused = |source: std::io::Error| {
        let path: PathBuf = path.to_owned();
        Failure::from(EngineError::from(FileError { operation: "read", path, source }))
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
    file.take(LIST + 1).read_to_string(&mut text).map_err(refused)?;
    if text.len() as u64 > LIST {
        let most = crate::domain::text::bytes(LIST);
        let words = format!("cannot read {}: it has more than {most}", path.display());
        return Err(Failure::new(Kind::Other, words));
    }
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
        assert_eq!(entries(&dir.path().join("none")), Err(Unlisted::NotThere));
        let refused = entries(&dir.path().join("b.txt")).unwrap_err();
        assert!(matches!(&refused, Unlisted::Refused(why) if why.starts_with("cannot list ")), "{refused:?}");
    }

    #[test]
    fn a_key_file_came_with_a_bundle_where_it_lies_in_it_or_on_its_medium_however_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (bundle, beside) = (dir.path().join("site-42"), dir.path().join("courier.pub"));
        std::fs::create_dir_all(bundle.join("airlift")).unwrap();
        let inside = bundle.join("airlift/key.pub");
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE7x1ZVhkwuV0lqKrjyYkXO1xNXcJ6Yl1hLxXxvQe7rC a@b";
        for file in [&inside, &beside] {
            std::fs::write(file, key).unwrap();
        }
        let link = dir.path().join("paper.pub");
        std::os::unix::fs::symlink(&inside, &link).unwrap();
        let own = dir.path();
        for file in [&inside, &link, &bundle.join("../site-42/airlift/key.pub")] {
            let reason = paper_key(file, &bundle, own).unwrap_err().message;
            assert!(reason.contains("came with the bundle"), "{}: {reason}", file.display());
        }
        let reason =
            paper_key(&beside, &bundle, own).map_or_else(|failure| failure.message, |_| String::new());
        assert!(!reason.contains("came with the bundle"), "copied to this host, it has neighbours: {reason}");
        assert!(came_with(&beside, &bundle, &[]).unwrap(), "on a medium of its own, all came with it");
        assert!(!came_with(Path::new("/proc/self/status"), &bundle, &[]).unwrap());
        assert!(paper_key(&dir.path().join("none.pub"), &bundle, own).is_err());
        std::fs::remove_dir_all(&bundle).unwrap();
        let gone = paper_key(&beside, &bundle, own).unwrap_err().message;
        assert!(gone.contains("cannot look at"), "{gone}");
    }

    #[test]
    fn one_path_is_looked_at_though_its_directory_is_not_listed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "").unwrap();
        assert_eq!(entry(&dir.path().join("a")), Ok(Some(false)));
        assert_eq!(entry(dir.path()), Ok(Some(true)));
        assert_eq!(entry(&dir.path().join("b")), Ok(None));
        assert_eq!(entry(Path::new("no such name")), Ok(None));
        assert!(entry(&dir.path().join("b/c")).unwrap_err().contains("b: No such file"));
        assert!(entry(&dir.path().join("a/c")).unwrap_err().contains("Not a directory"));
    }

    #[tokio::test]
    async fn an_agent_without_a_key_is_told_of_and_not_left_out() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let answer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u32().await.unwrap();
            stream.write_all(&[0, 0, 0, 5, 12, 0, 0, 0, 0]).await.unwrap();
        };
        let (held, ()) = tokio::join!(keys_at(socket.clone()), answer);
        let failure = held.unwrap_err();
        assert_eq!(failure.message, format!("ssh-agent at {} holds no key", socket.display()));
        assert!(failure.hints.concat().contains("ssh-add KEY puts a key into it"), "{failure:?}");
    }

    #[test]
    fn a_list_that_was_never_kept_is_empty_and_one_that_was_says_when() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(last(&dir.path().join("images.txt")).unwrap().0, "");
        std::fs::write(dir.path().join("images.txt"), "nginx:1\n").unwrap();
        let (text, written) = last(&dir.path().join("images.txt")).unwrap();
        assert!(text == "nginx:1\n" && written > jiff::Timestamp::UNIX_EPOCH);
        std::fs::File::create(dir.path().join("images.txt")).unwrap().set_len(LIST + 1).unwrap();
        let reason = last(&dir.path().join("images.txt")).unwrap_err().message;
        assert!(reason.contains("it has more than"), "cut, it would lose images: {reason}");
    }
}
