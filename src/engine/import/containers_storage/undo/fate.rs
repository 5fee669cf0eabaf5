//! What becomes of an image that a run put into the node's own store, and of its names, by what the store has of it now.

use super::StoreChange;
use crate::domain::shell::shell_words;
use crate::engine::import::containerd::names::UndoReport;
use crate::engine::import::containers_storage::mend::is_staged;
use crate::engine::stays::Stays;
use crate::engine::storage::store::Records;

/// What becomes of an image that a run brought, and of the names that led to others before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// Names that lead again to what they led to before.
    pub(super) restored: Vec<String>,
    /// What stays, each with the reason.
    pub(super) kept: Vec<Stays>,
    /// Names that go from an image that stays.
    pub(super) untagged: Vec<String>,
    /// What goes with the image, where it goes.
    pub(super) removed: Option<Vec<String>>,
}

impl Fate {
    /// Whether the store is to be changed.
    pub(super) const fn is_work(&self) -> bool {
        self.removed.is_some() || !self.restored.is_empty() || !self.untagged.is_empty()
    }

    /// Whether there is nothing to do, and nothing keeps it from being done.
    pub(super) const fn is_idle(&self) -> bool {
        self.restored.is_empty() && self.kept.is_empty() && self.untagged.is_empty() && self.removed.is_none()
    }
}

impl StoreChange {
    /// What becomes of it, by what the store has.
    pub(super) fn fate(&self, records: &Records, podman: bool) -> Fate {
        let stored = records.with_id(&self.id);
        let held: &[String] = stored.map_or(&[], |stored| &stored.names);
        let mut fate = Fate::default();
        if self.announced {
            self.unbrought(stored.is_some(), held, &mut fate);
            return fate;
        }
        // A name that leads to another image by now is that one's.
        let free = |name: &String| records.named(name).is_none_or(|stored| stored.id == self.id);
        for (name, was) in self.was.iter().filter(|(name, _)| free(name)) {
            let led = format!("{name} led to the image {was} before");
            if records.with_id(was).is_none() {
                let lost = held.contains(name).then(|| format!("{led}, which is gone from the store"));
                fate.kept.extend(lost.map(|words| Stays::new([name.clone()], words)));
            } else if podman {
                fate.restored.push(name.clone());
            } else {
                let words = format!("{led}: install podman to have that name given back");
                fate.kept.push(Stays::new([name.clone()], words));
            }
        }
        if stored.is_none() {
            return fate;
        }
        let rest: Vec<&str> =
            held.iter().filter(|name| !fate.restored.contains(name)).map(String::as_str).collect();
        let others: Vec<&str> =
            rest.iter().filter(|name| !self.names.iter().any(|own| own == *name)).copied().collect();
        if self.known || !others.is_empty() {
            let given = rest.iter().filter(|name| !others.contains(name));
            self.unnamed(given.map(|name| (*name).to_owned()).collect(), &others, podman, &mut fate);
        } else if fate.kept.is_empty() {
            let removed = if rest.is_empty() {
                vec![self.image()]
            } else {
                rest.iter().map(|one| (*one).to_owned()).collect()
            };
            fate.removed = Some(removed);
        }
        fate
    }

    /// Where the image stays, as it was there before or is somebody else's too: what the run called it goes.
    fn unnamed(&self, mut given: Vec<String>, others: &[&str], podman: bool, fate: &mut Fate) {
        given.retain(|name| self.had.iter().flatten().all(|had| had != name));
        if given.is_empty() {
            return;
        }
        let told = !self.known || self.had.is_some();
        if podman && told && !given.iter().any(|name| name.contains('@')) {
            fate.untagged = given;
            return;
        }
        let why = match others {
            _ if self.known => "the image was there before this run".to_owned(),
            others => format!("the image has other names, too ({})", others.join(", ")),
        };
        let words = [&["podman", "untag", &self.id].map(str::to_owned)[..], &given].concat();
        let way = format!("{why}; {} takes its name alone away", shell_words(&words));
        fate.kept.push(Stays::new(given.iter().cloned(), format!("{}: {way}", given.join(", "))));
    }

    /// Where the run was cut off before the image was there: one with its names is somebody else's, one without any may
    /// have come with that run's last breath.
    fn unbrought(&self, there: bool, held: &[String], fate: &mut Fate) {
        if self.names.iter().any(|name| held.contains(name)) {
            fate.kept.push(self.stays(
                "the run ended before it named the image: it had that name before, or somebody else gave it",
            ));
        } else if there && !self.known && held.iter().all(|name| is_staged(name)) {
            fate.removed = Some(vec![self.image()]);
        }
    }

    /// Its names, where nothing is to be done about them: those that are there, and those that are not.
    pub(super) fn untouched(&self, records: &Records, report: &mut UndoReport) {
        let (there, absent): (Vec<String>, Vec<String>) =
            self.names.iter().cloned().partition(|name| records.named(name).is_some());
        report.untouched.extend(there);
        report.absent.extend(absent);
    }

    /// That it stays, and why.
    pub(super) fn stays(&self, reason: &str) -> Stays {
        Stays::new(self.names.iter().cloned(), format!("{}: {reason}", self.words()))
    }

    /// Its names, in words.
    pub(super) fn words(&self) -> String {
        self.names.join(", ")
    }

    /// The image itself, where no name of it is left.
    fn image(&self) -> String {
        format!("the image {} of {}", self.id.get(..12).unwrap_or(&self.id), self.words())
    }
}
