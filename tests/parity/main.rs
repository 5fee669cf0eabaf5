//! Every action with a subcommand has that subcommand, and the other way round, with the same sentence of help.

use std::collections::BTreeMap;

use airlift::actions::ACTIONS;
use airlift::cli::args::Cli;
use clap::CommandFactory;

#[cfg(test)]
mod jobs;

fn leaves(command: &clap::Command, prefix: &str, found: &mut BTreeMap<String, String>) {
    for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
        let name = format!("{prefix}{}", child.get_name());
        if child.has_subcommands() {
            leaves(child, &format!("{name} "), found);
        } else {
            found.insert(name, child.get_about().map(ToString::to_string).unwrap_or_default());
        }
    }
}

#[test]
fn actions_and_subcommands_are_the_same_set() {
    let mut commands = BTreeMap::new();
    leaves(&Cli::command(), "", &mut commands);
    let actions: BTreeMap<String, String> = ACTIONS
        .iter()
        .filter_map(|action| action.subcommand.map(|name| (name.to_owned(), action.doc.to_owned())))
        .collect();
    assert_eq!(actions, commands);
}

#[test]
fn action_ids_and_keys_are_unique() {
    let mut ids: Vec<_> = ACTIONS.iter().map(|action| action.id).collect();
    let mut keys: Vec<_> =
        ACTIONS.iter().flat_map(|action| action.keys.iter().map(|key| (action.scope, *key))).collect();
    let counts = (ids.len(), keys.len());
    ids.sort_unstable();
    ids.dedup();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!((ids.len(), keys.len()), counts);
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}
