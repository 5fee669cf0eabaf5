//! Options that a command was given, for the commands that its hints name: those work as they are pasted.

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::config::paths::Paths;
use crate::domain::shell::shell_words;
use crate::failure::Failure;

/// Where bundles are verified by other files than the usual ones.
const VERIFYING: &[&str] = &["trust", "state", "min_signatures"];
/// How registries are reached.
const REACHING: &[&str] = &["config", "plain_http", "insecure", "ca", "authfile"];

/// Commands that hints name, with the options that each takes as well.
const TAKING: [(&str, &[&[&str]]); 9] = [
    ("airlift key trust", &[&["trust"]]),
    ("airlift key untrust", &[&["trust"]]),
    ("airlift key list", &[&["trust"]]),
    ("airlift undo", &[&["state"]]),
    ("airlift verify", &[VERIFYING]),
    ("airlift import", &[VERIFYING, REACHING]),
    ("airlift resolve", &[REACHING]),
    ("airlift serve --uninstall", &[&["root"]]),
    ("airlift serve --install", &[VERIFYING, &["root"]]),
];

/// What was given, by the name of the option within the program.
#[derive(Debug, Default)]
pub(super) struct Given(Vec<(&'static str, Vec<String>)>);

impl Given {
    /// Of a command line as it was typed; what has its usual value is left out.
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let mut last = matches;
        while let Some((_, inner)) = last.subcommand() {
            last = inner;
        }
        let mut given: Vec<(&'static str, Vec<String>)> = Vec::new();
        for name in TAKING.iter().flat_map(|(_, takes)| takes.iter().copied().flatten().copied()) {
            if given.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let Ok(Some(values)) = last.try_get_raw(name) else { continue };
            if last.value_source(name) == Some(ValueSource::CommandLine) {
                given.push((name, values.map(|value| value.to_string_lossy().into_owned()).collect()));
            }
        }
        Self(given)
    }

    /// The failure with hints that go on from what was given.
    pub(super) fn told(&self, mut failure: Failure) -> Failure {
        failure.hints.iter_mut().for_each(|hint| *hint = self.hint(hint));
        failure
    }

    fn hint(&self, hint: &str) -> String {
        let mut said = brief(hint);
        for (command, takes) in TAKING {
            let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric());
            let Some(end) = said.find(command).map(|at| at + command.len()).filter(|end| ends(&said[*end..]))
            else {
                continue;
            };
            let words = self.words(takes, hint);
            if !words.is_empty() {
                said.insert_str(end, &format!(" {}", shell_words(&words)));
            }
        }
        said
    }

    /// What a command takes of it and a hint does not say itself.
    fn words(&self, takes: &[&[&str]], hint: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (name, values) in &self.0 {
            let option = format!("--{}", name.replace('_', "-"));
            if takes.iter().any(|some| some.contains(name)) && !hint.contains(&option) {
                words.extend(values.iter().flat_map(|value| [option.clone(), value.clone()]));
            }
        }
        words
    }
}

/// A text whose commands name no directory of history where that is the usual one.
pub(super) fn brief(text: &str) -> String {
    let usual = Paths::from_env().map(|paths| paths.state().display().to_string());
    usual.map_or_else(|_| text.to_owned(), |usual| without(text, usual))
}

fn without(text: &str, state: String) -> String {
    let option = format!(" {}", shell_words(&["--state".to_owned(), state]));
    let mut parts = text.split(&option);
    let mut said = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // A directory below it is another one.
        let more = part.starts_with(|next: char| next.is_alphanumeric() || "/-_.".contains(next));
        said.extend(more.then_some(option.as_str()));
        said.push_str(part);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::CommandFactory as _;

    fn hint(typed: &str, hint: &str) -> String {
        let matches = Cli::command().try_get_matches_from(typed.split(' ')).unwrap();
        Given::of(&matches).told(Failure::usage("x").hint(hint)).hints.concat()
    }

    #[test]
    fn the_usual_directory_of_history_is_not_named() {
        for (said, becomes) in [
            ("airlift undo 000001 --state /s takes it back", "airlift undo 000001 takes it back"),
            ("airlift undo 000001 --state /s; with --dry-run", "airlift undo 000001; with --dry-run"),
            ("airlift undo 000001 --state /s/old takes", "airlift undo 000001 --state /s/old takes"),
            ("airlift undo 000001", "airlift undo 000001"),
        ] {
            assert_eq!(without(said, "/s".to_owned()), becomes);
        }
    }

    #[test]
    fn a_command_in_a_hint_has_the_options_that_this_one_was_given_and_that_one_takes() {
        let import = "airlift import B --into oci:x --trust o'wn --state /s --ca c.pem --ca d.pem --root /";
        for (said, becomes) in [
            ("airlift key trust FILE.pub adds one", "airlift key trust --trust 'o'\\''wn' FILE.pub adds one"),
            ("airlift undo --list names them", "airlift undo --state /s --list names them"),
            (
                "`airlift resolve --from registry:H` lists",
                "`airlift resolve --ca c.pem --ca d.pem --from registry:H` lists",
            ),
            ("airlift undo 000001 --state '/s'", "airlift undo 000001 --state '/s'"),
            ("the same command goes on", "the same command goes on"),
        ] {
            assert_eq!(hint(import, said), becomes);
        }
        let listed = "airlift key list shows what is trusted";
        let shows = "airlift key list --trust F shows what is trusted";
        assert_eq!(hint("airlift key untrust x --trust F", listed), shows);
        assert_eq!(hint("airlift key untrust x", listed), listed, "what is usual is not said");
        let away = "airlift serve --uninstall takes everything away";
        assert!(hint("airlift serve --install B --root /n", away).contains("--uninstall --root /n takes"));
    }
}
