//! What is given and is not there: each is told with the thing's name and a way out, before anything is asked of the network.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use crate::support::{document, run, write};

#[test]
fn what_is_not_there_is_named_with_a_way_out() {
    let home = tempdir().unwrap();
    fs::create_dir_all(home.path().join("medium/empty")).unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    // A host that nobody asks: the exit code would be that of the network.
    let image = "127.0.0.1:9/a:1";
    for (words, said, hint) in [
        (&["resolve", "-f", "none.txt"][..], "there is no list or manifest file none.txt", "standard input"),
        (&["resolve", "--from", "k3s:none"], "there is no list or manifest file none", "standard input"),
        (&["resolve", "--from", "manifests:none"], "there is no list or manifest file none", "give a file"),
        (
            &["resolve", "--from", "k3s:v1.31.2+k3s1"],
            "the images of k3s v1.31.2+k3s1",
            "v1.31.2%2Bk3s1/k3s-images.txt",
        ),
        (&["resolve", "--from", "chart:none"], "there is no chart none", "archive"),
        (
            &["resolve", "--from", "chart:medium"],
            "needs helm, which is not on PATH",
            "manifests:rendered.yaml",
        ),
        (&["resolve", "-f", "medium"], "medium is a directory, expected a list", "give a file"),
        (&["resolve", image, "--ca", "none.pem"], "there is no CA file none.pem", "PEM"),
        (&["resolve", image, "--authfile", "none.json"], "there is no credentials file none.json", "login"),
        (&["pack", image, "--to", "medium", "--lock", "none.lock"], "no lock file none.lock", "--lock"),
        (&["pack", image, "--to", "medium", "--key", "none"], "there is no signing key none", "key generate"),
        (&["pack", image, "--to", "medium"], "there is no signing key", "key generate"),
        (&["pack", image, "--to", "file", "--dry-run"], "file is not a directory", "directory of a mounted"),
        (&["sign", "medium/empty", "--key", "none"], "there is no signing key none", "key generate"),
        (&["key", "show", "--key", "none"], "there is no key file none", "key generate"),
        (&["key", "trust", "none.pub"], "there is no public key file none.pub", "the .pub file that"),
        (&["verify", "medium/empty", "--trust", "none"], "there is no trust file none", "allowed_signers"),
        (&["import", "medium/empty", "--trust", "none", "--into", "oci:x"], "no trust file none", "--trust"),
        (
            &["serve", "medium/empty", "--uninstall"],
            "--uninstall takes no bundle",
            "airlift serve --uninstall",
        ),
        (&["import", "medium/empty"], "medium/empty holds no bundle", "NAME-SERIAL"),
        (&["verify", "medium/empty"], "medium/empty holds no bundle", "NAME-SERIAL"),
    ] {
        refused(home.path(), words, 2, (said, hint));
    }
    assert_eq!(fs::read_dir(home.path().join("medium")).unwrap().count(), 1);
    assert!(!home.path().join("none").exists() && !home.path().join("x").exists());
}

#[test]
fn what_is_to_lie_on_a_medium_and_is_not_there_is_a_matter_of_the_medium() {
    let home = tempdir().unwrap();
    let image = "127.0.0.1:9/a:1";
    for (words, said, hint) in [
        (&["pack", image, "--to", "none", "--key", "file"][..], "there is no directory none", "mounted"),
        (&["pack", image, "--to", "none", "--dry-run"], "there is no directory none", "mkdir -p none"),
        (&["verify", "none"], "there is no none", "is the medium mounted"),
        (&["inspect", "none"], "there is no none", "is the medium mounted"),
        (&["diff", "none", "none"], "there is no none", "is the medium mounted"),
        (&["serve", "none"], "there is no none", "is the medium mounted"),
        (&["import", "none", "--into", "oci:x"], "there is no none", "is the medium mounted"),
        (&["import", "none"], "there is no none", "is the medium mounted"),
        (&["media", "list", "none"], "there is no path none", "airlift media list shows the media"),
        (&["media", "check", "none"], "there is no path none", "airlift media list shows the media"),
        (&["media", "mount", "none"], "there is no path none", "airlift media list shows the media"),
        (&["media", "eject", "none", "--dry-run"], "there is no path none", "airlift media list shows"),
    ] {
        refused(home.path(), words, 13, (said, hint));
    }
    assert!(!home.path().join("none").exists() && !home.path().join("x").exists());
}

#[test]
fn a_path_with_a_blank_is_quoted_in_the_command_that_is_to_be_typed() {
    let home = tempdir().unwrap();
    std::fs::create_dir(home.path().join("out dir")).unwrap();
    let words = &["pack", "127.0.0.1:9/a:1", "--to", "out dir/none", "--dry-run"];
    refused(home.path(), words, 13, ("there is no directory out dir/none", "mkdir -p 'out dir/none'"));
}

/// A command ends with a code, what it lacks and a way out.
fn refused(home: &Path, words: &[&str], code: i32, (said, hint): (&str, &str)) {
    let ran = run(home, words);
    assert_eq!(ran.code, code, "{words:?}: {}", ran.stderr);
    let (what, hints) = ran.stderr.split_once("hint:").unwrap_or_else(|| panic!("{words:?}: {}", ran.stderr));
    assert!(what.contains(said), "{words:?}: {}", ran.stderr);
    assert!(hints.contains(hint), "{words:?}: {}", ran.stderr);
}

#[test]
fn a_key_that_is_given_where_another_form_of_it_belongs_is_called_what_it_is() {
    let home = tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let empty = write(home.path(), &document(1, Vec::new(), Vec::new()));
    let bundle = empty.to_str().unwrap();
    assert_eq!(
        run(home.path(), &["key", "generate", "--key", "eve", "--comment", "eve", "--no-passphrase"]).code,
        0
    );
    fs::copy(at("eve"), at("alone")).unwrap();
    fs::write(at("own"), "# nobody yet\n").unwrap();
    for (words, code, said, hint) in [
        (
            &["verify", bundle, "--trust", "eve.pub"][..],
            11,
            "eve.pub:1 is a public key and nothing else",
            "airlift key trust eve.pub trusts that key",
        ),
        (&["verify", bundle, "--trust", "eve"], 11, "eve: it holds a private key", ""),
        (&["key", "trust", "eve"], 2, "eve is a private key", "airlift key trust eve.pub"),
        (&["key", "trust", "alone"], 2, "alone is a private key", "ssh-keygen -y -f alone"),
        // The file in use is the one that the key has to get into.
        (
            &["verify", bundle, "--trust", "own"],
            11,
            "not signed",
            "airlift key trust --trust own FILE.pub adds one",
        ),
    ] {
        let ran = run(home.path(), words);
        assert_eq!(ran.code, code, "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stderr.contains(hint), "{words:?}: {}", ran.stderr);
    }
    assert!(!at(".config/airlift/allowed_signers").exists(), "nobody is trusted by that");
    // Nor is another list shown than the one that was asked, or another history than the one that was read.
    let listed = run(home.path(), &["key", "untrust", "eve", "--trust", "own"]);
    assert!(listed.stderr.contains("airlift key list --trust own shows"), "{}", listed.stderr);
    let undone = run(home.path(), &["undo", "nine", "--state", "my runs"]);
    assert!(undone.stderr.contains("airlift undo --state 'my runs' --list"), "{}", undone.stderr);
    assert_eq!(run(home.path(), &["key", "trust", "eve.pub", "--trust", "own"]).code, 0);
}

#[test]
fn a_list_is_read_from_what_a_shell_hands_over() {
    let home = tempdir().unwrap();
    let script = "exec \"$0\" resolve --from k3s:<(echo 'not//a name') -f <(echo 'nor//this') --json";
    let output = Command::new("bash")
        .args(["-c", script])
        .arg(assert_cmd::cargo::cargo_bin!("airlift"))
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("not//a name") && said.contains("nor//this"), "{said}");
}

#[test]
fn the_workstation_is_refused_what_it_could_not_reach_registries_by() {
    let home = tempdir().unwrap();
    fs::write(home.path().join("text.pem"), "no certificate").unwrap();
    fs::File::create(home.path().join("large.pem")).unwrap().set_len((16 << 20) + 1).unwrap();
    for (words, said, hint) in [
        (["--ca", "none.pem"], "there is no CA file none.pem", "PEM"),
        (["--ca", "text.pem"], "the CA file text.pem holds no PEM certificate", "PEM"),
        (["--ca", "large.pem"], "the CA file large.pem has more than 16777216 bytes", "PEM"),
        (["--authfile", "none.json"], "there is no credentials file none.json", "login"),
    ] {
        for more in [&[][..], &["--plain"], &["resolve", "127.0.0.1:9/a:1"]] {
            refused(home.path(), &[&words[..], more].concat(), 2, (said, hint));
        }
    }
}

#[test]
fn a_ca_file_comes_through_a_pipe_of_the_shell_and_one_that_has_a_name_is_not_waited_for() {
    let home = tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(["registry.lan".to_owned()]).unwrap();
    fs::write(home.path().join("ca.pem"), own.cert.pem()).unwrap();
    let script = "exec \"$0\" resolve --ca <(cat ca.pem) 127.0.0.1:9/a:1";
    let mut shell = Command::new("bash");
    shell.args(["-c", script]).arg(assert_cmd::cargo::cargo_bin!("airlift")).current_dir(home.path());
    let ran = shell.env("HOME", home.path()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("cannot connect") && !said.contains("PEM"), "{said}");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, home.path().join("pipe"), rustix::fs::FileType::Fifo, mode, 0)
        .unwrap();
    let words = ["resolve", "--ca", "pipe", "127.0.0.1:9/a:1"];
    refused(home.path(), &words, 2, ("the CA file pipe is no regular file", "PEM"));
}

#[test]
fn how_registries_are_reached_is_read_from_the_configuration_and_never_passed_over() {
    let home = tempdir().unwrap();
    // A host that nobody asks: the exit code would be that of the network.
    let image = "127.0.0.1:9/a:1";
    let before = run(home.path(), &["--ca", "ca.pem", "resolve", image]);
    let behind = run(home.path(), &["resolve", "--ca", "ca.pem", image]);
    assert_eq!((before.code, &before.stderr), (2, &behind.stderr));
    assert!(before.stderr.contains("ca.pem"), "{}", before.stderr);
    let nothing = run(home.path(), &["--ca", "ca.pem", "key", "list"]);
    assert!(nothing.code == 2 && nothing.stderr.contains("reaches no registry"), "{}", nothing.stderr);
    let conf = home.path().join(".config/airlift/config.toml");
    fs::create_dir_all(conf.parent().unwrap()).unwrap();
    fs::write(conf.with_file_name("text.pem"), "no certificate").unwrap();
    fs::File::create(conf.with_file_name("large.pem")).unwrap().set_len((16 << 20) + 1).unwrap();
    for (text, said) in [
        ("[registry]\nca = [\"own.pem\"]\n", "config.toml: line 2, column 1: there is no CA file".to_owned()),
        ("[registry]\nca = [\"own.pem\"]\n", conf.with_file_name("own.pem").display().to_string()),
        (
            "[registry]\nca = [\"text.pem\"]\n",
            format!(
                "config.toml: line 2, column 1: the CA file {} holds no PEM certificate",
                conf.with_file_name("text.pem").display()
            ),
        ),
        ("[registry]\nca = [\"large.pem\"]\n", "large.pem has more than 16777216 bytes".to_owned()),
        ("[registry]\nca = [\"/\"]\n", "/ is a directory, expected a CA file".to_owned()),
        ("[registry]\nauthfile = \"none.json\"\n", "there is no credentials file".to_owned()),
        ("[registry]\npassword = \"x\"\n", "unknown field `password`".to_owned()),
        // Who reads it, reads all of it.
        ("theme = \"lihgt\"\n", "config.toml: line 1, column 1: there is no theme \"lihgt\"".to_owned()),
        ("[keys]\nquitt = [\"Q\"]\n", "did you mean \"quit\"".to_owned()),
    ] {
        fs::write(&conf, text).unwrap();
        for words in [&["resolve", image][..], &["--plain"]] {
            let ran = run(home.path(), words);
            assert_eq!((ran.code, &*ran.stdout), (2, ""), "{text}: {}", ran.stderr);
            assert!(ran.stderr.contains(&said), "{text}: {}", ran.stderr);
        }
    }
    // What has no use for it passes over the usual one alone.
    assert_eq!(run(home.path(), &["key", "list"]).code, 0);
    let broken = home.path().join("broken.toml");
    fs::write(&broken, "colour = 1\n[keys]\nquitt = [\"Q\"]\n").unwrap();
    for words in [&["resolve", image][..], &["key", "list"], &["verify", "none-1"], &["man"]] {
        for (file, said) in [("none.toml", &["none.toml"][..]), ("broken.toml", &["`colour`", "\"quitt\""])] {
            let ran = run(home.path(), &[words, &["--config", file]].concat());
            assert_eq!((ran.code, &*ran.stdout), (2, ""), "{words:?}: {}", ran.stderr);
            said.iter().for_each(|said| assert!(ran.stderr.contains(said), "{words:?}: {}", ran.stderr));
        }
    }
}

#[test]
fn a_run_that_cannot_be_read_is_in_the_list_with_its_path_and_the_reason() {
    let home = tempdir().unwrap();
    let imports = home.path().join("state/imports");
    fs::create_dir_all(&imports).unwrap();
    let begun = "{\"format\":\"airlift-changes/1\",\"begun\":\"2026-01-01T00:00:00Z\",\"bundle\":\"a-1\",\"into\":[]}";
    let line = format!(
        "{{\"target\":\"containerd\",\"change\":{{\"name\":\"a:1\",\"digest\":\"sha256:{}\",\"was\":null}}}}",
        "0".repeat(64)
    );
    fs::write(imports.join("000001.jsonl"), format!("{begun}\n{line}\n")).unwrap();
    let list = || run(home.path(), &["undo", "--list", "--state", "state"]);
    assert_eq!(list().code, 0);
    fs::write(imports.join("000002.jsonl"), format!("{begun}\n{{\"target\":\n")).unwrap();
    fs::write(imports.join("000003.jsonl"), begun.replace("changes/1", "changes/9") + "\n").unwrap();
    // Cut off before it began, and cut short later.
    fs::write(imports.join("000004.jsonl"), "").unwrap();
    fs::write(imports.join("000005.jsonl"), &begun[..20]).unwrap();
    let ran = list();
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stdout.contains("000001  2026-01-01"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("000002  cannot be read") && !ran.stdout.contains("000004"),
        "{}",
        ran.stdout
    );
    for said in [
        "3 runs cannot be read",
        "state/imports/000005.jsonl: its first line has no end",
        "state/imports/000002.jsonl: its line 2: ",
        "its format is \"airlift-changes/9\"",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
}

#[test]
fn the_root_of_a_node_is_refused_with_every_target_that_would_be_this_host_s() {
    let home = tempdir().unwrap();
    fs::create_dir_all(home.path().join("k3s/agent/images")).unwrap();
    for (target, said) in [
        ("k3s:k3s/agent/images", "--into k3s:node/k3s/agent/images"),
        ("k3s", "--into k3s:node/var/lib/rancher/k3s/agent/images"),
        ("containerd:/none/c.sock", "reached by its socket"),
        ("oci:x", "leave it out"),
        ("oci-archive:x", "leave it out"),
        ("docker-archive:x", "leave it out"),
        ("registry:127.0.0.1:9", "leave it out"),
    ] {
        for more in [&[][..], &["--into", "containers-storage:/var/images"], &["--dry-run"]] {
            // The bundle is not there: it would be named, were it looked for first.
            let words = [&["import", "none", "--root", "node", "--into", target], more].concat();
            let ran = run(home.path(), &words);
            assert_eq!(ran.code, 2, "{words:?}: {}", ran.stderr);
            for part in ["--root goes with --into containers-storage", said] {
                assert!(ran.stderr.contains(part), "{part}: {words:?}: {}", ran.stderr);
            }
        }
    }
    for target in ["containers-storage", "containers-storage:/var/images"] {
        let ran = run(home.path(), &["import", "none", "--root", "node", "--into", target]);
        assert!(ran.code == 13 && ran.stderr.contains("there is no none"), "{target}: {}", ran.stderr);
    }
    let ran = run(home.path(), &["import", "none", "--root", "/", "--into", "oci:x"]);
    assert!(ran.stderr.contains("there is no none"), "{}", ran.stderr);
    assert!(!home.path().join("node").exists() && !home.path().join("x").exists());
}

#[test]
fn what_is_proposed_for_a_node_below_a_root_is_written_below_it() {
    let home = tempdir().unwrap();
    fs::create_dir_all(home.path().join("node/etc/crio")).unwrap();
    fs::write(home.path().join("node/etc/crio/crio.conf"), "").unwrap();
    fs::create_dir_all(home.path().join("node/etc/containerd")).unwrap();
    fs::write(home.path().join("node/etc/containerd/config.toml"), "version = 2\n").unwrap();
    let bundle = write(home.path(), &document(1, Vec::new(), Vec::new()));
    let ran = run(home.path(), &["import", bundle.to_str().unwrap(), "--root", "node"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let hints: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("hint:")).collect();
    assert!(!hints.is_empty() && hints.iter().all(|hint| hint.contains("--root node")), "{}", ran.stderr);
}
