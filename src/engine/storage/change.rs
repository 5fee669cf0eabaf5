//! The files of a node that make it read an additional image store: planned as differences, written whole with a backup, taken back.

mod back;
mod check;

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::conf::{self, ConfError, ETC, below};
use super::{edit, mounts};
use crate::domain::node_files::{NodeFile, NodeFiles, UnitDropIn};
use crate::domain::shell::shell_words;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::media::mounts as mounted;
use crate::engine::sign::store::{rewrite, rewrite_as};

pub use back::{FilesUndone, take_back, take_out};

/// Units that must not start before the store is mounted: CRI-O, and what wipes its storage after a crash.
const UNITS: [&str; 2] = ["crio.service", "crio-wipe.service"];
/// What the file is called that says so.
const DROP_IN: &str = "50-airlift-images.conf";
/// What the first file that is changed is kept as.
const BACKUP: &str = ".airlift-backup";
/// Where CRI-O is seen to be installed.
const CRIO: [&str; 4] = [
    "/etc/crio",
    "/usr/lib/systemd/system/crio.service",
    "/lib/systemd/system/crio.service",
    "/etc/systemd/system/crio.service",
];
/// Directories whose files stand above `storage.conf` from containers/storage 1.63 on.
const ABOVE: [&str; 2] = ["/etc/containers/storage.conf.d", "/etc/containers/storage.rootful.conf.d"];
/// No file that is changed here is larger.
const MAX: u64 = 1 << 20;

/// What is done about `storage.conf` for an additional image store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfMode {
    /// The store is entered, after images are in it.
    #[default]
    Edit,
    /// It is shown what would be changed.
    Print,
    /// Nothing.
    None,
}

impl ConfMode {
    /// All, the usual one first.
    pub const ALL: [Self; 3] = [Self::Edit, Self::Print, Self::None];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Print => "print",
            Self::None => "none",
        }
    }
}

/// The node that is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeSpec {
    /// Its root directory: `/`, or where an image of a node is built.
    pub root: PathBuf,
    /// What is done about `storage.conf`.
    pub storage_conf: ConfMode,
    /// A directory for the same as Butane, Ignition and MachineConfig.
    pub out: Option<PathBuf>,
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self { root: PathBuf::from("/"), storage_conf: ConfMode::default(), out: None }
    }
}

impl NodeSpec {
    /// The root directory in full, where it is not this host's.
    pub fn root_apart(&self) -> Option<PathBuf> {
        let absolute = || std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone());
        (self.root != Path::new("/")).then(absolute)
    }
}

/// One file of the node before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileChange {
    /// The file.
    pub path: PathBuf,
    /// The lines that go and come, each with `-` or `+` before it.
    pub diff: Vec<String>,
    /// Whether that was done.
    #[serde(default)]
    pub state: FileState,
    /// All that was in it; nothing where it was not there.
    #[serde(default)]
    before: Option<String>,
    /// All that is in it; nothing where it is gone.
    #[serde(default)]
    after: Option<String>,
}

impl FileChange {
    fn new(path: PathBuf, before: Option<String>, after: Option<String>) -> Self {
        let diff = diff(before.as_deref().unwrap_or_default(), after.as_deref().unwrap_or_default());
        Self { path, diff, state: FileState::default(), before, after }
    }

    /// What became of the file, or would.
    pub fn standing(&self) -> String {
        match (&self.state, &self.after) {
            (FileState::Foreseen, Some(_)) => "would be written".to_owned(),
            (FileState::Foreseen, None) => "would be removed".to_owned(),
            (FileState::Shown, _) => "not written: shown alone".to_owned(),
            (FileState::Made { .. }, None) => "removed".to_owned(),
            (FileState::Made { backup: None }, Some(_)) => "written; it was not there before".to_owned(),
            (FileState::Made { backup: Some(backup) }, Some(_)) => {
                format!("written; the first version is kept as {}", backup.display())
            }
        }
    }

    /// Whether it leads from the same to the same, be it made or not.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.path, &self.before, &self.after) == (&other.path, &other.before, &other.after)
    }

    /// The same change, made; a backup is named where there is one. Blocks.
    ///
    /// # Errors
    /// A file error.
    pub(crate) fn made(self, files: &dyn Files) -> Result<Self> {
        let backup = directory::suffixed(&self.path, BACKUP);
        let backup = files.stat(&backup)?.map(|_| backup);
        Ok(Self { state: FileState::Made { backup }, ..self })
    }
}

/// Whether a change of a file was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum FileState {
    /// A run would make it.
    #[default]
    Foreseen,
    /// It was asked to be shown alone.
    Shown,
    /// It was made.
    Made {
        /// What has the text that the first change found.
        backup: Option<PathBuf>,
    },
}

/// The lines between the common start and the common end of two texts.
fn diff(before: &str, after: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[start..], &new[start..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let gone = old[..old.len() - end].iter().map(|line| format!("-{line}"));
    gone.chain(new[..new.len() - end].iter().map(|line| format!("+{line}"))).collect()
}

/// What is to be changed to enter a store, and what the operator should know. Blocks.
///
/// # Errors
/// [`ConfError`], or a file error.
pub fn plan(files: &dyn Files, spec: &NodeSpec, store: &Path) -> Result<(Vec<FileChange>, Vec<String>)> {
    planned(files, spec, store, false)
}

/// The same to enter it, or to undo that, whoever did it.
fn planned(
    files: &dyn Files,
    spec: &NodeSpec,
    store: &Path,
    undo: bool,
) -> Result<(Vec<FileChange>, Vec<String>)> {
    let mut changes = Vec::new();
    changes.extend(storage_conf(files, spec, store, undo)?);
    if undo || (has_crio(files, &spec.root)? && mounted_apart(&spec.root, store)) {
        for unit in UNITS {
            let path = below(&spec.root, Path::new(&drop_in_path(unit)));
            let before = read(files, &path)?;
            let name = store.display().to_string();
            let after = match &before {
                before if !undo => Some(mounts::add(before.as_deref(), &name)),
                Some(before) => mounts::remove(before, &name),
                None => None,
            };
            if before != after {
                changes.push(FileChange::new(path, before, after));
            }
        }
    }
    let notes = notes(files, spec, store, (&changes, undo))?;
    Ok((changes, notes))
}

/// Makes the changes that were planned; a file that was changed since is an error. Blocks.
///
/// # Errors
/// [`ConfError`], or a file error.
pub fn apply(files: &dyn Files, changes: &[FileChange]) -> Result<()> {
    for change in changes {
        let parent = directory::above(&change.path);
        // What all of the node read is theirs to read, whoever's umask this runs under.
        let own = conf::is_users(&change.path);
        if own { directory::create(files, parent) } else { directory::create_for_all(files, parent) }?;
        let busy = |reason: &str| ConfError { path: change.path.clone(), reason: reason.to_owned() };
        let _held = directory::hold(files, parent)?.ok_or_else(|| busy("another run changes it"))?;
        if read(files, &change.path)? != change.before {
            return Err(busy("it was changed meanwhile, and nothing was written").into());
        }
        let Some(after) = &change.after else {
            files.remove(&change.path)?;
            files.sync_dir(parent)?;
            continue;
        };
        if let Some(before) = &change.before {
            let backup = directory::suffixed(&change.path, BACKUP);
            if files.stat(&backup)?.is_none() {
                // Who may read the one may read the other, whoever's umask this runs under.
                rewrite_as(files, &backup, before, &change.path)?;
            }
        }
        rewrite(files, &change.path, after)?;
        if change.before.is_none() && !own {
            files.set_mode(&change.path, 0o644)?;
        }
    }
    Ok(())
}

/// Writes the same for the tools that configure nodes into a directory; the names of the files. Blocks.
///
/// # Errors
/// [`ConfError`], or a file error.
pub fn export(files: &dyn Files, spec: &NodeSpec, store: &Path, out: &Path) -> Result<Vec<String>> {
    let (path, before) = current(files, spec)?;
    let failed = |reason| ConfError { path: path.clone(), reason };
    let text = edit::add(&before, &store.display().to_string()).map_err(failed)?.unwrap_or(before);
    let mut drop_ins = Vec::new();
    for unit in UNITS {
        let before = read(files, &below(&spec.root, Path::new(&drop_in_path(unit))))?;
        let contents = mounts::add(before.as_deref(), &store.display().to_string());
        drop_ins.push(UnitDropIn { unit: unit.to_owned(), name: DROP_IN.to_owned(), contents });
    }
    let node = NodeFiles { files: vec![NodeFile { path: ETC.to_owned(), contents: text }], drop_ins };
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let pretty = |value: serde_json::Value| format!("{value:#}\n");
    let pool = |pool: &str| {
        let name = format!("99-{pool}-airlift-images");
        (format!("{name}.yaml"), pretty(node.machine_config(&name, pool, encoded)))
    };
    directory::create(files, out)?;
    let texts = [
        ("airlift-images.bu".to_owned(), node.butane()),
        ("airlift-images.ign".to_owned(), pretty(node.ignition(encoded))),
        pool("worker"),
        pool("master"),
    ];
    for (name, text) in &texts {
        rewrite(files, &out.join(name), text)?;
    }
    Ok(texts.map(|(name, _)| name).to_vec())
}

fn drop_in_path(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}.d/{DROP_IN}")
}

/// The file that is changed and what it says now; where there is none, what stands in its place.
fn current(files: &dyn Files, spec: &NodeSpec) -> Result<(PathBuf, String)> {
    let conf = conf::read(files, &spec.root)?;
    let own = conf::own(&spec.root);
    let text = match &conf.file {
        Some(file) => read(files, file)?.unwrap_or_default(),
        None if conf::is_users(&own) => edit::FRESH_USER.to_owned(),
        None => edit::FRESH.to_owned(),
    };
    let Some(file) = conf.file else { return Ok((own, text)) };
    if conf::is_users(&own) && file != own {
        let failed = |reason| ConfError { path: file.clone(), reason };
        return Ok((own, edit::for_user(&text).map_err(failed)?));
    }
    // That of the distribution is overwritten by its updates.
    let updated = file.starts_with(below(&spec.root, Path::new("/usr")));
    Ok((if updated { own } else { file }, text))
}

/// Files that stand above `storage.conf` from containers/storage 1.63 on, where they name additional stores: the list
/// of the last one is the whole list.
fn above(files: &dyn Files, root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    if root == Path::new("/") && conf::variable().is_some() {
        // With it no other file is read.
        return Ok(found);
    }
    for directory in ABOVE {
        for path in entries(files, &below(root, Path::new(directory)))? {
            if path.extension().is_none_or(|extension| extension != "conf") {
                continue;
            }
            let text = read(files, &path)?.unwrap_or_default();
            let names = edit::names_stores(&text);
            if names.map_err(|reason| ConfError { path: path.clone(), reason })? {
                found.push((path, text));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn storage_conf(files: &dyn Files, spec: &NodeSpec, store: &Path, undo: bool) -> Result<Vec<FileChange>> {
    let (path, text) = current(files, spec)?;
    let store = store.display().to_string();
    let mut changes = Vec::new();
    if let Some(former) = former(files, spec, &path, &store)?.filter(|_| undo) {
        changes.push(FileChange::new(path.clone(), Some(text.clone()), former));
    }
    let is_known = !changes.is_empty();
    let main = std::iter::once((path, text)).filter(|_| !is_known);
    for (path, text) in main.chain(above(files, &spec.root)?) {
        let edited = if undo { edit::remove(&text, &store) } else { edit::add(&text, &store) };
        let edited = edited.map_err(|reason| ConfError { path: path.clone(), reason })?;
        if let Some(after) = edited {
            let before = read(files, &path)?;
            changes.push(FileChange::new(path, before, Some(after)));
        }
    }
    Ok(changes)
}

/// What a file was before the store was entered, where that is known: as its backup says, or not there, where nothing is
/// in it but what it was made with.
fn former(files: &dyn Files, spec: &NodeSpec, path: &Path, store: &str) -> Result<Option<Option<String>>> {
    let Some(text) = read(files, path)? else { return Ok(None) };
    let leads = |before: &str| edit::leads(before, store, &text);
    if let Some(backup) = read(files, &directory::suffixed(path, BACKUP))? {
        return Ok(leads(&backup).then_some(Some(backup)));
    }
    let system =
        read(files, &below(&spec.root, Path::new(conf::USR)))?.filter(|_| !path.ends_with(conf::USR));
    let users = system.as_deref().and_then(|system| edit::for_user(system).ok());
    let fresh = [edit::FRESH, edit::FRESH_USER];
    let made = fresh.into_iter().chain(system.as_deref()).chain(users.as_deref()).any(leads);
    Ok(made.then_some(None))
}

fn read(files: &dyn Files, path: &Path) -> Result<Option<String>> {
    let open = match open_named(files, path) {
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let failed = |source| FileError { operation: "read", path: path.to_owned(), source };
    let bytes = read_whole(open, MAX).map_err(failed)?;
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|error| ConfError { path: path.to_owned(), reason: error.to_string() }.into())
}

/// Whether CRI-O is installed on the node.
///
/// # Errors
/// A file error.
pub(crate) fn has_crio(files: &dyn Files, root: &Path) -> Result<bool> {
    for path in CRIO {
        if files.stat(&below(root, Path::new(path)))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the store lies on another mount than the root directory; unknown, and so true, for a node that is built.
fn mounted_apart(root: &Path, store: &Path) -> bool {
    let here = root == Path::new("/");
    let full = store.canonicalize().unwrap_or_else(|_| store.to_owned());
    let all = mounted::of_this_process();
    !here || mounted::holding(&all, &full).is_some_and(|mount| mount.point != Path::new("/"))
}

fn notes(
    files: &dyn Files,
    spec: &NodeSpec,
    store: &Path,
    (changes, undo): (&[FileChange], bool),
) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let store = store.display();
    if let Some(file) = conf::variable().filter(|_| spec.root == Path::new("/")) {
        notes.push(format!(
            "CONTAINERS_STORAGE_CONF is set: it is {} that is read{} here; CRI-O and other users read it only where they are \
             started with the same",
            file.display(),
            if spec.storage_conf == ConfMode::Print { "" } else { " and changed" }
        ));
    }
    if !changes.is_empty() && has_crio(files, &spec.root)? {
        let reload = changes.iter().any(|change| change.path.ends_with(DROP_IN));
        let reload = if reload { "systemctl daemon-reload && " } else { "" };
        // In a user's own file it is looked for by podman alone.
        let users =
            changes.iter().find(|change| conf::is_users(&change.path)).map(|change| change.path.display());
        notes.push(match users {
            Some(own) => format!("{own} is this user's: CRI-O reads {ETC}, which root's import changes"),
            None => format!("CRI-O reads storage.conf when it starts: {reload}systemctl restart crio"),
        });
    }
    if has_selinux(files, &spec.root)? && !undo {
        let by_hand = labelling(Path::new(&store.to_string())).map(|words| shell_words(&words)).join(" && ");
        let when = if spec.root == Path::new("/") { "done by" } else { "on the node itself, run" };
        notes.push(format!("SELinux is on: the store needs the labels of the default one: {when} {by_hand}"));
    }
    Ok(notes)
}

/// Whether the kernel of the node has SELinux.
///
/// # Errors
/// A file error.
pub(crate) fn has_selinux(files: &dyn Files, root: &Path) -> Result<bool> {
    Ok(files.stat(&below(root, Path::new("/sys/fs/selinux/enforce")))?.is_some())
}

/// The commands that give a store the labels of the default one, now and whenever labels are made anew; see
/// containers-storage.conf(5).
pub(crate) fn labelling(store: &Path) -> [Vec<String>; 2] {
    let store = store.display().to_string();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    [
        words(&["semanage", "fcontext", "-a", "-e", "/var/lib/containers/storage", &store]),
        words(&["restorecon", "-R", &store]),
    ]
}

fn entries(files: &dyn Files, directory: &Path) -> Result<Vec<PathBuf>> {
    match files.entries(directory, 1000) {
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => Ok(other?.into_iter().map(|entry| directory.join(entry.path)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    use std::os::unix::fs::PermissionsExt as _;

    const STORE: &str = "/var/images";
    const OCK: &str = "[storage]\ndriver = \"overlay\"\n[storage.options]\nadditionalimagestores = [\"/usr/ock/containers\"] # ours\n";

    fn node(files: &[(&str, &str)]) -> (tempfile::TempDir, NodeSpec) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = below(root.path(), Path::new(name));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let spec = NodeSpec { root: root.path().to_owned(), ..NodeSpec::default() };
        (root, spec)
    }

    fn run(spec: &NodeSpec) -> Vec<FileChange> {
        let (changes, _) = plan(&RealFiles, spec, Path::new(STORE)).unwrap();
        apply(&RealFiles, &changes).unwrap();
        changes
    }

    fn out(spec: &NodeSpec) -> FilesUndone {
        take_out(&RealFiles, spec, Path::new(STORE), true).unwrap().0
    }

    fn stores(spec: &NodeSpec) -> Vec<PathBuf> {
        conf::read(&RealFiles, &spec.root).unwrap().additional
    }

    #[test]
    fn a_file_says_whether_it_was_written_and_where_its_first_version_is() {
        let (_root, spec) = node(&[(ETC, OCK)]);
        let (changes, _) = plan(&RealFiles, &spec, Path::new(STORE)).unwrap();
        assert_eq!(changes[0].standing(), "would be written");
        let shown = FileChange { state: FileState::Shown, ..changes[0].clone() };
        assert_eq!(shown.standing(), "not written: shown alone");
        apply(&RealFiles, &changes).unwrap();
        let made = changes[0].clone().made(&RealFiles).unwrap().standing();
        let backup = directory::suffixed(&below(&spec.root, Path::new(ETC)), BACKUP);
        assert_eq!(made, format!("written; the first version is kept as {}", backup.display()));
    }

    #[test]
    fn another_store_survives_the_entry_and_its_undoing() {
        let (_root, spec) = node(&[(ETC, OCK), ("/etc/crio/crio.conf", "")]);
        let changes = run(&spec);
        assert_eq!(changes.len(), 3, "{changes:?}");
        assert_eq!(
            changes[0].diff,
            [
                "-additionalimagestores = [\"/usr/ock/containers\"] # ours",
                "+additionalimagestores = [\"/usr/ock/containers\", \"/var/images\"] # ours"
            ]
        );
        assert_eq!(stores(&spec), ["/usr/ock/containers", STORE].map(PathBuf::from));
        let unit = below(&spec.root, Path::new(&drop_in_path("crio-wipe.service")));
        assert!(std::fs::read_to_string(&unit).unwrap().contains("RequiresMountsFor=\"/var/images\""));
        let backup = directory::suffixed(&below(&spec.root, Path::new(ETC)), BACKUP);
        assert_eq!(std::fs::read_to_string(backup).unwrap(), OCK);
        assert_eq!(run(&spec), [], "a second time there is nothing to do");
        let dry = take_out(&RealFiles, &spec, Path::new(STORE), false).unwrap().0;
        assert!(unit.exists(), "a dry run is dry");
        let undone = out(&spec);
        assert_eq!((&dry, undone.restored.len(), undone.removed.len()), (&undone, 1, 2));
        assert!(out(&spec).is_idle(), "a second time there is nothing to do");
        assert_eq!(std::fs::read_to_string(below(&spec.root, Path::new(ETC))).unwrap(), OCK);
        assert!(!unit.exists());
    }

    #[test]
    fn the_file_of_the_distribution_is_copied_and_one_that_is_nowhere_is_made() {
        let (_root, spec) = node(&[("/usr/share/containers/storage.conf", OCK)]);
        run(&spec);
        assert_eq!(stores(&spec).len(), 2);
        let there =
            std::fs::read_to_string(below(&spec.root, Path::new("/usr/share/containers/storage.conf")));
        assert_eq!(there.unwrap(), OCK);
        let (_root, fresh) = node(&[]);
        run(&fresh);
        assert_eq!(stores(&fresh), [PathBuf::from(STORE)]);
        for spec in [spec, fresh] {
            out(&spec);
            assert!(!below(&spec.root, Path::new(ETC)).exists(), "it was not there before");
        }
    }

    #[test]
    fn undone_the_file_is_what_it_was_to_the_byte() {
        for before in [
            "[storage]\ndriver = \"overlay\"\n",
            "[storage]\ndriver = \"overlay\"\n[storage.options]\nadditionalimagestores = []\n",
            "[storage]\n[storage.options]\n",
        ] {
            let (_root, spec) = node(&[(ETC, before)]);
            run(&spec);
            out(&spec);
            let etc = below(&spec.root, Path::new(ETC));
            assert_eq!(std::fs::read_to_string(&etc).unwrap(), before);
            run(&spec);
            std::fs::write(&etc, std::fs::read_to_string(&etc).unwrap() + "# later\n").unwrap();
            assert_eq!(out(&spec).taken_out, [etc.display().to_string()]);
            let after = std::fs::read_to_string(&etc).unwrap();
            assert!(after.contains("# later") && !after.contains(STORE), "{after}");
        }
    }

    #[test]
    fn two_stores_are_both_waited_for_and_each_is_taken_out_alone() {
        let (_root, spec) = node(&[(ETC, OCK), ("/etc/crio/crio.conf", "")]);
        let unit = below(&spec.root, Path::new(&drop_in_path("crio.service")));
        let run = |spec: &NodeSpec, store: &str| {
            let (changes, _) = plan(&RealFiles, spec, Path::new(store)).unwrap();
            apply(&RealFiles, &changes).unwrap();
            std::fs::read_to_string(&unit).unwrap_or_default()
        };
        run(&spec, STORE);
        let both = run(&spec, "/srv/images");
        assert!(both.contains("\"/var/images\"") && both.contains("\"/srv/images\""), "{both}");
        let out = spec.root.join("out");
        export(&RealFiles, &spec, Path::new("/srv/images"), &out).unwrap();
        let butane = std::fs::read_to_string(out.join("airlift-images.bu")).unwrap();
        assert!(butane.contains("RequiresMountsFor=\"/var/images\""), "{butane}");
        let out = |store: &str| {
            take_out(&RealFiles, &spec, Path::new(store), true).unwrap();
            std::fs::read_to_string(&unit).unwrap_or_default()
        };
        let one = out(STORE);
        assert!(!one.contains("\"/var/images\"") && one.contains("\"/srv/images\""), "{one}");
        out("/srv/images");
        assert!(!unit.exists());
    }

    #[test]
    fn every_file_gets_its_former_bytes_back_unless_it_was_changed_since() {
        let (_root, spec) = node(&[(ETC, OCK), ("/etc/crio/crio.conf", "")]);
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let mut changes = run(&spec);
        let (other, _) = plan(&RealFiles, &spec, Path::new("/srv/images")).unwrap();
        apply(&RealFiles, &other).unwrap();
        changes.extend(other);
        let kept: Vec<FileChange> = serde_json::from_str(&serde_json::to_string(&changes).unwrap()).unwrap();
        assert_eq!(kept, changes);
        let unit = below(&spec.root, Path::new(&drop_in_path("crio.service")));
        let dry = take_back(&RealFiles, &kept, None, false).unwrap();
        assert!(read(&unit).is_some(), "a dry run is dry");
        std::fs::write(&unit, "# mine\n").unwrap();
        let undone = take_back(&RealFiles, &kept, None, true).unwrap();
        assert_eq!(read(&below(&spec.root, Path::new(ETC))).as_deref(), Some(OCK));
        assert_eq!(read(&unit).as_deref(), Some("# mine\n"));
        assert_eq!((undone.kept.len(), undone.removed.len(), dry.kept.len()), (2, 1, 0), "{undone:?}");
        let again = take_back(&RealFiles, &kept, None, true).unwrap();
        assert!(again.restored.is_empty() && again.removed.is_empty(), "{again:?}");
    }

    #[test]
    fn the_copy_of_a_file_as_it_was_first_is_read_by_those_who_read_that() {
        for mode in [0o640, 0o666] {
            let (dir, spec) = node(&[("etc/containers/storage.conf", "[storage]\ndriver = \"overlay\"\n")]);
            let conf = dir.path().join("etc/containers/storage.conf");
            std::fs::set_permissions(&conf, std::fs::Permissions::from_mode(mode)).unwrap();
            run(&spec);
            let modes = [conf.clone(), directory::suffixed(&conf, BACKUP)]
                .map(|path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777);
            assert_eq!(modes, [mode; 2]);
        }
    }

    #[test]
    fn what_changed_since_it_was_planned_is_left_alone() {
        let (_root, spec) = node(&[(ETC, OCK)]);
        let (changes, _) = plan(&RealFiles, &spec, Path::new(STORE)).unwrap();
        let path = below(&spec.root, Path::new(ETC));
        std::fs::write(&path, "# other\n").unwrap();
        assert!(apply(&RealFiles, &changes).unwrap_err().message().contains("meanwhile"));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "# other\n");
    }

    #[test]
    fn a_drop_in_that_would_hide_the_entry_gets_it_too() {
        let above = "/etc/containers/storage.conf.d/10-x.conf";
        let other = ("/etc/containers/storage.conf.d/20-y.conf", "[storage]\ndriver = \"overlay\"\n");
        let (_root, spec) =
            node(&[(ETC, OCK), (above, OCK), other, ("/sys/fs/selinux/enforce", "1"), ("/etc/crio/x", "")]);
        let (changes, notes) = plan(&RealFiles, &spec, Path::new(STORE)).unwrap();
        assert!(notes[1].contains("semanage"), "{notes:?}");
        let conf: Vec<_> =
            changes.iter().filter(|change| change.path.extension().unwrap() == "conf").collect();
        let path = below(&spec.root, Path::new(above));
        assert!(conf.iter().any(|change| change.path == path), "{changes:?}");
        assert!(!changes.iter().any(|change| change.path.ends_with("20-y.conf")), "{changes:?}");
        run(&spec);
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"/usr/ock/containers\", \"/var/images\""));
        out(&spec);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), OCK);
    }

    #[test]
    fn what_configures_nodes_gets_the_whole_file_and_both_units() {
        let (root, spec) = node(&[(ETC, OCK)]);
        let out = root.path().join("out");
        let names = export(&RealFiles, &spec, Path::new(STORE), &out).unwrap();
        assert_eq!(names.len(), 4);
        let butane = std::fs::read_to_string(out.join("airlift-images.bu")).unwrap();
        assert!(butane.contains("\"/usr/ock/containers\", \"/var/images\""), "{butane}");
        let config: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.join("99-worker-airlift-images.yaml")).unwrap())
                .unwrap();
        let units = config["spec"]["config"]["systemd"]["units"].as_array().unwrap();
        assert_eq!(units.len(), 2);
        let source = config["spec"]["config"]["storage"]["files"][0]["contents"]["source"].as_str().unwrap();
        let (_, encoded) = source.split_once("base64,").unwrap();
        let text = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("/var/images"));
        assert_eq!(
            std::fs::read_to_string(below(&spec.root, Path::new(ETC))).unwrap(),
            OCK,
            "nothing is changed"
        );
    }
}
