//! Labels of a store for SELinux: those of the default store, or no container can read what is in it.

use std::path::Path;
use std::process::Stdio;

use super::process::last_words;
use crate::domain::text;
use crate::engine::child;
use crate::engine::error::Result;
use crate::engine::import::Job;
use crate::engine::storage::change::{self, ConfMode};

/// Has a store labelled where SELinux is on; what came of it, as a note. What cannot be done is no error: the images are
/// there, and the note says how it is done by hand.
///
/// # Errors
/// A file error.
pub(super) async fn label(job: &Job, store: &Path) -> Result<Option<String>> {
    let node = &job.spec.node;
    let here = node.root == Path::new("/") && node.storage_conf == ConfMode::Edit;
    if !here || !change::has_selinux(&*job.ctx.files, &node.root)? {
        return Ok(None);
    }
    for words in change::labelling(store) {
        let (program, arguments) =
            words.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let mut command = child::program(program);
        command.args(arguments).stdout(Stdio::null());
        let output = match command.output().await {
            Ok(output) => output,
            Err(error) => return Ok(Some(undone(program, &error.to_string()))),
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !settled(program, output.status.success(), &said) {
            return Ok(Some(undone(program, &last_words(&said))));
        }
    }
    Ok(Some(format!("{} has the labels of the default store for SELinux", store.display())))
}

/// Whether a step came to what it should: semanage fails where the rule is there already.
fn settled(program: &str, success: bool, said: &str) -> bool {
    success || (program == "semanage" && said.contains("already"))
}

fn undone(program: &str, reason: &str) -> String {
    format!("the store is not labelled for SELinux, no pod can read it: {program}: {}", text::shown(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_there_is_no_failure_and_anything_else_is() {
        let already = "ValueError: Equivalence class for /var/images already exists\n";
        assert!(settled("semanage", false, already));
        assert!(settled("restorecon", true, ""));
        assert!(!settled("restorecon", false, already));
        assert!(!settled("semanage", false, "ValueError: SELinux policy is not managed\n"));
        assert_eq!(
            change::labelling(Path::new("/var/images")).map(|words| words.join(" ")),
            ["semanage fcontext -a -e /var/lib/containers/storage /var/images", "restorecon -R /var/images"]
        );
    }
}
