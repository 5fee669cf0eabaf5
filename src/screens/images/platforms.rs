//! Which platforms are carried: common ones to mark, others to type.

use crate::actions::Act;
use crate::dialogs::choose::Item;
use crate::dialogs::{Answer, Choose, Input, Question};
use crate::domain::platform::Platform;
use crate::tui::model::Place;
use crate::tui::screen::Cx;

const MARKED: Question = Question { act: Act::ImagesPlatforms, part: 0 };
const TYPED: Question = Question { act: Act::ImagesPlatforms, part: 1 };
/// What clusters are made of.
const COMMON: &[(&str, &str)] = &[
    ("linux/amd64", "x86-64: most servers and PCs"),
    ("linux/arm64", "64-bit Arm: Graviton, Ampere, Raspberry Pi 4 and 5"),
    ("linux/arm/v7", "32-bit Arm"),
    ("linux/arm/v6", "older 32-bit Arm"),
    ("linux/386", "32-bit x86"),
    ("linux/ppc64le", "IBM Power"),
    ("linux/s390x", "IBM Z"),
    ("linux/riscv64", "RISC-V"),
    ("windows/amd64", "Windows nodes"),
];

/// What is offered.
#[derive(Debug, Default)]
pub(super) struct Platforms {
    offered: Vec<Platform>,
    chosen: Vec<Platform>,
}

impl Platforms {
    /// Asks which.
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>) {
        let now = cx.model.picked.platforms();
        self.offered = COMMON.iter().filter_map(|(name, _)| name.parse().ok()).collect();
        let others: Vec<Platform> = now.iter().filter(|one| !self.offered.contains(one)).cloned().collect();
        self.offered.extend(others);
        let note = |row: usize| COMMON.get(row).map_or("typed before", |(_, note)| note);
        let mut items: Vec<Item> =
            self.offered.iter().enumerate().map(|(row, one)| Item::new(one.to_string(), note(row))).collect();
        items.push(Item::new("another ...", "type it"));
        let marked = self.offered.iter().enumerate().filter(|(_, one)| now.contains(one)).map(|(row, _)| row);
        cx.open(Choose::new(MARKED, "Platforms (none marked: carry all)", items).several(marked));
    }

    pub(super) fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question, answer) {
            (MARKED, Answer::Rows(rows)) => {
                self.chosen = rows.iter().filter_map(|row| self.offered.get(*row).cloned()).collect();
                if rows.contains(&self.offered.len()) {
                    let help = "OS/ARCHITECTURE, or OS/ARCHITECTURE/VARIANT as in linux/arm/v7; several separated by spaces.";
                    cx.open(Input::new(TYPED, "Other platforms", help).checked(|text| parse(text).map(drop)));
                } else {
                    self.set(cx);
                }
            }
            (TYPED, Answer::Text(text)) => {
                for platform in parse(&text).unwrap_or_default() {
                    if !self.chosen.contains(&platform) {
                        self.chosen.push(platform);
                    }
                }
                self.set(cx);
            }
            _ => {}
        }
    }

    fn set(&mut self, cx: &mut Cx<'_>) {
        let before = cx.model.picked.revision();
        cx.model.picked.set_platforms(std::mem::take(&mut self.chosen));
        if cx.model.picked.revision() != before {
            cx.model.changed(Place::Images);
        }
        cx.say(format!("carried: {}", cx.model.picked.platform_words()));
    }
}

fn parse(text: &str) -> Result<Vec<Platform>, String> {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let all: Result<Vec<Platform>, _> = words.map(str::parse).collect();
    match all {
        Ok(all) if all.is_empty() => Err("nothing is typed yet".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}
