//! The trust file: OpenSSH's `allowed_signers`, read as ssh-keygen(1) reads it, but whole or not at all.

mod error;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

use super::keys::{PRIVATE, fingerprint, key_id};
use super::validity;
use crate::domain::text;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::given;

pub use error::AllowedError;

/// Bytes of a trust file that are read at most.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// Of a name that has no regular file.
const NO_FILE: &str = "expected a file, or a pipe of the shell as in --trust <(COMMAND)";

/// One trusted key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Line in the file, from 1.
    pub line: usize,
    /// Whom the key belongs to, as written: names or patterns, comma-separated.
    pub principals: String,
    /// Namespaces it may sign in, as written; nothing means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<String>,
    /// Not valid before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_after: Option<Timestamp>,
    /// Not valid after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_before: Option<Timestamp>,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// Name of its signature files.
    pub key_id: String,
    /// `ssh-ed25519`, …
    pub algorithm: String,
    /// The key.
    #[serde(skip)]
    pub key: PublicKey,
}

/// A trust file that was read.
#[derive(Clone, Debug, Serialize)]
pub struct AllowedSigners {
    /// Where it lies.
    pub path: PathBuf,
    /// Its keys.
    pub entries: Vec<Entry>,
    /// What was left out and why.
    pub notes: Vec<String>,
}

impl AllowedSigners {
    /// Reads a trust file. Blocks.
    ///
    /// # Errors
    /// [`AllowedError`] or a file error.
    pub fn load(files: &dyn Files, path: &Path) -> Result<Self> {
        Ok(Self::parse_here(path, &Self::text(files, path)?)?)
    }

    /// Reads the text of a trust file of this host.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(super) fn parse_here(path: &Path, text: &str) -> std::result::Result<Self, AllowedError> {
        // To find the system's zone means to read its whole database; most files have no time in them.
        let zone =
            if text.to_ascii_lowercase().contains("valid-") { TimeZone::system() } else { TimeZone::UTC };
        Self::parse(path, text, &zone)
    }

    /// The text of a trust file.
    ///
    /// # Errors
    /// As [`Self::load`], but for its lines.
    pub(super) fn text(files: &dyn Files, path: &Path) -> Result<String> {
        let file = |reason: &str| AllowedError::File { path: path.to_owned(), reason: reason.to_owned() };
        let special = || file("expected a file of at most 4 MiB");
        if let Some(piped) = given::piped(path, MAX_FILE)? {
            let bytes = piped.ok_or_else(special)?;
            return Ok(String::from_utf8(bytes).map_err(|_| file("expected UTF-8 text"))?);
        }
        let open = match open_named(files, path) {
            Err(error) => match error.source.kind() {
                io::ErrorKind::NotFound => {
                    return Err(AllowedError::Missing { path: path.to_owned() }.into());
                }
                // How the file layer refuses what is no regular file.
                io::ErrorKind::InvalidInput => return Err(file(NO_FILE).into()),
                _ => return Err(error.into()),
            },
            Ok(open) => open,
        };
        if open.size > MAX_FILE {
            return Err(special().into());
        }
        let bytes = read_whole(open, MAX_FILE);
        let bytes = bytes.map_err(|source| FileError { operation: "read", path: path.to_owned(), source })?;
        Ok(String::from_utf8(bytes).map_err(|_| file("expected UTF-8 text"))?)
    }

    /// Reads the text of a trust file; `zone` is for times without `Z`.
    ///
    /// # Errors
    /// [`AllowedError::Line`] and the like: one line that cannot be read spoils the file, as a half-read policy is none.
    pub fn parse(path: &Path, text: &str, zone: &TimeZone) -> std::result::Result<Self, AllowedError> {
        if text.contains(PRIVATE) {
            let reason = "it holds a private key, expected an allowed_signers file".to_owned();
            return Err(AllowedError::File { path: path.to_owned(), reason });
        }
        let mut signers = Self { path: path.to_owned(), entries: Vec::new(), notes: Vec::new() };
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            match parse_line(line, number, zone) {
                Ok(Parsed::Nothing) => {}
                Ok(Parsed::Key(entry)) => signers.entries.push(*entry),
                Ok(Parsed::Authority) => signers.notes.push(format!(
                    "{}:{number}: certificate authorities are not supported; this line trusts nobody here",
                    path.display()
                )),
                Err(_) if PublicKey::from_openssh(line.trim()).is_ok() => {
                    return Err(AllowedError::PublicKey { path: path.to_owned(), line: number });
                }
                Err(reason) => {
                    return Err(AllowedError::Line { path: path.to_owned(), line: number, reason });
                }
            }
        }
        Ok(signers)
    }

    /// All lines of one key.
    pub fn of<'a>(&'a self, key: &'a KeyData) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.key.key_data() == key)
    }
}

enum Parsed {
    Nothing,
    Authority,
    Key(Box<Entry>),
}

#[derive(Default)]
struct Options {
    authority: bool,
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

fn parse_line(line: &str, number: usize, zone: &TimeZone) -> std::result::Result<Parsed, String> {
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.is_empty() || line.starts_with('#') {
        return Ok(Parsed::Nothing);
    }
    let (principals, rest) = take_principals(line)?;
    if principals.is_empty() {
        return Err("it names no principal".to_owned());
    }
    let (first, after) = take_word(rest);
    if first.is_empty() {
        return Err("the key is missing".to_owned());
    }
    let (options, rest) =
        if is_key_type(first) { (Options::default(), rest) } else { (parse_options(first, zone)?, after) };
    if options.authority {
        return Ok(Parsed::Authority);
    }
    let mut words = rest.split_ascii_whitespace();
    let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
        return Err("the key is missing".to_owned());
    };
    let comment = words.collect::<Vec<_>>().join(" ");
    let mut key = PublicKey::from_openssh(&format!("{kind} {blob}"))
        .map_err(|error| format!("invalid key: {error}"))?;
    if key.key_data().is_other() {
        return Err(format!("invalid key: type {kind} is not known"));
    }
    key.set_comment(comment);
    Ok(Parsed::Key(Box::new(Entry {
        line: number,
        principals: principals.to_owned(),
        namespaces: options.namespaces,
        valid_after: options.valid_after,
        valid_before: options.valid_before,
        fingerprint: fingerprint(key.key_data()),
        key_id: key_id(key.key_data()),
        algorithm: key.algorithm().to_string(),
        key,
    })))
}

fn take_principals(line: &str) -> std::result::Result<(&str, &str), String> {
    match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or_else(|| "a quote is not closed".to_owned()),
        None => Ok(line.split_once([' ', '\t']).unwrap_or((line, ""))),
    }
}

/// The next word; blanks inside double quotes belong to it.
fn take_word(rest: &str) -> (&str, &str) {
    let rest = rest.trim_start_matches([' ', '\t']);
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' if !quoted => return (&rest[..at], &rest[at..]),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    (rest, "")
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start))
}

fn parse_options(text: &str, zone: &TimeZone) -> std::result::Result<Options, String> {
    let mut options = Options::default();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find([',', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix('=') {
            Some(after) => {
                let (value, after) = dequote(after).ok_or_else(|| format!("{name} needs a quoted value"))?;
                (Some(value), after)
            }
            None => (None, after),
        };
        options.set(name, value, zone)?;
        rest = match after.strip_prefix(',') {
            Some(more) if !more.is_empty() => more,
            None if after.is_empty() => "",
            _ => return Err(format!("unknown text {after:?} among the options")),
        };
    }
    match (options.valid_after, options.valid_before) {
        (Some(after), Some(before)) if before <= after => {
            Err(format!("valid-before {before} is not after valid-after {after}"))
        }
        _ => Ok(options),
    }
}

fn dequote(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '"' if !escaped => return Some((value, &inner[at + 1..])),
            '\\' if !escaped && inner[at + 1..].starts_with('"') => {
                escaped = true;
                continue;
            }
            _ => value.push(c),
        }
        escaped = false;
    }
    None
}

impl Options {
    fn set(&mut self, name: &str, value: Option<String>, zone: &TimeZone) -> std::result::Result<(), String> {
        let twice = || Err(format!("{name} is given twice"));
        match (name.to_ascii_lowercase().as_str(), value) {
            ("cert-authority", None) => self.authority = true,
            ("namespaces", Some(_)) if self.namespaces.is_some() => return twice(),
            ("valid-after", Some(_)) if self.valid_after.is_some() => return twice(),
            ("valid-before", Some(_)) if self.valid_before.is_some() => return twice(),
            ("namespaces", Some(value)) => self.namespaces = Some(value),
            ("valid-after", Some(value)) => self.valid_after = Some(time(name, &value, zone)?),
            ("valid-before", Some(value)) => self.valid_before = Some(time(name, &value, zone)?),
            _ => return Err(format!("unknown key option {name:?}")),
        }
        Ok(())
    }
}

fn time(name: &str, value: &str, zone: &TimeZone) -> std::result::Result<Timestamp, String> {
    validity::parse(value, zone).ok_or_else(|| format!("{name} {value:?} is not YYYYMMDD[HHMM[SS]][Z]"))
}

/// Whether a comma-separated list of patterns (`*`, `?`, `!` negates and wins) takes `name` (ssh_config(5), PATTERNS).
pub fn matches(patterns: &str, name: &str) -> bool {
    let mut taken = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if text::glob(pattern, name) => return false,
            None if text::glob(pattern, name) => taken = true,
            _ => {}
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    use super::*;
    use crate::engine::files::RealFiles;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn parse(text: &str) -> std::result::Result<AllowedSigners, AllowedError> {
        AllowedSigners::parse(Path::new("trust"), text, &TimeZone::UTC)
    }

    #[test]
    fn lines_are_read_as_openssh_writes_them() {
        let text = format!(
            "# comment\n\n \t\nalice@example {KEY} her key\n\"bob, the builder\"\t{KEY}\r\n*@ops,!eve@ops namespaces=\"git,airlift-*\",valid-after=\"20260101Z\",valid-before=\"20270101Z\"   {KEY}\nca cert-authority {KEY}\nx NAMESPACES=\"a \\\"b\" {KEY}"
        );
        let signers = parse(&text).unwrap();
        let principals: Vec<_> =
            signers.entries.iter().map(|entry| (entry.line, &*entry.principals)).collect();
        assert_eq!(
            principals,
            [(4, "alice@example"), (5, "bob, the builder"), (6, "*@ops,!eve@ops"), (8, "x")]
        );
        assert_eq!(signers.entries[0].key.comment(), "her key");
        assert_eq!(signers.entries[2].namespaces.as_deref(), Some("git,airlift-*"));
        assert_eq!(signers.entries[2].valid_after.unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(signers.entries[3].namespaces.as_deref(), Some("a \"b"));
        assert_eq!(signers.notes.len(), 1, "{:?}", signers.notes);
        assert!(signers.notes[0].contains("trust:7"));
    }

    #[test]
    fn one_unreadable_line_spoils_the_file_and_is_named() {
        for (line, word) in [
            ("alice", "missing"),
            ("alice ssh-ed25519", "missing"),
            ("alice ssh-ed25519 AAAA", "invalid key"),
            (
                "alice ssh-quantum AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti",
                "invalid key",
            ),
            (&format!("alice verify-required {KEY}"), "unknown key option"),
            (&format!("alice valid-before=20260101 {KEY}"), "quoted"),
            (&format!("alice valid-before=\"2026\" {KEY}"), "YYYYMMDD"),
            (&format!("alice valid-after=\"20260101\",valid-before=\"20260101\" {KEY}"), "not after"),
            (&format!("alice namespaces=\"a\",namespaces=\"b\" {KEY}"), "twice"),
            (&format!("alice namespaces=\"a\", {KEY}"), "unknown text"),
            (&format!("\"alice {KEY}"), "not closed"),
            (&format!("\"\" {KEY}"), "no principal"),
        ] {
            let error = parse(&format!("ok {KEY}\n{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with("trust:2: ") && error.contains(word), "{line:?}: {error}");
        }
    }

    #[test]
    fn a_trust_file_comes_through_a_pipe_of_the_shell_and_through_none_that_has_a_name() {
        let through = |text: String| {
            let (reader, mut writer) = std::io::pipe().unwrap();
            // Of what is too long, the rest finds nobody who reads.
            let writing = std::thread::spawn(move || drop(writer.write_all(text.as_bytes())));
            let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
            (reader, writing, path)
        };
        let (_reader, writing, path) = through(format!("alice@example {KEY}\n"));
        for _ in 0..2 {
            let signers = AllowedSigners::load(&RealFiles, &path).unwrap();
            assert_eq!(signers.entries.len(), 1, "the same for whoever reads it once more");
        }
        writing.join().unwrap();
        let (reader, writing, path) = through("#\n".repeat(usize::try_from(MAX_FILE).unwrap() / 2 + 1));
        let error = AllowedSigners::load(&RealFiles, &path).unwrap_err();
        assert!(error.message().ends_with("expected a file of at most 4 MiB"), "{error}");
        drop(reader);
        writing.join().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let named = dir.path().join("named");
        rustix::fs::mknodat(rustix::fs::CWD, &named, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let error = AllowedSigners::load(&RealFiles, &named).unwrap_err();
        assert!(error.message().ends_with("as in --trust <(COMMAND)"), "nobody waits for a writer: {error}");
    }

    #[test]
    fn patterns_negate_and_do_not_explode() {
        for (patterns, name, expected) in [
            ("airlift-bundle", "airlift-bundle", true),
            ("git,airlift-*", "airlift-bundle", true),
            ("*,!airlift-bundle", "airlift-bundle", false),
            ("!airlift-bundle", "git", false),
            ("?irlift*e", "airlift-bundle", true),
            ("", "airlift-bundle", false),
            ("*", "", true),
            ("a*b", "ac", false),
        ] {
            assert_eq!(matches(patterns, name), expected, "{patterns:?} {name:?}");
        }
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1000)));
    }
}
