//! Reports as the engine makes them, for the screens that show them.

use std::sync::Arc;

use airlift::domain::bundle::{Missing, Totals};
use airlift::domain::diff::{Diff, Entry, Sum};
use airlift::domain::digest::Digest;
use airlift::domain::media::{FileSystem, Medium};
use airlift::engine::bundle::assemble::AssembleReport;
use airlift::engine::bundle::foresee::{Foreseen, Previous};
use airlift::engine::bundle::readback::{Method, ReadBack};
use airlift::engine::host::{HostFacts, KeyFacts};
use airlift::engine::media::Place as Lies;
use airlift::engine::pack::{PackReport, PlanReport};
use airlift::engine::resolve::{ResolveReport, ResolveTotals};
use airlift::engine::sheet::PackedFacts;
use airlift::engine::spec::JobReport;
use airlift::tui::assembly::Destination;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg, Query};
use airlift::widgets::stepper::StepState;

use crate::rig::{Desk, host, now};

pub(crate) const FINGERPRINT: &str = "SHA256:6y2Yp0SrkbWKPd0Yk3jRZ7Hn0oGJmXcT5xQv8aLuE4c";

pub(crate) fn digest(n: u8) -> Digest {
    Digest::sha256(&[n; 32])
}

/// A jump host with a key.
pub(crate) fn host_with_key() -> HostFacts {
    HostFacts {
        key: Some(KeyFacts {
            path: "/home/op/.local/share/airlift/signing_key".into(),
            fingerprint: FINGERPRINT.into(),
            id: "eb2d98a744ab91b5".into(),
        }),
        ..host()
    }
}

/// A workstation whose list of three is verified, with a medium and a key; at the step that assembles.
pub(crate) fn ready() -> Desk {
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Host(Arc::new(host_with_key()))));
    desk.keys("b");
    desk.tell(Msg::Paste("nginx:1.25.3\nredis:7.0.1\nregistry.k8s.io/etcd:3.5.12\n".into()));
    let to = Destination { to: "/media/op/KINGSTON".into(), words: "stick KINGSTON ..7F2A".into() };
    desk.app.model.choose_destination(Some(to));
    for place in [Place::Images, Place::Resolve, Place::Media] {
        desk.app.model.set_state(place, StepState::Ok);
    }
    desk.wait(10);
    desk.effects.clear();
    desk.keys("4");
    desk
}

/// The destination that was asked about last is looked at: it lies on this medium, mounted there.
pub(crate) fn looked(desk: &mut Desk, medium: Option<Medium>) {
    let asked = desk.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(Query::Place(path)) => Some(path.clone()),
        _ => None,
    });
    let path = asked.expect("no destination is asked about");
    let source = medium.as_ref().map_or("tmpfs".into(), |medium| medium.volumes[0].device.clone());
    let bundles = medium.as_ref().map_or_else(Vec::new, |medium| medium.volumes[0].bundles.clone());
    let place = Lies {
        path: path.clone(),
        mount_point: path.clone(),
        source,
        file_system: FileSystem::Fat,
        limits: None,
        read_only: false,
        after_error: false,
        writable: true,
        free: Some(1 << 40),
        bundles,
        medium,
    };
    desk.tell(Msg::Found(Found::Place(path, Box::new(place))));
}

pub(crate) fn resolved() -> ResolveReport {
    ResolveReport {
        images: Vec::new(),
        failed: Vec::new(),
        unsure: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
        changes: Vec::new(),
        moved: Vec::new(),
        as_carried: Vec::new(),
        totals: ResolveTotals { images: 3, blobs: 41, bytes: 61_200_000_000, bytes_unshared: 70_000_000_000 },
    }
}

pub(crate) fn plan() -> PlanReport {
    let entry = |reference: &str, n| Entry { reference: reference.to_owned(), digest: digest(n) };
    let diff = Diff {
        added: vec![entry("registry.k8s.io/etcd:3.5.12", 1)],
        removed: vec![entry("docker.io/library/busybox:1.36", 2)],
        changed: Vec::new(),
        unchanged: 2,
        new: Sum { blobs: 5, bytes: 4_100_000_000 },
        gone: Sum { blobs: 1, bytes: 2_000_000 },
        shared: Sum { blobs: 36, bytes: 57_100_000_000 },
    };
    PlanReport {
        rated: None,
        resolved: resolved(),
        missing: Vec::new(),
        expires: None,
        place: Foreseen {
            file_system: "vfat",
            free: Some(118_000_000_000),
            split: 2,
            layers: 30,
            files: 63,
            to_write: 61_200_000_000,
            to_fetch: 4_100_000_000,
            to_copy: 57_100_000_000,
            program: 32_100_000,
            path: "/media/op/KINGSTON/bundle-42".into(),
            serial: 42,
            goes_on: false,
            begun: None,
            refused: None,
            unsigned: None,
            repeats: false,
            not_carried: None,
            last_signed: Some(41),
            previous: Some(Previous {
                path: "/media/op/KINGSTON/bundle-41".into(),
                serial: 41,
                changes: Some(diff),
            }),
        },
    }
}

pub(crate) fn packed() -> PackReport {
    PackReport {
        bundle: AssembleReport {
            not_carried: None,
            path: "/media/op/KINGSTON/bundle-42".into(),
            id: "0193a7c2-5b1e-7d3a-9c41-2f6a8e0b7d15".parse().unwrap(),
            name: "bundle".into(),
            serial: 42,
            document: digest(0x9c),
            repeated: false,
            complete: true,
            missing: Vec::new(),
            totals: Totals { images: 3, blobs: 41, bytes: 61_200_000_000 },
            fetched_bytes: 4_100_000_000,
            kept_bytes: 0,
            copied_bytes: 57_100_000_000,
            read_back: Some(ReadBack { bytes: 61_200_400_000, method: Method::Direct, medium: true }),
            signed_by: FINGERPRINT.into(),
            key_ends_in: FINGERPRINT[FINGERPRINT.len() - 8..].into(),
            key_id: "eb2d98a744ab91b5".into(),
            expires: None,
        },
        resolved: resolved(),
    }
}

/// The report on it, as it is printed.
pub(crate) fn packed_sheet() -> String {
    let facts = PackedFacts {
        report: &packed(),
        warnings: &[],
        signatures: &[],
        medium: &[],
        public_key: None,
        made: now(),
    };
    airlift::engine::sheet::packed(&facts).text()
}

/// One of three could not be had.
pub(crate) fn incomplete() -> PackReport {
    let mut packed = packed();
    packed.bundle.complete = false;
    packed.bundle.totals.images = 2;
    packed.bundle.missing = vec![Missing {
        reference: "registry.k8s.io/etcd:3.5.12".into(),
        reason: "registry.k8s.io/etcd: manifest unknown (404)".into(),
    }];
    packed
}

pub(crate) fn done(report: JobReport) -> Ended {
    Ended::Succeeded(Arc::new(report))
}
