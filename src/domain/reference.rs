//! Image references (distribution `reference` grammar) and their normal form, telling what was implied and what was written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::Digest;

/// The registry implied by a name without a host.
pub const DEFAULT_HOST: &str = "docker.io";
/// The tag implied by a name with neither tag nor digest.
pub const DEFAULT_TAG: &str = "latest";

/// A fully qualified reference: `host/repository[:tag][@digest]`, with at least one of the two.
///
/// Its text is the name under which runtimes look the image up.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A repository in a registry: `host/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// The registry, with its port if one was given.
    pub host: String,
    /// The path in that registry: `library/nginx`.
    pub path: String,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl From<&Reference> for Repository {
    fn from(reference: &Reference) -> Self {
        Self { host: reference.host.clone(), path: reference.repository.clone() }
    }
}

/// What [`Reference::from_str`] added to a short text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Implied {
    /// `docker.io` was added.
    pub host: bool,
    /// `library/` was added.
    pub library: bool,
    /// `:latest` was added.
    pub tag: bool,
}

/// Why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is not an image reference: {reason}", super::text::middle(.text, 72))]
pub struct ReferenceError {
    /// The text as given, cut to 160 characters.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Reference {
    /// Parses and says what was implied.
    ///
    /// # Errors
    /// [`ReferenceError`] with the part that breaks the grammar.
    pub fn parse(text: &str) -> Result<(Self, Implied), ReferenceError> {
        let refuse = |reason| ReferenceError { text: text.chars().take(160).collect(), reason };
        if text.contains("://") {
            return Err(refuse(
                "it is an address of the web or names a transport: a name begins with its registry's host",
            ));
        }
        if text.contains(char::is_whitespace) {
            return Err(refuse("it has a blank in it"));
        }
        let (name_tag, digest) = match text.split_once('@') {
            None => (text, None),
            Some((name, digest)) => {
                let parsed =
                    digest.parse().map_err(|_| refuse("the part after @ is no sha256 or sha512 digest"))?;
                (name, Some(parsed))
            }
        };
        let (name, tag) = split_tag(name_tag);
        if let Some(tag) = tag {
            check_tag(tag).map_err(refuse)?;
        }
        let mut implied = Implied::default();
        let (host, path) = match name.split_once('/') {
            Some((first, rest)) if is_host(first) => (normal_host(first), rest.to_owned()),
            _ => {
                implied.host = true;
                (DEFAULT_HOST.to_owned(), name.to_owned())
            }
        };
        check_host(&host).map_err(refuse)?;
        let repository = if host == DEFAULT_HOST && !path.contains('/') && !path.is_empty() {
            implied.library = true;
            format!("library/{path}")
        } else {
            path
        };
        check_repository(&repository).map_err(refuse)?;
        implied.tag = tag.is_none() && digest.is_none();
        let tag = tag.map(str::to_owned).or_else(|| implied.tag.then(|| DEFAULT_TAG.to_owned()));
        Ok((Self { host, repository, tag, digest }, implied))
    }

    /// The registry, with its port if one was given: `docker.io`, `127.0.0.1:5000`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository in that registry: `library/nginx`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Where it lives, without tag and digest.
    pub fn repository_of(&self) -> Repository {
        self.into()
    }

    /// `host/repository`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// The tag, if any.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest it is pinned to, if any.
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a registry is asked for: the digest where there is one, else the tag.
    pub fn selector(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => DEFAULT_TAG.to_owned(),
        }
    }

    /// `host/repository@digest`: the name a pod that pins this content asks for.
    #[must_use]
    pub fn at_digest(&self, digest: &Digest) -> Self {
        Self { tag: None, digest: Some(digest.clone()), ..self.clone() }
    }

    /// The same with a digest beside its tag.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self { digest: Some(digest.clone()), ..self.clone() }
    }

    /// The same repository under another tag, without digest.
    ///
    /// # Errors
    /// [`ReferenceError`] where `tag` breaks the grammar.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        check_tag(tag).map_err(|reason| ReferenceError { text: tag.chars().take(160).collect(), reason })?;
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Self::parse(text).map(|(reference, _)| reference)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether the first path component of a name is a registry: it has a dot or a port, is `localhost`, or IPv6.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn normal_host(host: &str) -> String {
    match host {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_HOST.to_owned(),
        other => other.to_owned(),
    }
}

/// A `:` after the last `/` starts the tag; one before it belongs to a port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rfind(':') {
        Some(at) if !text[at..].contains('/') && !text[at..].contains(']') => {
            (&text[..at], Some(&text[at + 1..]))
        }
        _ => (text, None),
    }
}

/// Whether a text is a registry with its port and nothing in it: `host.example:5000`. By the grammar it is a name and a
/// tag as well, of an image that nobody means.
pub fn is_registry(text: &str) -> bool {
    let Some((name, port)) = text.rsplit_once(':').filter(|_| !text.contains(['/', '@'])) else {
        return false;
    };
    let host = name == "localhost" || name.starts_with('[') || name.contains('.');
    host && port.bytes().all(|b| b.is_ascii_digit()) && check_host(text).is_ok()
}

/// Whether a text is a tag by the distribution grammar.
pub fn is_tag(text: &str) -> bool {
    check_tag(text).is_ok()
}

/// Whether a text is the path of a repository by the distribution grammar.
pub fn is_repository(text: &str) -> bool {
    check_repository(text).is_ok()
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let ok = tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'));
    if ok {
        Ok(())
    } else {
        Err("a tag is 1 to 128 of A-Z a-z 0-9 _ . - and starts with a letter, digit or _")
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("the address in brackets is no IPv6 address");
            }
            (None, rest.strip_prefix(':').or_else(|| (!rest.is_empty()).then_some("?")))
        }
        None => match host.split_once(':') {
            Some((name, port)) => (Some(name), Some(port)),
            None => (Some(host), None),
        },
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("the port is no number from 0 to 65535");
    }
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    match name {
        Some(name) if !name.split('.').all(label) => {
            Err("the registry host has a character that host names have not")
        }
        _ => Ok(()),
    }
}

fn check_repository(repository: &str) -> Result<(), &'static str> {
    if repository.is_empty() {
        return Err("there is no repository name");
    }
    if repository.len() > 255 {
        return Err("the repository name is longer than 255 characters");
    }
    if repository.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("a repository name must be lower case");
    }
    if repository.split('/').all(path_component) {
        Ok(())
    } else {
        Err("a repository name is lower-case letters and digits, joined by . _ __ or -, in parts joined by /")
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn path_component(part: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    if !bytes.first().is_some_and(alphanumeric) || !bytes.last().is_some_and(alphanumeric) {
        return false;
    }
    bytes
        .split(alphanumeric)
        .all(|gap| matches!(gap, b"" | b"." | b"_" | b"__") || gap.iter().all(|b| *b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn short_names_become_what_the_runtime_looks_up() {
        let pinned = format!("host:5000/a/b:1@sha256:{HEX}");
        for (text, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.25.3", "docker.io/library/nginx:1.25.3"),
            ("docker.io/nginx", "docker.io/library/nginx:latest"),
            ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1"),
            ("user/app", "docker.io/user/app:latest"),
            ("localhost/app:1", "localhost/app:1"),
            ("host:5000/a", "host:5000/a:latest"),
            ("[::1]:5000/a:2", "[::1]:5000/a:2"),
            ("registry.k8s.io/coredns/coredns:v1.14.2", "registry.k8s.io/coredns/coredns:v1.14.2"),
            (pinned.as_str(), pinned.as_str()),
        ] {
            let (reference, _) = Reference::parse(text).unwrap();
            assert_eq!(reference.to_string(), full);
            assert_eq!(full.parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn a_host_with_a_port_and_nothing_behind_it_is_a_registry() {
        for registry in ["127.0.0.1:39671", "localhost:5000", "registry.example.com:443", "[::1]:5000"] {
            assert!(is_registry(registry), "{registry}");
        }
        for image in
            ["redis:7", "redis:7.2", "host:5000", "127.0.0.1", "a.b:latest", "a.b:5000/app", "a.b:99999"]
        {
            assert!(!is_registry(image), "{image}");
        }
    }

    #[test]
    fn what_was_implied_is_told() {
        let (_, implied) = Reference::parse("nginx").unwrap();
        assert_eq!(implied, Implied { host: true, library: true, tag: true });
        let (_, implied) = Reference::parse("docker.io/nginx:1").unwrap();
        assert_eq!(implied, Implied { host: false, library: true, tag: false });
        let (reference, implied) = Reference::parse(&format!("quay.io/a/b@sha256:{HEX}")).unwrap();
        assert_eq!(implied, Implied::default());
        assert_eq!(reference.tag(), None);
    }

    #[test]
    fn a_text_outside_the_grammar_is_refused_with_the_reason() {
        for bad in [
            "",
            ":1",
            "/x",
            "a//b",
            "a/",
            "Nginx",
            "host.example/UPPER:1",
            "nginx:",
            "nginx:-x",
            "nginx@",
            "nginx@sha256:12",
            "nginx:1@sha256",
            "a..b/c",
            "host:99999/a",
            "host:x/a",
            "-h.example/a",
            "a b",
            "nginx\u{1b}[31m",
            "ngïnx",
            "http://host/a",
            "[::g]:5/a",
            "a/b:c/d",
            "x@y@z",
            "../../etc/passwd",
            "[::1]x/a",
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Reference::parse(&format!("a:{}", "t".repeat(129))).is_err());
        assert!(Reference::parse(&"a/".repeat(200)).is_err());
    }
}
