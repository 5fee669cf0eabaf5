//! A pack that is gone on with has a list of its own: it is what Assemble changes, and what is left by an act of its own.

use airlift::domain::keep_going::KeepGoing;
use airlift::engine::error::Kind;
use airlift::engine::media::MediaReport;
use airlift::engine::spec::{JobReport, JobSpec, PackJob};
use airlift::failure::Failure;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg};
use airlift::tui::resume::Cuts;

use crate::made::{done, looked, packed, ready};
use crate::resolve::image;
use crate::rig::Desk;
use crate::start::{cut, pack, stick};

/// The packs that were started or planned since this was looked at last.
fn packs(desk: &mut Desk) -> Vec<PackJob> {
    let pack = |effect| match effect {
        Effect::Start(_, spec) => match *spec {
            JobSpec::Pack(job) => Some(job),
            _ => None,
        },
        _ => None,
    };
    std::mem::take(&mut desk.effects).into_iter().filter_map(pack).collect()
}

/// The job of a list elsewhere.
fn own() -> PackJob {
    let JobSpec::Pack(job) = pack() else { unreachable!() };
    PackJob { lock: Some("/state/jobs/7/images.lock".into()), ..job }
}

/// A workstation with a list of its own, at a pack of another list that was gone on with and failed, as an image of it is
/// gone.
pub(crate) fn failed() -> Desk {
    let mut desk = ready();
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
    let media = MediaReport { media: vec![stick()] };
    desk.tell(Msg::Found(Found::Media(media.into())));
    let packs = vec![cut(JobSpec::Pack(own()))];
    let cuts = Cuts { packs, ..Cuts::default() };
    desk.tell(Msg::Found(Found::Interrupted(cuts.into())));
    desk.keys("0 R");
    looked(&mut desk, Some(stick()));
    let words = "1 of 2 references cannot be packed: r.example/gcc:12: not found (HTTP 404 MANIFEST_UNKNOWN)";
    let failure = Failure::new(Kind::Network, words)
        .hint("check the name and the tag; `airlift resolve --from registry:HOST/REPO` lists what is there")
        .hint("--keep-going packs the rest and marks the bundle incomplete; this run wrote nothing");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(failure)));
    desk.effects.clear();
    desk.wait(10);
    desk
}

#[test]
fn what_is_said_of_its_failure_is_true_of_it_and_not_of_the_list() {
    let mut desk = failed();
    let lines = crate::rig::text(&desk.frame(120, 40));
    for words in [
        "r resumes: existing files are hashed",
        "`airlift resolve --from registry:HOST/REPO` lists what is there",
        "next: e allows a bundle without it: that packs the rest",
        "next: e changes this pack, or goes back to the list; D on Start forgets it",
    ] {
        assert!(lines.contains(words), "{words}: {lines}");
    }
    assert!(!lines.contains("Verify writes another"), "{lines}");
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn what_helps_is_seen_where_what_failed_does_not_fit_and_a_key_shows_all_of_it() {
    let mut desk = failed();
    desk.keys("r");
    looked(&mut desk, Some(stick()));
    let cause =
        |n| format!("r.example/team/app-{n}:1: cannot be read: the connection was refused by the other side");
    let words = (0..9).map(cause).collect::<Vec<_>>().join("; ");
    let failure = Failure::new(Kind::Network, format!("9 of 9 references cannot be packed: {words}"))
        .hint("is the registry up? airlift resolve asks it again");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(failure))).wait(10);
    for (columns, rows) in [(80, 24), (60, 16)] {
        let screen = crate::rig::text(&desk.frame(columns, rows));
        for words in
            ["x FAIL  9 of 9", "r resumes", "next: is the registry up?", "more lines; o shows them all"]
        {
            assert!(screen.contains(words), "{words}: {screen}");
        }
    }
    insta::assert_snapshot!(desk.picture());
    desk.keys("o End");
    let screen = desk.screen();
    assert!(screen.contains("How it ended") && screen.contains("class: network"), "{screen}");
    desk.keys("Esc l");
    assert!(desk.screen().contains("next: is the registry up?"), "{}", desk.screen());
}

#[test]
fn it_is_changed_itself_planned_and_gone_on_with_as_changed_and_its_command_says_so() {
    let mut desk = failed();
    desk.keys("e Down Down Down Down");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter Esc");
    let changed = PackJob { keep_going: KeepGoing::All, ..own() };
    assert_eq!(packs(&mut desk), [PackJob { dry_run: true, ..changed.clone() }], "its plan is made");
    let mut plan = crate::made::plan();
    plan.place.path = "/media/op/AIRGAP/web-42".into();
    plan.place.begun = crate::onto::begun_there(true)
        .app
        .model
        .assembly
        .plan
        .as_ref()
        .and_then(|plan| plan.outcome.as_ref().ok().and_then(|plan| plan.place.begun));
    desk.tell(Msg::Ended(desk.job(), crate::made::done(JobReport::Plan(plan))));
    let screen = desk.screen();
    assert!(screen.contains("web, with the images it was begun with"), "{screen}");
    desk.keys("y");
    assert!(desk.screen().contains("--lock /state/jobs/7/images.lock"), "{}", desk.screen());
    assert!(desk.screen().contains("--keep-going"), "{}", desk.screen());
    desk.keys("Esc r");
    assert!(desk.screen().contains("Go on with the interrupted bundle there?"), "{}", desk.screen());
    desk.keys("Right Enter");
    looked(&mut desk, Some(stick()));
    assert_eq!(packs(&mut desk), [changed]);
}

#[test]
fn what_was_changed_of_it_holds_where_it_is_resumed_from_start() {
    let mut desk = failed();
    desk.keys("e Down Down Enter Esc");
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled)).keys("0 Home y");
    assert!(desk.screen().contains("--no-read-back"), "its command does the same: {}", desk.screen());
    desk.keys("Esc");
    desk.effects.clear();
    desk.keys("R");
    looked(&mut desk, Some(stick()));
    assert_eq!(packs(&mut desk), [PackJob { read_back: false, ..own() }]);
}

#[test]
fn its_name_stays_and_the_list_is_packed_again_by_an_act_that_says_so() {
    let mut desk = failed();
    desk.keys("e Enter");
    assert!(
        desk.screen().contains("what was begun as web goes on under that name alone"),
        "{}",
        desk.screen()
    );
    assert_eq!(desk.app.model.gone_on_with(), Some("web"));
    desk.keys("e End Enter");
    let screen = desk.screen();
    let words =
        "this packs the list again, as bundle; the pack of web that was cut off stays: R on Start resumes it";
    let said = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(words) && screen.contains("3 on the list"), "{screen}");
    assert_eq!((desk.app.model.gone_on_with(), desk.app.model.assembly.name.as_str()), (None, "bundle"));
    let planned = packs(&mut desk).remove(0);
    assert_eq!((planned.name.as_str(), planned.dry_run), ("bundle", true));
    assert_eq!(planned.lock, pack_of_list());
}

fn pack_of_list() -> Option<std::path::PathBuf> {
    Some("/home/op/.local/share/airlift/work/images.lock".into())
}

#[test]
fn a_change_of_the_list_leaves_it_as_it_is_and_another_medium_leaves_it_for_the_list() {
    let mut desk = failed();
    desk.app.model.changed(Place::Images);
    assert_eq!(desk.app.model.gone_on_with(), Some("web"));
    assert!(desk.screen().contains("1 of 2 references cannot be packed"), "{}", desk.screen());
    let to = airlift::tui::assembly::Destination { to: "/media/op/OTHER".into(), words: "OTHER".into() };
    desk.app.model.choose_destination(Some(to));
    assert_eq!((desk.app.model.gone_on_with(), desk.app.model.assembly.name.as_str()), (None, "bundle"));
}

#[test]
fn the_list_goes_on_in_the_series_that_its_images_were_packed_under_last() {
    for (whole, name) in [(true, Some("web\n")), (false, None)] {
        let mut desk = failed();
        desk.keys("r");
        looked(&mut desk, Some(stick()));
        desk.effects.clear();
        let images = desk.app.model.picked.images.iter().map(|image| image.request.requested.clone());
        let images = images.skip(usize::from(!whole)).map(|name| image(&name, 'a'));
        let mut report = packed();
        (report.resolved.images, report.resolved.failed) = (images.collect(), Vec::new());
        desk.tell(Msg::Ended(desk.job(), done(JobReport::Pack(report))));
        let kept = desk.effects.iter().find_map(|effect| match effect {
            Effect::Save(path, text) if path.ends_with("work/name") => Some(text.as_str()),
            _ => None,
        });
        assert_eq!(kept, name);
        let next = if whole { "web" } else { "bundle" };
        assert_eq!(desk.app.model.list_name(), next, "the next one of the list");
    }
}

#[test]
fn what_was_resumed_and_signed_is_there_though_the_list_was_never_verified_here() {
    let mut desk = failed();
    desk.keys("r");
    looked(&mut desk, Some(stick()));
    desk.app.model.picked.ask_anew();
    let to = desk.app.model.chosen.as_ref().unwrap().path.clone();
    let mut report = packed();
    report.bundle.path = to.join("web-42");
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Pack(report)))).wait(10);
    desk.tell(Msg::Found(Found::Interrupted(Cuts::default().into())));
    let screen = desk.keys("3").screen();
    assert!(screen.contains("the bundle is there") && !screen.contains("not known"), "{screen}");
}
