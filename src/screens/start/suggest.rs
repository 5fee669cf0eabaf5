//! Which side of the gap this host seems to be on, and why: by its network first, then by what lies on media.

use crate::domain::bundle::directory;
use crate::engine::host::HostFacts;
use crate::engine::media::MediaReport;
use crate::tui::model::Side;

/// The side, and the reason in words.
pub(super) fn side(host: &HostFacts, media: Option<&MediaReport>) -> (Side, String) {
    if host.default_route {
        return (Side::Connected, format!("network is up ({})", host.interfaces.join(", ")));
    }
    let network = "no default route";
    let why = match (bundle(media), host.runtimes.as_slice()) {
        (Some(bundle), _) => format!("{bundle}, {network}"),
        (None, []) => network.to_owned(),
        (None, runtimes) => format!("{network}, {} found", runtimes.join(", ")),
    };
    (Side::AirGapped, why)
}

/// The first bundle on a medium, in words.
fn bundle(media: Option<&MediaReport>) -> Option<String> {
    media?.media.iter().find_map(|medium| {
        let mut bundles = medium.volumes.iter().flat_map(|volume| &volume.bundles);
        let words = bundles.find_map(|bundle| bundle.words.as_ref())?;
        Some(format!("bundle {} on {}", directory(&words.name, words.serial), medium.short_name()))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::media::{BundleWords, Bus, FoundBundle, Medium, Volume};

    fn stick(bundle: bool) -> MediaReport {
        let words = BundleWords {
            id: uuid::Uuid::nil(),
            document: crate::domain::digest::Digest::sha256(&[0x42; 32]),
            name: "web".into(),
            serial: 42,
            created: jiff::Timestamp::UNIX_EPOCH,
            expires: None,
            images: 3,
            bytes: 1,
            signatures: 1,
            complete: true,
            signers: Vec::new(),
            version: String::new(),
            program: false,
            named: BTreeMap::new(),
        };
        let found =
            FoundBundle { path: "/m/web-42".into(), verified: false, words: Some(words), fault: None };
        let volume = Volume {
            device: "/dev/sdb1".into(),
            size: 1,
            file_system: None,
            label: None,
            uuid: None,
            mount_points: vec!["/m".into()],
            read_only: false,
            after_error: false,
            writable: Some(true),
            free: Some(1),
            limits: None,
            bundles: if bundle { vec![found] } else { Vec::new() },
            begun: BTreeMap::new(),
            blocked: None,
        };
        let medium = Medium {
            name: "sdb".into(),
            device: "/dev/sdb".into(),
            model: Some("KINGSTON".into()),
            serial: Some("00117F2A".into()),
            bus: Bus::Usb,
            removable: true,
            read_only: false,
            size: 1,
            sequence: None,
            file: None,
            volumes: vec![volume],
            blocked: None,
            notes: Vec::new(),
        };
        MediaReport { media: vec![medium] }
    }

    #[test]
    fn a_way_out_makes_it_the_connected_side_and_all_else_the_other() {
        let no_way = "no default route";
        for (route, runtimes, bundle, expected, why) in [
            (true, &[][..], None, Side::Connected, "network is up (eth0)".to_owned()),
            (true, &["containerd"], Some(true), Side::Connected, "network is up (eth0)".to_owned()),
            (false, &[], None, Side::AirGapped, no_way.to_owned()),
            (false, &[], Some(false), Side::AirGapped, no_way.to_owned()),
            (false, &["k3s", "docker"], Some(false), Side::AirGapped, format!("{no_way}, k3s, docker found")),
            (
                false,
                &["containerd"],
                Some(true),
                Side::AirGapped,
                format!("bundle web-42 on KINGSTON ..7F2A, {no_way}"),
            ),
        ] {
            let host = HostFacts {
                interfaces: vec!["eth0".into()],
                default_route: route,
                runtimes: runtimes.iter().map(|name| (*name).to_owned()).collect(),
                ..HostFacts::default()
            };
            assert_eq!(side(&host, bundle.map(stick).as_ref()), (expected, why));
        }
    }
}
