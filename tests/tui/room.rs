//! What is said where there is little room: the words that make it true, and those that help, are never what is cut.

use airlift::domain::progress::{Event, Phase};

use crate::assemble::{fetching, running, s, show};
use crate::media::seen;
use crate::rig::{Desk, text};

/// What stands on a screen of 60 by 16, folded lines as one.
fn smallest(desk: &mut Desk) -> String {
    text(&desk.frame(60, 16)).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A fetch whose registry is gone.
fn awaiting(host: &str) -> Desk {
    let mut desk = running();
    let mut view = fetching();
    let phase = Phase::Fetch;
    view.apply(&Event::Awaited { phase, host: host.to_owned(), attempt: 8, left_ms: 50_000 }, s(62));
    show(&mut desk, view, 70);
    desk
}

#[test]
fn how_far_it_is_and_how_long_a_host_is_waited_for_comes_before_a_bar() {
    let mut desk = awaiting("127.0.0.1:5000");
    let screen = smallest(&mut desk);
    let row = text(&desk.frame(60, 16)).lines().find(|line| line.starts_with(" fetch")).unwrap().to_owned();
    assert!(
        row.contains("! waiting, 42 s left")
            && row.contains("45 %")
            && row.contains(" GB")
            && row.contains('['),
        "{row}"
    );
    assert!(screen.contains("! waiting for 127.0.0.1:5000, try 8: gives up in 42 s"), "{screen}");
    let wide = desk.screen();
    assert!(wide.contains("! waiting for 127.0.0.1:5000, try 8, 42 s left"), "{wide}");
    assert!(!wide.contains("gives up"), "it is said once: {wide}");
    insta::assert_snapshot!(desk.picture());
    let host = "registry-with-a-long-name.production.cluster.example:5000";
    let mut desk = awaiting(host);
    assert!(smallest(&mut desk).contains(&format!("! waiting for {host}, try 8: gives up in 42 s")));
    let screen = desk.screen().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        screen.contains("! waiting, 42 s left") && screen.contains("try 8: gives up in 42 s"),
        "{screen}"
    );
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
