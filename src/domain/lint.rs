//! Findings about image names: what will surprise on the other side, why, and what to write instead.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::reference::DEFAULT_HOST;
use super::resolved::ResolvedImage;
use super::selection::Request;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Likely to surprise later.
    Warning,
    /// Will not work on the other side as written.
    Error,
}

/// The rules; the kebab-case name is the id that bundles and reports carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// No registry written.
    ShortName,
    /// Docker Hub's `library/` left out.
    MissingLibrary,
    /// Neither tag nor digest: `latest` was implied.
    DefaultTag,
    /// A tag that is meant to move, or to follow a version line.
    MutableTag,
    /// Not pinned to content.
    NoDigest,
    /// A tag beside a digest, which runtimes ignore.
    TagAndDigest,
    /// Written in a form under which no runtime looks it up.
    LookupMismatch,
    /// Two names of one content.
    SameDigest,
    /// A pull policy that will not do what its author hopes.
    PullPolicy,
    /// The figure behind this name was extrapolated.
    Assumed,
    /// The tag names other content than the lock file holds.
    Moved,
}

impl Rule {
    /// The id.
    pub const fn id(self) -> &'static str {
        match self {
            Self::ShortName => "short-name",
            Self::MissingLibrary => "missing-library",
            Self::DefaultTag => "default-tag",
            Self::MutableTag => "mutable-tag",
            Self::NoDigest => "no-digest",
            Self::TagAndDigest => "tag-and-digest",
            Self::LookupMismatch => "lookup-mismatch",
            Self::SameDigest => "same-digest",
            Self::PullPolicy => "pull-policy",
            Self::Assumed => "assumed",
            Self::Moved => "moved",
        }
    }

    /// Whether the name alone tells it, without what others name or what was named before.
    pub const fn is_of_name(self) -> bool {
        !matches!(self, Self::SameDigest | Self::Moved)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// One finding about one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The rule; [`Rule::id`] is its stable name.
    pub id: Rule,
    /// How much it matters.
    pub severity: Severity,
    /// Why it matters, in one sentence.
    pub reason: String,
    /// The text to put in its place, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    fn new(id: Rule, severity: Severity, reason: impl Into<String>, fix: Option<String>) -> Self {
        Self { id, severity, reason: reason.into(), fix }
    }

    /// A tag that no longer names what the lock file pins.
    pub fn moved(reference: &str, pinned: &Digest, now: &Digest) -> Self {
        let reason = format!(
            "{reference} names {now} now; the lock file holds it to {pinned}, which is what is carried"
        );
        Self::new(Rule::Moved, Severity::Warning, reason, None)
    }
}

/// How likely a tag is to name other content tomorrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutability {
    /// Meant to move.
    Moving,
    /// Follows a version line: `1`, `v1`.
    Major,
    /// Follows a minor line where the author releases patches: `1.25`.
    Minor,
    /// A full version, a date or a commit.
    Fixed,
}

fn mutability(tag: &str) -> Mutability {
    let lower = tag.to_ascii_lowercase();
    let first = lower.split(['-', '_']).next().unwrap_or("");
    let commit = lower.len() >= 7 && lower.bytes().all(|b| b.is_ascii_hexdigit());
    // Words alone (stable, main, bookworm-slim) name a line; with a version, date or commit, one build of it.
    let worded = !commit && !lower.bytes().any(|b| b.is_ascii_digit());
    if worded || first == "latest" {
        return Mutability::Moving;
    }
    let version = first.strip_prefix('v').unwrap_or(first);
    let parts: Vec<&str> = version.split('.').collect();
    let numeric = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    match parts.len() {
        // Eight digits are a date, more a time or build number.
        1 if numeric && version.len() < 6 => Mutability::Major,
        2 if numeric => Mutability::Minor,
        _ => Mutability::Fixed,
    }
}

/// Why a name that is not warned of may name other content some day, where it may.
pub fn may_move(found: &[Finding]) -> Option<&Finding> {
    found.iter().find(|finding| finding.id == Rule::MutableTag && finding.severity == Severity::Info)
}

/// What is remarked of tags; those that move less come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Motion {
    /// It names one build.
    Stays,
    /// It is not warned of, and may name other content some day.
    May,
    /// It is likely to name other content tomorrow: it is meant to move, or follows a major version.
    Moves,
}

/// How a tag moves.
pub fn motion(tag: &str) -> Motion {
    match mutability(tag) {
        Mutability::Fixed => Motion::Stays,
        Mutability::Minor => Motion::May,
        Mutability::Moving | Mutability::Major => Motion::Moves,
    }
}

/// Findings about a name. `digest` is what it resolved to, where that is known: it makes the fix exact.
pub fn lint(request: &Request, digest: Option<&Digest>) -> Vec<Finding> {
    let mut found = name_findings(request);
    found.extend(tag_findings(request, digest));
    found.extend(policy_finding(request));
    if request.assumed {
        let reason = "the table ends before this version: the newest known figure was taken";
        let fix = Some("kubeadm config images list --kubernetes-version VERSION".to_owned());
        found.push(Finding::new(Rule::Assumed, Severity::Warning, reason, fix));
    }
    found
}

fn name_findings(request: &Request) -> Vec<Finding> {
    let full = || Some(request.reference.to_string());
    let mut found = Vec::new();
    if request.implied.host {
        let reason = "no registry is written: runtimes may search others than docker.io, or refuse to guess";
        found.push(Finding::new(Rule::ShortName, Severity::Warning, reason, full()));
    }
    if request.implied.library {
        let reason = "a mirror is asked for docker.io's library/ path: copied path for path, the short name is not there";
        found.push(Finding::new(Rule::MissingLibrary, Severity::Info, reason, full()));
    }
    let written = request.requested.split_once('/').map_or("", |(host, _)| host);
    if !request.implied.host && written != request.reference.host() {
        let reason = format!(
            "{written} is another name of {DEFAULT_HOST}: kubelet looks for the latter in the runtime's store"
        );
        found.push(Finding::new(Rule::LookupMismatch, Severity::Warning, reason, full()));
    } else if request.reference.host().bytes().any(|b| b.is_ascii_uppercase()) {
        let lower = request.reference.host().to_ascii_lowercase();
        let fix = request.reference.to_string().replacen(request.reference.host(), &lower, 1);
        let reason = "a registry host with capitals: runtimes compare names byte by byte, a pod written otherwise does not find it";
        found.push(Finding::new(Rule::LookupMismatch, Severity::Error, reason, Some(fix)));
    }
    found
}

fn tag_findings(request: &Request, digest: Option<&Digest>) -> Vec<Finding> {
    let reference = &request.reference;
    let pinned = digest.map(|digest| reference.at_digest(digest).to_string());
    let mut found = Vec::new();
    if let (Some(tag), Some(own)) = (reference.tag(), reference.digest()) {
        let reason = format!(
            "runtimes go by the digest and ignore the tag {tag}: it is not looked at, and not created"
        );
        found.push(Finding::new(
            Rule::TagAndDigest,
            Severity::Info,
            reason,
            Some(reference.at_digest(own).to_string()),
        ));
    }
    let (Some(tag), None) = (reference.tag(), reference.digest()) else { return found };
    if request.implied.tag {
        let reason = "neither tag nor digest is written: :latest is implied";
        found.push(Finding::new(Rule::DefaultTag, Severity::Warning, reason, pinned.clone()));
    }
    let policy = request.pull_policy.as_deref().unwrap_or("IfNotPresent");
    let why = match mutability(tag) {
        Mutability::Moving => Some("is meant to move"),
        Mutability::Major => Some("looks like a major version, which moves with every release"),
        Mutability::Minor => Some("looks like a minor version, which moves with patches"),
        Mutability::Fixed => None,
    };
    if let Some(why) = why {
        let severity = if motion(tag) == Motion::May { Severity::Info } else { Severity::Warning };
        let reason = format!(
            "tag {tag} {why}: with {policy} each node keeps what it saw first, and a later bundle may carry other content under the same name"
        );
        found.push(Finding::new(Rule::MutableTag, severity, reason, pinned.clone()));
    }
    let reason = "no digest: what the tag names can change between now and the next bundle";
    found.push(Finding::new(Rule::NoDigest, Severity::Info, reason, pinned));
    found
}

/// `Always`, written or implied by `:latest`, asks a registry at every start.
fn policy_finding(request: &Request) -> Option<Finding> {
    let latest = request.reference.digest().is_none() && request.reference.tag() == Some("latest");
    let (severity, why) = match request.pull_policy.as_deref() {
        Some("Always") => (Severity::Warning, "imagePullPolicy Always"),
        // Kubernetes' default for :latest; outside a manifest there is no pod to speak of yet.
        None if latest => (Severity::Info, "without imagePullPolicy, :latest means Always, which"),
        _ => return None,
    };
    let reason = format!(
        "{why} asks a registry at every start even when the image is there: without a mirror the pod does not start"
    );
    Some(Finding::new(Rule::PullPolicy, severity, reason, Some("imagePullPolicy: IfNotPresent".to_owned())))
}

/// Adds a finding to every image whose content another name has, too.
pub fn lint_same_digest(images: &mut [&mut ResolvedImage]) {
    let mut names = std::collections::BTreeMap::<Digest, Vec<String>>::new();
    for image in images.iter() {
        names.entry(image.digest.clone()).or_default().push(image.reference.to_string());
    }
    for image in images {
        let own = image.reference.to_string();
        let others: Vec<&str> =
            names[&image.digest].iter().map(String::as_str).filter(|name| *name != own).collect();
        if !others.is_empty() {
            let reason = format!("the same content as {}: one name may be enough", others.join(", "));
            image.findings.push(Finding::new(Rule::SameDigest, Severity::Info, reason, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str, policy: Option<&str>) -> Vec<(&'static str, Severity)> {
        let mut request = Request::parse(text).unwrap();
        request.pull_policy = policy.map(str::to_owned);
        lint(&request, None).iter().map(|finding| (finding.id.id(), finding.severity)).collect()
    }

    #[test]
    fn tags_are_told_apart_by_how_likely_they_move() {
        use Mutability::{Fixed, Major, Minor, Moving};
        for (tag, expected) in [
            ("latest", Moving),
            ("stable", Moving),
            ("Nightly", Moving),
            ("main", Moving),
            ("latest-alpine", Moving),
            ("latest-py3", Moving),
            ("stable", Moving),
            ("alpine", Moving),
            ("bookworm-slim", Moving),
            ("v1", Major),
            ("1", Major),
            ("16-alpine", Major),
            ("12", Major),
            ("1.25", Minor),
            ("v1.25", Minor),
            ("3.11-slim", Minor),
            ("22.04", Minor),
            ("1.25.3", Fixed),
            ("v1.31.2", Fixed),
            ("3.5.15-0", Fixed),
            ("20240115", Fixed),
            ("a1b2c3d", Fixed),
            ("deadbeef", Fixed),
            ("main-a1b2c3d4", Fixed),
            ("nightly-20240115", Fixed),
            ("1.2.3.4", Fixed),
            ("v2s2", Fixed),
        ] {
            assert_eq!(mutability(tag), expected, "{tag}");
        }
    }

    #[test]
    fn r24_each_rule_is_found_by_its_id() {
        use Severity::{Error, Info, Warning};
        let digest = "a".repeat(64);
        type Row<'a> = (String, Option<&'a str>, Vec<(&'a str, Severity)>);
        let rows: Vec<Row<'_>> = vec![
            (
                "nginx".into(),
                None,
                vec![
                    ("short-name", Warning),
                    ("missing-library", Info),
                    ("default-tag", Warning),
                    ("mutable-tag", Warning),
                    ("no-digest", Info),
                    ("pull-policy", Info),
                ],
            ),
            (
                "docker.io/nginx:1.25.3".into(),
                Some("IfNotPresent"),
                vec![("missing-library", Info), ("no-digest", Info)],
            ),
            (
                "quay.io/a/b:stable".into(),
                Some("IfNotPresent"),
                vec![("mutable-tag", Warning), ("no-digest", Info)],
            ),
            (
                "quay.io/a/b:v1.2.3".into(),
                Some("Always"),
                vec![("no-digest", Info), ("pull-policy", Warning)],
            ),
            ("quay.io/a/b:latest".into(), Some("Never"), vec![("mutable-tag", Warning), ("no-digest", Info)]),
            (format!("quay.io/a/b@sha256:{digest}"), None, vec![]),
            (format!("quay.io/a/b:1@sha256:{digest}"), None, vec![("tag-and-digest", Info)]),
            (
                format!("index.docker.io/library/nginx@sha256:{digest}"),
                None,
                vec![("lookup-mismatch", Warning)],
            ),
            (format!("Registry.Example/a@sha256:{digest}"), None, vec![("lookup-mismatch", Error)]),
        ];
        for (text, policy, expected) in rows {
            assert_eq!(ids(&text, policy), expected, "{text}");
        }
    }

    #[test]
    fn fixes_are_what_to_write_instead() {
        let digest: Digest = format!("sha256:{}", "b".repeat(64)).parse().unwrap();
        let fix = |text: &str, rule: Rule| {
            let found = lint(&Request::parse(text).unwrap(), Some(&digest));
            found.into_iter().find(|finding| finding.id == rule).and_then(|finding| finding.fix)
        };
        assert_eq!(fix("nginx", Rule::ShortName).unwrap(), "docker.io/library/nginx:latest");
        assert_eq!(fix("nginx", Rule::MutableTag).unwrap(), format!("docker.io/library/nginx@{digest}"));
        assert_eq!(fix("Quay.io/a:1.2.3", Rule::LookupMismatch).unwrap(), "quay.io/a:1.2.3");
        let pinned = fix("quay.io/a:1", Rule::NoDigest).unwrap();
        assert!(lint(&Request::parse(&pinned).unwrap(), Some(&digest)).is_empty());
    }

    #[test]
    fn an_assumed_figure_is_said() {
        let mut request = Request::parse("registry.k8s.io/etcd:3.5.24-0").unwrap();
        request.assumed = true;
        assert!(lint(&request, None).iter().any(|finding| finding.id == Rule::Assumed));
    }
}
