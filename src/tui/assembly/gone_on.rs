//! A pack that is gone on with in place of the list: what can be changed of it, and what the list had before.

use std::collections::HashSet;

use super::{Assembly, ChosenKey};
use crate::actions::Act;
use crate::domain::expiry::Expiry;
use crate::domain::keep_going::KeepGoing;
use crate::domain::reference::Reference;
use crate::engine::media;
use crate::engine::resolve::ResolveReport;
use crate::engine::spec::{PackJob, SignerSpec};
use crate::tui::model::Model;
use crate::tui::naming::NamedBy;

/// A pack that is gone on with. Its images, its name and its place are its own; the other settings are those that are
/// chosen now.
#[derive(Clone, Debug)]
pub struct GoneOn {
    job: PackJob,
    kept: Kept,
}

/// What was chosen for the list.
#[derive(Clone, Debug)]
struct Kept {
    name: String,
    expires: Option<Expiry>,
    read_back: bool,
    tool: bool,
    keep_going: KeepGoing,
    key: Option<ChosenKey>,
}

impl Kept {
    fn of(assembly: &Assembly) -> Self {
        Self {
            name: assembly.name.clone(),
            expires: assembly.expires,
            read_back: assembly.read_back,
            tool: assembly.tool,
            keep_going: assembly.keep_going,
            key: assembly.key.clone(),
        }
    }
}

impl GoneOn {
    /// The job with what is chosen now.
    pub(super) fn as_chosen(&self, assembly: &Assembly, signer: SignerSpec, dry_run: bool) -> PackJob {
        PackJob {
            expires: assembly.expires,
            read_back: assembly.read_back,
            tool: assembly.tool,
            keep_going: assembly.keep_going,
            signer,
            dry_run,
            ..self.job.clone()
        }
    }
}

impl Model {
    /// A pack that was cut off is gone on with from now on, instead of the list; its destination was just looked at.
    pub(in crate::tui) fn go_on_with(&mut self, job: &PackJob, place: &media::Place) {
        let before = self.assembly.gone_on.take();
        let kept = before.map_or_else(|| Kept::of(&self.assembly), |before| before.kept);
        self.adopt(job, place);
        self.assembly.gone_on = Some(GoneOn { job: job.clone(), kept });
    }

    /// The name of the series of the pack that is gone on with instead of the list.
    pub fn gone_on_with(&self) -> Option<&str> {
        self.assembly.gone_on.as_ref().map(|gone_on| gone_on.job.name.as_str())
    }

    /// The name of the series that the list is packed under, whatever is gone on with instead.
    pub fn list_name(&self) -> &str {
        let own = self.assembly.gone_on.as_ref().map(|gone_on| &gone_on.kept.name);
        own.unwrap_or(&self.assembly.name)
    }

    /// A pack is signed: where one that was gone on with has the images of the list, the list was packed under its name
    /// last.
    pub(super) fn list_was_packed(&mut self, packed: &ResolveReport) {
        let images = packed.images.iter().map(|image| &image.reference);
        let asked: HashSet<&Reference> =
            images.chain(packed.failed.iter().map(|failed| &failed.reference)).collect();
        let list = self.picked.images.iter().map(|image| &image.request.reference);
        let of_list = list.collect::<HashSet<_>>() == asked;
        if let Some(gone_on) = self.assembly.gone_on.as_mut().filter(|_| of_list) {
            gone_on.kept.name.clone_from(&gone_on.job.name);
            self.assembly.named_by = NamedBy::Here;
        }
    }

    /// A pack that was cut off as it would go on now: where that one was changed here, with the changes.
    pub fn as_changed(&self, job: &PackJob) -> PackJob {
        let own =
            self.assembly.gone_on.as_ref().filter(|own| own.job.to == job.to && own.job.name == job.name);
        match own.zip(self.pack_job(false)) {
            Some((_, changed)) => PackJob { images: job.images.clone(), lock: job.lock.clone(), ..changed },
            None => job.clone(),
        }
    }

    /// The list is what is packed from now on, as it was chosen for it before; the medium stays chosen. What is to be
    /// said of that, where another one was gone on with.
    pub fn leave_gone_on(&mut self) -> Option<String> {
        let GoneOn { job, kept } = self.assembly.gone_on.take()?;
        let assembly = &mut self.assembly;
        assembly.outdate();
        let Kept { name, expires, read_back, tool, keep_going, key } = kept;
        (assembly.name, assembly.expires) = (name, expires);
        (assembly.read_back, assembly.tool, assembly.keep_going) = (read_back, tool, keep_going);
        (assembly.key, assembly.sought) = (key, None);
        let (own, resume) = (&self.assembly.name, self.key(Act::Resume));
        let left = match &job.name {
            name if name == own => "the pack that was cut off".to_owned(),
            name => format!("the pack of {name} that was cut off"),
        };
        Some(format!("this packs the list again, as {own}; {left} stays: {resume} on Start resumes it"))
    }

    /// The list is another one, or what was pinned for it: what stands on it does not hold any more. What is gone on
    /// with does not, until it is signed.
    pub fn list_changed(&mut self) {
        match self.assembly.run.as_ref().is_some_and(|run| run.packed().is_some()) {
            true => drop(self.leave_gone_on()),
            false if self.assembly.gone_on.is_some() => return,
            false => {}
        }
        self.assembly.outdate();
    }

    /// What was allowed to be missing of the list is not allowed of another one.
    pub(in crate::tui) fn allow_nothing_missing(&mut self) {
        let assembly = &mut self.assembly;
        let own = assembly.gone_on.as_mut().map(|gone_on| &mut gone_on.kept.keep_going);
        *own.unwrap_or(&mut assembly.keep_going) = KeepGoing::No;
    }
}
