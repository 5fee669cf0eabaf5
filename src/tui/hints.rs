//! What to do next, said for those who are at a screen: where a hint names a command or an option, the key that does the same.

use crate::actions::Act;
use crate::config::keymap::Keymap;

/// What a hint says for a shell, the operation that does it here, and how that is said after its key.
const TWINS: &[(&str, Act, &str)] = &[
    ("airlift key trust FILE.pub trusts it", Act::KeyTrust, "on Verify trusts it"),
    ("airlift key trust FILE.pub adds one", Act::KeyTrust, "on Verify trusts the key that signed"),
    ("airlift key trust FILE.pub trusts a key", Act::KeyTrust, "on Verify trusts it"),
    (
        "--trust FILE names another allowed_signers file",
        Act::KeyList,
        "on Verify lists the trusted keys and names their file",
    ),
    ("give --platform with one of those", Act::ImportEdit, "on Import chooses one of those"),
    ("give --platform OS/ARCH", Act::ImportEdit, "on Import chooses one platform"),
    (
        "--only REFERENCE imports one of these alone",
        Act::Mark,
        "on Import marks one of these, which is then imported alone",
    ),
    (
        "--replace lets the bundle's image take the name",
        Act::ImportEdit,
        "on Import lets the bundle's image take the name",
    ),
    (
        "airlift key generate makes one; --key FILE or --agent use another",
        Act::KeyGenerate,
        "on Start makes one; {key} on Assemble takes another",
    ),
    (
        "airlift key generate makes a key; --key FILE names another one",
        Act::KeyGenerate,
        "on Start makes a key; {key} on Assemble takes another one",
    ),
    (
        "`airlift resolve --from registry:HOST` lists those it has",
        Act::ResolveEdit,
        "on Verify writes another name, {drop} drops it",
    ),
    (
        "`airlift resolve --from registry:HOST/REPO` lists what is there",
        Act::ResolveEdit,
        "on Verify writes another one, {drop} drops it",
    ),
    (
        "airlift sign BUNDLE --key FILE",
        Act::Sign,
        "on the Report of the connected side; {fewer} on Verify asks for fewer signatures",
    ),
    ("--allow-rollback accepts it", Act::CheckOverride, "on Verify accepts it"),
    (
        "--keep-going=unresolved packs what could be read",
        Act::ResolveNext,
        "on Verify goes on with what is there",
    ),
    ("--keep-going=unresolved packs the rest", Act::ResolveNext, "on Verify goes on with the rest"),
    (
        "--keep-going packs the rest",
        Act::AssembleEdit,
        "on Assemble allows a bundle without it: that packs the rest",
    ),
    ("--no-tool leaves this program out", Act::AssembleEdit, "on Assemble leaves this program out"),
    ("or pack under another --name", Act::AssembleEdit, "on Assemble takes another name"),
    ("pack under another --name", Act::AssembleEdit, "on Assemble takes another name"),
    ("--anew, or D on the Start screen", Act::Forget, "on Start forgets it"),
    ("--to as before goes on with that one", Act::Resume, "on Start goes on with that one"),
    (
        "--anew gives that one up and begins here",
        Act::Forget,
        "on Start gives that one up; this begins here then",
    ),
    ("airlift media list shows the media", Act::MediaList, "on Media looks for the media"),
    ("airlift media list says", Act::MediaList, "on Media looks again and says"),
    ("airlift resolve REF… --lock FILE writes it", Act::Resolve, "on Verify writes it"),
    ("airlift resolve with --lock writes the entry anew", Act::Resolve, "on Verify writes the entry anew"),
    ("or resolve with --lock again", Act::Resolve, "on Verify resolves it again"),
    ("resolve --lock again", Act::Resolve, "on Verify resolves it again"),
    (
        "give another --platform, or none to carry all of them",
        Act::ImagesPlatforms,
        "on Images chooses other platforms, or all of them",
    ),
    ("or use --key FILE", Act::AssembleKey, "on Assemble takes a key file"),
    ("name one: --agent=SHA256:…", Act::AssembleKey, "on Assemble shows them"),
    (
        "give the private key file, or --agent for a key that lives in an ssh-agent",
        Act::AssembleKey,
        "on Assemble takes the private key file, or a key that lives in an ssh-agent",
    ),
    (
        "leave --platform out, and each image that has one",
        Act::ImportEdit,
        "on Import takes the platform out; each image that has one",
    ),
    (
        "give --storage-conf none and enter the store yourself; --storage-conf print shows how",
        Act::ImportEdit,
        "on Import leaves that file alone or only shows the change: then enter the store yourself",
    ),
];

/// What an option does that is set on a screen from the first: nothing is said of it there.
const SET: &str = "; --keep-going imports the others";

/// Further keys in those words.
const MORE: [(&str, Act); 3] =
    [("{key}", Act::AssembleKey), ("{drop}", Act::ResolveRemove), ("{fewer}", Act::CheckSigners)];

/// The hint as it is said on a screen.
pub fn here(hint: &str, keymap: &Keymap) -> String {
    but(hint, &[], keymap)
}

/// The same; what these operations do is said for a shell.
fn but(hint: &str, without: &[Act], keymap: &Keymap) -> String {
    let twin = TWINS.iter().find(|(shell, act, _)| hint.contains(shell) && !without.contains(act));
    let said = |act: Act, words: &str| {
        let words = MORE
            .iter()
            .fold(words.to_owned(), |words, (mark, more)| words.replace(mark, &keymap.says(*more)));
        format!("{} {words}", keymap.says(act))
    };
    let hint = hint.replacen(SET, "", 1);
    match twin {
        Some((shell, act, words)) => hint.replacen(shell, &said(*act, words), 1),
        None => hint,
    }
}

/// What the engine says beside its advice: how things stand.
const STANDS: [&str; 6] = [
    "nothing of it was written to any target",
    "nothing was written to any target",
    ": in it: ",
    ": none of the images is in it",
    ": all images are in it",
    ": storage.conf was not changed",
];

/// A hint with its label: what to do next, unless it only tells how things stand.
pub fn labelled(hint: &str) -> String {
    match STANDS.iter().any(|words| hint.contains(words)) {
        true => hint.to_owned(),
        false => format!("next: {hint}"),
    }
}

/// The same for one who is on that screen already; nowhere, where it has no name.
pub fn on(screen: &str, hint: &str, keymap: &Keymap) -> String {
    spoken(screen, here(hint, keymap), keymap)
}

/// The same on Assemble of a pack that is gone on with: what changes the list changes nothing of that one.
pub fn resumed(hint: &str, keymap: &Keymap) -> String {
    let of_list = [Act::ResolveEdit, Act::ResolveNext, Act::Resolve, Act::ImagesPlatforms];
    spoken("Assemble", but(hint, &of_list, keymap), keymap)
}

fn spoken(screen: &str, mut said: String, keymap: &Keymap) -> String {
    if screen == "Report" {
        // The key is asked for there as well, by a key of its own.
        let [there, own] = [Act::AssembleKey, Act::Sign].map(|act| keymap.says(act));
        said = said.replacen(&format!("{there} on Assemble takes"), &format!("{own} takes"), 1);
    }
    if screen == "Assemble" {
        // What is begun again there is begun by a key.
        let retry = keymap.says(Act::Retry);
        for words in [
            "then goes on",
            "goes on from here",
            "goes on with",
            "once they can be had",
            "leaves it out again",
        ] {
            said = said.replacen(&format!("the same command {words}"), &format!("{retry} {words}"), 1);
        }
    }
    if screen.is_empty() { said } else { said.replacen(&format!(" on {screen} "), " ", 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_becomes_the_key_that_does_the_same_and_all_else_stays() {
        let rollback =
            "an old medium, or someone hands you old images; --allow-rollback accepts it knowingly";
        let keymap = Keymap::default();
        assert_eq!(
            here(rollback, &keymap),
            "an old medium, or someone hands you old images; O on Verify accepts it knowingly"
        );
        assert_eq!(
            on("Verify", rollback, &keymap),
            "an old medium, or someone hands you old images; O accepts it knowingly"
        );
        let alone = "another key holder signs it, too: airlift sign BUNDLE --key FILE";
        assert_eq!(
            on("Verify", alone, &keymap),
            "another key holder signs it, too: k on the Report of the connected side; m asks for fewer signatures"
        );
        let public = "give the private key file, or --agent for a key that lives in an ssh-agent";
        let said = "k takes the private key file, or a key that lives in an ssh-agent";
        assert_eq!(on("Report", public, &keymap), said);
        let full = "free space (or inodes) on that file system; the same command then goes on";
        assert_eq!(
            on("Assemble", full, &keymap),
            "free space (or inodes) on that file system; r then goes on",
            "it is begun again by a key there"
        );
        assert_eq!(on("Media", full, &keymap), full);
        let options = "import it into a registry; --keep-going imports the others";
        assert_eq!(here(options, &keymap), "import it into a registry");
        assert_eq!(here("trust no one; ask twice", &keymap), "trust no one; ask twice");
        let none = "--trust FILE names another allowed_signers file";
        assert_eq!(here(none, &keymap), "k on Verify lists the trusted keys and names their file");
        let taken = "--replace lets the bundle's image take the name; --keep-going imports the others";
        assert_eq!(here(taken, &keymap), "e on Import lets the bundle's image take the name");
        let damaged = here("--only REFERENCE imports one of these alone: a:1, b:1", &keymap);
        assert_eq!(damaged, "Space on Import marks one of these, which is then imported alone: a:1, b:1");
        let mapped = |id: &str, key: &str| (id.to_owned(), vec![key.to_owned()]);
        let changes = [mapped("resolve.edit", "F7"), mapped("resolve.remove", "F8")].into();
        let said = here(
            "`airlift resolve --from registry:HOST` lists those it has",
            &Keymap::new(&changes).unwrap(),
        );
        assert_eq!(said, "F7 on Verify writes another name, F8 drops it");
    }

    #[test]
    fn how_things_stand_is_no_advice() {
        for (hint, said) in [
            ("free space", "next: free space"),
            ("nothing was written to any target", "nothing was written to any target"),
            ("oci:/x: in it: b:1; not in it: a:1", "oci:/x: in it: b:1; not in it: a:1"),
        ] {
            assert_eq!(labelled(hint), said);
        }
    }

    #[test]
    fn every_row_is_about_words_that_the_engine_says() {
        let mut open = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/engine"))];
        let mut said = String::new();
        while let Some(path) = open.pop() {
            match std::fs::read_dir(&path) {
                Ok(entries) => open.extend(entries.map(|entry| entry.unwrap().path())),
                Err(_) => said.push_str(&std::fs::read_to_string(&path).unwrap()),
            }
        }
        for words in STANDS {
            assert!(said.contains(words), "nothing says {words:?} any more");
        }
        assert!(said.contains(SET), "nothing says {SET:?} any more");
        for (shell, act, _) in TWINS {
            assert!(said.contains(shell), "nothing says {shell:?} any more");
            assert!(!act.row().keys.is_empty(), "{} has no key", act.row().id);
        }
    }
}
