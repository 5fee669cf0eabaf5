//! Bundles on offer as the engine tells of them, for the screens that show them.

use std::sync::Arc;

use airlift::domain::bundle::{Image, ImagePlatform, Tool, Totals};
use airlift::domain::reference::Reference;
use airlift::domain::trust::SerialDecision;
use airlift::engine::bundle::inspect::{InspectReport, Signature};
use airlift::engine::bundle::offer::{Offer, Said};
use airlift::engine::sign::{Outcome, SignatureReport, TrustReport};
use airlift::tui::msg::{Found, Msg};

use crate::made::{FINGERPRINT, digest};
use crate::rig::now;

/// The answer to the query for bundles.
pub(crate) fn found(offers: Vec<Offer>) -> Msg {
    Msg::Found(Found::Bundles(Vec::new(), Arc::new(offers)))
}

/// One of each kind.
pub(crate) fn standing() -> Vec<Offer> {
    let mut unknown = offer(7, None);
    unknown.path = "/srv/transfer/other-7".into();
    unknown.medium = None;
    if let Ok(said) = &mut unknown.said {
        said.report.name = "other".into();
    }
    let mut parts = offer(43, Some(SerialDecision::Newer { from: 41 }));
    if let Ok(said) = &mut parts.said {
        said.parts = (3, 2);
    }
    vec![
        offer(42, Some(SerialDecision::Newer { from: 41 })),
        parts,
        offer(40, Some(SerialDecision::Rollback { accepted: 41, offered: 40 })),
        expired(39),
        unknown,
    ]
}

/// A bundle that expired the day before.
pub(crate) fn expired(serial: u64) -> Offer {
    let mut offer = offer(serial, Some(SerialDecision::Newer { from: 1 }));
    if let Ok(said) = &mut offer.said {
        said.report.expires = Some("2026-11-20T00:00:00Z".parse().unwrap());
    }
    offer
}

/// A bundle on a stick, signed by a key that is trusted where there is a decision on its serial.
pub(crate) fn offer(serial: u64, decision: Option<SerialDecision>) -> Offer {
    let trusted = decision.is_some();
    let said = Said {
        report: report(serial),
        parts: (0, 0),
        trust: trust(trusted),
        serial: decision,
        problems: vec![],
    };
    Offer {
        path: format!("/media/op/KINGSTON/site-{serial}").into(),
        medium: Some("KINGSTON ..7F2A".into()),
        given: Vec::new(),
        said: Ok(Box::new(said)),
    }
}

fn report(serial: u64) -> InspectReport {
    InspectReport {
        bundle: format!("/media/op/KINGSTON/site-{serial}").into(),
        verified: false,
        manifest_digest: digest(1),
        id: "0193a5c8-1d2e-7b44-9a53-5e1f20c47f2a".parse().unwrap(),
        name: "site".into(),
        serial,
        created: "2026-11-20T09:30:00Z".parse().unwrap(),
        expires: Some("2027-02-18T09:30:00Z".parse().unwrap()),
        expired: false,
        tool: Tool { version: "0.1.0".into(), binaries: vec![] },
        base: None,
        complete: true,
        missing: vec![],
        images: ["docker.io/library/nginx:1.25.3", "registry.k8s.io/etcd:3.5.12"].map(image).to_vec(),
        blobs_in_parts: 0,
        totals: Totals { images: 2, blobs: 14, bytes: 61_200_000_000 },
        signatures: vec![Signature {
            path: "airlift/signatures/eb2d98a744ab91b5.sig".into(),
            fingerprint: Some(FINGERPRINT.into()),
            key_id: Some("eb2d98a744ab91b5".into()),
            public_key: Some("ssh-ed25519 AAAA".into()),
            fault: None,
        }],
    }
}

pub(crate) fn image(reference: &str) -> Image {
    let platform = ImagePlatform {
        os: "linux".into(),
        architecture: "amd64".into(),
        variant: None,
        digest: digest(3),
        size: 71_200_000,
    };
    let reference: Reference = reference.parse().unwrap();
    Image {
        requested: reference.to_string(),
        reference,
        digest: digest(2),
        media_type: "application/vnd.oci.image.index.v1+json".into(),
        source: "docker.io/library".into(),
        resolved_at: now(),
        platforms: vec![platform],
        omitted_platforms: vec![],
        signatures: vec![],
        findings: vec![],
    }
}

pub(crate) fn trust(trusted: bool) -> TrustReport {
    let outcome = if trusted {
        Outcome::Good { principals: "release@example.com".into() }
    } else {
        Outcome::UnknownKey
    };
    let keys = || if trusted { vec![FINGERPRINT.to_owned()] } else { vec![] };
    TrustReport {
        required: 1,
        signed_by: keys(),
        decided_at: now(),
        trust_file: "/home/op/.config/airlift/allowed_signers".into(),
        trusted: keys(),
        signatures: vec![SignatureReport {
            file: "airlift/signatures/eb2d98a744ab91b5.sig".into(),
            fingerprint: Some(FINGERPRINT.into()),
            key_id: Some("eb2d98a744ab91b5".into()),
            algorithm: Some("ssh-ed25519".into()),
            outcome,
            note: None,
        }],
        notes: vec![],
    }
}
