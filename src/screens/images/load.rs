//! Filling the list from elsewhere: list files, Kubernetes versions, manifests; what only looks like an image is offered.

use std::path::Path;

use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::choose::Item;
use crate::dialogs::path::Wanted;
use crate::dialogs::{self, Answer, Choose, Input, Page, Question};
use crate::domain::selection::{Candidate, Requests};
use crate::engine::select::{Source, kubeadm};
use crate::engine::spec::Images;
use crate::failure::Failure;
use crate::tui::model::Place;
use crate::tui::msg::Query;
use crate::tui::screen::Cx;
use crate::tui::words;

const LIST: Question = Question { act: Act::ImagesLoad, part: 0 };
const VERSION: Question = Question { act: Act::ImagesKubeadm, part: 0 };
const OTHER_VERSION: Question = Question { act: Act::ImagesKubeadm, part: 1 };
const MANIFESTS: Question = Question { act: Act::ImagesManifests, part: 0 };
const UNSURE: Question = Question { act: Act::ImagesManifests, part: 1 };
/// The part of each that waits for the answer.
const ASKED: u8 = 9;

/// What a person has to decide on.
#[derive(Debug, Default)]
pub(super) struct Load {
    versions: Vec<String>,
    unsure: Vec<Candidate>,
}

impl Load {
    /// Asks where to load from.
    pub(super) fn begin(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::ImagesLoad => {
                let help = "One reference per line; # starts a comment.";
                cx.open(dialogs::Path::new(LIST, "Load a list", help, Wanted::File).at(&beside(act, cx)));
            }
            Act::ImagesManifests => {
                let help = "A YAML or JSON file, or a directory with everything below it.";
                cx.open(
                    dialogs::Path::new(MANIFESTS, "Images from manifests", help, Wanted::Any)
                        .at(&beside(act, cx)),
                );
            }
            _ => {
                self.versions = kubeadm::known().unwrap_or_default();
                let mut items: Vec<Item> = self
                    .versions
                    .iter()
                    .map(|version| Item::new(version.as_str(), "newest known patch release"))
                    .collect();
                items.push(Item::new("another version ...", "type it"));
                cx.open(
                    Choose::new(VERSION, "Images for which Kubernetes version?", items).or_typed(version),
                );
            }
        }
    }

    pub(super) fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question, answer) {
            (LIST, Answer::Path(path)) => ask(Act::ImagesLoad, Source::List(path), cx),
            (MANIFESTS, Answer::Path(path)) => ask(Act::ImagesManifests, Source::Manifests(path), cx),
            (VERSION, Answer::Rows(rows)) => match rows.first().and_then(|row| self.versions.get(*row)) {
                Some(version) => ask(Act::ImagesKubeadm, Source::Kubeadm(version.clone()), cx),
                None => cx.open(other_version()),
            },
            (VERSION | OTHER_VERSION, Answer::Text(text)) => {
                ask(Act::ImagesKubeadm, Source::Kubeadm(text.trim().to_owned()), cx);
            }
            (UNSURE, Answer::Rows(rows)) => {
                if rows.is_empty() {
                    let offered = words::count(std::mem::take(&mut self.unsure).len(), "unsure one");
                    return cx.say(format!("none marked: {offered} left out"));
                }
                let chosen = rows.iter().filter_map(|row| self.unsure.get(*row));
                let lines: Vec<&str> = chosen.map(|candidate| candidate.text.as_str()).collect();
                let added = cx.model.picked.add_lines(&lines.join("\n"));
                if added.added > 0 {
                    cx.model.changed(Place::Images);
                }
                cx.say(words::added(&added));
                self.unsure.clear();
            }
            _ => {}
        }
    }

    /// What a source named came.
    pub(super) fn selected(&mut self, images: &Images, requests: &Requests, cx: &mut Cx<'_>) {
        let was_empty = cx.model.picked.images.is_empty();
        let before = cx.model.picked.rows();
        // What was asked for and could not be read is not forgotten; a version that nobody knows names nothing.
        let revision = cx.model.picked.revision();
        let added = match images.sources.as_slice() {
            [Source::List(path) | Source::Manifests(path)] => cx.model.picked.add_source(requests, path),
            _ => cx.model.picked.add_all(requests.wanted.iter().cloned()),
        };
        if cx.model.picked.revision() != revision {
            cx.model.changed(Place::Images);
        }
        if let ([Source::List(path)], true) = (images.sources.as_slice(), was_empty) {
            cx.model.picked.file = Some(path.clone());
        }
        let mut report = words::added(&added);
        let unread = cx.model.picked.rows().saturating_sub(before + added.added);
        if unread > 0 {
            report.push_str(&format!(", {unread} not read"));
        }
        if !requests.unsure.is_empty() {
            report.push_str(&format!(", {} unsure", requests.unsure.len()));
            self.unsure.clone_from(&requests.unsure);
            cx.open(unsure(&self.unsure));
        }
        cx.say(report);
        let stays = (unread > 0).then(|| super::stay(unread, cx.model));
        if let Some(page) = remarks(requests, stays) {
            cx.open(page);
        }
    }
}

fn other_version() -> Input {
    let help = "As in 1.31 or v1.31.2. If a kubeadm of that version is on PATH, it is asked too.";
    Input::new(OTHER_VERSION, "Images for which Kubernetes version?", help)
}

/// Nothing is known of a version: it can be typed again, once it was read why and what else helps.
pub(super) fn no_version(query: &Query, failure: &Failure, cx: &mut Cx<'_>) {
    let Some(version) = query.version() else { return };
    cx.open(other_version().refused(vec![(version.to_owned(), failure.message.clone())]));
    cx.open(words::failure_page_on("Images", "That did not work", failure, &cx.model.keymap));
}

/// The check of a version of Kubernetes: that it begins as one does. Whether there are images of it is looked up.
fn version(text: &str) -> Result<(), String> {
    let digits = text.strip_prefix('v').unwrap_or(text);
    match digits.starts_with(|c: char| c.is_ascii_digit()) {
        true => Ok(()),
        false => Err(format!("{text} is no version; it is written as in 1.31 or v1.31.2; known here are")),
    }
}

/// Where the list lies that was loaded last.
fn beside(act: Act, cx: &Cx<'_>) -> String {
    let directory = cx.model.picked.file.as_ref().and_then(|file| file.parent());
    directory
        .filter(|path| !path.as_os_str().is_empty() && !cx.model.answered.contains_key(&act))
        .map_or_else(|| cx.model.begin_beside(act), |path| format!("{}/", path.display()))
}

/// Reads a file again of which something could not be read.
pub(super) fn again(file: &Path, cx: &mut Cx<'_>) {
    let is_yaml = file
        .extension()
        .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end.eq_ignore_ascii_case(known)));
    match is_yaml {
        true => ask(Act::ImagesManifests, Source::Manifests(file.to_owned()), cx),
        false => ask(Act::ImagesLoad, Source::List(file.to_owned()), cx),
    }
}

fn ask(act: Act, source: Source, cx: &mut Cx<'_>) {
    let what = match &source {
        Source::List(path) | Source::Manifests(path) | Source::K3s(path) | Source::Chart(path) => {
            format!("reading {}", path.display())
        }
        Source::Kubeadm(version) => format!("looking up Kubernetes {version}"),
        Source::Registry(place) => format!("asking {place}"),
    };
    let images = Images { sources: vec![source], signatures: true, ..Images::default() };
    cx.wait(Question { act, part: ASKED }, "Looking", &what, Query::Select(images));
}

fn unsure(candidates: &[Candidate]) -> Choose {
    let item = |candidate: &Candidate| {
        let note = candidate.note.as_deref().map_or_else(String::new, |note| format!("  {note}"));
        Item::new(candidate.text.as_str(), format!("{}{note}", candidate.origin))
    };
    let items = candidates.iter().map(item).collect();
    Choose::new(UNSURE, "These may be images: mark the ones that are", items).several([])
}

/// What could not be read, and what is worth knowing.
fn remarks(requests: &Requests, stays: Option<String>) -> Option<Page> {
    let problems = requests.problems.iter().map(|p| (format!("x {}: {}", p.origin, p.reason), Role::Fail));
    let notes = requests.notes.iter().map(|note| (format!("- {note}"), Role::Text));
    let stays = stays.map(|words| (words, Role::Text));
    let lines: Vec<_> = problems.chain(stays).chain(notes).collect();
    let title = match requests.problems.len() {
        0 => "Worth knowing".to_owned(),
        count => format!("{count} could not be read"),
    };
    (!lines.is_empty()).then(|| Page::new(&title, lines))
}
