//! Reads the sources and holds them to the rooms, arrows and house rules; every rule is shown to fail here too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Which rooms (first names under `crate::`) a room may name besides itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli", "tui", "logging", "failure"]),
    ("lib", &[]),
    ("cli", &["engine", "domain", "config", "actions", "failure", "logging"]),
    ("tui", &["engine", "domain", "config", "actions", "failure", "screens", "dialogs", "widgets"]),
    ("screens", &["tui", "engine", "domain", "config", "actions", "failure", "dialogs", "widgets"]),
    ("dialogs", &["tui", "engine", "domain", "config", "actions", "failure", "widgets"]),
    ("widgets", &["domain", "config", "failure"]),
    ("engine", &["domain"]),
    ("failure", &["engine"]),
    ("config", &["domain", "actions"]),
    ("logging", &["config"]),
    ("actions", &[]),
    ("domain", &[]),
];

const TERMINAL: &[&str] = &["clap", "clap_complete", "clap_mangen", "ratatui", "crossterm", "indicatif"];
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "tokio",
    "tokio_util",
    "reqwest",
    "hyper",
    "axum",
    "oci_distribution",
    "rustix",
    "tempfile",
    "tracing",
];

/// Path prefixes that a room may not name.
const FORBIDDEN: &[(&str, &[&[&str]])] =
    &[("engine", &[TERMINAL]), ("domain", &[TERMINAL, OUTSIDE]), ("actions", &[TERMINAL, OUTSIDE])];

/// Where the engine may use the file systems of the host past its file layer, and for what; faults of everything else
/// can be injected. A name that ends with `/` stands for all below it.
const PAST_THE_FILE_LAYER: &[(&str, &str)] = &[
    ("src/engine/files.rs", "the layer's own types"),
    ("src/engine/files/", "the layer over the kernel"),
    ("src/engine/given.rs", "what the operator names, links followed"),
    ("src/engine/spec/", "what the operator names, links followed"),
    ("src/engine/pack.rs", "the destination as the operator names it, links followed"),
    ("src/engine/bundle/ground.rs", "the destination as the operator names it, links followed"),
    ("src/engine/select/mod.rs", "pipes that the operator names"),
    ("src/engine/sign/keys", "private keys: modes, and names that are never replaced"),
    ("src/engine/sign/store.rs", "the mode of the trust file"),
    ("src/engine/registry/", "what the operator configured: CA files, credentials; files that are pushed"),
    ("src/engine/import/containers_storage/position.rs", "tables of the kernel"),
    ("src/engine/import/containerd/claim.rs", "tables of the kernel"),
    ("src/engine/service/", "modes, links and second names of what is installed; the running program"),
    ("src/engine/host.rs", "tables of the kernel, sockets of runtimes"),
    ("src/engine/runtime/durable.rs", "file systems of runtimes, synced as a whole"),
    ("src/engine/media/", "tables of the kernel and first bytes of devices"),
    ("src/engine/bundle/contents.rs", "the running program"),
    ("src/engine/jobs/record.rs", "a lock that stays with its file through a rename"),
    ("src/engine/watched.rs", "the kernel's word of what changed in directories"),
    ("src/engine/demo/", "samples that it makes and damages"),
];
const FILE_SYSTEMS: &[&str] = &["std::fs", "tokio::fs", "rustix::fs"];
/// Methods of paths that ask the file system; those that only resolve a name are none.
const ASKING: &[&str] = &[".symlink_metadata()", ".exists()", ".try_exists()", ".read_dir()", ".read_link()"];

/// Path inside the repository → text.
type Files = BTreeMap<String, String>;

fn files_under(dir: &str) -> std::io::Result<Files> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![base.join(dir)];
    let mut files = Files::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        } else {
            let name = path.strip_prefix(base).unwrap_or(&path).to_string_lossy().into_owned();
            files.insert(name, String::from_utf8_lossy(&fs::read(&path)?).into_owned());
        }
    }
    Ok(files)
}

/// The text without comments: whole lines, and from a `//` after a blank to the line's end.
fn code(text: &str) -> String {
    let cut = |line: &str| match line.find(" //") {
        _ if line.trim_start().starts_with("//") => String::new(),
        Some(at) => line[..at].to_owned(),
        None => line.to_owned(),
    };
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = match first {
            _ if word > 0 => word,
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Every path of two names or more, and every `use`d name, with its groups spelt out.
fn paths(text: &str) -> Vec<String> {
    let tokens = tokens(&code(text));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let used = at > 0 && tokens[at - 1] == "use";
        let is_name = tokens[at].starts_with(|c: char| c.is_alphabetic() || c == '_');
        if is_name && (used || tokens.get(at + 1).is_some_and(|next| next == "::")) {
            at = take_path(&tokens, at, "", &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Takes the path at `at`, adds its spelt-out forms to `found` and gives the place after it.
fn take_path(tokens: &[String], mut at: usize, prefix: &str, found: &mut Vec<String>) -> usize {
    let mut path = prefix.to_owned();
    while let Some(token) = tokens.get(at) {
        if token == "{" && path.ends_with("::") {
            at += 1;
            while tokens.get(at).is_some_and(|token| token != "}") {
                at = if tokens[at] == "," { at + 1 } else { take_path(tokens, at, &path, found) };
            }
            return at + 1;
        }
        path += token;
        at += 1;
        if tokens.get(at).is_none_or(|next| next != "::") {
            break;
        }
        path += "::";
        at += 1;
    }
    found.push(path);
    at
}

fn room(file: &str) -> &str {
    let inner = file.strip_prefix("src/").unwrap_or(file);
    inner.split('/').next().unwrap_or(inner).trim_end_matches(".rs")
}

/// The path as seen from the crate's root, or `None` when it does not start there.
fn from_root<'a>(file: &str, path: &'a str) -> Option<&'a str> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest);
    }
    if room(file) == "main" {
        return path.strip_prefix("airlift::");
    }
    let depth = file.split('/').count() - if file.ends_with("/mod.rs") { 2 } else { 1 };
    (0..depth).try_fold(path, |path, _| path.strip_prefix("super::"))
}

fn broken_arrows(file: &str, text: &str) -> Vec<String> {
    let room = room(file);
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{file}: {room} is no room of the house")];
    };
    let known = |name: &str| ARROWS.iter().any(|(room, _)| *room == name);
    let mut broken = Vec::new();
    // Tests keep to the arrows, and may ask the outside what is right.
    let own: BTreeSet<String> = paths(&without_tests(text).join("\n")).into_iter().collect();
    for path in paths(text) {
        if let Some(inner) = from_root(file, &path) {
            let target = inner.split("::").next().unwrap_or(inner);
            let narrow = room != "failure" || target != "engine" || inner.starts_with("engine::error");
            if known(target) && target != room && !(allowed.contains(&target) && narrow) {
                broken.push(format!("{file}: {room} may not name {inner}"));
            }
        }
        let forbids = |(name, _): &&(&str, &[&[&str]])| *name == room && own.contains(&path);
        let forbidden = FORBIDDEN.iter().filter(forbids).flat_map(|(_, lists)| *lists);
        for prefix in forbidden.flat_map(|list| *list) {
            if path == *prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("::")) {
                broken.push(format!("{file}: {room} may not use {path}"));
            }
        }
    }
    broken
}

/// What the engine's own code does past the file layer, outside the places that may.
fn past_the_file_layer(file: &str, text: &str) -> Vec<String> {
    let named = |(place, _): &(&str, &str)| file.starts_with(place);
    if room(file) != "engine" || PAST_THE_FILE_LAYER.iter().any(named) {
        return Vec::new();
    }
    let text = without_tests(text).join("\n");
    let below = |path: &str, prefix: &str| path == prefix || path.starts_with(&format!("{prefix}::"));
    let paths = paths(&text).into_iter().filter(|path| FILE_SYSTEMS.iter().any(|prefix| below(path, prefix)));
    let dense: String = code(&text).split_whitespace().collect();
    let methods = ASKING.iter().filter(|method| dense.contains(**method)).map(ToString::to_string);
    paths.chain(methods).map(|what| format!("{file}: {what} is past the file layer")).collect()
}

fn opens_with_its_job(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("//! ").is_some_and(|job| !job.trim().is_empty())
}

fn suppresses_a_lint(text: &str) -> bool {
    let dense: String = code(text).split_whitespace().collect();
    dense.contains(concat!("#[", "allow(")) || dense.contains(concat!("#![", "allow("))
}

/// Lines outside `#[cfg(test)] mod … { … }` at the left margin.
fn without_tests(text: &str) -> Vec<&str> {
    let mut lines = text.lines().peekable();
    let mut kept = Vec::new();
    while let Some(line) = lines.next() {
        let opens = |next: &&str| next.starts_with("mod ") && next.ends_with('{');
        if line == "#[cfg(test)]" && lines.peek().is_some_and(opens) {
            lines.by_ref().find(|line| *line == "}");
        } else {
            kept.push(line);
        }
    }
    kept
}

fn lines_without_tests(text: &str) -> usize {
    without_tests(text).len()
}

/// Lines without tests that a file may have: it aims at 300, and what has grown beyond 350 is to be split.
const SIZE: usize = 350;
/// Files that are longer yet, up to [`MOST`]; none is added here without need.
const LONG: &[&str] = &[
    "src/domain/bundle.rs",
    "src/engine/demo/run.rs",
    "src/engine/demo/sample.rs",
    "src/engine/import/containers_storage/write.rs",
    "src/engine/import/registry.rs",
    "src/engine/registry/push.rs",
    "src/engine/resolve/walk.rs",
    "src/engine/sheet.rs",
    "src/engine/spec/mod.rs",
    "src/engine/storage/change.rs",
    "src/screens/assemble/mod.rs",
];
const MOST: usize = 500;

fn limit(file: &str) -> usize {
    match file {
        "src/main.rs" => 40,
        "src/lib.rs" => 60,
        _ if LONG.contains(&file) => MOST,
        _ => SIZE,
    }
}

/// Joins a path with `..` in it to a directory, by text alone.
fn join(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn parent(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// The files that the `mod` lines of a test's source name.
fn modules(file: &str, text: &str) -> Vec<String> {
    let stem = file.trim_end_matches(".rs");
    let is_root = parent(file) == "tests" || stem.ends_with("/main") || stem.ends_with("/mod");
    let dir = if is_root { parent(file) } else { stem };
    let mut explicit = None;
    let mut named = Vec::new();
    for line in code(text).lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            explicit = Some(join(parent(file), path));
        }
        let name = line.strip_suffix(';').and_then(|line| line.rsplit_once("mod "));
        if let Some((_, name)) = name.filter(|(before, _)| before.is_empty() || before.starts_with("pub")) {
            match explicit.take() {
                Some(path) => named.push(path),
                None => named.extend([format!("{dir}/{name}.rs"), format!("{dir}/{name}/mod.rs")]),
            }
        }
    }
    named
}

/// Files under `tests/` that no test crate, no reached file and not `run.sh` leads to.
fn unreached(files: &Files) -> Vec<String> {
    let is_crate =
        |file: &str| file.ends_with(".rs") && (parent(file) == "tests" || parent(parent(file)) == "tests");
    let mut open: Vec<&String> = files
        .keys()
        .filter(|file| *file == "tests/run.sh" || is_crate(file))
        .filter(|file| parent(file) == "tests" || file.ends_with("/main.rs"))
        .collect();
    let mut reached: BTreeSet<&String> = open.iter().copied().collect();
    while let Some(file) = open.pop() {
        let text = &files[file];
        let mods = if file.ends_with(".rs") { modules(file, text) } else { Vec::new() };
        let named = |other: &str| {
            let inside = other.strip_prefix("tests/").unwrap_or(other);
            let near = inside.strip_prefix(parent(file).strip_prefix("tests/").unwrap_or("\0"));
            let near = near.map(|rest| rest.trim_start_matches('/'));
            let by_text = !other.ends_with(".rs")
                && (text.contains(inside)
                    || near.is_some_and(|near| text.contains(&format!("\"{near}\"")))
                    || parent(inside).contains('/') && text.contains(parent(inside)));
            by_text || mods.iter().any(|module| module == other)
        };
        for other in files.keys().filter(|other| named(other)) {
            if reached.insert(other) {
                open.push(other);
            }
        }
    }
    let is_left = |file: &&String| !reached.contains(file) && !is_taken(file, files);
    files.keys().filter(is_left).cloned().collect()
}

/// Whether a file is a snapshot of insta's that the test it is named for takes: `snapshots/CRATE__MODULE__TEST[-N].snap`.
fn is_taken(file: &str, files: &Files) -> bool {
    let Some(stem) = file.strip_suffix(".snap").filter(|_| parent(file).ends_with("/snapshots")) else {
        return false;
    };
    let test = stem.rsplit("__").next().unwrap_or(stem);
    let test = match test.rsplit_once('-') {
        Some((test, number)) if number.parse::<u32>().is_ok() => test,
        _ => test,
    };
    let source = files[file].lines().find_map(|line| line.strip_prefix("source: "));
    let text = source.and_then(|source| files.get(source));
    // By the name of the test, or by one that it gives.
    let takes =
        |text: &String| text.contains(&format!("fn {test}()")) || text.contains(&format!("\"{test}\""));
    text.is_some_and(|text| takes(text) && text.contains("assert_snapshot!"))
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn every_arrow_of_the_house_is_kept() {
    let sources = files_under("src").unwrap();
    let broken: Vec<_> = sources.iter().flat_map(|(file, text)| broken_arrows(file, text)).collect();
    assert_none("arrows broken", &broken);
}

#[test]
fn the_engine_reads_and_writes_through_its_file_layer() {
    let sources = files_under("src").unwrap();
    let past: Vec<_> = sources.iter().flat_map(|(file, text)| past_the_file_layer(file, text)).collect();
    assert_none("past the file layer", &past);
    let idle = PAST_THE_FILE_LAYER.iter().filter(|(place, _)| {
        let asks = |text: &str| FILE_SYSTEMS.iter().chain(ASKING).any(|what| text.contains(what));
        !sources.iter().any(|(file, text)| file.starts_with(place) && asks(text))
    });
    assert_none(
        "exceptions that nothing needs",
        &idle.map(|(place, _)| (*place).to_owned()).collect::<Vec<_>>(),
    );
}

#[test]
fn a_way_past_the_file_layer_is_seen() {
    for text in [
        "use std::fs::File;",
        "use std::{fs, io};",
        "fn f() { std::fs::read(a) }",
        "use rustix::fs::{Mode, OFlags};",
        "fn f() { tokio::fs::read(a).await }",
        "fn f() { path\n    .symlink_metadata()\n    .is_ok() }",
        "fn f() { a.join(b).exists() }",
    ] {
        assert!(!past_the_file_layer("src/engine/bundle/a.rs", text).is_empty(), "{text}");
        assert_none(text, &past_the_file_layer("src/cli/a.rs", text));
        assert_none(text, &past_the_file_layer("src/engine/demo/a.rs", text));
    }
    let fine = "use super::files::Files; // std::fs\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    assert_none("fine", &past_the_file_layer("src/engine/bundle/a.rs", fine));
}

#[test]
fn every_source_opens_with_its_job_and_suppresses_no_lint() {
    let mut sources = files_under("src").unwrap();
    sources.extend(files_under("tests").unwrap());
    sources.extend(files_under("benches").unwrap());
    sources.retain(|file, _| file.ends_with(".rs"));
    let mute: Vec<_> =
        sources.iter().filter(|(_, text)| !opens_with_its_job(text)).map(|(file, _)| file.clone()).collect();
    assert_none("files without a `//!` sentence on line 1", &mute);
    let lax: Vec<_> =
        sources.iter().filter(|(_, text)| suppresses_a_lint(text)).map(|(file, _)| file.clone()).collect();
    assert_none("lints suppressed without an expectation", &lax);
}

/// Lines with a command to be typed, in which a path stands as it is: a shell would split it at a blank.
fn unquoted_commands(text: &str) -> Vec<&str> {
    const COMMANDS: &[&str] = &[
        "airlift verify ",
        "airlift import ",
        "airlift sign ",
        "airlift serve ",
        "airlift key trust ",
        "chmod ",
        "chown ",
        "cp ",
        "fsck ",
        "mkdir ",
        "mount ",
        "mv ",
        "rm ",
        "rmdir ",
        "ssh-add ",
        "ssh-keygen ",
        "umount ",
    ];
    let typed = |line: &str, command: &str| {
        let mut found = line.match_indices(command);
        found.any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let rest = line[at + command.len()..].split('"').next().unwrap_or_default();
            before.is_some_and(|c| "\": (`".contains(c)) && rest.contains('{') && line[..at].contains('"')
        })
    };
    let plain = |line: &&str| line.contains(".display()") && !line.contains("shell_");
    // What is said to be done in an error's own words names a path as it is: only what is typed is a command.
    let told = |line: &str| line.contains("#[error(") || line.contains("let what = ");
    let lines = without_tests(text).into_iter().filter(plain);
    lines.filter(|line| !told(line) && COMMANDS.iter().any(|command| typed(line, command))).collect()
}

#[test]
fn a_path_in_a_command_to_be_typed_is_quoted_for_the_shell() {
    let sources = files_under("src").unwrap();
    let found: Vec<String> = (sources.iter())
        .flat_map(|(file, text)| {
            unquoted_commands(text).into_iter().map(move |line| format!("{file}: {line}"))
        })
        .collect();
    assert_none("commands with a path that a shell would split", &found);
    let bad = r#"    format!("where a plain directory is meant: mkdir -p {}", path.display()),"#;
    let bad_too = r#"    out.note(format!("on the other side: airlift verify {}", bundle.path.display()));"#;
    let good = r#"    format!("where a plain directory is meant: mkdir -p {}", shell_path(path)),"#;
    assert_eq!(unquoted_commands(bad).len() + unquoted_commands(bad_too).len(), 2);
    assert!(unquoted_commands(good).is_empty());
}

#[test]
fn every_source_keeps_to_its_size() {
    let sources = files_under("src").unwrap();
    let long: Vec<_> = sources
        .iter()
        .map(|(file, text)| (file, lines_without_tests(text), limit(file)))
        .filter(|(_, lines, limit)| lines > limit)
        .map(|(file, lines, limit)| format!("{file}: {lines} lines, at most {limit}"))
        .collect();
    assert_none("files too long", &long);
    let is_long = |file: &str| sources.get(file).is_some_and(|text| lines_without_tests(text) > SIZE);
    let short: Vec<_> = LONG.iter().filter(|file| !is_long(file)).map(|file| (*file).to_owned()).collect();
    assert_none("files listed as long that are not, or not there", &short);
}

#[test]
fn every_file_under_tests_is_reached() {
    assert_none("files nothing leads to", &unreached(&files_under("tests").unwrap()));
}

#[test]
fn paths_are_read_out_of_groups_and_not_out_of_comments() {
    let text = "//! crate::a\nuse crate::{\n    b::{C, d::E},\n    f, // crate::g\n};\nfn h() { super::i::j(); }\nuse k;";
    assert_eq!(paths(text), ["crate::b::C", "crate::b::d::E", "crate::f", "super::i::j", "k"]);
}

#[test]
fn a_broken_arrow_is_seen() {
    let cases = [
        ("src/engine/pack.rs", "use crate::cli::printer::Printer;"),
        ("src/engine/pack.rs", "use crate::{domain::job, failure};"),
        ("src/engine/pack.rs", "fn f() { super::super::cli::run(); }"),
        ("src/engine/mod.rs", "use super::config::Paths;"),
        ("src/engine/pack.rs", "#[derive(clap::Parser)] struct A;"),
        ("src/engine/pack.rs", "use indicatif::{ProgressBar};"),
        ("src/domain/plan.rs", "use crate::engine::hash;"),
        ("src/domain/plan.rs", "use std::{fmt, fs};"),
        ("src/domain/plan.rs", "async fn f() { tokio::time::timeout(a, b).await }"),
        ("src/cli/mod.rs", "use crate::tui::App;"),
        ("src/tui/mod.rs", "fn f() { crate::cli::main() }"),
        ("src/failure.rs", "use crate::engine::hash::sha256;"),
        ("src/main.rs", "fn main() { airlift::engine::pack::run() }"),
        ("src/attic.rs", ""),
    ];
    for (file, text) in cases {
        assert_eq!(broken_arrows(file, text).len(), 1, "{file}: {text}: {:?}", broken_arrows(file, text));
    }
    let fine = [
        (
            "src/engine/pack.rs",
            "use super::hash; use crate::domain::digest::Digest; let clap = 1; a.tokio();",
        ),
        ("src/failure.rs", "use crate::engine::error::{Explain, Kind};"),
        ("src/main.rs", "fn main() { airlift::cli::run() }"),
        ("src/domain/plan.rs", "use super::digest::Digest; // std::fs is not for us"),
        ("src/cli/mod.rs", "mod tests { use super::*; use crate::engine::ctx::JobCtx; }"),
        ("src/domain/shell.rs", "#[cfg(test)]\nmod tests {\n    use std::process::Command;\n}\n"),
    ];
    for (file, text) in fine {
        assert_none(file, &broken_arrows(file, text));
    }
}

#[test]
fn a_file_without_its_job_or_with_a_muted_lint_is_seen() {
    assert!(opens_with_its_job("//! Packs.\n"));
    for text in ["", "use a;\n//! Late.", "//!\n//! Packs.", "// Packs."] {
        assert!(!opens_with_its_job(text), "{text:?}");
    }
    for form in ["#[", "#![", "#[ "] {
        assert!(suppresses_a_lint(&format!("{form}allow(dead_code)]\nfn f() {{}}")), "{form}");
    }
    let commented = format!("#[expect(dead_code, reason = \"soon\")]\n// not {}allow(that)]", "#[");
    assert!(!suppresses_a_lint(&commented));
}

#[test]
fn a_long_file_is_seen_and_its_tests_do_not_count() {
    let body = "fn f() {}\n".repeat(351);
    assert!(lines_without_tests(&body) > limit("src/engine/a.rs"));
    assert!(limit(LONG[0]) == MOST);
    let tested = format!("//! A.\n\n#[cfg(test)]\nmod tests {{\n{body}}}\n// end\n");
    assert_eq!(lines_without_tests(&tested), 3);
    assert!(limit("src/main.rs") < limit("src/lib.rs"));
}

#[test]
fn a_file_nothing_leads_to_is_seen() {
    let files: Files = [
        ("tests/cli/main.rs", "#[path = \"../rig/mod.rs\"]\nmod rig;\nmod pack;\nmod seen;\n// mod left;"),
        ("tests/cli/pack.rs", "mod deep;\nconst A: &str = include_str!(\"../fixtures/list.txt\");"),
        ("tests/cli/pack/deep.rs", ""),
        ("tests/cli/left.rs", ""),
        ("tests/rig/mod.rs", "pub mod registry;"),
        ("tests/rig/registry.rs", ""),
        ("tests/rig/corpus.sh", ""),
        ("tests/rig/stray.sh", ""),
        ("tests/run.sh", "tests/rig/corpus.sh up"),
        ("tests/fixtures/list.txt", ""),
        ("tests/fixtures/stray.txt", ""),
        ("tests/solo.rs", ""),
        ("tests/attic/old.rs", ""),
        ("tests/cli/snapshots/cli__pack__seen.snap", "---\nsource: tests/cli/seen.rs\n---\n"),
        ("tests/cli/snapshots/cli__seen__shown-2.snap", "---\nsource: tests/cli/seen.rs\n---\n"),
        ("tests/cli/snapshots/cli__seen__named.snap", "---\nsource: tests/cli/seen.rs\n---\n"),
        (
            "tests/cli/seen.rs",
            "fn shown() { insta::assert_snapshot!(a); insta::assert_snapshot!(\"named\", b) }",
        ),
    ]
    .map(|(file, text)| (file.to_owned(), text.to_owned()))
    .into();
    assert_eq!(
        unreached(&files),
        [
            "tests/attic/old.rs",
            "tests/cli/left.rs",
            "tests/cli/snapshots/cli__pack__seen.snap",
            "tests/fixtures/stray.txt",
            "tests/rig/stray.sh"
        ]
    );
}
