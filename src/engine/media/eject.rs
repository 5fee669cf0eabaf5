//! The verb `media eject`: makes a medium safe to take out, and tells apart what is true: synced, verified, powered off.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{MediaError, leads_to};
use super::find::{ListSpec, list, place_of};
use super::flush::flush;
use super::mount::{is_root, release};
use super::udisks::{Done, Reason, Udisks};
use crate::domain::bundle::{MANIFEST, directory};
use crate::domain::carrier::Carrier;
use crate::domain::media::{Blocked, FoundBundle, Medium, Volume};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{FileError, Result};
use crate::engine::state::{ReadBackThere, State, Written};

/// What lies there of each bundle's document, by the bundle's directory.
type Documents = BTreeMap<PathBuf, Written>;

/// What to eject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EjectSpec {
    /// A device, a mount point, or anything on the medium.
    pub path: PathBuf,
    /// How what was written was read back from the medium, by the word of who asks; nothing where it was not.
    pub verified: Option<String>,
    /// The mark of what it must be, [`Carrier::mark`]: anything else is left alone. Nothing lets any medium go.
    pub only: Option<String>,
    /// Where it is remembered what packs of this host read back.
    pub state: PathBuf,
    /// Whether the kernel may take the device away where udisks2 does not run.
    pub detach: bool,
    /// Whether to tell only what would be unmounted.
    pub dry_run: bool,
}

/// One truth about a medium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Whether it holds.
    pub holds: bool,
    /// How it is known, or why it does not hold.
    pub words: String,
}

/// What came of it; three truths, each for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EjectReport {
    /// The medium, as it was before.
    pub medium: Medium,
    /// Whether the device took everything that was written.
    pub synced: Truth,
    /// Whether it was read back.
    pub verified: Truth,
    /// Whether it has no power any more.
    pub powered_off: Truth,
    /// Where it was mounted.
    pub unmounted: Vec<PathBuf>,
    /// Whether nothing was done.
    pub dry_run: bool,
}

impl EjectReport {
    /// One line that never says more than is true.
    pub fn line(&self) -> String {
        let word = |truth: &Truth, name: &str| match truth.holds {
            true => format!("{name} ({})", truth.words),
            false => format!("NOT {name} ({})", truth.words),
        };
        let (synced, verified) = (word(&self.synced, "synced"), word(&self.verified, "verified"));
        let powered_off = word(&self.powered_off, "powered off");
        match (self.synced.holds, self.verified.holds) {
            (true, true) => format!("Safe to remove: {synced}, {verified}, {powered_off}"),
            // What it kept is not known: nothing about it is called safe.
            (true, false) => format!("Can be taken out; {verified}: {synced}, {powered_off}"),
            (false, _) => format!("NOT safe to rely on: {synced}, {verified}, {powered_off}"),
        }
    }
}

/// Syncs, unmounts and powers off.
///
/// # Errors
/// The system's disk, a built-in one or no medium at all, files in use, no way to unmount, a file error. A sync that failed is no
/// error but a truth that does not hold: what is there is unmounted nevertheless.
pub async fn eject(spec: EjectSpec, ctx: &JobCtx) -> Result<EjectReport> {
    let medium = target(&spec.path, ctx).await?;
    leaves(&medium)?;
    if let Some(only) = &spec.only {
        is_only(&spec.path, &medium, only)?;
    }
    let mounted: Vec<(PathBuf, PathBuf)> = medium
        .volumes
        .iter()
        .flat_map(|volume| volume.mount_points.iter().map(|point| (volume.device.clone(), point.clone())))
        .collect();
    if spec.dry_run {
        let undone = || Truth { holds: false, words: "nothing was done".to_owned() };
        let unmounted = mounted.into_iter().map(|(_, point)| point).collect();
        let (synced, verified, powered_off) = (undone(), undone(), undone());
        return Ok(EjectReport { medium, synced, verified, powered_off, unmounted, dry_run: true });
    }
    let state = State::new(ctx.files.clone(), spec.state);
    // What cannot be read is not known.
    let looked_at = medium.clone();
    let (known, there) =
        blocking(move || Ok((state.read_back().unwrap_or_default(), documents(&looked_at)))).await?;
    let synced = sync(mounted.iter().map(|(_, point)| point.clone()).collect(), ctx).await?;
    for (device, point) in mounted.iter().rev() {
        ctx.check()?;
        release(device, point).await?;
    }
    let verified = match spec.verified {
        Some(words) => Truth { holds: true, words },
        None => read_back(&medium, &known, &there),
    };
    let unmounted = mounted.into_iter().map(|(_, point)| point).collect();
    let powered_off = power_off(&medium, spec.detach).await?;
    Ok(EjectReport { medium, synced, verified, powered_off, unmounted, dry_run: false })
}

/// The documents of the bundles on a medium as they lie there, while it is mounted. Blocks.
fn documents(medium: &Medium) -> Documents {
    let of = |volume: &Volume, found: &FoundBundle| {
        let written = Written::of(&found.path.join(MANIFEST), volume.file_system.as_ref()?).ok()?;
        Some((found.path.clone(), written))
    };
    let volumes = medium.volumes.iter();
    volumes.flat_map(|volume| volume.bundles.iter().filter_map(move |found| of(volume, found))).collect()
}

/// What the packs of this host read back of the bundles on a medium: of all of them as they lie there, or it is not known.
fn read_back(medium: &Medium, known: &[ReadBackThere], documents: &Documents) -> Truth {
    let on = |volume: &Volume, found: &FoundBundle| {
        let (mark, words) = (Carrier::mark_of(medium, volume), found.words.as_ref()?);
        let there =
            known.iter().rev().find(|there| there.document == words.document && there.mark == mark)?;
        // The same bundle copied there anew was never read back.
        there.is_still(documents.get(&found.path)).then_some(())?;
        let (name, signed) = (directory(&words.name, words.serial), there.signed.strftime("%Y-%m-%d %H:%MZ"));
        Some(format!("{name}: {}, before it was signed {signed}", there.how))
    };
    let volumes = medium.volumes.iter();
    let all: Option<Vec<String>> =
        volumes.flat_map(|volume| volume.bundles.iter().map(move |found| on(volume, found))).collect();
    match all.filter(|all| !all.is_empty()) {
        Some(all) => Truth { holds: true, words: all.join("; ") },
        None => {
            Truth { holds: false, words: "not known here; airlift verify BUNDLE reads it back".to_owned() }
        }
    }
}

/// Refuses what is never taken out: a power cut takes every file system on it along.
fn leaves(medium: &Medium) -> Result<()> {
    let path = medium.device.clone();
    match medium.blocked.clone() {
        Some(why @ Blocked::System { .. }) => Err(MediaError::Stays { path, why }.into()),
        _ if medium.is_fixed() => Err(MediaError::Fixed { path, bus: medium.bus.name() }.into()),
        _ => Ok(()),
    }
}

/// Refuses a medium that carries nothing of that mark.
fn is_only(path: &Path, medium: &Medium, only: &str) -> Result<()> {
    let places = medium
        .volumes
        .iter()
        .flat_map(|volume| volume.mount_points.iter().map(|point| (point.clone(), volume.device.clone())));
    // What is built upon a device has no volume here, and is known by the device.
    let device = (PathBuf::new(), medium.device.clone());
    let mut marks =
        places.chain([device]).map(|(point, source)| Carrier::of(point, source, Some(medium)).mark());
    if marks.any(|mark| mark == only) {
        return Ok(());
    }
    let (path, only, now) = (path.to_owned(), only.to_owned(), medium.short_name());
    Err(MediaError::Another { path, only, now }.into())
}

/// The medium that a path names or lies on.
async fn target(path: &Path, ctx: &JobCtx) -> Result<Medium> {
    let missing = || MediaError::NoMedium { path: path.to_owned() };
    let named = path.to_owned();
    let full = blocking(move || leads_to(&named)).await?;
    let spec = ListSpec { bundles: true, ..ListSpec::default() };
    if full.starts_with("/dev") {
        let media = list(spec, ctx).await?.media;
        let is_named = |medium: &Medium| {
            medium.device == full || medium.volumes.iter().any(|volume| volume.device == full)
        };
        return Ok(media.into_iter().find(is_named).ok_or_else(missing)?);
    }
    Ok(place_of(full, spec, ctx).await?.medium.ok_or_else(missing)?)
}

/// Waits for each file system to have written everything.
async fn sync(points: Vec<PathBuf>, ctx: &JobCtx) -> Result<Truth> {
    if points.is_empty() {
        return Ok(Truth { holds: true, words: "nothing of it is mounted".to_owned() });
    }
    let items = points.len() as u64;
    let failed =
        flush(ctx, items, u64::MAX, move || Ok(points.iter().find_map(|point| sync_one(point).err())))
            .await?;
    Ok(match failed {
        None => Truth { holds: true, words: "the device says that it has everything".to_owned() },
        Some(error) => {
            Truth { holds: false, words: crate::engine::error::EngineError::from(error).message() }
        }
    })
}

fn sync_one(point: &Path) -> std::result::Result<(), FileError> {
    let failed = |source| FileError { operation: "sync", path: point.to_owned(), source };
    let top = File::open(point).map_err(failed)?;
    rustix::fs::syncfs(&top).map_err(|errno| failed(errno.into()))
}

/// What is true of a drive's power after udisks2 was asked.
fn off(outcome: std::result::Result<Done, Reason>) -> Truth {
    let (holds, words) = match outcome {
        Ok(Done::PoweredOff) => (true, "by udisks2".to_owned()),
        Ok(Done::Ejected) => (false, "ejected by udisks2; its drive cannot be powered off".to_owned()),
        Ok(Done::Neither) => (false, "unmounted; this drive cannot be powered off".to_owned()),
        Err(reason) => (false, format!("unmounted; udisks2: {reason}")),
    };
    Truth { holds, words }
}

async fn power_off(medium: &Medium, detach: bool) -> Result<Truth> {
    let stays = |words: String| Truth { holds: false, words };
    if let Some(udisks) = Udisks::connect().await {
        return Ok(off(udisks.power_off(&medium.device).await));
    }
    if !detach {
        return Ok(stays("unmounted, not powered off: udisks2 does not run here".to_owned()));
    }
    if !is_root() {
        return Ok(stays("unmounted; only root can detach a device".to_owned()));
    }
    let switch = Path::new("/sys/block").join(&medium.name).join("device/delete");
    let wrote = blocking(move || {
        Ok(std::fs::OpenOptions::new()
            .write(true)
            .open(switch)
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"1")))
    });
    Ok(match wrote.await? {
        Ok(()) => stays("detached by the kernel, which cuts no power".to_owned()),
        Err(error) => stays(format!("unmounted; the kernel cannot detach it: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;
    use crate::domain::media::{BundleWords, Bus, FileSystem};

    fn medium() -> Medium {
        Medium {
            name: "sdb".to_owned(),
            device: "/dev/sdb".into(),
            model: None,
            serial: None,
            bus: Bus::Usb,
            removable: true,
            read_only: false,
            size: 1,
            sequence: None,
            file: None,
            volumes: Vec::new(),
            blocked: None,
            notes: Vec::new(),
        }
    }

    fn line(synced: bool, verified: bool) -> String {
        let truth = |holds| Truth { holds, words: "so".to_owned() };
        let medium = medium();
        let (synced, verified, powered_off) = (truth(synced), truth(verified), truth(false));
        let unmounted = Vec::new();
        EjectReport { medium, synced, verified, powered_off, unmounted, dry_run: false }.line()
    }

    fn volume(uuid: Option<&str>) -> Volume {
        Volume {
            device: "/dev/sdb1".into(),
            size: 9,
            file_system: Some(FileSystem::Fat),
            label: None,
            uuid: uuid.map(ToOwned::to_owned),
            mount_points: vec!["/media/a".into()],
            read_only: false,
            after_error: false,
            writable: Some(true),
            free: None,
            limits: None,
            bundles: Vec::new(),
            begun: BTreeMap::new(),
            blocked: None,
        }
    }

    #[test]
    fn what_a_pack_of_this_host_read_back_is_known_where_it_is_all_that_lies_on_that_medium() {
        let found = |fill: u8| FoundBundle {
            path: format!("/media/a/site-{fill}").into(),
            verified: false,
            words: Some(BundleWords {
                id: uuid::Uuid::nil(),
                document: Digest::sha256(&[fill; 32]),
                name: "site".to_owned(),
                serial: fill.into(),
                created: jiff::Timestamp::UNIX_EPOCH,
                expires: None,
                images: 1,
                bytes: 9,
                signatures: 1,
                complete: true,
                signers: Vec::new(),
                version: String::new(),
                program: false,
                named: BTreeMap::new(),
            }),
            fault: None,
        };
        let on = |uuid: &str, bundles: Vec<FoundBundle>| Medium {
            volumes: vec![Volume { bundles, ..volume(Some(uuid)) }],
            ..medium()
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        let then = Written::of(file.path(), &FileSystem::Fat).unwrap();
        let known = [ReadBackThere {
            document: Digest::sha256(&[1; 32]),
            mark: "uuid=1234-ABCD".to_owned(),
            signed: jiff::Timestamp::UNIX_EPOCH,
            how: "9 bytes read back".to_owned(),
            written: Some(then.clone()),
        }];
        std::fs::write(file.path(), "another length").unwrap();
        let copied = Written::of(file.path(), &FileSystem::Fat).unwrap();
        let lies = |written: Written| Documents::from([(found(1).path, written)]);
        let (same, copied) = (lies(then), lies(copied));
        let damaged = FoundBundle { words: None, ..found(2) };
        for (medium, holds) in [
            (on("1234-ABCD", vec![found(1)]), true),
            (on("9999-0000", vec![found(1)]), false),
            (on("1234-ABCD", vec![found(1), found(2)]), false),
            (on("1234-ABCD", vec![found(1), damaged]), false),
            (on("1234-ABCD", vec![]), false),
        ] {
            for changed in [&copied, &Documents::new()] {
                assert!(!read_back(&medium, &known, changed).holds, "{medium:?}");
            }
            let truth = read_back(&medium, &known, &same);
            assert_eq!(truth.holds, holds, "{medium:?}: {}", truth.words);
            let words = "site-1: 9 bytes read back, before it was signed 1970-01-01 00:00Z";
            assert_eq!(truth.words == words, holds, "{}", truth.words);
        }
    }

    #[test]
    fn another_medium_at_the_same_place_is_left_alone() {
        let stick = |uuid: Option<&str>, serial: &str| Medium {
            serial: Some(serial.to_owned()),
            volumes: vec![volume(uuid)],
            ..medium()
        };
        let mark = |medium: &Medium| Carrier::of("/media/a".into(), "/dev/sdb1".into(), Some(medium)).mark();
        let (known, nameless) = (stick(Some("1234-ABCD"), "1"), stick(None, "1"));
        for (now, asked, same) in [
            (&known, &known, true),
            (&nameless, &nameless, true),
            (&stick(Some("1234-ABCD"), "2"), &known, true),
            (&stick(Some("9999-0000"), "1"), &known, false),
            (&stick(None, "2"), &nameless, false),
        ] {
            let outcome = is_only(Path::new("/media/a/site-1"), now, &mark(asked));
            assert_eq!(outcome.is_ok(), same, "{now:?} for {asked:?}");
        }
    }

    #[test]
    fn only_what_is_made_to_be_taken_out_is_let_go() {
        let of = |bus, removable| Medium { bus, removable, ..medium() };
        for (bus, removable, leaves_it) in [
            (Bus::Usb, true, true),
            (Bus::Mmc, true, true),
            (Bus::Ata, true, true),
            (Bus::Loop, false, true),
            (Bus::Ata, false, false),
            (Bus::Nvme, false, false),
            (Bus::Virtio, false, false),
            // Soldered in.
            (Bus::Mmc, false, false),
        ] {
            assert_eq!(leaves(&of(bus, removable)).is_ok(), leaves_it, "{bus:?} {removable}");
        }
        let error = leaves(&of(Bus::Ata, false)).unwrap_err().message();
        assert_eq!(error, "/dev/sdb stays where it is: a built-in disk (ata), nothing that is taken out");
        let blocked = Some(Blocked::System { holds: vec!["/".to_owned()] });
        assert!(leaves(&Medium { blocked, ..medium() }).is_err(), "a stick that this host runs from");
    }

    #[test]
    fn what_is_only_ejected_has_power_still() {
        let failed = Err("Device or resource busy".to_owned());
        for (outcome, holds, words) in [
            (Ok(Done::PoweredOff), true, "by udisks2"),
            (Ok(Done::Ejected), false, "ejected by udisks2; its drive cannot be powered off"),
            (Ok(Done::Neither), false, "unmounted; this drive cannot be powered off"),
            (failed, false, "unmounted; udisks2: Device or resource busy"),
        ] {
            assert_eq!(off(outcome), Truth { holds, words: words.to_owned() });
        }
    }

    #[test]
    fn only_what_was_synced_and_read_back_is_called_safe() {
        assert_eq!(line(true, true), "Safe to remove: synced (so), verified (so), NOT powered off (so)");
        assert!(line(true, false).starts_with("Can be taken out; NOT verified (so): synced (so)"));
        for (synced, verified) in [(false, true), (false, false)] {
            assert!(line(synced, verified).starts_with("NOT safe to rely on: NOT synced (so)"));
        }
    }
}
