//! A list that could not be written: said on every screen until it is, and where it was saved instead.

use std::path::{Path, PathBuf};

use crate::actions::Act;
use crate::domain::shell::shell_words;
use crate::domain::text;
use crate::tui::app::App;
use crate::tui::effects::ends::Unsaved;

impl App {
    /// Whether nothing of the list is lost by leaving, as far as that is known.
    pub(in crate::tui) fn is_saved(&self) -> bool {
        let now = Some(self.model.picked.revision());
        (self.keeper.kept == now && self.keeper.under_way == 0 && self.keeper.edited.is_empty())
            || self.saved_elsewhere()
    }

    /// Whether the list as it is now was saved in another place.
    pub fn saved_elsewhere(&self) -> bool {
        self.saved_in().is_some()
    }

    /// The other place that the list as it is now was saved in.
    fn saved_in(&self) -> Option<&Path> {
        let (revision, file) = self.keeper.elsewhere.as_ref()?;
        (*revision == self.model.picked.revision()).then_some(file)
    }

    /// It was saved there.
    pub(in crate::tui) fn saved_list_in(&mut self, file: PathBuf) {
        self.keeper.elsewhere = Some((self.model.picked.revision(), file));
    }

    /// What is said of the list as long as it cannot be written and is in no other place, either, in a row of so many
    /// columns.
    pub(in crate::tui) fn unsaved_words(&self, columns: usize) -> Option<String> {
        let lacks = self.keeper.failed.is_some() && !self.saved_elsewhere();
        let [save, log] = [Act::ImagesSave, Act::Logs].map(|act| self.model.key(act));
        let long = format!("! the list is not saved: {save} on Images saves it elsewhere, {log} says why");
        let short = || format!("! list not saved: {save} on Images saves it, {log} says why");
        lacks.then(|| if text::width(&long) < columns { long } else { short() })
    }

    /// What is said of what was not written once this was left; of a list that is in another place, how one begins with
    /// it there.
    pub(in crate::tui) fn lost(&self, unsaved: &Unsaved) -> Vec<String> {
        let Some((failure, file)) = unsaved.list.as_ref().zip(self.saved_in()) else {
            return vec![unsaved.words.clone()];
        };
        let file = file.display().to_string();
        let load = self.model.key(Act::ImagesLoad);
        vec![
            format!("the list is in {file}: where the next start looks for it, {}", failure.message),
            format!(
                "{load} on Images takes it from there; so does: airlift resolve -f {}",
                shell_words(&[file])
            ),
        ]
    }
}
