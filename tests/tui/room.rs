//! What is said where there is little room: the words that make it true, and those that help, are never what is cut.

use crate::media::seen;
use crate::rig::{Desk, text};

/// What stands on a screen of 60 by 16, folded lines as one.
fn smallest(desk: &mut Desk) -> String {
    text(&desk.frame(60, 16)).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn that_nobody_verified_what_a_medium_holds_is_never_cut() {
    let mut desk = crate::media::three();
    let mut medium = crate::media::carrying();
    medium.volumes[0].limits = None;
    let bundles = &mut medium.volumes[0].bundles;
    bundles.push(bundles[0].clone());
    seen(&mut desk, vec![medium]);
    let screen = smallest(&mut desk);
    assert!(screen.contains("holds 2 bundles (listed, not verified): site-41 and"), "{screen}");
}
