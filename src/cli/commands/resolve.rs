//! `airlift resolve`: pins references to digests, says what their names will do, and keeps a lock file.

use std::collections::BTreeMap;

use crate::cli::Front;
use crate::cli::args::{RegistryArgs, SelectArgs};
use crate::cli::printer::{Align, Printer};
use crate::domain::lint::Severity;
use crate::domain::lock::{Change, Lock};
use crate::domain::platform::Platform;
use crate::domain::text;
use crate::engine::lockfile;
use crate::engine::registry::Registry;
use crate::engine::resolve::{ImageView, Outcome, ResolveReport, ResolveSpec, resolve};
use crate::failure::Failure;

/// Pin references to digests, lint their names and sum up their size
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A lock file is compared with what the tags name now and then written anew; references that \
    failed keep their entry. `airlift pack --lock FILE` carries what the file says, these platforms alone, \
    whatever the tags name by then."
)]
pub struct Args {
    /// What to resolve.
    #[command(flatten)]
    select: SelectArgs,
    /// How registries are reached.
    #[command(flatten)]
    registry: RegistryArgs,
    /// References resolved at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Leave the lock file as it is
    #[arg(long, short = 'n', requires = "lock")]
    dry_run: bool,
}

/// Resolves and shows.
///
/// # Errors
/// Partly done where something failed or could not be read; the class of the failures where all failed alike.
pub async fn run(args: Args, front: &Front) -> Result<(), Failure> {
    let registry = Registry::new(args.registry.options()?)?;
    let requests = args.select.requests(&registry, &front.ctx).await?;
    let old = match &args.select.lock {
        Some(path) => lockfile::read(path, &front.ctx)?,
        None => None,
    };
    let spec = ResolveSpec {
        requests: requests.wanted.clone(),
        platforms: args.select.platform.clone(),
        jobs: usize::from(args.jobs),
        signatures: !args.select.no_signatures,
        nearby: Vec::new(),
    };
    let outcomes = resolve(&spec, &registry, &front.ctx).await?;
    let mut report = ResolveReport::new(&requests, &outcomes);
    if let Some(path) = args.select.lock.as_deref().filter(|_| !report.images.is_empty()) {
        let lock = lock_of(&outcomes, &spec.platforms, old.as_ref());
        report.changes = old.as_ref().map(|old| lock.changes_since(old)).unwrap_or_default();
        if !args.dry_run {
            lockfile::write(path, &lock, &front.ctx)?;
        }
    }
    front.printer.report(&report, |out| show(&report, out));
    match report.failure() {
        None => Ok(()),
        Some(kind) => Err(failure(&report, kind)),
    }
}

fn lock_of(outcomes: &[Outcome], platforms: &[Platform], old: Option<&Lock>) -> Lock {
    let lock = Lock::of(outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()), platforms);
    let failed = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    match old {
        Some(old) => lock.keeping(old, failed.map(|failed| &failed.request.reference)),
        None => lock,
    }
}

fn failure(report: &ResolveReport, kind: crate::engine::error::Kind) -> Failure {
    let (done, failed, unread) = (report.images.len(), report.failed.len(), report.problems.len());
    let mut words = format!("{done} resolved, {failed} not resolved");
    if unread > 0 {
        words.push_str(&format!(", {unread} places could not be read"));
    }
    let mut failure = Failure::new(kind, words);
    if let Some(first) = report.failed.first() {
        failure.hints.clone_from(&first.hints);
    }
    failure
}

fn show(report: &ResolveReport, out: &Printer) {
    let rows: Vec<Vec<String>> = report.images.iter().map(row).collect();
    if !rows.is_empty() {
        let header = [
            ("REQUESTED", Align::Left),
            ("REFERENCE", Align::Left),
            ("DIGEST", Align::Left),
            ("PLATFORMS", Align::Left),
            ("SIZE", Align::Right),
        ];
        out.table(&header, &rows);
    }
    let totals = report.totals;
    out.line(format!(
        "{} images, {} blobs, {} to carry ({} if nothing were shared)",
        totals.images,
        totals.blobs,
        text::bytes(totals.bytes),
        text::bytes(totals.bytes_unshared)
    ));
    report.changes.iter().for_each(|change| out.line(changed(change)));
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

fn row(image: &ImageView) -> Vec<String> {
    let platforms: Vec<String> = image.platforms.iter().map(|p| p.platform().to_string()).collect();
    let mut platforms = platforms.join(",");
    if !image.omitted_platforms.is_empty() {
        platforms.push_str(&format!(" (-{})", image.omitted_platforms.len()));
    }
    vec![
        image.requested.clone(),
        image.reference.to_string(),
        image.digest.to_string(),
        platforms,
        text::bytes(image.bytes),
    ]
}

/// What should be acted on, one line each; the rest is counted, as `--json` has all of it.
fn show_findings(images: &[ImageView], out: &Printer) {
    let mut minor: BTreeMap<&str, usize> = BTreeMap::new();
    for image in images {
        for finding in &image.findings {
            if finding.severity == Severity::Info {
                *minor.entry(finding.id.id()).or_default() += 1;
                continue;
            }
            let fix = finding.fix.as_ref().map_or(String::new(), |fix| format!("; write {fix}"));
            out.warn(format!(
                "{}: {} [{}]: {}{fix}",
                image.origin, image.requested, finding.id, finding.reason
            ));
        }
        if !image.signatures.is_empty() {
            out.note(format!(
                "{}: {} signatures and referrers travel along",
                image.reference,
                image.signatures.len()
            ));
        }
    }
    if !minor.is_empty() {
        let counts: Vec<String> = minor.iter().map(|(id, count)| format!("{id} {count}")).collect();
        out.note(format!("lesser findings: {} (--json has their reasons and fixes)", counts.join(", ")));
    }
}

fn changed(change: &Change) -> String {
    match change {
        Change::Moved { reference, from, to } => format!("moved {reference}: {from} -> {to}"),
        Change::New { reference, to } => format!("new   {reference}: {to}"),
        Change::Gone { reference, from } => format!("gone  {reference}: {from}"),
    }
}
