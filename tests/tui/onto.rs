//! What stands between a question that was answered and the first byte: where it goes, the list it reads, and other jobs.

use std::sync::Arc;

use airlift::actions::Act;
use airlift::domain::carrier::Carrier;
use airlift::domain::media::Medium;
use airlift::engine::bundle::begun::Begun;
use airlift::engine::bundle::offer::Offer;
use airlift::engine::bundle::unfinished::Share;
use airlift::engine::error::{EngineError, Kind};
use airlift::engine::jobs::onto::OntoError;
use airlift::engine::media::{EjectReport, MediaReport};
use airlift::engine::sign::keys::KeyReport;
use airlift::engine::spec::{JobReport, JobSpec, PackJob, SignerSpec};
use airlift::failure::Failure;
use airlift::tui::assembly::Tested;
use airlift::tui::medium::Chosen;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg, Query};
use airlift::tui::resume::{Cuts, Left};
use airlift::widgets::stepper::StepState;

use crate::made::{digest, done, looked, packed, plan, ready};
use crate::media;
use crate::offers::{found, offer};
use crate::rig::Desk;
use crate::start::{cut, interrupted, pack, stick};

const POINT: &str = "/media/op/CARGO";

/// The packs that were started since this was looked at last, and not only planned.
fn packs(desk: &mut Desk) -> Vec<PackJob> {
    let pack = |effect| match effect {
        Effect::Start(_, spec) => match *spec {
            JobSpec::Pack(job) if !job.dry_run => Some(job),
            _ => None,
        },
        _ => None,
    };
    std::mem::take(&mut desk.effects).into_iter().filter_map(pack).collect()
}

fn see(desk: &mut Desk, media: Vec<Medium>) {
    desk.tell(Msg::Found(Found::Media(Arc::new(MediaReport { media }))));
}

fn chosen() -> Medium {
    media::stick(7, Some(POINT))
}

/// The stick is chosen and the plan for it is made.
fn planned() -> Desk {
    let mut desk = ready();
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
    see(&mut desk, vec![chosen()]);
    desk.app.model.choose(Chosen::volume(&chosen(), &chosen().volumes[0]).unwrap());
    replan(&mut desk);
    desk
}

fn replan(desk: &mut Desk) {
    desk.keys("v");
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Plan(plan()))));
    desk.wait(10).effects.clear();
}

fn failed() -> Ended {
    Ended::Failed(Failure::new(Kind::Network, "the registry is gone"))
}

/// What was cut off is to go on, and another medium lies where it was.
pub(crate) fn another() -> Desk {
    let mut desk = interrupted();
    desk.effects.clear();
    desk.keys("R");
    looked(&mut desk, Some(media::stick(9, Some(POINT))));
    desk
}

#[test]
fn what_another_run_signed_since_it_was_planned_is_said_and_the_plan_made_anew() {
    for (serial, starts) in [(41, true), (42, false), (43, false)] {
        let mut desk = planned();
        desk.keys("Enter Right Enter");
        let mut there = media::carrying();
        let words = there.volumes[0].bundles[0].words.as_mut().unwrap();
        (words.name, words.serial) = ("bundle".to_owned(), serial);
        looked(&mut desk, Some(there));
        let screen = desk.screen();
        let plans = |effect: &Effect| matches!(effect, Effect::Start(Act::AssembleSpace, _));
        let again = desk.effects.iter().any(plans);
        assert_eq!((packs(&mut desk).len(), again), (usize::from(starts), !starts), "{serial}: {screen}");
        let words: String = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = words.contains(&format!("nothing was started: another run signed bundle-{serial}"));
        assert_eq!(said, !starts, "{screen}");
    }
}

#[test]
fn a_pack_is_not_resumed_where_its_medium_is_gone_or_another_one() {
    for (there, words) in [(None, "on tmpfs"), (Some(media::stick(9, Some(POINT))), "Kingston DataTraveler")]
    {
        let mut desk = interrupted();
        desk.effects.clear();
        desk.keys("R");
        assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))));
        looked(&mut desk, there);
        let screen = desk.screen();
        assert!(screen.contains("web was cut off on KINGSTON") && screen.contains(words), "{screen}");
        assert!(screen.contains("mount that medium there again"), "{screen}");
        assert!(packs(&mut desk).is_empty());
        assert!(desk.app.model.place == Place::Start && desk.app.model.assembly.to.is_none());
    }
}

#[test]
fn what_is_resumed_stands_in_the_header_with_its_medium_and_the_key_that_signs_it() {
    let file: std::path::PathBuf = "/keys/other".into();
    let JobSpec::Pack(job) = pack() else { unreachable!() };
    let spec = JobSpec::Pack(PackJob { signer: SignerSpec::Key(file.clone()), ..job });
    let mut desk = interrupted();
    let packs = vec![cut(spec)];
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(Cuts { packs, ..Cuts::default() }))));
    desk.effects.clear();
    desk.keys("R");
    looked(&mut desk, Some(stick()));
    let asked = Effect::Ask(Query::PublicKey(file.clone()));
    assert!(
        desk.effects.iter().any(|effect| format!("{effect:?}") == format!("{asked:?}")),
        "{:?}",
        desk.effects
    );
    desk.tell(Msg::Job(desk.job(), Arc::default()));
    let screen = desk.screen();
    assert!(screen.contains("web-42, resumed   61.2 GB   to /media/op/AIRGAP"), "{screen}");
    let header = |desk: &mut Desk| {
        let screen = crate::rig::text(&desk.frame(120, 30));
        screen.lines().next().unwrap_or_default().to_owned()
    };
    let stands = header(&mut desk);
    assert!(
        stands.contains("KINGSTON") && stands.contains("step 4/5") && !stands.contains("key"),
        "{stands}"
    );
    let public = KeyReport {
        path: Some(file.clone()),
        public: String::new(),
        fingerprint: "SHA256:abcdefC0FF".into(),
        key_id: "0123456789abcdef".into(),
        algorithm: "ssh-ed25519".into(),
    };
    desk.tell(Msg::Found(Found::PublicKey(file, Box::new(public))));
    assert!(header(&mut desk).contains("key cdefC0FF"), "{}", header(&mut desk));
}

#[test]
fn a_pack_of_which_nothing_is_there_is_begun_anew_only_after_a_question_and_another_look() {
    let mut bare = stick();
    bare.volumes[0].bundles.clear();
    let none = |desk: &mut Desk| {
        let mut cut = cut(pack());
        cut.left = Left::Nothing;
        let cuts = Cuts { packs: vec![cut], ..Cuts::default() };
        desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
        desk.effects.clear();
        desk.keys("R");
        looked(desk, Some(bare.clone()));
    };
    let mut desk = interrupted();
    none(&mut desk);
    insta::assert_snapshot!(desk.picture());
    assert!(packs(&mut desk).is_empty());
    desk.keys("Enter");
    assert!(packs(&mut desk).is_empty(), "Cancel is where one stands");
    none(&mut desk);
    desk.effects.clear();
    desk.keys("Right Enter");
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))));
    looked(&mut desk, Some(stick()));
    assert_eq!(packs(&mut desk).len(), 1);
    assert_eq!(desk.app.model.place, Place::Assemble);
}

/// A pack that went over a signed bundle was cut off, and is to go on.
pub(crate) fn over_a_signed_one() -> Desk {
    let mut desk = interrupted();
    let mut cut = cut(pack());
    cut.left = Left::Signed(41);
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(Cuts { packs: vec![cut], ..Cuts::default() }))));
    desk.effects.clear();
    desk.keys("R");
    looked(&mut desk, Some(stick()));
    desk
}

#[test]
fn a_pack_that_went_over_a_signed_bundle_keeps_it_and_says_so() {
    let mut desk = over_a_signed_one();
    let screen = desk.screen();
    assert!(screen.contains("web-41 is signed in /media/op/AIRGAP"), "{screen}");
    assert!(screen.contains("What is there is kept"), "{screen}");
    assert!(!screen.contains("anew") && !screen.contains("written again"), "{screen}");
    desk.effects.clear();
    desk.keys("Right Enter");
    looked(&mut desk, Some(stick()));
    assert_eq!(packs(&mut desk).len(), 1);
}

#[test]
fn a_pack_that_loses_its_medium_stays_on_the_screen_and_goes_on_once_it_is_back() {
    for before in [true, false] {
        let mut desk = planned();
        desk.keys("Enter Right Enter");
        looked(&mut desk, Some(chosen()));
        let job = packs(&mut desk).remove(0);
        if before {
            see(&mut desk, vec![]);
        }
        desk.tell(Msg::Ended(desk.job(), failed()));
        see(&mut desk, vec![]);
        let screen = desk.screen();
        for words in ["is gone: the written files are on it", "nothing was signed", "then r resumes"] {
            assert!(screen.contains(words), "{words}: {screen}");
        }
        assert_eq!(desk.app.model.state(Place::Assemble), StepState::Failed);
        assert_eq!(desk.app.model.state(Place::Media), StepState::Failed);
        // One that was lost before its first byte left no record.
        if before {
            let mut cut = cut(JobSpec::Pack(job));
            cut.job.carrier = Carrier::of(POINT.into(), "/dev/sdb1".into(), Some(&chosen()));
            let cuts = Cuts { packs: vec![cut], ..Cuts::default() };
            desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
        }
        let again = media::stick(8, Some(POINT));
        see(&mut desk, vec![again.clone()]);
        desk.effects.clear();
        desk.keys("r");
        looked(&mut desk, Some(again));
        assert_eq!(packs(&mut desk).len(), 1, "{}", desk.screen());
        assert_eq!(desk.app.model.state(Place::Media), StepState::Ok);
    }
}

#[test]
fn a_pack_that_wrote_nothing_over_what_an_earlier_one_left_is_resumed_all_the_same() {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    looked(&mut desk, Some(chosen()));
    let job = packs(&mut desk).remove(0);
    let full = || Ended::Failed(Failure::new(Kind::Space, "64.3 GB are needed, 16.0 GB are free"));
    desk.tell(Msg::Ended(desk.job(), full()));
    let footer = |desk: &mut Desk| desk.screen().lines().last().unwrap().to_owned();
    assert!(footer(&mut desk).contains("r retry"), "nothing of it lies there");
    let screen = desk.screen();
    assert!(screen.contains("r does the same again: existing files are hashed"), "{screen}");
    let mut cut = cut(JobSpec::Pack(job));
    (cut.job.started, cut.job.carrier) = (
        "2020-01-01T00:00:00Z".parse().unwrap(),
        Carrier::of(POINT.into(), "/dev/sdb1".into(), Some(&chosen())),
    );
    let cuts = Cuts { packs: vec![cut], ..Cuts::default() };
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
    assert!(footer(&mut desk).contains("r resume"), "{}", desk.screen());
    let screen = desk.screen();
    assert!(screen.contains("r resumes: existing files are hashed"), "{screen}");
}

#[test]
fn a_medium_that_is_taken_out_after_a_failure_of_another_kind_is_not_the_reason_of_that() {
    for (kind, helps) in [(Kind::Network, true), (Kind::Medium, false)] {
        let mut desk = planned();
        desk.keys("Enter Right Enter");
        looked(&mut desk, Some(chosen()));
        let failure = Failure::new(kind, "access denied (401)").hint("log in there first");
        desk.tell(Msg::Ended(desk.job(), Ended::Failed(failure)));
        see(&mut desk, vec![]);
        let screen = desk.screen();
        assert_eq!(screen.contains("next: log in there first"), helps, "{screen}");
        let reason = [screen.find("access denied (401)"), screen.find("is gone: the written files")];
        assert_eq!(reason[0] < reason[1], helps, "what it failed for comes first: {screen}");
        assert!(screen.contains("then r resumes"), "{screen}");
    }
}

#[test]
fn a_medium_that_was_ejected_is_let_go_and_no_failure() {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    looked(&mut desk, Some(chosen()));
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Pack(packed()))));
    desk.keys("Enter").wait(10);
    desk.keys("E Right Enter");
    see(&mut desk, vec![media::stick(7, None)]);
    desk.effects.clear();
    let truth = || crate::report::truth(true, "so it is");
    desk.tell(Msg::Ended(desk.job(), done(crate::report::ejected(truth(), truth(), truth()))));
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::Media))));
    for media in [vec![media::stick(7, None)], vec![]] {
        see(&mut desk, media);
        for place in [Place::Media, Place::Assemble, Place::Report] {
            assert_eq!(desk.app.model.state(place), StepState::Ok, "{}", desk.screen());
        }
    }
    let screen = desk.keys("3").wait(10).screen();
    assert!(screen.contains("was ejected: safe to remove"), "{screen}");
}

/// Signed on the stick, at the report.
fn signed() -> Desk {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    looked(&mut desk, Some(chosen()));
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Pack(packed()))));
    desk.keys("Enter").wait(10);
    desk
}

/// The eject was asked for and ended like this; the stick was plugged in all the time.
fn eject(desk: &mut Desk, ended: Ended) {
    desk.keys("E Right Enter");
    desk.tell(Msg::Ended(desk.job(), ended)).keys("Esc").wait(10);
}

#[test]
fn a_medium_that_is_pulled_after_the_signature_is_not_said_to_be_let_go() {
    let mut desk = signed();
    see(&mut desk, vec![]);
    assert!(desk.screen().contains("is gone, and was not ejected"), "{}", desk.screen());
    assert_eq!(desk.app.model.state(Place::Media), StepState::Warn);
    assert_eq!(desk.app.model.state(Place::Assemble), StepState::Ok, "it is signed nevertheless");
    assert!(desk.keys("E").screen().contains("not now: Kingston"), "{}", desk.screen());
    let sheet = desk.app.model.assembly.made.as_ref().unwrap().sheet().text();
    assert!(sheet.contains("NO: it was taken away before that"), "{sheet}");
    let screen = desk.keys("3").wait(10).screen();
    for words in ["signed, read back and synced file by file, but not ejected", "eject it, or airlift verify"]
    {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(!screen.contains("was ejected") && !screen.contains("safe to remove"), "{screen}");
    // Put in once more, it is ejected.
    see(&mut desk, vec![media::stick(8, Some(POINT))]);
    assert_eq!(desk.app.model.state(Place::Media), StepState::Ok, "{}", desk.screen());
    assert!(desk.keys("5 E").screen().contains("Eject the medium?"), "{}", desk.screen());
}

#[test]
fn only_an_eject_that_brought_everything_onto_the_medium_lets_it_go() {
    let truth = |holds| crate::report::truth(holds, "so it is");
    let ejected = |synced| done(crate::report::ejected(truth(synced), truth(true), truth(false)));
    for (ended, back, state, words) in [
        (ejected(true), false, StepState::Ok, "was ejected: safe to remove"),
        (ejected(false), false, StepState::Failed, "was ejected; not everything is on it"),
        (ejected(true), true, StepState::Warn, "and was not ejected"),
        (failed(), false, StepState::Warn, "and was not ejected"),
    ] {
        let mut desk = signed();
        eject(&mut desk, ended);
        see(&mut desk, vec![]);
        if back {
            see(&mut desk, vec![chosen()]);
            see(&mut desk, vec![]);
        }
        assert_eq!(desk.app.model.state(Place::Media), state, "{words}");
        let screen = desk.keys("3").wait(10).screen();
        assert!(screen.contains(words), "{words}: {screen}");
        assert_eq!(screen.contains("safe to remove"), state == StepState::Ok, "{screen}");
    }
}

#[test]
fn what_was_ejected_and_is_plugged_in_again_is_not_safe_to_remove() {
    let truth = |holds| crate::report::truth(holds, "so it is");
    // With another number, as after it had no power, or with the same one, as a loop device has.
    for number in [7, 8] {
        let mut desk = signed();
        eject(&mut desk, done(crate::report::ejected(truth(true), truth(true), truth(false))));
        see(&mut desk, vec![]);
        assert!(desk.keys("3").wait(10).screen().contains("safe to remove"), "{}", desk.screen());
        see(&mut desk, vec![media::stick(number, Some(POINT))]);
        let screen = desk.screen();
        assert!(screen.contains("is back") && !screen.contains("safe to remove"), "{number}: {screen}");
        let sheet = desk.app.model.assembly.made.as_ref().unwrap().sheet().text();
        assert!(sheet.contains("NO: it was, and is plugged in again"), "{sheet}");
        assert!(!sheet.contains("take it out"), "{sheet}");
        assert!(desk.keys("5 E").screen().contains("Eject the medium?"), "{number}: {}", desk.screen());
    }
}

#[test]
fn what_was_ejected_and_is_mounted_elsewhere_is_to_be_chosen_again() {
    let truth = |holds| crate::report::truth(holds, "so it is");
    for number in [7, 8] {
        let mut desk = signed();
        eject(&mut desk, done(crate::report::ejected(truth(true), truth(true), truth(false))));
        see(&mut desk, vec![]);
        see(&mut desk, vec![media::stick(number, Some("/media/op/OTHER"))]);
        let screen = desk.keys("3").wait(10).screen();
        assert!(screen.contains("was ejected, is in again: Enter chooses it again"), "{number}: {screen}");
        assert!(!screen.contains("safe to remove"), "{screen}");
        assert_eq!(desk.app.model.state(Place::Media), StepState::Warn);
        let screen = desk.keys("5 E").screen();
        assert!(screen.contains("was ejected, is in again"), "{number}: {screen}");
        // Pulled without a second eject, it is not called safe either.
        see(&mut desk, vec![]);
        let screen = desk.keys("3").wait(10).screen();
        assert!(screen.contains("was mounted again, and was not ejected"), "{screen}");
        assert!(!screen.contains("safe to remove"), "{screen}");
    }
}

#[test]
fn a_chosen_medium_with_a_bundle_from_before_is_let_go_by_its_eject() {
    let mut desk = Desk::new();
    let medium = media::carrying();
    see(&mut desk, vec![medium.clone()]);
    desk.app.model.choose(Chosen::volume(&medium, &medium.volumes[0]).unwrap());
    desk.keys("b 5");
    let truth = |holds| crate::report::truth(holds, "so it is");
    let JobReport::MediaEject(report) = crate::report::ejected(truth(true), truth(false), truth(true)) else {
        panic!()
    };
    let report = EjectReport { medium, ..report };
    eject(&mut desk, done(JobReport::MediaEject(report)));
    see(&mut desk, vec![]);
    assert_eq!(desk.app.model.state(Place::Media), StepState::Ok, "{}", desk.screen());
    let screen = desk.keys("3").wait(10).screen();
    assert!(screen.contains("was ejected: safe to remove"), "{screen}");
}

#[test]
fn a_retry_looks_again_and_is_refused_on_another_medium() {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    looked(&mut desk, Some(chosen()));
    assert_eq!(packs(&mut desk).len(), 1);
    desk.tell(Msg::Ended(desk.job(), failed()));
    desk.keys("r");
    looked(&mut desk, None);
    assert!(desk.screen().contains("is on no medium now"), "{}", desk.screen());
    assert!(packs(&mut desk).is_empty());
    desk.keys("Esc r");
    looked(&mut desk, Some(chosen()));
    assert_eq!(packs(&mut desk).len(), 1);
}

#[test]
fn what_was_confirmed_does_not_start_once_a_setting_was_changed_or_the_screen_was_left() {
    for keys in ["e Down Down Enter Esc", "3", "0"] {
        let mut desk = planned();
        desk.keys("Enter Right Enter");
        let asked = desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(_)));
        assert!(asked && desk.screen().contains("checking the destination"));
        desk.keys(keys);
        looked(&mut desk, Some(chosen()));
        assert!(packs(&mut desk).is_empty(), "{keys}");
    }
}

#[test]
fn before_the_first_pack_its_time_is_told_by_the_mediums_test_or_as_not_known() {
    let mut desk = planned();
    assert!(desk.screen().contains("not known: not measured yet"), "{}", desk.screen());
    let medium = Some(chosen());
    desk.app.model.assembly.tested =
        Some(Tested { path: POINT.into(), medium, write: 11_000_000, read: 88_000_000 });
    let screen = desk.screen();
    assert!(screen.contains("at least 1 h 44 min by the medium's test: writes 11.0 MB/s"), "{screen}");
}

#[test]
fn what_was_cut_off_under_that_name_is_taken_over_only_after_its_own_question() {
    let mut desk = planned();
    let blobs = |done| Share { done, total: 30 };
    for (same, done, deleted, words) in [
        (
            false,
            2,
            12_000_000,
            ["Replace the interrupted bundle there?", "12.0 MB of it are deleted", "Replace it"],
        ),
        (
            false,
            2,
            0,
            [
                "Replace the interrupted bundle there?",
                "is of another list and becomes this one",
                "Replace it",
            ],
        ),
        (
            true,
            28,
            0,
            [
                "Go on with the interrupted bundle there?",
                "28 of 30 layers and configs lie there already and stay",
                "[ Go on ]",
            ],
        ),
        (
            true,
            0,
            0,
            [
                "Go on with the interrupted bundle there?",
                "no layer that is asked for is whole there yet",
                "[ Go on ]",
            ],
        ),
    ] {
        let mut plan = plan();
        plan.place.goes_on = true;
        plan.place.begun = Some(Begun { same, moved: 0, blobs: blobs(done), deleted, refused: deleted > 0 });
        desk.keys("v");
        desk.tell(Msg::Ended(desk.job(), done_as(plan)));
        let screen = crate::rig::text(&desk.keys("Enter").frame(100, 30));
        let inside = |line: &str| line.split(['│', '┌', '┐']).nth(1).map(str::to_owned);
        let screen: Vec<String> = screen.lines().filter_map(inside).collect();
        let screen = screen.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        for words in words {
            assert!(screen.contains(words), "{words}: {screen}");
        }
        assert!(!screen.contains("[ Start ]") && screen.contains("is replaced") == (!same && deleted > 0));
        desk.keys("Esc");
    }
}

#[test]
fn what_lost_its_signature_is_not_called_interrupted_where_another_bundle_takes_its_place() {
    let (mut desk, mut plan) = (planned(), plan());
    (plan.place.goes_on, plan.place.unsigned) = (true, Some("/media/op/AIRGAP/bundle-41".into()));
    let (blobs, deleted) = (Share { done: 28, total: 30 }, 1_200_000_000);
    plan.place.begun = Some(Begun { same: false, moved: 0, blobs, deleted, refused: true });
    desk.keys("v");
    desk.tell(Msg::Ended(desk.job(), done_as(plan)));
    let screen = crate::rig::text(&desk.frame(120, 40)).split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "in place of a bundle without signature",
        "the bundle without signature there is replaced: 1.2 GB of it are deleted",
        "airlift sign /media/op/AIRGAP/bundle-41 signs it again",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(!screen.contains("interrupted"), "{screen}");
}

#[test]
fn a_bundle_of_other_images_is_replaced_by_a_job_that_may_and_gone_on_with_by_one_that_may_not() {
    for (same, anew) in [(false, true), (true, false)] {
        let mut desk = begun_there(same);
        desk.effects.clear();
        desk.keys("Enter Right Enter");
        looked(&mut desk, Some(chosen()));
        let started: Vec<bool> = packs(&mut desk).iter().map(|job| job.anew).collect();
        assert_eq!(started, [anew], "{}", desk.screen());
    }
}

/// Planned onto a medium on which a bundle of that name was cut off, of this list or of another one.
pub(crate) fn begun_there(same: bool) -> Desk {
    let (mut desk, mut plan) = (planned(), plan());
    plan.place.goes_on = true;
    let (blobs, deleted) = (Share { done: 28, total: 30 }, if same { 0 } else { 1_200_000_000 });
    plan.place.begun = Some(Begun { same, moved: 0, blobs, deleted, refused: !same });
    desk.keys("v");
    desk.tell(Msg::Ended(desk.job(), done_as(plan)));
    desk
}

fn done_as(plan: airlift::engine::pack::PlanReport) -> Ended {
    done(JobReport::Plan(plan))
}

#[test]
fn a_pack_of_a_name_that_was_cut_off_elsewhere_says_so_and_begins_anew() {
    let mut desk = planned();
    let mut elsewhere = cut(pack());
    let JobSpec::Pack(job) = &mut elsewhere.job.spec else { panic!() };
    (job.to, job.name) = (POINT.into(), "bundle".into());
    let cuts = Cuts { packs: vec![elsewhere], ..Cuts::default() };
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
    replan(&mut desk);
    let screen = desk.keys("Enter").screen();
    assert!(screen.contains("bundle was interrupted on KINGSTON"), "{screen}");
    desk.keys("Right Enter");
    looked(&mut desk, Some(chosen()));
    assert!(packs(&mut desk)[0].anew, "and the command says it, too");
}

#[test]
fn a_pack_of_a_name_that_was_cut_off_in_another_place_is_refused_with_both_ways_until_that_one_is_gone() {
    let mut desk = planned();
    let mut other = cut(pack());
    let carrier = other.job.carrier.clone();
    let JobSpec::Pack(job) = &mut other.job.spec else { panic!() };
    job.name = "bundle".into();
    let begun = job.to.clone();
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(Cuts { packs: vec![other], ..Cuts::default() }))));
    let now = Carrier::of(POINT.into(), "/dev/sdc1".into(), Some(&chosen()));
    let error = OntoError::Begun {
        name: "bundle".into(),
        begun,
        before: Box::new(carrier),
        to: POINT.into(),
        now: Box::new(now),
    };
    desk.keys("v");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(EngineError::from(error).into())));
    let screen = crate::rig::text(&desk.wait(10).frame(100, 30));
    for words in [
        "bundle was cut off in /media/op/AIRGAP, on KINGSTON",
        "R on Start goes on with that one, in /media/op/AIRGAP",
        "D on Start gives that one up; this begins here then",
        "e takes another name",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    desk.effects.clear();
    desk.keys("Enter Esc");
    assert!(packs(&mut desk).is_empty());
    // Once it is gone, what was refused for it is planned again.
    desk.keys("0");
    desk.tell(Msg::Found(Found::Interrupted(Arc::default()))).effects.clear();
    desk.keys("4");
    let planned = |effect: &Effect| matches!(effect, Effect::Start(Act::AssembleSpace, _));
    assert!(desk.effects.iter().any(planned), "{:?}", desk.effects);
}

#[test]
fn a_job_that_could_not_save_its_list_says_so_and_the_list_is_written_before_the_next_try() {
    let mut desk = crate::resolve::one_failed();
    desk.keys("1").tell(Msg::Paste("busybox:1.36\n".into())).effects.clear();
    desk.keys("2 v");
    let list = match &desk.effects[0] {
        Effect::Save(path, text) if text.contains("busybox") => path.clone(),
        other => panic!("{other:?}"),
    };
    let full = || Failure::new(Kind::Space, "no space left on device");
    desk.tell(Msg::Found(Found::NotSaved(list, full())));
    desk.tell(Msg::NotStarted(Failure::new(Kind::Space, "the list was not saved: no space left on device")));
    assert!(desk.app.model.running().is_none());
    assert!(desk.screen().contains("the list was not saved"), "{}", desk.screen());
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Failed);
    // Not again and again by itself; but before the next job.
    desk.keys("Esc Esc").effects.clear();
    desk.wait(10).wait(10);
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Save(..))), "{:?}", desk.effects);
    desk.keys("v");
    let [Effect::Save(_, text), .., Effect::Start(Act::Resolve, _)] = desk.effects.as_slice() else {
        panic!("{:?}", desk.effects)
    };
    assert!(text.contains("busybox"));
}

#[test]
fn a_job_waits_for_the_plan_that_is_in_its_way_and_for_nothing_else() {
    let mut desk = planned();
    see(&mut desk, vec![media::stick(7, None)]);
    see(&mut desk, vec![chosen()]);
    desk.keys("4 v");
    desk.tell(Msg::Job(desk.job(), Arc::default()));
    assert!(desk.app.model.running().is_some_and(|job| job.act == Act::AssembleSpace));
    desk.keys("3").effects.clear();
    desk.keys("t Right Enter");
    let started = |desk: &Desk| desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..)));
    assert!(!started(&desk), "{:?}", desk.effects);
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
    assert!(matches!(desk.effects.last(), Some(Effect::Start(Act::MediaCheck, _))), "{:?}", desk.effects);
    assert!(desk.app.model.running().is_some_and(|job| job.act == Act::MediaCheck));
    // A second job is none that anything waits for.
    desk.effects.clear();
    assert!(desk.keys("2 v").screen().contains("not now"), "{}", desk.screen());
    assert!(!started(&desk));
}

#[test]
fn what_an_ended_job_still_says_is_not_taken_for_the_next() {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    let plan = desk.job();
    looked(&mut desk, Some(chosen()));
    desk.tell(Msg::Ended(plan, failed()));
    assert!(desk.app.model.running().is_some_and(|job| job.act == Act::Pack));
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Pack(packed()))));
    assert!(desk.app.model.running().is_none());
}

#[test]
fn a_passphrase_is_asked_for_only_when_nothing_else_is_typed() {
    for (keys, ends) in [(": ver", "Esc Esc"), ("/ ngi", "Esc"), ("F2", "Esc")] {
        let mut desk = planned();
        desk.keys("Enter Right Enter");
        looked(&mut desk, Some(chosen()));
        desk.keys(keys);
        desk.tell(Msg::NeedsPassphrase { key: "/keys/ops".into(), wrong: 0 });
        assert!(!desk.screen().contains("/keys/ops"), "{keys}: {}", desk.screen());
        desk.keys(ends);
        assert!(desk.screen().contains("/keys/ops"), "{keys}: {}", desk.screen());
        desk.typed("hunter2").keys("Enter");
        assert!(matches!(desk.effects.last(), Some(Effect::Passphrase(Some(_)))));
        // One that waits goes with its job.
        desk.keys(keys);
        desk.tell(Msg::NeedsPassphrase { key: "/keys/ops".into(), wrong: 1 });
        desk.tell(Msg::Ended(desk.job(), failed()));
        desk.keys(ends);
        assert!(!desk.screen().contains("/keys/ops"), "{keys}: {}", desk.screen());
    }
}

#[test]
fn a_bundle_that_was_replaced_under_its_path_is_to_be_verified_again() {
    let mut desk = Desk::new();
    desk.keys("g").tell(found(vec![offer(42, None)]));
    desk.keys("Enter v");
    desk.tell(Msg::Ended(desk.job(), failed())).tell(found(vec![offer(42, None)]));
    assert!(desk.app.model.gap.checked.is_some(), "the same one");
    // As while its medium is plugged in again.
    desk.tell(found(vec![Offer { said: Err("it cannot be read".to_owned()), ..offer(42, None) }]));
    assert!(desk.app.model.gap.checked.is_some(), "it is not known to be another one");
    let mut other = offer(42, None);
    if let Ok(said) = &mut other.said {
        said.report.manifest_digest = digest(9);
    }
    desk.tell(found(vec![other]));
    assert!(desk.app.model.gap.checked.is_none());
    assert_eq!(desk.app.model.state(Place::Check), StepState::Stale);
    assert!(desk.screen().contains("the bundle there has changed"), "{}", desk.screen());
    assert!(desk.keys("4").screen().contains("Nothing is verified yet"), "{}", desk.screen());
}

#[test]
fn whoever_leaves_after_a_pack_that_failed_is_told_what_goes_on_from_there() {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    looked(&mut desk, Some(chosen()));
    let mut left = cut(JobSpec::Pack(packs(&mut desk).remove(0)));
    desk.tell(Msg::Job(desk.job(), Arc::default()));
    let full = Failure::new(Kind::Space, "cannot write blob: No space left on device").hint("free space");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(full)));
    assert_eq!(desk.app.farewell(), Vec::<String>::new(), "nothing is known to lie there");
    left.job.carrier = Carrier::of(POINT.into(), "/dev/sdc1".into(), Some(&chosen()));
    let tell = |desk: &mut Desk, left: &airlift::tui::resume::Cut| {
        let cuts = Cuts { packs: vec![left.clone()], ..Cuts::default() };
        desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
    };
    left.job.started = desk.app.model.now - jiff::SignedDuration::from_hours(1);
    tell(&mut desk, &left);
    assert_eq!(
        desk.app.farewell(),
        Vec::<String>::new(),
        "that is an earlier pack's: this one wrote nothing"
    );
    left.job.started = desk.app.model.now;
    let copy = "/home/op/.local/share/airlift/state/jobs/7/images.lock";
    let JobSpec::Pack(job) = &mut left.job.spec else { panic!() };
    job.lock = Some(copy.into());
    tell(&mut desk, &left);
    desk.keys("q");
    let said = desk.app.farewell();
    assert!(said[0].ends_with(": cannot write blob: No space left on device"), "{said:?}");
    assert_eq!(said[1], "free space");
    let goes_on = format!("this goes on from here: airlift pack --lock {copy}");
    assert!(said[2].starts_with(&goes_on), "its own copy of the lock file: {said:?}");
}

#[test]
fn a_stick_that_was_pulled_and_is_put_back_is_said_to_be_back_with_the_one_key_that_goes_on() {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    looked(&mut desk, Some(chosen()));
    packs(&mut desk);
    desk.tell(Msg::Job(desk.job(), Arc::default()));
    let gone = Failure::new(Kind::Medium, "/media/op/CARGO does not lead to what the pack began on any more")
        .hint("was the medium pulled? Put it back");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(gone)));
    see(&mut desk, vec![]);
    let next = |desk: &mut Desk| {
        let screen = crate::rig::text(&desk.wait(10).frame(100, 30));
        let lines = screen.lines().filter(|line| line.contains("next: "));
        lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let lost = next(&mut desk);
    assert!(lost.len() == 1 && lost[0].starts_with("next: plug it in, then r resumes: existing files"));
    // In again, and not mounted yet.
    see(&mut desk, vec![media::stick(8, None)]);
    let screen = desk.wait(10).screen();
    assert!(screen.contains("..7F2A was out and is in again, not mounted at"), "{screen}");
    // Another insertion of the same stick, where it was.
    see(&mut desk, vec![media::stick(9, Some(POINT))]);
    assert_eq!(desk.app.model.state(Place::Media), StepState::Ok);
    assert!(desk.screen().contains("..7F2A is back: r resumes"), "{}", desk.screen());
    assert_eq!(next(&mut desk), ["next: r resumes: existing files are hashed, the rest is fetched"]);
    assert!(desk.screen().contains("+ Kingston DataTraveler ..7F2A is back at /media/op/CARGO"));
    let screen = desk.keys("3").wait(10).screen();
    assert!(screen.contains("..7F2A is back at /media/op/CARGO: 4, then r resumes"), "{screen}");
    desk.keys("4 r");
    looked(&mut desk, Some(media::stick(9, Some(POINT))));
    assert_eq!(packs(&mut desk).len(), 1);
}

#[test]
fn a_key_that_goes_on_is_not_lost_to_a_look_at_the_media_that_answers_after_it() {
    for late in [vec![], vec![media::stick(8, None)], vec![media::stick(8, Some(POINT))]] {
        let mut desk = planned();
        desk.keys("Enter Right Enter");
        looked(&mut desk, Some(chosen()));
        packs(&mut desk);
        see(&mut desk, vec![]);
        desk.tell(Msg::Ended(desk.job(), failed()));
        desk.keys("r");
        see(&mut desk, late);
        looked(&mut desk, Some(media::stick(8, Some(POINT))));
        assert_eq!(packs(&mut desk).len(), 1, "{}", desk.screen());
    }
}

#[test]
fn what_was_said_of_a_job_goes_with_it() {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    looked(&mut desk, Some(chosen()));
    desk.tell(Msg::Job(desk.job(), Arc::default())).keys("p p");
    assert!(desk.screen().contains("it goes on"), "{}", desk.screen());
    desk.tell(Msg::Ended(desk.job(), failed()));
    assert!(!desk.screen().contains("it goes on"), "{}", desk.screen());
}

#[test]
fn a_plan_that_was_asked_for_says_so_where_nothing_changed() {
    let mut desk = planned();
    desk.keys("v");
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Plan(plan()))));
    let screen = desk.screen();
    assert!(screen.contains(": 61.2 GB to write, it fits") && screen.contains("planned at "), "{screen}");
    // One that makes itself says nothing.
    desk.keys("3 4").wait(10);
    assert!(!desk.screen().contains("planned at"), "{}", desk.screen());
}
