//! Where a store of CRI-O and podman is, what must not become one, and what it needs to be read where it cannot be written.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::StorageError;
use super::journal::JOURNAL;
use super::staging;
use super::tool::Address;
use crate::domain::import::Target;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{EntryKind, Files};
use crate::engine::import::Job;
use crate::engine::import::target::existing_part;
use crate::engine::storage::change::ConfMode;
use crate::engine::storage::conf::{self, StorageConf};
use crate::engine::storage::store::{DIRECTORIES, LISTS, LOCKS, Records};

/// The driver whose stores are known here.
const DRIVER: &str = "overlay";

/// A store that is to be written, and what its readers read beside it.
#[derive(Clone)]
pub(super) struct Place {
    /// How the program that writes is told of it.
    pub(super) address: Address,
    /// Where its images are.
    pub(super) directory: PathBuf,
    /// Every store that a name is looked for in.
    pub(super) read: Vec<PathBuf>,
    /// As it is written on a command line.
    pub(super) target: Target,
}

impl Place {
    /// Finds it, and refuses what would be lost or is no store. Blocks.
    ///
    /// # Errors
    /// [`StorageError`], or what `storage.conf` is refused for.
    pub(super) fn find(job: &Job, directory: Option<&Path>) -> Result<Self> {
        let (files, node) = (&*job.ctx.files, &job.spec.node);
        let place = Self::of(files, &node.root, directory)?;
        let conf = conf::read(files, &node.root)?;
        match conf.file.filter(|_| directory.is_some() && node.storage_conf != ConfMode::None) {
            Some(file) if conf.driver != DRIVER => {
                let (driver, store) = (conf.driver, place.directory);
                Err(StorageError::Unseen { conf: file, driver, store }.into())
            }
            _ => Ok(place),
        }
    }

    /// The same for the node of a root directory. Blocks.
    ///
    /// # Errors
    /// As [`Place::find`].
    pub(super) fn of(files: &dyn Files, root: &Path, directory: Option<&Path>) -> Result<Self> {
        let here = root == Path::new("/");
        let conf = conf::read(files, root)?;
        let target = Target::ContainersStorage(directory.map(Path::to_owned));
        let Some(directory) = directory else {
            if conf.driver != DRIVER {
                return Err(StorageError::Driver { graphroot: conf.graphroot, driver: conf.driver }.into());
            }
            let directory = conf::below(root, conf.imagestore.as_ref().unwrap_or(&conf.graphroot));
            refuse_driver(files, &directory)?;
            let read = conf.stores().map(|store| conf::below(root, store)).collect();
            let address = if here { Address::Default } else { Address::Directory(directory.clone()) };
            return Ok(Self { address, directory, read, target });
        };
        refuse_nested(&conf, root, directory)?;
        let directory = conf::below(root, directory);
        refuse_other(files, &directory)?;
        Ok(Self {
            address: Address::Directory(directory.clone()),
            read: vec![directory.clone()],
            directory,
            target,
        })
    }

    /// Says of a user's own store that it is none of the node's.
    pub(super) fn warn_own(&self, ctx: &JobCtx) {
        let user = rustix::process::geteuid();
        if self.target == Target::ContainersStorage(None) && !user.is_root() {
            ctx.warn(format!(
                "{} is the store of user {} alone: CRI-O and the kubelet read root's; run this as root for that",
                self.directory.display(),
                user.as_raw()
            ));
        }
    }

    /// What lies there now. Blocks.
    ///
    /// # Errors
    /// As [`Records::add`].
    pub(super) fn records(&self, files: &dyn Files) -> Result<Records> {
        let mut records = Records::default();
        self.read.iter().try_for_each(|store| records.add(files, store))?;
        Ok(records)
    }

    /// What the store that is written has; those beside it are read-only. Blocks.
    ///
    /// # Errors
    /// As [`Records::add`].
    pub(super) fn own_records(&self, files: &dyn Files) -> Result<Records> {
        let mut records = Records::default();
        records.add(files, &self.directory)?;
        Ok(records)
    }
}

/// A store that programs made with another driver, as they do for users for whom overlay does not work, has no image here.
///
/// # Errors
/// [`StorageError::Driver`]; a file error.
pub(super) fn refuse_driver(files: &dyn Files, store: &Path) -> Result<()> {
    let Ok(entries) = files.entries(store, 1000) else { return Ok(()) };
    let drivers: Vec<&str> = entries.iter().filter_map(|entry| entry.path.strip_suffix("-images")).collect();
    match drivers.iter().find(|_| !drivers.contains(&DRIVER)) {
        None => Ok(()),
        Some(driver) => {
            let (graphroot, driver) = (store.to_owned(), (*driver).to_owned());
            Err(StorageError::Driver { graphroot, driver }.into())
        }
    }
}

/// What lies in the default store is lost when CRI-O wipes that after a crash.
fn refuse_nested(conf: &StorageConf, root: &Path, path: &Path) -> std::result::Result<(), StorageError> {
    let here = existing_part(&conf::below(root, path));
    for graphroot in [Some(&conf.graphroot), conf.imagestore.as_ref()].into_iter().flatten() {
        let inside = path.starts_with(graphroot) || graphroot.starts_with(path);
        let linked =
            conf::below(root, graphroot).canonicalize().is_ok_and(|graphroot| here.starts_with(graphroot));
        if inside || linked {
            return Err(StorageError::Nested { path: path.to_owned(), graphroot: graphroot.clone() });
        }
    }
    Ok(())
}

/// A directory with something in it is added to only where that is a store of this driver.
fn refuse_other(files: &dyn Files, path: &Path) -> Result<()> {
    let stat = files.stat(path)?;
    let no_store = |found: String| StorageError::NoStore { path: path.to_owned(), found };
    match stat.map(|stat| stat.kind) {
        None => return Ok(()),
        Some(EntryKind::Directory) => {}
        Some(_) => return Err(no_store("no directory in its place".to_owned()).into()),
    }
    let known = |name: &str| {
        DIRECTORIES.contains(&name) || name == staging::WORK || name == JOURNAL || name == "lost+found"
    };
    let entries = files.entries(path, 1000)?;
    let store = entries.iter().any(|entry| entry.path == "overlay-images" || entry.path == staging::WORK);
    let foreign = entries.iter().find(|entry| !known(&entry.path));
    match foreign {
        Some(foreign) if !store => Err(no_store(foreign.path.clone()).into()),
        _ => Ok(()),
    }
}

/// Makes what a reader opens for its locks, which it cannot make where the store is read-only.
pub(super) fn make_readable(files: &dyn Files, store: &Path) -> Result<()> {
    for directory in DIRECTORIES {
        files.create_dir(&store.join(directory))?;
    }
    let contents = LOCKS.iter().map(|name| (name, "")).chain(LISTS.iter().map(|name| (name, "[]")));
    for (name, content) in contents {
        let path = store.join(name);
        if files.stat(&path)?.is_none() {
            let mut file = files.create(&path)?;
            let failed = |source| FileError { operation: "write", path: path.clone(), source };
            file.write_all(content.as_bytes()).map_err(failed)?;
        }
    }
    Ok(())
}
