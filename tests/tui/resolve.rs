//! The Verify step: rows that fill as answers come, failures first, retry, pins, going on without what failed.

use std::sync::Arc;

use airlift::actions::Act;
use airlift::domain::bundle::ImagePlatform;
use airlift::domain::digest::Digest;
use airlift::domain::keep_going::KeepGoing;
use airlift::domain::lint::lint;
use airlift::domain::lock::Change;
use airlift::domain::media_type::{DOCKER_MANIFEST, OCI_INDEX};
use airlift::domain::progress::{Event, Phase};
use airlift::domain::resolved::ImageView;
use airlift::domain::selection::{Origin, Request};
use airlift::domain::view::JobView;
use airlift::engine::error::Kind;
use airlift::engine::resolve::{FailedView, Moved, ResolveReport, ResolveTotals};
use airlift::engine::spec::{JobReport, JobSpec, ResolveJob};
use airlift::engine::state::Carried;
use airlift::failure::Failure;
use airlift::tui::assembly::Destination;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg};
use airlift::widgets::stepper::StepState;

use crate::rig::Desk;

const ETCD: &str = "registry.k8s.io/etcd:3.5.12-0";
pub(crate) const NGINX: &str = "docker.io/library/nginx:1.25.3";
const APP: &str = "registry.example.com:5000/team/app:1.0.4";

pub(crate) fn digest(c: char) -> Digest {
    format!("sha256:{}", c.to_string().repeat(64)).parse().unwrap()
}

fn platform(architecture: &str, c: char) -> ImagePlatform {
    ImagePlatform {
        os: "linux".into(),
        architecture: architecture.into(),
        variant: None,
        digest: digest(c),
        size: 30_000_000,
    }
}

pub(crate) fn image(name: &str, c: char) -> ImageView {
    let request = Request::parse(name).unwrap();
    ImageView {
        requested: name.to_owned(),
        origin: Origin::named("list"),
        note: None,
        findings: lint(&request, Some(&digest(c))),
        reference: request.reference,
        digest: digest(c),
        media_type: OCI_INDEX.to_owned(),
        resolved_at: crate::rig::now(),
        platforms: vec![platform("amd64", c), platform("arm64", c)],
        omitted_platforms: vec![platform("s390x", c)],
        signatures: vec![digest('5')],
        bytes: 60_001_000,
        contents: vec![(digest(c), 60_000_000), (digest('0'), 1000)],
    }
}

fn plain(name: &str, c: char) -> ImageView {
    ImageView {
        media_type: DOCKER_MANIFEST.to_owned(),
        platforms: vec![platform("amd64", c)],
        omitted_platforms: Vec::new(),
        signatures: Vec::new(),
        ..image(name, c)
    }
}

fn miss(name: &str) -> FailedView {
    FailedView {
        requested: name.to_owned(),
        origin: Origin::named("list"),
        reference: name.parse().unwrap(),
        kind: Kind::Network,
        reason: format!(
            "cannot read the manifest {name}: not found (HTTP 404 MANIFEST_UNKNOWN: manifest unknown; unknown tag)"
        ),
        hints: vec![
            "look at the tags there are: airlift resolve --from registry:registry.k8s.io/etcd".to_owned(),
        ],
    }
}

fn report(images: Vec<ImageView>, failed: Vec<FailedView>, changes: Vec<Change>) -> Ended {
    Ended::Succeeded(Arc::new(JobReport::Resolve(resolved(images, failed, changes))))
}

fn resolved(images: Vec<ImageView>, failed: Vec<FailedView>, changes: Vec<Change>) -> ResolveReport {
    let totals = ResolveTotals::default();
    let (unsure, problems, notes) = (Vec::new(), Vec::new(), Vec::new());
    let moved = Vec::new();
    ResolveReport { images, failed, unsure, problems, notes, changes, moved, as_carried: Vec::new(), totals }
}

/// At the Verify step with three references.
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.keys("b").tell(Msg::Paste(format!("{ETCD}\n{NGINX}\n{APP}\n").into())).keys("2").wait(10);
    desk.effects.clear();
    desk
}

fn item(name: &str) -> Event {
    Event::Item { phase: Phase::Resolve, item: name.to_owned(), bytes: 0 }
}

fn failed(name: &str) -> Event {
    Event::Failed { phase: Phase::Resolve, item: name.to_owned(), reason: miss(name).reason }
}

fn said(desk: &mut Desk, events: impl IntoIterator<Item = Event>) {
    for event in events {
        desk.tell(Msg::Milestone(desk.job(), Box::new(event)));
    }
}

/// The one job that was asked for since this was asked last, and what was written into the list before it.
fn started(desk: &mut Desk) -> (ResolveJob, Option<String>) {
    let mut written = None;
    let mut jobs = Vec::new();
    for effect in std::mem::take(&mut desk.effects) {
        match effect {
            Effect::Save(path, text) if jobs.is_empty() => {
                assert_eq!(path.to_str(), Some("/home/op/.local/share/airlift/work/images.txt"));
                written = Some(text);
            }
            Effect::Start(_, spec) => jobs.push(*spec),
            _ => {}
        }
    }
    let [JobSpec::Resolve(job)] = jobs.as_slice() else { panic!("{jobs:?}") };
    desk.tell(Msg::Job(desk.job(), Arc::new(JobView::default())));
    (job.clone(), written)
}

fn ended(desk: &mut Desk, ended: Ended) {
    desk.tell(Msg::Ended(desk.job(), ended)).wait(10);
}

/// Verified, of which one failed.
pub(crate) fn one_failed() -> Desk {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    ended(&mut desk, report(vec![image(ETCD, 'a'), image(NGINX, 'b')], vec![miss(APP)], vec![]));
    desk
}

/// Verified, all of it well.
pub(crate) fn all_well() -> Desk {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    let images = vec![image(ETCD, 'a'), image(NGINX, 'b'), plain(APP, 'c')];
    ended(&mut desk, report(images, vec![], vec![]));
    desk
}

/// Being verified; one answer came.
pub(crate) fn under_way() -> Desk {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    said(&mut desk, [item(ETCD), item(NGINX), failed(APP)]);
    desk
}

#[test]
fn before_it_is_started_it_says_how() {
    insta::assert_snapshot!(desk().picture());
    let mut empty = Desk::new();
    empty.keys("b 2");
    assert!(empty.screen().contains("No images yet: 1 fills the list"));
    assert!(empty.keys("v").screen().contains("not now: the list is empty"));
}

#[test]
fn the_list_is_written_down_before_the_job_that_reads_it_starts() {
    let mut desk = desk();
    desk.keys("v");
    let (job, text) = started(&mut desk);
    assert_eq!(text.as_deref(), Some(format!("{ETCD}\n{NGINX}\n{APP}\n").as_str()));
    assert!(job.write_lock && !job.keep && job.images.signatures && job.images.references.is_empty());
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Running);
    desk.keys("y");
    let screen = desk.screen().replace('\\', "").split_whitespace().collect::<String>();
    assert!(
        screen.contains("airliftresolve--file/home/op/.local/share/airlift/work/images.txt--lock"),
        "{screen}"
    );
}

#[test]
fn rows_fill_as_answers_come_and_failures_stand_first() {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    said(&mut desk, [item(ETCD), item(NGINX), Event::Resolved { image: Box::new(image(ETCD, 'a')) }]);
    let screen = desk.screen();
    assert!(screen.contains("1/3 answered"), "{screen}");
    assert!(
        screen.contains("run    docker.io/library/nginx:1.25.3")
            && screen.contains("wait   registry.example")
    );
    said(&mut desk, [item(APP), failed(APP)]);
    insta::assert_snapshot!(desk.picture());
    let first = desk.screen().lines().nth(4).unwrap().to_owned();
    assert!(first.contains("FAIL") && first.contains("team/app"), "{first}");
}

#[test]
fn a_list_that_cannot_be_written_is_not_taken_for_the_verified_one() {
    let mut desk = desk();
    desk.keys("v");
    let (_, text) = started(&mut desk);
    assert!(text.is_some());
    let failure = Failure::new(Kind::Space, "cannot write images.txt: no space left").hint("make room");
    desk.tell(Msg::Found(Found::NotSaved(desk.app.model.settings.list_file(), failure)));
    assert!(desk.screen().contains("no space left"), "{}", desk.screen());
    desk.keys("Esc");
    ended(&mut desk, report(vec![image(ETCD, 'a'), image(NGINX, 'b'), plain(APP, 'c')], vec![], vec![]));
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
}

#[test]
fn a_job_that_fails_as_a_whole_says_why_and_what_to_do_next() {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    let failure = Failure::new(Kind::Space, "cannot write images.lock: no space left").hint("make room");
    ended(&mut desk, Ended::Failed(failure));
    let screen = desk.screen();
    assert!(screen.contains("no space left") && screen.contains("exit code 14"), "{screen}");
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Failed);
}

#[test]
fn a_stopped_job_keeps_what_was_answered_and_does_not_let_one_go_on() {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    said(&mut desk, [item(ETCD), item(NGINX), Event::Resolved { image: Box::new(image(ETCD, 'a')) }]);
    desk.keys("x Right Enter");
    assert!(matches!(desk.effects.as_slice(), [Effect::Cancel(id)] if *id == desk.job()));
    ended(&mut desk, Ended::Cancelled);
    let screen = desk.screen();
    assert!(screen.contains("Stopped: 1 of 3 answered"), "{screen}");
    assert!(desk.keys("Enter").screen().contains("was not finished"));
}

#[test]
fn the_job_reads_the_list_as_it_is_shown_and_it_is_written_once() {
    let mut desk = Desk::new();
    desk.keys("b").tell(Msg::Paste("nginx:1.25.3\n".into())).keys("2").effects.clear();
    for _ in 0..2 {
        desk.keys("v");
        let saved = desk.effects.iter().filter(|effect| matches!(effect, Effect::Save(..))).count();
        // Also where nothing changed: somebody else may have written or removed the file.
        assert_eq!((saved, started(&mut desk).1.as_deref()), (1, Some("nginx:1.25.3\n")));
        ended(&mut desk, Ended::Cancelled);
    }
}

#[test]
fn only_what_failed_is_asked_for_again_and_the_lock_keeps_the_rest() {
    let mut desk = one_failed();
    insta::assert_snapshot!(desk.picture());
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Failed);
    desk.keys("r");
    let (job, text) = started(&mut desk);
    assert_eq!((job.images.references.as_slice(), text), (&[APP.to_owned()][..], None));
    said(&mut desk, [item(APP), failed(APP)]);
    let asked = desk.job();
    let screen = desk.tell(Msg::Ended(asked, report(vec![], vec![miss(APP)], vec![]))).screen();
    assert!(screen.contains("asked again for 1: 1 image failed"), "{screen}");
    desk.keys("r");
    started(&mut desk);
    assert!(job.images.sources.is_empty() && job.keep && job.write_lock);
    said(&mut desk, [item(APP), Event::Resolved { image: Box::new(plain(APP, 'c')) }]);
    ended(&mut desk, report(vec![plain(APP, 'c')], vec![], vec![]));
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Ok);
    let screen = desk.screen();
    assert!(screen.contains("3 verified at 12:00Z   180 MB to carry"), "{screen}");
    assert!(desk.keys("r").screen().contains("not now: nothing failed"));
}

#[test]
fn going_on_without_what_failed_is_asked_first() {
    let mut desk = one_failed();
    desk.keys("Enter");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Resolve, "Enter alone changes nothing");
    assert!(desk.app.model.picked.unready(&desk.app.model.keymap).unwrap().contains("1 failed: see Verify"));
    desk.keys("Enter Right Enter");
    assert_eq!(desk.app.model.place, Place::Media);
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Warn);
    let model = &desk.app.model;
    assert!(model.picked.unready(&model.keymap).is_none());
    assert_eq!(model.keeps_going(), KeepGoing::Unresolved, "those are left out, and nothing else");
    // It was said of what failed then, and of nothing else: a list without failures allows none.
    desk.keys("2 v");
    started(&mut desk);
    let images = vec![image(ETCD, 'a'), image(NGINX, 'b'), plain(APP, 'c')];
    ended(&mut desk, report(images, vec![], vec![]));
    assert_eq!(desk.app.model.keeps_going(), KeepGoing::No);
    desk.keys("v");
    started(&mut desk);
    ended(&mut desk, report(vec![image(ETCD, 'a'), image(NGINX, 'b')], vec![miss(APP)], vec![]));
    let reason = desk.app.model.not_ready().unwrap();
    assert!(reason.starts_with("1 reference failed: "), "{reason}");
}

#[test]
fn what_was_verified_dropped_and_brought_back_is_verified_still() {
    let mut desk = all_well();
    let before = desk.keys("D 1 D 2").app.model.picked.totals.map(|totals| totals.images);
    assert_eq!((before, desk.app.model.state(Place::Resolve)), (Some(1), StepState::Ok));
    desk.effects.clear();
    // One at a time, each as it was: the lock file speaks of it again before any job reads that.
    let mut back = Vec::new();
    for left in [2, 3] {
        desk.keys("u");
        back.extend(put_back(&mut desk));
        assert_eq!(back.len(), left - 1);
        assert_eq!(desk.app.model.picked.totals.map(|totals| totals.images as usize), Some(left));
        assert_eq!(desk.app.model.state(Place::Resolve), StepState::Ok);
    }
    let screen = desk.wait(10).screen();
    assert!(screen.contains("3 verified at 12:00Z"), "{screen}");
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Media);
}

#[test]
fn what_moved_has_moved_still_once_it_is_brought_back() {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    let moved = Change::Moved { reference: ETCD.parse().unwrap(), from: digest('9'), to: digest('a') };
    let images = vec![image(ETCD, 'a'), image(NGINX, 'b')];
    ended(&mut desk, report(images, vec![miss(APP)], vec![moved]));
    let counts = desk.app.model.picked.checked.counts();
    assert_eq!((counts.moved, counts.failed), (1, 1));
    desk.keys("1 g D 2 r");
    started(&mut desk);
    ended(&mut desk, report(vec![plain(APP, 'c')], vec![], vec![]));
    desk.keys("u");
    let counts = desk.app.model.picked.checked.counts();
    assert_eq!((counts.moved, counts.ok), (1, 3));
}

#[test]
fn what_comes_back_while_a_job_runs_is_to_be_verified_as_that_may_write_the_lock_file() {
    let mut desk = one_failed();
    desk.keys("1 g D 2 r");
    started(&mut desk);
    desk.effects.clear();
    desk.keys("1 u 2");
    assert_eq!(desk.app.model.picked.images.len(), 3);
    assert!(put_back(&mut desk).is_empty());
    ended(&mut desk, report(vec![plain(APP, 'c')], vec![], vec![]));
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
    assert!(desk.screen().contains("The list was changed: v verifies it as it is now"), "{}", desk.screen());
}

#[test]
fn what_a_lock_file_can_not_take_back_is_verified_again() {
    let mut desk = all_well();
    desk.keys("D u");
    let lock = desk.app.model.settings.lock_file();
    let failure = Failure::usage("images.lock: nothing is known any more of it".to_owned());
    desk.tell(Msg::Found(Found::NotSaved(lock, failure)));
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
    assert!(!desk.app.model.picked.is_current());
}

#[test]
fn what_failed_is_tried_once_more_for_the_platforms_that_it_was_asked_for() {
    let mut desk = desk();
    let platforms = vec!["linux/arm64".parse().unwrap()];
    desk.app.model.picked.set_platforms(platforms.clone());
    desk.keys("v");
    started(&mut desk);
    ended(&mut desk, report(vec![image(ETCD, 'a'), image(NGINX, 'b')], vec![miss(APP)], vec![]));
    let to = Destination { to: "/media/op/STICK".into(), words: "stick".into() };
    desk.app.model.choose_destination(Some(to));
    let images = desk.app.model.pack_job(false).unwrap().images;
    assert_eq!((images.sources.len(), images.platforms), (1, platforms));
}

#[test]
fn what_could_not_be_read_is_a_failure_on_the_list_and_here_until_it_is_gone_on_without() {
    let mut desk = Desk::new();
    let list = format!("{ETCD}\n{APP}\nUPPER:x  # from web-images.txt:2\n");
    desk.tell(Msg::Found(Found::Last(list, crate::rig::now()))).keys("b 2 v");
    started(&mut desk);
    ended(&mut desk, report(vec![image(ETCD, 'a')], vec![miss(APP)], vec![]));
    desk.keys("D");
    let screen = desk.screen();
    assert!(screen.contains("1 verified at 12:00Z   1 NOT READ: see 1"), "{screen}");
    assert!(screen.contains("1 Images FAILED > [2 Verify FAILED]"), "{screen}");
    assert!(desk.app.model.not_ready().unwrap().starts_with("1 not read: 1 to mend"));
    desk.keys("Enter Right Enter 2");
    let screen = desk.screen();
    assert!(screen.contains("1 Images warn > [2 Verify warn]"), "{screen}");
    assert_eq!(desk.app.model.keeps_going(), KeepGoing::Unresolved);
}

#[test]
pub(crate) fn all_well_leads_on_and_what_moved_is_told() {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    let moved = Change::Moved { reference: NGINX.parse().unwrap(), from: digest('e'), to: digest('b') };
    let images = vec![image(ETCD, 'a'), image(NGINX, 'b'), plain(APP, 'c')];
    ended(&mut desk, report(images, vec![], vec![moved]));
    desk.keys("Down");
    insta::assert_snapshot!(desk.picture());
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Warn);
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Media);
}

#[test]
fn what_moved_since_the_last_bundle_is_told_with_the_bundle_however_often_it_is_verified() {
    let mut desk = desk();
    let was = |c| Carried { digest: digest(c), bundle: "web-41".into(), signed: crate::rig::now() };
    for _ in 0..2 {
        desk.keys("v");
        started(&mut desk);
        // The lock file of the time before has what the tag names now.
        let images = vec![image(ETCD, 'a'), image(NGINX, 'b'), plain(APP, 'c')];
        let mut report = resolved(images, vec![], vec![]);
        report.moved = vec![Moved { reference: NGINX.parse().unwrap(), was: was('e'), to: digest('b') }];
        ended(&mut desk, Ended::Succeeded(Arc::new(JobReport::Resolve(report))));
        desk.keys("g Down");
        assert!(desk.screen().contains("! moved since bundle web-41: was sha256:eeee"), "{}", desk.screen());
        let small = crate::rig::text(&desk.frame(60, 16));
        let small = small.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = "! moved since bundle web-41: was sha256:eeeeeeeeeeee, now bbbbbbbbbbbb";
        assert!(small.contains(told), "{small}");
        assert_eq!(desk.app.model.state(Place::Resolve), StepState::Warn);
    }
    insta::assert_snapshot!(desk.keys("o").picture());
    desk.keys("Esc v");
    started(&mut desk);
    let images = vec![image(ETCD, 'a'), image(NGINX, 'e'), plain(APP, 'c')];
    ended(&mut desk, report(images, vec![], vec![]));
    assert!(!desk.screen().contains("moved"), "what is as it was carried has not moved");
}

#[test]
fn details_show_full_digests_in_groups() {
    let mut desk = all_well();
    desk.keys("o");
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn details_of_a_failure_say_what_to_do_next() {
    let mut desk = one_failed();
    desk.keys("d");
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn pins_are_asked_about_and_make_the_list_another_one() {
    let mut desk = all_well();
    desk.keys("P");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Right Enter");
    let first = desk.app.model.picked.images[0].request.reference.to_string();
    assert_eq!(first, format!("{ETCD}@{}", digest('a')));
    for keys in ["", "1"] {
        let screen = desk.keys(keys).screen();
        assert!(screen.contains(&format!("{ETCD}@sha256")), "{screen}");
    }
    desk.keys("2");
    assert!(
        desk.app
            .model
            .picked
            .images
            .iter()
            .all(|image| image.findings.iter().all(|f| f.id.id() != "no-digest"))
    );
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
    assert!(desk.wait(10).screen().contains("The list was changed: v"), "{}", desk.screen());
    assert!(desk.keys("Enter").screen().contains("is not verified: v does that"));
}

#[test]
fn what_pinning_gives_and_costs_is_told_alike_wherever_it_is_told() {
    let told = |desk: &mut Desk| {
        let screen = crate::rig::text(&desk.frame(120, 40)).replace('│', " ");
        screen.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mut asked = all_well();
    let mut details = all_well();
    let [asked, details] = [told(asked.keys("P")), told(details.keys("1 d"))];
    for words in airlift::tui::words::PINNING {
        assert!(asked.contains(words), "{asked}");
        assert!(details.contains(words), "{details}");
    }
    assert!(details.contains("pinned: registry.k8s.io/etcd@sha256:"), "{details}");
    assert!(!details.contains("better: registry.k8s.io/etcd@"), "{details}");
}

#[test]
fn marked_rows_alone_are_pinned() {
    let mut desk = all_well();
    desk.keys("Down Space P Right Enter");
    let pinned: Vec<bool> =
        desk.app.model.picked.images.iter().map(|image| image.request.reference.digest().is_some()).collect();
    assert_eq!(pinned, [false, true, false]);
    assert!(desk.keys("P").screen().contains("nothing is marked and verified yet: v does that first"));
    // What a filter hides is not pinned unseen.
    let mut desk = all_well();
    let screen = desk.keys("a / nginx Enter P").screen();
    assert!(screen.contains("The filter hides 2 of them."), "{screen}");
}

#[test]
fn a_list_changed_meanwhile_is_never_taken_for_the_verified_one() {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    desk.keys("1").tell(Msg::Paste("redis:7.2.4\n".into())).keys("2");
    ended(&mut desk, report(vec![image(ETCD, 'a'), image(NGINX, 'b'), plain(APP, 'c')], vec![], vec![]));
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
    assert!(desk.screen().contains("The list was changed: v verifies it as it is now"));
    let screen = desk.wait(10).screen();
    assert!(screen.contains("since it was verified: docker.io/library/redis:7.2.4 came"), "{screen}");
    assert!(desk.keys("Enter").screen().contains("v does that"));
    assert!(desk.keys("v").effects.iter().any(|effect| matches!(effect, Effect::Start(..))));
}

#[test]
fn rows_are_filtered_by_state_and_by_name() {
    let mut desk = one_failed();
    desk.keys("/ fail Enter");
    let screen = desk.screen();
    assert!(screen.contains("filter 1/3") && !screen.contains("nginx"), "{screen}");
    desk.keys("Esc");
    assert!(desk.screen().contains("nginx"));
}

#[test]
fn a_list_that_was_verified_is_shown_again_and_not_asked_for_again() {
    let mut desk = all_well();
    desk.keys("1").effects.clear();
    desk.keys("v");
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{:?}", desk.effects);
    assert!(desk.screen().contains("step 2/5 Verify"));
}

#[test]
fn nothing_is_pinned_before_it_is_verified() {
    let screen = desk().keys("P").screen();
    assert!(screen.contains("nothing is verified yet: v does that first"), "{screen}");
    // The others are verified; the marked one waits.
    let mut desk = all_well();
    let screen = desk.tell(Msg::Key("1".parse().unwrap())).tell(Msg::Paste("redis:7.2.4\n".into()));
    let screen = screen.keys("G Space 2 P").screen();
    assert!(screen.contains("nothing is marked and verified yet: v does that first"), "{screen}");
}

#[test]
fn long_and_hostile_answers_neither_move_the_layout_nor_pass_through() {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    let reason = format!("\u{1b}]52;c;aGk=\u{7}\u{202e}{}", "long ".repeat(200));
    let event = Event::Failed { phase: Phase::Resolve, item: APP.to_owned(), reason: reason.clone() };
    said(&mut desk, [event]);
    let failed = FailedView { reason, ..miss(APP) };
    let odd = ImageView { media_type: "\u{1b}[31mx".to_owned(), ..image(ETCD, 'a') };
    ended(&mut desk, report(vec![odd, image(NGINX, 'b')], vec![failed], vec![]));
    for keys in ["", "o", "Esc Down o"] {
        let screen = desk.keys(keys).screen();
        assert!(screen.chars().all(|c| c == '\n' || !c.is_control()), "{screen:?}");
        assert!(!screen.contains('\u{202e}') && screen.lines().all(|line| line.chars().count() <= 80));
    }
}

#[test]
fn sixty_by_sixteen_is_enough_and_footers_stay_short() {
    for mut desk in [desk(), one_failed(), all_well()] {
        let screen = crate::rig::text(&desk.frame(60, 16));
        assert!(screen.contains(":1.25.3") && screen.contains("? help"), "{screen}");
        let footer = desk.screen().lines().last().unwrap().to_owned();
        assert!(footer.split("   ").filter(|hint| !hint.trim().is_empty()).count() <= 6, "{footer}");
    }
}

#[test]
fn the_reason_of_a_failure_is_read_in_its_row_and_whole_where_it_is_changed() {
    let mut desk = one_failed();
    for (columns, rows) in [(80, 24), (60, 16)] {
        let screen = crate::rig::text(&desk.frame(columns, rows));
        assert!(screen.lines().any(|line| line.contains("FAIL") && line.contains("not found")), "{screen}");
        assert!(screen.contains("unknown tag)"), "{screen}");
    }
    desk.keys("e");
    for (columns, rows) in [(80, 24), (60, 16)] {
        let screen = crate::rig::text(&desk.frame(columns, rows));
        assert!(screen.contains("unknown tag)") && screen.contains("Enter accept"), "{screen}");
    }
}

#[test]
fn all_platforms_and_a_long_reference_are_read_in_rows_that_the_table_does_not_need() {
    let mut desk = desk();
    let long = format!("registry.example.com:5000/{}end:v1.2.3", "team/part/".repeat(7));
    desk.keys("1").tell(Msg::Paste(format!("{long}\n").into())).keys("2 End");
    let joined = |screen: &str| screen.split_whitespace().collect::<String>();
    let names: Vec<String> = (0..6).map(|at| format!("riscv{at:02}")).collect();
    let all: Vec<String> = names.iter().map(|name| format!("linux/{name}")).collect();
    for (columns, rows) in [(80, 24), (60, 16)] {
        let screen = joined(&crate::rig::text(&desk.frame(columns, rows)));
        assert!(screen.contains(&format!("{long}iswaitingtoberesolved")), "{screen}");
    }
    desk.keys("v");
    started(&mut desk);
    let platforms = names.iter().map(|name| platform(name, 'a')).collect();
    let mut many = ImageView { platforms, ..image(ETCD, 'a') };
    many.findings.extend(vec![many.findings[0].clone(); 4]);
    ended(&mut desk, report(vec![many, image(NGINX, 'b')], vec![], vec![]));
    desk.keys("/ etcd Enter");
    for (columns, rows) in [(80, 24), (60, 16)] {
        let screen = joined(&crate::rig::text(&desk.frame(columns, rows)));
        assert!(screen.contains(&format!("{};1platformleftout", all.join(","))), "{screen}");
        assert!(screen.contains("1signatureorreferrerfound;carriedalong,notverifiedhere"), "{screen}");
        assert!(screen.contains("no-digest,no-digest(osayswhy)"), "{screen}");
    }
}

#[test]
fn what_failed_is_taken_off_the_list_and_comes_back() {
    let mut desk = one_failed();
    let screen = desk.keys("D").screen();
    assert!(screen.contains("off the list, u brings it back: registry.example.com"), "{screen}");
    assert_eq!(desk.app.model.picked.text(), format!("{ETCD}\n{NGINX}\n"));
    desk.keys("u");
    assert_eq!(desk.app.model.picked.text(), format!("{ETCD}\n{NGINX}\n{APP}\n"));
    assert!(desk.app.model.picked.is_current(), "the list is the one that was verified");
    assert!(desk.app.model.picked.has_unaccepted(), "what failed has failed still");
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Failed);
    desk.effects.clear();
    desk.keys("r");
    let (job, _) = started(&mut desk);
    assert_eq!((job.images.references, job.keep), (vec![APP.to_owned()], true));
}

#[test]
fn the_cursor_is_on_what_came_back_so_that_the_next_key_is_about_that() {
    let mut desk = one_failed();
    desk.keys("D u D");
    assert_eq!(desk.app.model.picked.text(), format!("{ETCD}\n{NGINX}\n"));
}

const LOCK: &str = "/home/op/.local/share/airlift/work/images.lock";

/// What the lock file was asked to lose since this was asked last.
fn left_out(desk: &mut Desk) -> Vec<String> {
    let effects = std::mem::take(&mut desk.effects).into_iter();
    let dropped = effects.filter_map(|effect| match effect {
        Effect::LeaveOut(path, dropped) if path.to_str() == Some(LOCK) => Some(dropped),
        _ => None,
    });
    dropped.flatten().map(|reference| reference.to_string()).collect()
}

/// What it was asked to speak of again.
fn put_back(desk: &mut Desk) -> Vec<String> {
    let effects = std::mem::take(&mut desk.effects).into_iter();
    let back = effects.filter_map(|effect| match effect {
        Effect::PutBack(path, back) if path.to_str() == Some(LOCK) => Some(back),
        _ => None,
    });
    back.flatten().map(|reference| reference.to_string()).collect()
}

#[test]
fn for_another_bundle_the_registries_are_asked_again() {
    let mut desk = one_failed();
    desk.app.model.picked.accept_failed();
    assert!(desk.app.model.picked.leaves_out());
    desk.app.model.begin_anew();
    assert!(!desk.app.model.picked.leaves_out(), "what fails then is asked about then");
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
    let screen = desk.wait(10).screen();
    assert!(
        screen.contains("! Not verified for this bundle yet: v asks for what the tags name now"),
        "{screen}"
    );
    let screen = desk.keys("4").screen();
    assert!(screen.contains("the list is not verified for this bundle yet: 2, then v"), "{screen}");
    desk.effects.clear();
    desk.keys("1 v");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Start(Act::Resolve, _))));
}

#[test]
fn what_was_verified_long_ago_is_asked_again_and_its_time_is_said() {
    let ago = |minutes| crate::rig::now() - jiff::SignedDuration::from_mins(minutes);
    for (minutes, words) in [(14, None), (16, Some("verified at ")), (60 * 48, Some("verified at 20"))] {
        let mut desk = desk();
        desk.keys("v");
        started(&mut desk);
        let old = ImageView { resolved_at: ago(minutes), ..image(ETCD, 'a') };
        ended(&mut desk, report(vec![old, image(NGINX, 'b'), plain(APP, 'c')], vec![], vec![]));
        desk.effects.clear();
        let screen = desk.keys("1 v").screen();
        let asked = desk.effects.iter().any(|effect| matches!(effect, Effect::Start(Act::Resolve, _)));
        assert_eq!(asked, words.is_some(), "{minutes}: {screen}");
        assert_eq!(screen.contains("more than 15 minutes ago: ask"), words.is_some(), "{minutes}: {screen}");
        assert!(words.is_none_or(|words| screen.contains(words)), "{minutes}: {screen}");
    }
}

#[test]
fn what_is_dropped_leaves_the_others_verified_and_the_lock_file() {
    let mut desk = one_failed();
    desk.effects.clear();
    desk.keys("D");
    assert_eq!(left_out(&mut desk), [APP]);
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Ok);
    assert_eq!(desk.app.model.picked.totals.map(|totals| totals.images), Some(2));
    let screen = desk.wait(10).screen();
    assert!(screen.contains("2 verified at 12:00Z   120 MB to carry, each blob once"), "{screen}");
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Media);
    // One that was resolved goes from the sums, too, until it is brought back.
    desk.keys("1 D 2");
    assert_eq!(left_out(&mut desk), [ETCD]);
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Ok);
    assert!(desk.screen().contains("1 verified at 12:00Z   60.0 MB to carry"), "{}", desk.screen());
    desk.keys("u");
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Ok);
    assert_eq!(desk.app.model.picked.totals.map(|totals| totals.images), Some(2));
    // Nothing is verified of an empty list.
    desk.keys("a D");
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
}

#[test]
fn a_lock_file_that_cannot_be_written_anew_has_the_list_verified_again() {
    let mut desk = one_failed();
    desk.keys("D 1");
    let lock = desk.app.model.settings.lock_file();
    let failure = Failure::new(Kind::Space, "cannot write images.lock: disk full".to_owned());
    desk.tell(Msg::Found(Found::NotSaved(lock, failure)));
    assert!(desk.screen().contains("disk full"), "{}", desk.screen());
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
    assert!(!desk.app.model.picked.is_current());
}

#[test]
fn a_part_is_asked_for_again_only_where_the_lock_file_holds_the_rest() {
    // What was resolved came to no lock file: the one there is may be of another list.
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    ended(&mut desk, report(vec![], vec![miss(ETCD), miss(NGINX), miss(APP)], vec![]));
    desk.effects.clear();
    desk.keys("r");
    let (job, _) = started(&mut desk);
    assert!(!job.keep && job.images.references.is_empty(), "{job:?}");
    said(&mut desk, [item(ETCD), failed(APP)]);
    let failure = Failure::new(Kind::Space, "cannot write images.lock: disk full".to_owned());
    ended(&mut desk, Ended::Failed(failure));
    desk.keys("Esc r");
    let (job, _) = started(&mut desk);
    assert!(!job.keep && job.images.references.is_empty(), "{job:?}");
}

#[test]
fn another_reference_is_written_in_the_place_of_one_that_failed() {
    let mut desk = one_failed();
    desk.keys("e");
    insta::assert_snapshot!("instead", desk.picture());
    desk.keys("Ctrl-U").typed("registry.example.com:5000/team/app:1.0.5").keys("Enter");
    assert!(desk.app.model.picked.text().ends_with("team/app:1.0.5\n"), "{}", desk.app.model.picked.text());
    assert!(desk.screen().contains("v verifies it, u undoes it"), "{}", desk.screen());
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
    // It stands elsewhere now; nothing else failed, and the cursor went along: what is dropped is this one.
    desk.keys("D");
    assert_eq!(desk.app.model.picked.text(), format!("{ETCD}\n{NGINX}\n"));
    // Where others failed still, the next key is meant for one of these, and says of which it was.
    for (keys, dropped) in [("g", APP), ("g Down", ETCD)] {
        let mut desk = self::desk();
        desk.keys("v");
        started(&mut desk);
        ended(&mut desk, report(vec![plain(NGINX, 'b')], vec![miss(ETCD), miss(APP)], vec![]));
        desk.keys(keys).keys("e Ctrl-U").typed("quay.io/team/app:2.0.1").keys("Enter D");
        let (text, screen) = (desk.app.model.picked.text(), desk.screen());
        assert!(text.contains(NGINX) && text.contains("team/app:2.0.1"), "{keys}: {text}");
        assert!(!text.contains(dropped), "{keys}: {text}");
        assert!(screen.contains(&format!("off the list, u brings it back: {dropped}")), "{keys}: {screen}");
    }
    // On the list, too, the one that failed is not a dead end.
    let mut desk = one_failed();
    desk.keys("1 G Enter");
    let screen = desk.screen();
    assert!(screen.contains("Instead of") && screen.contains(APP), "{screen}");
}

#[test]
fn a_long_reason_and_what_helps_take_the_rows_that_the_table_leaves_empty() {
    let mut desk = desk();
    desk.keys("v");
    started(&mut desk);
    let long = |what: &str| (1..60).map(|n| format!("{what}{n}")).collect::<Vec<_>>().join(" ");
    let failed = FailedView { reason: long("why"), hints: vec![long("help")], ..miss(ETCD) };
    ended(&mut desk, report(vec![image(NGINX, 'b'), plain(APP, 'c')], vec![failed], vec![]));
    let screen = desk.screen();
    for words in ["why59\n", "next: help1", "help59\n", "nginx", "app"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
}

#[test]
fn what_is_written_as_it_stood_changes_nothing_and_another_spelling_stays_verified() {
    let mut desk = all_well();
    desk.app.model.set_state(Place::Media, StepState::Ok);
    let changes = desk.app.model.picked.can_undo();
    let screen = desk.keys("1 g 2 g e Enter").screen();
    assert!(screen.contains(&format!("nothing was changed: {ETCD} stood there already")), "{screen}");
    let screen = desk.wait(10).screen();
    assert!(screen.contains("[2 Verify ok] > 3 Media ok") && screen.contains("3 verified at"), "{screen}");
    assert_eq!(desk.app.model.picked.can_undo(), changes);
    // The same image under its short name: the registry is asked for nothing else by it, but what is told of the name is.
    desk.keys("Down e Ctrl-U").typed("nginx:1.25.3").keys("Enter");
    let screen = desk.screen();
    assert!(screen.contains("nginx:1.25.3 it is now; u undoes it"), "{screen}");
    let screen = desk.wait(10).screen();
    assert!(screen.contains("[2 Verify warn]") && screen.contains("1 with a warning"), "{screen}");
    assert!(screen.contains("warn   docker.io/library/nginx:1.25.3"), "{screen}");
    let screen = desk.keys("u").wait(10).screen();
    assert!(screen.contains("[2 Verify ok]") && screen.contains("3 verified at"), "{screen}");
    // Another image is to be verified, by the word of all of the screen, until it is written back.
    desk.keys("e Ctrl-U").typed("docker.io/library/nginx:1.27.0").keys("Enter");
    assert!(
        desk.screen().contains("nginx:1.27.0 it is now; v verifies it, u undoes it"),
        "{}",
        desk.screen()
    );
    let screen = desk.wait(10).screen();
    assert!(screen.contains("[2 Verify stale]") && screen.contains("! The list was changed: v"), "{screen}");
    assert!(screen.lines().last().unwrap().contains("v verify"), "{screen}");
    desk.keys("e Ctrl-U").typed(NGINX).keys("Enter");
    let screen = desk.wait(10).screen();
    assert!(screen.contains("[2 Verify ok]") && screen.contains("3 verified at"), "{screen}");
}
