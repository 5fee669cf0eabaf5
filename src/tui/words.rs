//! Pages and sentences that several screens share: failures with their next step, what adding did.

use std::path::{Path, PathBuf};

use super::effects::passphrase::ATTEMPTS;
use super::hints;
use super::model::Model;
use super::picked::{Added, Picked, Refused};
use crate::actions::Act;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::dialogs::{Dialog, Input, Page, Secret};
use crate::domain::digest::Digest;
use crate::domain::lint::{Finding, Rule, Severity};
use crate::domain::text;
use crate::engine::error::Kind;
use crate::failure::Failure;

/// What failed, why, and what to do next, as lines with their look.
pub fn failure(failure: &Failure, keymap: &Keymap) -> Vec<(String, Role)> {
    failure_on("", failure, keymap)
}

/// The same for one who is on that screen.
pub fn failure_on(screen: &str, failure: &Failure, keymap: &Keymap) -> Vec<(String, Role)> {
    failed(failure, |hint| hints::on(screen, hint, keymap))
}

/// The same on Assemble, of what is packed there.
pub fn not_packed(failure: &Failure, model: &Model) -> Vec<(String, Role)> {
    let keymap = &model.keymap;
    if model.gone_on_with().is_none() {
        return failure_on("Assemble", failure, keymap);
    }
    let mut lines = failed(failure, |hint| hints::resumed(hint, keymap));
    let (edit, forget) = (keymap.says(Act::AssembleEdit), keymap.says(Act::Forget));
    let words =
        format!("next: {edit} changes this pack, or goes back to the list; {forget} on Start forgets it");
    lines.insert(lines.len() - 1, (words, Role::Text));
    lines
}

fn failed(failure: &Failure, said: impl Fn(&str) -> String) -> Vec<(String, Role)> {
    let mut lines = vec![(format!("x FAIL  {}", failure.message), Role::Fail), (String::new(), Role::Text)];
    lines.extend(failure.hints.iter().map(|hint| (hints::labelled(&said(hint)), Role::Text)));
    lines.push((format!("class: {} (exit code {})", failure.class(), failure.exit()), Role::Dim));
    lines
}

/// A failure as a page; `c` copies it.
pub fn failure_page(title: &str, failed: &Failure, keymap: &Keymap) -> Page {
    failure_page_on("", title, failed, keymap)
}

/// The same for one who is on that screen.
pub fn failure_page_on(screen: &str, title: &str, failed: &Failure, keymap: &Keymap) -> Page {
    page(title, failure_on(screen, failed, keymap))
}

/// Such lines as a page; `c` copies it.
pub fn page(title: &str, lines: Vec<(String, Role)>) -> Page {
    let text: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    let text = text.join("\n");
    Page::new(title, lines).copying(text)
}

/// What came to a list and what went, by the name of the first of each; nothing where nothing did.
pub fn came_and_went(came: &[String], went: &[String]) -> Option<String> {
    let told = |names: &[String], did: &str| match names {
        [] => None,
        [one] => Some(format!("{one} {did}")),
        [first, others @ ..] => Some(format!("{first} and {} more {did}", others.len())),
    };
    let words: Vec<String> = told(came, "came").into_iter().chain(told(went, "went")).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Which files were written: of one that is called as the first is, but for its end, that end alone.
pub fn written(paths: &[PathBuf]) -> String {
    let Some((first, more)) = paths.split_first() else { return String::new() };
    let name = |path: &PathBuf| match path.extension() {
        Some(end) if path.with_extension("") == first.with_extension("") => format!(", .{}", end.display()),
        _ => format!(", {}", path.display()),
    };
    format!("written: {}{}", first.display(), more.iter().map(name).collect::<String>())
}

/// When something was: by its clock alone where that was today.
pub fn moment(at: jiff::Timestamp, now: jiff::Timestamp) -> String {
    let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%d").to_string();
    at.strftime(if day(at) == day(now) { "%H:%MZ" } else { "%Y-%m-%d %H:%MZ" }).to_string()
}

/// What is found of a name and no reason to warn, by its ids, and the key that says why; nothing where there is none.
pub fn lesser(found: &[Finding], details: &str) -> Option<String> {
    let lesser = found.iter().filter(|finding| finding.severity == Severity::Info);
    let ids: Vec<&str> = lesser.map(|finding| finding.id.id()).collect();
    (!ids.is_empty()).then(|| format!("lesser findings: {} ({details} says why)", ids.join(", ")))
}

/// As in `1 image` and `3 images`.
pub fn count(number: usize, what: &str) -> String {
    text::count(number as u64, what)
}

/// What a bundle that did not verify is good for: an import that goes on after damaged images brings those that are whole.
pub const fn refusal(kind: Kind) -> &'static str {
    match kind {
        Kind::Integrity => "not to be used as it is",
        _ => "nothing of it may be used",
    }
}

/// A digest in groups of eight letters, to be compared by eye or read aloud.
pub fn grouped(digest: &Digest) -> Vec<String> {
    let text = digest.to_string();
    let (name, hex) = text.split_once(':').unwrap_or(("", &text));
    let letters: Vec<char> = hex.chars().collect();
    let groups: Vec<String> = letters.chunks(8).map(|group| group.iter().collect()).collect();
    let lines = groups.chunks(4).map(|groups| groups.join(" "));
    std::iter::once(format!("{name}:")).chain(lines).collect()
}

/// Asks for the passphrase of a signing key; after a wrong one it says so, and how often it still asks.
pub(super) fn passphrase(key: &Path, wrong: u32) -> Secret {
    let what = format!("for {}", key.display());
    let asked = Secret::new(Act::Pack, "Passphrase of the signing key", &what);
    match ATTEMPTS.saturating_sub(wrong) {
        _ if wrong == 0 => asked,
        1 => asked.refused("wrong; this is the last try"),
        left => asked.refused(&format!("wrong; {left} more tries")),
    }
}

/// Asks for the passphrase of a key that is being made.
pub(super) fn new_passphrase(key: &Path) -> Secret {
    let what = format!("protects {}", key.display());
    Secret::new(Act::Pack, "A passphrase for the new key", &what).twice()
}

/// What adding references did, in a sentence.
pub fn added(added: &Added) -> String {
    let mut words = format!("{} added", added.added);
    if added.known > 0 {
        words.push_str(&format!(", {} there already", added.known));
    }
    if !added.refused.is_empty() {
        words.push_str(&format!(", {} refused", count(added.refused.len(), "line")));
    }
    words
}

/// What it is to write a digest beside a tag: what that gives, what it costs, and where it is right.
pub const PINNING: [&str; 3] = [
    "A digest gives the same content everywhere and for ever, whatever its tag names later.",
    "It costs the tag: runtimes ignore it beside a digest, so a pod that names only the tag does not find the image.",
    "Pin where the pods name the digest, too. This bundle is exact without it: its lock file holds each tag to the digest that was verified.",
];

/// How the fix of a finding is called; nobody has to pin.
pub const fn fix(rule: Rule) -> &'static str {
    match rule {
        Rule::NoDigest | Rule::DefaultTag | Rule::MutableTag => "pinned",
        Rule::TagAndDigest => "the same",
        _ => "better",
    }
}

/// Asks for references, a line at a time or pasted.
pub fn add_references() -> Input {
    let help = "As in nginx:1.25.3 or host:5000/team/app@sha256:...; paste lines to add several.";
    let names = |text: &str| if Picked::names_images(text) { Ok(()) } else { Err(String::new()) };
    Input::new(Act::ImagesAdd, "Add references", help).pasted(names)
}

/// The lines of which nothing was taken, to be corrected; before that, where there are several, all of them to be read.
pub fn refused(added: &Added) -> Vec<Dialog> {
    // The lines are those of what was given; the field has none but these.
    let reason = |refused: &Refused| format!("given line {}: {}", refused.line, refused.reason);
    let lines: Vec<_> = added.refused.iter().map(|refused| (refused.text.clone(), reason(refused))).collect();
    let pages = (lines.len() > 1).then(|| {
        // However long a line is, its reason is read first.
        let named = |(text, reason): &(String, String)| format!("x {reason}: {:?}", text::middle(text, 60));
        let lines = lines.iter().map(|line| (named(line), Role::Fail));
        let last = ("Close this to correct them; all other lines were added.".to_owned(), Role::Text);
        let lines = lines.chain([(String::new(), Role::Text), last]).collect();
        Page::new("These lines are not references", lines).into()
    });
    let input = (!lines.is_empty()).then(|| add_references().refused(lines).into());
    input.into_iter().chain(pages).collect()
}
