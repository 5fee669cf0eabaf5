//! The screens of the workstation, one file for one step.

mod assemble;
mod bundle;
mod check;
mod checked;
mod images;
mod import;
mod imported;
mod inspected;
mod letting;
mod media;
mod report;
mod resolve;
mod sheet;
mod signer;
mod start;
mod trusted;

use std::collections::BTreeMap;

use crate::tui::model::Place;
use crate::tui::screen::Screen;

/// Every screen at its place.
pub fn all() -> BTreeMap<Place, Box<dyn Screen + Send>> {
    let mut screens: BTreeMap<Place, Box<dyn Screen + Send>> = BTreeMap::new();
    screens.insert(Place::Start, Box::<start::Start>::default());
    screens.insert(Place::Images, Box::<images::Images>::default());
    screens.insert(Place::Media, Box::<media::Media>::default());
    screens.insert(Place::Resolve, Box::<resolve::Resolve>::default());
    screens.insert(Place::Assemble, Box::<assemble::Assemble>::default());
    screens.insert(Place::Report, Box::<report::Report>::default());
    screens.insert(Place::Bundle, Box::<bundle::Bundle>::default());
    screens.insert(Place::Check, Box::<check::Check>::default());
    screens.insert(Place::Import, Box::<import::Import>::default());
    screens.insert(Place::Checked, Box::<checked::Report>::default());
    screens
}
