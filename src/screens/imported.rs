//! What the report of the air-gapped side says of the imports of its bundle: target by target, what was left out, and how the last one ended.

use crate::config::keymap::Keymap;
use crate::domain::import::Target;
use crate::domain::reference::Reference;
use crate::domain::sheet::{Arrival, Carried, Deed, Grade, Imported, Sheet, first_of};
use crate::engine::sheet::imported;
use crate::tui::gap::Gap;
use crate::tui::hints::here;
use crate::tui::importing::Done;
use crate::tui::msg::Ended;
use crate::tui::words::count;

/// The same with what came of importing it.
pub(super) fn with_import(sheet: Sheet, gap: &Gap, keymap: &Keymap) -> Sheet {
    // What came of another bundle is no word on this one, whatever names its images have.
    let done = gap.import.done.as_ref().filter(|done| done.report.bundle == sheet.id);
    let sheet = came(sheet, done, keymap);
    let Some((words, rows)) = &gap.import.undone else { return sheet };
    // What other imports of it brought stands beside that.
    let before = if done.is_some() { sheet.verdict.as_str() } else { "verified" };
    let (verdict, grade) = (format!("{before}; {words}"), sheet.grade.max(Grade::Warn));
    let checked = sheet.checked.iter().chain(rows).cloned().collect();
    Sheet { deed: Deed::Imported, grade, verdict, checked, ..sheet }
}

/// The same with what came of all imports that were not taken back.
fn came(sheet: Sheet, done: Option<&Done>, keymap: &Keymap) -> Sheet {
    let mut warnings = sheet.warnings.clone();
    let said = done.iter().flat_map(|done| &done.warnings);
    warnings.extend(said.filter(|words| !sheet.warnings.contains(words)).cloned());
    let back = done.and_then(|done| done.taken_back).map(|words| (Grade::Fail, words.to_owned()));
    let broken = back.or_else(|| match done.and_then(|done| done.ended.as_ref()) {
        Some(Ended::Failed(failure)) => {
            warnings.push(failure.message.clone());
            warnings.extend(failure.hints.iter().map(|hint| here(hint, keymap)));
            Some((Grade::Fail, format!("verified, but the last import failed ({})", failure.class())))
        }
        // Nothing went wrong: it was asked for, and goes on.
        Some(Ended::Cancelled) => Some((Grade::Warn, "verified, but the last import was stopped".to_owned())),
        _ => None,
    });
    let mut imported = done.map_or_else(Vec::new, |done| imported(&done.report));
    if imported.is_empty() && broken.is_none() {
        return sheet;
    }
    let gone = done.map_or(&[][..], |done| &done.gone);
    let left = leave_out(&mut imported, &sheet.images, gone);
    let worst = imported.iter().map(|into| into.grade).max().unwrap_or(Grade::Plain);
    let missing =
        imported.iter().flat_map(|into| &into.images).filter(|image| image.grade == Grade::Fail).count();
    // A warning has its reason beside it.
    let checked = imported.iter().flat_map(|into| &into.checked).filter(|row| row.grade == Grade::Warn);
    let minded: Vec<String> = checked.map(|row| row.how.clone()).collect();
    let targets = count(imported.len(), "target");
    let (grade, verdict) = match (broken, missing) {
        (Some(broken), _) => broken,
        (None, 0) if !left.is_empty() => {
            let grade = if warnings.is_empty() { sheet.grade.max(worst) } else { Grade::Warn };
            let but = if gone.is_empty() { "left out" } else { "not there" };
            (grade, format!("verified; {}, {} {but}", some_in(&sheet.images, &left, &targets), left.len()))
        }
        (None, 0) if warnings.is_empty() && minded.is_empty() => {
            (sheet.grade.max(worst), format!("verified and imported: every image is in {targets}"))
        }
        (None, 0) => {
            let all: Vec<String> = warnings.iter().chain(&minded).cloned().collect();
            (Grade::Warn, format!("verified and imported into {targets}; {}", first_of(&all)))
        }
        (None, missing) => (Grade::Fail, format!("verified, but {} did not arrive", count(missing, "image"))),
    };
    let made = done.map_or(sheet.made, |done| done.at);
    let next = if grade == Grade::Fail || missing > 0 { sheet.next } else { Vec::new() };
    Sheet { deed: Deed::Imported, made, grade, verdict, imported, warnings, next, ..sheet }
}

/// Adds to each target the images that no run was about there; which ones of the bundle are missing somewhere for that.
fn leave_out(imported: &mut [Imported], images: &[Carried], gone: &[(Target, Reference)]) -> Vec<String> {
    let mut left = Vec::new();
    for into in imported {
        for image in images {
            if into.images.iter().any(|there| there.reference == image.reference) {
                continue;
            }
            let undone = gone.iter().any(|(target, reference)| {
                target.to_string() == into.target && reference.to_string() == image.reference
            });
            let how = if undone { "its import was undone" } else { "left out: it was not chosen" };
            into.images.push(Arrival {
                reference: image.reference.clone(),
                name: None,
                digest: image.digest.clone(),
                grade: Grade::Plain,
                how: how.to_owned(),
            });
            if !left.contains(&image.reference) {
                left.push(image.reference.clone());
            }
        }
    }
    left
}

/// How many are everywhere.
fn some_in(images: &[Carried], left: &[String], targets: &str) -> String {
    let there = images.len().saturating_sub(left.len());
    format!("{there} of {} in {targets}", count(images.len(), "image"))
}
