//! `resolve` before any registry is asked: lists, sources and lock files that are wrong are named with their place, and left alone.

use tempfile::tempdir;

use crate::support::run;

#[test]
fn lines_that_are_no_references_are_named_by_file_and_line() {
    let home = tempdir().unwrap();
    let list = "# site list\n\nnginx:1:2\nteam/Case:1\n\u{feff}x y\n";
    std::fs::write(home.path().join("images.txt"), list).unwrap();
    let ran = run(home.path(), &["resolve", "-f", "images.txt"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for line in [3, 4, 5] {
        assert!(ran.stderr.contains(&format!("warning: images.txt:{line}: ")), "{}", ran.stderr);
    }
    assert!(ran.stderr.contains("0 resolved, 0 not resolved, 3 places could not be read"), "{}", ran.stderr);
}

#[test]
fn an_empty_list_a_missing_one_and_an_unknown_source_are_told_apart() {
    let home = tempdir().unwrap();
    std::fs::write(home.path().join("empty"), "# nothing\n").unwrap();
    for (words, code, said) in [
        (&["-f", "empty"][..], 2, "empty: the list names no image"),
        (&["-f", "none"], 2, "file none"),
        (&["--from", "helm:chart"], 2, "helm:chart"),
        (&["--from", "kubeadm:1.99.0"], 2, "1.99"),
        (&["Nginx"], 2, "Nginx"),
        (&[], 2, "no image is named: give references, -f FILE or --from SOURCE"),
        (&["--dry-run", "nginx"], 2, "--lock"),
    ] {
        let ran = run(home.path(), &[&["resolve"], words].concat());
        assert_eq!(ran.code, code, "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{words:?}: {}", ran.stderr);
    }
}

#[test]
fn names_in_lists_and_manifests_do_not_reach_the_terminal_raw() {
    let home = tempdir().unwrap();
    let hostile = "a\u{1b}[2J\u{202e}:1\nb\u{1b}]0;owned\u{7}:1\n";
    std::fs::write(home.path().join("list"), hostile).unwrap();
    let pod = "args: [\"--x=quay.io/a/b:1\"]\nimage: \"c\\e[2J\\u202e:1\"\nname: \u{1b}[2J\n";
    std::fs::write(home.path().join("pod.yaml"), pod).unwrap();
    for from in [&["-f", "list"][..], &["--from", "manifests:pod.yaml"]] {
        for form in [&[][..], &["--json"]] {
            let ran = run(home.path(), &[&["resolve"], from, form].concat());
            assert_eq!(ran.code, 2, "{}", ran.stderr);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{said:?}");
            assert!(said.contains(from[1].trim_start_matches("manifests:")), "{said:?}");
        }
    }
}

#[test]
fn a_lock_file_that_is_none_is_refused_and_kept() {
    let home = tempdir().unwrap();
    let file = home.path().join("app.lock");
    for (content, said) in [
        (&b"{\"dependencies\": {}}\n"[..], "not a readable lock file"),
        (b"format = \"airlift-lock/9\"\n", "format is \"airlift-lock/9\""),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "not a readable lock file"),
    ] {
        std::fs::write(&file, content).unwrap();
        // No registry is asked: the address takes no connection.
        let ran = run(home.path(), &["resolve", "--lock", "app.lock", "127.0.0.1:1/team/app:1"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("app.lock") && ran.stderr.contains(said), "{}", ran.stderr);
        assert_eq!(std::fs::read(&file).unwrap(), content);
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn the_cause_of_a_reference_that_cannot_be_packed_is_told_once() {
    let home = tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(run(home.path(), &["key", "generate", "--no-passphrase"]).code, 0);
    let reference = format!("127.0.0.1:{port}/team/app:1");
    let ran = run(home.path(), &["pack", "--to", ".", "--name", "a", &reference]);
    assert_ne!(ran.code, 0);
    let told = ran.stderr.matches("cannot read the manifest").count();
    assert!(ran.stderr.contains("1 of 1 reference cannot be packed") && told == 1, "{}", ran.stderr);
}
