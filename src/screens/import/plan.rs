//! Where to, and the plan of it in words: the same ones on the screen and in the question before the start.

use super::asking::{asking, planning};
use super::keys::one_in_the_way;
use super::rows::{Counts, bytes, images, reason};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::Page;
use crate::dialogs::page::wrap;
use crate::domain::import::Target;
use crate::domain::text;
use crate::engine::import::report::{ImportReport, Outcome, TargetReport};
use crate::engine::storage::change::{ConfMode, FileChange};
use crate::tui::hints;
use crate::tui::importing::Offered;
use crate::tui::model::Model;
use crate::tui::words;

/// Words with a look, a line each.
pub(super) type Lines = Vec<(String, Role)>;

/// Below the targets: what is in the way, why it cannot be done, or what would be done.
pub(super) fn outlook(model: &Model, columns: usize) -> Lines {
    let import = &model.gap.import;
    let lines = match (model.not_importable(), &import.plan) {
        (Some(reason), _) => vec![(format!("! {reason}"), Role::Warn)],
        (None, Some(_)) if !model.plan_holds() => {
            let marked = words::count(import.wanted(images(model)).count(), "image");
            let enter = model.key(Act::Import);
            vec![(format!("{enter} works out the plan for {marked}; nothing is written"), Role::Warn)]
        }
        (None, Some(plan)) => match &plan.outcome {
            Ok(plan) => foreseen(model, plan),
            Err(failure) => {
                let lines = words::failure_on("Import", failure, &model.keymap)
                    .into_iter()
                    .filter(|(words, _)| !words.is_empty());
                let [ask, targets, mark, other] =
                    [Act::Import, Act::ImportTargets, Act::Mark, Act::ImportOther].map(|act| model.key(act));
                let others = import.plan.as_ref().is_some_and(one_in_the_way);
                let ways = match import.refused().next() {
                    _ if others => format!("{targets} takes the refused one out, and the others go"),
                    Some(_) => format!("{targets} takes that one away, {other} types another in its place"),
                    None => format!("{targets} chooses others, {mark} fewer images"),
                };
                let again = format!("{ask} asks the targets once more; {ways}");
                lines.chain([(again, Role::Text)]).collect()
            }
        },
        (None, None) if planning(model).is_some() => planning(model).map(asking).unwrap_or_default(),
        (None, None) => vec![(
            format!("{} works out the plan; nothing is written", model.key(Act::ImportPlan)),
            Role::Dim,
        )],
    };
    folded(lines, columns)
}

/// Lines folded to so many columns.
pub(super) fn folded(lines: Lines, columns: usize) -> Lines {
    let fold = |(words, role): (String, Role)| {
        wrap(&text::shown(&words), columns).into_iter().map(move |piece| (piece, role)).collect::<Vec<_>>()
    };
    lines.into_iter().flat_map(fold).collect()
}

/// The sums of a plan over all targets.
fn sums(plan: &ImportReport, model: &Model) -> Counts {
    let import = &model.gap.import;
    plan.targets.iter().map(|target| Counts::of(target, import)).fold(Counts::default(), |all, one| Counts {
        add: all.add + one.add,
        replace: all.replace + one.replace,
        there: all.there + one.there,
        bad: all.bad + one.bad,
    })
}

/// That the plan was made, and what it comes to.
pub(super) fn planned(model: &Model) -> String {
    match model.gap.import.planned() {
        Some(plan) => format!("the plan is made: {}; nothing was written", sums(plan, model).words(true)),
        None => "no plan could be made; nothing was written".to_owned(),
    }
}

/// Whether none of it can be imported.
pub(super) fn nothing_can_be(plan: &ImportReport, model: &Model) -> bool {
    let all = sums(plan, model);
    all.bad > 0 && all.add + all.replace + all.there == 0
}

/// Where nothing of it can be imported: which images, why, and what helps.
pub(super) fn hopeless(model: &Model, plan: &ImportReport) -> Option<Page> {
    if !nothing_can_be(plan, model) {
        return None;
    }
    let mut lines = vec![("x none of this can be imported there".to_owned(), Role::Fail)];
    for target in &plan.targets {
        for image in target.images.iter().filter(|image| model.gap.import.wants(&image.reference)) {
            lines.push((String::new(), Role::Text));
            lines.push((format!("{} into {}", image.reference, target.target), Role::Title));
            lines.extend(reason(&image.outcome).map(|reason| (reason, Role::Text)));
            match &image.outcome {
                Outcome::Failed { hints, .. } => {
                    lines.extend(hints.iter().map(|hint| {
                        (format!("next: {}", hints::on("Import", hint, &model.keymap)), Role::Text)
                    }));
                }
                Outcome::Conflict { .. } => {
                    let edit = model.key(Act::ImportEdit);
                    lines.push((format!("next: {edit} lets the bundle's take names over"), Role::Text));
                }
                _ => {}
            }
        }
    }
    Some(Page::new("Nothing to import", lines))
}

fn foreseen(model: &Model, plan: &ImportReport) -> Lines {
    let all = sums(plan, model);
    let warnings = warnings(model);
    let [enter, details] = [Act::Import, Act::ImportDetails].map(|act| model.key(act));
    let mut lines = Vec::new();
    let edits = model.gap.import.storage_conf == ConfMode::Edit;
    let filed = edits && plan.targets.iter().any(|target| !target.files.is_empty());
    if all.add + all.replace + all.there == 0 {
        lines.push((
            format!("x none of this can be imported there; {details} says why for each image"),
            Role::Fail,
        ));
    } else if all.add + all.replace == 0 && filed {
        let words = format!(
            "! the images are there already, and a file of this node is to be changed: {enter} asks once more"
        );
        lines.push((words, Role::Warn));
    } else if all.add + all.replace == 0 {
        let words = format!("+ all of it is there already; {enter} has it looked at once more");
        lines.push((words, Role::Ok));
    } else if warnings.is_empty() {
        lines.push((format!("+ this can be done: {enter} asks once more; choose Import there"), Role::Ok));
    } else {
        let mind = words::count(warnings.len(), "warning");
        let words = format!("! this can be done, with {mind}: {enter} asks once more; choose Import there");
        lines.push((words, Role::Warn));
    }
    if all.bad > 0 && all.add + all.replace + all.there > 0 {
        lines.push((format!("x {}", left_behind(plan, model, all.bad)), Role::Fail));
    }
    let conf = model.key(Act::ImportEdit);
    for file in plan.targets.iter().flat_map(|target| &target.files) {
        let path = file.path.display();
        lines.push(match model.gap.import.storage_conf {
            ConfMode::Edit => {
                (format!("{path} will be changed: {details} shows how, {conf} can leave it"), Role::Text)
            }
            _ => (format!("{path} stays as it is: {details} shows what to write there"), Role::Text),
        });
    }
    if let Some(first) = warnings.first() {
        let more = match warnings.len() {
            1 => String::new(),
            count => format!("; {} more, which {details} shows", count - 1),
        };
        lines.push((format!("! {first}{more}"), Role::Warn));
    }
    lines
}

/// What will not arrive, and what helps.
fn left_behind(plan: &ImportReport, model: &Model, bad: usize) -> String {
    let import = &model.gap.import;
    let taken = plan
        .targets
        .iter()
        .flat_map(|target| &target.images)
        .any(|image| import.wants(&image.reference) && matches!(image.outcome, Outcome::Conflict { .. }));
    let [details, edit] = [Act::ImportDetails, Act::ImportEdit].map(|act| model.key(act));
    let what = format!("{} will not arrive; {details} says why", words::count(bad, "image"));
    if taken { format!("{what}; {edit} lets the bundle's take names over") } else { what }
}

/// Bytes that a target needs at most: what it shares is not known before it is written.
fn needed(target: &TargetReport, model: &Model) -> u64 {
    let import = &model.gap.import;
    let adds = |reference: &crate::domain::reference::Reference| {
        let image = target.images.iter().find(|image| image.reference == *reference);
        image.is_some_and(|image| matches!(image.outcome, Outcome::Added | Outcome::Replaced { .. }))
    };
    let wanted = import.wanted(images(model)).filter(|image| adds(&image.reference));
    let all = wanted.map(bytes).fold(0, u64::saturating_add);
    all.min(model.gap.said().map_or(u64::MAX, |said| said.report.totals.bytes))
}

/// That there may not be room enough, where nobody nearer to it looked: what did, warns by itself.
fn tight(target: &TargetReport, model: &Model) -> Option<String> {
    if target.bytes_free.is_some() {
        return None;
    }
    let offered = model.gap.import.offered();
    let free = offered.iter().find(|one| one.target == target.target)?.free?;
    let (carried, unpacked) = (needed(target, model), target.bytes_unpacked.unwrap_or(0));
    let needed = match target.target {
        // It keeps layers as they came, too.
        Target::Containerd(_) => carried.saturating_add(unpacked),
        _ => carried.max(unpacked),
    };
    (needed > free).then(|| {
        let (needed, free) = (text::bytes(needed), text::bytes(free));
        format!("{}: up to {needed} are needed, {free} are free", target.target)
    })
}

/// How much it is where images are unpacked.
fn unpacked(target: &TargetReport) -> String {
    let bytes = target.bytes_unpacked.filter(|bytes| *bytes > 0).map(text::bytes);
    bytes.map_or_else(String::new, |about| format!(", about {about} unpacked"))
}

/// What is to be known before the start: what the plan warns of, that there may not be room, and what holds for the chosen
/// targets.
pub(super) fn warnings(model: &Model) -> Vec<String> {
    let import = &model.gap.import;
    let told = import.plan.iter().flat_map(|plan| plan.warnings.iter().cloned());
    let planned = import.planned().into_iter().flat_map(|plan| &plan.targets);
    let noted = planned
        .clone()
        .flat_map(|target| target.notes.iter().map(move |note| format!("{}: {note}", target.target)));
    let room = planned.filter_map(|target| tight(target, model));
    let chosen = import.offered().into_iter().filter(|one| import.marked.contains(&one.target));
    let of_target = |one: Offered| {
        let target = one.target.to_string();
        one.warnings.into_iter().map(move |warning| format!("{target}: {warning}"))
    };
    told.chain(room).chain(noted).chain(chosen.flat_map(of_target)).collect()
}

/// A file of the node that is changed, its diff a line each.
pub(super) fn changed(file: &FileChange) -> Vec<String> {
    let lines = file.diff.iter().map(|line| format!("  {line}"));
    std::iter::once(format!("Changes {}:", file.path.display())).chain(lines).collect()
}

/// The plan as it is asked about.
pub(super) fn paragraphs(model: &Model, plan: &ImportReport) -> Vec<String> {
    let import = &model.gap.import;
    let all = images(model);
    let (wanted, targets) = (import.wanted(all).count(), words::count(plan.targets.len(), "target"));
    let mut words =
        vec![format!("{}: {wanted} of {} into {targets}.", plan.name, words::count(all.len(), "image"))];
    for target in &plan.targets {
        let offered = import.offered().into_iter().find(|one| one.target == target.target);
        let free = offered.and_then(|one| one.free);
        let free = free.map_or_else(String::new, |free| format!(", {} free", text::bytes(free)));
        let counts = Counts::of(target, import);
        let room = match counts.add + counts.replace {
            0 => String::new(),
            _ => format!("; up to {} to write{}{free}", text::bytes(needed(target, model)), unpacked(target)),
        };
        words.push(format!("{}: {}{room}.", target.target, counts.words(true)));
        words.extend(target.files.iter().flat_map(changed));
    }
    // What is written comes first: warnings are about that.
    words.extend(warnings(model).into_iter().map(|warning| format!("! {warning}")));
    let runtimes = plan.targets.iter().any(|target| {
        matches!(target.target, Target::Containerd(_) | Target::ContainersStorage(_) | Target::K3s(_))
    });
    if let (Some(node), true) = (&import.node, runtimes) {
        words.extend(node.settings());
    }
    let fails = if import.keep_going { "leaves the others" } else { "ends it" };
    let archives = plan.targets.iter().any(|target| target.target.is_archive());
    let whole = if archives { " An archive is there whole or not at all." } else { "" };
    words.push(format!(
        "Every byte is hashed on its way in, and an image has its name last. One that fails {fails}. What is complete \
         stays if this is stopped.{whole}"
    ));
    words
}
