//! ACTIONS, the one list of operations: every front, help text and key map is made from it.

/// How much an operation can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// Changes nothing.
    Reads,
    /// Writes new files or state of its own.
    Writes,
    /// Changes a runtime, a registry or a node.
    Changes,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Stable name, `noun.verb` or the verb alone.
    pub id: &'static str,
    /// Its title in menus.
    pub title: &'static str,
    /// One sentence of help.
    pub doc: &'static str,
    /// The subcommand that does it, words separated by a space; nothing where a screen alone has it.
    pub subcommand: Option<&'static str>,
    /// How much it can change.
    pub danger: Danger,
    /// Keys that start it on a screen.
    pub keys: &'static [&'static str],
}

const fn command(id: &'static str, title: &'static str, doc: &'static str, danger: Danger) -> Action {
    Action { id, title, doc, subcommand: Some(id), danger, keys: &[] }
}

/// An operation whose subcommand is of two words.
const fn nested(
    (id, subcommand): (&'static str, &'static str),
    title: &'static str,
    doc: &'static str,
    danger: Danger,
) -> Action {
    Action { id, title, doc, subcommand: Some(subcommand), danger, keys: &[] }
}

/// Every operation there is. A subcommand and its row are added together; `tests/parity/` compares them.
pub const ACTIONS: &[Action] = &[
    command(
        "resolve",
        "Resolve images",
        "Pin references to digests, lint their names and sum up their size",
        Danger::Writes,
    ),
    command("pack", "Pack a bundle", "Assemble and sign a bundle on a medium", Danger::Writes),
    command("sign", "Sign a bundle", "Add a signature to a bundle", Danger::Writes),
    nested(
        ("key.generate", "key generate"),
        "Make a key",
        "Make an ed25519 key pair, protected by a passphrase",
        Danger::Writes,
    ),
    nested(
        ("key.show", "key show"),
        "Show a key",
        "Show the public half of a key, its fingerprint and key id",
        Danger::Reads,
    ),
    nested(("key.trust", "key trust"), "Trust a key", "Trust a public key to sign bundles", Danger::Writes),
    nested(("key.untrust", "key untrust"), "Stop trusting a key", "Stop trusting a key", Danger::Writes),
    nested(("key.list", "key list"), "Trusted keys", "List the trusted keys", Danger::Reads),
    nested(
        ("media.list", "media list"),
        "Media",
        "List removable media: what they are, what lies on them, why they are blocked",
        Danger::Reads,
    ),
    command("inspect", "Inspect", "Show what is in a bundle, without verifying it", Danger::Reads),
    command("diff", "Compare bundles", "Show what changes from one bundle to another", Danger::Reads),
    command(
        "import",
        "Import",
        "Verify a bundle and import it into registries, layouts or archives",
        Danger::Changes,
    ),
    command(
        "verify",
        "Verify",
        "Verify signatures, age, file list and every byte of a bundle",
        Danger::Reads,
    ),
    command("serve", "Serve bundles", "Serve bundles as a read-only registry", Danger::Reads),
    command("demo", "Demonstrate", "Run the whole job on this machine with sample images", Danger::Writes),
    command("completions", "Shell completions", "Print a completion script for a shell", Danger::Reads),
    command("man", "Manual", "Print a manual page", Danger::Reads),
];

/// The row of an operation.
pub fn action(id: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.id == id)
}
