//! How a pack ended, in words: why it failed and what helps, or what was made.

use crate::actions::Act;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::domain::bundle::directory;
use crate::engine::error::Kind;
use crate::engine::spec::JobReport;
use crate::failure::Failure;
use crate::tui::hints;
use crate::tui::medium::Chosen;
use crate::tui::model::Model;
use crate::tui::words;

/// Why it failed and what is next; where its medium was taken away meanwhile, that is the reason. One that was taken
/// away after a failure of another kind is no reason for that, and is wanted as well. What goes on stands above the rest
/// of what is next: there may be no room for all of it.
pub(super) fn failed(
    failure: &Failure,
    (signing, goes_on): (bool, bool),
    model: &Model,
) -> Vec<(String, Role)> {
    let keymap = &model.keymap;
    let mut lines = words::not_packed(failure, model);
    lines.retain(|(words, _)| !words.is_empty());
    let again = "existing files are hashed, the rest is fetched";
    let retry = keymap.says(Act::Retry);
    let lost = match &model.chosen {
        Some(Chosen { gone: Some(gone), path, .. }) => vec![
            match signing {
                false => (format!("! {gone}: the written files are on it, nothing was signed"), Role::Fail),
                true => (format!("! {gone} while it was signed: whether it is, going on tells"), Role::Fail),
            },
            (
                format!(
                    "next: plug it in, then {retry} resumes: {again}; it has to be at {} again",
                    path.display()
                ),
                Role::Text,
            ),
        ],
        Some(chosen @ Chosen { back: true, .. }) => vec![
            (format!("+ {} is back at {}", chosen.words(), chosen.path.display()), Role::Ok),
            (format!("next: {retry} resumes: {again}"), Role::Text),
        ],
        _ => {
            let does = if goes_on { "resumes" } else { "does the same again" };
            lines.insert(1, (format!("{retry} {does}: {again}"), Role::Text));
            return lines;
        }
    };
    if failure.kind == Kind::Medium {
        // What helps is said once: the advice of the failure knows nothing of this.
        lines.retain(|(words, _)| !words.starts_with("next: "));
        return lost.into_iter().chain(lines).collect();
    }
    lines.splice(1..1, lost);
    lines
}

/// What was made, or what it lacks.
pub(super) fn succeeded(report: &JobReport, keymap: &Keymap) -> Vec<(String, Role)> {
    let mut lines = match report {
        JobReport::Pack(packed) => {
            let bundle = &packed.bundle;
            let read = if bundle.read_back.is_some() { ", read back" } else { ", NOT read back" };
            vec![(
                format!(
                    "+ OK  {} is complete on the medium{read} and signed",
                    directory(&bundle.name, bundle.serial)
                ),
                if bundle.read_back.is_some() { Role::Ok } else { Role::Warn },
            )]
        }
        _ => Vec::new(),
    };
    if let Some(verdict) = report.verdict() {
        lines = vec![(format!("! WARN  {verdict}"), Role::Warn)];
        lines.extend(
            verdict
                .hints
                .iter()
                .map(|hint| (format!("next: {}", hints::on("Assemble", hint, keymap)), Role::Text)),
        );
    }
    lines.push((format!("{} shows the report", keymap.says(Act::AssembleNext)), Role::Text));
    lines
}

/// The lines that are seen before any item is: all that helps, and of what failed as much as names it. One is for what says
/// that there are more.
pub(super) fn helping(said: &[(Vec<String>, Role)]) -> usize {
    let lines = said.iter().map(|(lines, role)| match role {
        Role::Fail => lines.len().min(2),
        // Its class is told by the exit code, too.
        Role::Dim => 0,
        _ => lines.len(),
    });
    lines.sum::<usize>() + 1
}

/// The lines that fit where there is room for so many, and how many are left out for one that says so. What is longest
/// gives way first, as what failed: what is next is seen. Nothing else ends in the middle of what it says.
pub(super) fn fitting(said: &[(Vec<String>, Role)], most: usize) -> (Vec<(String, Role)>, usize) {
    let all: usize = said.iter().map(|(lines, _)| lines.len()).sum();
    // The first of those that are equally long.
    let longest = (0..said.len()).rev().max_by_key(|at| said[*at].0.len()).unwrap_or(0);
    let room = if all > most { most.saturating_sub(1) } else { most };
    let mut left = room.saturating_sub(said.get(longest).map_or(0, |(lines, _)| lines.len().min(2)));
    let mut taken = vec![0; said.len()];
    for (at, (lines, _)) in said.iter().enumerate().filter(|(at, _)| *at != longest) {
        if lines.len() > left {
            break;
        }
        (taken[at], left) = (lines.len(), left - lines.len());
    }
    if let Some(taken) = taken.get_mut(longest) {
        *taken = said[longest].0.len().min(left + 2).min(room);
    }
    let lines = said.iter().zip(taken);
    let lines =
        lines.flat_map(|((lines, role), taken)| lines.iter().take(taken).map(|line| (line.clone(), *role)));
    let lines: Vec<_> = lines.collect();
    let more = if most == 0 { 0 } else { all - lines.len() };
    (lines, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_gives_way_to_what_is_next_and_what_is_left_out_is_counted() {
        let said = |lines: &[usize]| {
            let paragraph = |(at, count): (usize, &usize)| {
                ((0..*count).map(|line| format!("{at}.{line}")).collect(), Role::Text)
            };
            lines.iter().enumerate().map(paragraph).collect::<Vec<(Vec<String>, Role)>>()
        };
        let fits = |lines: &[usize], most| {
            let (fits, more) = fitting(&said(lines), most);
            (fits.into_iter().map(|(words, _)| words).collect::<Vec<_>>().join(" "), more)
        };
        assert_eq!(fits(&[3, 1], 4), ("0.0 0.1 0.2 1.0".to_owned(), 0));
        assert_eq!(fits(&[5, 1, 2, 1], 7), ("0.0 0.1 1.0 2.0 2.1 3.0".to_owned(), 3));
        assert_eq!(fits(&[5, 1, 2, 1], 6), ("0.0 0.1 1.0 2.0 2.1".to_owned(), 4));
        assert_eq!(
            fits(&[5, 1, 2, 1], 5),
            ("0.0 0.1 0.2 1.0".to_owned(), 5),
            "none of them ends in the middle"
        );
        assert_eq!(fits(&[1, 6], 4), ("0.0 1.0 1.1".to_owned(), 4));
        assert_eq!(fits(&[2, 2], 1), (String::new(), 4));
        assert_eq!(fits(&[], 3), (String::new(), 0));
    }
}
