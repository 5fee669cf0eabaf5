//! What was verified and is gone when it is packed: Verify shows what is known now, until it is asked for again or is back.

use std::sync::Arc;

use airlift::domain::digest::Digest;
use airlift::domain::keep_going::KeepGoing;
use airlift::domain::progress::Event;
use airlift::domain::selection::Request;
use airlift::domain::view::JobView;
use airlift::engine::error::Kind;
use airlift::engine::resolve::FailedView;
use airlift::engine::spec::{JobReport, JobSpec};
use airlift::failure::Failure;
use airlift::tui::assembly::Destination;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg};
use airlift::widgets::stepper::StepState;

use crate::made::{done, host_with_key, incomplete, looked, packed, plan};
use crate::resolve::{NGINX, all_well, digest, image};
use crate::rig::Desk;

const WHY: &str = "not found (HTTP 404 MANIFEST_UNKNOWN: manifest unknown; unknown tag)";

/// A verified list of three that is being packed.
fn packing() -> Desk {
    let mut desk = all_well();
    desk.tell(Msg::Found(Found::Host(Arc::new(host_with_key()))));
    let to = Destination { to: "/media/op/KINGSTON".into(), words: "stick KINGSTON ..7F2A".into() };
    desk.app.model.choose_destination(Some(to));
    desk.app.model.set_state(Place::Media, StepState::Ok);
    desk.keys("4");
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Plan(plan())))).wait(10);
    desk.effects.clear();
    desk.keys("Enter Right Enter");
    looked(&mut desk, None);
    begins(&mut desk);
    desk
}

fn begins(desk: &mut Desk) {
    desk.tell(Msg::Job(desk.job(), Arc::new(JobView::default())));
}

fn absent(desk: &mut Desk, digest: Option<Digest>) {
    let reason = format!("cannot read the manifest {NGINX}: {WHY}");
    let event = Event::Absent { reference: NGINX.to_owned(), digest, reason };
    desk.tell(Msg::Milestone(desk.job(), Box::new(event)));
}

fn fails(desk: &mut Desk) {
    let failure = Failure::new(Kind::Network, format!("1 of 3 references cannot be packed: {NGINX}: {WHY}"))
        .hint("check the name and the tag; `airlift resolve --from registry:HOST/REPO` lists what is there");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(failure))).wait(10);
}

fn gone() -> Desk {
    let mut desk = packing();
    absent(&mut desk, Some(digest('b')));
    fails(&mut desk);
    desk
}

fn verify(desk: &Desk) -> StepState {
    desk.app.model.state(Place::Resolve)
}

#[test]
fn a_row_that_is_gone_says_so_with_the_time_and_what_helps() {
    let mut desk = gone();
    assert!(desk.screen().contains("2 Verify FAILED"), "{}", desk.screen());
    assert!(desk.screen().contains("e on Verify writes another one, D drops it"), "{}", desk.screen());
    desk.keys("2");
    insta::assert_snapshot!(desk.picture());
    let screen = desk.screen();
    for words in [
        "pack, 12:00Z: not found (HTTP 404 MANIFEST_UNKNOWN",
        "next: r asks for it again",
        "r retry",
        "e edit",
        "D remove",
        "1 FAILED",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(
        desk.keys("Enter").screen().contains("not now: what was verified is gone since: r asks for it again")
    );
    desk.keys("o");
    assert!(desk.screen().contains("a pack was told so at 2026-11-21T12:00:00Z"), "{}", desk.screen());
}

#[test]
fn what_is_asked_again_or_dropped_is_not_gone_any_more() {
    for (keys, left) in [("v", 3), ("r", 3), ("D", 2)] {
        let mut desk = gone();
        desk.keys("2");
        desk.effects.clear();
        desk.keys(keys);
        assert_eq!(desk.app.model.picked.checked.gone().count(), 0, "{keys}");
        assert_eq!(desk.app.model.picked.images.len(), left, "{keys}");
        let dropped = desk.effects.iter().any(|effect| matches!(effect, Effect::LeaveOut(..)));
        assert_eq!(dropped, keys == "D", "{keys}");
    }
}

#[test]
fn a_pack_that_brings_it_after_all_leaves_no_trace_of_it() {
    let mut desk = gone();
    assert_eq!(verify(&desk), StepState::Failed);
    desk.effects.clear();
    desk.keys("r");
    looked(&mut desk, None);
    begins(&mut desk);
    let mut report = packed();
    report.resolved.images = vec![image(NGINX, 'b')];
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Pack(report)))).wait(10);
    assert_eq!(verify(&desk), StepState::Ok);
    let screen = desk.keys("2").screen();
    assert!(screen.contains("3 verified at 12:00Z") && !screen.contains("FAIL"), "{screen}");
}

#[test]
fn what_another_content_was_asked_for_is_no_word_on_a_row() {
    let mut desk = packing();
    absent(&mut desk, Some(digest('e')));
    fails(&mut desk);
    assert_eq!((verify(&desk), desk.app.model.picked.checked.gone().count()), (StepState::Ok, 0));
    // A layer of it is part of it, and a tag names it.
    for digest in [Some(digest('0')), None] {
        let mut desk = packing();
        absent(&mut desk, digest);
        fails(&mut desk);
        assert_eq!(verify(&desk), StepState::Failed);
    }
}

#[test]
fn what_a_pack_goes_on_without_is_said_and_in_nobodys_way() {
    let mut desk = packing();
    let Some(job) = desk.app.model.job.as_mut() else { unreachable!() };
    let JobSpec::Pack(pack) = &mut job.spec else { unreachable!() };
    pack.keep_going = KeepGoing::All;
    absent(&mut desk, Some(digest('b')));
    assert_eq!(verify(&desk), StepState::Warn);
}

/// Enter on Verify goes to the next step.
fn leads_on(desk: &mut Desk) {
    let screen = desk.keys("2 Enter").screen();
    assert!(!screen.contains("not now:"), "{screen}");
    assert_ne!(desk.app.model.place, Place::Resolve);
}

#[test]
fn what_the_pack_itself_found_missing_and_left_out_of_what_it_signed_is_gone_on_without() {
    let mut desk = packing();
    let Some(job) = desk.app.model.job.as_mut() else { unreachable!() };
    let JobSpec::Pack(pack) = &mut job.spec else { unreachable!() };
    pack.keep_going = KeepGoing::Unresolved;
    absent(&mut desk, Some(digest('b')));
    assert_eq!(verify(&desk), StepState::Failed, "nothing says yet that it is left out");
    let mut report = incomplete();
    let request = Request::parse(NGINX).unwrap();
    report.resolved.failed = vec![FailedView {
        requested: NGINX.to_owned(),
        origin: request.origin,
        reference: request.reference,
        kind: Kind::Network,
        reason: WHY.to_owned(),
        hints: Vec::new(),
    }];
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Pack(report)))).wait(10);
    assert_eq!(verify(&desk), StepState::Warn);
    leads_on(&mut desk);
}
