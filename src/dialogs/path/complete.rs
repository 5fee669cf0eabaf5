//! Completes a path as a shell does: what all matching names begin with, and the entry under the cursor.

use super::{Entry, Path};
use crate::config::key::{Code, Key};
use crate::widgets::edit::Field;

impl Path {
    /// Writes into the line what all matching names begin with.
    pub(super) fn complete(&mut self) {
        if self.walking {
            return self.take_entry();
        }
        if self.line.is_selected() {
            self.line.key(Key::plain(Code::End));
            self.refresh();
        }
        let Some(first) = self.matching.first() else { return };
        let mut common = first.name.clone();
        for entry in &self.matching {
            while !entry.name.starts_with(&common) {
                common.pop();
            }
        }
        if let [only] = self.matching.as_slice() {
            common = name_of(only);
        }
        self.put(&common);
    }

    /// Writes the entry under the cursor into the line.
    pub(super) fn take_entry(&mut self) {
        if let Some(entry) = self.list.row().and_then(|row| self.matching.get(row)) {
            let name = name_of(entry);
            self.put(&name);
        }
    }

    fn put(&mut self, name: &str) {
        let text = self.line.value();
        let kept = text.rfind('/').map_or(if text == "~" { "~/" } else { "" }, |at| &text[..=at]);
        self.line = Field::begun(&format!("{kept}{name}"));
        self.changed();
    }
}

pub(super) fn name_of(entry: &Entry) -> String {
    if entry.directory { format!("{}/", entry.name) } else { entry.name.clone() }
}
