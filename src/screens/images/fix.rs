//! What is done about a finding: another name, a tag that stays, or the digest that the tag names now.

use crate::actions::Act;
use crate::dialogs::choose::Item;
use crate::dialogs::{Answer, Choose, Input, Question};
use crate::domain::lint::{Finding, Motion, Rule, Severity, motion};
use crate::domain::reference::Reference;
use crate::domain::selection::Request;
use crate::domain::text;
use crate::tui::checked::Checked;
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Found, Query};
use crate::tui::picked::{Image, Picked, Unread};
use crate::tui::screen::Cx;
use crate::tui::words;
use crate::widgets::list::List;

use super::{load, tags};
use crate::screens::resolve::write;

const ASK_TAGS: Question = Question { act: Act::ImagesGo, part: 0 };
const TAG: Question = Question { act: Act::ImagesGo, part: 1 };
const NAME: Question = Question { act: Act::ImagesGo, part: 3 };
const ASK_DIGEST: Question = Question { act: Act::ImagesGo, part: 2 };
const PLACE: Question = Question { act: Act::ImagesGo, part: 4 };

/// What can be done about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Write this instead.
    Rewrite(String),
    /// Choose a tag that stays, or pin the content.
    Settle,
}

/// The findings of a row that are worth a person's time, the first one to be seen to first.
pub(super) fn findings(image: &Image) -> Vec<&Finding> {
    image.findings.iter().filter(|finding| finding.severity != Severity::Info).collect()
}

/// What can be done about a finding here.
pub(super) fn remedy(finding: &Finding) -> Option<Remedy> {
    match finding.id {
        Rule::ShortName | Rule::MissingLibrary | Rule::LookupMismatch => {
            finding.fix.clone().map(Remedy::Rewrite)
        }
        Rule::DefaultTag | Rule::MutableTag => Some(Remedy::Settle),
        _ => None,
    }
}

/// What Enter does to a row.
pub(super) fn first(image: &Image) -> Option<Remedy> {
    findings(image).into_iter().find_map(remedy)
}

/// The row that is being seen to, and the tags that are offered for it.
#[derive(Debug, Default)]
pub(super) struct Fix {
    reference: Option<Reference>,
    unread: Option<Unread>,
    tags: Vec<String>,
}

impl Fix {
    /// Sees to a row; false where nothing can be done about it.
    pub(super) fn begin(&mut self, list: &mut List, cx: &mut Cx<'_>) -> bool {
        let Some(row) = list.row() else { return false };
        if let Some(unread) = cx.model.picked.unread_at(row).cloned() {
            match unread.place() {
                Some(_) => cx.open(place(&unread)),
                None => cx.open(named(NAME, &unread.text, &unread.reason)),
            }
            (self.reference, self.unread) = (None, Some(unread));
            return true;
        }
        let Some(image) = cx.model.picked.images.get(row) else { return false };
        let reference = image.request.reference.clone();
        if let Some(Checked::Failed(miss)) = cx.model.picked.checked_of(image) {
            cx.open(named(NAME, &image.request.requested, miss.why()));
            self.reference = Some(reference);
            return true;
        }
        match first(image) {
            None => return false,
            Some(Remedy::Rewrite(text)) => {
                let why = findings(image).first().map_or_else(String::new, |finding| finding.reason.clone());
                cx.open(named(NAME, &image.request.requested, &why).with(&text));
                self.reference = Some(reference);
            }
            Some(Remedy::Settle) => {
                let repository = reference.repository_of();
                let what = format!("asking for the tags of {repository}");
                cx.wait(ASK_TAGS, "Another tag", &what, Query::Tags(repository));
                self.reference = Some(reference);
            }
        }
        true
    }

    /// It was left.
    pub(super) fn closed(&mut self) {
        (self.reference, self.unread) = (None, None);
    }

    pub(super) fn found(&mut self, found: &Found, list: &mut List, cx: &mut Cx<'_>) {
        let Some(reference) = self.reference.clone() else { return };
        match found {
            Found::Tags(repository, Ok(tags)) if *repository == reference.repository_of() => {
                let own = reference.tag().unwrap_or_default();
                self.tags = tags::newest_first(tags);
                self.tags.retain(|tag| tag != own);
                // Those that stay come first.
                self.tags.sort_by_key(|tag| motion(tag));
                let note = |tag: &String| match motion(tag) {
                    Motion::Stays => "",
                    Motion::May => "may move",
                    Motion::Moves => "also moves",
                };
                let pin = Item::new(format!("pin what {own} points to now"), "by its digest");
                let items = self.tags.iter().map(|tag| Item::new(tag.as_str(), note(tag)));
                let title = format!("Instead of {}:{own}", reference.name());
                cx.open(Choose::new(TAG, &title, std::iter::once(pin).chain(items).collect()));
            }
            Found::Tags(repository, Err(failure)) if *repository == reference.repository_of() => {
                // Behind the reason waits what can be done about it.
                cx.open(named(NAME, &reference.to_string(), "Its tags could not be listed"));
                cx.open(words::failure_page_on(
                    "Images",
                    "The tags could not be listed",
                    failure,
                    &cx.model.keymap,
                ));
            }
            Found::Digest(asked, Ok(digest)) if *asked == reference => {
                let text = reference.pinned(digest).to_string();
                self.write(&text, list, cx);
            }
            Found::Digest(asked, Err(failure)) if *asked == reference => {
                self.reference = None;
                cx.open(words::failure_page_on(
                    "Images",
                    "The digest could not be looked up",
                    failure,
                    &cx.model.keymap,
                ));
            }
            _ => {}
        }
    }

    pub(super) fn answered(&mut self, question: Question, answer: &Answer, list: &mut List, cx: &mut Cx<'_>) {
        if let Some(unread) = self.unread.take() {
            match (question, answer) {
                (NAME, Answer::Text(text)) => mend(&unread, text.trim(), list, cx),
                (PLACE, Answer::Rows(rows)) => self.mend_place(unread, rows, cx),
                _ => {}
            }
            return;
        }
        let Some(reference) = self.reference.clone() else { return };
        let rows = match (question, answer) {
            (NAME, Answer::Text(text)) => return self.write(text.trim(), list, cx),
            (TAG, Answer::Rows(rows)) => rows,
            _ => return,
        };
        match rows.first() {
            Some(0) => match known_digest(&cx.model.picked, &reference) {
                Some(text) => self.write(&text, list, cx),
                None => {
                    let what = format!("asking what {reference} points to now");
                    cx.wait(ASK_DIGEST, "Pin the digest", &what, Query::Digest(reference));
                }
            },
            Some(row) => {
                let tag = self.tags.get(row - 1).and_then(|tag| reference.with_tag(tag).ok());
                if let Some(tagged) = tag {
                    self.write(&tagged.to_string(), list, cx);
                }
            }
            None => {}
        }
    }

    /// Reads a file again in which nothing could be read, or asks what it should have named.
    fn mend_place(&mut self, unread: Unread, rows: &[usize], cx: &mut Cx<'_>) {
        let Some(file) = unread.place() else { return };
        if rows == [0] {
            return load::again(file, cx);
        }
        cx.open(named(NAME, &unread.origin, &unread.reason).with(""));
        self.unread = Some(unread);
    }

    fn write(&mut self, text: &str, list: &mut List, cx: &mut Cx<'_>) {
        let images = &cx.model.picked.images;
        let row = images.iter().position(|image| Some(&image.request.reference) == self.reference.as_ref());
        self.reference = None;
        if let Some(row) = row {
            rewrite(row, text, list, cx);
        }
    }
}

/// Asks for what is to stand in the place of a reference, and says why.
pub(in crate::screens) fn named(question: Question, written: &str, why: &str) -> Input {
    let title = format!("Instead of {}", text::middle(written, 50));
    let why = if why.is_empty() { String::new() } else { format!(" Why: {why}") };
    let help = format!("What stands here comes in its place; another registry or name can be typed.{why}");
    let check = |text: &str| Request::parse(text.trim()).map(drop).map_err(|error| error.reason.to_owned());
    Input::new(question, &title, &help).with(written).checked(check)
}

/// Asks what is to be done about a file in which something could not be read.
fn place(unread: &Unread) -> Choose {
    let items = vec![
        Item::new("read the file again", "once it is mended"),
        Item::new("write a reference", "the one that it should name"),
    ];
    Choose::new(PLACE, &format!("Not read: {}", text::middle(&unread.origin, 50)), items)
}

fn known_digest(picked: &Picked, reference: &Reference) -> Option<String> {
    match picked.checked.get(&reference.to_string())? {
        Checked::Ok(view) => Some(reference.pinned(&view.digest).to_string()),
        _ => None,
    }
}

fn mend(unread: &Unread, text: &str, list: &mut List, cx: &mut Cx<'_>) {
    match cx.model.picked.mend(unread, text) {
        Ok(added) => {
            let undo = cx.model.key(Act::ImagesUndo);
            let now = if added { "it is now" } else { "was on the list already" };
            cx.say(format!("{text} {now}; {undo} undoes it"));
        }
        Err(error) => return cx.say(error.to_string()),
    }
    cx.model.changed(Place::Images);
    super::shown(list, &cx.model.picked);
}

fn rewrite(row: usize, text: &str, list: &mut List, cx: &mut Cx<'_>) {
    if !write(row, text, Act::ImagesUndo, cx) {
        return;
    }
    super::shown(list, &cx.model.picked);
    list.select(next(row, list.visible(), cx.model));
}

/// The row to be seen to next: the same while something is to be done about it, else the next one of those shown.
fn next(row: usize, shown: &[usize], model: &Model) -> usize {
    let picked = &model.picked;
    let open = |row: usize| picked.images.get(row).is_some_and(|image| first(image).is_some());
    let (before, after): (Vec<usize>, Vec<usize>) = shown.iter().partition(|shown| **shown < row);
    after.into_iter().chain(before).find(|row| open(*row)).unwrap_or(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_the_remedy_that_a_person_would_choose() {
        for (text, expected) in [
            ("nginx:1.25.3", Some(Remedy::Rewrite("docker.io/library/nginx:1.25.3".into()))),
            ("index.docker.io/team/app:1.2.3", Some(Remedy::Rewrite("docker.io/team/app:1.2.3".into()))),
            ("quay.io/a/b", Some(Remedy::Settle)),
            ("quay.io/a/b:latest", Some(Remedy::Settle)),
            ("quay.io/a/b:v1", Some(Remedy::Settle)),
            ("quay.io/a/b:v1.2.3", None),
        ] {
            let mut picked = Picked::default();
            picked.add_all([Request::parse(text).unwrap()]);
            assert_eq!(first(&picked.images[0]), expected, "{text}");
        }
    }
}
