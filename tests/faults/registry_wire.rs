//! Hostile bodies: wrong lengths, lying ranges, endless or stalling answers, content that is not what was asked for.

use std::time::{Duration, Instant};

use airlift::domain::digest::Digest;
use airlift::domain::media_type as mt;
use airlift::engine::error::{Explain as _, Kind};
use airlift::engine::registry::{Problem, Registry};
use futures_util::TryStreamExt as _;

use crate::hostile::{Hostile, Step, anonymous, head, identify, reply};

const BLOB: &[u8] = b"0123456789abcdefghij";

/// Reads the blob from an offset: where it began, the bytes, and how it ended.
async fn read(registry: &Registry, server: &Hostile, offset: u64) -> (u64, Vec<u8>, Result<(), Problem>) {
    let (digest, size) = identify(BLOB);
    let mut body = match registry.blob(&server.repo(), &digest, size, offset).await {
        Ok(body) => body,
        Err(error) => return (0, Vec::new(), Err(*error.problem)),
    };
    let mut all = Vec::new();
    loop {
        match body.stream.try_next().await {
            Ok(Some(chunk)) => all.extend_from_slice(&chunk),
            Ok(None) => return (body.start, all, Ok(())),
            Err(problem) => return (body.start, all, Err(problem)),
        }
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error_that_tells_how_far_it_came() {
    let server = Hostile::start(|_, _| {
        let mut bytes = head(200, &[("Content-Length", "20")]);
        bytes.extend_from_slice(&BLOB[..7]);
        vec![Step::Send(bytes)]
    })
    .await;
    let (registry, ..) = anonymous();
    let (start, bytes, end) = read(&registry, &server, 0).await;
    assert_eq!((start, bytes.as_slice()), (0, &BLOB[..7]));
    assert!(matches!(end, Err(Problem::Connect(_) | Problem::Short { .. })), "{end:?}");
}

#[tokio::test]
async fn an_announced_length_that_is_not_the_descriptors_is_refused_before_a_byte_is_read() {
    let server = Hostile::start(|_, _| {
        vec![Step::Send(head(200, &[("Content-Length", "400000000")])), Step::Forever(vec![b'x'; 65536])]
    })
    .await;
    let (registry, ..) = anonymous();
    let (_, bytes, end) = read(&registry, &server, 0).await;
    assert!(matches!(end, Err(Problem::Size { expected: 20, actual: 400_000_000 })), "{end:?}");
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn an_endless_body_without_length_is_cut_at_the_size_of_the_descriptor() {
    let server =
        Hostile::start(|_, _| vec![Step::Send(head(200, &[])), Step::Forever(vec![b'x'; 65536])]).await;
    let (registry, ..) = anonymous();
    let (_, bytes, end) = read(&registry, &server, 0).await;
    assert!(matches!(end, Err(Problem::TooLarge { limit: 20, .. })), "{end:?}");
    assert!(bytes.len() <= BLOB.len());
    // What the two sockets and the reader buffer, not 400 MB.
    assert!(server.sent() < 32 << 20, "{} bytes were taken", server.sent());
}

#[tokio::test]
async fn chunked_garbage_is_a_broken_connection_and_proper_chunks_are_fine() {
    let server = Hostile::start(|_, nth| {
        let mut bytes = head(200, &[("Transfer-Encoding", "chunked")]);
        bytes.extend_from_slice(match nth {
            0 => b"ffffffffffffffffffff\r\nboom",
            _ => b"a\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n",
        });
        vec![Step::Send(bytes)]
    })
    .await;
    let (registry, ..) = anonymous();
    let (_, _, end) = read(&registry, &server, 0).await;
    assert!(matches!(end, Err(Problem::Connect(_))), "{end:?}");
    let (_, bytes, end) = read(&registry, &server, 0).await;
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(bytes, BLOB);
}

#[tokio::test]
async fn a_range_answer_that_is_not_the_range_asked_for_means_starting_over() {
    for (status, range, body) in [
        (206, "bytes 0-19/20", BLOB),
        (206, "bytes 6-19/20", &BLOB[6..]),
        (206, "bytes 5-19/21", &BLOB[5..]),
        (206, "", &BLOB[5..]),
        (206, "bytes 5-19/20", &BLOB[6..]),
        (416, "bytes */20", b""),
    ] {
        let server = Hostile::start(move |seen, _| match seen.header("range") {
            Some(asked) => {
                assert_eq!(asked, "bytes=5-");
                reply(status, &[("Content-Range", range)], body)
            }
            None => reply(200, &[], BLOB),
        })
        .await;
        let (registry, ..) = anonymous();
        let (start, bytes, end) = read(&registry, &server, 5).await;
        assert!(end.is_ok(), "{status} {range}: {end:?}");
        assert_eq!((start, bytes.as_slice()), (0, BLOB), "{status} {range}");
    }
}

#[tokio::test]
async fn a_proper_range_goes_on_and_an_ignored_one_says_that_it_starts_at_zero() {
    let server = Hostile::start(|_, nth| match nth {
        0 => reply(206, &[("Content-Range", "bytes 5-19/20")], &BLOB[5..]),
        _ => reply(200, &[], BLOB),
    })
    .await;
    let (registry, ..) = anonymous();
    let (start, bytes, end) = read(&registry, &server, 5).await;
    assert!(end.is_ok());
    assert_eq!((start, bytes.as_slice()), (5, &BLOB[5..]));
    let (start, bytes, end) = read(&registry, &server, 5).await;
    assert!(end.is_ok());
    assert_eq!((start, bytes.as_slice()), (0, BLOB));
    let (start, bytes, end) = read(&registry, &server, 20).await;
    assert!(end.is_ok() && bytes.is_empty() && start == 20, "a complete blob needs no request");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_encoded_body_is_refused_because_its_digest_would_be_another() {
    let server = Hostile::start(|_, _| reply(200, &[("Content-Encoding", "gzip")], BLOB)).await;
    let (registry, ..) = anonymous();
    let (_, _, end) = read(&registry, &server, 0).await;
    assert!(matches!(&end, Err(Problem::Malformed(text)) if text.contains("gzip")), "{end:?}");
    assert_eq!(server.seen()[0].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn endless_manifests_errors_tags_and_referrers_are_capped() {
    let server = Hostile::start(|seen, _| {
        let status = if seen.path.contains("denied") { 403 } else { 200 };
        vec![Step::Send(head(status, &[("Content-Type", mt::OCI_INDEX)])), Step::Forever(vec![b' '; 65536])]
    })
    .await;
    let (registry, ..) = anonymous();
    let repo = server.repo();
    let error = registry.manifest(&repo, "v1").await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::TooLarge { limit: 4_194_304, .. }), "{error}");
    let error = registry.tags(&repo).await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::TooLarge { .. }), "{error}");
    let (digest, _) = identify(BLOB);
    let error = registry.referrers(&repo, &digest).await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::TooLarge { .. }), "{error}");
    let error = registry.manifest(&repo, "denied").await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::Unauthorized { .. }), "{error}");
    assert!(error.to_string().len() < 1000);
}

#[tokio::test]
async fn a_tag_list_that_goes_in_circles_ends() {
    let server = Hostile::start(|seen, _| {
        let next = format!("<{}>; rel=\"next\"", seen.path);
        reply(200, &[("Link", &next)], r#"{"name":"team/app","tags":["v1","v2","../bad","\u001b[2J"]}"#)
    })
    .await;
    let (registry, ..) = anonymous();
    assert_eq!(registry.tags(&server.repo()).await.unwrap(), ["v1", "v2"]);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_stall_and_a_drip_end_and_are_told_apart() {
    let server = Hostile::start(|_, nth| match nth {
        0 => {
            vec![Step::Send(head(200, &[("Content-Length", "20")])), Step::Send(b"01".to_vec()), Step::Stall]
        }
        _ => {
            let drip = Step::Drip(b"x".to_vec(), Duration::from_millis(20), 10_000);
            vec![Step::Send(head(200, &[("Content-Length", "20")])), drip]
        }
    })
    .await;
    let (registry, ..) = anonymous();
    let began = Instant::now();
    let (_, bytes, end) = read(&registry, &server, 0).await;
    assert!(matches!(end, Err(Problem::Stalled(_))), "{end:?}");
    assert_eq!(bytes, b"01");
    assert!(began.elapsed() < Duration::from_secs(5));

    let big = Hostile::start(|_, _| {
        let drip = Step::Drip(b"x".to_vec(), Duration::from_millis(20), 10_000);
        vec![Step::Send(head(200, &[("Content-Length", "1000000")])), drip]
    })
    .await;
    let (digest, _) = identify(BLOB);
    let body = registry.blob(&big.repo(), &digest, 1_000_000, 0).await.unwrap();
    let end = body.stream.try_for_each(|_| async { Ok(()) }).await;
    assert!(matches!(end, Err(Problem::TooSlow { .. })), "{end:?}");
}

#[tokio::test]
async fn a_head_that_never_comes_is_a_stall_and_is_tried_again() {
    let server = Hostile::start(|_, nth| match nth {
        0 => vec![Step::Stall],
        _ => reply(200, &[], "{}"),
    })
    .await;
    let (registry, pause, _dir) = anonymous();
    assert_eq!(&registry.manifest(&server.repo(), "v1").await.unwrap().bytes[..], b"{}");
    assert_eq!(pause.asked().len(), 1);
}

#[tokio::test]
async fn r17_a_slow_link_passes_however_long_it_takes() {
    // 80 bytes each 10 ms are 64 kbit/s; the whole takes four times the idle time-out and three rate windows.
    let server = Hostile::start(|_, _| {
        let drip = Step::Drip(vec![b'z'; 80], Duration::from_millis(10), 200);
        vec![Step::Send(head(200, &[("Content-Length", "16000")])), drip]
    })
    .await;
    let (registry, ..) = anonymous();
    let (digest, size) = identify(&[b'z'; 16000]);
    let body = registry.blob(&server.repo(), &digest, size, 0).await.unwrap();
    let count = body.stream.try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) }).await.unwrap();
    assert_eq!(count, 16000);
}

#[tokio::test]
async fn bytes_that_are_not_what_was_asked_for_or_announced_are_an_integrity_error() {
    let (other, _) = identify(b"something else");
    let announced = other.to_string();
    let server =
        Hostile::start(move |_, _| reply(200, &[("Docker-Content-Digest", &announced)], "{\"a\":1}")).await;
    let (registry, ..) = anonymous();
    for selector in ["v1", &identify(b"a third").0.to_string()] {
        let error = registry.manifest(&server.repo(), selector).await.unwrap_err();
        assert!(matches!(&*error.problem, Problem::Digest { .. }), "{error}");
        assert_eq!(error.kind(), Kind::Integrity);
        let (actual, _) = identify(b"{\"a\":1}");
        assert!(error.to_string().contains(&actual.to_string()), "{error}");
    }
    assert_eq!(server.seen().len(), 2, "wrong content is not asked for again");
}

#[tokio::test]
async fn a_sha512_digest_is_asked_for_and_computed() {
    let sha512 = "sha512:";
    let body = "{}";
    let mut hasher = airlift::engine::hash::Hasher::new(airlift::domain::digest::Algorithm::Sha512);
    hasher.update(body.as_bytes());
    let digest: Digest = hasher.finish();
    let server = Hostile::start(move |_, _| reply(200, &[], body)).await;
    let (registry, ..) = anonymous();
    let fetched = registry.manifest(&server.repo(), &digest.to_string()).await.unwrap();
    assert_eq!(fetched.digest, digest);
    assert!(fetched.digest.to_string().starts_with(sha512));
}

#[tokio::test]
async fn an_error_from_a_registry_cannot_paint_the_terminal() {
    let server = Hostile::start(|_, _| {
        reply(
            404,
            &[],
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN\u001b[31m","message":"\u001b]0;x\u0007 no\r\n"}]}"#,
        )
    })
    .await;
    let (registry, ..) = anonymous();
    let error = registry.manifest(&server.repo(), "v1").await.unwrap_err();
    assert!(error.is_not_found());
    assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
    assert!(error.to_string().contains(&format!("{}:v1", server.repo())), "{error}");
}
