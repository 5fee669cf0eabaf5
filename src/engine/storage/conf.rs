//! `storage.conf` as a node reads it: one main file, and where images are by it; see containers-storage.conf(5).

use std::io;
use std::path::{Path, PathBuf};

use crate::engine::error::{Explain, FileError, Kind, Result};
use crate::engine::files::{Files, open_named, read_whole};

/// The main file that an administrator writes.
pub const ETC: &str = "/etc/containers/storage.conf";
/// The main file of the distribution, read where the other is not there.
pub(super) const USR: &str = "/usr/share/containers/storage.conf";
/// Where root's images are when no file says otherwise.
const GRAPHROOT: &str = "/var/lib/containers/storage";
/// Names the one file to read.
const VARIABLE: &str = "CONTAINERS_STORAGE_CONF";
/// No configuration is larger.
const MAX: u64 = 1 << 20;

/// A `storage.conf` that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct ConfError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Explain for ConfError {
    fn kind(&self) -> Kind {
        Kind::Import
    }

    fn hints(&self) -> Vec<String> {
        vec!["podman and CRI-O do not start with this file either: correct it first".to_owned()]
    }
}

/// What the store of a node is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConf {
    /// The file that says so; nothing where there is none.
    pub file: Option<PathBuf>,
    /// The storage driver; `overlay` where no file says otherwise.
    pub driver: String,
    /// Where images and containers are.
    pub graphroot: PathBuf,
    /// Where images are, apart from containers.
    pub imagestore: Option<PathBuf>,
    /// Stores that are only read, in order.
    pub additional: Vec<PathBuf>,
}

impl StorageConf {
    /// Every store that images are looked for in, in the order in which they are.
    pub fn stores(&self) -> impl Iterator<Item = &PathBuf> {
        self.imagestore.iter().chain([&self.graphroot]).chain(&self.additional)
    }
}

/// Reads what the node whose root directory is `root` is set to. Blocks.
///
/// # Errors
/// [`ConfError`], or a file error.
pub fn read(files: &dyn Files, root: &Path) -> Result<StorageConf> {
    for path in candidates(root) {
        let open = match open_named(files, &path) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let failed = |source| FileError { operation: "read", path: path.clone(), source };
        let bytes = read_whole(open, MAX + 1).map_err(failed)?;
        let text = match String::from_utf8(bytes) {
            Ok(text) if text.len() as u64 <= MAX => text,
            Ok(_) => return Err(ConfError { path, reason: format!("it has more than {MAX} bytes") }.into()),
            Err(error) => return Err(ConfError { path, reason: error.to_string() }.into()),
        };
        let whose = if is_users(&path) { Whose::User } else { Whose::of(root) };
        let conf = parse_as(&text, whose).map_err(|reason| ConfError { path: path.clone(), reason })?;
        return Ok(StorageConf { file: Some(path), ..conf });
    }
    Ok(defaults())
}

/// The files that may hold it, the first that is there holds it alone.
fn candidates(root: &Path) -> Vec<PathBuf> {
    let here = root == Path::new("/");
    if let Some(file) = variable().filter(|_| here) {
        return vec![file];
    }
    let mut files = Vec::new();
    if here && !rustix::process::geteuid().is_root() {
        files.extend(home_file());
    }
    files.extend([ETC, USR].map(|file| below(root, Path::new(file))));
    files
}

/// The file that the administrator of the node, or this user where that is not root, writes.
pub fn own(root: &Path) -> PathBuf {
    let etc = below(root, Path::new(ETC));
    candidates(root).into_iter().next().unwrap_or(etc)
}

/// The one file that the environment names.
pub(super) fn variable() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from)
}

fn home_file() -> Option<PathBuf> {
    let dirs = directories::BaseDirs::new()?;
    Some(dirs.config_dir().join("containers/storage.conf"))
}

/// A path of the node, where its root directory is `root`.
pub fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn defaults() -> StorageConf {
    let rootless = || Some(directories::BaseDirs::new()?.data_dir().join("containers/storage"));
    let user = if rustix::process::geteuid().is_root() { None } else { rootless() };
    StorageConf {
        file: None,
        driver: "overlay".to_owned(),
        graphroot: user.unwrap_or_else(|| PathBuf::from(GRAPHROOT)),
        imagestore: None,
        additional: Vec::new(),
    }
}

/// Takes what matters here out of the text of a `storage.conf`; keys that nobody knows are left alone, as its readers do.
///
/// # Errors
/// In words: no TOML, or a value of another type than its readers take.
pub fn parse(text: &str) -> std::result::Result<StorageConf, String> {
    parse_as(text, Whose::of(Path::new("/")))
}

/// Who reads a file, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Root reads it.
    Root,
    /// A user reads that of the system: where root's images are is not where the user's are.
    System,
    /// A user reads one of their own.
    User,
}

impl Whose {
    /// For a file of the system on the node whose root directory this is.
    fn of(root: &Path) -> Self {
        let user = root == Path::new("/") && !rustix::process::geteuid().is_root();
        if user { Self::System } else { Self::Root }
    }
}

/// Whether a file is one that a user who is not root writes.
pub(super) fn is_users(path: &Path) -> bool {
    let user = !rustix::process::geteuid().is_root();
    user && (variable().is_some_and(|file| file == path) || home_file().is_some_and(|file| file == path))
}

fn parse_as(text: &str, whose: Whose) -> std::result::Result<StorageConf, String> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct File {
        storage: Storage,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Storage {
        driver: String,
        graphroot: String,
        imagestore: String,
        rootless_storage_path: String,
        options: Options,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Options {
        additionalimagestores: Vec<PathBuf>,
    }
    let File { storage } = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    let plain = |text: String| Some(text).filter(|text| !text.is_empty());
    let mut conf = defaults();
    let rootless =
        plain(storage.rootless_storage_path).filter(|path| whose != Whose::Root && !path.contains('$'));
    conf.driver = plain(storage.driver).unwrap_or(conf.driver);
    if let Some(path) = rootless.or_else(|| plain(storage.graphroot).filter(|_| whose != Whose::System)) {
        conf.graphroot = PathBuf::from(path);
    }
    conf.imagestore = plain(storage.imagestore).map(PathBuf::from);
    conf.additional = storage.options.additionalimagestores;
    Ok(conf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn where_images_are_is_read_and_what_nobody_knows_is_left_alone() {
        let conf = parse(
            "# mine\n[storage]\ndriver = \"overlay\"\nimagestore = \"/images\"\nnews = 3\n\
             [storage.options]\nadditionalimagestores = [ \"/usr/ock/containers\",\n  \"/var/images\" ]\n\
             [storage.options.overlay]\nmountopt = \"nodev\"\n",
        )
        .unwrap();
        let stores: Vec<_> = conf.stores().map(|path| path.display().to_string()).collect();
        assert_eq!(stores[0], "/images");
        assert_eq!(stores[2..], ["/usr/ock/containers", "/var/images"]);
        assert_eq!(conf.driver, "overlay");
        assert_eq!(parse("").unwrap(), defaults());
    }

    #[test]
    fn where_roots_images_are_is_not_where_a_users_are() {
        let text =
            "[storage]\ngraphroot = \"/srv/images\"\n[storage.options]\nadditionalimagestores = [\"/a\"]\n";
        let graphroot = |whose| parse_as(text, whose).unwrap().graphroot;
        assert_eq!(graphroot(Whose::Root), Path::new("/srv/images"));
        assert_eq!(graphroot(Whose::User), Path::new("/srv/images"), "it is the user's own word");
        assert_eq!(graphroot(Whose::System), defaults().graphroot);
        assert_eq!(parse_as(text, Whose::System).unwrap().additional, [PathBuf::from("/a")]);
    }

    #[test]
    fn what_its_readers_refuse_is_refused() {
        for bad in
            ["[storage", "[storage]\ndriver = 3\n", "[storage.options]\nadditionalimagestores = \"/a\"\n"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_administrators_file_stands_before_that_of_the_distribution() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read(&RealFiles, root.path()).unwrap().file, None);
        let put = |name: &str, text: &str| {
            let path = below(root.path(), Path::new(name));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put(USR, "[storage]\ndriver = \"vfs\"\n");
        assert_eq!(read(&RealFiles, root.path()).unwrap().driver, "vfs");
        put(ETC, "[storage]\ndriver = \"btrfs\"\n");
        let conf = read(&RealFiles, root.path()).unwrap();
        assert_eq!((conf.driver.as_str(), conf.file), ("btrfs", Some(below(root.path(), Path::new(ETC)))));
        put(ETC, "[storage]\ndriver = 1\n");
        let error = read(&RealFiles, root.path()).unwrap_err();
        assert!(error.message().contains("storage.conf"), "{error}");
    }
}
