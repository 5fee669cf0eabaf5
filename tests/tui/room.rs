//! What is said where there is little room: the words that make it true, and those that help, are never what is cut.

use std::sync::Arc;

use airlift::domain::progress::{Event, Phase};
use airlift::domain::view::JobView;
use airlift::engine::error::Kind;
use airlift::failure::Failure;
use airlift::tui::msg::{Ended, Msg};

use crate::assemble::{fetching, running, s, show};
use crate::made::looked;
use crate::media::seen;
use crate::rig::{Desk, text};
use crate::start::stick;

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
            && row.contains("53 %")
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
fn what_helps_is_seen_before_items_are() {
    let mut desk = crate::gone_on::failed();
    desk.keys("r");
    looked(&mut desk, Some(stick()));
    let mut view = JobView::default();
    let phase = Phase::Resolve;
    view.apply(&Event::Started { phase, items: 6, bytes: 0 }, s(0));
    for n in 0..5 {
        view.apply(&Event::Done { phase, item: format!("r.example/app-{n}:1"), bytes: 1 }, s(1));
    }
    let (item, reason) = ("r.example/gcc:12".to_owned(), "not found".to_owned());
    view.apply(&Event::Failed { phase, item, reason }, s(1));
    desk.tell(Msg::Job(desk.job(), Arc::new(view)));
    let words = "1 of 6 references cannot be packed: r.example/gcc:12: not found (HTTP 404 MANIFEST_UNKNOWN)";
    let failure = Failure::new(Kind::Network, words)
        .hint("check the name and the tag; `airlift resolve --from registry:HOST/REPO` lists what is there")
        .hint("--keep-going packs the rest and marks the bundle incomplete; this run wrote nothing");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(failure))).wait(10);
    let screen = desk.screen();
    let seen: String = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "x FAIL 1 of 6 references",
        "r resumes: existing files are hashed",
        "lists what is there",
        "marks the bundle incomplete; this run wrote nothing",
        "goes back to the list; D on Start forgets it",
    ] {
        assert!(seen.contains(words), "{words}: {screen}");
    }
    let high = text(&desk.frame(80, 30));
    assert!(high.contains("x FAIL  r.example/gcc:12"), "the items are there where there is room: {high}");
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
