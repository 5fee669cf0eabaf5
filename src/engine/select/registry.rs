//! What a registry holds: catalog and tags, page by page, filtered by simple patterns.

use futures_util::StreamExt;

use super::SelectError;
use crate::domain::reference::Repository;
use crate::domain::reference::is_repository;
use crate::domain::selection::{Candidate, Origin, Selection};
use crate::domain::text;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::registry::Registry;

/// Tag lists asked for at the same time.
const JOBS: usize = 8;

/// `HOST`, `HOST/REPO` or `HOST/REPO:TAGS`; `*` and `?` in REPO and TAGS match any characters and one.
///
/// # Errors
/// A text of another form; a list that cannot be had at all. A repository whose tags cannot be listed is a problem.
pub async fn select(text: &str, registry: &Registry, ctx: &JobCtx) -> Result<Selection> {
    let wanted = Wanted::parse(text)?;
    let repositories = match &wanted.repository {
        Some(path) if !path.contains(['*', '?']) => vec![path.clone()],
        pattern => {
            let all = registry.catalog(&wanted.host).await?;
            let pattern = pattern.as_deref().unwrap_or("*");
            all.into_iter().filter(|path| text::glob(pattern, path)).collect()
        }
    };
    let mut selection = Selection::default();
    let lists: Vec<_> = futures_util::stream::iter(repositories)
        .map(|path| {
            let repo = Repository { host: wanted.host.clone(), path };
            async move { (registry.tags(&repo).await, repo) }
        })
        .buffered(JOBS)
        .collect()
        .await;
    ctx.check()?;
    let mut hidden = 0;
    for (tags, repo) in lists {
        let origin = Origin::named(format!("registry {repo}"));
        match tags {
            Err(error) => selection.problem(origin, crate::engine::error::EngineError::from(error).message()),
            Ok(tags) => {
                for tag in tags.iter().filter(|tag| text::glob(&wanted.tags, tag)) {
                    // Signatures under tags travel with the image they are about.
                    if is_artifact_tag(tag) {
                        hidden += 1;
                    } else {
                        selection.candidates.push(Candidate::sure(format!("{repo}:{tag}"), origin.clone()));
                    }
                }
            }
        }
    }
    if hidden > 0 {
        selection.notes.push(format!("{hidden} sha256-… tags hold signatures and are left to their images"));
    }
    if selection.candidates.is_empty() && selection.problems.is_empty() {
        selection.problem(Origin::named(format!("registry:{text}")), "nothing there matches");
    }
    Ok(selection)
}

struct Wanted {
    host: String,
    repository: Option<String>,
    tags: String,
}

impl Wanted {
    fn parse(text: &str) -> std::result::Result<Self, SelectError> {
        let refuse = || SelectError::Source { text: format!("registry:{text:.160}") };
        let (host, rest) = text.split_once('/').unwrap_or((text, ""));
        // The reference grammar knows what a host is.
        let probe: std::result::Result<crate::domain::reference::Reference, _> =
            format!("{host}/x/x:1").parse();
        let host = probe.ok().filter(|r| r.repository() == "x/x").ok_or_else(refuse)?.host().to_owned();
        let (path, tags) = rest.split_once(':').unwrap_or((rest, "*"));
        let plain: String = path.chars().filter(|c| !matches!(c, '*' | '?')).collect();
        let pattern = plain.len() < path.len();
        if !(path.is_empty() || pattern || is_repository(path)) || tags.is_empty() {
            return Err(refuse());
        }
        Ok(Self { host, repository: (!path.is_empty()).then(|| path.to_owned()), tags: tags.to_owned() })
    }
}

fn is_artifact_tag(tag: &str) -> bool {
    let rest = tag.strip_prefix("sha256-").unwrap_or("");
    let hex = rest.split('.').next().unwrap_or("");
    hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_text() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("1.*", "1.25", true),
            ("1.*", "11.2", false),
            ("*-alpine", "1-alpine", true),
            ("*-alpine", "1-alpine3", false),
            ("v?.?", "v1.2", true),
            ("v?", "v", false),
            ("a*b*c", "aXbYbc", true),
            ("", "x", false),
        ] {
            assert_eq!(text::glob(pattern, text), expected, "{pattern} {text}");
        }
        let started = std::time::Instant::now();
        assert!(!text::glob(&"*a".repeat(60), &"b".repeat(128)));
        assert!(started.elapsed() < std::time::Duration::from_secs(1));
    }

    #[test]
    fn host_repository_and_tags_are_told_apart() {
        let parse = |text: &str| Wanted::parse(text).map(|w| (w.host, w.repository, w.tags));
        let row =
            |host: &str, repo: Option<&str>, tags: &str| (host.into(), repo.map(Into::into), tags.into());
        assert_eq!(parse("127.0.0.1:5000").unwrap(), row("127.0.0.1:5000", None, "*"));
        assert_eq!(parse("h.example/a/b:1.*").unwrap(), row("h.example", Some("a/b"), "1.*"));
        assert_eq!(parse("h.example/team/*").unwrap(), row("h.example", Some("team/*"), "*"));
        for bad in ["", "nginx", "h.example/A", "h.example/a:", "http://h/a", "h..x/a"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn signature_tags_are_recognised() {
        assert!(is_artifact_tag(&format!("sha256-{}.sig", "a".repeat(64))));
        assert!(is_artifact_tag(&format!("sha256-{}", "a".repeat(64))));
        assert!(!is_artifact_tag("sha256-abc") && !is_artifact_tag("1.2"));
    }
}
