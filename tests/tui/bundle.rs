//! Bundles on media: what is listed, what is said of it, and that nothing of it is called verified.

use airlift::domain::trust::SerialDecision;
use airlift::engine::spec::JobReport;
use airlift::tui::msg::{Effect, Msg, Query};

use crate::live::Live;
use crate::made::done;
use crate::offers::{found, offer, standing};
use crate::rig::{Desk, now};

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.keys("g");
    desk
}

#[test]
fn without_a_bundle_it_teaches_what_to_do() {
    let mut desk = desk();
    assert!(desk.screen().contains("Looking for bundles"));
    desk.tell(found(vec![]));
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn bundles_are_listed_with_what_this_host_makes_of_them() {
    let mut desk = desk();
    desk.tell(found(standing()));
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn six_bundles_are_all_listed_and_of_more_it_is_said_how_many_are_below() {
    let listed = |count: u64| {
        let mut desk = desk();
        let one = |serial: u64| {
            let mut one = offer(serial, None);
            one.path = format!("/media/op/A/site-{serial}").into();
            one
        };
        desk.tell(found((1..=count).map(one).collect()));
        (desk.screen().matches("   site-").count() + desk.screen().matches(">  site-").count(), desk.screen())
    };
    let (rows, screen) = listed(6);
    assert!(rows == 6 && !screen.contains("more below"), "{screen}");
    let (rows, screen) = listed(9);
    assert!(rows == 5 && screen.contains("4 more below"), "{screen}");
}

#[test]
fn a_bundle_that_cannot_be_read_says_why_and_is_not_opened() {
    let mut desk = desk();
    let mut broken = offer(42, Some(SerialDecision::First));
    broken.said = Err("cannot read airlift/manifest.json: Input/output error".to_owned());
    desk.tell(found(vec![broken]));
    assert!(desk.screen().contains("nothing that can be opened; each row says why"), "{}", desk.screen());
    let screen = desk.keys("Enter").screen();
    assert!(screen.contains("not now: cannot read airlift/manifest.json"), "{screen}");
    assert!(screen.contains("step 1/4 Bundle"), "{screen}");
}

#[test]
fn a_directory_is_looked_through_and_so_are_all_media_again() {
    let mut desk = desk();
    desk.keys("o");
    desk.typed("/srv/transfer").keys("Enter");
    let asked = |desk: &Desk, wanted: &Query| {
        desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(query) if query == wanted))
    };
    assert!(asked(&desk, &Query::Bundles(vec!["/srv/transfer".into()])));
    desk.effects.clear();
    desk.keys("w");
    assert!(asked(&desk, &Query::Media));
    assert!(asked(&desk, &Query::Bundles(vec!["/srv/transfer".into()])));
}

#[test]
fn the_cursor_goes_to_what_was_just_opened_and_the_copies_of_a_bundle_are_told_apart() {
    let mut desk = desk();
    let copy = |path: &str| {
        let mut copy = offer(42, Some(SerialDecision::Same));
        (copy.path, copy.medium) = (path.into(), None);
        copy.given = vec![copy.path.parent().unwrap().to_owned()];
        copy
    };
    let first = || copy("/srv/first/site-42");
    desk.tell(found(vec![first()]));
    desk.keys("o");
    desk.typed("/srv/second").keys("Enter");
    // What was listed before is still there at first.
    desk.tell(found(vec![first()]));
    desk.tell(found(vec![first(), copy("/srv/second/site-42")]));
    let screen = desk.screen();
    assert!(screen.contains("at        /srv/second/site-42"), "{screen}");
    assert!(screen.contains("/srv/first") && screen.contains("/srv/second"), "{screen}");
    desk.keys("Up");
    desk.tell(found(vec![first(), copy("/srv/second/site-42")]));
    assert!(desk.screen().contains("at        /srv/first/site-42"), "once: {}", desk.screen());
}

#[test]
fn the_cursor_goes_to_what_was_opened_by_another_spelling_of_its_path() {
    let mut live = Live::at(now());
    let kept = live.kept("");
    let bundle = |name: &str| kept.join("..").join("kept").join(name);
    let at = |live: &Live| live.desk.app.model.gap.chosen.clone().unwrap();
    live.desk.keys("o").typed(&bundle("damaged").display().to_string()).keys("Enter");
    live.until("one is listed", |desk| desk.app.model.gap.list().len() == 1);
    live.desk.keys("o").typed(&bundle("medium/demo-1").display().to_string()).keys("Enter");
    live.until("both are listed", |desk| desk.app.model.gap.list().len() == 2);
    live.desk.keys("Enter");
    assert_eq!(at(&live).file_name().unwrap(), "demo-1");
    // It is on the list by now, and is opened once more.
    live.desk.keys("1 o").typed(&bundle("damaged").display().to_string()).keys("Enter");
    live.until("they were looked for", |desk| {
        desk.app
            .model
            .gap
            .list()
            .iter()
            .any(|offer| offer.path.ends_with("damaged") && offer.given.len() == 1)
    });
    live.desk.keys("Enter");
    assert_eq!(at(&live).file_name().unwrap(), "damaged");
}

/// Asked what it says of itself.
pub(crate) fn inspected() -> Desk {
    let mut desk = desk();
    desk.tell(found(standing()));
    desk.keys("d");
    let report = offer(42, None).said.unwrap().report;
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Inspect(report))));
    desk
}

#[test]
fn what_a_bundle_says_of_itself_is_a_job_that_the_shell_does_too() {
    let mut desk = desk();
    desk.tell(found(standing()));
    let screen = desk.keys("y").screen();
    assert!(screen.contains("airlift inspect /media/op/KINGSTON/site-42"), "{screen}");
}

#[test]
fn the_cursor_stays_on_its_bundle_when_others_come_and_go() {
    let mut desk = desk();
    let mut other = offer(7, None);
    other.path = "/media/op/A/site-7".into();
    desk.tell(found(vec![offer(42, None)]));
    desk.tell(found(vec![other, offer(42, None)]));
    desk.keys("Enter");
    assert_eq!(desk.app.model.gap.chosen, Some(offer(42, None).path));
}

#[test]
fn the_key_of_a_listed_bundle_is_trusted_from_here() {
    let mut desk = crate::check::unknown();
    desk.keys("1 K");
    assert_eq!(desk.app.model.place, airlift::tui::model::Place::Check);
    assert!(desk.screen().contains("Trust a key: is it the one on paper?"), "{}", desk.screen());
    desk.typed("v8aLuE4c").keys("Enter");
    assert!(desk.screen().contains("Trust a key: its owner"), "{}", desk.screen());
}
