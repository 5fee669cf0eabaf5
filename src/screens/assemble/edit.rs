//! The settings of a pack, changed: of the list, or of one that is gone on with, which keeps its name and its images.

use super::Assemble;
use super::ask::{ask_expiry, expiry, settings};
use super::plan::until;
use crate::actions::Act;
use crate::dialogs::choose::Item;
use crate::dialogs::{Answer, Choose, Input, Question};
use crate::domain::bundle::{check_name, directory};
use crate::tui::model::Model;
use crate::tui::naming::NamedBy;
use crate::tui::screen::Cx;

/// What can be changed, in the order in which it is offered.
const EDITS: [&str; 5] = [
    "Name of the series",
    "Expires",
    "Read back before signing",
    "Carry this program",
    "Allow an incomplete bundle",
];

/// Offers what can be changed.
pub(super) fn ask(cx: &mut Cx<'_>, at: usize) {
    let mut settings = settings(cx.model);
    let own = cx.model.gone_on_with();
    if own.is_some() {
        settings[0].push_str(": stays, as does what was begun under it");
    }
    let items = EDITS.iter().zip(settings).map(|(name, value)| Item::new(*name, value));
    let leaves = own.map(|name| {
        let key = cx.model.key(Act::Resume);
        Item::new("Pack the list instead", format!("{name} stays as it is: {key} on Start resumes it"))
    });
    let title = if own.is_some() { "Change what is resumed" } else { "Change" };
    cx.open(Choose::new(Act::AssembleEdit, title, items.chain(leaves).collect()).at(at));
}

/// A setting was changed: what was planned or run is about something else.
pub(super) fn changed(cx: &mut Cx<'_>) {
    cx.model.assembly.outdate();
    Assemble::plan(cx);
}

/// One of them was chosen, or what it is to be was typed.
pub(super) fn answered(part: u8, answer: Answer, cx: &mut Cx<'_>) {
    match (part, answer) {
        (0, Answer::Rows(rows)) => rows.first().into_iter().for_each(|row| change(cx, *row)),
        (1, Answer::Text(name)) => {
            cx.model.name_it(name.trim(), NamedBy::Here);
            lies_there(cx.model).into_iter().for_each(|words| cx.say(words));
            changed(cx);
        }
        (2, Answer::Text(text)) => expires(&text, cx),
        _ => {}
    }
}

fn change(cx: &mut Cx<'_>, row: usize) {
    let resumed = cx.model.gone_on_with().map(str::to_owned);
    let assembly = &mut cx.model.assembly;
    match row {
        0 => {
            if let Some(name) = resumed {
                return cx.say(format!("what was begun as {name} goes on under that name alone"));
            }
            let help =
                "Lower-case letters, digits, dots, dashes and underscores; the directory is NAME-SERIAL.";
            let question = Question { act: Act::AssembleEdit, part: 1 };
            let check = |text: &str| check_name(text.trim()).map_err(|error| error.to_string());
            let input = Input::new(question, "Name of the series", help).with(&assembly.name);
            return cx.open(input.checked(check));
        }
        1 => {
            let now = assembly.expires.map_or_else(|| "never".to_owned(), |expires| expires.to_string());
            let asked = ask_expiry(cx.model).with(&now);
            return cx.open(asked);
        }
        2 => assembly.read_back = !assembly.read_back,
        3 => assembly.tool = !assembly.tool,
        4 => assembly.keep_going = assembly.keep_going.toggled(),
        _ => {
            cx.model.leave_gone_on().into_iter().for_each(|words| cx.say(words));
            return changed(cx);
        }
    }
    changed(cx);
    ask(cx, row);
}

fn expires(text: &str, cx: &mut Cx<'_>) {
    let expires = expiry(text).unwrap_or_default();
    match expires.map(|asked| (asked, asked.after(cx.model.now))) {
        Some((_, Err(error))) => {
            let asked = ask_expiry(cx.model).refused(vec![(text.to_owned(), error.to_string())]);
            return cx.open(asked);
        }
        Some((asked, Ok(time))) => cx.say(format!("expires {}", until(time, asked))),
        None => cx.say("it never expires"),
    }
    cx.model.assembly.expires = expires;
    changed(cx);
}

/// Whether a bundle of the name that was typed lies on the chosen medium, by its own word.
fn lies_there(model: &Model) -> Option<String> {
    let (chosen, name) = (model.chosen.as_ref()?, &model.assembly.name);
    let (medium, _) = model.lies_on(&chosen.path)?;
    let volume = medium.volumes.iter().find(|volume| volume.device == chosen.device)?;
    let serials = volume.bundles.iter().filter_map(|bundle| bundle.words.as_ref());
    let last = serials.filter(|words| words.name == *name).map(|words| words.serial).max()?;
    Some(format!("{} lies there already and stays: this becomes the next of {name}", directory(name, last)))
}
