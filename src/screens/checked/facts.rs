//! What the report of the air-gapped side is made of: a verification that held or did not, and what was imported.

use std::sync::Arc;

use super::super::imported::with_import;
use crate::config::keymap::Keymap;
use crate::domain::bundle::Image;
use crate::domain::progress::Check;
use crate::domain::sheet::{Carried, Checked as Row, Deed, FORMAT, Grade, Sheet, Signed, Step, first_of};
use crate::domain::shell::shell_words;
use crate::domain::text;
use crate::domain::view::ItemView;
use crate::engine::bundle::offer::Said;
use crate::engine::bundle::verify::{History, VerifyReport};
use crate::engine::sheet::verified;
use crate::engine::sign::{Outcome, TrustReport};
use crate::engine::spec::JobReport;
use crate::tui::gap::{Checked, Gap};
use crate::tui::hints;
use crate::tui::msg::Ended;
use crate::tui::words::{count, refusal};

/// The report; nothing where nothing came of it.
pub(super) fn sheet(gap: &Gap, checked: &Checked, keymap: &Keymap) -> Option<Sheet> {
    let said = gap.said();
    match &checked.ended {
        Ended::Succeeded(report) => match &**report {
            JobReport::Verify(report) => Some(with_import(accepted(report, said, checked), gap, keymap)),
            _ => None,
        },
        Ended::Failed(failure) => {
            let mut warnings = vec![failure.message.clone()];
            warnings.extend(failure.hints.iter().map(|hint| hints::here(hint, keymap)));
            let bad = checked.view.items.list.iter().filter(|item| item.note.is_some());
            let told = |item: &Arc<ItemView>| {
                let note = item.note.clone()?;
                // The reason of a file names it; that of an image does not.
                let image = note.starts_with("needs ");
                Some(if image { format!("{} {note}", item.name) } else { note })
            };
            warnings.extend(bad.filter_map(told).filter(|note| *note != failure.message));
            let verdict = format!("refused ({}): {}", failure.class(), refusal(failure.kind));
            Some(Sheet { grade: Grade::Fail, verdict, warnings, ..by_its_word(said?, checked) })
        }
        Ended::Cancelled => None,
    }
}

/// What a bundle says of itself, with what was checked of it.
fn by_its_word(said: &Said, checked: &Checked) -> Sheet {
    let report = &said.report;
    Sheet {
        format: FORMAT,
        deed: Deed::Verified,
        made: checked.at,
        version: env!("CARGO_PKG_VERSION"),
        grade: Grade::Plain,
        verdict: String::new(),
        name: report.name.clone(),
        serial: report.serial,
        directory: format!("{}-{}", report.name, report.serial),
        path: checked.spec.path.display().to_string(),
        id: report.id,
        document: report.manifest_digest.clone(),
        created: Some(report.created),
        expires: report.expires,
        totals: report.totals,
        origin: None,
        signatures: signed(&said.trust),
        checked: rows(checked),
        medium: Vec::new(),
        imported: Vec::new(),
        warnings: Vec::new(),
        missing: report.missing.clone(),
        public_key: None,
        next: Vec::new(),
        images: report.images.iter().map(carried).collect(),
    }
}

fn accepted(report: &VerifyReport, said: Option<&Said>, checked: &Checked) -> Sheet {
    let verdict = match (report.complete, report.warnings.is_empty()) {
        (false, _) => format!("verified; {} missing from it", count(report.missing.len(), "image")),
        (true, false) => format!("verified; {}", first_of(&report.warnings)),
        (true, true) => "verified: every check held".to_owned(),
    };
    let mut rows = rows(checked);
    let let_through = report.history.iter().filter(|history| history.decision.is_let_through());
    rows.extend(let_through.map(|History { decision, .. }| {
        let how = format!("{decision}: let through on request");
        Row { what: "OVERRIDE", grade: Grade::Warn, how }
    }));
    rows.extend(unchecked(report));
    let import = vec![
        "airlift".to_owned(),
        "import".to_owned(),
        report.path.display().to_string(),
        "--into".to_owned(),
        "TARGET".to_owned(),
    ];
    Sheet {
        verdict,
        signatures: signed(&report.trust),
        checked: rows,
        next: vec![Step {
            what: "bring its images into a registry, a layout or a runtime",
            command: shell_words(&import),
        }],
        images: said.map_or_else(Vec::new, |said| said.report.images.iter().map(carried).collect()),
        ..verified(report, checked.at)
    }
}

/// Every check in its order; those after the one that failed were not reached.
fn rows(checked: &Checked) -> Vec<Row> {
    let mut failed = matches!(checked.ended, Ended::Failed(_));
    let row = |check: Check| {
        let passed = checked.view.passed.iter().find(|(passed, _)| *passed == check);
        let (grade, how) = match passed {
            Some((_, words)) => (Grade::Ok, words.clone()),
            None if std::mem::take(&mut failed) => (Grade::Fail, "FAILED: see below".to_owned()),
            None => (Grade::Plain, "not reached".to_owned()),
        };
        Row { what: check.name(), grade, how }
    };
    Check::ALL.into_iter().map(row).collect()
}

/// What was left out, said as plainly as what was done.
fn unchecked(report: &VerifyReport) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut not = |what, how: &str| rows.push(Row { what, grade: Grade::Plain, how: how.to_owned() });
    match report.layers_unpacked {
        Some(layers) => not("layers", &format!("{layers} unpacked and compared with the configurations")),
        None => not("layers", "hashed, not unpacked; strict on Verify, or --deep, unpacks them"),
    }
    if !report.cold_read {
        not("cold read", "no: bytes that this host had just read may have come from its memory");
    }
    rows
}

fn signed(trust: &TrustReport) -> Vec<Signed> {
    let one = |signature: &crate::engine::sign::SignatureReport| {
        let who = match &signature.outcome {
            Outcome::Good { principals } => Some(principals.clone()),
            _ => Some("NOT TRUSTED here".to_owned()),
        };
        Some(Signed { fingerprint: signature.shown_key()?, key_id: signature.key_id.clone()?, who })
    };
    trust.signatures.iter().filter_map(one).collect()
}

fn carried(image: &Image) -> Carried {
    Carried {
        reference: image.reference.to_string(),
        digest: image.digest.clone(),
        bytes: image.platforms.iter().fold(0, |sum, one| sum.saturating_add(one.size)),
        platforms: image
            .platforms
            .iter()
            .map(|one| text::shown(&one.platform().to_string()).into_owned())
            .collect(),
    }
}
