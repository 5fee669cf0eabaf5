//! The pictures in the README: frames of the workstation, held to what it draws now.
//!
//! `AIRLIFT_PICTURES=write cargo test --test tui pictures` brings them up to date.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use airlift::tui::msg::Msg;

use crate::rig::Desk;
use crate::svg::svg;
use crate::{assemble, import, media, report, resolve};

/// File name without its ending, title, and how to get there.
type Picture = (&'static str, &'static str, fn() -> Desk);

const PICTURES: &[Picture] = &[
    ("start", "Start: what this host is, and two doors", Desk::new),
    ("images", "Images: the list of what is to be carried, with findings", images),
    ("verify", "Verify: what each tag names now; what failed stands first", resolve::one_failed),
    ("media", "Media: what is plugged in, and why some cannot be chosen", media::three),
    ("assemble", "Assemble and sign: every phase by itself, and each item", assemble::under_way),
    ("import", "Import: where to, and what becomes of each image there", import::planned),
    ("report", "Report: the verdict, and what is carried on paper", report::well),
];

pub(crate) fn images() -> Desk {
    let mut desk = Desk::new();
    desk.keys("b");
    desk.tell(Msg::Paste(
        "registry.k8s.io/kube-apiserver:v1.31.2\nregistry.k8s.io/etcd:3.5.15-0\n\
         registry.k8s.io/coredns/coredns:v1.11.3\nregistry.k8s.io/pause:3.10\nnginx:1.27.2\nredis:latest\n\
         ghcr.io/fluxcd/source-controller:v1.4.1\nquay.io/prometheus/prometheus:v2.55.0\n"
            .into(),
    ));
    desk.keys("Down Down Space").wait(10);
    desk
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/screens")
}

#[test]
fn pictures_show_what_the_workstation_draws() {
    let write = std::env::var("AIRLIFT_PICTURES").is_ok_and(|value| value == "write");
    for (name, title, desk) in PICTURES {
        let (file, now) = (directory().join(name).with_extension("svg"), svg(title, &desk().frame(80, 24)));
        if write {
            fs::create_dir_all(directory()).unwrap();
            fs::write(&file, &now).unwrap();
        }
        assert!(now.len() < 32 << 10, "{name}: {} bytes", now.len());
        let there = fs::read_to_string(&file).unwrap_or_default();
        let differs = there.lines().zip(now.lines()).find(|(there, now)| there != now);
        assert!(
            there == now,
            "assets/screens/{name}.svg is not what is drawn now: {differs:?}; look at it again and run\n  \
             AIRLIFT_PICTURES=write cargo test --test tui pictures"
        );
    }
}

#[test]
fn the_readme_shows_every_picture_and_none_is_left_over() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let names: BTreeSet<String> = PICTURES.iter().map(|(name, ..)| format!("{name}.svg")).collect();
    for name in &names {
        assert!(readme.contains(&format!("](assets/screens/{name})")), "README.md does not show {name}");
    }
    let files = fs::read_dir(directory()).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, names);
}
