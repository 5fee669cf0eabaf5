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
/// Rows below the table, about the image under the cursor: one blank, the rest words.
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
    let foot = if area.height < ROOM { LOW_FOOT } else { FOOT };
    let body = Rect { height: area.height.saturating_sub(foot), ..area };
    let row = |row: usize| match picked.images.get(row) {
        Some(image) => row_of(image, picked),
        None => unread_row(picked.name_of(row).unwrap_or_default()),
    };
    table(COLUMNS, list, row, body, look, buffer);
    hidden(list, line::row(area, body.height), look, buffer);
    let Some(row) = list.row() else {
        let words = format!("   nothing passes the filter; {} shows all", model.key(Act::Back));
        return line::words(&words, look.style(Role::Dim), line::row(area, 1), buffer);
    };
    let foot = line::below(area, body.height + 1);
    let columns = usize::from(area.width.saturating_sub(2));
    let room = (columns, usize::from(foot.height));
    let image = picked.images.get(row).map(|image| about(image, model, room));
    let lines = image.or_else(|| picked.unread_at(row).map(|unread| about_unread(unread, model, room)));
    for (at, (words, role)) in (0u16..).zip(lines.unwrap_or_default()) {
        line::words(&format!(" {words}"), look.style(role), line::row(foot, at), buffer);
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

/// Why it could not be, and what helps.
fn about_unread(unread: &Unread, model: &Model, (columns, rows): (usize, usize)) -> Vec<(String, Role)> {
    let words = format!("x {}: {}", unread.origin, unread.reason);
    let lines = line::lines(&words, (columns, rows.saturating_sub(1)));
    let mut lines: Vec<_> = lines.into_iter().map(|words| (words, Role::Fail)).collect();
    let [go, drop] = [Act::ImagesGo, Act::ImagesRemove].map(|act| model.key(act));
    let helps = match unread.place() {
        Some(_) => "reads the file again once it is mended",
        None => "writes a reference in its place",
    };
    lines.push((format!("{go} {helps}, {drop} takes it off the list"), Role::Text));
    lines
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
fn about(image: &Image, model: &Model, (columns, rows): (usize, usize)) -> Vec<(String, Role)> {
    let picked = &model.picked;
    let [go, details] = [Act::ImagesGo, Act::ImagesDetails].map(|act| model.key(act));
    if let Some(Checked::Failed(miss)) = picked.checked_of(image) {
        let words = format!("x FAIL  {}", miss.why());
        let room = (columns, rows.saturating_sub(1));
        let mut lines: Vec<_> =
            line::lines(&words, room).into_iter().map(|words| (words, Role::Fail)).collect();
        let drop = model.key(Act::ImagesRemove);
        let words = format!("{go} writes another one in its place, {drop} drops it");
        lines.push((words, Role::Text));
        return lines;
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
    let reason = format!("! {from}{}: {}", first.id, first.reason);
    let room = (columns, rows.saturating_sub(1));
    let mut lines: Vec<(String, Role)> =
        line::lines(&reason, room).into_iter().map(|words| (words, role)).collect();
    lines.push(match fix::first(image) {
        Some(Remedy::Rewrite(name)) => (format!("{go} offers {name}"), Role::Text),
        Some(Remedy::Settle) => (format!("{go} offers tags that stay, or pins the digest"), Role::Text),
        None => (format!("{details} details say what to do about it"), Role::Text),
    });
    lines
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
