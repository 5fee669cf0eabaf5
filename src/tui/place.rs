//! Where one is in the workstation: the start screen, and the steps of either side of the gap.

use super::model::Model;
use crate::actions::Act;

/// Where one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// The start screen.
    #[default]
    Start,
    /// Connected, 1.
    Images,
    /// Connected, 2.
    Resolve,
    /// Connected, 3.
    Media,
    /// Connected, 4.
    Assemble,
    /// Connected, 5.
    Report,
    /// Air-gapped, 1.
    Bundle,
    /// Air-gapped, 2.
    Check,
    /// Air-gapped, 3.
    Import,
    /// Air-gapped, 4.
    Checked,
}

/// Which side of the gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where there is a network and a medium is made.
    Connected,
    /// Where a medium is read.
    AirGapped,
}

/// The steps of the connected side.
pub const CONNECTED: [(Place, &str); 5] = [
    (Place::Images, "Images"),
    (Place::Resolve, "Verify"),
    (Place::Media, "Media"),
    (Place::Assemble, "Assemble"),
    (Place::Report, "Report"),
];

/// The steps of the air-gapped side.
pub const AIR_GAPPED: [(Place, &str); 4] = [
    (Place::Bundle, "Bundle"),
    (Place::Check, "Verify"),
    (Place::Import, "Import"),
    (Place::Checked, "Report"),
];

impl Side {
    /// Its steps.
    pub const fn steps(self) -> &'static [(Place, &'static str)] {
        match self {
            Self::Connected => &CONNECTED,
            Self::AirGapped => &AIR_GAPPED,
        }
    }

    /// The word in the header.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connected => "CONNECTED",
            Self::AirGapped => "AIR-GAPPED",
        }
    }
}

impl Place {
    /// Its side; the start screen has none.
    pub fn side(self) -> Option<Side> {
        let within = |side: Side| side.steps().iter().any(|(place, _)| *place == self);
        [Side::Connected, Side::AirGapped].into_iter().find(|side| within(*side))
    }

    /// What its step, or the start screen, is called.
    pub fn name(self) -> &'static str {
        let steps = CONNECTED.iter().chain(&AIR_GAPPED);
        steps.into_iter().find(|(place, _)| *place == self).map_or("Start", |(_, name)| name)
    }

    /// Its number among the steps of its side, from 0.
    pub fn number(self) -> Option<usize> {
        self.side()?.steps().iter().position(|(place, _)| *place == self)
    }

    /// The step before it; the start screen before the first.
    pub fn before(self) -> Option<Self> {
        let (side, number) = (self.side()?, self.number()?);
        Some(
            number
                .checked_sub(1)
                .and_then(|before| side.steps().get(before))
                .map_or(Self::Start, |(place, _)| *place),
        )
    }
}

impl Model {
    /// The step that an operation goes to, on the side where one is or was last.
    pub(super) fn goes_to(&self, act: Act) -> Option<Place> {
        let (number, side) = (act.step()?, self.place.side().or(self.side)?);
        side.steps().get(number).map(|(place, _)| *place)
    }
}
