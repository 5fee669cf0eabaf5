//! Whether the list fits a medium: beside what lies there of it, as the plan counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use airlift::domain::expiry::Expiry;
use airlift::domain::lying::{Lying, program_path};
use airlift::domain::media::{BundleWords, FoundBundle, Medium};
use airlift::engine::host::HostFacts;
use airlift::tui::model::Place;
use airlift::tui::msg::{Found, Msg};
use jiff::Span;

use crate::made::{FINGERPRINT, host_with_key};
use crate::media::{carrying, seen, stick, verified};
use crate::resolve::digest;
use crate::rig::{Desk, now};

/// Bytes of this program.
const PROGRAM: u64 = 31_400_000;

fn small() -> Medium {
    let mut small = stick(7, Some("/media/op/CARGO"));
    small.volumes[0].free = Some(23_600_000);
    small
}

fn verified_with(medium: Medium) -> Desk {
    let mut desk = verified(vec![medium]);
    desk.tell(Msg::Found(Found::Host(Arc::new(HostFacts { program: PROGRAM, ..host_with_key() }))));
    desk
}

/// All of the list and this program.
fn all_of_it() -> Lying {
    let blobs = [('a', 60_000_000), ('b', 60_000_000), ('c', 60_000_000), ('0', 1000)];
    let blobs = blobs.map(|(c, size)| (digest(c).layout_path(), size));
    blobs.into_iter().chain([(program_path(), PROGRAM)]).collect()
}

fn chosen(desk: &mut Desk) -> bool {
    desk.keys("Enter");
    desk.app.model.place == Place::Assemble
}

#[test]
fn what_lies_there_of_an_interrupted_bundle_of_the_list_needs_no_room_and_neither_does_the_program() {
    for (name, fits) in [("bundle", true), ("other", false)] {
        let mut medium = small();
        medium.volumes[0].begun = BTreeMap::from([(name.to_owned(), Arc::new(all_of_it()))]);
        let mut desk = verified_with(medium);
        let screen = desk.screen();
        assert_eq!(screen.contains("x fits: no"), !fits, "{screen}");
        assert_eq!(chosen(&mut desk), fits, "{}", desk.screen());
        if fits {
            let screen = desk.keys("3").screen();
            assert!(screen.contains("[3 Media ok]") && screen.contains("fits: yes, 5 % of"), "{screen}");
        }
    }
}

#[test]
fn only_what_is_lacking_is_counted_beside_an_interrupted_bundle() {
    let mut begun = all_of_it();
    let cut = digest('c').layout_path();
    begun.remove(&cut);
    begun.insert(format!("{cut}.tmp"), 30_000_000);
    let mut medium = small();
    medium.volumes[0].begun = BTreeMap::from([("bundle".to_owned(), Arc::new(begun))]);
    let screen = verified_with(medium).screen();
    assert!(screen.contains("x fits: no: 10.5 MB more needed"), "{screen}");
}

/// A signed bundle of these images.
fn holding(named: BTreeMap<String, airlift::domain::digest::Digest>) -> Medium {
    let found = carrying().volumes[0].bundles[0].clone();
    let words = found.words.clone().unwrap();
    let words = BundleWords {
        name: "bundle".to_owned(),
        bytes: 180_001_000,
        signers: vec![FINGERPRINT.to_owned()],
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program: true,
        named,
        ..words
    };
    let mut medium = small();
    medium.volumes[0].bundles =
        vec![FoundBundle { path: "/media/op/CARGO/bundle-41".into(), words: Some(words), ..found }];
    medium
}

#[test]
fn a_medium_with_the_signed_bundle_of_the_list_fits_and_one_with_another_bundle_does_not() {
    let desk = verified_with(small());
    let images = desk.app.model.picked.checked.images();
    let mut named: BTreeMap<_, _> =
        images.map(|image| (image.reference.to_string(), image.digest.clone())).collect();
    let mut desk = verified_with(holding(named.clone()));
    assert!(chosen(&mut desk), "{}", desk.screen());
    assert!(desk.keys("3").screen().contains("fits: yes, 5 % of"), "{}", desk.screen());
    let unlike = |change: &dyn Fn(&mut BundleWords)| {
        let mut medium = holding(named.clone());
        change(medium.volumes[0].bundles[0].words.as_mut().unwrap());
        medium
    };
    for medium in [
        unlike(&|words| words.signers = vec!["SHA256:anothers".to_owned()]),
        unlike(&|words| words.expires = Some(now() + Span::new().hours(24 * 88))),
        unlike(&|words| words.version = "0.0.1".to_owned()),
    ] {
        seen(&mut desk, vec![medium]);
        assert!(desk.screen().contains("x fits: no: "), "{}", desk.screen());
    }
    desk.app.model.assembly.expires = Some(Expiry::Hours(24 * 90));
    for (days, fits) in [(90, "fits: yes, 5 % of"), (88, "x fits: no: ")] {
        let expires = now() + Span::new().hours(24 * days);
        seen(&mut desk, vec![unlike(&|words| words.expires = Some(expires))]);
        assert!(desk.screen().contains(fits), "{}", desk.screen());
    }
    desk.app.model.assembly.expires = None;
    named.pop_last();
    seen(&mut desk, vec![holding(named)]);
    let screen = desk.screen();
    assert!(screen.contains("[3 Media FAILED]") && screen.contains("x fits: no: "), "{screen}");
}
