//! What keeps a service from serving at the next boot, looked for before anything is written.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::error::ServiceError;
use super::{InstallSpec, Root};
use crate::engine::bundle::contents::{is_static, running_program};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{FileError, Result};
use crate::engine::files::EntryKind;
use crate::engine::media::{self, ListSpec, mounts};

/// A bundle with more files than this is not looked through.
const MAX_FILES: usize = 1_000_000;
/// Bytes at the beginning of a program that hold its headers.
const HEADERS: usize = 64 * 1024;

/// Everything that is not as it should be; the first that must not be is an error. Blocks.
pub(super) fn all(spec: &InstallSpec, root: &Root, ctx: &JobCtx) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let table = mounts::of_this_process();
    for bundle in &spec.bundles {
        readable(ctx, root, bundle)?;
        if let Some(removable) = media::removable(bundle, &ListSpec::default(), ctx) {
            notes.push(format!(
                "{} lies on {}, a removable medium: it must be there at every boot, or there is no registry",
                bundle.display(),
                removable.display()
            ));
        }
        if root.is_here() {
            notes.extend(fleeting(&table, bundle));
        }
        if !root.is_here() && root.of_node(bundle) == std::path::absolute(bundle).unwrap_or_default() {
            notes.push(format!(
                "{} lies outside the root: the node must have it at that path",
                bundle.display()
            ));
        }
    }
    let program = std::fs::read(running_program().map_err(own_program)?).map_err(own_program)?;
    if !is_static(&program[..program.len().min(HEADERS)]) {
        notes.push(
            "this program is linked against the libraries of this host: the service needs them where it runs; the \
             static binary needs none"
                .to_owned(),
        );
    }
    Ok(notes)
}

pub(super) fn own_program(source: std::io::Error) -> FileError {
    FileError { operation: "read", path: PathBuf::from("/proc/self/exe"), source }
}

/// Whether the address can be had; asked only while no service of ours has it.
pub(super) fn free(address: SocketAddr) -> Result<()> {
    match TcpListener::bind(address) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(ServiceError::Taken { address }.into())
        }
        // One that comes with the network may come later.
        _ => Ok(()),
    }
}

/// Refuses a bundle that a user without rights cannot read.
fn readable(ctx: &JobCtx, root: &Root, bundle: &Path) -> Result<()> {
    let whole = std::path::absolute(bundle).unwrap_or_else(|_| bundle.to_owned());
    let above = closed_above(root, &whole)?;
    let inside = closed_in(ctx, &whole)?;
    let Some(path) = above.first().or(inside.as_ref()).cloned() else { return Ok(()) };
    Err(ServiceError::Unreadable { path, whole: inside.map(|_| whole), above }.into())
}

/// Refuses a path of the node that a user without rights would not come to; what is not there yet is made open.
pub(super) fn reached(root: &Root, path: &Path) -> Result<()> {
    let above = closed_above(root, &root.real(path))?;
    let Some(path) = above.first().cloned() else { return Ok(()) };
    Err(ServiceError::Unreadable { path, whole: None, above }.into())
}

/// Directories above a path that are there and that only some may pass through, outer ones first.
fn closed_above(root: &Root, path: &Path) -> Result<Vec<PathBuf>> {
    let outside = root.real(Path::new("/"));
    let around = path.ancestors().skip(1).take_while(|path| path.starts_with(&outside) && *path != outside);
    let mut above = Vec::new();
    for path in around.filter(|path| path.exists()) {
        if !may(path, 0o1)? {
            above.insert(0, path.to_owned());
        }
    }
    Ok(above)
}

/// The first of a directory that not everybody can read.
fn closed_in(ctx: &JobCtx, whole: &Path) -> Result<Option<PathBuf>> {
    if !may(whole, 0o5)? {
        return Ok(Some(whole.to_owned()));
    }
    for entry in ctx.files.list(whole, MAX_FILES)? {
        let (path, wanted) =
            (whole.join(&entry.path), if entry.kind == EntryKind::Directory { 0o5 } else { 0o4 });
        if !may(&path, wanted)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether everybody may do that with what lies at a path.
fn may(path: &Path, wanted: u32) -> Result<bool> {
    let failed = |source| FileError { operation: "look at", path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    Ok(mode & wanted == wanted)
}

/// A mount that nothing makes at boot.
fn fleeting(table: &[mounts::Mount], path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    let mount = mounts::holding(table, &real)?;
    let point = mount.point.to_str()?;
    if point == "/" {
        return None;
    }
    let fstab = std::fs::read_to_string("/etc/fstab").unwrap_or_default();
    let listed = fstab.lines().any(|line| line.split_whitespace().nth(1) == Some(point));
    // systemd.mount(5): the unit is named after the mount point.
    let unit = format!("{}.mount", point.trim_matches('/').replace('-', "\\x2d").replace('/', "-"));
    let by_unit = ["/etc/systemd/system", "/usr/lib/systemd/system"]
        .iter()
        .any(|dir| Path::new(dir).join(&unit).is_file());
    (!listed && !by_unit).then(|| {
        format!(
            "{} lies on {point}, which /etc/fstab does not mount: it will not be there after a reboot",
            path.display()
        )
    })
}
