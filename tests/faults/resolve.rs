//! Resolving from registries that refuse, lie or keep what no tool can carry: what is said, and what is resolved all the same.

use std::collections::HashMap;
use std::sync::Arc;

use airlift::domain::digest::Digest;
use airlift::domain::media_type as mt;
use airlift::domain::progress::Event;
use airlift::domain::resolved::ResolvedImage;
use airlift::domain::selection::Request;
use airlift::engine::ctx::{JobCtx, Recording};
use airlift::engine::error::{EngineError, Kind};
use airlift::engine::hash::sha256;
use airlift::engine::resolve::{ResolveSpec, resolve};
use serde_json::json;

use crate::hostile::{Hostile, Seen, Step, anonymous, reply};

const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;

/// What a registry holds, by the path of a request; anything else is not found.
#[derive(Clone, Default)]
struct Held(HashMap<String, (String, Vec<u8>)>);

impl Held {
    /// A small image under the tag `1`.
    fn image() -> (Self, Digest) {
        let mut held = Self::default();
        let config = json!({ "mediaType": mt::OCI_CONFIG, "digest": sha256(CONFIG), "size": CONFIG.len() });
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "config": config, "layers": [] });
        held.0.insert(path("blobs", &sha256(CONFIG).to_string()), (String::new(), CONFIG.to_vec()));
        let digest = held.manifest("1", mt::OCI_MANIFEST, manifest.to_string().as_bytes());
        (held, digest)
    }

    fn manifest(&mut self, tag: &str, media_type: &str, bytes: &[u8]) -> Digest {
        let digest = sha256(bytes);
        for selector in [tag, &digest.to_string()] {
            self.0.insert(path("manifests", selector), (media_type.to_owned(), bytes.to_vec()));
        }
        digest
    }

    fn answer(&self, seen: &Seen) -> Vec<Step> {
        match self.0.get(seen.path.split('?').next().unwrap()) {
            Some((kind, bytes)) => reply(200, &[("Content-Type", kind)], bytes),
            None => reply(404, &[], r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
        }
    }

    async fn serve(self) -> Hostile {
        Hostile::start(move |seen, _| self.answer(seen)).await
    }
}

fn path(what: &str, name: &str) -> String {
    format!("/v2/team/app/{what}/{name}")
}

/// Resolves tag `1` and gives the warnings too.
async fn resolve_one(server: &Hostile) -> (Result<ResolvedImage, EngineError>, Vec<String>) {
    let (registry, _, _dir) = anonymous();
    let requests = vec![Request::parse(&format!("{}:1", server.repo())).unwrap()];
    let spec = ResolveSpec { requests, platforms: Vec::new(), jobs: 1, signatures: true, nearby: Vec::new() };
    let said = Arc::new(Recording::default());
    let ctx = JobCtx::new(said.clone());
    let outcome = resolve(&spec, &registry, &ctx).await.unwrap().remove(0);
    let warnings = said.events().into_iter().filter_map(|event| match event {
        Event::Warning { text } => Some(text),
        _ => None,
    });
    (outcome.map_err(|failed| failed.error), warnings.collect())
}

#[tokio::test]
async fn an_image_is_resolved_although_its_signatures_cannot_be_looked_up() {
    for (status, words) in [(403, "403"), (500, "500"), (200, "malformed")] {
        let (held, digest) = Held::image();
        let server = Hostile::start(move |seen, _| {
            if seen.path.contains("/referrers/") || seen.path.contains("/sha256-") {
                let refusal = if status == 200 { 403 } else { status };
                // A proxy that answers what it does not know with a page for people.
                let page = seen.path.contains("/referrers/") && status == 200;
                return reply(if page { 200 } else { refusal }, &[], "<html>no</html>");
            }
            held.answer(seen)
        })
        .await;
        let (outcome, warnings) = resolve_one(&server).await;
        let image = outcome.unwrap();
        assert_eq!((&image.digest, image.documents.len()), (&digest, 1));
        assert_eq!(warnings.len(), 2, "one for each way to ask: {warnings:?}");
        let name = format!("{}:1", server.repo());
        assert!(warnings.iter().all(|warning| warning.contains(&name)), "{warnings:?}");
        assert!(warnings.iter().any(|warning| warning.contains(words)), "{warnings:?}");
    }
}

#[tokio::test]
async fn a_referrer_that_is_listed_but_gone_is_left_out_with_the_index_that_lists_it() {
    let (mut held, digest) = Held::image();
    let empty = json!({ "mediaType": mt::OCI_EMPTY, "digest": sha256(b"{}"), "size": 2 });
    let there = json!({ "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "config": empty, "layers": [] });
    let there = there.to_string();
    let kept = held.manifest("unused", mt::OCI_MANIFEST, there.as_bytes());
    let listed = [(kept.clone(), there.len()), (sha256(b"gone"), 4)]
        .map(|(digest, size)| json!({ "mediaType": mt::OCI_MANIFEST, "digest": digest, "size": size }));
    let index = json!({ "schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": listed });
    held.manifest(&format!("sha256-{}", digest.hex()), mt::OCI_INDEX, index.to_string().as_bytes());
    let server = held.serve().await;
    let (outcome, warnings) = resolve_one(&server).await;
    let image = outcome.unwrap();
    let carried: Vec<&Digest> = image.documents.iter().map(|document| &document.digest).collect();
    assert_eq!(carried, [&digest, &kept]);
    assert_eq!((image.signatures, image.extra_tags), (vec![kept], Vec::new()));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains(&sha256(b"gone").to_string()), "{warnings:?}");
}

#[tokio::test]
async fn r25_what_the_referrers_api_lists_is_carried_and_so_is_its_own_signature() {
    let (mut held, digest) = Held::image();
    let artifact = |text: &[u8]| {
        let layer = json!({ "mediaType": "text/plain", "digest": sha256(text), "size": text.len() });
        let empty = json!({ "mediaType": mt::OCI_EMPTY, "digest": sha256(b"{}"), "size": 2 });
        json!({ "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "config": empty, "layers": [layer] })
            .to_string()
    };
    let sbom = artifact(b"sbom");
    let listed = held.manifest("unused", mt::OCI_MANIFEST, sbom.as_bytes());
    let descriptor = json!({ "mediaType": mt::OCI_MANIFEST, "digest": listed, "size": sbom.len() });
    let index = json!({ "schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": [descriptor] });
    let answer = (mt::OCI_INDEX.to_owned(), index.to_string().into_bytes());
    held.0.insert(path("referrers", &digest.to_string()), answer);
    let tag = format!("sha256-{}.sig", listed.hex());
    let signature = held.manifest(&tag, mt::OCI_MANIFEST, artifact(b"signature").as_bytes());
    let (outcome, warnings) = resolve_one(&held.serve().await).await;
    let image = outcome.unwrap();
    assert_eq!(image.signatures, [listed, signature.clone()]);
    // The answer of the API is no document of the registry: only cosign's tag is one.
    assert_eq!(image.extra_tags, [(tag, signature)]);
    assert_eq!((image.documents.len(), warnings), (3, Vec::new()));
    for text in [&b"sbom"[..], b"signature"] {
        assert!(image.blobs.iter().any(|blob| blob.digest == sha256(text)));
    }
}

#[tokio::test]
async fn a_damaged_signature_is_no_missing_one() {
    let (mut held, digest) = Held::image();
    let other = json!({ "mediaType": mt::OCI_MANIFEST, "digest": sha256(b"promised"), "size": 8 });
    let index = json!({ "schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": [other] });
    held.manifest(&format!("sha256-{}", digest.hex()), mt::OCI_INDEX, index.to_string().as_bytes());
    let promised = path("manifests", &sha256(b"promised").to_string());
    held.0.insert(promised, (mt::OCI_MANIFEST.to_owned(), b"another!".to_vec()));
    let (outcome, _) = resolve_one(&held.serve().await).await;
    assert_eq!(outcome.unwrap_err().kind(), Kind::Integrity);
}

#[tokio::test]
async fn schema_1_and_other_forms_that_nobody_can_carry_are_refused_by_name() {
    let v1 = br#"{"schemaVersion":1,"name":"team/app","tag":"1","architecture":"amd64","fsLayers":[],"history":[]}"#;
    for (media_type, bytes, said) in [
        ("application/vnd.docker.distribution.manifest.v1+json", &v1[..], "schema"),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", &v1[..], "schema"),
        ("application/vnd.oci.artifact.manifest.v1+json", br#"{"blobs":[]}"#, "artifact.manifest"),
    ] {
        let mut held = Held::default();
        held.manifest("1", media_type, bytes);
        let (outcome, _) = resolve_one(&held.serve().await).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), Kind::Network, "{error}");
        assert!(error.message().contains(said) && !error.hints().is_empty(), "{error}");
    }
}

#[tokio::test]
async fn indexes_without_end_contradicting_sizes_and_foreign_layers_are_refused() {
    let (mut held, _) = Held::image();
    let mut digest = None::<(Digest, usize)>;
    for _ in 0..8 {
        let child = digest
            .map(|(digest, size)| json!({ "mediaType": mt::OCI_INDEX, "digest": digest, "size": size }));
        let manifests: Vec<_> = child.into_iter().collect();
        let index = json!({ "schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": manifests });
        let bytes = index.to_string();
        digest = Some((held.manifest("1", mt::OCI_INDEX, bytes.as_bytes()), bytes.len()));
    }
    let (outcome, _) = resolve_one(&held.serve().await).await;
    assert!(outcome.unwrap_err().message().contains("nested deeper than 4"));
    let image = |layers: serde_json::Value| {
        let config = json!({ "mediaType": mt::OCI_CONFIG, "digest": sha256(CONFIG), "size": CONFIG.len() });
        json!({ "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "config": config, "layers": layers })
    };
    let layer = |size: u64| json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": sha256(b"x"), "size": size });
    let mut foreign = layer(1);
    foreign["urls"] = json!(["https://elsewhere.example/x"]);
    for (layers, said) in [
        (json!([layer(1), layer(2)]), "one descriptor says 1 bytes, another 2"),
        (json!([foreign]), "https://elsewhere.example/x"),
    ] {
        let (mut held, _) = Held::image();
        held.manifest("1", mt::OCI_MANIFEST, image(layers).to_string().as_bytes());
        let server = held.serve().await;
        let (outcome, _) = resolve_one(&server).await;
        let error = outcome.unwrap_err();
        assert!(error.message().contains(said), "{error}");
    }
}
