//! What a request asks for: the path is read from the right, because repository names have any number of parts.

use super::refusal::Refusal;

/// The query parameters that mean something here; all others are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// containerd's upstream host.
    pub ns: Option<String>,
    /// Page size.
    pub n: Option<String>,
    /// The last entry of the page before.
    pub last: Option<String>,
    /// Filter of the referrers API.
    pub artifact_type: Option<String>,
}

impl Query {
    /// Reads a query string.
    pub fn parse(text: Option<&str>) -> Self {
        let mut query = Self::default();
        for (key, value) in url::form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            let field = match key.as_ref() {
                "ns" => &mut query.ns,
                "n" => &mut query.n,
                "last" => &mut query.last,
                "artifactType" => &mut query.artifact_type,
                _ => continue,
            };
            *field = Some(value.into_owned()).filter(|value| !value.is_empty());
        }
        query
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`: whether this is a registry.
    Base,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/<name>/tags/list`.
    Tags(String),
    /// `/v2/<name>/manifests/<tag or digest>`.
    Manifest(String, String),
    /// `/v2/<name>/blobs/<digest>`.
    Blob(String, String),
    /// `/v2/<name>/referrers/<digest>`.
    Referrers(String, String),
}

impl Route {
    /// Reads a path.
    ///
    /// # Errors
    /// [`Refusal::Path`] for one that no registry has.
    pub fn parse(path: &str) -> Result<Self, Refusal> {
        let refuse = || Refusal::Path(path.to_owned());
        let decoded = decode(path).ok_or_else(refuse)?;
        let rest = match decoded.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Base),
            Some(rest) => rest.strip_prefix('/').ok_or_else(refuse)?,
            None => return Err(refuse()),
        };
        if rest == "_catalog" {
            return Ok(Self::Catalog);
        }
        let mut parts = rest.rsplitn(3, '/');
        let (last, verb, name) = (parts.next(), parts.next(), parts.next());
        match (name, verb, last) {
            (Some(""), ..) | (None, ..) | (.., Some("")) => Err(refuse()),
            (Some(name), Some("tags"), Some("list")) => Ok(Self::Tags(name.to_owned())),
            (Some(name), Some("manifests"), Some(selector)) => {
                Ok(Self::Manifest(name.to_owned(), selector.to_owned()))
            }
            (Some(name), Some("blobs"), Some(digest)) => Ok(Self::Blob(name.to_owned(), digest.to_owned())),
            (Some(name), Some("referrers"), Some(digest)) => {
                Ok(Self::Referrers(name.to_owned(), digest.to_owned()))
            }
            _ => Err(refuse()),
        }
    }
}

/// Percent-decoding; nothing where it is not UTF-8 afterwards.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A single byte range that can be satisfied: first byte and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u64,
    /// Number of bytes, at least 1.
    pub length: u64,
}

/// Reads a `Range` header (RFC 9110, 14.2) for content of `size` bytes. Nothing means "all of it": no range, several,
/// another unit, or one that cannot be understood.
///
/// # Errors
/// [`Refusal::Range`] where it begins behind the end.
pub fn range(header: Option<&str>, size: u64) -> Result<Option<Span>, Refusal> {
    let Some((first, last)) = header
        .and_then(|text| text.trim().strip_prefix("bytes="))
        .filter(|text| !text.contains(','))
        .and_then(|text| text.trim().split_once('-'))
    else {
        return Ok(None);
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More digits than a u64 holds are simply far behind the end.
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (start, end) = match (number(first), number(last)) {
        (Some(start), None) if last.is_empty() => (start, u64::MAX),
        (Some(start), Some(end)) if start <= end => (start, end),
        (None, Some(0)) if first.is_empty() => return Err(Refusal::Range { size }),
        (None, Some(suffix)) if first.is_empty() => (size.saturating_sub(suffix), u64::MAX),
        _ => return Ok(None),
    };
    if start >= size {
        return Err(Refusal::Range { size });
    }
    Ok(Some(Span { start, length: end.min(size - 1) - start + 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_from_the_right() {
        let s = str::to_owned;
        for (path, route) in [
            ("/v2/", Route::Base),
            ("/v2", Route::Base),
            ("/v2/_catalog", Route::Catalog),
            ("/v2/a/tags/list", Route::Tags(s("a"))),
            ("/v2/h:5000/a/b/manifests/1.0", Route::Manifest(s("h:5000/a/b"), s("1.0"))),
            ("/v2/a/manifests/sha256%3Aab", Route::Manifest(s("a"), s("sha256:ab"))),
            ("/v2/a/manifests/manifests/x", Route::Manifest(s("a/manifests"), s("x"))),
            ("/v2/a/blobs/blobs/sha256:0", Route::Blob(s("a/blobs"), s("sha256:0"))),
            ("/v2/a/referrers/sha256:0", Route::Referrers(s("a"), s("sha256:0"))),
        ] {
            assert_eq!(Route::parse(path), Ok(route), "{path}");
        }
        for bad in [
            "/",
            "",
            "/v1/",
            "/v2x",
            "/v2/a",
            "/v2/a/manifests/",
            "/v2//manifests/x",
            "/v2/a/%zz/x",
            "/v2/%ff",
            "/v2/manifests/x",
        ] {
            assert!(Route::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_is_one_span_or_all_or_refused() {
        let span = |start, length| Ok(Some(Span { start, length }));
        for (header, expected) in [
            (None, Ok(None)),
            (Some("bytes=0-0"), span(0, 1)),
            (Some("bytes=2-"), span(2, 8)),
            (Some("bytes=2-99"), span(2, 8)),
            (Some("bytes=-3"), span(7, 3)),
            (Some("bytes=-99"), span(0, 10)),
            (Some("bytes=9-9"), span(9, 1)),
            (Some("bytes=10-"), Err(Refusal::Range { size: 10 })),
            (Some("bytes=99999999999999999999999-"), Err(Refusal::Range { size: 10 })),
            (Some("bytes=-0"), Err(Refusal::Range { size: 10 })),
            (Some("bytes=3-2"), Ok(None)),
            (Some("bytes=0-1,3-4"), Ok(None)),
            (Some("lines=1-2"), Ok(None)),
            (Some("bytes=+1-2"), Ok(None)),
            (Some("bytes=-"), Ok(None)),
        ] {
            assert_eq!(range(header, 10), expected, "{header:?}");
        }
        assert_eq!(range(Some("bytes=0-"), 0), Err(Refusal::Range { size: 0 }));
    }
}
