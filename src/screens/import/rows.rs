//! The images of an import with what would become, becomes or became of each: one row over all targets, the worst first.

use std::collections::HashMap;

use super::view::undoing;
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::bundle::Image;
use crate::domain::progress::{Landed, Phase};
use crate::domain::text;
use crate::domain::view::{ItemState, ItemView, Part};
use crate::engine::import::proof::NameProof;
use crate::engine::import::report::{ImageReport, ImportReport, Outcome, TargetReport};
use crate::engine::spec::JobSpec;
use crate::tui::importing::{Importing, Plan};
use crate::tui::model::{JobState, Model};

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Number of the image in the bundle.
    pub(super) image: usize,
    /// The word for how it stands.
    pub(super) state: &'static str,
    /// Its look.
    pub(super) role: Role,
    /// What is to be said of that.
    pub(super) note: String,
    /// Where it stands among all: the worst first.
    rank: u8,
}

/// Rank, word and look of what is not worked out.
const UNKNOWN: (u8, &str, Role) = (3, "?", Role::Dim);
/// The word for an image that is under way.
const RUNS: &str = "> run";
/// The same of what is not to be imported.
const LEFT_OUT: (u8, &str, Role) = (6, "left out", Role::Dim);

/// The images of the bundle.
pub(super) fn images(model: &Model) -> &[Image] {
    model.gap.said_last().map_or(&[], |said| &said.report.images)
}

/// Bytes of an image, shared ones counted again.
pub(super) fn bytes(image: &Image) -> u64 {
    image.platforms.iter().fold(0, |sum, one| sum.saturating_add(one.size))
}

/// All rows. While an import runs only those that it is about are in it.
pub(super) fn lines(model: &Model) -> Vec<Line> {
    let import = &model.gap.import;
    let running = model.at_work(Act::Import);
    let all = images(model).iter().enumerate();
    if undoing(model).is_some() {
        // What is there is only known again when that is over.
        return all.map(|(at, _)| line(at, UNKNOWN, String::new())).collect();
    }
    let mut lines: Vec<Line> = match (running, &import.run) {
        (Some(job), _) => {
            let list = &job.view.items.list;
            let (items, unpacked) = (items(list, Phase::Import), items(list, Phase::Unpack));
            all.filter(|(_, image)| import.wants(&image.reference))
                .map(|(at, image)| {
                    let name = image.reference.to_string();
                    let own = |all: &HashMap<&str, &'_ ItemView>| {
                        all.get(name.as_str()).map(|item| (*item).clone())
                    };
                    let line = of_item(at, items.get(name.as_str()).copied(), true);
                    under_way(line, own(&items).as_ref(), own(&unpacked).as_ref())
                })
                .collect()
        }
        (None, Some(run)) => match run.report() {
            Some(report) => of_report(all, report, import),
            None => {
                let items = items(&run.job.view.items.list, Phase::Import);
                all.map(|(at, image)| {
                    let name = image.reference.to_string();
                    of_broken(at, &name, &run.job, items.get(name.as_str()).copied())
                })
                .collect()
            }
        },
        (None, None) => match import.planned() {
            Some(plan) => of_report(all, plan, import),
            None => {
                let others: Vec<&Landed> = import.plan.iter().flat_map(Plan::others).collect();
                all.map(|(at, image)| line(at, foreseen(image, &others, import), String::new())).collect()
            }
        },
    };
    lines.sort_by_key(|line| line.rank);
    lines
}

fn line(image: usize, (rank, state, role): (u8, &'static str, Role), note: String) -> Line {
    Line { image, state, role, note, rank }
}

/// Where some target is refused: what would become of an image in the others.
fn foreseen(image: &Image, others: &[&Landed], import: &Importing) -> (u8, &'static str, Role) {
    let name = image.reference.to_string();
    if !import.wants(&image.reference) {
        return LEFT_OUT;
    }
    let known = others.iter().filter(|known| known.there.contains(&name) || known.missing.contains(&name));
    let become_of = |known: &&Landed| match () {
        () if known.there.contains(&name) => (5, "+ there", Role::Ok),
        () if known.added.contains(&name) => (4, "add", Role::Text),
        () => (1, "x not", Role::Fail),
    };
    known.map(become_of).min_by_key(|look| look.0).unwrap_or(UNKNOWN)
}

fn items(list: &[std::sync::Arc<ItemView>], phase: Phase) -> HashMap<&str, &ItemView> {
    list.iter().filter(|item| item.phase == phase).map(|item| (item.name.as_str(), &**item)).collect()
}

fn of_item(at: usize, item: Option<&ItemView>, running: bool) -> Line {
    let look = match item.map(|item| item.state) {
        Some(ItemState::Failed) => (0, "x FAIL", Role::Fail),
        Some(ItemState::Running) if running => (1, RUNS, Role::Text),
        Some(ItemState::Running) => (1, "! cut", Role::Warn),
        Some(ItemState::Done) => (2, "+ ok", Role::Ok),
        Some(ItemState::Skipped) => (2, "+ there", Role::Ok),
        Some(ItemState::Waiting) | None if running => (3, "wait", Role::Dim),
        Some(ItemState::Waiting) | None => (3, "not yet", Role::Dim),
    };
    let note = item.and_then(|item| Some(brief(item.note.as_deref()?, &[&item.name]).to_owned()));
    line(at, look, note.unwrap_or_default())
}

/// How far an image is that is under way: its bytes, and once those are there its layers, where these are unpacked.
fn under_way(line: Line, import: Option<&ItemView>, unpack: Option<&ItemView>) -> Line {
    if line.state != RUNS || !line.note.is_empty() {
        return line;
    }
    let bytes = |part: Part| format!("{} of {}", text::bytes(part.done), text::bytes(part.all));
    let coming = import.and_then(|item| item.part).filter(|part| part.done < part.all);
    match unpack.filter(|_| coming.is_none()) {
        Some(unpack) if unpack.state == ItemState::Done => {
            Line { note: "unpacked; named once all is on disk".to_owned(), ..line }
        }
        Some(unpack) => {
            let layers = |part: Part| format!("{} of {} unpacked", part.done, text::count(part.all, "layer"));
            Line { state: "> unpack", note: unpack.part.map_or_else(String::new, layers), ..line }
        }
        None => Line { note: import.and_then(|item| item.part).map_or_else(String::new, bytes), ..line },
    }
}

/// After a run that ended early: by what it told of the targets, else by how far it came.
fn of_broken(at: usize, name: &str, job: &JobState, item: Option<&ItemView>) -> Line {
    if let JobSpec::Import(spec) = &job.spec
        && !spec.import.only.is_empty()
        && !spec.import.only.iter().any(|one| one.to_string() == name)
    {
        return line(at, LEFT_OUT, String::new());
    }
    let has = |list: &[String]| list.iter().any(|one| one == name);
    let told = || job.view.landed.iter().filter(|it| has(&it.there) || has(&it.missing));
    let (all, there) = (told().count(), told().filter(|landed| has(&landed.there)).count());
    match (all, there) {
        (0, _) => of_item(at, item, false),
        (all, there) if all == there => {
            let brought = told().any(|landed| has(&landed.added));
            line(at, if brought { (4, "+ added", Role::Ok) } else { (5, "+ there", Role::Ok) }, String::new())
        }
        (_, 0) => match item.filter(|item| !matches!(item.state, ItemState::Done | ItemState::Skipped)) {
            None if item.is_some() => line(at, (1, "! cut", Role::Warn), String::new()),
            unfinished => of_item(at, unfinished, false),
        },
        (all, there) => line(at, (1, "! partly", Role::Warn), format!("in {there} of {all} targets")),
    }
}

fn of_report<'a>(
    images: impl Iterator<Item = (usize, &'a Image)>,
    report: &ImportReport,
    import: &Importing,
) -> Vec<Line> {
    let row = |(at, image): (usize, &Image)| {
        let there = in_targets(report, image);
        match there.iter().map(|(_, image)| look(&image.outcome, report.dry_run)).min_by_key(|look| look.0) {
            // Marked since the plan was made of others.
            None if report.dry_run && import.wants(&image.reference) => line(at, UNKNOWN, String::new()),
            // Left out by being picked around, or not known to the target.
            None => line(at, LEFT_OUT, String::new()),
            Some(_) if report.dry_run && !import.wants(&image.reference) => line(at, LEFT_OUT, String::new()),
            Some(look) => match unproved(&there).first() {
                Some(problem) => line(at, (0, "x unproved", Role::Fail), (*problem).to_owned()),
                None => line(at, look, note(&there)),
            },
        }
    };
    images.map(row).collect()
}

/// What a report says of an image, target by target.
pub(super) fn in_targets<'a>(
    report: &'a ImportReport,
    image: &Image,
) -> Vec<(&'a TargetReport, &'a ImageReport)> {
    let own = |target: &'a TargetReport| {
        Some((target, target.images.iter().find(|one| one.reference == image.reference)?))
    };
    report.targets.iter().filter_map(own).collect()
}

/// What the runtimes answered for the names of an image.
pub(super) fn answers<'a>(
    target: &'a TargetReport,
    image: &'a ImageReport,
) -> impl Iterator<Item = &'a NameProof> {
    let names = target.proof.iter().flat_map(|proof| &proof.names);
    names.filter(|name| name.reference == image.reference)
}

/// What is not as the bundle has it, by the word of the runtimes.
fn unproved<'a>(there: &[(&'a TargetReport, &'a ImageReport)]) -> Vec<&'a str> {
    there
        .iter()
        .flat_map(|(target, image)| answers(target, image))
        .filter_map(|name| name.problem.as_deref())
        .collect()
}

/// Rank, word and look of an outcome.
pub(super) const fn look(outcome: &Outcome, dry_run: bool) -> (u8, &'static str, Role) {
    match (outcome, dry_run) {
        (Outcome::Failed { .. }, false) => (0, "x FAIL", Role::Fail),
        (Outcome::Failed { .. }, true) => (0, "x refused", Role::Fail),
        (Outcome::Conflict { .. }, _) => (1, "x taken", Role::Fail),
        (Outcome::Replaced { .. }, false) => (2, "! replaced", Role::Warn),
        (Outcome::Replaced { .. }, true) => (2, "! replace", Role::Warn),
        (Outcome::Added, false) => (4, "+ added", Role::Ok),
        (Outcome::Added, true) => (4, "add", Role::Text),
        (Outcome::Skipped, _) => (5, "+ there", Role::Ok),
    }
}

/// What is wrong; of several targets, with which. Its page has the rest.
fn note(there: &[(&TargetReport, &ImageReport)]) -> String {
    let bad: Vec<(&TargetReport, String)> =
        there.iter().filter_map(|(target, image)| Some((*target, why(target, image)?))).collect();
    match bad.as_slice() {
        [] => {}
        [(_, reason)] if there.len() == 1 => return reason.clone(),
        [(target, reason)] => return format!("{reason}; {}", target.target),
        [(_, reason), ..] => {
            return format!("{reason}; so in {} of {} targets", bad.len(), there.len());
        }
    }
    let skipped = there.iter().filter(|(_, image)| image.outcome == Outcome::Skipped).count();
    match skipped {
        0 => String::new(),
        all if all == there.len() => String::new(),
        some => format!("in {some} of {} already", there.len()),
    }
}

/// Why it is not as the bundle has it, in the words that a row has room for.
fn why(target: &TargetReport, image: &ImageReport) -> Option<String> {
    let reason = reason(&image.outcome)?;
    let (reference, target) = (image.reference.to_string(), target.target.to_string());
    let name = image.name.as_deref().unwrap_or(&reference);
    Some(brief(&reason, &[&reference, name, &target]).to_owned())
}

/// A reason without what its row says already: the objects in front of it.
fn brief<'a>(reason: &'a str, objects: &[&str]) -> &'a str {
    let mut left = reason;
    while let Some((lead, rest)) = left.split_once(": ") {
        let said = objects.iter().any(|object| lead.contains(object));
        if rest.is_empty() || (lead.contains(' ') && !said) {
            break;
        }
        left = rest;
    }
    match left.split_once(' ') {
        Some((lead, rest)) if lead.starts_with('/') || objects.contains(&lead) => rest,
        _ => left,
    }
}

/// Why it is not as the bundle has it.
pub(super) fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Failed { reason, .. } => Some(reason.clone()),
        Outcome::Conflict { existing } => Some(format!("the name is taken by {existing}")),
        Outcome::Replaced { existing } => Some(format!("in place of {existing}")),
        Outcome::Added | Outcome::Skipped => None,
    }
}

/// How many images of a target stand how, of those that are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Not there before.
    pub(super) add: usize,
    /// In place of something else.
    pub(super) replace: usize,
    /// There with the same digest.
    pub(super) there: usize,
    /// Not to be had there.
    pub(super) bad: usize,
}

impl Counts {
    /// Of one target.
    pub(super) fn of(target: &TargetReport, import: &Importing) -> Self {
        let mut counts = Self::default();
        for image in target.images.iter().filter(|image| import.wants(&image.reference)) {
            *match image.outcome {
                Outcome::Added => &mut counts.add,
                Outcome::Replaced { .. } => &mut counts.replace,
                Outcome::Skipped => &mut counts.there,
                Outcome::Conflict { .. } | Outcome::Failed { .. } => &mut counts.bad,
            } += 1;
        }
        counts
    }

    /// Of one that is planned although another target is refused.
    pub(super) fn foreseen(known: &Landed) -> Self {
        let (add, there) = (known.added.len(), known.there.len());
        Self { add, there, bad: known.missing.len().saturating_sub(add), ..Self::default() }
    }

    /// As in `9 add, 3 there, 1 not`.
    pub(super) fn words(self, dry_run: bool) -> String {
        let (add, replace) = if dry_run { ("add", "replace") } else { ("added", "replaced") };
        let parts = [(self.add, add), (self.replace, replace), (self.there, "there"), (self.bad, "not")];
        let said =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        said.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_reason_before_all_that_it_says_already() {
        let objects = ["docker.io/library/nginx:1", "127.0.0.1:5/library/nginx:1", "containerd:/run/c.sock"];
        for (reason, said) in [
            ("docker.io/library/nginx:1: blobs/sha256/ab: expected 1, got 2", "expected 1, got 2"),
            ("docker.io/library/nginx:1 cannot go into k3s: linux/arm64 only", "linux/arm64 only"),
            ("containerd:/run/c.sock does not take docker.io/library/nginx:1: no size", "no size"),
            ("127.0.0.1:5/library/nginx:1: the name is taken", "the name is taken"),
            ("/run/c.sock went away while asked to write", "went away while asked to write"),
            ("the name is taken by sha256:ab", "the name is taken by sha256:ab"),
            ("/run/c.sock", "/run/c.sock"),
        ] {
            assert_eq!(brief(reason, &objects), said);
        }
    }

    #[test]
    fn counts_leave_out_what_there_is_none_of() {
        let counts = Counts { add: 9, there: 3, ..Counts::default() };
        assert_eq!(counts.words(true), "9 add, 3 there");
        assert_eq!(Counts { bad: 1, ..counts }.words(false), "9 added, 3 there, 1 not");
        assert_eq!(Counts::default().words(true), "");
    }
}
