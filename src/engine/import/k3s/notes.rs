//! What the operator is told after an import into an images directory: names, what is imported besides, what stays hidden.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::settings::{self, Remembered};
use super::{There, archive_in, ask};
use crate::domain::k3s::{self, Settings};
use crate::domain::reference::Reference;
use crate::engine::error::Result;
use crate::engine::import::error::shortened;
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::index::containerd_name;
use crate::engine::import::{Job, Plan, Planned, Written};

/// How the repositories of sandbox images end.
const PAUSE: &str = "pause";

/// What the operator should know.
pub(super) fn say(job: &Job, dir: &Path, images: &[ImageGraph], there: &There, written: &mut Written) {
    let (settings, problems) = settings::read(&*job.ctx.files, dir);
    for (image, notes) in images.iter().zip(&mut written.notes) {
        notes.extend(settings.of_image(&image.image.reference));
    }
    written.general.extend(problems);
    written.general.extend(general(job, &settings, there));
    let file = archive_in(job, dir);
    let name = name_of(&file);
    if written.written > 0 {
        written.facts.push(logged(&name));
    }
    let size = job.ctx.files.stat(&file).ok().flatten().map(|stat| stat.size);
    let remembered = settings::remembered(&*job.ctx.files, dir, &name, k3s::CACHE);
    written.general.extend(hidden(remembered, size, written.written > 0));
}

/// What of that can be known before, and whether somebody will be there to prove it.
///
/// # Errors
/// A file error.
pub(super) fn foresee(job: &Job, dir: &Path, there: &There, plan: &mut Plan) -> Result<()> {
    let (mut settings, problems) = settings::read(&*job.ctx.files, dir);
    match ask::reader(&*job.ctx.files, dir)? {
        Err(nobody) => {
            plan.notes.push(format!("the import proves nothing by itself: {nobody}"));
            plan.notes.extend(no_pause(job, dir, &settings, there)?);
        }
        // It says itself which sandbox image it takes and whether it has it.
        Ok(_) => settings.pause_image = None,
    }
    plan.notes.extend(problems);
    plan.notes.extend(general(job, &settings, there));
    if plan.images.iter().any(|one| matches!(one, Planned::Add | Planned::Replace { .. })) {
        plan.facts.push(logged(&name_of(&archive_in(job, dir))));
    }
    Ok(())
}

/// That nothing brings the sandbox image of a k3s or RKE2 that has never run and is not told of another one.
fn no_pause(job: &Job, dir: &Path, settings: &Settings, there: &There) -> Result<Option<String>> {
    let ran = job.ctx.files.stat(&settings::data(dir).join("agent/containerd"))?.is_some();
    let pause = |image: &Reference| image.repository().ends_with(PAUSE);
    let brought = references(job, there).iter().any(pause);
    Ok((!ran && !brought && settings.pause_image.is_none() && there.unseen.is_empty()).then(|| {
        format!(
            "no sandbox image (rancher/mirrored-pause) is among these images, and no archive of k3s or RKE2 itself lies in {}: \
             where it has not run yet, no pod starts without a registry; put the airgap images of its release there, or \
             pack and import the one it takes too",
            dir.display()
        )
    }))
}

/// The images of the bundle, and those that the archives in the directory name.
fn references(job: &Job, there: &There) -> Vec<Reference> {
    let named = there.own.keys().chain(there.others.keys()).filter_map(|name| name.parse().ok());
    job.bundle.document().images.iter().map(|image| image.reference.clone()).chain(named).collect()
}

fn name_of(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What k3s and RKE2 log of names that they cannot make themselves, and need not.
fn logged(archive: &str) -> String {
    format!(
        "k3s and RKE2 releases from December 2025 on log \"failed to parse tag\" for the digest names in {archive}; that is \
         harmless: these names are in the archive already, and there is nothing to do"
    )
}

fn general(job: &Job, settings: &Settings, there: &There) -> Vec<String> {
    let carried = references(job, there);
    let mut notes = settings.general(&carried.iter().collect::<Vec<_>>(), !there.unseen.is_empty());
    notes.extend(taken_again(job, there));
    let bundles: BTreeSet<&String> = there.others.values().map(|(_, archive)| archive).collect();
    if !bundles.is_empty() {
        let names: Vec<&str> = bundles.into_iter().map(String::as_str).collect();
        notes.push(format!(
            "archives of other bundles stay and are imported at every start too: {}; remove what no pod needs any more",
            names.join(", ")
        ));
    }
    if !there.unseen.is_empty() {
        notes.push(format!(
            "imported at every start too, and not looked into: {}; a tag that is also in one of them is that of the \
             last by name",
            there.unseen.join(", ")
        ));
    }
    notes
}

/// Names that archives which are imported after this bundle's give to something else at every start.
fn taken_again(job: &Job, there: &There) -> Vec<String> {
    let (only, own) =
        (&job.spec.only, k3s::archive(&job.bundle.document().name, job.bundle.document().serial));
    let wanted = job.bundle.document().images.iter();
    let wanted = wanted.filter(|image| only.is_empty() || only.contains(&image.reference));
    let mut taken: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for image in wanted {
        let name = containerd_name(image);
        match there.others.get(&name) {
            Some((digest, archive)) if *digest != image.digest && *archive > own => {
                taken.entry(archive).or_default().push(format!("{name} ({digest})"));
            }
            _ => {}
        }
    }
    let words = |(archive, names): (&str, Vec<String>)| {
        format!(
            "from the next start of k3s or RKE2 on, names stand for what {archive} has, which is imported after {own}: \
             {}; remove {archive} before that",
            shortened(&names)
        )
    };
    taken.into_iter().map(words).collect()
}

/// What `.cache.json` hides.
fn hidden(remembered: Remembered, size: Option<u64>, wrote: bool) -> Option<String> {
    match remembered {
        Remembered::NoCache => None,
        Remembered::Imported { size: before } if wrote && Some(before) == size => Some(format!(
            "{} has this archive with the same length: releases before July 2026 do not import it again; take its \
             entry out of that file and start k3s or RKE2 anew",
            k3s::CACHE
        )),
        Remembered::Imported { .. } if wrote => None,
        Remembered::Imported { .. } | Remembered::NotYet => Some(format!(
            "{} keeps an archive that did not change from being imported again at a start: images that were removed \
             from the runtime since do not come back, and lose their pins; take that file away before a start that is to \
             repair them",
            k3s::CACHE
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r21_what_the_cache_file_hides_is_said_where_it_hides_something() {
        let imported = Remembered::Imported { size: 7 };
        assert_eq!(hidden(Remembered::NoCache, Some(7), true), None);
        assert!(hidden(imported, Some(7), true).unwrap().contains("same length"));
        assert_eq!(hidden(imported, Some(8), true), None);
        assert!(hidden(imported, Some(7), false).unwrap().contains("do not come back"));
        assert!(hidden(Remembered::NotYet, Some(7), true).unwrap().contains("lose their pins"));
    }
}
