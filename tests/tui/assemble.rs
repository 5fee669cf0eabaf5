//! Assemble and sign: the plan, the question, every phase of the run, and each way in which it can end.

use std::sync::Arc;
use std::time::Duration;

use airlift::actions::Act;
use airlift::domain::bundle::Missing;
use airlift::domain::carrier::Carrier;
use airlift::domain::job::JobId;
use airlift::domain::keep_going::KeepGoing;
use airlift::domain::progress::{Event, Phase, PlannedItem};
use airlift::domain::selection::{Origin, Problem};
use airlift::domain::view::JobView;
use airlift::engine::error::Kind;
use airlift::engine::host::HostFacts;
use airlift::engine::sign::keys::KeyReport;
use airlift::engine::spec::{JobReport, JobSpec, PackJob, SignerSpec};
use airlift::engine::state::Rated;
use airlift::failure::Failure;
use airlift::tui::assembly::{Destination, Rate, Tested};
use airlift::tui::medium::Chosen;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg, Query};
use airlift::tui::resume::Cuts;
use airlift::widgets::stepper::StepState;

use crate::made::{FINGERPRINT, digest, done, incomplete, looked, packed, plan, ready};
use crate::media::stick;
use crate::rig::Desk;

fn pack_of(effect: &Effect) -> Option<&PackJob> {
    match effect {
        Effect::Start(_, spec) => match &**spec {
            JobSpec::Pack(job) => Some(job),
            _ => None,
        },
        _ => None,
    }
}

/// The jobs that were started since this was looked at last.
fn started(desk: &mut Desk) -> Vec<PackJob> {
    let jobs = desk.effects.iter().filter_map(pack_of).cloned().collect();
    desk.effects.clear();
    jobs
}

/// The same, once the destination was looked at that is asked about before.
fn begun(desk: &mut Desk) -> Vec<PackJob> {
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{:?}", desk.effects);
    looked(desk, None);
    started(desk)
}

pub(crate) fn planned() -> Desk {
    let mut desk = ready();
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Plan(plan()))));
    desk
}

pub(crate) fn running() -> Desk {
    let mut desk = planned();
    desk.effects.clear();
    desk.keys("Enter Right Enter");
    assert_eq!(begun(&mut desk).len(), 1);
    desk
}

pub(crate) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn blob(image: &str, n: u8) -> String {
    format!("{image} {}", digest(n).short())
}

const SIZE: u64 = 61_200_000_000;

/// As far as the end of a phase, each taking what it takes.
fn view_until(last: Phase) -> JobView {
    let mut view = JobView::default();
    let mut at = 0;
    let mut say = |view: &mut JobView, event: Event, seconds: u64| {
        at += seconds;
        view.apply(&event, s(at));
    };
    for (phase, bytes, seconds) in [
        (Phase::Resolve, 0, 2),
        (Phase::Fetch, SIZE, 1500),
        (Phase::Flush, 0, 38),
        (Phase::ReadBack, SIZE, 700),
        (Phase::Sign, 0, 1),
    ] {
        say(&mut view, Event::Started { phase, items: if bytes > 0 { 30 } else { 0 }, bytes }, 0);
        let beside = (phase == Phase::Fetch).then_some(Phase::Write);
        if let Some(phase) = beside {
            say(&mut view, Event::Started { phase, items: 0, bytes }, 0);
        }
        if phase == last {
            break;
        }
        let mut seconds = seconds;
        for phase in std::iter::once(phase).chain(beside) {
            say(&mut view, Event::Bytes { phase, done: bytes }, std::mem::take(&mut seconds));
            say(&mut view, Event::Finished { phase }, 0);
        }
    }
    view
}

pub(crate) fn fetching() -> JobView {
    let mut view = view_until(Phase::Fetch);
    let phase = Phase::Fetch;
    let item = |item: String, bytes| PlannedItem { item, bytes };
    let (nginx, redis, etcd) = (
        blob("docker.io/library/nginx:1.25.3", 1),
        blob("docker.io/library/redis:7.0.1", 2),
        blob("registry.k8s.io/etcd:3.5.12", 3),
    );
    let items = vec![
        item(nginx.clone(), 30_100_000),
        item(redis.clone(), 71_200_000),
        item(etcd.clone(), 2_100_000),
        item(blob("registry.k8s.io/etcd:3.5.12", 4), 1_000),
    ];
    view.apply(&Event::Planned { phase, items }, s(2));
    view.apply(&Event::Done { phase, item: redis, bytes: 71_200_000 }, s(3));
    view.apply(&Event::Item { phase, item: nginx.clone(), bytes: 30_100_000 }, s(3));
    view.apply(
        &Event::Retry { phase, item: nginx, attempt: 2, reason: "connection reset".into(), wait_ms: 500 },
        s(4),
    );
    let reason = "there already, hashed".into();
    view.apply(&Event::Skipped { phase, item: etcd, bytes: 2_100_000, reason }, s(4));
    // What a part run left is hashed where it lies: written already, and not fetched again.
    let kept = 9_000_000_000;
    view.apply(&Event::Spared { phase, bytes: kept }, s(4));
    for second in 1..=60u64 {
        let done = second * 400_000_000;
        view.apply(&Event::Bytes { phase, done }, s(2 + second));
        view.apply(&Event::Bytes { phase: Phase::Write, done: kept + done - 60_000_000 }, s(2 + second));
    }
    view
}

pub(crate) fn show(desk: &mut Desk, view: JobView, seconds: u64) {
    desk.tell(Msg::Job(JobId(2), Arc::new(view)));
    desk.wait(seconds);
}

#[test]
fn what_is_missing_before_a_plan_can_be_made_is_said_and_nothing_is_started() {
    let mut desk = Desk::new();
    desk.keys("b 4");
    assert!(desk.screen().contains("! the list is empty: 1 fills it"));
    desk.keys("Enter");
    assert!(desk.screen().contains("not now: the list is empty"));
    assert!(started(&mut desk).is_empty());
    let mut desk = ready();
    desk.app.model.picked.begin_all();
    desk.app.model.set_state(Place::Resolve, StepState::Stale);
    assert!(desk.keys("3 4").screen().contains("changed since it was verified: 2, then v"));
}

#[test]
fn the_plan_is_worked_out_by_itself_as_the_command_would_without_writing() {
    let mut desk = ready();
    let jobs = started(&mut desk);
    assert_eq!(jobs.len(), 1);
    assert!(jobs[0].dry_run && jobs[0].images.is_empty());
    assert_eq!(jobs[0].lock.as_deref(), Some("/home/op/.local/share/airlift/work/images.lock".as_ref()));
    assert!(desk.screen().contains("planning"));
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Plan(plan()))));
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn the_same_images_again_and_a_program_that_stays_behind_are_foreseen() {
    let mut desk = ready();
    let mut plan = plan();
    plan.place.repeats = true;
    (plan.place.to_write, plan.place.to_fetch, plan.place.to_copy) = (0, 0, 0);
    plan.place.not_carried = Some("this airlift is not static".into());
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Plan(plan))));
    let screen = desk.screen();
    for words in ["serial 42, signed already", "no new serial", "! not carried: this airlift is not static"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(
        !screen.contains("airlift itself, for the other side") && !screen.contains("   before it  "),
        "{screen}"
    );
}

#[test]
fn what_lost_its_signature_is_told_in_the_plan_with_what_signs_it_again() {
    let mut desk = ready();
    let mut plan = plan();
    plan.place.unsigned = Some("/media/op/MY STICK/bundle-41".into());
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Plan(plan))));
    let screen = crate::rig::text(&desk.frame(120, 40));
    let words = "! that serial was signed here; what lies there lost its signature: airlift sign '/media/op/MY \
                 STICK/bundle-41' signs it again";
    let said = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(words), "{screen}");
    let asked = desk.keys("Enter").screen().replace('│', " ");
    let asked = asked.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(asked.contains("what lies there lost its signature: "), "{asked}");
}

#[test]
fn before_there_is_a_plan_the_program_is_promised_only_where_this_host_has_one_to_carry() {
    let mut desk = ready();
    let itself = "airlift itself, for the other side";
    for (program, words) in [
        (0, "! not carried: this airlift may not run elsewhere".to_owned()),
        (27_800_000, format!("{itself}, 27.8 MB")),
    ] {
        desk.app.model.host = Some(Arc::new(HostFacts { program, ..crate::rig::host() }));
        assert!(desk.screen().contains(&words), "{words}: {}", desk.screen());
    }
    desk.app.model.host = None;
    assert!(desk.screen().contains(&format!("{itself}, if it is a static build")), "{}", desk.screen());
}

#[test]
fn the_time_is_told_once_a_rate_was_measured() {
    let mut desk = planned();
    assert!(!desk.screen().contains("about"));
    assert!(
        desk.screen().contains("not known: not measured yet; t on Media measures it"),
        "{}",
        desk.screen()
    );
    let stick = stick(1, Some("/media/op/KINGSTON"));
    desk.app.model.chosen = Chosen::volume(&stick, &stick.volumes[0]);
    let here = Carrier::of("/media/op/KINGSTON".into(), stick.volumes[0].device.clone(), Some(&stick));
    let mut told = |onto: &Carrier, rough: bool, tested: Option<u64>| {
        let assembly = &mut desk.app.model.assembly;
        assembly.rate = Some(Rate { onto: Some(onto.clone()), bytes: 41_000_000, rough });
        assembly.tested = tested.map(|write| {
            let path = "/media/op/KINGSTON".into();
            Tested { path, medium: None, write, read: 90_000_000 }
        });
        desk.screen().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (tested, by) in [(None, ""), (Some(30_000_000), ""), (Some(80_000_000), ", by the network")] {
        let screen = told(&here, false, tested);
        let words = format!(
            "about 1 min 40 s at 41.0 MB/s for what is new, as onto it the last time{by}; 57.1 GB are copied there on top, then"
        );
        assert!(screen.contains(&words), "{words}: {screen}");
    }
    let other = Carrier { device: None, ..here.clone() };
    let words = "roughly 1 min 40 s at 41.0 MB/s for what is new, as a pack onto another medium was fetched; 57.1 GB are";
    let screen = told(&other, false, None);
    assert!(screen.contains(words), "{screen}");
    let screen = told(&here, true, None);
    assert!(screen.contains("41.0 MB/s for what is new, as a small pack was fetched; 57.1 GB"), "{screen}");
    let screen = told(&other, false, Some(80_000_000));
    assert!(screen.contains("by the medium's test: writes 80.0 MB/s"), "{screen}");
    // With nothing beside it, all of it is fetched.
    let plan = desk.app.model.assembly.plan.as_mut().unwrap();
    let place = &mut plan.outcome.as_mut().unwrap().place;
    (place.to_fetch, place.to_copy) = (place.to_write, 0);
    desk.app.model.assembly.tested = None;
    let screen = desk.screen().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        screen.contains("roughly 24 min at 41.0 MB/s, as a pack onto another medium was fetched"),
        "{screen}"
    );
}

#[test]
fn what_is_only_copied_has_no_time_by_how_fast_something_was_fetched() {
    let mut desk = planned();
    let rate = Rate { onto: None, bytes: 41_000_000, rough: false };
    desk.app.model.assembly.rate = Some(rate);
    let plan = desk.app.model.assembly.plan.as_mut().unwrap();
    let place = &mut plan.outcome.as_mut().unwrap().place;
    // But for the documents, which are there since the references were resolved.
    (place.to_fetch, place.to_copy) = (0, place.to_write - 3_000);
    let screen = desk.screen().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        screen.contains("not known: nothing is fetched, 61.2 GB are written there, then read back"),
        "{screen}"
    );
}

#[test]
fn the_time_is_told_by_what_an_earlier_run_measured_of_the_same_medium() {
    let mut desk = planned();
    let stick = stick(1, Some("/media/op/KINGSTON"));
    desk.app.model.chosen = Chosen::volume(&stick, &stick.volumes[0]);
    let here = Carrier::of("/media/op/KINGSTON".into(), stick.volumes[0].device.clone(), Some(&stick));
    let other = Carrier { device: None, ..here.clone() };
    let mut told = |rough: bool, rate: Option<(&Carrier, bool)>| {
        let at = "2026-11-22T08:00:00Z".parse().unwrap();
        let rated = Rated { carrier: here.clone(), bytes: 20_000_000, rough, at };
        let assembly = &mut desk.app.model.assembly;
        assembly.plan.as_mut().unwrap().outcome.as_mut().unwrap().rated = Some(rated);
        assembly.rate = rate.map(|(onto, rough)| Rate { onto: Some(onto.clone()), bytes: 41_000_000, rough });
        desk.screen().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let kept = "about 3 min 25 s at 20.0 MB/s for what is new, as onto it on 2026-11-22; 57.1 GB are copied there on top";
    for (rough, rate, words) in [
        (false, None, kept),
        (false, Some((&other, false)), kept),
        (false, Some((&here, true)), kept),
        (false, Some((&here, false)), "at 41.0 MB/s for what is new, as onto it the last time"),
        (
            true,
            None,
            "roughly 3 min 25 s at 20.0 MB/s for what is new, as a small pack onto it was fetched on 2026-11-22",
        ),
        (true, Some((&here, true)), "at 41.0 MB/s for what is new, as a small pack was fetched"),
        (true, Some((&other, false)), "as a small pack onto it was fetched on 2026-11-22"),
    ] {
        let screen = told(rough, rate);
        assert!(screen.contains(words), "{words}: {screen}");
    }
}

/// A pack of which so many megabytes were fetched in ten seconds, and the rate that is known then.
fn rate_of(megabytes: u64, desk: &mut Desk) -> Option<Rate> {
    desk.wait(10).effects.clear();
    desk.keys("Enter Right Enter");
    begun(desk);
    let (mut view, phase) = (JobView::default(), Phase::Fetch);
    let bytes = megabytes * 1_000_000;
    view.apply(&Event::Started { phase, items: 1, bytes }, s(0));
    view.apply(&Event::Bytes { phase, done: bytes }, s(10));
    view.apply(&Event::Finished { phase }, s(10));
    let id = desk.job();
    desk.tell(Msg::Job(id, std::sync::Arc::new(view))).tell(Msg::Ended(id, Ended::Cancelled));
    desk.keys("v");
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Plan(plan()))));
    desk.app.model.assembly.rate.clone()
}

#[test]
fn a_small_pack_tells_a_rough_rate_until_a_larger_one_tells_a_better_one() {
    let mut desk = planned();
    let mut rate_of = |megabytes: u64| {
        let rate = rate_of(megabytes, &mut desk)?;
        assert_eq!(rate.onto.map(|onto| onto.mount_point), Some("/media/op/KINGSTON".into()));
        Some((rate.bytes, rate.rough))
    };
    assert_eq!(rate_of(0), None);
    assert_eq!(rate_of(4), Some((400_000, true)));
    assert_eq!(rate_of(400), Some((40_000_000, false)));
    assert_eq!(rate_of(4), Some((40_000_000, false)));
    // That of another medium says less of this one than few bytes onto it.
    let other = Carrier::of("/media/op/OTHER".into(), "/dev/sdz1".into(), None);
    desk.app.model.assembly.rate = Some(Rate { onto: Some(other), bytes: 41_000_000, rough: false });
    let rate = self::rate_of(4, &mut desk).unwrap();
    assert_eq!((rate.bytes, rate.rough), (400_000, true));
}

#[test]
fn where_rows_are_few_the_whole_plan_can_be_read_and_a_run_keeps_what_matters() {
    let small = |desk: &mut Desk| crate::rig::text(&desk.frame(60, 16));
    let mut desk = planned();
    assert!(!desk.screen().contains("go to the others"), "it fits there");
    let mut seen = small(&mut desk);
    assert!(seen.contains("row 1 of 11; Up and Down go to the others"), "{seen}");
    for _ in 0..10 {
        desk.keys("Down");
        seen.push_str(&small(&mut desk));
    }
    for words in [
        "serial 42",
        "3 images = 41 blobs in 63 files",
        "read back",
        "program",
        "row 11 of 11",
        "Enter starts",
    ] {
        assert!(seen.contains(words), "{words}: {seen}");
    }
    let mut desk = under_way();
    let screen = small(&mut desk);
    for words in ["+ ok: resolve", "waiting: flush, read back, sign", "fetch ", "write ", "redis"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    let mut desk = failed();
    let screen = small(&mut desk);
    for words in ["not started: flush", "connection reset", "class: network", "r does the same again"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
}

#[test]
fn a_plan_that_does_not_fit_says_why_and_does_not_start() {
    let mut desk = ready();
    let failure = Failure::new(
        Kind::Space,
        "64.3 GB are needed (61.2 GB of images, 3.1 GB of margin), 16.0 GB are free",
    )
    .hint("choose a larger medium, or take images off the list");
    desk.tell(Msg::Ended(JobId(1), Ended::Failed(failure)));
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Enter Esc");
    assert!(started(&mut desk).is_empty());
}

#[test]
fn without_a_key_nothing_starts_and_the_way_to_one_is_named() {
    let mut desk = planned();
    desk.tell(Msg::Found(Found::Host(Arc::new(crate::rig::host()))));
    assert!(desk.screen().contains("no key yet: k chooses one"));
    desk.effects.clear();
    desk.keys("Enter");
    assert!(desk.screen().contains("not now: there is no key to sign with"));
    assert!(started(&mut desk).is_empty());
}

#[test]
fn the_question_holds_the_plan_and_enter_alone_does_not_start() {
    let mut desk = planned();
    desk.effects.clear();
    desk.keys("Enter");
    insta::assert_snapshot!(desk.picture());
    let small = crate::rig::text(&desk.frame(60, 16));
    insta::assert_snapshot!("the_question_at_60x16", small);
    assert!(small.contains("more: "), "{small}");
    desk.keys("PageDown PageDown PageDown");
    let end = crate::rig::text(&desk.frame(60, 16));
    insta::assert_snapshot!("the_question_at_60x16_end", end);
    desk.keys("Enter");
    assert!(started(&mut desk).is_empty());
    desk.keys("Enter Right Enter");
    let jobs = begun(&mut desk);
    assert!(jobs.len() == 1 && !jobs[0].dry_run);
    assert_eq!(desk.app.model.state(Place::Assemble), StepState::Running);
}

#[test]
fn what_is_lost_or_risked_is_seen_first_in_the_question_however_few_rows_there_are() {
    let mut desk = ready();
    let mut plan = plan();
    plan.place.not_carried = Some("this airlift is not static".into());
    plan.missing = vec![Missing { reference: "redis:9".into(), reason: "not found".into() }];
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Plan(plan)))).keys("Enter");
    let screen = crate::rig::text(&desk.frame(60, 16));
    let at = |words: &str| screen.find(words).unwrap_or_else(|| panic!("{words}: {screen}"));
    assert!(at("missing: ! redis:9: not found") < at("program: ! not carried"), "{screen}");
    assert!(at("program: ! not carried") < at("bundle: bundle-42"), "{screen}");
}

#[test]
fn a_look_at_another_place_that_fails_takes_no_pack_away() {
    let mut desk = planned();
    desk.effects.clear();
    desk.keys("Enter Right Enter");
    let failed = |path: &str| Found::Failed(Query::Place(path.into()), Failure::usage("it is not there"));
    desk.tell(Msg::Found(failed("/srv/other")));
    assert_eq!(begun(&mut desk).len(), 1);
    let mut desk = planned();
    desk.effects.clear();
    desk.keys("Enter Right Enter").tell(Msg::Found(failed("/media/op/KINGSTON")));
    looked(&mut desk, None);
    assert!(started(&mut desk).is_empty());
}

#[test]
fn settings_are_changed_and_the_plan_is_made_anew() {
    let mut desk = planned();
    desk.effects.clear();
    desk.keys("e");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter Ctrl-U").typed("site a").keys("Enter");
    assert!(desk.screen().contains("Name of the series"), "a name that is none stays in the dialog");
    desk.keys("Ctrl-U").typed("site").keys("Enter");
    let jobs = started(&mut desk);
    assert_eq!((jobs.len(), jobs[0].name.as_str()), (1, "site"));
    desk.tell(Msg::Ended(JobId(3), done(JobReport::Plan(plan()))));
    // One that has passed already is refused where it is typed, and not by the plan alone.
    desk.keys("e Down Enter Ctrl-U").typed("2020-01-01").keys("Enter");
    let screen = desk.screen();
    assert!(screen.contains("x the expiry 2020-01-01T00:00:00Z is past: now is"), "{screen}");
    for words in ["  2026-11-21T12:00:00Z", "Here it is 2026-11-21 ", "12:00Z now; whether it has expired"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    desk.keys("Ctrl-U").typed("tomorrow").keys("Enter");
    assert!(desk.screen().contains("x expected a span like 90d, 12w or 36h, or a date"), "{}", desk.screen());
    assert!(started(&mut desk).is_empty());
    desk.keys("Ctrl-U").typed("90d").keys("Enter");
    assert_eq!(started(&mut desk)[0].expires, Some("90d".parse().unwrap()));
    let screen = desk.screen();
    assert!(screen.contains("by the other side's clock (90d from the pack)"), "{screen}");
    desk.tell(Msg::Ended(JobId(4), done(JobReport::Plan(plan()))));
    desk.keys("e Down Down Enter Esc");
    assert!(!started(&mut desk)[0].read_back);
    assert!(desk.screen().contains("! no: nobody knows what the medium really stored"));
}

#[test]
fn leaving_out_what_fails_later_is_asked_for_and_not_had_by_the_word_on_verify() {
    let mut desk = planned();
    desk.effects.clear();
    desk.app.model.assembly.keep_going = KeepGoing::Unresolved;
    desk.keys("e");
    assert!(
        desk.screen().contains("Allow an incomplete bundle  without what failed on Verify"),
        "{}",
        desk.screen()
    );
    desk.keys("End Enter");
    assert_eq!(started(&mut desk)[0].keep_going, KeepGoing::All);
    assert!(
        desk.screen().contains("Allow an incomplete bundle  yes, and without what fails later"),
        "{}",
        desk.screen()
    );
    desk.keys("Esc");
    assert!(desk.screen().contains("and without any image whose"), "{}", desk.screen());
}

#[test]
fn a_name_that_lies_on_the_medium_already_says_what_becomes_of_both() {
    let mut desk = planned();
    let carrying = crate::media::carrying();
    crate::media::seen(&mut desk, vec![carrying.clone()]);
    desk.app.model.choose(Chosen::volume(&carrying, &carrying.volumes[0]).unwrap());
    desk.keys("e Enter Ctrl-U").typed("site").keys("Enter");
    let screen = desk.screen();
    assert!(
        screen.contains("site-41 lies there already and stays: this becomes the next of site"),
        "{screen}"
    );
}

#[test]
fn the_key_is_one_of_this_host_another_file_or_one_of_the_agent() {
    let mut desk = planned();
    desk.effects.clear();
    desk.keys("k");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::AgentKeys))));
    let held = KeyReport {
        path: None,
        public: "ssh-ed25519 AAAAC3Nz ops@jump01".into(),
        fingerprint: "SHA256:AgentKey".into(),
        key_id: "77aa00112233bbcc".into(),
        algorithm: "ssh-ed25519".into(),
    };
    desk.tell(Msg::Found(Found::AgentKeys(Ok(vec![held]))));
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Down Down Enter");
    let jobs = started(&mut desk);
    assert_eq!(jobs[0].signer, SignerSpec::Agent(Some("SHA256:AgentKey".into())));
    assert!(desk.screen().contains("SHA256:AgentKey  held by ssh-agent"));
    assert_eq!(desk.app.model.key_words(), "key AgentKey", "by what its fingerprint ends in");
}

#[test]
fn the_path_of_a_key_can_be_typed_where_the_keys_are_listed() {
    let mut desk = planned();
    desk.keys("k").tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    desk.effects.clear();
    let screen = desk.typed("zzz").keys("Enter").screen();
    assert!(screen.contains("zzz is no key of this list"), "{screen}");
    desk.keys("Ctrl-U").typed("~/keys/ops").keys("Enter");
    let asked = |path: &str, desk: &Desk| {
        let asks =
            |effect: &Effect| matches!(effect, Effect::Ask(Query::PublicKey(of)) if of.as_os_str() == path);
        assert!(desk.effects.iter().any(asks), "{path}: {:?}", desk.effects);
    };
    asked("/home/op/keys/ops", &desk);
    desk.keys("k").tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    desk.typed("keys/site").keys("Enter");
    asked("/home/op/keys/site", &desk);
    desk.keys("k").tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    desk.typed("./keys/ops").keys("Enter");
    asked("/home/op/keys/ops", &desk);
    // A file that cannot be read ends the question: keys that another one asks for later are not for this one.
    let unread = Failure::usage("it is not there");
    desk.tell(Msg::Found(Found::Failed(Query::PublicKey("/home/op/keys/ops".into()), unread))).keys("Esc");
    desk.tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    assert!(!desk.screen().contains("Which key signs?"), "{}", desk.screen());
}

#[test]
fn a_key_is_made_where_there_is_none_and_the_plan_goes_on() {
    let mut desk = planned();
    desk.tell(Msg::Found(Found::Host(Arc::new(crate::rig::host()))));
    assert!(desk.keys("Enter").screen().contains("k chooses one, or makes one"), "{}", desk.screen());
    desk.keys("k").tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    desk.effects.clear();
    desk.keys("Enter");
    let made = desk.effects.iter().any(|effect| matches!(effect, Effect::Start(Act::KeyGenerate, _)));
    assert!(made, "{:?}", desk.effects);
    desk.effects.clear();
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Start(Act::AssembleSpace, _))));
}

#[test]
fn where_no_agent_runs_that_is_said_with_the_next_step() {
    let mut desk = planned();
    desk.keys("k");
    let none = Failure::usage("there is no ssh-agent: SSH_AUTH_SOCK is not set").hint("ssh-add KEY");
    desk.tell(Msg::Found(Found::AgentKeys(Err(none))));
    desk.keys("Down Down Enter");
    assert!(desk.screen().contains("next: ssh-add KEY"));
    desk.keys("Esc k");
    desk.tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    desk.effects.clear();
    desk.keys("Down Enter Ctrl-U").typed("/keys/ops");
    let entry = airlift::dialogs::path::Entry { name: "ops".into(), directory: false };
    desk.tell(Msg::Found(Found::Entries("/keys/".into(), Ok(vec![entry]))));
    desk.keys("Enter");
    assert!(
        matches!(desk.effects.last(), Some(Effect::Ask(Query::PublicKey(path))) if path.as_os_str() == "/keys/ops")
    );
}

/// The job failed while its passphrase was typed.
pub(crate) fn ended_while_typed() -> Desk {
    let mut desk = running();
    desk.tell(Msg::NeedsPassphrase { key: "/keys/ops".into(), wrong: 0 });
    let gone = Failure::new(Kind::Medium, "the medium is gone");
    desk.typed("hun").tell(Msg::Ended(JobId(2), Ended::Failed(gone)));
    desk
}

#[test]
fn letters_of_a_passphrase_do_nothing_once_its_job_has_ended_and_are_not_shown() {
    let mut desk = ended_while_typed();
    let (place, screen) = (desk.app.model.place, desk.typed("q7").screen());
    assert!(screen.contains("No passphrase is needed any more"), "{screen}");
    assert!(
        screen.contains("that key does nothing in this window") && !screen.contains("7 does"),
        "{screen}"
    );
    let screen = desk.keys("Enter").screen();
    assert!(!screen.contains("No passphrase") && !screen.contains("Quit"), "{screen}");
    assert_eq!(desk.app.model.place, place);
}

#[test]
fn a_passphrase_is_asked_for_again_when_it_was_wrong_and_esc_hands_over_nothing() {
    let mut desk = running();
    let key = || "/home/op/.local/share/airlift/signing_key".into();
    desk.tell(Msg::NeedsPassphrase { key: key(), wrong: 0 });
    desk.typed("hunter2");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    assert!(matches!(desk.effects.last(), Some(Effect::Passphrase(Some(_)))));
    desk.tell(Msg::NeedsPassphrase { key: key(), wrong: 1 });
    assert!(desk.screen().contains("wrong; 2 more tries"));
    desk.typed("x").keys("Enter");
    desk.tell(Msg::NeedsPassphrase { key: key(), wrong: 2 });
    assert!(desk.screen().contains("wrong; this is the last try"));
    desk.keys("Esc");
    assert!(matches!(desk.effects.last(), Some(Effect::Passphrase(None))));
    desk.tell(Msg::Ended(JobId(2), Ended::Cancelled));
    assert!(desk.screen().contains("stopped before it began: all is as it was"), "{}", desk.screen());
    desk.effects.clear();
    assert!(desk.keys("Enter").screen().contains("Assemble and sign this?"), "it is asked about again");
    assert_eq!(started(&mut desk), []);
    desk.keys("Right Enter");
    assert_eq!(begun(&mut desk).len(), 1);
}

#[test]
fn a_fetch_shows_how_far_how_fast_and_every_item() {
    let mut desk = under_way();
    insta::assert_snapshot!(desk.picture());
    desk.keys("/ etcd Enter");
    assert!(desk.screen().contains("filter 2/4"));
}

/// In the cold read-back, and one file differs.
pub(crate) fn reading_back() -> Desk {
    let mut desk = running();
    let mut view = view_until(Phase::ReadBack);
    for second in 1..=60u64 {
        view.apply(&Event::Bytes { phase: Phase::ReadBack, done: second * 88_000_000 }, s(1540 + second));
    }
    let reason = "sha256 differs at byte 172032".into();
    view.apply(&Event::Failed { phase: Phase::ReadBack, item: "blobs/sha256/03ab".into(), reason }, s(1600));
    show(&mut desk, view, 1600);
    desk
}

#[test]
fn a_flush_and_a_cold_read_back_are_rows_of_their_own() {
    insta::assert_snapshot!(reading_back().picture());
}

/// In the middle of the fetch.
pub(crate) fn under_way() -> Desk {
    let mut desk = running();
    show(&mut desk, fetching(), 62);
    desk
}

/// The registry went away in the middle of the fetch.
pub(crate) fn failed() -> Desk {
    let mut desk = under_way();
    let failure = Failure::new(Kind::Network, "docker.io/library/nginx: connection reset by peer, 5 tries");
    desk.tell(Msg::Ended(JobId(2), Ended::Failed(failure)));
    desk
}

/// Signed.
pub(crate) fn assembled() -> Desk {
    let mut desk = running();
    desk.tell(Msg::Ended(JobId(2), done(JobReport::Pack(packed()))));
    desk
}

#[test]
fn a_run_that_fails_after_its_bundle_was_signed_says_that_this_one_stays() {
    let mut desk = running();
    desk.tell(Msg::Ended(JobId(2), done(JobReport::Pack(incomplete()))));
    let screen = desk.screen();
    assert!(screen.lines().last().unwrap().contains("r retry"), "it is the way on: {screen}");
    desk.keys("r");
    looked(&mut desk, None);
    desk.tell(Msg::Job(desk.job(), Arc::default()));
    let gone = Failure::usage("cannot read /home/op/images.lock: No such file or directory");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(gone)));
    let screen = desk.screen();
    for words in ["+ bundle-42, signed before this run, stays as it was signed", "not in this run"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(!screen.contains("nothing was signed"), "{screen}");
    assert!(!screen.contains("bundle-42   "), "the run is of none that was planned: {screen}");
}

#[test]
fn what_is_written_is_not_said_to_be_done_before_it_is_fetched() {
    let mut desk = under_way();
    let screen = crate::rig::text(&desk.frame(140, 30));
    let eta = |name: &str| {
        let row = screen.lines().find(|line| line.starts_with(&format!(" {name} "))).unwrap();
        row.split("ETA ").nth(1).and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
    };
    // Much of it lay there and was counted at once: by its own rate it would be over before.
    assert!(eta("fetch").is_some() && eta("write") == eta("fetch"), "{screen}");
}

#[test]
fn a_stall_is_said_with_its_seconds_and_a_pause_is_none() {
    let mut desk = running();
    show(&mut desk, fetching(), 74);
    assert!(desk.screen().contains("! stalled 12 s"), "{}", desk.screen());
    desk.effects.clear();
    desk.keys("p");
    assert!(matches!(desk.effects.as_slice(), [Effect::Pause(JobId(2), true)]));
    let mut view = fetching();
    view.apply(&Event::Paused { paused: true }, s(74));
    show(&mut desk, view, 60);
    let screen = desk.screen();
    assert!(screen.contains("! paused; p resumes") && !screen.contains("stalled"), "{screen}");
    let foot = |screen: &str| screen.lines().last().unwrap_or_default().to_owned();
    assert!(foot(&screen).contains("p resume") && !foot(&screen).contains("pause"), "{screen}");
    assert!(foot(&desk.keys("p").screen()).contains("p pause"));
}

#[test]
fn a_stop_is_asked_about_and_enter_goes_on_from_there() {
    let mut desk = running();
    show(&mut desk, fetching(), 62);
    desk.effects.clear();
    desk.keys("x Right Enter");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Cancel(JobId(2)))));
    assert!(desk.screen().contains("stopping at the next safe point"));
    desk.tell(Msg::Ended(JobId(2), Ended::Cancelled));
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Enter");
    assert_eq!(begun(&mut desk).len(), 1);
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
    assert!(
        desk.screen().contains("\n bundle-42   3 images"),
        "what was planned keeps its name: {}",
        desk.screen()
    );
}

#[test]
fn a_failure_stays_on_the_screen_with_its_meaning_and_the_next_step() {
    let mut desk = running();
    let mut view = fetching();
    let item = blob("docker.io/library/nginx:1.25.3", 1);
    view.apply(&Event::Failed { phase: Phase::Fetch, item, reason: "gave up after 5 tries".into() }, s(62));
    show(&mut desk, view, 62);
    let failure = Failure::new(
        Kind::Network,
        "docker.io/library/nginx: GET blob sha256:0101010101: connection reset by peer, 5 tries",
    )
    .hint("the registry or a proxy between cut the line: is it reachable? curl -I https://registry-1.docker.io/v2/");
    desk.tell(Msg::Ended(JobId(2), Ended::Failed(failure)));
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("r");
    assert_eq!(begun(&mut desk).len(), 1);
}

#[test]
fn what_lies_there_is_gone_on_with_by_the_key_that_tries_again_once_it_was_changed() {
    let mut desk = crate::onto::begun_there(true);
    let screen = desk.keys("r").screen();
    assert!(screen.contains("Go on with the interrupted bundle there?"), "{screen}");
    let mut desk = planned();
    assert!(desk.keys("r").screen().contains("nothing was run yet"), "{}", desk.screen());
}

#[test]
fn the_picture_of_a_failed_run_stays_until_the_next_one_has_begun() {
    let mut desk = failed();
    let bars =
        |screen: String| -> Vec<String> { screen.lines().skip(3).take(14).map(str::to_owned).collect() };
    let before = bars(desk.screen());
    assert!(before.concat().contains("x FAILED"), "{before:?}");
    desk.effects.clear();
    desk.keys("r");
    assert_eq!(begun(&mut desk).len(), 1);
    assert_eq!(bars(desk.screen()), before, "it asks for a passphrase first");
    let screen = desk.screen();
    assert!(screen.contains("this is the run before; the next one begins ..."), "{screen}");
    let id = desk.job();
    desk.tell(Msg::NeedsPassphrase { key: "/keys/ops".into(), wrong: 0 }).keys("Esc");
    desk.tell(Msg::Ended(id, Ended::Cancelled));
    assert_eq!(bars(desk.screen()), before);
    assert!(desk.screen().contains("stopped before it began: all is as it was"), "{}", desk.screen());
    desk.effects.clear();
    desk.keys("r");
    assert_eq!(begun(&mut desk).len(), 1, "it can still be begun again");
    let id = desk.job();
    let mut view = JobView::default();
    view.apply(&Event::Started { phase: Phase::Resolve, items: 3, bytes: 0 }, s(0));
    desk.tell(Msg::Job(id, Arc::new(view)));
    assert!(!desk.screen().contains("x FAILED"), "{}", desk.screen());
}

#[test]
fn the_command_of_a_pack_that_runs_or_failed_names_what_its_record_keeps_of_the_list() {
    let mut desk = planned();
    desk.effects.clear();
    desk.keys("Enter Right Enter");
    let job = begun(&mut desk).remove(0);
    let copied = |desk: &mut Desk| {
        let screen = desk.keys("y").screen();
        desk.keys("Esc");
        screen.contains("/state/jobs/7/images.lock")
    };
    let kept = JobSpec::Pack(PackJob { lock: Some("/state/jobs/7/images.lock".into()), ..job });
    assert!(!copied(&mut desk), "nothing is recorded yet");
    desk.effects.clear();
    show(&mut desk, fetching(), 62);
    show(&mut desk, fetching(), 63);
    let asked = desk.effects.iter().filter(|effect| matches!(effect, Effect::Ask(Query::Interrupted)));
    assert_eq!(asked.count(), 1, "once it has begun");
    let under_way = Cuts { under_way: vec![kept.clone()], ..Cuts::default() };
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(under_way))));
    assert!(copied(&mut desk));
    let failure = Failure::new(Kind::Network, "connection reset by peer");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(failure)));
    assert!(!copied(&mut desk), "it is not under way any more");
    let mut cut = crate::start::cut(kept);
    cut.job.started = desk.app.model.now;
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(Cuts { packs: vec![cut], ..Cuts::default() }))));
    assert!(copied(&mut desk));
    // The same is what is begun again, whatever became of the list meanwhile.
    desk.effects.clear();
    desk.keys("r");
    looked(&mut desk, Some(crate::start::stick()));
    let again = started(&mut desk).remove(0);
    assert_eq!(again.lock, Some("/state/jobs/7/images.lock".into()));
    let screen = desk.screen();
    assert!(screen.contains("this is the run before; it goes on from there ..."), "{screen}");
}

#[test]
fn done_is_said_only_at_the_end_and_enter_leads_to_the_report() {
    let mut desk = running();
    show(&mut desk, view_until(Phase::Sign), 2240);
    assert!(!desk.screen().contains("+ OK"));
    desk.tell(Msg::Ended(JobId(2), done(JobReport::Pack(packed()))));
    insta::assert_snapshot!(desk.picture());
    assert_eq!(desk.app.model.state(Place::Assemble), StepState::Ok);
    let rate = desk.app.model.assembly.rate.as_ref().unwrap();
    assert_eq!((rate.bytes, rate.rough), (40_800_000, false));
    desk.keys("r");
    assert!(desk.screen().contains("nothing failed"));
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Report);
    assert!(desk.app.model.key_facts().unwrap().0 == FINGERPRINT);
}

#[test]
fn an_incomplete_bundle_is_a_warning_and_can_be_gone_on_with() {
    let mut desk = running();
    desk.tell(Msg::Ended(JobId(2), done(JobReport::Pack(incomplete()))));
    assert!(desk.screen().contains("! WARN  the bundle is signed but incomplete"), "{}", desk.screen());
    assert!(
        desk.screen().contains("next: r once they can be had makes the next bundle"),
        "{}",
        desk.screen()
    );
    assert_eq!(desk.app.model.state(Place::Assemble), StepState::Warn);
    assert_eq!(desk.app.model.unwell.code(), 3, "what is left so is no success");
    desk.effects.clear();
    desk.keys("r");
    assert_eq!(begun(&mut desk).len(), 1);
    // What could not be read is not had by trying again.
    let mut unread = incomplete();
    let (origin, reason) = (Origin::line("images.txt", 11), "no name".to_owned());
    unread.resolved.problems = vec![Problem { origin, reason, text: None }];
    desk.tell(Msg::Ended(JobId(3), done(JobReport::Pack(unread))));
    assert_eq!(desk.app.model.unwell.code(), 3);
    let screen = desk.screen();
    assert!(
        screen.contains("next: what could not be read is not in this bundle: correct it where"),
        "{screen}"
    );
    assert!(
        screen.contains("until then r leaves it out again") && !screen.contains("once they can be had"),
        "{screen}"
    );
}

#[test]
fn a_pack_that_was_stopped_is_no_success_until_one_comes_to_its_end() {
    let mut desk = running();
    show(&mut desk, fetching(), 62);
    desk.tell(Msg::Ended(JobId(2), Ended::Cancelled));
    assert_eq!(desk.app.model.unwell.code(), 130);
    desk.effects.clear();
    desk.keys("Enter Right Enter");
    begun(&mut desk);
    assert_eq!(desk.app.model.unwell.code(), 130, "it is not done yet");
    desk.tell(Msg::Ended(JobId(3), done(JobReport::Pack(packed()))));
    assert_eq!(desk.app.model.unwell.code(), 0);
}

#[test]
fn an_incomplete_bundle_is_allowed_of_the_list_that_it_was_allowed_of_alone() {
    let mut desk = running();
    desk.app.model.assembly.keep_going = KeepGoing::All;
    let other = Destination { to: "/media/op/OTHER".into(), words: "stick OTHER".into() };
    desk.app.model.choose_destination(Some(other));
    assert_eq!(desk.app.model.keeps_going(), KeepGoing::All, "another medium is no other list");
    desk.tell(Msg::Ended(JobId(2), done(JobReport::Pack(packed()))));
    desk.keys("1");
    desk.tell(Msg::Paste("busybox:1.36\n".into()));
    assert_eq!(desk.app.model.keeps_going(), KeepGoing::No);
}

#[test]
fn a_change_of_an_earlier_step_takes_plan_and_run_away() {
    let mut desk = running();
    desk.tell(Msg::Ended(JobId(2), done(JobReport::Pack(packed()))));
    desk.keys("1");
    desk.tell(Msg::Paste("busybox:1.36\n".into()));
    assert_eq!(desk.app.model.state(Place::Assemble), StepState::Stale);
    assert!(desk.app.model.assembly.run.is_none());
}

#[test]
fn a_plan_that_is_left_stops_and_media_can_be_chosen_meanwhile() {
    let mut desk = ready();
    let running = |desk: &Desk| desk.app.model.running().is_some();
    desk.tell(Msg::Job(JobId(1), std::sync::Arc::default()));
    assert!(running(&desk));
    desk.effects.clear();
    desk.keys("3");
    assert!(
        desk.effects.iter().any(|effect| matches!(effect, Effect::Cancel(JobId(1)))),
        "{:?}",
        desk.effects
    );
    assert!(desk.keys("o").screen().contains("Assemble in a directory"), "{}", desk.screen());
    desk.keys("Esc 4").effects.clear();
    desk.tell(Msg::Ended(JobId(1), Ended::Cancelled));
    let planned = |effect: &Effect| matches!(effect, Effect::Start(Act::AssembleSpace, _));
    assert!(desk.effects.iter().any(planned), "{:?}", desk.effects);
}

#[test]
fn the_plan_is_worked_out_when_what_kept_it_from_that_is_over() {
    let planned = |effect: &Effect| matches!(effect, Effect::Start(Act::AssembleSpace, _));
    let mut desk = ready();
    desk.keys("3").tell(Msg::Ended(JobId(1), Ended::Cancelled));
    let offer = crate::offers::offer(42, None);
    let report = offer.said.as_ref().unwrap().report.clone();
    desk.keys("0 g").tell(crate::offers::found(vec![offer]));
    desk.keys("d");
    let inspecting = desk.job();
    desk.keys("0 b 4").effects.clear();
    let screen = desk.screen();
    assert!(screen.contains("planned after this: inspect is running"), "{screen}");
    desk.tell(Msg::Ended(inspecting, done(JobReport::Inspect(report))));
    let begun = desk.effects.iter().any(planned);
    assert!(begun, "{}", desk.screen());
    assert!(desk.screen().contains("planning ..."), "{}", desk.screen());
}

#[test]
fn a_plan_that_was_stopped_says_so_and_which_key_plans_again() {
    let mut desk = ready();
    desk.keys("x Right Enter");
    desk.effects.clear();
    desk.tell(Msg::Ended(JobId(1), Ended::Cancelled)).wait(10);
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{:?}", desk.effects);
    let screen = desk.screen();
    assert!(screen.contains("stopped; v plans again") && !screen.contains("planning"), "{screen}");
    assert!(desk.keys("v").screen().contains("planning ..."));
}

#[test]
fn what_was_confirmed_is_packed_or_nothing_is() {
    let mut desk = planned();
    desk.effects.clear();
    desk.keys("Enter");
    assert!(desk.screen().contains("Assemble and sign this?"), "{}", desk.screen());
    desk.app.model.assembly.name = "another".to_owned();
    desk.keys("Right Enter");
    let asked = |effect: &Effect| matches!(effect, Effect::Start(..) | Effect::Ask(Query::Place(_)));
    assert!(!desk.effects.iter().any(asked), "{:?}", desk.effects);
    let screen = desk.screen();
    assert!(screen.contains("nothing was started: what was to be packed has changed"), "{screen}");
}

#[test]
fn a_look_that_was_left_does_not_swallow_the_one_that_a_pack_waits_for() {
    let mut desk = planned();
    let to = desk.app.model.assembly.to.as_ref().unwrap().to.clone();
    desk.keys("3 o Ctrl-U").typed(&to.display().to_string()).keys("Enter");
    assert!(desk.screen().contains("looking at /media/op/KINGSTON"), "{}", desk.screen());
    desk.keys("Esc Esc 4");
    // Its task was ended, so that look is never answered.
    desk.effects.clear();
    desk.keys("Enter Right Enter");
    assert_eq!(begun(&mut desk).len(), 1, "{}", desk.screen());
}

#[test]
fn settings_are_changed_before_a_medium_is_chosen() {
    let mut desk = ready();
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
    desk.app.model.choose_destination(None);
    desk.effects.clear();
    let screen = desk.keys("3 4 e").screen();
    assert!(screen.contains("Name of the series"), "{screen}");
    desk.keys("Down Enter Ctrl-U").typed("90d").keys("Enter");
    assert!(desk.app.model.assembly.expires.is_some(), "{}", desk.screen());
    assert_eq!(started(&mut desk), [], "nothing is planned without one");
}

#[test]
fn there_is_no_command_for_a_list_that_is_another_one_than_was_verified() {
    let mut desk = planned();
    assert!(desk.keys("y").screen().contains("airlift pack --lock"), "{}", desk.screen());
    desk.keys("Esc");
    desk.app.model.picked.begin_all();
    desk.app.model.changed(Place::Images);
    let screen = desk.keys("y").screen();
    let words = "no command for this: the list has changed since it was verified: 2, then v";
    assert!(screen.contains(words) && !screen.contains("airlift pack"), "{screen}");
}
