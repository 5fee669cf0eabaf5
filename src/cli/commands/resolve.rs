//! `airlift resolve`: pins references to digests, says what their names will do, and keeps a lock file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cli::args::{RegistryArgs, SelectArgs};
use crate::cli::printer::{Align, Printer};
use crate::domain::job::Places;
use crate::domain::lint::{Finding, Severity};
use crate::domain::lock::Change;
use crate::domain::resolved::ImageView;
use crate::domain::text;
use crate::engine::resolve::{Moved, ResolveReport};
use crate::engine::spec::{JobSpec, ResolveJob};
use crate::failure::Failure;

/// Lesser findings that are named one by one without being asked for.
const FEW: usize = 10;

/// Resolve references to digests, lint their names and sum up their size
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A lock file is compared with what the tags name now and then written anew; references that \
    failed keep their entry. What moved since a bundle that was made here carried it is said, too. `airlift pack --lock FILE` carries what the file says, these platforms alone, \
    whatever the tags name by then."
)]
pub struct Args {
    /// What to resolve.
    #[command(flatten)]
    select: SelectArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// References resolved at the same time
    #[arg(long, value_name = "N", default_value_t = ResolveJob::JOBS, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Resolve anew only what is named here; all other entries of the lock file stay
    #[arg(long, requires = "lock")]
    keep: bool,
    /// Leave the lock file as it is
    #[arg(long, short = 'n', requires = "lock")]
    dry_run: bool,
    /// Look here for what earlier bundles carried instead of in the data directory
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Args {
    /// The job.
    ///
    /// # Errors
    /// None of its own.
    pub fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        let write_lock = self.select.lock.is_some() && !self.dry_run;
        let (images, lock) = self.select.images();
        let (jobs, keep, registry) = (usize::from(self.jobs), self.keep, self.registry.options());
        let state = self.state.or_else(|| places.map(|places| places.state.clone()));
        Ok(JobSpec::Resolve(ResolveJob { images, lock, write_lock, keep, state, jobs, registry }))
    }
}

/// What was resolved, as a table, and what is to be said of it.
pub(super) fn show(report: &ResolveReport, out: &Printer) {
    show_images(&report.images, out);
    let totals = report.totals;
    out.line(format!(
        "{}, {}, {} to carry ({} if nothing were shared)",
        text::count(totals.images, "image"),
        text::count(totals.blobs, "blob"),
        text::bytes(totals.bytes),
        text::bytes(totals.bytes_unshared)
    ));
    report.changes.iter().for_each(|change| out.line(changed(change)));
    for Moved { reference, was, to } in &report.moved {
        out.line(format!("moved since bundle {}: {reference}: was {}, now {to}", was.bundle, was.digest));
    }
    show_findings(&report.images, out);
    for candidate in &report.unsure {
        let note = candidate.note.as_deref().unwrap_or_default();
        out.note(format!(
            "unsure: {}: {} ({note}); not resolved, name it if it is wanted",
            candidate.origin, candidate.text
        ));
    }
    report.notes.iter().for_each(|note| out.note(format!("note: {note}")));
    for problem in &report.problems {
        out.warn(format!("{}: {}", problem.origin, problem.reason));
    }
}

/// One row each; how a reference was written gets a column where that is another text.
fn show_images(images: &[ImageView], out: &Printer) {
    let mut header = vec![
        ("REFERENCE", Align::Left),
        ("DIGEST", Align::Left),
        ("PLATFORMS", Align::Left),
        ("SIZE", Align::Right),
        ("WRITTEN AS", Align::Left),
    ];
    let mut rows: Vec<Vec<String>> = images.iter().map(row).collect();
    if rows.iter().all(|row| row.last().is_some_and(String::is_empty)) {
        header.pop();
        rows.iter_mut().for_each(|row| drop(row.pop()));
    }
    if !rows.is_empty() {
        out.table(&header, &rows);
    }
}

fn row(image: &ImageView) -> Vec<String> {
    let reference = image.reference.to_string();
    let written = if image.requested == reference { String::new() } else { image.requested.clone() };
    let platforms: Vec<String> = image.platforms.iter().map(|p| p.platform().to_string()).collect();
    let mut platforms = platforms.join(",");
    if !image.omitted_platforms.is_empty() {
        platforms.push_str(&format!(" (-{})", image.omitted_platforms.len()));
    }
    vec![reference, image.digest.to_string(), platforms, text::bytes(image.bytes), written]
}

/// What should be acted on, one line each, then what is of less weight.
fn show_findings(images: &[ImageView], out: &Printer) {
    let mut lesser = Vec::new();
    for image in images {
        for finding in &image.findings {
            if finding.severity == Severity::Info {
                lesser.push((image, finding));
            } else {
                out.warn(found(image, finding));
            }
        }
        if !image.signatures.is_empty() {
            out.note(format!(
                "{}: carried along: {}",
                image.reference,
                text::referrers(image.signatures.len())
            ));
        }
    }
    lesser_findings(&lesser, out.is_verbose()).iter().for_each(|line| out.note(line));
}

fn found(image: &ImageView, finding: &Finding) -> String {
    let fix = finding.fix.as_ref().map_or(String::new(), |fix| format!("; write {fix}"));
    format!("{}: {} [{}]: {}{fix}", image.origin, image.requested, finding.id, finding.reason)
}

/// Few, or all where that is wanted, are named one by one; many are counted by their kind.
fn lesser_findings(lesser: &[(&ImageView, &Finding)], all: bool) -> Vec<String> {
    if lesser.is_empty() {
        return Vec::new();
    }
    if all || lesser.len() <= FEW {
        let lines = lesser.iter().map(|(image, finding)| format!("  {}", found(image, finding)));
        return std::iter::once("lesser findings:".to_owned()).chain(lines).collect();
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, finding) in lesser {
        *kinds.entry(finding.id.id()).or_default() += 1;
    }
    let counts: Vec<String> = kinds.iter().map(|(id, count)| format!("{id} {count}")).collect();
    vec![format!(
        "lesser findings: {} (-v names each of them, with what to write instead)",
        counts.join(", ")
    )]
}

fn changed(change: &Change) -> String {
    match change {
        Change::Moved { reference, from, to } => format!("moved {reference}: {from} -> {to}"),
        Change::New { reference, to } => format!("new   {reference}: {to}"),
        Change::Gone { reference, from } => format!("gone  {reference}: {from}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lint::Rule;
    use crate::domain::selection::Origin;

    fn image(number: usize) -> ImageView {
        let finding = |id, fix: Option<&str>| Finding {
            id,
            severity: Severity::Info,
            reason: "it moves".to_owned(),
            fix: fix.map(str::to_owned),
        };
        ImageView {
            requested: format!("a:{number}"),
            origin: Origin::line("images.txt", number),
            note: None,
            reference: format!("docker.io/library/a:{number}").parse().unwrap(),
            digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            media_type: String::new(),
            resolved_at: jiff::Timestamp::UNIX_EPOCH,
            platforms: Vec::new(),
            omitted_platforms: Vec::new(),
            signatures: Vec::new(),
            bytes: 1,
            findings: vec![finding(Rule::MutableTag, None), finding(Rule::NoDigest, Some("a@sha256:aa"))],
            contents: Vec::new(),
        }
    }

    #[test]
    fn few_lesser_findings_are_named_and_many_are_counted_unless_all_are_wanted() {
        let images: Vec<ImageView> = (1..=6).map(image).collect();
        let said = |images: &[ImageView], all| {
            let lesser: Vec<_> =
                images.iter().flat_map(|image| image.findings.iter().map(move |one| (image, one))).collect();
            lesser_findings(&lesser, all)
        };
        assert_eq!(said(&[], true), Vec::<String>::new());
        let few = said(&images[..5], false);
        assert_eq!((few.len(), few[0].as_str()), (11, "lesser findings:"));
        assert_eq!(few[2], "  images.txt:1: a:1 [no-digest]: it moves; write a@sha256:aa");
        let many = said(&images, false);
        assert_eq!(
            many,
            [
                "lesser findings: mutable-tag 6, no-digest 6 (-v names each of them, with what to write instead)"
            ]
        );
        assert_eq!(said(&images, true).len(), 13);
    }
}
