//! Lists of tags and repositories, page by page (distribution spec, "Listing Tags"), with caps on pages and entries.

use std::collections::HashSet;

use http::HeaderMap;
use http::header::LINK;
use serde::Deserialize;
use url::Url;

use super::Registry;
use super::call::{Call, Target};
use super::error::{Problem, Result, clean};
use super::hosts;
use crate::domain::reference::{self, Repository};

/// Entries asked for in one page.
const PAGE: usize = 1000;

#[derive(Deserialize)]
struct TagPage {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct CatalogPage {
    repositories: Option<Vec<String>>,
}

impl Registry {
    /// All tags of a repository, in the registry's order.
    ///
    /// # Errors
    /// [`Problem::TooLarge`] beyond the caps, [`Problem::Malformed`] for something that is no list of tags.
    pub async fn tags(&self, repo: &Repository) -> Result<Vec<String>> {
        let call = Call::read("list the tags of", repo, "tags/list", repo.to_string());
        let parse =
            |bytes: &[u8]| serde_json::from_slice(bytes).map(|page: TagPage| page.tags.unwrap_or_default());
        self.list(call, parse, reference::is_tag).await
    }

    /// All repositories of a registry, in its order; many registries do not offer this.
    ///
    /// # Errors
    /// As [`Registry::tags`].
    pub async fn catalog(&self, host: &str) -> Result<Vec<String>> {
        let repo = Repository { host: host.to_owned(), path: String::new() };
        let call = Call {
            target: Target::Path("_catalog".to_owned()),
            scope: "registry:catalog:*".to_owned(),
            ..Call::read("list the repositories of", &repo, "", host.to_owned())
        };
        let parse = |bytes: &[u8]| {
            serde_json::from_slice(bytes).map(|page: CatalogPage| page.repositories.unwrap_or_default())
        };
        self.list(call, parse, reference::is_repository).await
    }

    async fn list(
        &self,
        mut call: Call<'_>,
        parse: impl Fn(&[u8]) -> serde_json::Result<Vec<String>>,
        is_valid: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>> {
        let limits = &self.core.limits;
        let first = match &call.target {
            Target::Path(path) => path.clone(),
            Target::Url(url) => url.to_string(),
        };
        call.target = Target::Path(format!("{first}?n={PAGE}"));
        let mut all = Vec::new();
        let mut seen = HashSet::new();
        for _ in 0..limits.pages {
            let response = self.call(&call).await?;
            let (url, headers) = (response.url.clone(), response.headers.clone());
            let bytes = self.body(&call, response, limits.page, "a page of a list").await?;
            let page =
                parse(&bytes).map_err(|error| call.error(Problem::Malformed(format!("no list: {error}"))))?;
            let (count, before) = (page.len(), all.len());
            let last = page.last().cloned();
            // Names that break the grammar could not be asked for anyway.
            all.extend(page.into_iter().filter(|name| is_valid(name) && seen.insert(name.clone())));
            if all.len() > limits.entries {
                return Err(call.error(Problem::TooLarge { what: "a list", limit: limits.entries as u64 }));
            }
            let next = match next_page(&url, &headers).map_err(|problem| call.error(problem))? {
                Some(next) => Some(Target::Url(next)),
                // Some registries cut at n and send no Link.
                None => last.filter(|_| count == PAGE).map(|last| {
                    let last: String = url::form_urlencoded::byte_serialize(last.as_bytes()).collect();
                    Target::Path(format!("{first}?n={PAGE}&last={last}"))
                }),
            };
            // A page without anything new means that the registry goes in circles.
            match next {
                Some(next) if all.len() > before => call.target = next,
                _ => return Ok(all),
            }
        }
        Err(call.error(Problem::TooLarge { what: "pages of a list", limit: limits.pages as u64 }))
    }
}

/// The `rel="next"` of a `Link` header (RFC 8288); it must stay with the registry.
pub(super) fn next_page(from: &Url, headers: &HeaderMap) -> std::result::Result<Option<Url>, Problem> {
    for value in headers.get_all(LINK) {
        let Ok(text) = value.to_str() else { continue };
        for link in text.split(',') {
            let Some((target, params)) = link.trim().strip_prefix('<').and_then(|rest| rest.split_once('>'))
            else {
                continue;
            };
            let is_next = params.split(';').any(|param| {
                let param = param.trim().to_ascii_lowercase();
                matches!(param.as_str(), "rel=next" | "rel=\"next\"")
            });
            if !is_next {
                continue;
            }
            return match from.join(target) {
                Ok(url) if hosts::same_origin(from, &url) => Ok(Some(url)),
                _ => Err(Problem::Redirect {
                    target: clean(target.split('?').next().unwrap_or_default()),
                    reason: "the next page of a list must be on the same registry",
                }),
            };
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_and_must_be_at_home() {
        let from = Url::parse("http://127.0.0.1:5000/v2/a/tags/list?n=2").unwrap();
        let next = |link: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, link.parse().unwrap());
            next_page(&from, &headers).map(|url| url.map(String::from))
        };
        let expected = Some("http://127.0.0.1:5000/v2/a/tags/list?last=b&n=2".to_owned());
        assert_eq!(next(r#"</v2/a/tags/list?last=b&n=2>; rel="next""#).unwrap(), expected);
        assert_eq!(next(r#"<x>; rel="prev", </v2/a/tags/list?last=b&n=2>; rel=next"#).unwrap(), expected);
        assert_eq!(next(r#"<x>; rel="last""#).unwrap(), None);
        assert!(next(r#"<http://127.0.0.1:5001/x>; rel="next""#).is_err());
        assert_eq!(next("junk").unwrap(), None);
    }
}
