//! Which series the next bundle goes into: the name that this list was packed under last, or that of what the chosen medium holds.

use std::collections::BTreeSet;

use super::app::App;
use super::model::Model;
use super::msg::Effect;
use crate::engine::spec::{JobSpec, PackJob};

/// Where the name of the series comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NamedBy {
    /// Nobody: it is the one that every list has at first.
    #[default]
    Nobody,
    /// The list had it the last time.
    List,
    /// The bundles on this medium, which this host signed, have it.
    Medium(String),
    /// It was given here, or packed under.
    Here,
}

impl Model {
    /// Where the name comes from that nobody gave here, in words.
    pub fn named_by(&self) -> Option<String> {
        if self.gone_on_with().is_some() {
            return None;
        }
        match &self.assembly.named_by {
            NamedBy::List => Some("the name that this list had the last time".to_owned()),
            NamedBy::Medium(medium) => Some(format!("the only series on {medium} that this host signed")),
            NamedBy::Nobody | NamedBy::Here => None,
        }
    }

    /// It is called so from now on.
    pub fn name_it(&mut self, name: &str, by: NamedBy) {
        if self.assembly.name != name {
            self.assembly.name = name.to_owned();
            self.assembly.outdate();
        }
        self.assembly.named_by = by;
    }

    /// The name that the list had the last time is known, where it had one.
    pub(super) fn named_last(&mut self, name: Option<&str>) {
        match name {
            Some(name) if matches!(self.assembly.named_by, NamedBy::Nobody | NamedBy::Medium(_)) => {
                self.name_it(name, NamedBy::List);
            }
            _ => self.propose_name(),
        }
    }

    /// Proposes the name of what lies on the chosen medium, where nobody gave another one.
    pub(super) fn propose_name(&mut self) {
        let free = matches!(self.assembly.named_by, NamedBy::Nobody | NamedBy::Medium(_));
        if !free || self.assembly.gone_on.is_some() {
            return;
        }
        let found = self.chosen_volume().into_iter().flat_map(|volume| &volume.bundles);
        let words = found.filter_map(|bundle| bundle.words.as_ref()).filter(|words| words.signatures > 0);
        // A stick may hold what others made: only what was signed here is gone on with.
        let own = words.filter(|words| {
            let last = self.signed.as_ref().and_then(|signed| signed.last_signed(&words.name, None));
            last.is_some_and(|last| last >= words.serial)
        });
        let names: BTreeSet<String> = own.map(|words| words.name.clone()).collect();
        let mut names = names.into_iter();
        match (names.next(), names.next(), &self.chosen) {
            (Some(name), None, Some(chosen)) => {
                let medium = chosen.words();
                self.name_it(&name, NamedBy::Medium(medium));
            }
            _ => self.name_it(PackJob::NAME, NamedBy::Nobody),
        }
    }
}

impl App {
    /// Keeps the name beside the list once it was given, or is packed under.
    pub(super) fn keep_name(&mut self) {
        let packs = |effect: &Effect| match effect {
            Effect::Start(_, spec) => matches!(&**spec, JobSpec::Pack(job) if !job.dry_run),
            _ => false,
        };
        let of_list = self.model.assembly.gone_on.is_none();
        if of_list && self.todo.effects.iter().any(packs) {
            self.model.assembly.named_by = NamedBy::Here;
        }
        let name = self.model.list_name().to_owned();
        if self.model.assembly.named_by != NamedBy::Here || self.keeper.named.as_ref() == Some(&name) {
            return;
        }
        self.keeper.named = Some(name.clone());
        let kept = Effect::Save(self.model.settings.name_file(), format!("{name}\n"));
        self.todo.effects.push_front(kept);
    }
}
