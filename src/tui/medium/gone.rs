//! A chosen medium that is not there any more, or is back: whether it was let go or taken away, and what that leaves true.

use super::Chosen;
use crate::actions::Act;
use crate::domain::media::{Medium, Volume};
use crate::domain::sheet::{Checked, Grade};
use crate::engine::media::EjectReport;
use crate::tui::assembly::Made;
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Ended, Level};
use crate::widgets::stepper::StepState;

/// How an eject ended that let a medium go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ejected {
    /// The device said that it has everything.
    Synced,
    /// It did not take everything.
    NotSynced,
}

/// What a medium is of which it is known that it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// An eject let it go.
    LetGo(Ejected),
    /// It was taken away with a signed bundle on it.
    Signed,
    /// It was taken away while it was needed, or before anything was made on it.
    Other,
}

impl Loss {
    /// What is said of it, where that differs from what was chosen: by its name, and by how it differs.
    fn words(self, name: &str, gone: String, back: bool, mounted: bool) -> String {
        match (self, mounted) {
            (Self::Other, _) if back => format!("{name} was out, and is back"),
            (Self::LetGo(_), true) => format!("{name} was ejected, is in again"),
            (Self::LetGo(_), false) if back => format!("{name} was mounted again, and was not ejected"),
            (Self::LetGo(Ejected::Synced), false) => format!("{name} was ejected"),
            (Self::LetGo(Ejected::NotSynced), false) => {
                format!("{name} was ejected; not everything is on it")
            }
            (Self::Signed, _) => format!("{gone}, and was not ejected"),
            (Self::Other, _) => gone,
        }
    }

    /// How much that weighs.
    const fn weight(self, gone: bool, back: bool) -> (Level, StepState) {
        match self {
            Self::LetGo(_) if gone && back => (Level::Warn, StepState::Warn),
            Self::LetGo(Ejected::Synced) => (Level::Info, StepState::Ok),
            _ if !gone => (Level::Info, StepState::Ok),
            Self::Signed => (Level::Warn, StepState::Warn),
            _ => (Level::Fail, StepState::Failed),
        }
    }
}

impl Model {
    /// Whether an eject let the chosen medium go with everything on it, and it is out since.
    pub fn let_go(&self) -> bool {
        let out = |chosen: &Chosen| chosen.ejected == Some(Ejected::Synced) && !chosen.back;
        self.chosen.as_ref().is_some_and(out)
    }

    /// The chosen medium was let go: the one with what was made here, or with a bundle from before.
    pub(in crate::tui) fn chosen_ejected(&mut self, report: &EjectReport) {
        let own = self.signed_there().is_some();
        let ejected = if report.synced.holds { Ejected::Synced } else { Ejected::NotSynced };
        let it = |chosen: &&mut Chosen| {
            own || chosen.medium.as_ref().is_some_and(|medium| report.medium.is_still(medium))
        };
        if let Some(chosen) = self.chosen.as_mut().filter(it) {
            (chosen.ejected, chosen.back) = (Some(ejected), false);
        }
    }

    /// What is true of a bundle that was signed on a medium which was then taken away without an eject.
    pub fn taken_signed(&self) -> Option<[String; 2]> {
        self.chosen.as_ref()?.gone.as_ref()?;
        let made = self.signed_there().filter(|_| self.loss() == Loss::Signed)?;
        let bundle = &made.packed.bundle;
        let read = if bundle.read_back.is_some() { "read back" } else { "NOT read back" };
        let name = bundle.path.file_name().unwrap_or_default().to_string_lossy();
        Some([
            format!("{name} was signed, {read} and synced file by file, but not ejected"),
            "before it is carried away: put it back and eject it, or airlift verify it".to_owned(),
        ])
    }

    /// What was made on the chosen medium, where nothing was begun there since.
    fn signed_there(&self) -> Option<&Made> {
        let chosen = self.chosen.as_ref()?;
        let made = self.assembly.made.as_ref()?;
        (made.job.to == chosen.path && !self.cut_short()).then_some(made)
    }

    fn loss(&self) -> Loss {
        match self.chosen.as_ref().and_then(|chosen| chosen.ejected) {
            Some(ejected) => Loss::LetGo(ejected),
            None if self.signed_there().is_some() => Loss::Signed,
            None => Loss::Other,
        }
    }

    /// Whether a pack runs, or did not come to its end.
    pub fn cut_short(&self) -> bool {
        let runs = self.running().is_some_and(|job| job.act == Act::Pack);
        let ended = self.assembly.run.as_ref().and_then(|run| run.job.ended.as_ref());
        runs || matches!(ended, Some(Ended::Failed(_) | Ended::Cancelled))
    }

    /// The media there are were looked at again: says so where the chosen one is not what it was, or is back.
    pub(in crate::tui) fn media_seen(&mut self) -> Option<String> {
        let media = self.media.clone()?;
        let chosen = self.chosen.as_ref()?;
        // Ejecting takes it away by itself: there is another look when that ended.
        if self.running().is_some_and(|job| job.act == Act::MediaEject) {
            return None;
        }
        let (loss, name) = (self.loss(), chosen.words());
        let again = self.again(&media.media);
        let mounted = chosen.is_mounted(&media.media);
        let back = match loss {
            Loss::Signed => false,
            Loss::LetGo(_) => mounted || (chosen.back && chosen.gone.is_some()),
            Loss::Other => again.is_some(),
        };
        // Where a pack was begun on it, that is compared once more; where nothing was, it may hold anything by now.
        let known = match loss {
            Loss::Signed => chosen.gone.is_some(),
            Loss::LetGo(_) => true,
            Loss::Other => back && self.cut_short(),
        };
        if let Some(again) = again.filter(|_| known) {
            self.chosen = Some(again);
        }
        let chosen = self.chosen.as_ref()?;
        let gone = chosen.differs(&media.media).map(|gone| loss.words(&name, gone, back, mounted));
        if gone == chosen.gone {
            return None;
        }
        let resumes = || match self.cut_short() && self.running().is_none() {
            true if self.place == Place::Assemble => format!(": {} resumes", self.key(Act::Retry)),
            true => format!(": {}, then {} resumes", self.key(Act::Step4), self.key(Act::Retry)),
            false => String::new(),
        };
        let words = gone.clone().unwrap_or_else(|| format!("{name} is back{}", resumes()));
        let (level, state) = loss.weight(gone.is_some(), back);
        if let Some(chosen) = &mut self.chosen {
            chosen.ejected = chosen.ejected.filter(|_| gone.is_some());
            chosen.back = back;
            chosen.gone = gone;
        }
        // How a run that was cut short ended, and what helps, is not to be lost; and one that was asked to go on looks
        // at its destination by itself, later than whoever looked here.
        if !self.cut_short() && loss == Loss::Other {
            self.changed(Place::Media);
        }
        self.set_state(Place::Media, state);
        self.note(level, &words);
        if let Some(truths) = self.taken_signed() {
            truths.iter().for_each(|truth| self.note(level, truth));
            self.not_let_go("NO: it was taken away before that; airlift verify tells what it kept");
        } else if matches!(loss, Loss::LetGo(_)) && self.back_in() && self.signed_there().is_some() {
            self.not_let_go("NO: it was, and is plugged in again");
        }
        Some(words)
    }

    /// Whether what is chosen is there, where it was or elsewhere.
    fn back_in(&self) -> bool {
        self.chosen.as_ref().is_some_and(|chosen| chosen.back || chosen.gone.is_none())
    }

    /// What was made is not on a medium that was let go, for this reason.
    fn not_let_go(&mut self, how: &str) {
        if let Some(made) = &mut self.assembly.made {
            made.medium = vec![Checked { what: "ejected", grade: Grade::Warn, how: how.to_owned() }];
        }
    }

    /// What was chosen, by the media there are now: another insertion of it, where it was.
    fn again(&self, media: &[Medium]) -> Option<Chosen> {
        let earlier = |chosen: &&Chosen| chosen.gone.is_some() || chosen.differs(media).is_some();
        let chosen = self.chosen.as_ref().filter(earlier)?;
        let mut volumes = media.iter().flat_map(|medium| medium.volumes.iter().map(move |one| (medium, one)));
        let still = |medium: &Medium, volume: &Volume| {
            volume.mount_points.contains(&chosen.mount_point) && chosen.is_on(medium, volume)
        };
        let (medium, volume) = volumes.find(|(medium, volume)| still(medium, volume))?;
        // One that never left and is mounted read-only now is not back: it cannot be chosen.
        let stayed = chosen.medium.as_ref().is_some_and(|earlier| medium.is_still(earlier));
        if stayed && volume.read_only {
            return None;
        }
        let (medium, device, free) = (Some(medium.clone()), volume.device.clone(), volume.free);
        Some(Chosen { medium, device, free, ..chosen.clone() })
    }
}
