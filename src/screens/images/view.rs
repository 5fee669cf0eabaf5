//! How the list looks: rows, what is to be said about the one under the cursor, and what an empty list teaches.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::fix::{self, Remedy};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::lint::{Severity, may_move};
use crate::domain::listed::ELSEWHERE;
use crate::domain::resolved::ImageView;
use crate::domain::text;
use crate::tui::checked::Checked;
use crate::tui::model::Model;
use crate::tui::picked::{Image, Picked, Unread};
use crate::tui::words::lesser;
use crate::widgets::foot::{self, Said};
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, hidden, table};

const COLUMNS: &[Column] = &[
    Column::left("REFERENCE", 0),
    Column::left("PLATFORMS", 9).from(70),
    Column::right("SIZE", 8),
    Column::left("FINDING", 18),
];
/// Rows below the table, about the image under the cursor, where it needs the others: one blank, the rest words.
const FOOT: u16 = 5;
/// The same where there is little room.
const LOW_FOOT: u16 = 4;
/// Rows from which on there is room.
const ROOM: u16 = 14;

/// Draws the list.
pub(super) fn draw(list: &List, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    let picked = &model.picked;
    let area = beside(model, look, area, buffer);
    if picked.rows() == 0 {
        return empty(model, look, area, buffer);
    }
    let said = said(list, model);
    let below = rows_below(&said, list, area);
    let body = Rect { height: area.height - below, ..area };
    let row = |row: usize| match picked.images.get(row) {
        Some(image) => row_of(image, picked),
        None => unread_row(picked.name_of(row).unwrap_or_default()),
    };
    table(COLUMNS, list, row, body, look, buffer);
    hidden(list, line::row(area, body.height), look, buffer);
    if list.row().is_none() {
        let words = format!("   nothing passes the filter; {} shows all", model.key(Act::Back));
        return line::words(&words, look.style(Role::Dim), line::row(area, 1), buffer);
    }
    let lines = folded(&said, area, below.saturating_sub(1));
    foot::draw(&lines, look, line::below(area, body.height + 1), buffer);
}

/// Rows below the table, the blank one among them.
fn rows_below(said: &[Said], list: &List, area: Rect) -> u16 {
    let least = if area.height < ROOM { LOW_FOOT } else { FOOT };
    foot::rows(folded(said, area, area.height).len() + 1, least, list.visible().len() + 1, area)
}

fn folded(said: &[Said], area: Rect, rows: u16) -> Vec<Said> {
    foot::folded(said, (1, 1), (area.width, rows))
}

/// What is said of the row under the cursor.
fn said(list: &List, model: &Model) -> Vec<Said> {
    let picked = &model.picked;
    let Some(row) = list.row() else { return Vec::new() };
    match (picked.images.get(row), picked.unread_at(row)) {
        (Some(image), _) => about(image, model),
        (None, Some(unread)) => about_unread(unread, model).into(),
        (None, None) => Vec::new(),
    }
}

/// Says that another workstation has the list; what is left below that.
fn beside(model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) -> Rect {
    let words = model.beside.as_ref().map(|beside| format!("! {}", beside.words()));
    let room = (usize::from(area.width.saturating_sub(2)), 3);
    let lines = words.map_or_else(Vec::new, |words| line::lines(&words, room));
    let mut rows = 0;
    for words in lines {
        line::words(&format!(" {words}"), look.style(Role::Warn), line::row(area, rows), buffer);
        rows += 1;
    }
    line::below(area, rows)
}

fn row_of(image: &Image, picked: &Picked) -> Row {
    let (platforms, size) = match picked.checked_of(image) {
        Some(Checked::Ok(view)) => (platforms(view), text::bytes(view.bytes)),
        Some(Checked::Running) => ("...".to_owned(), "...".to_owned()),
        Some(Checked::Failed(_)) | None => ("-".to_owned(), "-".to_owned()),
    };
    let values = vec![
        Value::plain(image.request.requested.clone()),
        Value::styled(platforms, Role::Text),
        Value::styled(size, Role::Text),
        finding(image, picked),
    ];
    Row { marked: image.marked, values }
}

/// What could not be read.
fn unread_row(text: &str) -> Row {
    let dash = || Value::styled("-", Role::Text);
    Row {
        marked: false,
        values: vec![Value::plain(text), dash(), dash(), Value::styled("x not read", Role::Fail)],
    }
}

/// What dropping does on a row: where some are marked, it is about those alone.
fn drops(one: &str, model: &Model) -> String {
    match model.picked.marked() {
        0 => one.to_owned(),
        marked => format!("takes the {marked} marked off the list"),
    }
}

/// Why it could not be, and what helps.
fn about_unread(unread: &Unread, model: &Model) -> [Said; 2] {
    let why = (format!("x {}: {}", unread.origin, unread.reason), Role::Fail);
    let [go, drop] = [Act::ImagesGo, Act::ImagesRemove].map(|act| model.key(act));
    let helps = match unread.place() {
        Some(_) => "reads the file again once it is mended",
        None => "writes a reference in its place",
    };
    [why, (format!("{go} {helps}, {drop} {}", drops("takes it off the list", model)), Role::Text)]
}

/// As in `amd64`, or `amd64 +3`.
fn platforms(view: &ImageView) -> String {
    let mut names = view.platforms.iter().map(|platform| platform.architecture.as_str());
    match (names.next(), names.count()) {
        (None, _) => "-".to_owned(),
        (Some(first), 0) => first.to_owned(),
        (Some(first), more) => format!("{first} +{more}"),
    }
}

fn finding(image: &Image, picked: &Picked) -> Value {
    let checked = picked.checked_of(image);
    if matches!(checked, Some(Checked::Failed(_))) {
        return Value::styled("x FAIL", Role::Fail);
    }
    let found = fix::findings(image);
    if image.came_from_elsewhere() {
        let more = if found.is_empty() { String::new() } else { format!(" +{}", found.len()) };
        return Value::styled(format!("! joined{more}"), Role::Warn);
    }
    let moves = may_move(&image.findings).is_some();
    match (found.first(), checked) {
        (Some(first), _) => {
            let more = if found.len() > 1 { format!(" +{}", found.len() - 1) } else { String::new() };
            let (mark, role) = match first.severity {
                Severity::Error => ('x', Role::Fail),
                _ => ('!', Role::Warn),
            };
            Value::styled(format!("{mark} {}{more}", first.id), role)
        }
        (None, Some(Checked::Ok(_))) if moves => Value::styled("+ ok, may move", Role::Ok),
        (None, Some(Checked::Ok(_))) => Value::styled("+ ok", Role::Ok),
        (None, _) if image.was.is_some() => {
            Value::styled(format!("was {}", image.was.as_deref().unwrap_or_default()), Role::Dim)
        }
        (None, _) if moves => Value::styled("may move", Role::Dim),
        (None, _) => Value::styled("name ok", Role::Dim),
    }
}

/// Lines on the row under the cursor: what is wrong, why, and what Enter does about it.
fn about(image: &Image, model: &Model) -> Vec<Said> {
    let picked = &model.picked;
    let [go, details] = [Act::ImagesGo, Act::ImagesDetails].map(|act| model.key(act));
    if let Some(Checked::Failed(miss)) = picked.checked_of(image) {
        let why = (format!("x FAIL  {}", miss.why()), Role::Fail);
        let drop = model.key(Act::ImagesRemove);
        let drops = drops("drops it", model);
        return vec![why, (format!("{go} writes another one in its place, {drop} {drops}"), Role::Text)];
    }
    let Some(first) = fix::findings(image).into_iter().next() else {
        let note = image.request.note.as_ref().filter(|note| **note != image.request.origin.to_string());
        let note = note.map_or_else(String::new, |note| format!("   for: {note}"));
        let was = image.was.as_ref().map_or_else(String::new, |was| format!("was {was}, "));
        let words = format!("{was}from {}{note}   {details} details", image.request.origin);
        let mut lines = vec![(image.request.reference.to_string(), Role::Text), (words, Role::Dim)];
        // Said why it is not warned of, as another tag is.
        let moves = may_move(&image.findings).map(|finding| format!("may move: {}", finding.reason));
        lines.extend(moves.map(|words| (words, Role::Dim)));
        lines.extend(lesser(&image.findings, &details).map(|words| (words, Role::Dim)));
        return lines;
    };
    let role = if first.severity == Severity::Error { Role::Fail } else { Role::Warn };
    let from =
        if image.came_from_elsewhere() { format!("from {}; ", image.request.origin) } else { String::new() };
    let reason = (format!("! {from}{}: {}", first.id, first.reason), role);
    let helps = match fix::first(image) {
        Some(Remedy::Rewrite(name)) => format!("{go} offers {name}"),
        Some(Remedy::Settle) => {
            format!("{go} offers other tags, or pins the digest")
        }
        None => format!("{details} details say what to do about it"),
    };
    vec![reason, (helps, Role::Text)]
}

/// The list in numbers.
pub(super) fn status(model: &Model) -> String {
    let picked = &model.picked;
    if picked.rows() == 0 {
        return format!("no images; {}", picked.platform_words());
    }
    let mut words = vec![crate::tui::words::count(picked.images.len(), "image")];
    words.extend(picked.unread_words());
    if picked.marked() > 0 {
        words.push(format!("{} marked", picked.marked()));
    }
    let elsewhere = picked.images.iter().filter(|image| image.came_from_elsewhere()).count();
    if elsewhere > 0 {
        words.push(format!("{elsewhere} from {ELSEWHERE}"));
    }
    let open = picked.images.iter().filter(|image| fix::first(image).is_some()).count();
    if open > 0 {
        words.push(format!("{open} to fix"));
    }
    if picked.checked.bytes() > 0 {
        words.push(format!("{} in total, shared blobs counted once", text::bytes(picked.checked.bytes())));
    }
    words.push(picked.platform_words());
    words.join(", ")
}

/// An empty list teaches the ways to fill it.
fn empty(model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    let lines = [
        (None, "No images yet. Ways to start:"),
        (None, ""),
        (Some(Act::ImagesAdd), "type references, or paste lines of them right here"),
        (Some(Act::ImagesLoad), "load a list file, one reference per line"),
        (Some(Act::ImagesKubeadm), "the images of a Kubernetes version (kubeadm)"),
        (Some(Act::ImagesManifests), "the images that manifests name: a file or directory"),
        (Some(Act::ImagesBrowse), "browse a registry: repositories, then tags"),
        (None, ""),
        (Some(Act::ImagesPlatforms), "choose platforms; without a choice all are carried"),
    ];
    for (at, (key, words)) in (1u16..).zip(lines) {
        let place = line::row(area, at);
        let key = key.map_or_else(String::new, |act| model.key(act));
        if !key.is_empty() {
            line::words(&format!("   {key}"), look.style(Role::Key), place, buffer);
        }
        let indent = if key.is_empty() { 3 } else { 7 };
        let indented = Rect { x: place.x + indent, width: place.width.saturating_sub(indent), ..place };
        line::words(words, look.style(Role::Text), indented, buffer);
    }
}
