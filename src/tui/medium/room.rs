//! Whether what is to be carried fits: by the figures that a plan is refused by, beside what lies there of it already.

use std::path::Path;
use std::sync::Arc;

use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::bundle::directory;
use crate::domain::expiry::alike;
use crate::domain::lying::{Lying, program_lacking};
use crate::domain::media::{BundleWords, FoundBundle, Volume};
use crate::domain::plan::Room;
use crate::domain::text;
use crate::engine::bundle::assemble::AssembleReport;
use crate::engine::media;
use crate::tui::checked::Beside;
use crate::tui::medium::Chosen;
use crate::tui::model::{Model, Place};
use crate::tui::resume::Cut;
use crate::widgets::stepper::StepState;

/// Whether something fits, where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fits {
    /// It takes so many percent of what is free, rounded up.
    Yes(u128),
    /// So many bytes are lacking.
    No(u64),
}

impl Fits {
    /// Of so many bytes into so many; nothing where it is not known what is free.
    pub fn of(needed: u64, free: Option<u64>) -> Option<Self> {
        let free = free?;
        Some(match needed.checked_sub(free).filter(|lacking| *lacking > 0) {
            Some(lacking) => Self::No(lacking),
            None => Self::Yes((u128::from(needed) * 100).div_ceil(u128::from(free.max(1)))),
        })
    }

    /// In words: `yes, 62 % of what is free`, `no: 5.6 GB more needed`.
    pub fn words(self) -> String {
        match self {
            Self::Yes(percent) => format!("yes, {percent} % of what is free"),
            Self::No(lacking) => format!("no: {} more needed", text::bytes(lacking)),
        }
    }

    /// The same in a column of a table, which has room for the answer alone.
    pub fn short(self) -> String {
        match self {
            Self::Yes(percent) => format!("yes, {percent} %"),
            Self::No(_) => "no".to_owned(),
        }
    }

    /// Its look.
    pub const fn role(self) -> Role {
        match self {
            Self::Yes(_) => Role::Ok,
            Self::No(_) => Role::Fail,
        }
    }
}

/// How what is to be carried stands to a place.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// The bundle of the list as it is now was made there in this run.
    Made(&'a AssembleReport),
    /// A pack writes there now.
    Written,
    /// How much is to be carried is not known yet.
    Unknown,
    /// How much is free is not told.
    NotTold,
    /// It is known whether it fits.
    Fits(Fits),
}

impl Model {
    /// Bytes of room that the list takes where nothing of it lies, by the sum that the plan is refused by, with this
    /// program where it is to be carried; nothing while the list, as it is now, is not verified.
    pub fn needed(&self) -> Option<u64> {
        self.beside(None)
    }

    /// The same in a directory, which may be the top of a volume: beside what lies there that a pack goes on with or goes
    /// over again.
    pub fn needed_at(&self, to: &Path, volume: Option<&Volume>) -> Option<u64> {
        let cut = || {
            let cuts = self.interrupted.iter().flat_map(|cuts| &cuts.packs);
            cuts.filter(|cut| cut.job.is_of(to, &self.assembly.name)).find_map(Cut::progress)
        };
        let chosen = self.assembly.to.as_ref().is_some_and(|own| own.to == to);
        if let Some(cut) = cut().filter(|_| chosen && self.assembly.gone_on.is_some()) {
            let images = cut.bytes.total.saturating_sub(cut.there());
            let program = program_lacking(self.program(), &cut.files);
            return Some(Room { images, program }.needed());
        }
        let volume = volume.filter(|volume| volume.mount_point() == Some(to));
        let begun = volume.and_then(|volume| volume.begun.get(&self.assembly.name));
        match begun.or_else(|| cut().map(|cut| &cut.files)) {
            Some(lying) => self.beside(Some(lying)),
            None if volume.is_some_and(|volume| self.is_signed_in(to, &volume.bundles)) => {
                self.needed().map(|_| Room { images: 0, program: 0 }.needed())
            }
            None => self.needed(),
        }
    }

    /// The same on a volume, where a bundle goes that goes onto it.
    pub fn needed_on(&self, volume: &Volume) -> Option<u64> {
        match self.onto(volume) {
            Some(to) => self.needed_at(to, Some(volume)),
            None => self.needed(),
        }
    }

    /// The volume that a directory lies on which was looked at.
    pub fn volume_at(place: &media::Place) -> Option<&Volume> {
        let mut volumes = place.medium.iter().flat_map(|medium| &medium.volumes);
        volumes.find(|volume| volume.device == place.source)
    }

    /// How what is to be carried stands to a volume.
    pub fn standing_on(&self, volume: &Volume) -> Standing<'_> {
        let packs = self.running().is_some_and(|job| job.act == Act::Pack);
        match self.made_on(volume) {
            _ if packs && self.is_chosen_volume(volume) => Standing::Written,
            Some(made) => Standing::Made(made),
            None => standing(self.needed_on(volume), volume.free),
        }
    }

    /// How it stands to what was chosen.
    pub fn standing(&self) -> Option<Standing<'_>> {
        let chosen = self.chosen.as_ref()?;
        Some(match self.chosen_volume() {
            Some(volume) => self.standing_on(volume),
            None => standing(self.needed_at(&chosen.path, None), chosen.free),
        })
    }

    /// Whether the list does not fit what was chosen, by what is free there now. A pack that was begun or made there has
    /// its room.
    pub(in crate::tui) fn is_too_small(&self) -> bool {
        let begun = self.stands_made() || self.cut_short() || self.assembly.gone_on.is_some();
        !begun && matches!(self.standing(), Some(Standing::Fits(Fits::No(_))))
    }

    /// The bundle that was made of the list as it is now, where it lies on this volume: nothing has to fit there any more.
    fn made_on(&self, volume: &Volume) -> Option<&AssembleReport> {
        let made = &self.assembly.made.as_ref()?.packed.bundle;
        let told = volume.bundles.iter().any(|bundle| bundle.path == made.path);
        // What was resumed went there, though what the list takes is not known.
        let went = |chosen: &Chosen| made.path.parent() == Some(&chosen.path) && chosen.gone.is_none();
        let resumed = self.needed().is_none() && self.is_chosen_volume(volume);
        let holds = told || (resumed && self.chosen.as_ref().is_some_and(went));
        (holds && self.stands_made()).then_some(made)
    }

    /// Whether what was made last is of the list as it is now, whatever is done with it at this moment.
    fn stands_made(&self) -> bool {
        matches!(self.stood(Place::Report), StepState::Ok | StepState::Warn)
    }

    /// Where a bundle goes that goes onto a volume: its top, or the directory on it that was typed.
    fn onto<'a>(&'a self, volume: &'a Volume) -> Option<&'a Path> {
        let typed = self.chosen.as_ref().filter(|_| self.is_chosen_volume(volume));
        typed.map_or_else(|| volume.mount_point(), |chosen| Some(&chosen.path))
    }

    fn is_chosen_volume(&self, volume: &Volume) -> bool {
        self.chosen_volume().is_some_and(|chosen| std::ptr::eq(chosen, volume))
    }

    /// Bytes of this program, where it is to be carried.
    fn program(&self) -> u64 {
        self.host.as_ref().filter(|_| self.assembly.tool).map_or(0, |host| host.program)
    }

    /// Bytes of room that the list takes beside what lies there of it.
    fn beside(&self, lying: Option<&Arc<Lying>>) -> Option<u64> {
        let known = matches!(self.state(Place::Resolve), StepState::Ok | StepState::Warn | StepState::Failed);
        let checked = Some(&self.picked.checked).filter(|checked| known && checked.bytes() > 0)?;
        let nothing = Beside { to_write: checked.bytes(), freed: 0 };
        let Beside { to_write, freed } = lying.map_or(nothing, |lying| checked.beside(lying));
        let program = lying.map_or(self.program(), |lying| program_lacking(self.program(), lying));
        Some(Room { images: to_write, program }.needed().saturating_sub(freed))
    }

    /// Whether the newest signed bundle of the series in a directory is of the list as it is now, by its own word, and was
    /// signed by the key that signs now: a pack goes over it again.
    fn is_signed_in(&self, to: &Path, bundles: &[FoundBundle]) -> bool {
        let own = bundles.iter().filter_map(|found| {
            let words = found.words.as_ref().filter(|words| words.signatures > 0)?;
            let of_series = words.name == self.assembly.name;
            (of_series && found.path == to.join(directory(&words.name, words.serial))).then_some(words)
        });
        let newest = own.max_by_key(|words| words.serial);
        newest.is_some_and(|words| self.is_of_list(words))
    }

    fn is_of_list(&self, words: &BundleWords) -> bool {
        let expires = self.assembly.expires.map(|expiry| expiry.after(self.now));
        let own = self.key_facts().is_some_and(|(key, _)| words.signers.contains(&key));
        own && words.bytes == self.picked.checked.bytes()
            && words.version == env!("CARGO_PKG_VERSION")
            && words.complete == (self.unresolved() == 0)
            && words.program == (self.program() > 0)
            && expires.transpose().is_ok_and(|expires| alike(expires, words.expires))
            && self.picked.checked.digests().eq(words.named.iter().map(|(name, digest)| (&**name, digest)))
    }
}

fn standing(needed: Option<u64>, free: Option<u64>) -> Standing<'static> {
    match needed.map(|needed| Fits::of(needed, free)) {
        None => Standing::Unknown,
        Some(None) => Standing::NotTold,
        Some(Some(fits)) => Standing::Fits(fits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_full_it_gets_is_rounded_up_and_what_does_not_fit_says_how_much_is_lacking() {
        for (needed, free, words, short) in [
            (62, 100, "yes, 62 % of what is free", "yes, 62 %"),
            (1, 1_000_000, "yes, 1 % of what is free", "yes, 1 %"),
            (0, 0, "yes, 0 % of what is free", "yes, 0 %"),
            (100, 100, "yes, 100 % of what is free", "yes, 100 %"),
            (5_932_000_000, 332_000_000, "no: 5.6 GB more needed", "no"),
        ] {
            let fits = Fits::of(needed, Some(free)).unwrap();
            assert_eq!((fits.words().as_str(), fits.short().as_str()), (words, short));
        }
        assert_eq!(Fits::of(1, None), None);
    }
}
