//! Answers one request of the distribution API from the catalog; reads only, and says so to everything else.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::json;

use super::body;
use super::catalog::{Catalog, Found};
use super::refusal::Refusal;
use super::request::{Query, Route, Span, range};
use super::whole::Whole;
use crate::domain::digest::Digest;
use crate::domain::media_type as mt;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Entries of a list where the client names no number; also the most it gets at once.
const PAGE: usize = 1000;

type Answer = Result<Response, Refusal>;

/// Answers a request; every failure becomes an OCI error body.
pub async fn answer(
    (catalog, whole_of): (&Catalog, &Whole),
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    let head = method == Method::HEAD;
    let result = if head || method == Method::GET {
        dispatch((catalog, whole_of), head, uri, headers).await
    } else {
        Err(Refusal::ReadOnly(method.to_string()))
    };
    let mut response = result.unwrap_or_else(|refusal| refused(&refusal, head));
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn dispatch(
    (catalog, whole_of): (&Catalog, &Whole),
    head: bool,
    uri: &Uri,
    headers: &HeaderMap,
) -> Answer {
    let query = Query::parse(uri.query());
    let ns = query.ns.as_deref();
    match Route::parse(uri.path())? {
        Route::Base => Ok(whole(StatusCode::OK, "application/json", b"{}".to_vec(), head)),
        Route::Catalog => list(catalog.names(), "repositories", None, uri.path(), &query, head),
        Route::Tags(name) => list(catalog.tags(ns, &name)?, "tags", Some(&name), uri.path(), &query, head),
        Route::Referrers(name, digest) => referrers(catalog, &name, &digest, &query, head),
        Route::Manifest(name, selector) => {
            let found = catalog.manifest(ns, &name, &selector)?;
            content(found, None, head, headers, whole_of).await
        }
        Route::Blob(name, text) => {
            let digest: Digest = text.parse().map_err(|_| Refusal::Digest(text.clone()))?;
            let mut found = catalog.blob(ns, &name, &digest)?;
            "application/octet-stream".clone_into(&mut found.media_type);
            let wanted = if head || !range_still_holds(headers, &digest) {
                None
            } else {
                range(text_of(headers, header::RANGE), found.size)?
            };
            content(found, wanted, head, headers, whole_of).await
        }
    }
}

/// Sends a manifest or blob, or a part of it.
async fn content(
    found: Found,
    part: Option<Span>,
    head: bool,
    headers: &HeaderMap,
    whole_of: &Whole,
) -> Answer {
    let etag = format!("\"{}\"", found.digest);
    let builder = Response::builder()
        .header(header::ETAG, &etag)
        .header(CONTENT_DIGEST, found.digest.to_string())
        .header(header::CACHE_CONTROL, "no-cache");
    if text_of(headers, header::IF_NONE_MATCH).is_some_and(|known| matches_tag(known, &etag)) {
        return finish(builder.status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    let span = part.unwrap_or(Span { start: 0, length: found.size });
    let mut builder = builder
        .header(header::CONTENT_TYPE, &found.media_type)
        .header(header::CONTENT_LENGTH, span.length)
        .header(header::ACCEPT_RANGES, "bytes");
    if part.is_some() {
        let last = span.start + span.length - 1;
        builder = builder
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, format!("bytes {}-{last}/{}", span.start, found.size));
    }
    if head {
        return finish(builder, Body::empty());
    }
    let body = body::open(found, span, whole_of).await?;
    finish(builder, body)
}

/// `If-Range` (RFC 9110, 13.1.5): a range of other content than the client has seen would not fit.
fn range_still_holds(headers: &HeaderMap, digest: &Digest) -> bool {
    text_of(headers, header::IF_RANGE).is_none_or(|seen| seen.trim() == format!("\"{digest}\""))
}

fn matches_tag(known: &str, etag: &str) -> bool {
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// One page of a sorted list, with a `Link` to the next.
fn list(
    mut items: Vec<String>,
    key: &str,
    name: Option<&str>,
    path: &str,
    query: &Query,
    head: bool,
) -> Answer {
    let size = match &query.n {
        None => PAGE,
        Some(n) => n.parse::<usize>().map_err(|_| Refusal::Pagination(n.clone()))?.min(PAGE),
    };
    items.sort();
    if let Some(last) = &query.last {
        items.retain(|item| item > last);
    }
    let more = items.len() > size && size > 0;
    items.truncate(size);
    let mut body = json!({ key: items });
    if let Some(name) = name {
        body["name"] = json!(name);
    }
    let mut response = whole(StatusCode::OK, "application/json", body.to_string().into_bytes(), head);
    if let (true, Some(last)) = (more, items.last()) {
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.append_pair("n", &size.to_string()).append_pair("last", last);
        if let Some(ns) = &query.ns {
            next.append_pair("ns", ns);
        }
        let link = format!("<{path}?{}>; rel=\"next\"", next.finish());
        if let Ok(value) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, value);
        }
    }
    Ok(response)
}

/// The referrers of a digest as an image index (distribution spec 1.1, "Listing Referrers").
fn referrers(catalog: &Catalog, name: &str, text: &str, query: &Query, head: bool) -> Answer {
    let digest: Digest = text.parse().map_err(|_| Refusal::Digest(text.to_owned()))?;
    let mut found = catalog.referrers(query.ns.as_deref(), name, &digest)?;
    if let Some(wanted) = &query.artifact_type {
        found.retain(|referrer| referrer.artifact_type() == Some(wanted.as_str()));
    }
    let index = json!({"schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": found});
    let mut response = whole(StatusCode::OK, mt::OCI_INDEX, index.to_string().into_bytes(), head);
    if query.artifact_type.is_some() {
        response.headers_mut().insert(FILTERS, HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}

fn refused(refusal: &Refusal, head: bool) -> Response {
    let mut response = whole(refusal.status(), "application/json", refusal.body(), head);
    match refusal {
        Refusal::ReadOnly(_) => {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        Refusal::Range { size } => {
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
        }
        _ => {}
    }
    response
}

/// A small body, or to HEAD its headers alone.
fn whole(status: StatusCode, media_type: &'static str, body: Vec<u8>, head: bool) -> Response {
    let length = body.len();
    let mut response = Response::new(if head { Body::empty() } else { Body::from(body) });
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Media types come from manifests; one that is no header value is not passed on.
fn finish(builder: http::response::Builder, body: Body) -> Answer {
    builder.body(body).map_err(|error| Refusal::Unreadable(error.to_string()))
}
