//! What can go wrong with a medium that is no file error.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::domain::media::Blocked;
use crate::domain::shell::shell_words;
use crate::domain::text;
use crate::engine::error::{Explain, FileError, Kind, Result};

/// Why something cannot be done with a medium.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Nothing has that name.
    #[error("there is no path {}", path.display())]
    Absent {
        /// As given.
        path: PathBuf,
    },
    /// The path lies in memory, on a network, or is no device.
    #[error("{} is on no medium: it lies in memory, on a network, or is no device", path.display())]
    NoMedium {
        /// As given.
        path: PathBuf,
    },
    /// It must not be touched, or cannot be.
    #[error("{}: {why}", path.display())]
    Blocked {
        /// The device or directory.
        path: PathBuf,
        /// Why.
        why: Blocked,
    },
    /// It is nothing that is taken out.
    #[error("{} stays where it is: {why}", path.display())]
    Stays {
        /// The device.
        path: PathBuf,
        /// Why.
        why: Blocked,
    },
    /// It is built in.
    #[error("{} stays where it is: a built-in disk ({bus}), nothing that is taken out", path.display())]
    Fixed {
        /// The device.
        path: PathBuf,
        /// How it is attached.
        bus: &'static str,
    },
    /// Another medium lies there than was meant.
    #[error("{} is on {now} now, which carries nothing of {only}", path.display())]
    Another {
        /// As given.
        path: PathBuf,
        /// The mark of what was meant.
        only: String,
        /// The medium that is there.
        now: String,
    },
    /// Too little is free to tell anything.
    #[error("{}: {} are free, too little for a capacity check", path.display(), text::bytes(*free))]
    NoRoom {
        /// The directory.
        path: PathBuf,
        /// Bytes.
        free: u64,
    },
    /// Another check is under way there.
    #[error("another check is under way in {}", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Files on it are in use.
    #[error("{} is in use{}", point.display(), holders_text(holders))]
    Busy {
        /// The mount point.
        point: PathBuf,
        /// By what: name, process id and path; what this user may see.
        holders: Vec<String>,
    },
    /// It needs udisks2, or root.
    #[error("cannot {what}: udisks2 does not run here{}", if *root { "" } else { ", and this user is not root" })]
    NoUdisks {
        /// What was to be done.
        what: String,
        /// The command that does it.
        command: String,
        /// Whether this user is root.
        root: bool,
    },
    /// udisks2 said no.
    #[error("udisks2 cannot {what}: {reason}")]
    Udisks {
        /// What was to be done.
        what: String,
        /// In its words.
        reason: String,
        /// The command that tries again.
        command: String,
    },
}

fn holders_text(holders: &[String]) -> String {
    if holders.is_empty() { String::new() } else { format!(": {}", holders.join("; ")) }
}

/// The way round a disk that only looks built in, mounted at these places; nothing where it is at none.
pub fn around(places: &[String]) -> Option<String> {
    let (first, all) = (shell_words(places.get(..1)?), shell_words(places));
    Some(format!(
        "--to {first} packs to it as a directory; after umount {all}, as root, the disk can be chosen"
    ))
}

/// Refuses a name that nothing has; any other trouble is told by whoever looks there.
///
/// # Errors
/// [`MediaError::Absent`].
pub fn expect(path: &Path) -> std::result::Result<(), MediaError> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(MediaError::Absent { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// What a name stands for, without links. Blocks.
///
/// # Errors
/// [`MediaError::Absent`] of a name that nothing has; of any other, what the kernel said.
pub(super) fn leads_to(path: &Path) -> Result<PathBuf> {
    let path = path.to_owned();
    path.canonicalize().map_err(|source| match source.kind() {
        ErrorKind::NotFound => MediaError::Absent { path }.into(),
        _ => FileError { operation: "look at", path, source }.into(),
    })
}

impl Explain for MediaError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoMedium { .. } => Kind::Usage,
            Self::NoRoom { .. } | Self::Blocked { why: Blocked::TooSmall { .. }, .. } => Kind::Space,
            Self::Locked { .. } => Kind::Locked,
            Self::Absent { .. }
            | Self::Another { .. }
            | Self::Blocked { .. }
            | Self::Stays { .. }
            | Self::Fixed { .. }
            | Self::Busy { .. }
            | Self::NoUdisks { .. }
            | Self::Udisks { .. } => Kind::Medium,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Stays { .. } => {
                "nothing to eject there; airlift media list shows what can be taken out".to_owned()
            }
            Self::Fixed { .. } => {
                "nothing to eject there; one that was plugged in all the same: umount DIRECTORY, as root, then unplug it"
                    .to_owned()
            }
            Self::Absent { .. } | Self::NoMedium { .. } => "airlift media list shows the media that are there".to_owned(),
            Self::Blocked { why, .. } => match why {
                Blocked::System { .. } | Blocked::Source { .. } => "choose another medium".to_owned(),
                why @ Blocked::BuiltIn { .. } => around(why.mounted_at()).unwrap_or_default(),
                Blocked::NotMounted => {
                    "mount it first: udisksctl mount -b DEVICE, or mount DEVICE DIRECTORY".to_owned()
                }
                Blocked::MountedReadOnly | Blocked::WriteProtected => {
                    "a write-protect switch, or mounted read-only after an error: see dmesg".to_owned()
                }
                Blocked::ReadOnlyAfterError => {
                    "nothing was written; what it holds may be damaged: as root, umount it and fsck it".to_owned()
                }
                Blocked::NotWritable => "run as a user who may write there".to_owned(),
                _ => "airlift media list says what is on it".to_owned(),
            },
            Self::Another { .. } => "nothing was done; plug the intended medium in again".to_owned(),
            Self::NoRoom { .. } => "free some space, or use an empty medium".to_owned(),
            Self::Locked { .. } => "wait until it is over".to_owned(),
            Self::Busy { holders, .. } if holders.is_empty() => {
                "close what uses it; as root, this command says who it is".to_owned()
            }
            Self::Busy { .. } => "close what uses it and try again; do not pull it out yet".to_owned(),
            Self::NoUdisks { command, .. } | Self::Udisks { command, .. } => format!("as root: {command}"),
        };
        vec![hint]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_looked_at_is_not_called_absent() {
        let dir = tempfile::tempdir().unwrap();
        let (absent, around) = (dir.path().join("absent"), dir.path().join("around"));
        std::os::unix::fs::symlink(&around, &around).unwrap();
        let said = leads_to(&absent).unwrap_err().message();
        assert!(said.starts_with("there is no path "), "{said}");
        let said = leads_to(&around).unwrap_err().message();
        assert!(said.starts_with(&format!("cannot look at {}: ", around.display())), "{said}");
    }

    #[test]
    fn the_way_round_a_disk_packs_to_one_place_and_unmounts_every_one() {
        let holds = vec!["/srv/my disk".to_owned(), "/home/b".to_owned()];
        let error = MediaError::Blocked { path: "/dev/sdb".into(), why: Blocked::BuiltIn { holds } };
        let way = "--to '/srv/my disk' packs to it as a directory; after umount '/srv/my disk' /home/b, as root, the disk can be \
                   chosen";
        assert_eq!(error.hints(), [way]);
    }
}
