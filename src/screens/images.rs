//! Images: the list of what is to be carried, with what the names alone tell, and every way to fill it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::actions::{Act, Scope};
use crate::config::theme::Role;
use crate::dialogs::{Answer, Input, Question};
use crate::domain::lint::Severity;
use crate::tui::model::{Model, Place};
use crate::tui::picked::Image;
use crate::tui::screen::{Cx, Mark, Screen};
use crate::tui::words;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, table};

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Images {
    list: List,
}

const COLUMNS: &[Column] = &[Column::left("REFERENCE", 0), Column::left("FINDING", 0).from(70)];

impl Screen for Images {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Images, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        if model.picked.images.is_empty() {
            vec![Act::ImagesAdd, Act::Back]
        } else {
            vec![Act::ImagesGo, Act::ImagesAdd, Act::Mark, Act::ImagesRemove, Act::Back]
        }
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        let empty = model.picked.images.is_empty();
        match act {
            Act::ImagesGo | Act::ImagesRemove | Act::ImagesSave | Act::ImagesNext if empty => {
                Some("the list is empty; n adds a reference".to_owned())
            }
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) -> bool {
        match act {
            Act::ImagesAdd => {
                let help =
                    "As in nginx:1.25.3 or host:5000/team/app@sha256:...; several at once by pasting lines.";
                cx.open(Input::new(Act::ImagesAdd, "Add references", help));
            }
            Act::ImagesRemove => {
                let count = cx.model.picked.drop_rows(self.list.row());
                cx.model.changed(Place::Images);
                cx.say(format!("{count} dropped; u brings them back"));
            }
            Act::ImagesUndo => {
                if let Some(words) = cx.model.picked.undo() {
                    cx.model.changed(Place::Images);
                    cx.say(format!("taken back: {words}"));
                }
            }
            _ => return false,
        }
        true
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        if let (Act::ImagesAdd, Answer::Text(text)) = (question.act, answer) {
            let added = cx.model.picked.add_lines(&text);
            cx.model.changed(Place::Images);
            cx.say(words::added(&added));
            if let Some(page) = words::refused_page(&added) {
                cx.open(page);
            }
        }
    }

    fn sync(&mut self, model: &Model) {
        let images = &model.picked.images;
        self.list.refresh(images.len(), |row| images[row].request.requested.as_str().into());
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.list)
    }

    fn mark(&mut self, mark: Mark, model: &mut Model) {
        let rows: Vec<usize> = match mark {
            Mark::Toggle => self.list.row().into_iter().collect(),
            Mark::All | Mark::Invert => self.list.visible().to_vec(),
        };
        model.picked.mark(&rows, mark);
    }

    fn value(&self, model: &Model) -> Option<String> {
        Some(model.picked.images.get(self.list.row()?)?.request.reference.to_string())
    }

    fn status(&self, model: &Model) -> String {
        let (all, marked) = (model.picked.images.len(), model.picked.marked());
        if marked > 0 { format!("{all} images, {marked} marked") } else { format!("{all} images") }
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        if model.picked.images.is_empty() {
            return empty(look, area, buffer);
        }
        let row = |row: usize| row_of(&model.picked.images[row]);
        table(COLUMNS, &self.list, row, area, look, buffer);
    }
}

fn row_of(image: &Image) -> Row {
    let finding = image.findings.iter().find(|finding| finding.severity != Severity::Info);
    let finding = finding.map_or_else(
        || Value::styled("ok", Role::Ok),
        |finding| Value::styled(format!("! {}: {}", finding.id, finding.reason), Role::Warn),
    );
    Row { marked: image.marked, values: vec![Value::plain(image.request.requested.clone()), finding] }
}

/// An empty list teaches the ways to fill it.
fn empty(look: &Look, area: Rect, buffer: &mut Buffer) {
    let lines = [
        ("", "Nothing is picked yet. To begin:"),
        ("", ""),
        ("n", "type a reference, as in nginx:1.25.3"),
        ("", "or paste lines of them right here"),
    ];
    for (at, (key, words)) in (1u16..).zip(lines) {
        let place = line::row(area, at);
        line::words(&format!("   {key}"), look.style(Role::Key), place, buffer);
        let indented = Rect { x: place.x + 7, width: place.width.saturating_sub(7), ..place };
        line::words(words, look.style(Role::Text), indented, buffer);
    }
}
