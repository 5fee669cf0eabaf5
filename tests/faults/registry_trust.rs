//! Hostile directions: redirects, token services, retries; captured requests prove where credentials went.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use airlift::domain::progress::{Event, Phase};
use airlift::domain::reference::Repository;
use airlift::engine::ctx::{JobCtx, Recording};
use airlift::engine::error::{Explain as _, Kind};
use airlift::engine::registry::error::TlsReason;
use airlift::engine::registry::transport::{Body, ByteStream};
use airlift::engine::registry::{HttpTransport, Problem, Registry, RegistryOptions, Transport};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;

use crate::hostile::{Hostile, Step, anonymous, canary_for, client, identify, quick, reply};

#[tokio::test]
async fn authorization_does_not_follow_a_redirect_to_another_host() {
    let store = Hostile::start(|_, _| reply(200, &[], "blob")).await;
    let target = format!("http://{}/data?sig=1", store.host());
    let server = Hostile::start(move |seen, _| match seen.header("authorization") {
        None => reply(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], ""),
        Some(_) => reply(307, &[("Location", &target)], ""),
    })
    .await;
    let (registry, _, _dir) = client(&canary_for(&[&server.host(), &store.host()]));
    let (digest, size) = identify(b"blob");
    let bytes = registry.small_blob(&server.repo(), &digest, size).await.unwrap();
    assert_eq!(&bytes[..], b"blob");
    let seen = server.seen();
    assert_eq!(seen.len(), 2, "no question precedes the request itself");
    assert!(seen[1].header("authorization").unwrap().starts_with("Basic "));
    assert_eq!(seen[1].header("user-agent"), Some(concat!("airlift/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(store.seen()[0].header("authorization"), None);
    // The second request carries the credentials at once.
    registry.small_blob(&server.repo(), &digest, size).await.unwrap();
    assert_eq!(server.seen().len(), 3);
}

/// Answers without a network, so that hosts far away can be played.
#[derive(Default)]
struct Played(Mutex<Vec<(String, bool)>>);

impl Transport for Played {
    fn send(
        &self,
        request: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<ByteStream>, Problem>> {
        let has_secret = request.headers().contains_key("authorization");
        self.0.lock().unwrap().push((request.uri().to_string(), has_secret));
        let answer = http::Response::builder();
        let answer = match request.uri().to_string().as_str() {
            "https://8.8.8.8/v2/a/manifests/plain" => answer
                .status(401)
                .header("www-authenticate", "Bearer realm=\"http://8.8.4.4/token\",service=s"),
            "https://8.8.8.8/v2/a/manifests/inward" => answer
                .status(401)
                .header("www-authenticate", "Bearer realm=\"https://10.0.0.1/token\",service=s"),
            "https://8.8.8.8/v2/a/manifests/down" => {
                answer.status(302).header("location", "http://8.8.8.8/x")
            }
            other => panic!("nobody may be asked for {other}"),
        };
        let answer = answer.body(futures_util::stream::empty().boxed()).unwrap();
        Box::pin(std::future::ready(Ok(answer)))
    }
}

#[tokio::test]
async fn a_token_service_over_plain_http_or_further_inside_gets_nothing_and_https_is_not_left() {
    let dir = tempfile::tempdir().unwrap();
    let authfile = dir.path().join("auth.json");
    std::fs::write(&authfile, canary_for(&["8.8.8.8", "8.8.4.4"])).unwrap();
    let options = RegistryOptions { authfile: Some(authfile), ..RegistryOptions::default() };
    let played = Arc::new(Played::default());
    let registry = Registry::with_transport(options, Arc::clone(&played) as Arc<dyn Transport>).unwrap();
    let repo = Repository { host: "8.8.8.8".to_owned(), path: "a".to_owned() };
    for tag in ["plain", "inward", "down"] {
        let error = registry.manifest(&repo, tag).await.unwrap_err();
        assert!(matches!(&*error.problem, Problem::Redirect { .. }), "{tag}: {error}");
    }
    let seen = played.0.lock().unwrap().clone();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(seen.iter().all(|(_, has_secret)| !has_secret), "{seen:?}");
}

#[tokio::test]
async fn redirect_loops_and_inward_redirects_end() {
    for (location, reason) in [
        ("/v2/team/app/manifests/v1", "too many"),
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
        ("file:///etc/passwd", "neither http nor https"),
        ("http://canary:secret@127.0.0.1/", "credentials in addresses"),
    ] {
        let server = Hostile::start(move |_, _| reply(302, &[("Location", location)], "")).await;
        let (registry, pause, _dir) = anonymous();
        let error = registry.manifest(&server.repo(), "v1").await.unwrap_err();
        assert!(matches!(&*error.problem, Problem::Redirect { .. }), "{error}");
        assert!(error.to_string().contains(reason) && !error.to_string().contains("secret"), "{error}");
        assert!(server.seen().len() <= 6 && pause.asked().is_empty());
    }
}

#[tokio::test]
async fn a_token_is_fetched_for_the_scope_kept_and_renewed_once_when_it_expires() {
    let server = Hostile::start(|seen, nth| {
        if seen.path.starts_with("/token") {
            return reply(200, &[], format!(r#"{{"token":"t{nth}","expires_in":300}}"#));
        }
        match seen.header("authorization") {
            // The first token is taken twice, then it has "expired".
            Some("Bearer t1") if nth < 4 => reply(200, &[], "{}"),
            Some("Bearer t5") => reply(200, &[], "{}"),
            _ => {
                let host = seen.header("host").unwrap();
                let challenge = format!(
                    "Bearer realm=\"http://{host}/token\",service=\"s&1\",scope=\"repository:team/app:pull\""
                );
                reply(401, &[("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", &challenge)], "")
            }
        }
    })
    .await;
    let (registry, pause, _dir) = client(&canary_for(&[&server.host()]));
    for _ in 0..3 {
        registry.manifest(&server.repo(), "v1").await.unwrap();
    }
    let seen = server.seen();
    let paths: Vec<&str> = seen.iter().map(|seen| seen.path.split('?').next().unwrap()).collect();
    let manifest = "/v2/team/app/manifests/v1";
    assert_eq!(paths, [manifest, "/token", manifest, manifest, manifest, "/token", manifest]);
    assert_eq!(seen[1].path, "/token?service=s%261&scope=repository%3Ateam%2Fapp%3Apull");
    assert!(seen[1].header("authorization").unwrap().starts_with("Basic "));
    assert!(pause.asked().is_empty(), "a renewed token is no retry");
}

#[tokio::test]
async fn an_identity_token_is_exchanged_by_post_and_never_put_into_an_address() {
    let server = Hostile::start(|seen, _| match (seen.path.as_str(), seen.header("authorization")) {
        ("/token", _) => reply(200, &[], r#"{"access_token":"fresh"}"#),
        (_, Some("Bearer fresh")) => reply(200, &[], "{}"),
        _ => reply(401, &[("WWW-Authenticate", "Bearer realm=\"/token\",service=s")], ""),
    })
    .await;
    let auth = format!(r#"{{"auths":{{"{}":{{"identitytoken":"canary-refresh"}}}}}}"#, server.host());
    let (registry, _, _dir) = client(&auth);
    registry.manifest(&server.repo(), "v1").await.unwrap();
    let seen = server.seen();
    let form = String::from_utf8(seen[1].body.clone()).unwrap();
    assert_eq!(seen[1].method, "POST");
    assert!(form.contains("grant_type=refresh_token") && form.contains("refresh_token=canary-refresh"));
    assert!(seen.iter().all(|seen| !seen.path.contains("canary")));
}

#[tokio::test]
async fn an_endless_or_empty_token_answer_is_refused_and_shows_nothing() {
    for endless in [true, false] {
        let server = Hostile::start(move |seen, _| {
            if !seen.path.starts_with("/token") {
                return reply(401, &[("WWW-Authenticate", "Bearer realm=\"/token\"")], "");
            }
            if endless {
                return vec![Step::Send(crate::hostile::head(200, &[])), Step::Forever(vec![b' '; 65536])];
            }
            reply(200, &[], r#"{"refresh_token":"canary-token"}"#)
        })
        .await;
        let (registry, _, _dir) = anonymous();
        let error = registry.manifest(&server.repo(), "v1").await.unwrap_err();
        assert!(matches!(
            &*error.problem,
            Problem::TooLarge { limit: 1_048_576, .. } | Problem::Malformed(_)
        ));
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_the_registrys_reason_is_kept() {
    let server = Hostile::start(|_, _| {
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"the account is locked"}]}"#;
        reply(401, &[("WWW-Authenticate", "Basic realm=x")], body)
    })
    .await;
    let (registry, pause, dir) = client(&canary_for(&[&server.host()]));
    let error = registry.manifest(&server.repo(), "v1").await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("the account is locked") && text.contains("UNAUTHORIZED"), "{text}");
    assert!(text.contains(&dir.path().join("auth.json").display().to_string()), "{text}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    assert_eq!(error.kind(), Kind::Network);
    assert_eq!(server.seen().len(), 2, "once without and once with the password");
    assert!(pause.asked().is_empty());
}

#[tokio::test]
async fn r18_429_waits_as_asked_and_401_and_404_are_not_retried() {
    let server = Hostile::start(|_, nth| match nth {
        0 => reply(429, &[("Retry-After", "7")], ""),
        1 => reply(429, &[("Retry-After", "86400")], ""),
        _ => reply(200, &[], "{}"),
    })
    .await;
    let (registry, pause, _dir) = anonymous();
    let recording = Arc::new(Recording::default());
    let ctx = JobCtx::new(Arc::clone(&recording) as Arc<_>);
    registry.for_job(&ctx, Phase::Fetch).manifest(&server.repo(), "v1").await.unwrap();
    assert_eq!(
        pause.asked(),
        [Duration::from_secs(7), Duration::from_secs(60)],
        "as asked, at most a minute"
    );
    let events = recording.events();
    assert!(matches!(&events[0], Event::Retry { attempt: 2, wait_ms: 7000, phase: Phase::Fetch, .. }));
    assert!(matches!(&events[1], Event::Retry { attempt: 3, wait_ms: 60_000, .. }));

    for status in [400, 401, 403, 404, 405] {
        let server = Hostile::start(move |_, _| reply(status, &[], "no")).await;
        let (registry, pause, _dir) = anonymous();
        let error = registry.manifest(&server.repo(), "v1").await.unwrap_err();
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(server.seen().len(), 1, "{status}");
        assert!(pause.asked().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn a_storm_of_errors_ends_after_a_bounded_number_of_growing_pauses() {
    for status in [429, 500, 502, 503, 504] {
        let server = Hostile::start(move |_, _| reply(status, &[], "")).await;
        let (registry, pause, _dir) = anonymous();
        let error = registry.manifest(&server.repo(), "v1").await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(server.seen().len(), 5, "{status}");
        let asked = pause.asked();
        assert_eq!(asked.len(), 4);
        assert!(
            asked[3] > asked[0] && asked.iter().all(|pause| *pause < Duration::from_secs(60)),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn a_job_that_is_cancelled_does_not_wait_for_the_network() {
    let server = Hostile::start(|_, _| vec![Step::Stall]).await;
    let registry = Registry::new(RegistryOptions::default()).unwrap();
    let ctx = JobCtx::silent();
    let registry = registry.for_job(&ctx, Phase::Fetch);
    let began = Instant::now();
    let repo = server.repo();
    let (outcome, ()) = tokio::join!(registry.manifest(&repo, "v1"), async {
        while server.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        ctx.cancel.cancel();
    });
    assert_eq!(outcome.unwrap_err().kind(), Kind::Interrupted);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_said_so_and_not_retried() {
    let (registry, pause, _dir) = anonymous();
    let repo = Repository { host: "registry.invalid".to_owned(), path: "a".to_owned() };
    let error = registry.manifest(&repo, "v1").await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::Dns(_)), "{error:?}");
    assert!(error.to_string().contains("registry.invalid/a:v1"), "{error}");
    assert!(pause.asked().is_empty());
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_tried_again_and_then_named() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (registry, pause, _dir) = anonymous();
    let repo = Repository { host: format!("127.0.0.1:{port}"), path: "a".to_owned() };
    let error = registry.manifest(&repo, "v1").await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::Connect(_)), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert_eq!(pause.asked().len(), 4);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_from_a_bad_certificate() {
    let server = Hostile::start(|_, _| reply(200, &[], "{}")).await;
    let transport = HttpTransport::new(Vec::new(), &[], quick());
    let request = http::Request::get(format!("https://{}/v2/", server.host())).body(Body::Empty).unwrap();
    let Err(problem) = transport.send(request).await else { panic!("there is no TLS") };
    assert!(matches!(problem, Problem::Tls { reason: TlsReason::NotTls, .. }), "{problem:?}");
    assert!(!problem.is_retryable());
}
