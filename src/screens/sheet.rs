//! A report on the screen: its rows folded into lines, one under the cursor; saved the same way on both sides of the gap.

use std::path::{Path, PathBuf};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line as Cells, Span};
use ratatui::widgets::Widget;

use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::Path as PathDialog;
use crate::dialogs::page::wrap;
use crate::dialogs::path::Wanted;
use crate::domain::sheet::{Fact, Grade, Sheet};
use crate::domain::text;
use crate::failure::Failure;
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::tui::screen::Cx;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;

/// Cells of the labels.
const LABEL: usize = 12;
/// Rows that a verdict takes at most, and where there are fewer rows than [`FEW`] for all.
const HEADLINE: [usize; 2] = [6, 3];
const FEW: u16 = 14;
/// Words are folded to this, however much room there is: a report reads the same everywhere but where that is less.
const WORDS: usize = 60;
/// Cells before a row: those of the cursor.
const LEAD: usize = 3;

/// The look of a grade.
pub(super) const fn role(grade: Grade) -> Role {
    match grade {
        Grade::Plain => Role::Text,
        Grade::Ok => Role::Ok,
        Grade::Warn => Role::Warn,
        Grade::Fail => Role::Fail,
    }
}

/// One line.
#[derive(Debug)]
struct Line {
    label: String,
    words: String,
    role: Role,
    value: String,
}

/// The rows of a report and where one is in them.
#[derive(Debug, Default)]
pub(super) struct SheetView {
    /// The list.
    pub(super) list: List,
    lines: Vec<Line>,
}

impl SheetView {
    /// Takes over what the report says now, for a screen of so many columns.
    pub(super) fn sync(&mut self, sheet: Option<&Sheet>, columns: u16) {
        let room = usize::from(columns).saturating_sub(LEAD + LABEL + 1).min(WORDS);
        self.lines = sheet.map_or_else(Vec::new, |sheet| lines(sheet, room));
        let lines = &self.lines;
        self.list.refresh(lines.len(), |row| format!("{} {}", lines[row].label, lines[row].words).into());
    }

    /// What is worth copying of the row under the cursor.
    pub(super) fn value(&self) -> Option<String> {
        let line = self.lines.get(self.list.row()?)?;
        (!line.value.is_empty()).then(|| line.value.clone())
    }

    /// Draws as many rows as there is room for, and by which key the others are seen.
    pub(super) fn draw(&self, further: &str, area: Rect, look: &Look, buffer: &mut Buffer) {
        let most = usize::from(area.height);
        let below = self.lines.len() > most && area.height > 3;
        let body = Rect { height: area.height.saturating_sub(u16::from(below)), ..area };
        let (rows, cursor) = self.list.window_in(body);
        if below && self.list.more_below() > 0 {
            let (first, last, all) = (rows.first(), rows.last(), self.lines.len());
            if let (Some(first), Some(last)) = (first, last) {
                let words = format!("   lines {}-{} of {all}; {further} shows more", first + 1, last + 1);
                line::words(&words, look.style(Role::Warn), line::row(area, body.height), buffer);
            }
        }
        for (at, number) in (0u16..).zip(rows) {
            let Some(row) = self.lines.get(*number) else { continue };
            let place = line::row(area, at);
            let selected = usize::from(at) == cursor;
            if selected {
                buffer.set_style(place, look.style(Role::Selected));
            }
            let style = |role: Role| look.style(if selected { Role::Selected } else { role });
            let label = text::padded(&row.label, if row.label.is_empty() { 0 } else { LABEL + 1 });
            let room = usize::from(area.width).saturating_sub(LEAD + text::width(&label));
            Cells::from(vec![
                Span::styled(if selected { ">  " } else { "   " }, style(Role::Text)),
                Span::styled(label, style(Role::Dim)),
                Span::styled(line::fit(&row.words, room), style(row.role)),
            ])
            .render(place, buffer);
        }
    }
}

/// Draws the verdict with its reason, on as many rows as it takes; how many.
pub(super) fn headline(sheet: &Sheet, area: Rect, look: &Look, buffer: &mut Buffer) -> u16 {
    let columns = usize::from(area.width.saturating_sub(2));
    let most = HEADLINE[usize::from(area.height < FEW)];
    let mut at = 0;
    for words in line::lines(&sheet.verdict_line(), (columns, most)) {
        line::words(&format!(" {words}"), look.style(role(sheet.grade)), line::row(area, at), buffer);
        at += 1;
    }
    at
}

fn lines(sheet: &Sheet, room: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (at, section) in sheet.sections().into_iter().enumerate() {
        let plain = |words: String, role| Line { label: String::new(), words, role, value: String::new() };
        if at > 0 {
            lines.push(plain(String::new(), Role::Text));
        }
        lines.push(plain(section.title.to_owned(), Role::Title));
        section.facts.iter().for_each(|fact| fold(fact, room, &mut lines));
    }
    lines
}

fn fold(fact: &Fact, room: usize, lines: &mut Vec<Line>) {
    let value = fact.value.clone().unwrap_or_else(|| fact.words.clone());
    if fact.words.is_empty() {
        let pieces = wrap(&text::shown(&fact.label), room + LABEL + 1).into_iter();
        lines.extend(pieces.map(|words| Line {
            label: String::new(),
            words,
            role: Role::Dim,
            value: value.clone(),
        }));
        return;
    }
    // What has no label beside it has its room too.
    let bare = fact.command || (fact.label.is_empty() && fact.value.is_none());
    let columns = if bare { room + LABEL + 1 } else { room };
    let role = if fact.command { Role::Key } else { role(fact.grade) };
    let words = format!("{}{}", fact.grade.sign(), text::shown(&fact.words));
    for (at, words) in wrap(&words, columns).into_iter().enumerate() {
        let label = match (bare, at) {
            (true, _) => String::new(),
            (false, 0) if !fact.label.is_empty() => fact.label.clone(),
            (false, _) => " ".to_owned(),
        };
        // A blank at the end of a folded line is none that takes room.
        let words = words.trim_end().to_owned();
        lines.push(Line { label, words, role, value: value.clone() });
    }
}

/// Where saving it is proposed: never on the medium of the bundle, from which the program may have been started.
fn begin(sheet: &Sheet, act: Act, model: &Model) -> String {
    let medium = Path::new(&sheet.path).parent().unwrap_or(Path::new("/"));
    let at = model.begin_path(act);
    match &model.settings.home {
        Some(home)
            if medium != Path::new("/")
                && !model.answered.contains_key(&act)
                && Path::new(&at).starts_with(medium) =>
        {
            format!("{}/", home.display())
        }
        _ => at,
    }
}

/// How its files begin: those of the two sides, and of two deeds on one, lie side by side.
fn stem(sheet: &Sheet) -> String {
    format!("{}-report-{}", sheet.directory, sheet.deed.word())
}

/// Asks for the directory in which it is saved.
pub(super) fn ask(sheet: Option<&Sheet>, act: Act, cx: &mut Cx<'_>) {
    let Some(sheet) = sheet else { return };
    let help = format!("As {}.txt, .md and .json; never into the signed bundle itself.", stem(sheet));
    let at = begin(sheet, act, cx.model);
    let dialog = PathDialog::new(act, "Save the report in", &help, Wanted::NewDirectory).at(&at);
    // A signed directory stays as it was signed.
    let inside = "this is inside the bundle: name a directory outside of it";
    cx.open(dialog.never_in(Path::new(&sheet.path), inside));
}

/// The files a report is saved as, in a directory.
///
/// # Errors
/// It cannot be written as JSON.
pub(super) fn save(sheet: &Sheet, directory: &Path) -> Result<Effect, Failure> {
    let path = |end: &str| -> PathBuf { directory.join(format!("{}.{end}", stem(sheet))) };
    let json = sheet.json().map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Effect::SaveNew(vec![
        (path("json"), json),
        (path("md"), sheet.markdown()),
        (path("txt"), sheet.text()),
    ]))
}
