//! What stays of a report that nobody saved: a file beside the state, and a few words on the terminal that was given back.

use std::path::{Path, PathBuf};

use super::app::App;
use super::model::{Model, Side};
use super::msg::Effect;
use super::picked::Picked;
use crate::actions::Act;
use crate::domain::bundle::check_name;
use crate::domain::sheet::{Deed, KEY_ENDS_IN, Sheet, ends_in, has_end};
use crate::failure::Failure;

/// A report that is written by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its file.
    file: PathBuf,
    /// What is said of it on the way out.
    words: Vec<String>,
    /// Whether it could not be written.
    lost: bool,
}

impl Model {
    /// A report is written by itself from now on, over what it said before.
    pub fn keep_report(&mut self, sheet: &Sheet) -> Effect {
        // Two bundles of one name may have the same serial, where their series began anew.
        let id = sheet.id.simple().to_string();
        let id = id.get(24..).unwrap_or_default();
        // The word of a bundle that was refused is no name for a file.
        let name = check_name(&sheet.name).map_or("bundle", |()| &sheet.name);
        let reports = self.settings.paths.reports();
        let file = |deed: Deed| reports.join(format!("{name}-{}-{id}-{}.txt", sheet.serial, deed.word()));
        // What was imported is not forgotten where the bundle is verified again.
        let before = (sheet.deed == Deed::Imported).then(|| file(Deed::Verified));
        let file = file(sheet.deed);
        self.kept.retain(|kept| kept.file != file && Some(&kept.file) != before.as_ref());
        self.kept.push(Kept { words: words(sheet), file: file.clone(), lost: false });
        Effect::Save(file, sheet.text())
    }

    /// The file that the latest report is kept in.
    pub fn kept_as(&self) -> Option<String> {
        self.kept.last().filter(|kept| !kept.lost).map(|kept| kept.file.display().to_string())
    }

    /// A file was written or not: where it is a report, that is known from now on.
    pub(super) fn report_written(&mut self, path: &Path, written: bool) {
        self.kept.iter_mut().filter(|kept| kept.file == path).for_each(|kept| kept.lost = !written);
    }
}

impl App {
    /// What was not written, with what writes it once there is room: no command that would go on.
    pub(super) fn saved_by(&self, path: &Path, failure: &Failure) -> Failure {
        let key = |act| self.model.key(act);
        let way = if path.starts_with(self.model.settings.paths.reports()) {
            let save =
                if self.model.side == Some(Side::AirGapped) { Act::CheckedWrite } else { Act::ReportWrite };
            format!("{} on Report saves it, also elsewhere", key(save))
        } else if path == self.model.settings.list_file() {
            format!("a job and quitting write it then; {} on Images saves it elsewhere", key(Act::ImagesSave))
        } else {
            "then save it again, or elsewhere".to_owned()
        };
        let hints = failure.hints.iter().map(|hint| hint.replace("the same command then goes on", &way));
        Failure { hints: hints.collect(), ..failure.clone() }
    }

    /// What is said once the terminal was given back: what was made or checked here, and where its report is.
    pub fn parting(&self) -> Vec<String> {
        let said = self.model.kept.iter().flat_map(|kept| {
            // Why one was not written is said with what else was not.
            let file = (!kept.lost).then(|| format!("report        {}", kept.file.display()));
            kept.words.iter().cloned().chain(file)
        });
        let mut said: Vec<String> = said.collect();
        if !said.is_empty() && self.was_cut_off() {
            said.insert(0, "before that:".to_owned());
        }
        said.extend(self.apart());
        said
    }

    /// What becomes of a list that is not the kept one.
    fn apart(&self) -> Option<String> {
        let beside = self.model.beside.as_ref()?;
        // Lines of a list that somebody wrote by hand are not those that are kept of it.
        let mut began_with = Picked::default();
        began_with.restore(&beside.began_with);
        let changed = began_with.text() != self.model.picked.text();
        let words = "another workstation still has the list: what was picked here is kept apart, and the next one that is started takes it in";
        changed.then(|| words.to_owned())
    }
}

fn words(sheet: &Sheet) -> Vec<String> {
    let mut words = vec![
        sheet.verdict_line(),
        format!("bundle        {}", sheet.path),
        format!("document      {}", sheet.document),
    ];
    let keys = sheet.signatures.iter().filter(|key| has_end(&key.fingerprint));
    let keys = keys.map(|key| format!("{KEY_ENDS_IN}   {}", ends_in(&key.fingerprint)));
    words.extend(keys);
    words
}
