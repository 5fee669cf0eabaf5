//! Report of the air-gapped side: the verdict, who signed and when that was decided, what was checked and what was not.

use std::path::Path as FsPath;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::bundle::scan;
use super::imported::with_import;
use super::sheet::{SheetView, role, save};
use crate::actions::{Act, Scope};
use crate::dialogs::path::Wanted;
use crate::dialogs::{Answer, Confirm, Path, Question};
use crate::domain::bundle::Image;
use crate::domain::progress::Check;
use crate::domain::sheet::{Carried, Checked as Row, Deed, FORMAT, Grade, Sheet, Signed, Step};
use crate::domain::shell::shell_words;
use crate::domain::text;
use crate::domain::trust::SerialDecision;
use crate::domain::view::ItemView;
use crate::engine::bundle::offer::Said;
use crate::engine::bundle::verify::VerifyReport;
use crate::engine::sheet::verified;
use crate::engine::sign::{Outcome, TrustReport};
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::gap::{Checked, Gap};
use crate::tui::hints;
use crate::tui::model::{Model, Place};
use crate::tui::msg::Ended;
use crate::tui::screen::{Cx, Screen};
use crate::tui::words;
use crate::widgets::facts::teach;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Report {
    view: SheetView,
    sheet: Option<Sheet>,
}

impl Screen for Report {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Checked, Scope::List]
    }

    fn footer(&self, _: &Model) -> Vec<Act> {
        vec![Act::CheckedWrite, Act::Copy, Act::CheckedNew, Act::Back]
    }

    fn why_not(&self, act: Act, _: &Model) -> Option<String> {
        let nothing = act == Act::CheckedWrite && self.sheet.is_none();
        nothing.then(|| "nothing is verified yet; 2 leads there".to_owned())
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::CheckedWrite => {
                let beside =
                    cx.model.gap.chosen.as_deref().and_then(FsPath::parent).unwrap_or(FsPath::new("/"));
                let at = format!("{}/", beside.display().to_string().trim_end_matches('/'));
                let help = "As txt, md and json; never into the signed bundle itself.";
                cx.open(Path::new(Act::CheckedWrite, "Save the report in", help, Wanted::Directory).at(&at));
            }
            Act::CheckedNew => {
                let words = vec!["The report on this bundle is put aside unless it was saved.".to_owned()];
                cx.open(Confirm::new(Act::CheckedNew, "Go on with another bundle?", words, "Another bundle"));
            }
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question.act, answer) {
            (Act::CheckedWrite, Answer::Path(directory)) => {
                let Some(sheet) = &self.sheet else { return };
                match save(sheet, &directory) {
                    Ok(effect) => cx.effect(effect),
                    Err(failure) => cx.open(words::failure_page("The report was not saved", &failure)),
                }
            }
            (Act::CheckedNew, Answer::Yes) => {
                let given = std::mem::take(&mut cx.model.gap.given);
                cx.model.gap = Gap { given, ..Gap::default() };
                cx.model.changed(Place::Bundle);
                cx.go(Place::Bundle);
            }
            _ => {}
        }
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        scan(cx);
    }

    fn sync(&mut self, model: &Model) {
        self.sheet = model.gap.checked.as_ref().and_then(|checked| sheet(&model.gap, checked));
        self.view.sync(self.sheet.as_ref());
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.view.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.view.list)
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        if let Some(run) = &model.gap.import.run {
            return Some(run.job.spec.clone());
        }
        Some(JobSpec::Verify(model.gap.checked.as_ref()?.spec.clone()))
    }

    /// The value of the row; on a row without one, the whole report.
    fn value(&self, _: &Model) -> Option<String> {
        self.view.value().or_else(|| self.sheet.as_ref().map(Sheet::text))
    }

    fn status(&self, _: &Model) -> String {
        match &self.sheet {
            Some(_) => "c copies the row under the cursor; on a heading, the whole report".to_owned(),
            None => "nothing is verified yet".to_owned(),
        }
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let Some(sheet) = &self.sheet else {
            let words = match &model.gap.checked {
                Some(_) => "Nothing is to be reported: the bundle cannot be read, or it was stopped.",
                None => "Nothing is verified yet.",
            };
            return teach(
                &[("", words), ("", ""), ("2", "leads to where it is verified")],
                area,
                look,
                buffer,
            );
        };
        let verdict = format!(" {}", sheet.verdict_line());
        line::words(&verdict, look.style(role(sheet.grade)), line::row(area, 0), buffer);
        line::rule(line::row(area, 1), look, buffer);
        self.view.draw(line::below(area, 2), look, buffer);
    }
}

/// The report; nothing where nothing came of it.
fn sheet(gap: &Gap, checked: &Checked) -> Option<Sheet> {
    let said = gap.said();
    match &checked.ended {
        Ended::Succeeded(report) => match &**report {
            JobReport::Verify(report) => Some(with_import(accepted(report, said, checked), gap)),
            _ => None,
        },
        Ended::Failed(failure) => {
            let mut warnings = vec![failure.message.clone()];
            warnings.extend(failure.hints.iter().map(|hint| hints::here(hint)));
            let bad = checked.view.items.list.iter().filter(|item| item.note.is_some());
            let told = |item: &Arc<ItemView>| {
                let note = item.note.clone()?;
                // The reason of a file names it; that of an image does not.
                let image = note.starts_with("needs ");
                Some(if image { format!("{} {note}", item.name) } else { note })
            };
            warnings.extend(bad.filter_map(told).filter(|note| *note != failure.message));
            let verdict = format!("refused ({}): nothing of it may be used", failure.class());
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
        next: Vec::new(),
        images: report.images.iter().map(carried).collect(),
    }
}

fn accepted(report: &VerifyReport, said: Option<&Said>, checked: &Checked) -> Sheet {
    let warned = !report.warnings.is_empty() || !report.complete;
    let mut rows = rows(checked);
    rows.extend(report.history.iter().filter_map(|history| match &history.decision {
        decision @ (SerialDecision::Rollback { .. } | SerialDecision::HugeJump { .. }) => {
            let how = format!("{decision}: let through by typing the bundle's id");
            Some(Row { what: "OVERRIDE", grade: Grade::Warn, how })
        }
        _ => None,
    }));
    rows.extend(unchecked(report));
    let import = vec![
        "airlift".to_owned(),
        "import".to_owned(),
        report.path.display().to_string(),
        "--into".to_owned(),
        "TARGET".to_owned(),
    ];
    let verdict = if warned { "verified, with something to know" } else { "verified: every check held" };
    Sheet {
        verdict: verdict.to_owned(),
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
        None => not("layers", "hashed, not unpacked; s on Verify, or --deep, unpacks them"),
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
        Some(Signed { fingerprint: signature.fingerprint.clone()?, key_id: signature.key_id.clone()?, who })
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
