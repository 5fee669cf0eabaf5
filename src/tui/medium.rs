//! What the bundle goes to: the medium that was chosen, whether it is still there, and how full it gets.

mod gone;
mod room;
mod there;

use std::path::PathBuf;

use super::assembly::Destination;
use super::model::{Model, Place};
use crate::domain::carrier::Carrier;
use crate::domain::media::{Medium, Volume};
use crate::engine::media;
use crate::widgets::stepper::StepState;

pub use gone::Ejected;
pub use room::{Fits, Standing};
pub use there::{There, is_directory, stays};

/// What was chosen, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The directory in which the bundle's own is made.
    pub path: PathBuf,
    /// Where its file system is mounted.
    pub mount_point: PathBuf,
    /// What is mounted there.
    pub device: PathBuf,
    /// The device that carries it; nothing for memory or a network.
    pub medium: Option<Medium>,
    /// What tells it from another one after it was taken out.
    pub carrier: Carrier,
    /// Bytes free then.
    pub free: Option<u64>,
    /// Whether any directory was typed, instead of a medium taken from the list.
    pub typed: bool,
    /// Why it is not what it was; nothing while it is.
    pub gone: Option<String>,
    /// How the eject ended that let it go; nothing without one, and once it is back.
    pub ejected: Option<Ejected>,
    /// Whether it was gone and is back, since a pack onto it began last; what nothing was begun on, and what an eject let
    /// go and is mounted elsewhere, is to be chosen again.
    pub back: bool,
}

impl Chosen {
    /// A volume that is mounted.
    pub fn volume(medium: &Medium, volume: &Volume) -> Option<Self> {
        let point = volume.mount_point()?.to_owned();
        Some(Self {
            carrier: Carrier::of(point.clone(), volume.device.clone(), Some(medium)),
            path: point.clone(),
            mount_point: point,
            device: volume.device.clone(),
            medium: Some(medium.clone()),
            free: volume.free,
            typed: false,
            gone: None,
            ejected: None,
            back: false,
        })
    }

    /// A directory that was typed.
    pub fn directory(place: &media::Place) -> Self {
        Self {
            carrier: place.carrier(),
            path: place.path.clone(),
            mount_point: place.mount_point.clone(),
            device: place.source.clone(),
            medium: place.medium.clone(),
            free: place.free,
            typed: true,
            gone: None,
            ejected: None,
            back: false,
        }
    }

    /// Two words for the header.
    pub fn words(&self) -> String {
        match &self.medium {
            Some(medium) if medium.removable || !self.typed => medium.short_name(),
            _ => self
                .path
                .file_name()
                .map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned()),
        }
    }

    /// Why it is not what it was, by the media there are now.
    pub fn differs(&self, media: &[Medium]) -> Option<String> {
        let earlier = self.medium.as_ref()?;
        let name = earlier.short_name();
        let Some(now) = media.iter().find(|medium| medium.is_still(earlier)) else {
            let volumes = media.iter().flat_map(|medium| medium.volumes.iter().map(move |one| (medium, one)));
            let mut others = volumes.filter(|(_, volume)| !volume.mount_points.contains(&self.mount_point));
            if others.any(|(medium, volume)| self.is_on(medium, volume)) {
                let at = self.mount_point.display();
                return Some(format!("{name} was out and is in again, not mounted at {at}"));
            }
            return Some(match media.iter().find(|medium| medium.name == earlier.name) {
                Some(other) if other.short_name() == name => {
                    format!("{name} is gone; another one of that name is in its place")
                }
                Some(other) => format!("{name} is gone; {} is in its place", other.short_name()),
                None => format!("{name} is gone"),
            });
        };
        let volume = now.volumes.iter().find(|volume| volume.device == self.device);
        match volume {
            // What is built upon a device, as LVM is, has no volume of its own here.
            None if self.typed => None,
            None => Some(format!("{name} has no {} any more", self.device.display())),
            Some(volume) if !volume.mount_points.contains(&self.mount_point) => {
                Some(format!("{name} is not mounted at {} any more", self.mount_point.display()))
            }
            Some(volume) if volume.after_error => Some(format!("{name} is read-only after an error")),
            Some(volume) if volume.read_only => Some(format!("{name} is mounted read-only now")),
            Some(_) => None,
        }
    }

    /// Whether it is mounted, wherever that is and in whichever insertion of it.
    fn is_mounted(&self, media: &[Medium]) -> bool {
        let mut volumes = media.iter().flat_map(|medium| medium.volumes.iter().map(move |one| (medium, one)));
        volumes.any(|(medium, volume)| !volume.mount_points.is_empty() && self.is_on(medium, volume))
    }

    /// Whether it is on this volume of a medium, in whichever insertion of it.
    fn is_on(&self, medium: &Medium, volume: &Volume) -> bool {
        let place = Carrier::of(self.mount_point.clone(), volume.device.clone(), Some(medium));
        place.is_still(&self.carrier)
    }

    /// Why it is not what is at its path now.
    pub fn differs_from(&self, now: &media::Place) -> Option<String> {
        let name = self.words();
        let identity = |medium: &Option<Medium>| {
            medium.as_ref().map_or_else(|| "no medium".to_owned(), Medium::short_name)
        };
        let same = match (&self.medium, &now.medium) {
            (Some(earlier), Some(now)) => now.is_still(earlier),
            (None, None) => true,
            _ => false,
        };
        let named = |(earlier, there): &(&Medium, &Medium)| earlier.short_name() == there.short_name();
        let alike = self.medium.as_ref().zip(now.medium.as_ref()).filter(named);
        match alike {
            Some((earlier, there)) if !same => {
                let what = unlike((earlier, &self.carrier), (there, &now.carrier()));
                let (path, name) = (self.path.display(), earlier.short_name());
                Some(format!("{path} is on another {name} now: {what}"))
            }
            _ if !same => {
                Some(format!("{} is on {} now, not on {name}", self.path.display(), identity(&now.medium)))
            }
            _ if now.mount_point != self.mount_point => Some(format!(
                "{} is under {} now, it was under {}",
                self.path.display(),
                now.mount_point.display(),
                self.mount_point.display()
            )),
            _ if now.after_error => Some(format!("{name} is read-only after an error")),
            _ if now.read_only => Some(format!("{name} is mounted read-only now")),
            _ => None,
        }
    }
}

/// What tells a medium from an earlier one of the same name.
fn unlike((earlier, was): (&Medium, &Carrier), (there, is): (&Medium, &Carrier)) -> String {
    let told = |what: &Option<String>| what.clone().unwrap_or_else(|| "none".to_owned());
    let file = |medium: &Medium| told(&medium.file.as_ref().map(|file| file.display().to_string()));
    match () {
        () if there.file != earlier.file => format!("its file is {}, not {}", file(there), file(earlier)),
        () if there.serial != earlier.serial => {
            format!("its serial is {}, not {}", told(&there.serial), told(&earlier.serial))
        }
        () if there.size != earlier.size => {
            format!("it has {} bytes, not {}", there.size, earlier.size)
        }
        () if is.uuid != was.uuid => {
            format!("its file system is {}, not {}", told(&is.uuid), told(&was.uuid))
        }
        () => "it was out, and is in again".to_owned(),
    }
}

impl Model {
    /// What was chosen, as it is now; nothing where another medium is in its place.
    pub fn chosen_volume(&self) -> Option<&Volume> {
        let chosen = self.chosen.as_ref()?;
        let media = self.media.iter().flat_map(|media| &media.media);
        let same =
            media.filter(|medium| chosen.medium.as_ref().is_none_or(|earlier| medium.is_still(earlier)));
        let mut volumes = same.flat_map(|medium| &medium.volumes);
        volumes.find(|volume| volume.device == chosen.device)
    }

    /// The bundle goes there from now on.
    pub fn choose(&mut self, chosen: Chosen) {
        let words = chosen.words();
        self.choose_destination(Some(Destination { to: chosen.path.clone(), words }));
        let system = chosen.typed && chosen.medium.as_ref().is_some_and(|medium| medium.blocked.is_some());
        self.set_state(Place::Media, if system { StepState::Warn } else { StepState::Ok });
        self.chosen = Some(chosen);
        self.propose_name();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::media::{Bus, FileSystem};

    fn stick(sequence: u64, points: &[&str]) -> Medium {
        let volume = Volume {
            device: "/dev/sdb1".into(),
            size: 1000,
            file_system: Some(FileSystem::Fat),
            label: None,
            uuid: None,
            mount_points: points.iter().map(PathBuf::from).collect(),
            read_only: false,
            after_error: false,
            writable: Some(true),
            free: Some(900),
            limits: None,
            bundles: Vec::new(),
            begun: BTreeMap::new(),
            blocked: None,
        };
        Medium {
            name: "sdb".to_owned(),
            device: "/dev/sdb".into(),
            model: Some("KINGSTON".to_owned()),
            serial: Some("AA007F2A".to_owned()),
            bus: Bus::Usb,
            removable: true,
            read_only: false,
            size: 1000,
            sequence: Some(sequence),
            file: None,
            volumes: vec![volume],
            blocked: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_chosen_medium_is_the_same_only_in_its_slot_and_at_its_place() {
        let medium = stick(7, &["/media/a"]);
        let chosen = Chosen::volume(&medium, &medium.volumes[0]).unwrap();
        assert_eq!(chosen.words(), "KINGSTON ..7F2A");
        for (media, expected) in [
            (vec![medium.clone()], None),
            (vec![], Some("KINGSTON ..7F2A is gone")),
            (
                vec![stick(8, &["/media/a"])],
                Some("KINGSTON ..7F2A is gone; another one of that name is in its place"),
            ),
            (vec![stick(8, &[])], Some("KINGSTON ..7F2A was out and is in again, not mounted at /media/a")),
            (
                vec![Medium { model: None, ..stick(8, &["/x"]) }],
                Some("KINGSTON ..7F2A is gone; sdb ..7F2A is in its place"),
            ),
            (vec![stick(7, &[])], Some("KINGSTON ..7F2A is not mounted at /media/a any more")),
            (vec![stick(7, &["/x", "/media/a"])], None),
        ] {
            assert_eq!(chosen.differs(&media).as_deref(), expected);
        }
        let mut read_only = stick(7, &["/media/a"]);
        read_only.volumes[0].read_only = true;
        assert!(chosen.differs(&[read_only]).unwrap().contains("read-only now"));
        assert!(Chosen::volume(&medium, &stick(7, &[]).volumes[0]).is_none());
    }

    #[test]
    fn what_lies_under_the_path_now_is_compared_with_what_was_chosen() {
        let medium = stick(7, &["/media/a"]);
        let chosen = Chosen::volume(&medium, &medium.volumes[0]).unwrap();
        let place = |medium: Option<Medium>, point: &str| media::Place {
            path: "/media/a".into(),
            mount_point: point.into(),
            source: "/dev/sdb1".into(),
            file_system: FileSystem::Fat,
            limits: None,
            read_only: false,
            after_error: false,
            writable: true,
            free: Some(1),
            bundles: Vec::new(),
            medium,
        };
        assert_eq!(chosen.differs_from(&place(Some(medium.clone()), "/media/a")), None);
        // Unmounted meanwhile, the directory that is left lies on the system's disk.
        let words = chosen.differs_from(&place(None, "/")).unwrap();
        assert!(words.starts_with("/media/a is on") && words.ends_with("not on KINGSTON ..7F2A"), "{words}");
        let again = stick(8, &["/media/a"]);
        let mut other = again.clone();
        other.volumes[0].uuid = Some("5E1F-0B2A".to_owned());
        for (there, what) in [
            (again.clone(), "it was out, and is in again"),
            (
                Medium { serial: Some("BB007F2A".to_owned()), ..other.clone() },
                "its serial is BB007F2A, not AA007F2A",
            ),
            (Medium { size: 2000, ..other.clone() }, "it has 2000 bytes, not 1000"),
            (Medium { file: Some("/b.img".into()), ..other.clone() }, "its file is /b.img, not none"),
            (other, "its file system is 5E1F-0B2A, not none"),
        ] {
            let words = chosen.differs_from(&place(Some(there), "/media/a"));
            assert_eq!(words, Some(format!("/media/a is on another KINGSTON ..7F2A now: {what}")));
        }
        assert!(
            chosen.differs_from(&place(Some(medium.clone()), "/media")).unwrap().contains("it was under")
        );
        let read_only = media::Place { read_only: true, ..place(Some(medium), "/media/a") };
        assert!(chosen.differs_from(&read_only).unwrap().contains("read-only now"));
    }
}
