//! Images: the list of what is to be carried, every way to fill it, and what is to be done about each name.

mod browse;
mod details;
mod fix;
mod load;
mod platforms;
mod tags;
mod view;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::actions::{Act, Scope};
use crate::dialogs::path::Wanted;
use crate::dialogs::{Answer, Path, Question};
use crate::domain::reference::is_registry;
use crate::engine::spec::JobSpec;
use crate::tui::checked::Checked;
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Effect, Found};
use crate::tui::picked::Picked;
use crate::tui::screen::{Cx, Mark, Screen};
use crate::tui::words;
use crate::widgets::list::{self, List};
use crate::widgets::look::Look;

use super::resolve::Seen;

pub(super) use fix::named;

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Images {
    list: List,
    load: load::Load,
    browse: browse::Browse,
    fix: fix::Fix,
    platforms: platforms::Platforms,
}

impl Images {
    fn save(cx: &mut Cx<'_>) {
        let file = cx.model.picked.file.as_ref();
        let at = file.map_or_else(
            || format!("{}images.txt", cx.model.begin_beside(Act::ImagesSave)),
            |file| file.display().to_string(),
        );
        let help = "One reference per line; the commands read it with -f FILE.";
        cx.open(Path::new(Act::ImagesSave, "Save the list as", help, Wanted::NewFile).at(&at));
    }

    /// The rows that are seen.
    fn seen(&self) -> Seen {
        Seen { rows: self.list.visible().iter().copied().collect(), at: self.list.row() }
    }

    fn fix_or_show(&mut self, cx: &mut Cx<'_>) {
        if !self.fix.begin(&mut self.list, cx) {
            self.details(cx);
        }
    }

    /// Whether the cursor is on what could not be read.
    fn unread(&self, model: &Model) -> bool {
        self.list.row().is_some_and(|row| model.picked.unread_at(row).is_some())
    }

    fn details(&self, cx: &mut Cx<'_>) {
        let picked = &cx.model.picked;
        if let Some(image) = self.list.row().and_then(|row| picked.images.get(row)) {
            let page = details::page(image, picked.checked_of(image), &cx.model.keymap);
            cx.open(page);
        }
    }
}

/// Takes over what is picked; the cursor stays on its image when others are dropped or brought back.
fn shown(list: &mut List, picked: &Picked) {
    let written = |row: usize| picked.name_of(row).unwrap_or_default().into();
    let id = |row: usize| match picked.images.get(row) {
        Some(image) => list::id(&image.request.reference),
        None => list::id(&picked.name_of(row)),
    };
    list.follow((picked.rows(), false), written, id);
}

/// After so long what tags named is asked again rather than gone on with.
const FRESH: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// Goes on to Verify, and verifies the list there unless that was just done, or cannot be at this moment.
fn verify(cx: &mut Cx<'_>) {
    cx.go(Place::Resolve);
    let picked = &cx.model.picked;
    let counts = picked.checked.counts();
    let verified = picked.is_current() && counts.ok + counts.failed >= picked.images.len();
    let old = picked.checked.earliest().filter(|at| cx.model.now.duration_since(*at) > FRESH);
    if (verified && old.is_none()) || cx.model.why_busy().is_some() {
        return;
    }
    super::resolve::start(cx);
    if let Some(at) = old.filter(|_| verified) {
        let at = words::moment(at, cx.model.now);
        cx.say(format!("verified at {at}, more than 15 minutes ago: asked again"));
    }
}

/// What was refused and is not mended now is not forgotten.
fn not_mended(cx: &mut Cx<'_>) {
    let count = cx.model.picked.mend_no_more();
    if count > 0 {
        cx.say(stay(count, cx.model));
    }
}

/// Where lines that could not be read are, and what is done about them.
fn stay(count: usize, model: &Model) -> String {
    let [mend, drop] = [Act::ImagesGo, Act::ImagesRemove].map(|act| model.key(act));
    match count {
        1 => format!("It stays at the end of the list: {mend} there mends it, {drop} takes it off."),
        _ => format!("They stay at the end of the list: {mend} there mends one, {drop} takes it off."),
    }
}

/// Takes back the last change of the list.
pub(super) fn undo(cx: &mut Cx<'_>) {
    if let Some(words) = cx.model.picked.undo() {
        super::resolve::come_back(cx);
        cx.say(format!("undone: {words}"));
    }
}

impl Screen for Images {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Images, Scope::List, Scope::Marks]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        let images = &model.picked.images;
        if self.unread(model) {
            return vec![Act::ImagesGo, Act::ImagesRemove, Act::ImagesAdd, Act::ImagesNext, Act::Back];
        }
        if images.is_empty() {
            return vec![Act::ImagesAdd, Act::ImagesLoad, Act::ImagesKubeadm, Act::ImagesBrowse, Act::Back];
        }
        let row = self.list.row().and_then(|row| images.get(row));
        let failed =
            row.is_some_and(|image| matches!(model.picked.checked_of(image), Some(Checked::Failed(_))));
        let first =
            if failed || row.and_then(fix::first).is_some() { Act::ImagesGo } else { Act::ImagesDetails };
        vec![first, Act::ImagesAdd, Act::ImagesNext, Act::Mark, Act::Back]
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        let empty = model.picked.rows() == 0;
        match act {
            Act::ImagesDetails if self.unread(model) => {
                Some(format!("it could not be read, as is said below; {} mends it", model.key(Act::ImagesGo)))
            }
            Act::Mark if self.unread(model) => {
                let [mend, drop] = [Act::ImagesGo, Act::ImagesRemove].map(|act| model.key(act));
                Some(format!(
                    "what was not read is not marked; {mend} mends it, {drop} takes it off where nothing is marked"
                ))
            }
            Act::ImagesNext if model.picked.images.is_empty() && !empty => {
                Some(format!("nothing of the list could be read; {} mends it", model.key(Act::ImagesGo)))
            }
            Act::ImagesGo | Act::ImagesDetails | Act::ImagesRemove | Act::ImagesSave | Act::ImagesNext
                if empty =>
            {
                Some(format!("the list is empty; {} adds a reference", model.key(Act::ImagesAdd)))
            }
            Act::ImagesGo | Act::ImagesDetails if self.list.row().is_none() => {
                Some(format!("no row passes the filter; {} shows all", model.key(Act::Back)))
            }
            Act::ImagesRemove if self.list.row().is_none() && model.picked.marked() == 0 => {
                Some(format!("no row passes the filter; {} shows all", model.key(Act::Back)))
            }
            Act::ImagesUndo if !model.picked.can_undo() => Some("nothing was changed yet".to_owned()),
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::ImagesGo => self.fix_or_show(cx),
            Act::ImagesAdd => cx.open(words::add_references()),
            Act::ImagesLoad | Act::ImagesKubeadm | Act::ImagesManifests => self.load.begin(act, cx),
            Act::ImagesBrowse => self.browse.begin(cx),
            Act::ImagesPlatforms => self.platforms.begin(cx),
            Act::ImagesDetails => self.details(cx),
            Act::ImagesRemove => self.seen().remove(act, cx),
            Act::ImagesUndo => undo(cx),
            Act::ImagesSave => Self::save(cx),
            Act::ImagesNext => verify(cx),
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question.act, answer) {
            (Act::ImagesAdd, Answer::Text(text)) if is_registry(text.trim()) => {
                cx.model.picked.mend_no_more();
                self.browse.offer(text.trim(), cx);
            }
            (Act::ImagesAdd, Answer::Text(text)) => {
                let added = cx.model.add_typed(&text);
                cx.say(words::added(&added));
                cx.todo.dialogs.extend(words::refused(&added));
            }
            (Act::ImagesSave, Answer::Path(path)) => {
                let text = cx.model.picked.text();
                cx.model.picked.file = Some(path.clone());
                cx.effect(Effect::SaveNew(vec![(path, text)]));
            }
            (Act::ImagesLoad | Act::ImagesKubeadm | Act::ImagesManifests, answer) => {
                self.load.answered(question, answer, cx);
            }
            (Act::ImagesRemove, answer) => self.seen().answered(Act::ImagesRemove, &answer, cx),
            (Act::ImagesBrowse, answer) => self.browse.answered(question, answer, cx),
            (Act::ImagesPlatforms, answer) => self.platforms.answered(question, answer, cx),
            (Act::ImagesGo, answer) => self.fix.answered(question, &answer, &mut self.list, cx),
            _ => {}
        }
    }

    fn closed(&mut self, question: Question, cx: &mut Cx<'_>) {
        match question.act {
            Act::ImagesAdd => not_mended(cx),
            Act::ImagesBrowse => self.browse.closed(question, cx),
            Act::ImagesGo => self.fix.closed(),
            _ => {}
        }
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        match found {
            Found::Selected(images, requests) => self.load.selected(images, requests, cx),
            Found::Failed(query, failure) => load::no_version(query, failure, cx),
            _ => {}
        }
        self.browse.found(found, cx);
        self.fix.found(found, &mut self.list, cx);
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        let (joined, restored) = (cx.model.picked.joined.take(), cx.model.picked.restored.take());
        let kept = restored.map(|(count, written)| {
            let count = words::count(count, "image");
            let [add, drop] = [Act::ImagesAdd, Act::ImagesRemove].map(|act| cx.model.key(act));
            let written = written.strftime("%Y-%m-%d %H:%MZ");
            format!("{count} kept since {written}; {add} adds, {drop} removes")
        });
        if let Some(words) = joined.or(kept) {
            cx.say(words);
        }
    }

    fn sync(&mut self, model: &Model) {
        shown(&mut self.list, &model.picked);
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.list)
    }

    fn mark(&mut self, mark: Mark, model: &mut Model) {
        let mut rows: Vec<usize> = match mark {
            Mark::Toggle => self.list.row().into_iter().collect(),
            Mark::All | Mark::Invert => self.list.visible().to_vec(),
        };
        rows.retain(|row| *row < model.picked.images.len());
        model.picked.mark(&rows, mark);
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        (!model.picked.images.is_empty()).then(|| super::resolve::whole(model))
    }

    fn value(&self, model: &Model) -> Option<String> {
        let row = self.list.row()?;
        let image = model.picked.images.get(row).map(|image| image.request.reference.to_string());
        image.or_else(|| model.picked.name_of(row).map(ToOwned::to_owned))
    }

    fn status(&self, model: &Model) -> String {
        view::status(model)
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        view::draw(&self.list, model, look, area, buffer);
    }
}
