//! Trusting a first key: shown in full, compared with paper by typing how its fingerprint ends, then kept as a trusted one.

use std::path::PathBuf;

use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::{Input, Page, Question};
use crate::domain::sheet::{ENDS, KEY_ENDS_IN, is_fingerprint, without_end};
use crate::engine::bundle::inspect::Signature;
use crate::engine::bundle::offer::Said;
use crate::engine::sign::Outcome;
use crate::engine::spec::{JobSpec, KeyTrustJob};
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Ended, Found, Query};
use crate::tui::screen::Cx;
use crate::tui::words;

const FINGERPRINT: Question = Question { act: Act::KeyTrust, part: 0 };
const PRINCIPAL: Question = Question { act: Act::KeyTrust, part: 1 };

/// How far the pinning is.
#[derive(Debug, Default)]
pub(super) struct Pinning {
    /// The public key whose fingerprint was typed, and that in full.
    key: Option<(String, Option<String>)>,
    /// Whether it is being written down.
    writing: bool,
    /// The public key file that was named instead, while it is read.
    file: Option<PathBuf>,
}

/// The keys that signed the chosen bundle and are not trusted.
fn unknown(model: &Model) -> Vec<&Signature> {
    model.gap.said().map_or_else(Vec::new, unknown_of)
}

/// The keys that signed a bundle and are not trusted.
pub(super) fn unknown_of(said: &Said) -> Vec<&Signature> {
    let unknown = said.trust.signatures.iter().filter(|judged| judged.outcome == Outcome::UnknownKey);
    let files: Vec<&str> = unknown.map(|judged| &*judged.file).collect();
    said.report
        .signatures
        .iter()
        .filter(|one| files.contains(&&*one.path) && one.public_key.is_some())
        .collect()
}

/// Whether fewer trusted keys signed than are wanted, and a key could be trusted.
pub(super) fn wanted(model: &Model) -> bool {
    let wanted = model.gap.signers();
    model.gap.said().is_some_and(|said| said.trust.signed_by.len() < wanted) && !unknown(model).is_empty()
}

pub(super) fn why_not(model: &Model) -> Option<String> {
    unknown(model).is_empty().then(|| "every key that signed this bundle is trusted already".to_owned())
}

/// What is to be said of the keys while too few are trusted.
pub(super) fn words(model: &Model) -> Vec<String> {
    if !wanted(model) {
        return Vec::new();
    }
    let good = model.gap.said().map_or(0, |said| said.trust.signed_by.len());
    let first = match good {
        0 => "! No key that is trusted here signed this bundle. It was signed by:".to_owned(),
        _ => {
            let keys = words::count(good, "key");
            format!(
                "! {keys} of {} wanted that are trusted here signed this bundle. So did:",
                model.gap.signers()
            )
        }
    };
    let mut lines = vec![first];
    let unknown = unknown(model);
    let prints = unknown.iter().filter_map(|signature| signature.fingerprint.as_deref());
    lines.extend(prints.map(|fingerprint| format!("    {}", without_end(fingerprint))));
    let trust = model.key(Act::KeyTrust);
    lines.push(match unknown.len() {
        1 => format!("  The last {ENDS} are not shown: {trust} asks for them, from its signer's paper."),
        _ => format!("  The last {ENDS} are not shown: {trust} asks for those of one key, from paper."),
    });
    lines
}

/// Asks for the end of the fingerprint.
pub(super) fn ask(cx: &mut Cx<'_>) {
    let asked = asked(cx.model);
    cx.open(asked);
}

fn asked(model: &Model) -> Input {
    // The fingerprint is not shown here again: what is typed has to come from somewhere else.
    let which = match unknown(model).len() {
        1 => String::new(),
        keys => format!("{keys} keys signed that are not trusted here; the one that ends so is trusted. "),
    };
    let help = format!(
        "{which}From the paper that its signer gave you, never from the medium: type the last {ENDS} characters of the \
         fingerprint, or all of it; the report has them as \"{KEY_ENDS_IN}\". Capitals count, blanks do not. The path of a .pub \
         file that came another way will do as well."
    );
    Input::new(FINGERPRINT, "Trust a key: is it the one on paper?", &help).checked(enough)
}

/// What was typed, without the blanks between groups.
fn bare(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Too few characters say nothing about the key.
fn enough(text: &str) -> Result<(), String> {
    match bare(text).chars().count() {
        _ if is_file(text) => Ok(()),
        typed if typed < ENDS => Err(format!("{ENDS} characters wanted, {typed} typed")),
        _ => Ok(()),
    }
}

/// Whether a public key file is named; a fingerprint has no dot.
fn is_file(text: &str) -> bool {
    let text = text.trim();
    text.ends_with(".pub") || ["/", "~/", "./", "../"].iter().any(|lead| text.starts_with(lead))
}

/// A slip of the finger is no owner: the name stands in every report from then on.
fn owner(text: &str) -> Result<(), String> {
    match text.trim() {
        short if short.chars().count() < 3 => Err("a name or address, of three letters at least".to_owned()),
        words if words.contains(char::is_whitespace) => Err("one word, without blanks".to_owned()),
        _ => Ok(()),
    }
}

impl Pinning {
    pub(super) fn answered(&mut self, part: u8, text: &str, cx: &mut Cx<'_>) {
        if part == PRINCIPAL.part {
            return self.trust(text.trim(), cx);
        }
        let typed = bare(text);
        let fits = |signature: &&Signature| {
            is_fingerprint(&typed, signature.fingerprint.as_deref().unwrap_or_default())
        };
        let key =
            |signature: &Signature| Some((signature.public_key.clone()?, signature.fingerprint.clone()));
        match unknown(cx.model).into_iter().find(fits).and_then(key) {
            Some(key) => self.ask_owner(key, "", cx),
            None if is_file(text) => self.read(text.trim(), cx),
            None => {
                // Below the page it is typed anew: eight characters are soon typed, and behind wrong ones none are right.
                let reason = "no fingerprint of this bundle ends so".to_owned();
                let asked = asked(cx.model).refused(vec![(String::new(), reason)]);
                cx.open(asked);
                cx.open(differs(&typed, "Capitals count. "));
            }
        }
    }

    fn ask_owner(&mut self, key: (String, Option<String>), comment: &str, cx: &mut Cx<'_>) {
        let whole = key.1.as_ref().map_or_else(String::new, |fingerprint| {
            format!("The whole fingerprint is {fingerprint} - all of it has to be as on the paper. ")
        });
        self.key = Some(key);
        let help = format!(
            "{whole}Whose key is it? One word, as release@example.com; it stands in reports beside the fingerprint."
        );
        cx.open(Input::new(PRINCIPAL, "Trust a key: its owner", &help).with(comment).checked(owner));
    }

    /// Has a public key file read, unless the bundle or its medium brought it.
    fn read(&mut self, text: &str, cx: &mut Cx<'_>) {
        let home = cx.model.settings.home.clone();
        let path = match (text.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(text),
        };
        let Some(bundle) = cx.model.gap.chosen.clone() else { return };
        self.file = Some(path.clone());
        cx.effect(Effect::Ask(Query::PaperKey(path, bundle)));
    }

    /// The file was read: whether its key is one that signed.
    pub(super) fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        let Found::PublicKey(path, public) = found else { return };
        if self.file.take_if(|file| file == path).is_none() {
            return;
        }
        let signed = unknown(cx.model)
            .into_iter()
            .find(|signature| signature.fingerprint.as_deref() == Some(&*public.fingerprint));
        match signed
            .and_then(|signature| Some((signature.public_key.clone()?, signature.fingerprint.clone())))
        {
            Some(key) => {
                let comment = public.public.split_whitespace().nth(2).unwrap_or_default();
                self.ask_owner(key, comment, cx);
            }
            None => cx.open(differs(&format!("{}, {}", path.display(), public.fingerprint), "")),
        }
    }

    fn trust(&mut self, principal: &str, cx: &mut Cx<'_>) {
        let Some((key, fingerprint)) = self.key.take() else { return };
        let job = KeyTrustJob {
            key,
            fingerprint,
            principal: Some(principal.to_owned()),
            valid_after: None,
            valid_before: None,
            file: cx.model.settings.places().trust,
            dry_run: false,
        };
        self.writing = true;
        cx.start(Act::KeyTrust, JobSpec::KeyTrust(job));
    }

    /// The key was written down, or not; whether to verify now.
    pub(super) fn ended(&mut self, cx: &mut Cx<'_>) -> bool {
        if !std::mem::take(&mut self.writing) {
            return false;
        }
        cx.effect(Effect::Ask(Query::Host));
        match cx.model.job_of(Act::KeyTrust).and_then(|job| job.ended.clone()) {
            Some(Ended::Succeeded(_)) => true,
            Some(Ended::Failed(failure)) => {
                cx.open(words::failure_page_on(
                    "Verify",
                    "The key is not trusted",
                    &failure,
                    &cx.model.keymap,
                ));
                false
            }
            _ => false,
        }
    }
}

/// What signed is not shown beside what was typed: it would be copied from there.
fn differs(typed: &str, how: &str) -> Page {
    let lines = vec![
        (
            "x Nothing was trusted: what was given is not how a fingerprint of this bundle ends.".to_owned(),
            Role::Fail,
        ),
        (format!("given: {typed}"), Role::Text),
        (String::new(), Role::Text),
        (
            format!(
                "{how}Compare once more with the paper. If that is right and this differs, somebody else signed: do \
                 not use this bundle, ask its signer."
            ),
            Role::Text,
        ),
    ];
    Page::new("Not the same key", lines)
}
