//! Verify: a bundle against trust, clock, history and every byte, as a list that fills in the order in which it is checked.

mod heading;
mod pin;
mod rows;
mod signers;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use uuid::Uuid;

use self::heading::heading;
use self::rows::{Line, lines};
use super::bundle::scan;
use super::import::undo::{self, Asking};
use super::trusted;
use crate::actions::{Act, Scope};
use crate::config::theme::Role;
use crate::dialogs::{Answer, Confirm, Question};
use crate::domain::digest::Digest;
use crate::domain::progress::Phase;
use crate::domain::trust::AllowRollback;
use crate::engine::bundle::offer::Said;
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::gap::Checked;
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Ended, Found};
use crate::tui::screen::{Cx, Screen};
use crate::widgets::facts::teach;
use crate::widgets::foot;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::phases::{PhaseRow, Standing, phase};
use crate::widgets::stepper::StepState;
use crate::widgets::table::{Column, Row, Value, table_in};

const COLUMNS: &[Column] = &[Column::left("STATE", 7), Column::left("WHAT", 0), Column::right("SIZE", 9)];

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Check {
    list: List,
    lines: Vec<Line>,
    pinning: pin::Pinning,
    /// Id and document of the bundle that is asked about.
    older: Option<(Uuid, Digest)>,
    undo: Asking,
}

impl Check {
    fn line(&self) -> Option<&Line> {
        self.lines.get(self.list.row()?)
    }

    fn verify(&mut self, cx: &mut Cx<'_>) {
        if let Some(job) = self.job(cx.model) {
            cx.start(Act::Verify, job);
        }
    }

    fn verified(cx: &mut Cx<'_>) {
        let at = cx.model.now;
        let Some(job) = cx.model.job_of(Act::Verify) else { return };
        let (Some(ended), JobSpec::Verify(spec)) = (job.ended.clone(), job.spec.clone()) else { return };
        if !cx.model.is_about_chosen(job) {
            let log = cx.model.key(Act::Logs);
            cx.say(format!("what was verified is not the bundle there now; {log} says what came of it"));
            return scan(cx);
        }
        let state = match &ended {
            Ended::Succeeded(_) if rows::warnings(&ended) => StepState::Warn,
            Ended::Succeeded(_) => StepState::Ok,
            Ended::Failed(_) => StepState::Failed,
            Ended::Cancelled => StepState::Todo,
        };
        let view = job.view.clone();
        let document = match &ended {
            Ended::Succeeded(report) => match &**report {
                JobReport::Verify(report) => Some(report.document.clone()),
                _ => None,
            },
            _ => None,
        };
        let document = document.or_else(|| cx.model.gap.document());
        let checked = Checked { ended, view, at, spec, document };
        // What was imported stands where the same is said once more.
        if !cx.model.gap.checked.as_ref().is_some_and(|earlier| checked.confirms(earlier)) {
            cx.model.changed(Place::Check);
            cx.model.gap.import.outdate();
        }
        cx.model.set_state(Place::Check, state);
        cx.model.gap.checked = Some(checked);
        // What was accepted is history now.
        scan(cx);
    }

    fn ask_override(&mut self, cx: &mut Cx<'_>) {
        let (Some(reason), Some(said)) = (cx.model.gap.rollback(), cx.model.gap.said()) else { return };
        self.older = Some((said.report.id, said.report.manifest_digest.clone()));
        let id = said.report.id.to_string();
        let name = id.rsplit('-').next().unwrap_or_default().to_owned();
        let words = vec![
            format!("{}-{}: {reason}.", said.report.name, said.report.serial),
            "An older bundle brings back images with bugs fixed since. Accept it only if you were told to install exactly this one."
                .to_owned(),
            format!(
                "Its id is {id}. The override is recorded in the report. Signatures, expiry and every byte are still checked."
            ),
        ];
        let confirm = Confirm::new(Act::CheckOverride, "Accept an older bundle?", words, "Verify");
        cx.open(confirm.typed(&name));
    }

    /// The id was typed: what lies there now must be what was asked about.
    fn let_through(&mut self, cx: &mut Cx<'_>) {
        let Some((id, document)) = self.older.take() else { return };
        let now = cx.model.gap.said().map(|said| (said.report.id, &said.report.manifest_digest));
        if now != Some((id, &document)) {
            return cx.say("the bundle there has changed; nothing was accepted");
        }
        cx.model.gap.overridden = AllowRollback::Only(id);
        self.verify(cx);
    }
}

/// Whether a key signed this bundle that could be trusted.
pub(super) fn trustable(said: &Said) -> bool {
    !pin::unknown_of(said).is_empty()
}

/// Asks whether the key that signed the chosen bundle is the one on paper.
pub(super) fn trust(cx: &mut Cx<'_>) {
    pin::ask(cx);
}

impl Screen for Check {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Check, Scope::Trust, Scope::Undo, Scope::Job, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        if model.at_work(Act::Verify).is_some() {
            return vec![Act::CheckDetails, Act::Pause, Act::Stop, Act::Logs, Act::Back];
        }
        let over = model.gap.checked.is_some() && !model.gap.lacks_strict();
        let mut footer = vec![if over { Act::CheckNext } else { Act::Verify }];
        if model.gap.rollback().is_some() {
            footer.push(Act::CheckOverride);
        } else if pin::wanted(model) {
            footer.push(Act::KeyTrust);
        } else {
            footer.push(Act::CheckDeep);
        }
        let then = match over {
            true => Act::Verify,
            false if signers::could_be_more(model) => Act::CheckSigners,
            false => Act::ShellCommand,
        };
        footer.extend([Act::CheckDetails, then, Act::Back]);
        footer
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        let gap = &model.gap;
        let reason = match act {
            Act::Verify | Act::CheckOverride | Act::KeyTrust | Act::CheckSigners | Act::KeyList
                if model.busy().is_some() =>
            {
                return model.why_busy();
            }
            Act::KeyList => return None,
            Act::ImportUndo => return undo::why_not(model),
            _ if gap.chosen.is_none() => {
                format!("no bundle is chosen; {} shows what there is", model.key(Act::Step1))
            }
            Act::CheckOverride if gap.rollback().is_none() => {
                let serial = match gap.said().and_then(|said| said.serial.as_ref()) {
                    Some(_) => "its serial is not in the way",
                    None => "no serial was compared yet",
                };
                format!("{serial}; nothing else can be overridden")
            }
            Act::KeyTrust => return pin::why_not(model),
            Act::CheckNext if gap.checked.is_none() => {
                format!("nothing was verified yet; {} does it", model.key(Act::Verify))
            }
            Act::CheckNext if gap.lacks_strict() => model.not_strict(),
            _ => return None,
        };
        Some(reason)
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::Verify => self.verify(cx),
            Act::CheckDeep => {
                let deep = &mut cx.model.gap.deep;
                *deep = !*deep;
                let words =
                    if *deep { "layers are also unpacked and compared" } else { "layers are only hashed" };
                let verify = cx.model.key(Act::Verify);
                cx.say(format!("{words}; {verify} verifies"));
            }
            Act::CheckSigners => signers::ask(cx),
            Act::CheckOverride => self.ask_override(cx),
            Act::KeyTrust => pin::ask(cx),
            Act::KeyList => trusted::ask(cx),
            Act::ImportUndo => self.undo.ask(cx),
            Act::CheckDetails => {
                if let Some(line) = self.line() {
                    cx.open(rows::page(line, cx.model));
                }
            }
            Act::CheckNext => {
                let held = cx.model.gap.checked.as_ref().is_some_and(|checked| checked.held());
                cx.go(if held { Place::Import } else { Place::Checked });
            }
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question.act, answer) {
            (Act::CheckOverride, Answer::Yes) => self.let_through(cx),
            (Act::CheckSigners, Answer::Rows(rows)) => signers::chosen(&rows, cx),
            (Act::CheckSigners, Answer::Text(text)) => signers::answered(&text, cx),
            (Act::ImportUndo, answer) => self.undo.answered(answer, cx),
            (Act::KeyTrust, Answer::Text(text)) => self.pinning.answered(question.part, &text, cx),
            _ => {}
        }
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        if matches!(found, Found::Media(_)) {
            scan(cx);
        }
        self.pinning.found(found, cx);
    }

    fn ended(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::Verify => {
                Self::verified(cx);
                self.lines = lines(cx.model, self.list.lead());
                let failed = self.lines.iter().position(|line| line.role == Role::Fail);
                self.list.select(failed.unwrap_or(0));
            }
            Act::KeyTrust if self.pinning.ended(cx) => self.verify(cx),
            Act::KeyList if cx.model.place == Place::Check => trusted::ended(cx),
            _ => {}
        }
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        scan(cx);
    }

    fn sync(&mut self, model: &Model) {
        self.lines = lines(model, self.list.lead());
        let lines = &self.lines;
        self.list.refresh(lines.len(), |row| format!("{} {}", lines[row].state, lines[row].words()).into());
        self.list.join(|row| lines[row].state.is_empty());
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.list)
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        model.gap.spec(&model.settings).map(JobSpec::Verify)
    }

    fn value(&self, model: &Model) -> Option<String> {
        match self.line() {
            Some(Line { copy: Some(copy), .. }) => Some(copy.clone()),
            _ => Some(model.gap.chosen.as_ref()?.display().to_string()),
        }
    }

    fn status(&self, model: &Model) -> String {
        // Of what else runs, only what was verified before is said.
        let words = match (&model.gap.checked, model.at_work(Act::Verify)) {
            (_, Some(job)) if job.stopping => "stopping at a safe point ...".to_owned(),
            (_, Some(job)) if job.paused => format!("paused; {} goes on", model.key(Act::Pause)),
            (_, Some(_)) => "verifying; nothing is used until everything is verified".to_owned(),
            (Some(_), None) if model.gap.lacks_strict() => {
                format!("{} is the report, of what was verified without strict", model.key(Act::Step4))
            }
            (Some(checked), None) if checked.held() => {
                let (next, report) = (model.key(Act::CheckNext), model.key(Act::Step4));
                format!("{next} goes on to the import; {report} is the report")
            }
            (Some(_), None) => format!("{} shows the report", model.key(Act::CheckNext)),
            (None, None) => "nothing of this bundle is verified yet".to_owned(),
        };
        format!("{words}{}", signers::wanted(model))
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        if model.gap.chosen.is_none() {
            let list = model.key(Act::Step1);
            let lines =
                [("", "No bundle is chosen."), ("", ""), (list.as_str(), "shows the bundles that are here")];
            return teach(&lines, area, look, buffer);
        }
        let (under, said) = heading(model, self.list.visible().len(), area);
        foot::draw(&said, look, area, buffer);
        let top = u16::try_from(said.len()).unwrap_or(u16::MAX);
        if let Some(job) = model.at_work(Act::Verify) {
            let row = PhaseRow {
                name: "verify",
                view: job.view.phases.iter().rfind(|phase| phase.phase == Phase::Verify),
                before: "document, signatures, clock and history come first",
                at: model.at.saturating_sub(job.began),
                standing: Standing::Running,
                awaits: None,
            };
            phase(&row, line::row(area, under), look, buffer);
        }
        let row = |row: usize| {
            let line = &self.lines[row];
            let (state, words) = (Value::styled(line.state, line.role), Value::plain(line.words()));
            let mut values = vec![state, words];
            // Where there is no size its room is the words'.
            values.extend((!line.size.is_empty()).then(|| Value::plain(&line.size)));
            Row { marked: false, values }
        };
        table_in(COLUMNS, &self.list, row, line::below(area, top), look, buffer);
    }
}
