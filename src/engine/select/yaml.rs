//! Finds images in YAML text by its events: aliases are never expanded, depth and finds are capped, every find has its line.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::guess;
use crate::domain::reference::Reference;
use crate::domain::selection::{Candidate, Origin, Selection};

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 256;
/// More finds in one document are refused.
const MAX_FINDS: usize = 100_000;
/// Longer anchored texts are no image names.
const MAX_ANCHORED: usize = 400;
/// Keys of a ConfigMap or Secret whose values are texts, whatever their keys are called.
const TEXTS: [&str; 2] = ["data", "stringData"];
/// Sub-keys of which image names are composed, and what kind of object they are of.
const FIELDS: [&str; 11] = [
    "kind",
    "image",
    "imagePullPolicy",
    "reference",
    "registry",
    "repository",
    "tag",
    "digest",
    "name",
    "newName",
    "newTag",
];

/// Adds what a file with one or more documents names. A document that does not parse is a problem, and what looks
/// like images in it is unsure.
pub(super) fn scan(text: &str, name: &str, selection: &mut Selection) {
    // JSON is read as YAML, which allows no tabs for indentation; no JSON string holds a bare tab.
    if text.trim_start().starts_with(['{', '[']) && !text.trim_start().starts_with("{{") {
        return scan_document(&text.replace('\t', " "), 0, name, selection);
    }
    for (line, document) in documents(text) {
        scan_document(document, line, name, selection);
    }
}

/// The documents of a stream, each with the number of lines before it; those of comments alone are left out.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let (mut out, mut start, mut start_line, mut at) = (Vec::new(), 0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker && at > start {
            out.push((start_line, &text[start..at]));
            (start, start_line) = (at, number);
        }
        at += line.len();
    }
    out.push((start_line, &text[start..]));
    let empty = |line: &str| matches!(line.trim(), "" | "---" | "...") || line.starts_with(['#', '%']);
    out.retain(|(_, document)| !document.lines().all(empty));
    out
}

fn scan_document(text: &str, lines_before: usize, name: &str, selection: &mut Selection) {
    let mut walk =
        Walk { name, lines_before, stack: Vec::new(), anchors: HashMap::new(), found: Selection::default() };
    let templated = templated_lines(text);
    for (line, value) in &templated {
        let reason =
            format!("the image is a template, {value}: render it first (helm template, kustomize build)");
        walk.found.problem(walk.origin(*line), reason);
    }
    for event in Parser::new_from_str(text) {
        let outcome = match event {
            Ok((event, span)) => {
                walk.event(&event, span.start.line()).map_err(|reason| (span.start.line(), reason))
            }
            Err(error) => Err((error.marker().line(), error.info().to_owned())),
        };
        let Err((line, reason)) = outcome else { continue };
        let hint = if text.contains("{{") { " (it holds {{ }}: render it first)" } else { "" };
        walk.found.problem(walk.origin(line), format!("the document does not parse as YAML: {reason}{hint}"));
        // What was found before stays; the rest is read line by line and left to a person.
        for (at, image) in guess::image_lines(text) {
            let note = "in a document that does not parse";
            walk.found.candidates.push(Candidate::unsure(image, walk.origin(at), note));
        }
        break;
    }
    walk.found.candidates.sort_by_key(|candidate| candidate.origin.line);
    selection.merge(walk.found);
}

/// `image:` lines whose value is a template: unquoted, `{{ x }}` is YAML of another meaning.
fn templated_lines(text: &str) -> Vec<(usize, String)> {
    guess::image_values(text)
        .filter(|(_, value)| guess::is_template(value))
        .map(|(line, value)| (line, value.chars().take(120).collect()))
        .take(MAX_FINDS)
        .collect()
}

struct Frame {
    /// The key this collection is the value of; an item of a sequence has that of the sequence.
    key: String,
    /// In a mapping: the key whose value comes next.
    pending: Option<String>,
    mapping: bool,
    /// This collection is itself a key.
    is_key: bool,
    /// Below `args`, `env` and the like.
    loose: bool,
    fields: Vec<(&'static str, String, usize)>,
    /// Those of [`TEXTS`] in it: what they are the kind says, which may come after them.
    texts: Vec<Frame>,
}

struct Walk<'a> {
    name: &'a str,
    lines_before: usize,
    stack: Vec<Frame>,
    anchors: HashMap<usize, String>,
    found: Selection,
}

impl Walk<'_> {
    fn origin(&self, line: usize) -> Origin {
        Origin::line(self.name, self.lines_before + line)
    }

    fn event(&mut self, event: &Event<'_>, line: usize) -> Result<(), String> {
        match event {
            Event::MappingStart(..) => self.open(true)?,
            Event::SequenceStart(..) => self.open(false)?,
            Event::MappingEnd | Event::SequenceEnd => self.close(),
            Event::Scalar(text, style, anchor, _) => {
                if *anchor > 0 && text.len() <= MAX_ANCHORED {
                    self.anchors.insert(*anchor, text.to_string());
                }
                self.scalar(text, *style, line);
            }
            Event::Alias(anchor) => {
                let text = self.anchors.get(anchor).cloned();
                self.alias(text.as_deref().unwrap_or(""), line);
            }
            _ => {}
        }
        if self.found.candidates.len() > MAX_FINDS {
            return Err(format!("it names more than {MAX_FINDS} images"));
        }
        Ok(())
    }

    fn open(&mut self, mapping: bool) -> Result<(), String> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH}"));
        }
        let (key, is_key, loose) = match self.stack.last() {
            None => (String::new(), false, false),
            Some(parent) if parent.mapping => match &parent.pending {
                Some(key) => (key.clone(), false, parent.loose || guess::is_loose(key)),
                None => (String::new(), true, parent.loose),
            },
            Some(parent) => (parent.key.clone(), false, parent.loose),
        };
        self.stack.push(Frame {
            key,
            pending: None,
            mapping,
            is_key,
            loose,
            fields: Vec::new(),
            texts: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        if let Some(parent) = self.stack.last_mut() {
            parent.pending = frame.is_key.then(String::new);
        }
        match self.stack.last_mut() {
            _ if !frame.mapping => {}
            Some(parent) if parent.mapping && TEXTS.contains(&frame.key.as_str()) => parent.texts.push(frame),
            _ => self.whole(&frame),
        }
    }

    /// A mapping, and what in it waited for its kind.
    fn whole(&mut self, frame: &Frame) {
        self.compose(frame);
        let kind = frame.fields.iter().find(|(key, ..)| *key == "kind").map(|(_, kind, _)| kind.as_str());
        for texts in &frame.texts {
            match kind {
                Some("ConfigMap" | "Secret") => {
                    // A name was looked at where it stands.
                    let values = texts.fields.iter().filter(|(key, ..)| *key != "name");
                    values.for_each(|(key, text, line)| self.text(key, text, (*line, false), true));
                }
                _ => self.whole(texts),
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, line: usize) {
        let Some(frame) = self.stack.last_mut() else { return };
        if frame.mapping && frame.pending.is_none() {
            frame.pending = Some(text.to_owned());
            return;
        }
        let key = frame.pending.take().unwrap_or_else(|| frame.key.clone());
        let null = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "true" | "false");
        if null {
            return;
        }
        if frame.mapping && keep_field(frame, &key, text, line) && key != "name" {
            return;
        }
        let loose = frame.loose || guess::is_loose(&key);
        let listed = !frame.mapping
            && key == "images"
            && text.contains([':', '/'])
            && text.parse::<Reference>().is_ok();
        if listed {
            let candidate = Candidate::unsure(text, self.origin(line), "in a list of images");
            self.found.candidates.push(candidate);
            return;
        }
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        self.text(&key, text, (line, block), loose);
    }

    /// What looks like images in a value, which may be a block of lines.
    fn text(&mut self, key: &str, text: &str, (line, block): (usize, bool), loose: bool) {
        for (offset, image) in guess::in_text(text, loose) {
            let at = if block { line + offset } else { line };
            let note = format!("in the value of {key:?}");
            self.found.candidates.push(Candidate::unsure(image, self.origin(at), note));
        }
    }

    fn alias(&mut self, text: &str, line: usize) {
        let Some(frame) = self.stack.last_mut() else { return };
        if !frame.mapping {
            return;
        }
        match frame.pending.take() {
            None => frame.pending = Some(text.to_owned()),
            Some(key) => {
                let _kept = !text.is_empty() && keep_field(frame, &key, text, line);
            }
        }
    }

    /// What the keys of one mapping amount to.
    fn compose(&mut self, frame: &Frame) {
        let field = |name: &str| frame.fields.iter().rev().find(|(key, ..)| *key == name);
        // A chart leaves empty what it fills in itself.
        let text = |name: &str| field(name).map(|(_, text, _)| text.as_str()).filter(|text| !text.is_empty());
        let image_like = frame.key.ends_with("mage");
        if let Some((_, image, line)) = field("image") {
            // A block device of Ceph is named `image` as well.
            self.image(image, *line, text("imagePullPolicy"), frame.key == "rbd");
        }
        if let (true, Some((_, image, line))) = (frame.key == "image", field("reference")) {
            self.image(image, *line, None, false);
        }
        let base = match (field("repository"), field("newName").or_else(|| field("name"))) {
            (Some(found), _) if image_like || field("tag").is_some() || field("digest").is_some() => found,
            (None, Some(found)) if image_like && text("tag").is_some() => found,
            (_, Some(found))
                if frame.key == "images"
                    && ["newName", "newTag", "digest"].iter().any(|name| text(name).is_some()) =>
            {
                found
            }
            _ => return,
        };
        let (_, repository, line) = base;
        let mut name = repository.clone();
        if let Some(registry) = text("registry") {
            name = format!("{}/{name}", registry.trim_end_matches('/'));
        }
        if let Some(tag) = text("newTag").or_else(|| text("tag")) {
            name = format!("{name}:{tag}");
        }
        if let Some(digest) = text("digest") {
            name = format!("{name}@{digest}");
        }
        let written = text("newTag").or_else(|| text("tag")).or_else(|| text("digest")).is_some();
        let note =
            if written { "put together from several keys" } else { "its tag is not written beside it" };
        if guess::is_template(&name) {
            self.found.problem(
                self.origin(*line),
                format!("the image is a template, {name:.120}: render it first"),
            );
        } else if name.parse::<Reference>().is_ok() {
            self.found.candidates.push(Candidate::unsure(name, self.origin(*line), note));
        }
    }

    fn image(&mut self, text: &str, line: usize, policy: Option<&str>, unsure: bool) {
        let origin = self.origin(line);
        if guess::is_template(text) {
            let said = self.found.problems.iter().any(|problem| problem.origin == origin);
            if !said {
                self.found.problem(origin, format!("the image is a template, {text:.120}: render it first"));
            }
            return;
        }
        match Reference::parse(text) {
            Err(error) => self.found.problem(origin, error.to_string()),
            Ok(_) => self.found.candidates.push(Candidate {
                pull_policy: policy.map(str::to_owned),
                unsure,
                ..Candidate::sure(text, origin)
            }),
        }
    }
}

/// Remembers a value that names are composed of; whether it was one.
fn keep_field(frame: &mut Frame, key: &str, text: &str, line: usize) -> bool {
    let Some(known) = FIELDS.into_iter().find(|known| *known == key) else { return false };
    if text.len() > MAX_ANCHORED {
        return false;
    }
    frame.fields.retain(|(name, ..)| *name != known);
    frame.fields.push((known, text.to_owned(), line));
    true
}
