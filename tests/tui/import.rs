//! Importing a verified bundle: where to, the plan, the question, the run with what can go wrong, and the report.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use airlift::actions::Act;
use airlift::domain::import::Target;
use airlift::domain::job::JobId;
use airlift::domain::node::{Kubelet, Listening, NodeFacts, Runtime, RuntimeKind, Selinux};
use airlift::domain::progress::{Event, Landed, Phase};
use airlift::domain::trust::SerialDecision;
use airlift::domain::view::JobView;
use airlift::engine::bundle::offer::Offer;
use airlift::engine::bundle::verify::VerifyReport;
use airlift::engine::error::Kind;
use airlift::engine::import::changes::{NotedRun, NotedTarget};
use airlift::engine::import::containerd::names::{Change, UndoReport};
use airlift::engine::import::proof::{NameProof, Proof, Sandbox};
use airlift::engine::import::report::{ImageReport, ImportReport, Outcome, TargetReport};
use airlift::engine::import::undo::{Undone, UndoneReport, Unfinished};
use airlift::engine::registry::RegistryOptions;
use airlift::engine::spec::{ImportJob, JobReport, JobSpec};
use airlift::engine::storage::change::ConfMode;
use airlift::engine::storage::change::FilesUndone;
use airlift::failure::Failure;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg, Query};
use airlift::widgets::stepper::StepState;

use crate::live::Live;
use crate::made::{digest, done};
use crate::offers::{found, image, offer, trust};
use crate::rig::{Desk, now, text};

const NAMES: [&str; 4] = [
    "docker.io/library/nginx:1.25.3",
    "quay.io/prometheus/prometheus:v2.55.0",
    "registry.k8s.io/etcd:3.5.12",
    "registry.k8s.io/pause:3.10",
];
const REGISTRY: &str = "registry:http://registry.site-a:5000";
const LAYOUT: &str = "oci:/srv/images";

pub(crate) fn bundle() -> Offer {
    let mut offer = offer(42, Some(SerialDecision::Newer { from: 41 }));
    if let Ok(said) = &mut offer.said {
        said.report.images = NAMES.map(image).to_vec();
        said.report.totals.images = 4;
        said.report.totals.bytes = 284_800_000;
    }
    offer
}

pub(crate) fn verified() -> VerifyReport {
    let offer = bundle();
    let said = &offer.said.as_ref().unwrap().report;
    VerifyReport {
        path: offer.path.clone(),
        id: said.id,
        name: said.name.clone(),
        serial: said.serial,
        created: said.created,
        expires: said.expires,
        document: said.manifest_digest.clone(),
        complete: true,
        missing: Vec::new(),
        totals: said.totals,
        trust: trust(true),
        history: Vec::new(),
        decided_at: now(),
        bytes_hashed: said.totals.bytes,
        layers_left: false,
        layers_unpacked: None,
        cold_read: true,
        warnings: Vec::new(),
    }
}

/// A node of k3s whose kubelet is set to ask registries for what is there, and a podman.
fn node() -> NodeFacts {
    let runtime = |kind, socket: &str, listening| Runtime {
        kind,
        socket: socket.into(),
        listening,
        config: None,
        root: "/var/lib".into(),
        free: Some(41_200_000_000),
        sandbox: None,
        stores: Vec::new(),
    };
    NodeFacts {
        runtimes: vec![runtime(RuntimeKind::K3s, "/run/k3s/containerd/containerd.sock", Listening::Absent)],
        kubelet: Some(Kubelet { verification: "AlwaysVerify".to_owned(), ..Kubelet::default() }),
        ..NodeFacts::default()
    }
}

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn outcomes(into: &str, outcomes: [Outcome; 4], written: u64) -> TargetReport {
    let row = |(name, outcome): (&&str, Outcome)| ImageReport {
        reference: name.parse().unwrap(),
        digest: digest(2),
        name: Some((*name).to_owned()),
        outcome,
        notes: Vec::new(),
    };
    TargetReport {
        target: target(into),
        images: NAMES.iter().zip(outcomes).map(row).collect(),
        bytes_written: written,
        bytes_present: 71_200_000,
        bytes_unpacked: None,
        bytes_free: None,
        notes: Vec::new(),
        facts: Vec::new(),
        changes: Vec::new(),
        files: Vec::new(),
        proof: None,
    }
}

fn report(dry_run: bool, targets: Vec<TargetReport>) -> JobReport {
    let id = "0193a5c8-1d2e-7b44-9a53-5e1f20c47f2a".parse().unwrap();
    JobReport::Import(ImportReport {
        bundle: id,
        name: "site-42".into(),
        missing: Vec::new(),
        dry_run,
        keep_going: true,
        targets,
    })
}

fn taken() -> Outcome {
    Outcome::Conflict { existing: digest(9).to_string() }
}

fn damaged() -> Outcome {
    let reason =
        "registry.k8s.io/etcd:3.5.12: blobs/sha256/ab12: expected sha256:ab12, the bytes hash to sha256:cd34";
    let hints = vec!["copy the bundle from the medium once more; the medium may be failing".to_owned()];
    Outcome::Failed { kind: Kind::Integrity, reason: reason.to_owned(), hints }
}

/// At the import of a bundle that verified; the node is not looked at yet.
fn entered() -> Desk {
    let mut desk = Desk::new();
    desk.keys("g").tell(found(vec![bundle()]));
    desk.keys("Enter v").tell(Msg::Ended(JobId(1), done(JobReport::Verify(verified()))));
    desk.tell(found(vec![bundle()])).keys("Enter");
    assert_eq!(desk.app.model.place, Place::Import);
    desk.wait(10);
    desk
}

fn looked(desk: &mut Desk, node: NodeFacts) {
    let places = desk.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(Query::Node(places)) => Some(places.clone()),
        _ => None,
    });
    let places: Vec<PathBuf> = places.expect("the node is asked about");
    let free = places.iter().map(|_| Some(9_000_000_000)).collect();
    desk.tell(Msg::Found(Found::Node(places, Arc::new(node), free)));
}

/// With a registry and a directory typed as targets, on a node without a runtime that can be written to.
fn aimed() -> Desk {
    let mut desk = entered();
    looked(&mut desk, node());
    for into in [REGISTRY, LAYOUT] {
        desk.keys("o").typed(into).keys("Enter");
        looked(&mut desk, node());
    }
    desk
}

/// What would be started last.
fn job(desk: &Desk) -> ImportJob {
    let job = desk.effects.iter().rev().find_map(|effect| match effect {
        Effect::Start(_, spec) => match &**spec {
            JobSpec::Import(job) => Some(job.clone()),
            _ => None,
        },
        _ => None,
    });
    job.expect("an import is started")
}

/// Plans end, until none runs: one that was outdated meanwhile is stopped and the next begins.
fn plans(desk: &mut Desk, end: &Ended) {
    for number in 10.. {
        if desk.app.model.running().is_none() {
            break;
        }
        desk.tell(Msg::Ended(JobId(number), end.clone()));
    }
}

fn mixed() -> Vec<TargetReport> {
    vec![
        outcomes(REGISTRY, [Outcome::Added, Outcome::Skipped, Outcome::Added, Outcome::Added], 0),
        outcomes(LAYOUT, [taken(), Outcome::Added, Outcome::Added, Outcome::Added], 0),
    ]
}

/// With a plan in which one name is taken.
pub(crate) fn planned() -> Desk {
    let mut desk = aimed();
    plans(&mut desk, &done(report(true, mixed())));
    desk.wait(10);
    desk
}

/// Importing.
pub(crate) fn under_way() -> Desk {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    let mut view = JobView::default();
    let (verify, phase) = (Phase::Verify, Phase::Import);
    let at = Duration::ZERO;
    let item = |name: &str| name.to_owned();
    for event in [
        Event::Started { phase: verify, items: 9, bytes: 40_000 },
        Event::Bytes { phase: verify, done: 40_000 },
        Event::Finished { phase: verify },
        Event::Started { phase, items: 8, bytes: 569_600_000 },
        Event::Item { phase, item: item(NAMES[0]), bytes: 71_200_000 },
        Event::Done { phase, item: item(NAMES[0]), bytes: 71_200_000 },
        Event::Item { phase, item: item(NAMES[1]), bytes: 71_200_000 },
        Event::Failed {
            phase,
            item: item(NAMES[2]),
            reason: "blobs/sha256/ab12: the bytes hash to cd34".into(),
        },
    ] {
        view.apply(&event, at);
    }
    for second in 1..=20 {
        view.apply(&Event::Bytes { phase, done: second * 12_000_000 }, Duration::from_secs(second));
    }
    desk.tell(Msg::Job(JobId(50), Arc::new(view)));
    desk.wait(20);
    desk
}

fn ended(end: Ended) -> Desk {
    let mut desk = under_way();
    desk.tell(Msg::Ended(JobId(50), end));
    desk.wait(10);
    desk
}

fn partly() -> JobReport {
    let layout = [taken(), Outcome::Added, damaged(), Outcome::Added];
    let registry = [Outcome::Added, Outcome::Skipped, Outcome::Added, Outcome::Added];
    report(false, vec![outcomes(REGISTRY, registry, 213_600_000), outcomes(LAYOUT, layout, 142_400_000)])
}

fn all_there() -> JobReport {
    let all = || [Outcome::Added, Outcome::Added, Outcome::Added, Outcome::Skipped];
    report(false, vec![outcomes(REGISTRY, all(), 213_600_000), outcomes(LAYOUT, all(), 213_600_000)])
}

/// Imported, every image in both targets.
pub(crate) fn imported() -> Desk {
    ended(done(all_there()))
}

#[test]
fn a_target_that_does_not_answer_says_which_try_comes_when_and_the_plan_is_stopped() {
    let mut desk = entered();
    looked(&mut desk, node());
    desk.keys("o").typed(REGISTRY).keys("Enter");
    looked(&mut desk, node());
    let id = desk.job();
    let mut view = JobView::default();
    let item = "localhost:1/library/nginx".to_owned();
    let reason = "connection refused".to_owned();
    let retry = Event::Retry { phase: Phase::Import, item, attempt: 3, reason, wait_ms: 4000 };
    view.apply(&retry, Duration::ZERO);
    desk.tell(Msg::Job(id, Arc::new(view)));
    let screen = desk.screen();
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("! localhost:1/library/nginx: connection refused; try 3 "), "{screen}");
    assert!(screen.contains("x stops it") && screen.contains("x stop"), "{screen}");
    assert!(!screen.contains("Enter import"), "a key that does nothing is not offered: {screen}");
    desk.keys("x Right Enter");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Cancel(own) if *own == id)));
    assert!(desk.screen().contains("the plan is being stopped"), "{}", desk.screen());
    desk.tell(Msg::Ended(id, Ended::Cancelled));
    assert!(desk.app.model.running().is_none(), "it does not begin by itself again");
    assert!(desk.wait(10).screen().contains("D works out the plan"), "{}", desk.screen());
}

#[test]
fn what_is_not_verified_is_not_imported() {
    let mut desk = Desk::new();
    desk.keys("g 3");
    assert!(desk.screen().contains("no bundle is chosen"));
    assert!(desk.keys("Enter").screen().contains("not now: no bundle is chosen"));
    let mut desk = Desk::new();
    desk.keys("g").tell(found(vec![bundle()]));
    desk.keys("Enter 3");
    looked(&mut desk, node());
    assert!(desk.keys("Enter").screen().contains("not now: the bundle is not verified yet"));
    desk.keys("2 v").tell(Msg::Ended(JobId(1), Ended::Failed(Failure::new(Kind::Trust, "nobody signed it"))));
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Checked, "the report says why");
    assert!(desk.keys("3 Enter").screen().contains("did not verify"));
    assert!(
        !desk
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Start(_, spec) if matches!(**spec, JobSpec::Import(_))))
    );
}

#[test]
fn the_node_is_looked_at_and_nothing_is_asked_of_a_target_that_was_not_chosen() {
    let mut desk = entered();
    insta::assert_snapshot!(desk.picture());
    looked(&mut desk, node());
    insta::assert_snapshot!(desk.picture());
    assert!(desk.app.model.running().is_none(), "nothing is chosen, so nothing is planned");
    desk.keys("t");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Space Enter");
    assert_eq!(job(&desk).import.targets, [target("k3s")]);
    assert!(job(&desk).import.dry_run);
}

#[test]
fn the_kubelets_runtime_is_where_to_until_something_else_is_chosen() {
    let mut node = node();
    node.kubelet = Some(Kubelet {
        endpoint: Some("unix:///run/k3s/containerd/containerd.sock".into()),
        ..Kubelet::default()
    });
    let mut desk = entered();
    looked(&mut desk, node.clone());
    assert_eq!(job(&desk).import.targets, [target("k3s")]);
    desk.keys("o").typed(LAYOUT).keys("Enter t Space Enter");
    looked(&mut desk, node);
    assert_eq!(desk.app.model.gap.import.marked, [target(LAYOUT)], "what was taken away stays away");
}

#[test]
fn a_target_is_typed_by_its_form_or_in_full_and_a_wrong_one_says_why() {
    let mut desk = entered();
    looked(&mut desk, node());
    desk.keys("o");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    insta::assert_snapshot!(desk.picture());
    assert!(desk.typed("registry.site-a:x").keys("Enter").screen().contains("port"));
    desk.keys("Ctrl-U").typed(REGISTRY).keys("Enter");
    assert_eq!(job(&desk).import.targets, [target(REGISTRY)]);
    desk.keys("o").typed("oci:~/images").keys("Enter");
    assert_eq!(desk.app.model.gap.import.marked[1], target("oci:/home/op/images"));
    desk.keys("o").typed("foo:bar").keys("Enter");
    insta::assert_snapshot!(desk.picture());
    for (columns, rows) in [(80, 24), (60, 16)] {
        let screen = text(&desk.frame(columns, rows));
        assert!(screen.contains("x foo:bar is no target"), "{screen}");
        for form in airlift::domain::import::TARGETS {
            assert!(screen.contains(&format!("  {form}")), "{form}: {screen}");
        }
    }
    desk.keys("Ctrl-U").typed("oci:").keys("Enter Enter");
    assert!(desk.screen().contains("x there is no path"), "{}", desk.screen());
    desk.typed("/srv/x").keys("Enter");
    assert_eq!(desk.app.model.gap.import.marked[2], target("oci:/srv/x"));
}

#[test]
fn a_whole_target_behind_the_beginning_of_one_is_taken_or_refused_and_no_directory_of_that_name() {
    let mut desk = entered();
    looked(&mut desk, node());
    let screen = desk.keys("o Down Enter").typed("oci:/srv/x").keys("Enter").screen();
    assert!(screen.contains("x oci: stands for a target of its own"), "{screen}");
    assert!(desk.app.model.gap.import.marked.is_empty());
    desk.keys("Esc o Down Enter").tell(Msg::Paste("oci:/srv/y".into())).keys("Enter");
    assert_eq!(desk.app.model.gap.import.marked, [target("oci:/srv/y")]);
}

#[test]
fn the_plan_says_what_becomes_of_each_image_and_the_worst_comes_first() {
    let mut desk = planned();
    insta::assert_snapshot!(desk.picture());
    desk.keys("d");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Esc Down Space Space");
    assert!(desk.screen().contains("2 of 4 images marked"), "{}", desk.screen());
    desk.keys("e");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter Esc");
    assert!(job(&desk).import.replace && job(&desk).import.dry_run, "it is planned anew");
    assert!(desk.keys("Enter").screen().contains("not now: planning is still running"));
}

#[test]
fn a_plan_that_cannot_be_made_says_why_and_what_helps() {
    let mut desk = aimed();
    let failure = Failure::new(Kind::Network, "registry.site-a:5000: connection refused (os error 111)")
        .hint("nothing was written to any target")
        .hint("is the registry running, and is that its port?");
    plans(&mut desk, &Ended::Failed(failure));
    desk.wait(10);
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Enter");
    assert!(job(&desk).import.dry_run, "the registry may run by now");
}

#[test]
fn room_that_may_not_do_is_said_before_the_start() {
    let mut desk = planned();
    let places = desk.app.model.gap.import.places();
    let free = places.iter().map(|_| Some(70_000_000)).collect();
    desk.tell(Msg::Found(Found::Node(places, Arc::new(node()), free)));
    assert!(desk.screen().contains("up to 214 MB are needed, 70.0 MB are free"), "{}", desk.screen());
}

#[test]
fn the_question_has_the_plan_and_cancel_is_where_one_stands() {
    let mut desk = planned();
    desk.keys("Enter");
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Enter");
    assert!(desk.effects.is_empty() && desk.app.model.running().is_none());
    desk.keys("Down Down Space Enter Right Enter");
    let job = job(&desk);
    assert_eq!(job.import.only, [NAMES[2].parse().unwrap()]);
    assert!(!job.import.dry_run && job.import.keep_going && !job.verify.record);
    assert_eq!(job.import.targets, [target(REGISTRY), target(LAYOUT)]);
}

#[test]
fn while_it_runs_each_image_stands_there_and_the_job_can_be_paused_and_stopped() {
    let mut desk = under_way();
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("p");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Pause(JobId(50), true))));
    let mut view = JobView::default();
    let item = |phase| Event::Item { phase, item: NAMES[3].to_owned(), bytes: 71_200_000 };
    for event in [item(Phase::Import), item(Phase::Unpack)] {
        view.apply(&event, Duration::ZERO);
    }
    let view = Arc::new(view);
    desk.tell(Msg::Job(JobId(50), Arc::clone(&view)));
    let screen = desk.screen();
    assert!(screen.lines().any(|line| line.contains("> unpack") && line.contains(NAMES[3])), "{screen}");
    desk.tell(Msg::Job(JobId(50), Arc::new(under_way_in_a_runtime())));
    let screen = desk.screen();
    let row = |name: &str| {
        let (_, tag) = name.rsplit_once(':').unwrap();
        screen.lines().find(|line| line.contains(tag)).unwrap_or_default().to_owned()
    };
    for (name, state, note) in [
        (NAMES[0], "> run", "12.0 MB of 71.2 MB"),
        (NAMES[1], "> unpack", "3 of 7 layers unpacked"),
        (NAMES[2], "> run", "unpacked"),
        (NAMES[3], "wait", ""),
    ] {
        assert!(row(name).contains(state) && row(name).contains(note), "{name}: {screen}");
    }
    assert!(screen.contains("1/3 images"), "{screen}");
    desk.tell(Msg::Job(JobId(50), view));
    desk.keys("p x");
    let screen = desk.screen();
    assert!(screen.contains("Stop the job?") && !screen.contains("signs nothing"), "{screen}");
    desk.keys("Right Enter");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Cancel(JobId(50)))));
    desk.tell(Msg::Ended(JobId(50), Ended::Cancelled));
    desk.wait(10);
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Enter");
    assert!(desk.effects.is_empty(), "nothing goes on unasked");
    desk.keys("Right Enter");
    assert_eq!(job(&desk).import.targets.len(), 2, "the same goes on");
}

/// Images on their way into a containerd: one arrives, one is unpacked, one only lacks its name, one waits.
fn under_way_in_a_runtime() -> JobView {
    let mut view = JobView::default();
    let (import, unpack, bytes) = (Phase::Import, Phase::Unpack, 71_200_000);
    let begun = |phase, at: usize| Event::Item { phase, item: NAMES[at].to_owned(), bytes };
    let part = |phase, at: usize, done, all| Event::Part { phase, item: NAMES[at].to_owned(), done, all };
    let mut events = vec![
        Event::Started { phase: import, items: 4, bytes: 4 * bytes },
        Event::Started { phase: unpack, items: 3, bytes: 3 * bytes },
    ];
    events.extend((0..3).map(|at| begun(import, at)));
    events.extend([part(import, 0, 12_000_000, bytes), part(import, 1, bytes, bytes)]);
    // Its first layer is unpacked while its bytes still come: it is those that are told.
    events.extend([begun(unpack, 0), part(unpack, 0, 1, 6)]);
    events.extend([begun(unpack, 1), part(unpack, 1, 3, 7), begun(unpack, 2), part(unpack, 2, 2, 2)]);
    events.push(Event::Done { phase: unpack, item: NAMES[2].to_owned(), bytes });
    events.iter().for_each(|event| view.apply(event, Duration::ZERO));
    view
}

#[test]
fn what_failed_is_told_with_its_target_and_done_again_alone() {
    let mut desk = ended(done(partly()));
    assert_eq!(desk.app.model.state(Place::Import), StepState::Warn);
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("r");
    let again = job(&desk).import;
    assert_eq!(again.only, [NAMES[0].parse().unwrap(), NAMES[2].parse().unwrap()]);
    let mut second = partly();
    if let JobReport::Import(report) = &mut second {
        for target in &mut report.targets {
            target.images.retain(|image| again.only.contains(&image.reference));
            target.images.iter_mut().for_each(|image| image.outcome = Outcome::Skipped);
            target.bytes_written = 1_000_000;
        }
    }
    desk.tell(Msg::Ended(JobId(60), done(second)));
    desk.keys("4").wait(10);
    let screen = desk.screen();
    assert!(screen.contains("verified and imported: every image is in 2 targets"), "{screen}");
    let report = &desk.app.model.gap.import.done.as_ref().unwrap().report;
    assert_eq!(report.targets[0].images.len(), 4, "what the first run said stays");
    assert_eq!(report.targets[0].images[0].outcome, Outcome::Added, "and what it added was added");
    assert_eq!(report.targets[0].bytes_written, 214_600_000);
}

#[test]
fn where_nothing_arrived_the_import_failed_and_its_reasons_are_read_without_the_stick() {
    let mut desk = under_way();
    desk.tell(found(Vec::new()));
    let all = || [damaged(), damaged(), damaged(), damaged()];
    let none = report(false, vec![outcomes(REGISTRY, all(), 0), outcomes(LAYOUT, all(), 0)]);
    desk.tell(Msg::Ended(JobId(50), done(none))).wait(10);
    assert_eq!(desk.app.model.state(Place::Import), StepState::Failed);
    let screen = desk.screen();
    assert!(screen.contains("8 images did not arrive; d says why"), "{screen}");
    assert_eq!(screen.matches("x FAIL  ").count(), 5, "the verdict and each image: {screen}");
    let screen = desk.keys("d").screen();
    assert!(screen.contains("the bytes hash to sha256:cd34"), "{screen}");
}

#[test]
fn a_run_that_broke_off_says_what_helps_and_does_the_same_again() {
    let failure =
        Failure::new(Kind::Space, "/srv/images needs 71200000 bytes more, its file system has 4096 free")
            .hint("registry:http://registry.site-a:5000 has all 4 images; oci:/srv/images has 1 of 4");
    let mut desk = ended(Ended::Failed(failure));
    assert_eq!(desk.app.model.state(Place::Import), StepState::Failed);
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("r");
    assert!(job(&desk).import.only.is_empty());
    desk.tell(Msg::Ended(JobId(61), Ended::Cancelled));
    assert!(desk.keys("4").screen().contains("the last import was stopped"), "{}", desk.screen());
}

#[test]
fn targets_are_told_apart_on_a_small_screen() {
    let mut desk = planned();
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.contains(LAYOUT) && !screen.contains("FREE"), "{screen}");

    let mut desk = entered();
    let mut running = node();
    running.runtimes[0].listening = Listening::Answers { version: Some("2.1.4".to_owned()) };
    looked(&mut desk, running);
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.contains("2.1.4, kubelet's"), "{screen}");
}

#[test]
fn where_rows_are_few_what_a_plan_or_a_run_came_to_is_read_without_any_key() {
    let mut refused = entered();
    mistyped(&mut refused, "containerd:/nowhere/containerd.sock");
    let cases = [
        (planned(), "this can be done"),
        (refused, "x FAIL "),
        (ended(done(all_there())), "+ OK  every image is where it was wanted"),
    ];
    for (mut desk, words) in cases {
        let screen = crate::rig::text(&desk.frame(60, 16));
        assert!(screen.contains(words), "{words}: {screen}");
    }
}

#[test]
fn where_columns_are_few_the_rows_of_the_report_are_folded_and_not_cut() {
    let mut desk = imported();
    desk.keys("v");
    for page in 0..12 {
        let screen = crate::rig::text(&desk.frame(60, 16));
        let rows: Vec<&str> =
            screen.lines().filter(|row| row.starts_with(['>', ' '])).skip(5).take(8).collect();
        assert!(!rows.iter().any(|row| row.contains('…')), "page {page}: {screen}");
        desk.keys("PageDown");
    }
}

#[test]
fn what_only_root_may_write_is_said_to_need_root_and_not_to_be_out_of_order() {
    let mut desk = entered();
    looked(&mut desk, NodeFacts { closed: true, ..node() });
    let screen = desk.screen();
    assert!(screen.contains("needs root") && !screen.contains("not running"), "{screen}");
}

#[test]
fn the_question_has_what_the_kubelet_does_with_images_where_a_runtime_gets_them() {
    let mut desk = entered();
    let enforcing = || NodeFacts { selinux: Selinux::Enforcing, ..node() };
    looked(&mut desk, enforcing());
    desk.keys("o").typed("k3s").keys("Enter Enter");
    looked(&mut desk, enforcing());
    let all = [Outcome::Added, Outcome::Added, Outcome::Added, Outcome::Added];
    plans(&mut desk, &done(report(true, vec![outcomes("k3s", all, 0)])));
    let screen = desk.wait(10).keys("Enter").screen();
    for words in ["kubelet: deletes images above 85 %", "AlwaysVerify", "SELinux: enforcing", "An archive is"]
    {
        assert!(screen.contains(words), "{words:?} is not in {screen}");
    }
}

#[test]
fn the_report_has_every_target_and_what_no_one_was_asked_for() {
    let mut desk = imported();
    assert_eq!(desk.app.model.state(Place::Import), StepState::Ok);
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Checked);
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("s Ctrl-U").typed("/home/op").keys("Enter");
    let files = desk.effects.iter().find_map(|effect| match effect {
        Effect::SaveNew(files) => Some(files.clone()),
        _ => None,
    });
    let files = files.unwrap();
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|(path, _)| path.to_string_lossy().contains("-report-imported.")), "{files:?}");
    for (path, text) in &files {
        assert!(
            text.contains("registry.site-a:5000") && text.contains("no runtime was asked"),
            "{path:?}: {text}"
        );
    }
    let json: serde_json::Value = serde_json::from_str(&files[0].1).unwrap();
    assert_eq!(json["deed"], "imported");
    assert_eq!(json["imported"][1]["target"], LAYOUT);
    assert_eq!(json["imported"][1]["images"][0]["grade"], "ok");
}

#[test]
fn what_was_left_out_is_not_said_to_be_imported() {
    let mut desk = planned();
    desk.keys("Space Down Space Down Space Enter Right Enter");
    let only = job(&desk).import.only;
    assert_eq!(only.len(), 3);
    let left = NAMES.iter().find(|name| !only.contains(&name.parse().unwrap())).unwrap();
    let mut end = all_there();
    if let JobReport::Import(report) = &mut end {
        report.targets.iter_mut().for_each(|target| {
            target.images.retain(|image| only.contains(&image.reference));
        });
    }
    desk.tell(Msg::Ended(JobId(50), done(end)));
    desk.wait(10);
    let screen = desk.screen();
    assert!(screen.contains("+ OK  3 of 4 images are in 2 targets; 1 left out"), "{screen}");
    desk.keys("Enter");
    let screen = desk.screen();
    assert!(screen.contains("verified; 3 of 4 images in 2 targets, 1 left out"), "{screen}");
    desk.effects.clear();
    desk.keys("s Ctrl-U").typed("/home/op").keys("Enter");
    let files = desk.effects.iter().find_map(|effect| match effect {
        Effect::SaveNew(files) => Some(files.clone()),
        _ => None,
    });
    for (path, text) in files.unwrap() {
        assert!(text.contains("left out: it was not chosen"), "{path:?}: {text}");
        assert!(
            text.contains("3 of 4 images in 2 targets, 1 left out") && text.contains(left),
            "{path:?}: {text}"
        );
    }
}

#[test]
fn a_later_run_that_fails_takes_what_an_earlier_one_proved_with_it() {
    let mut desk = ended(done(unproved()));
    desk.keys("r");
    let mut second = unproved();
    if let JobReport::Import(report) = &mut second {
        let target = &mut report.targets[0];
        target.images[0].outcome = damaged();
        let proof = target.proof.as_mut().unwrap();
        proof.names.remove(0);
        proof.names.iter_mut().for_each(|name| name.problem = None);
    }
    desk.tell(Msg::Ended(JobId(60), done(second)));
    desk.keys("4").wait(10);
    let screen = desk.screen();
    assert!(screen.contains("verified, but 1 image did not arrive"), "{screen}");
    assert!(
        screen.contains("answers 3 of 3 names"),
        "the name of the one that is gone does not count: {screen}"
    );
}

/// A run into the registry and the layout that broke off: the registry has all, the layout one image of four.
fn full_disk(desk: &mut Desk) {
    let names = || NAMES.iter().map(ToString::to_string);
    let mut view = JobView::default();
    let landed = |into: &str, there: usize, reason: Option<&str>| Landed {
        target: target(into),
        there: names().take(there).collect(),
        added: names().take(there).skip(1).collect(),
        missing: names().skip(there).collect(),
        reason: reason.map(str::to_owned),
    };
    let phase = Phase::Import;
    for event in [
        Event::Started { phase, items: 8, bytes: 569_600_000 },
        Event::Started { phase: Phase::Unpack, items: 0, bytes: 900_000_000 },
        Event::Landed(landed(REGISTRY, 4, None)),
        Event::Landed(landed(LAYOUT, 1, Some("/srv/images is full"))),
    ] {
        view.apply(&event, Duration::ZERO);
    }
    let id = JobId(80);
    desk.tell(Msg::Job(id, Arc::new(view)));
    let failure = Failure::new(Kind::Space, "/srv/images is full").hint("free space");
    desk.tell(Msg::Ended(id, Ended::Failed(failure)));
    desk.wait(10);
}

/// Imported into the registry, then a second run into a layout, too, that broke off.
pub(crate) fn broken_off() -> Desk {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    full_disk(&mut desk);
    desk
}

#[test]
fn a_run_that_broke_off_is_in_the_report_with_each_target_and_stays_there() {
    let mut desk = broken_off();
    insta::assert_snapshot!(desk.picture());
    let screen = desk.screen();
    assert!(screen.contains("+ there") && screen.contains("in 1 of 2 targets"), "{screen}");
    assert!(!screen.contains("items"), "what it did not come to is no count: {screen}");
    assert!(desk.keys("d").screen().contains("next: free space"), "{}", desk.screen());
    desk.keys("Esc 4");
    insta::assert_snapshot!(desk.picture());
    // Other images are looked at, and the report still says so.
    desk.keys("3 Space 4");
    let screen = desk.screen();
    assert!(screen.contains("verified, but the last import failed (space or file-size limit)"), "{screen}");
    assert!(screen.contains("1 there already, 3 NOT THERE"), "{screen}");
    desk.keys("3 Space D");
    plans(&mut desk, &done(report(true, mixed())));
    desk.keys("Enter Right Enter");
    desk.tell(Msg::Ended(JobId(200), done(all_there()))).keys("4").wait(10);
    assert!(
        desk.screen().contains("verified and imported: every image is in 2 targets"),
        "{}",
        desk.screen()
    );
}

#[test]
fn what_is_marked_is_planned_alone_where_all_of_it_cannot_be() {
    let mut desk = aimed();
    let full = Failure::new(Kind::Space, "/srv/images needs 513720485 bytes more");
    plans(&mut desk, &Ended::Failed(full));
    assert_eq!(desk.app.model.state(Place::Import), StepState::Failed);
    desk.keys("Down Space").wait(10);
    assert!(desk.screen().contains("Enter works out the plan for 1 image"), "{}", desk.screen());
    desk.effects.clear();
    desk.keys("Enter");
    let asked = job(&desk).import;
    assert_eq!((asked.dry_run, asked.only.as_slice()), (true, &[NAMES[1].parse().unwrap()][..]));
    let mut plan = mixed();
    plan.iter_mut().for_each(|target| target.images.retain(|image| asked.only.contains(&image.reference)));
    plans(&mut desk, &done(report(true, plan)));
    assert_eq!(desk.app.model.state(Place::Import), StepState::Todo);
    desk.keys("Enter Right Enter");
    assert_eq!(job(&desk).import.only, asked.only);
    assert!(!job(&desk).import.dry_run);
}

#[test]
fn a_plan_that_failed_is_made_anew_by_enter_and_names_the_target_in_the_way() {
    let mut desk = aimed();
    let mut view = JobView::default();
    let refused = Landed {
        target: target(LAYOUT),
        there: Vec::new(),
        added: Vec::new(),
        missing: Vec::new(),
        reason: Some("permission denied".to_owned()),
    };
    view.apply(&Event::Landed(refused), Duration::ZERO);
    let name = |at: usize| NAMES[at].to_owned();
    let foreseen = Landed {
        target: target(REGISTRY),
        there: vec![name(0)],
        added: vec![name(1), name(2)],
        missing: vec![name(1), name(2), name(3)],
        reason: None,
    };
    view.apply(&Event::Landed(foreseen), Duration::ZERO);
    desk.tell(Msg::Ended(JobId(10), done(report(true, mixed()))));
    let id = JobId(20);
    desk.tell(Msg::Job(id, Arc::new(view)));
    desk.tell(Msg::Ended(id, Ended::Failed(Failure::new(Kind::Other, "/srv/images: permission denied"))));
    desk.wait(10);
    let screen = desk.screen();
    let row = screen.lines().find(|line| line.contains(&format!("* {LAYOUT}"))).unwrap();
    assert!(row.contains("x refused"), "{screen}");
    // What is known of the other one is not lost with it.
    let row = screen.lines().find(|line| line.contains("* registry")).unwrap();
    assert!(row.contains("2 add, 1 there, 1 not"), "{screen}");
    for (at, state) in ["+ there", "add", "add", "x not"].into_iter().enumerate() {
        let of = |line: &&str| line.contains(NAMES[at]) && line.contains(state);
        assert!(screen.lines().any(|line| of(&line)), "{}: {screen}", NAMES[at]);
    }
    assert!(screen.contains("Enter asks the targets once more"), "{screen}");
    assert!(screen.contains("t takes the refused one out"), "{screen}");
    assert!(screen.lines().last().unwrap().contains("? help   t targets"), "{screen}");
    desk.effects.clear();
    desk.keys("Enter");
    assert!(job(&desk).import.dry_run, "it is planned anew");
}

/// With a plan in which nothing can go anywhere.
pub(crate) fn hopeless() -> Desk {
    let mut desk = aimed();
    let none = || [damaged(), damaged(), damaged(), taken()];
    plans(&mut desk, &done(report(true, vec![outcomes(REGISTRY, none(), 0), outcomes(LAYOUT, none(), 0)])));
    desk.wait(10);
    desk
}

#[test]
fn what_cannot_be_imported_at_all_is_not_asked_about() {
    let mut desk = hopeless();
    let screen = desk.screen();
    assert!(!screen.lines().last().unwrap().contains("Enter import"), "{screen}");
    desk.keys("Enter");
    let screen = desk.screen();
    assert!(screen.contains("Nothing to import") && !screen.contains("Import this?"), "{screen}");
    assert!(screen.contains("next: copy the bundle from the medium once more"), "{screen}");
}

#[test]
fn what_is_chosen_comes_first_in_the_menu_of_targets_as_it_does_behind_it() {
    let mut desk = aimed();
    desk.keys("t");
    let screen = desk.screen();
    let inside = |line: &str, name: &str| line.split('│').nth(1).is_some_and(|part| part.contains(name));
    let at = |name: &str| screen.lines().position(|line| inside(line, name)).expect(name);
    assert!(at("registry:") < at("k3s:") && at("oci:") < at("k3s:"), "{screen}");
    desk.keys("Enter");
    assert_eq!(desk.app.model.gap.import.marked, [target(REGISTRY), target(LAYOUT)]);
}

/// A run into the kubelet's containerd, of which the CRI does not know one name.
fn unproved() -> JobReport {
    let all = [Outcome::Added, Outcome::Added, Outcome::Added, Outcome::Skipped];
    let mut target = outcomes("containerd", all, 213_600_000);
    let answer = |name: &&str| NameProof {
        name: (*name).to_owned(),
        reference: name.parse().unwrap(),
        id: Some(digest(4).to_string()),
        platform: Some("linux/amd64".to_owned()),
        pinned: true,
        problem: None,
    };
    let mut names: Vec<NameProof> = NAMES.iter().map(answer).collect();
    names[2].pinned = false;
    names[2].problem = Some("the CRI does not know it, a pod would try to pull it".to_owned());
    let pause = "registry.k8s.io/pause:3.10".to_owned();
    let sandbox = Some(Sandbox { name: pause, configured: true, present: true });
    target.proof = Some(Proof { runtime: "containerd 2.1.4".to_owned(), names, sandbox, notes: Vec::new() });
    report(false, vec![target])
}

#[test]
fn what_the_runtime_does_not_answer_for_is_no_success_and_is_done_again() {
    let mut desk = ended(done(unproved()));
    assert_eq!(desk.app.model.state(Place::Import), StepState::Failed);
    insta::assert_snapshot!(desk.picture());
    desk.keys("d");
    assert!(
        desk.screen().contains("x CRI: registry.k8s.io/etcd:3.5.12: the CRI does not know it"),
        "{}",
        desk.screen()
    );
    desk.keys("Esc 4");
    let screen = desk.screen();
    assert!(screen.contains("x the CRI of containerd 2.1.4 answers 3 of 4 names"), "{screen}");
    assert!(screen.contains("sandbox"), "{screen}");
    desk.effects.clear();
    desk.keys("3 r");
    assert_eq!(job(&desk).import.only, [NAMES[2].parse().unwrap()]);
    let mut second = unproved();
    if let JobReport::Import(report) = &mut second {
        let target = &mut report.targets[0];
        target.images.retain(|image| image.reference.to_string() == NAMES[2]);
        let proof = target.proof.as_mut().unwrap();
        proof.names.retain(|name| name.name == NAMES[2]);
        proof.names[0].problem = None;
    }
    desk.tell(Msg::Ended(JobId(60), done(second)));
    desk.keys("4").wait(10);
    assert!(desk.screen().contains("answers 4 of 4 names"), "{}", desk.screen());
}

/// With a containerd typed as a third target.
pub(crate) fn into_containerd() -> Desk {
    let mut desk = aimed();
    desk.keys("o").typed("containerd").keys("Enter Enter");
    desk
}

#[test]
fn the_question_says_how_large_layers_get_once_they_are_unpacked() {
    let mut desk = into_containerd();
    let mut plan = mixed();
    let all = [Outcome::Added, Outcome::Added, Outcome::Added, Outcome::Added];
    let unpacked = Some(900_000_000);
    plan.push(TargetReport { bytes_unpacked: unpacked, ..outcomes("containerd", all, 0) });
    plans(&mut desk, &done(report(true, plan)));
    let asked = desk.keys("Enter").screen();
    let words = asked.replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("to write, about 900 MB unpacked"), "{asked}");
}

#[test]
fn a_namespace_is_changed_only_of_a_containerd() {
    assert!(aimed().keys("n").screen().contains("not now: no containerd is among the targets"));
    let mut desk = into_containerd();
    desk.keys("n Ctrl-U").typed("a/b").keys("Enter");
    assert!(desk.screen().contains("a namespace has letters"), "{}", desk.screen());
    desk.keys("Ctrl-U").typed("ci").keys("Enter");
    assert_eq!(desk.app.model.gap.import.marked[2], target("containerd:,ci"));
}

/// Imported into a containerd, in which names were given.
pub(crate) fn into_a_runtime() -> Desk {
    let mut changed = all_there();
    if let JobReport::Import(report) = &mut changed {
        report.targets.truncate(1);
        report.targets[0].target = target("containerd");
        let change = |name: &&str| Change { name: (*name).to_owned(), digest: digest(2), was: None };
        report.targets[0].changes = NAMES[..3].iter().map(change).collect();
    }
    let mut desk = ended(done(changed));
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::Noted))));
    desk.tell(Msg::Found(Found::Noted(vec![noted("site-42", 3)])));
    desk
}

/// A run over a bundle that is noted as one that can be taken back.
pub(crate) fn noted(bundle: &str, made: usize) -> NotedRun {
    let begun = format!(
        r#"{{"format":"airlift-changes/1","begun":"2026-11-20T08:15:00Z","bundle":"{bundle}","into":["oci:/x"]}}"#
    );
    let files = vec!["/etc/containers/storage.conf".into()];
    let store = NotedTarget {
        target: target("containers-storage:/var/images"),
        made: 0,
        changed: 0,
        files,
        announced: 0,
        unfinished: false,
    };
    let names =
        NotedTarget { target: target("containerd"), made, changed: 1, files: Vec::new(), ..store.clone() };
    NotedRun {
        file: format!("/data/imports/{bundle}.jsonl").into(),
        begun: serde_json::from_str(&begun).unwrap(),
        targets: vec![names, store],
        wanted_by: Vec::new(),
        over: false,
    }
}

#[test]
fn what_an_earlier_program_s_run_changed_is_taken_back_without_any_bundle() {
    let mut desk = Desk::new();
    desk.keys("g 3");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::Noted))));
    assert!(desk.keys("u").screen().contains("not now: nothing is noted to undo"));
    let runs = vec![noted("site-b-7", 2), noted("site-b-6", 5)];
    desk.tell(Msg::Found(Found::Noted(runs.clone())));
    let screen = desk.keys("u Enter").screen();
    assert!(screen.contains("The last import that is noted: site-b-7, 2026-11-20 08:15Z"), "{screen}");
    assert!(screen.contains("oci:/x: keeps what was added to it; nothing is undone there."), "{screen}");
    // What another program notes meanwhile is not what was asked about.
    desk.tell(Msg::Found(Found::Noted(vec![noted("site-b-8", 1)])));
    desk.keys("Right Enter");
    let started = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, job) => match &**job {
            JobSpec::Undo(spec) => Some(spec.file.clone()),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(started, Some(Some(runs[0].file.clone())), "{:?}", desk.effects);
}

#[test]
fn where_the_import_alone_verified_the_bundle_the_report_says_so() {
    let mut desk = under_way();
    desk.app.model.want_signers(2);
    let words = "The import verifies the bundle for itself; the report tells of Verify.";
    assert!(desk.keys("4").screen().contains(words), "{}", desk.screen());
}

#[test]
fn an_import_is_taken_back_from_start_and_from_every_step_up_to_it_with_no_medium_there() {
    let asked = "The last import that is noted: site-b-7, 2026-11-20 08:15Z";
    for keys in ["", "g", "g 2", "g 3"] {
        for undo in ["u", ": undo Enter"] {
            let mut desk = Desk::new();
            desk.keys(keys).tell(Msg::Found(Found::Noted(vec![noted("site-b-7", 2)])));
            let screen = desk.keys(undo).screen();
            assert!(
                screen.contains("Undo the import?") && screen.contains(asked),
                "{keys}, {undo}: {screen}"
            );
            desk.keys("Right Enter");
            let starts = |effect: &Effect| matches!(effect, Effect::Start(_, job) if matches!(&**job, JobSpec::Undo(_)));
            assert!(desk.effects.iter().any(starts), "{keys}, {undo}: {:?}", desk.effects);
        }
        let mut desk = several_noted();
        desk.keys("0").keys(keys);
        let screen = desk.keys("Home Down Down u").screen();
        assert!(screen.contains("Undo which import?"), "{keys}: {screen}");
        let screen = desk.keys("Down Enter").screen();
        assert!(screen.contains("000007: site-b-7, 2026-11-20 08:15Z"), "{keys}: {screen}");
    }
    let mut desk = Desk::new();
    desk.keys("g").tell(found(Vec::new())).tell(Msg::Found(Found::Noted(vec![noted("site-b-7", 2)])));
    let footer = desk.screen().lines().last().unwrap_or_default().to_owned();
    assert!(footer.contains("u undo"), "{footer}");
}

/// Three runs left something, and a later one counts on what one of them brought.
pub(crate) fn several_noted() -> Desk {
    let file = |number: u64| format!("/data/imports/{number:06}.jsonl").into();
    let last = NotedRun { file: file(9), ..noted("site-b-8", 2) };
    let held = NotedRun { file: file(7), wanted_by: vec!["000009".to_owned()], ..noted("site-b-7", 5) };
    let cut = NotedRun { file: file(4), ..stopped("site-42") };
    let mut desk = Desk::new();
    desk.keys("g 3").tell(Msg::Found(Found::Noted(vec![last, held, cut])));
    desk
}

#[test]
fn any_run_that_is_noted_can_be_chosen_to_be_taken_back_and_says_what_keeps_it() {
    let mut desk = several_noted();
    let screen = desk.keys("u").screen();
    for words in ["000009  site-b-8, 2026", "000007  site-b-7, 2026", "000004  site-42, 2026"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    let folded = |screen: String| screen.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let screen = folded(desk.keys("Down").screen());
    let whole = "stays while 000009 counts on it; containerd: names 6, containers-storage:/var/images: \
                 /etc/containers/storage.conf; it was cut off Enter";
    assert!(screen.contains(whole), "{screen}");
    let screen = folded(desk.keys("Down").screen());
    assert!(screen.contains("; it was interrupted Enter"), "{screen}");
    // What another program notes meanwhile is not what was offered.
    desk.tell(Msg::Found(Found::Noted(vec![noted("site-b-10", 1)])));
    let screen = desk.keys("Enter").screen();
    for words in ["site-42, 2026-11-20 08:15Z", "airlift undo 000004"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    desk.keys("Right Enter");
    let file = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, job) => match &**job {
            JobSpec::Undo(spec) => spec.file.clone(),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(file, Some("/data/imports/000004.jsonl".into()), "{:?}", desk.effects);
    desk.app.model.gap.import.undoing.as_ref().expect("it is being taken back");
    let screen = desk.keys("y").screen();
    assert!(screen.contains("airlift undo 000004"), "{screen}");
}

/// A run that was stopped with some of its images in.
pub(crate) fn stopped(bundle: &str) -> NotedRun {
    let left = r#"{"target":"containerd","there":2,"all":4}"#;
    let choices = format!(
        r#"{{"only":["{}"],"platform":{{"os":"linux","architecture":"arm64"}},"replace":true,"storageConf":"print"}}"#,
        NAMES[1]
    );
    let begun = format!(
        r#"{{"format":"airlift-changes/1","begun":"2026-11-20T08:15:00Z","bundle":"{bundle}","into":["containerd"],"choices":{choices},"ended":"interrupted","left":[{left}]}}"#
    );
    NotedRun { begun: serde_json::from_str(&begun).unwrap(), ..noted(bundle, 4) }
}

/// The same of the bundle with this id, which lay here.
pub(crate) fn stopped_at(bundle: &str, path: &str, id: &str) -> NotedRun {
    let run = stopped(bundle);
    let lay = format!(r#""choices":{{"bundle":{{"path":"{path}","id":"{id}"}},"#);
    let begun = serde_json::to_string(&run.begun).unwrap().replace("\"choices\":{", &lay);
    NotedRun { begun: serde_json::from_str(&begun).unwrap(), ..run }
}

#[test]
fn a_stopped_import_is_gone_on_with_by_the_bundle_it_was_begun_with_and_none_of_its_name() {
    let id = "0193a5c8-0000-7b44-9a53-5e1f20c47f2a";
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Noted(vec![stopped_at("site-42", "/x/stick/site-42", id)])));
    desk.keys("Home Enter");
    let given = vec!["/x/stick/site-42".into()];
    assert!(
        desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::Bundles(at)) if *at == given))
    );
    let bundles = |offers: Vec<Offer>| Msg::Found(Found::Bundles(given.clone(), Arc::new(offers)));
    // Another bundle has its name.
    desk.tell(bundles(vec![bundle()]));
    let screen = desk.screen();
    assert!(
        screen.contains("the bundle to go on with is not in /x/stick/site-42; o opens where it is"),
        "{screen}"
    );
    let mut own = Offer { path: given[0].clone(), medium: None, given: given.clone(), ..bundle() };
    own.said.as_mut().unwrap().report.id = id.parse().unwrap();
    desk.tell(bundles(vec![bundle(), own.clone()])).keys("Enter");
    assert_eq!(desk.app.model.gap.chosen, Some(own.path.clone()), "the cursor is on it");
    // Its choices are made for that one alone.
    let aimed = |desk: &mut Desk| {
        desk.app.model.aim_as_before();
        desk.app.model.gap.import.marked.contains(&target("containerd"))
    };
    assert!(aimed(&mut desk));
    let mut other = Desk::new();
    other.tell(Msg::Found(Found::Noted(vec![stopped_at("site-42", "/x/stick/site-42", id)])));
    other.keys("Home Enter").tell(bundles(vec![bundle(), own])).keys("Home Enter");
    assert!(!aimed(&mut other));
}

#[test]
fn the_question_about_an_archive_of_k3s_does_not_say_that_archives_stay() {
    let into = "k3s:/var/lib/rancher/k3s/agent/images";
    let files = vec![format!("{}/site-42.tar", &into[4..]).into()];
    let archive =
        NotedTarget { target: target(into), made: 0, changed: 0, files, announced: 0, unfinished: false };
    let mut run = NotedRun { targets: vec![archive], ..noted("site-42", 0) };
    run.begun.into = vec![target(into)];
    let mut desk = Desk::new();
    desk.keys("g 3").tell(Msg::Found(Found::Noted(vec![run])));
    let screen = desk.keys("u").screen();
    assert!(screen.contains("its archive is removed") && !screen.contains("what was added"), "{screen}");
}

#[test]
fn an_import_that_was_stopped_is_gone_on_with_into_its_targets_once_its_bundle_is_verified() {
    let mut run = stopped("site-42");
    let reached = RegistryOptions { ca: vec!["/etc/site-ca.pem".into()], ..RegistryOptions::default() };
    run.begun.choices.as_mut().unwrap().registry = Some(reached.clone());
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Noted(vec![run]))).keys("Home Enter");
    assert_eq!(desk.app.model.place, Place::Bundle);
    assert!(desk.screen().contains("Enter opens site-42, then v verifies it"), "{}", desk.screen());
    desk.tell(found(vec![bundle()]));
    desk.keys("Enter v").tell(Msg::Ended(JobId(1), done(JobReport::Verify(verified()))));
    desk.tell(found(vec![bundle()])).keys("Enter");
    assert_eq!(desk.app.model.place, Place::Import);
    assert_eq!(desk.app.model.gap.import.marked, [target("containerd")]);
    let import = job(&desk).import;
    assert!(import.dry_run, "its plan comes first");
    assert_eq!(import.only.iter().map(ToString::to_string).collect::<Vec<_>>(), [NAMES[1]]);
    assert_eq!(import.platform.unwrap().to_string(), "linux/arm64");
    assert!(import.replace && !import.keep_going);
    assert_eq!(desk.app.model.gap.import.storage_conf, ConfMode::Print);
    assert_eq!(import.registry, reached);
    for (of, keys, why) in [
        ("site-41", "Home Enter", "that was another bundle"),
        ("site-42", "Home Enter Esc D Right Enter g", "it was dismissed after that"),
    ] {
        let mut other = Desk::new();
        other.tell(Msg::Found(Found::Noted(vec![stopped(of)]))).keys(keys);
        other.tell(found(vec![bundle()]));
        other.keys("Enter v").tell(Msg::Ended(JobId(1), done(JobReport::Verify(verified()))));
        other.tell(found(vec![bundle()])).keys("Enter");
        assert_eq!(other.app.model.place, Place::Import, "{why}");
        assert!(other.app.model.gap.import.marked.is_empty(), "{why}");
    }
}

#[test]
fn a_last_run_that_left_nothing_to_take_back_is_told_before_an_older_one_is_offered() {
    let idle = NotedRun { targets: Vec::new(), ..noted("site-b-8", 0) };
    let mut desk = Desk::new();
    desk.keys("g 3");
    desk.tell(Msg::Found(Found::Noted(vec![idle.clone()])));
    assert!(desk.keys("u").screen().contains("not now: nothing is noted to undo"));
    desk.tell(Msg::Found(Found::Noted(vec![idle, noted("site-b-7", 2)])));
    let screen = desk.keys("u").screen();
    for words in ["The last import, site-b-8,", "into oci:/x, left", "that did: site-b-7, 2026"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(
        screen.contains("names to remove: 2; to point back: 1") && !screen.contains("count on"),
        "{screen}"
    );
}

#[test]
fn what_later_imports_count_on_is_not_promised_to_go_and_what_gives_it_up_is_said() {
    let idle = NotedRun { targets: Vec::new(), ..noted("000009", 0) };
    let run = NotedRun { wanted_by: vec!["000009".to_owned()], ..noted("000007", 2) };
    let mut desk = Desk::new();
    desk.keys("g 3").tell(Msg::Found(Found::Noted(vec![idle, run])));
    let screen = desk.keys("u Enter").screen();
    assert!(screen.contains("It changed nothing, but counts on what was brought by 000007"), "{screen}");
    let screen = desk.keys("Esc u Down Enter").screen();
    for words in
        ["Later imports count on what it brought", "undone: 000009", "airlift undo", "names that it gave: 3"]
    {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(!screen.contains("to remove") && !screen.contains("to put back"), "{screen}");
    insta::assert_snapshot!(desk.picture());
}

/// All that a run brought into a containerd is gone.
fn undone() -> UndoneReport {
    let names =
        UndoReport { removed: NAMES[..3].iter().map(ToString::to_string).collect(), ..UndoReport::default() };
    let (files, unfinished) = (FilesUndone::default(), Unfinished::default());
    let targets = vec![Undone { target: target("containerd"), names, files, unfinished }];
    let (runs, unread) = (Vec::new(), Vec::new());
    UndoneReport { dry_run: false, run: None, targets, runs, unread, before: None }
}

fn take_back(desk: &mut Desk) {
    desk.tell(Msg::Ended(JobId(70), done(JobReport::Undo(undone()))));
}

#[test]
fn undo_of_one_import_leaves_what_the_report_says_of_the_others() {
    let mut desk = into_a_runtime();
    let mut undone = undone();
    undone.targets[0].names.removed.truncate(1);
    desk.keys("u Right Enter").effects.clear();
    desk.tell(Msg::Ended(JobId(70), done(JobReport::Undo(undone))));
    let kept = desk.effects.iter().find_map(|effect| match effect {
        Effect::Save(_, text) => Some(text.clone()),
        _ => None,
    });
    let text = kept.unwrap();
    for words in [
        "3 of 4 images in 1 target, 1 not there; its import of 2026-11-20 08:15Z was undone",
        "its import was undone",
        ": added",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let left: Vec<String> = desk
        .app
        .model
        .gap
        .import
        .done
        .iter()
        .flat_map(|done| &done.report.targets[0].images)
        .map(|one| one.reference.to_string())
        .collect();
    assert_eq!(left, NAMES[1..]);
    let left = desk.app.model.gap.import.done.take().unwrap();
    assert!(left.without(&self::undone()).is_none(), "nothing is left that they brought");
}

/// What was imported is taken back.
pub(crate) fn taken_back() -> Desk {
    let mut desk = into_a_runtime();
    desk.keys("u Right Enter");
    take_back(&mut desk);
    desk
}

#[test]
fn what_was_changed_in_a_runtime_is_taken_back_after_a_question() {
    let mut desk = imported();
    assert!(
        desk.keys("u")
            .screen()
            .contains("not now: nothing is noted to undo; registries and layouts keep what they got")
    );
    let mut desk = into_a_runtime();
    desk.effects.clear();
    desk.keys("u");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    assert!(
        !desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))),
        "Cancel is where one stands"
    );
    desk.keys("u Right Enter");
    assert_eq!(desk.app.model.state(Place::Import), StepState::Running);
    let mut view = JobView::default();
    let text = "taking back 3 names of containerd".to_owned();
    view.apply(&Event::Note { text: text.clone() }, Duration::ZERO);
    desk.tell(Msg::Job(JobId(70), Arc::new(view)));
    let screen = desk.wait(10).screen();
    for words in ["undoing the import, for 10 s", &text, "x stop"] {
        assert!(screen.contains(words), "{words:?} is not in {screen}");
    }
    assert!(!screen.contains("every image is where it was wanted") && !screen.contains("u undo"), "{screen}");
    take_back(&mut desk);
    assert!(desk.screen().contains("removed: docker.io/library/nginx:1.25.3"), "{}", desk.screen());
    assert!(desk.app.model.gap.import.done.is_none());
    assert!(job(&desk).import.dry_run, "it is planned anew");
}

#[test]
fn another_bundle_at_the_same_place_takes_plan_and_run_with_it() {
    let mut desk = imported();
    let mut other = bundle();
    if let Ok(said) = &mut other.said {
        said.report.manifest_digest = digest(77);
    }
    desk.tell(found(vec![other]));
    assert_eq!(desk.app.model.state(Place::Import), StepState::Stale);
    assert!(desk.app.model.gap.import.run.is_none() && desk.app.model.gap.import.done.is_none());
    assert!(desk.keys("Enter").screen().contains("not now: the bundle is not verified yet"));
}

#[test]
fn a_plan_is_stopped_where_one_leaves_it_and_made_anew_where_one_comes_back() {
    let mut desk = aimed();
    desk.tell(Msg::Job(JobId(20), Arc::new(JobView::default())));
    desk.effects.clear();
    desk.keys("1");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Cancel(JobId(20)))));
    desk.keys("3").tell(Msg::Ended(JobId(20), Ended::Cancelled));
    assert!(job(&desk).import.dry_run);
}

#[test]
fn a_real_bundle_goes_into_a_real_layout_and_is_there_the_second_time() {
    let mut live = Live::at(now());
    live.trust();
    let bundle = live.kept("medium/demo-1");
    live.open(&bundle);
    live.job("v");
    live.desk.keys("Enter");
    let layout = bundle.parent().unwrap().parent().unwrap().join("taken");
    live.until("the node was looked at", |desk| desk.app.model.gap.import.node.is_some());
    // Whatever this machine has is not written to.
    live.desk.app.model.gap.import.choose(&[]);
    live.desk.keys("o").typed(&format!("oci:{}", layout.display())).keys("Enter");
    live.until("the plan is there", |desk| desk.app.model.gap.import.planned().is_some());
    assert!(!layout.exists(), "a plan writes nothing");
    live.desk.keys("Enter Right");
    live.job("Enter");
    let screen = live.desk.screen();
    assert!(screen.contains("+ OK  every image is where it was wanted"), "{screen}");
    assert!(layout.join("index.json").exists());
    live.until("the run is noted with where its bundle lies", |desk| {
        let run = desk.app.model.gap.import.noted.first();
        run.and_then(|run| run.begun.lay()).is_some_and(|lay| lay.path == bundle)
    });
    live.desk.keys("D");
    live.until("the plan is there", |desk| desk.app.model.gap.import.planned().is_some());
    let screen = live.desk.screen();
    assert!(screen.contains("all of it is there already"), "{screen}");
}

#[test]
fn what_the_plan_warns_of_is_on_it_in_the_question_and_with_every_image() {
    let mut desk = entered();
    looked(&mut desk, node());
    desk.keys("o").typed("containerd:/srv/c.sock").keys("Enter");
    let all = [Outcome::Added, Outcome::Added, Outcome::Added, Outcome::Added];
    let into = "containerd:/srv/c.sock";
    let one = TargetReport {
        bytes_unpacked: Some(900_000_000),
        bytes_free: Some(64_000_000),
        ..outcomes(into, all, 0)
    };
    let mut view = JobView::default();
    for text in
        ["/srv/c may be too small: its file system has 64.0 MB free", "the clock is not set by anybody"]
    {
        view.apply(&Event::Warning { text: text.to_owned() }, Duration::ZERO);
    }
    let id = JobId(30);
    desk.tell(Msg::Job(id, Arc::new(view)));
    desk.tell(Msg::Ended(id, done(report(true, vec![one]))));
    let screen = desk.wait(10).screen();
    let row = screen.lines().find(|line| line.contains(&format!("* {into}"))).unwrap();
    assert!(row.contains("64.0 MB"), "room is told of a typed socket, too: {screen}");
    for words in ["! this can be done, with 2 warnings", "! /srv/c may be too small", "1 more, which d shows"]
    {
        let folded = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(folded.contains(words), "{words:?} is not in {screen}");
    }
    assert!(!screen.contains("are needed"), "said once: {screen}");
    for key in ["d", "Enter"] {
        let screen = desk.keys(key).screen();
        for words in ["! /srv/c may be too small", "! the clock is not set"] {
            assert!(screen.contains(words), "{key}: {words:?} is not in {screen}");
        }
        let (written, warned) = (screen.find("containerd:/srv/c.sock: 4 add"), screen.find("! /srv/c may"));
        assert!(key == "d" || written.is_some_and(|written| Some(written) < warned), "{screen}");
        desk.keys("Esc");
    }
}

/// The job ended while it was asked whether to stop it.
pub(crate) fn ended_while_asked() -> Desk {
    let mut desk = under_way();
    desk.keys("x").tell(Msg::Ended(JobId(50), done(all_there())));
    desk
}

#[test]
fn the_question_whether_to_stop_goes_with_the_job_and_takes_the_keys_that_were_meant_for_it() {
    for keys in ["Enter", "Esc", "Right Enter"] {
        let mut desk = ended_while_asked();
        let screen = desk.screen();
        assert!(!screen.contains("Stop the job?"), "{screen}");
        for words in ["The job has ended", "It came to its end before it was stopped."] {
            assert!(screen.contains(words), "{words}: {screen}");
        }
        let screen = desk.keys(keys).screen();
        assert!(!screen.contains("The job has ended"), "{keys}: {screen}");
        assert_eq!(desk.app.model.place, Place::Import, "{keys} went to the screen below");
        assert!(screen.contains("every image is where it was wanted"), "{keys}: {screen}");
    }
}

#[test]
fn what_comes_up_with_the_end_of_a_job_waits_behind_the_question_that_is_over() {
    let mut desk = into_a_runtime();
    desk.keys("u Right Enter x");
    take_back(&mut desk);
    let screen = desk.screen();
    assert!(screen.contains("The job has ended") && !screen.contains("Undone"), "{screen}");
    let screen = desk.keys("Enter").screen();
    assert!(screen.contains("Undone") && !screen.contains("The job has ended"), "{screen}");
}

/// A plan that a mistyped target is in the way of.
fn mistyped(desk: &mut Desk, into: &str) {
    desk.keys("o").typed(into).keys("Enter");
    looked(desk, node());
    let refused = Landed {
        target: target(into),
        there: Vec::new(),
        added: Vec::new(),
        missing: Vec::new(),
        reason: Some("there is no socket".to_owned()),
    };
    let mut view = JobView::default();
    view.apply(&Event::Landed(refused), Duration::ZERO);
    let id = JobId(desk.job().0 + 20);
    desk.tell(Msg::Job(id, Arc::new(view)));
    desk.tell(Msg::Ended(id, Ended::Failed(Failure::new(Kind::Import, "there is no socket /run/x"))));
    desk.wait(10);
}

#[test]
fn a_mistyped_target_is_taken_away_or_has_another_put_in_its_place() {
    let wrong = "containerd:/run/containred.sock";
    let mut desk = entered();
    looked(&mut desk, node());
    mistyped(&mut desk, wrong);
    let screen = desk.screen();
    assert!(screen.contains("x refused") && screen.contains("o types another in"), "{screen}");
    desk.keys("o").typed(LAYOUT).keys("Enter");
    let screen = desk.screen();
    assert!(screen.contains(&format!("this replaces {wrong}, which was refused")), "{screen}");
    assert_eq!(desk.app.model.gap.import.marked, [target(LAYOUT)]);
    let mut desk = entered();
    looked(&mut desk, node());
    mistyped(&mut desk, wrong);
    desk.keys("t Space Enter");
    let import = &desk.app.model.gap.import;
    assert!(import.marked.is_empty(), "no other row was meant: {:?}", import.marked);
    assert!(!import.offered().iter().any(|one| one.target == target(wrong)), "it is forgotten");
}

#[test]
fn what_was_typed_for_one_bundle_is_not_where_to_of_the_next() {
    let mut desk = planned();
    desk.app.model.gap.choose("/media/op/OTHER/site-43".into());
    let import = &desk.app.model.gap.import;
    assert!(import.marked.is_empty(), "{:?}", import.marked);
    let offered: Vec<Target> = import.offered().into_iter().map(|one| one.target).collect();
    assert_eq!(offered, [target("k3s"), target(REGISTRY), target(LAYOUT)], "they are still to be had");
}

#[test]
fn what_is_plain_fact_is_no_warning_and_a_warning_has_its_reason_in_the_verdict() {
    let told = |notes: &[&str], facts: &[&str]| {
        let mut report = all_there();
        if let JobReport::Import(report) = &mut report {
            let list = |words: &[&str]| words.iter().map(ToString::to_string).collect();
            (report.targets[0].notes, report.targets[0].facts) = (list(notes), list(facts));
        }
        let mut desk = ended(done(report));
        let imported = desk.screen();
        (imported, desk.keys("4").wait(10).screen())
    };
    let (screen, report) = told(&[], &["written by skopeo"]);
    assert!(screen.contains(" - written by skopeo") && !screen.contains("! written"), "{screen}");
    assert!(report.contains("OK") && !report.contains("WARN"), "{report}");
    let (screen, report) = told(&["not proved yet: CRI-O does not run here"], &["written by skopeo"]);
    assert!(screen.contains("! not proved yet") && screen.contains("! WARN  every image"), "{screen}");
    assert!(report.contains("WARN") && report.contains("into 2 targets; not proved yet: CRI-O"), "{report}");
}

#[test]
fn a_bundle_that_was_verified_is_called_so_and_a_refused_plan_is_seen_to_be_made_anew() {
    let mut desk = aimed();
    plans(&mut desk, &Ended::Failed(Failure::new(Kind::Network, "connection refused")));
    assert!(desk.keys("D").screen().contains("asking the targets; nothing is written"), "{}", desk.screen());
    let screen = desk.keys("1").screen();
    assert!(screen.contains("+ verified") && screen.contains("verified; 2 shows it"), "{screen}");
    assert!(!screen.contains("not verified yet"), "{screen}");
}

#[test]
fn what_was_imported_of_one_bundle_is_never_said_of_another() {
    let other = |report: JobReport| match report {
        JobReport::Import(mut report) => {
            report.bundle = "0193a5c8-1d2e-7b44-9a53-000000000001".parse().unwrap();
            JobReport::Import(report)
        }
        report => report,
    };
    let leave: fn(&mut Desk) = |_| ();
    let choose: fn(&mut Desk) = |desk| assert!(desk.app.model.gap.choose("/media/op/OTHER/site-42".into()));
    let change: fn(&mut Desk) = |desk| {
        let mut other = bundle();
        other.said.as_mut().unwrap().report.manifest_digest = digest(9);
        desk.tell(found(vec![other]));
    };
    for (meanwhile, report) in [(choose, all_there()), (change, all_there()), (leave, other(all_there()))] {
        let mut desk = under_way();
        meanwhile(&mut desk);
        desk.tell(Msg::Ended(JobId(50), done(report)));
        let import = &desk.app.model.gap.import;
        assert!(import.done.is_none() && import.run.is_none(), "{:?}", import.done);
        assert_ne!(desk.app.model.state(Place::Import), StepState::Ok);
        let screen = desk.screen();
        assert!(screen.contains("what was imported is not the bundle there now"), "{screen}");
    }
}

#[test]
fn the_report_leaves_out_what_came_of_another_bundle() {
    let mut desk = imported();
    if let Some(done) = &mut desk.app.model.gap.import.done {
        done.report.bundle = "0193a5c8-1d2e-7b44-9a53-000000000001".parse().unwrap();
    }
    let screen = desk.keys("4").wait(10).screen();
    assert!(screen.contains("verified: every check held") && !screen.contains("imported"), "{screen}");
}

#[test]
fn no_other_bundle_is_opened_while_one_is_imported() {
    let mut desk = under_way();
    desk.keys("1").tell(found(vec![bundle(), offer(43, Some(SerialDecision::Newer { from: 41 }))]));
    let screen = desk.keys("Down Enter").screen();
    assert!(screen.contains("not now: import is running: 3 shows it"), "{screen}");
}

#[test]
fn what_was_confirmed_is_imported_or_nothing_is() {
    let imports =
        |desk: &Desk| desk.effects.iter().any(|effect| matches!(effect, Effect::Start(Act::Import, _)));
    // The kubelet's runtime comes to be known while the question is open.
    let mut desk = into_the_kubelets_choice();
    desk.keys("Enter");
    assert!(desk.screen().contains("Import this?"), "{}", desk.screen());
    let mut other = kubelets_node();
    other.runtimes[0].socket = "/run/containerd/containerd.sock".into();
    other.runtimes[0].kind = RuntimeKind::Containerd;
    other.runtimes[0].listening = Listening::Answers { version: None };
    other.kubelet.as_mut().unwrap().endpoint = Some("unix:///run/containerd/containerd.sock".into());
    looked(&mut desk, other);
    assert_ne!(desk.app.model.gap.import.marked, [target("k3s")], "another target is proposed now");
    desk.effects.clear();
    desk.keys("Right Enter");
    assert!(!imports(&desk), "{:?}", desk.effects);
    let screen = desk.screen();
    assert!(screen.contains("nothing was started: what was to be imported has changed"), "{screen}");
    // Nothing can be read of the bundle that its images were picked from.
    let mut desk = planned();
    desk.keys("Space Enter");
    assert!(desk.screen().contains("Import this?"), "{}", desk.screen());
    desk.tell(found(vec![])).effects.clear();
    desk.keys("Right Enter");
    assert!(!imports(&desk), "all of them were never asked for: {:?}", desk.effects);
    assert!(desk.app.model.import_job(false).is_none());
}

fn kubelets_node() -> NodeFacts {
    let endpoint = Some("unix:///run/k3s/containerd/containerd.sock".into());
    NodeFacts { kubelet: Some(Kubelet { endpoint, ..Kubelet::default() }), ..node() }
}

/// A plan into what the kubelet of the node has proposed by itself.
fn into_the_kubelets_choice() -> Desk {
    let mut desk = entered();
    looked(&mut desk, kubelets_node());
    let all = [Outcome::Added, Outcome::Added, Outcome::Added, Outcome::Added];
    plans(&mut desk, &done(report(true, vec![outcomes("k3s", all, 0)])));
    desk.wait(10);
    desk
}

#[test]
fn an_undo_that_did_not_come_to_its_end_leaves_no_import_that_counts_as_whole() {
    let failed = || Ended::Failed(Failure::new(Kind::Import, "the runtime does not answer"));
    for (end, words) in [(Ended::Cancelled, "was stopped"), (failed(), "failed")] {
        let mut desk = into_a_runtime();
        desk.keys("u Right Enter").tell(Msg::Ended(JobId(70), end));
        if words == "failed" {
            desk.keys("Esc");
        }
        desk.wait(10);
        assert_eq!(desk.app.model.place, Place::Import);
        assert_eq!(desk.app.model.state(Place::Import), StepState::Warn);
        assert_eq!(desk.app.model.state(Place::Checked), StepState::Stale);
        assert!(!desk.screen().contains("every image is where"), "{}", desk.screen());
        let screen = desk.keys("4").screen();
        let whole = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = format!("undoing the import {words}: part of it may be gone");
        assert!(whole.contains(&words) && !whole.contains("verified and imported"), "{screen}");
        assert_eq!(desk.app.model.state(Place::Checked), StepState::Failed);
    }
}

#[test]
fn what_a_job_left_that_was_stopped_to_leave_is_said_on_the_terminal_given_back() {
    let mut desk = under_way();
    let left = ["registry:x: in it: a:1; not in it: b:1", "airlift undo 000017 takes back what was changed"];
    desk.tell(Msg::Interrupt).tell(Msg::Interrupt);
    assert_eq!(desk.app.farewell().len(), 2, "it has not ended: {:?}", desk.app.farewell());
    desk.tell(Msg::Left(JobId(50), left.map(str::to_owned).to_vec()));
    desk.tell(Msg::Ended(JobId(50), Ended::Cancelled));
    let said = desk.app.farewell();
    assert!(said[0].starts_with("stopped at a safe point: "), "{said:?}");
    assert_eq!(said[1..3], left, "in the words of the command");
    assert!(said[3].starts_with("this goes on from here: airlift import "), "{said:?}");
    // Who stops a job and stays has read that on the screen.
    let mut desk = under_way();
    desk.keys("x Right Enter").tell(Msg::Ended(JobId(50), Ended::Cancelled));
    desk.tell(Msg::Interrupt).tell(Msg::Interrupt);
    assert_eq!(desk.app.farewell(), Vec::<String>::new());
    let mut desk = under_way();
    desk.tell(Msg::Terminate);
    let failure = Failure::new(Kind::Space, "/srv/images is full").hint("oci:/x: in it: a:1; not in it: b:1");
    desk.tell(Msg::Ended(JobId(50), Ended::Failed(failure)));
    let said = desk.app.farewell();
    assert!(said[0].ends_with("/srv/images is full") && said[1].contains("not in it: b:1"), "{said:?}");
}

#[test]
fn a_safe_stop_reads_alike_in_every_place() {
    let mut desk = planned();
    desk.keys("Enter Right Enter");
    let mut view = JobView::default();
    let name = |at: usize| NAMES[at].to_owned();
    let landed = |into: &str| Landed {
        target: target(into),
        there: (0..3).map(name).collect(),
        added: (1..3).map(name).collect(),
        missing: vec![name(3)],
        reason: None,
    };
    for into in [REGISTRY, LAYOUT] {
        view.apply(&Event::Landed(landed(into)), Duration::ZERO);
    }
    desk.tell(Msg::Job(JobId(80), Arc::new(view))).tell(Msg::Ended(JobId(80), Ended::Cancelled));
    let screen = desk.wait(10).screen();
    for (at, state) in [(0, "+ there"), (1, "+ added"), (2, "+ added")] {
        let row = screen.lines().find(|line| line.contains(NAMES[at])).unwrap_or_default();
        assert!(row.contains(state), "{}: {screen}", NAMES[at]);
    }
    let states = |desk: &Desk| [Place::Import, Place::Checked].map(|place| desk.app.model.state(place));
    assert_eq!(states(&desk), [StepState::Warn; 2]);
    let report = desk.keys("4").wait(10).screen();
    assert_eq!(states(&desk), [StepState::Warn; 2], "to read it changes nothing: {report}");
    assert!(report.contains("2 added, 1 there already, 1 NOT THERE"), "{report}");
    assert!(!report.contains("0 B written"), "it was not told what it wrote: {report}");
    // What did not arrive without being stopped is a failure, before the report is opened as after.
    let mut desk = ended(done(partly()));
    let before = states(&desk);
    desk.keys("4").wait(10);
    assert_eq!((before, before[1]), (states(&desk), StepState::Failed));
}

#[test]
fn an_import_into_one_target_is_no_good_standing_of_the_plan_for_another() {
    let mut desk = imported();
    let state = |desk: &Desk| desk.app.model.state(Place::Import);
    assert_eq!(state(&desk), StepState::Ok);
    let other = "oci:/srv/others";
    desk.keys("o").typed(other).keys("Enter");
    let all = || [Outcome::Skipped, Outcome::Skipped, Outcome::Skipped, Outcome::Skipped];
    let none = || [Outcome::Added, Outcome::Added, Outcome::Added, Outcome::Added];
    let known = || vec![outcomes(REGISTRY, all(), 0), outcomes(LAYOUT, all(), 0)];
    plans(&mut desk, &done(report(true, [known(), vec![outcomes(other, none(), 0)]].concat())));
    assert_eq!(state(&desk), StepState::Todo);
    desk.keys("D");
    plans(&mut desk, &done(report(true, known())));
    assert_eq!(state(&desk), StepState::Ok, "all that is chosen now is there");
}

#[test]
fn what_ctrl_c_said_stands_for_as_long_as_it_holds_whatever_else_is_said() {
    let mut desk = under_way();
    let offer = "Ctrl-C again within 6 s stops the job at a safe point and quits";
    desk.tell(Msg::Interrupt).wait(1);
    let failure = Failure::new(Kind::Other, "the host cannot be looked at");
    desk.tell(Msg::Found(Found::Failed(Query::Host, failure)));
    for _ in 0..5 {
        assert!(desk.screen().contains(offer), "{}", desk.screen());
        desk.wait(1);
    }
    assert!(desk.screen().contains("the host cannot be looked at"), "it is said then: {}", desk.screen());
    desk.tell(Msg::Interrupt);
    assert!(desk.screen().contains(offer), "it begins anew: {}", desk.screen());
}

#[test]
fn what_was_said_goes_with_what_it_was_about() {
    let mut desk = under_way();
    desk.tell(Msg::Interrupt);
    assert!(desk.screen().contains("Ctrl-C again within 6 s stops the job"), "{}", desk.screen());
    desk.tell(Msg::Ended(JobId(50), done(all_there())));
    assert!(!desk.screen().contains("Ctrl-C again within 6 s stops the job"), "{}", desk.screen());
    desk.tell(Msg::Interrupt);
    assert!(desk.screen().contains("press Ctrl-C again or q to quit"), "it begins anew: {}", desk.screen());
    desk.keys("d 3");
    assert!(desk.screen().contains("3 does nothing in this window"), "{}", desk.screen());
    assert!(!desk.keys("Esc").screen().contains("does nothing in this window"), "{}", desk.screen());
    let mut desk = under_way();
    desk.keys("p").wait(10);
    let screen = desk.screen();
    assert!(screen.contains("paused; p goes on") && !screen.contains("importing; l shows"), "{screen}");
}

#[test]
fn a_phase_that_a_failure_ended_is_not_called_well() {
    let mut desk = under_way();
    let mut view = JobView::default();
    let phase = Phase::Unpack;
    for event in [
        Event::Started { phase: Phase::Import, items: 4, bytes: 100_000_000 },
        Event::Bytes { phase: Phase::Import, done: 100_000_000 },
        Event::Finished { phase: Phase::Import },
        Event::Started { phase, items: 4, bytes: 105_000_000 },
        Event::Bytes { phase, done: 2_200_000 },
        Event::Finished { phase },
    ] {
        view.apply(&event, Duration::ZERO);
    }
    desk.tell(Msg::Job(JobId(50), Arc::new(view)));
    let failure = Failure::new(Kind::Import, "/run/c.sock went away");
    desk.tell(Msg::Ended(JobId(50), Ended::Failed(failure)));
    let screen = desk.screen();
    let row = |name: &str| screen.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row(" unpack").contains("x FAILED  at 2.2/105 MB"), "{screen}");
    assert!(row(" import").contains("+ ok  100 MB"), "{screen}");
}

#[test]
fn a_question_says_when_it_was_cancelled_and_which_keys_answer_it() {
    let mut desk = planned();
    desk.keys("Enter Up");
    assert!(desk.screen().contains(">[ Import ]"), "{}", desk.screen());
    desk.keys("Up z");
    let screen = desk.screen();
    assert!(screen.contains("z does nothing in this window; Right goes to the next button"), "{screen}");
    desk.keys("Enter");
    let screen = desk.screen();
    assert!(!screen.contains("Import this?") && screen.contains("cancelled; nothing was done"), "{screen}");
    assert!(desk.app.model.running().is_none());
}

#[test]
fn what_is_done_about_the_storage_conf_is_chosen_and_said_with_the_plan() {
    let mut desk = entered();
    looked(&mut desk, node());
    let store = "containers-storage:/var/images";
    desk.keys("o").typed(store).keys("Enter");
    looked(&mut desk, node());
    let plan = || {
        let all = || [Outcome::Added, Outcome::Added, Outcome::Added, Outcome::Added];
        let text = r#"{"path":"/etc/containers/storage.conf","diff":["+b"],"before":"a\n","after":"a\nb\n"}"#;
        let files = vec![serde_json::from_str(text).unwrap()];
        done(report(true, vec![TargetReport { files, ..outcomes(store, all(), 0) }]))
    };
    plans(&mut desk, &plan());
    let screen = desk.wait(10).screen();
    assert!(screen.contains("/etc/containers/storage.conf will be changed: d shows how"), "{screen}");
    assert_eq!(job(&desk).import.node.storage_conf.name(), "edit");
    for mode in ["print", "none", "edit"] {
        desk.keys("e End Enter Esc");
        assert_eq!(job(&desk).import.node.storage_conf.name(), mode);
        plans(&mut desk, &plan());
    }
    desk.keys("e End Enter Esc");
    plans(&mut desk, &plan());
    let screen = desk.wait(10).screen();
    assert!(screen.contains("/etc/containers/storage.conf stays as it is: d shows"), "{screen}");
    // Where no store is among the targets, nothing is said of it.
    desk.keys("t Space Enter o").typed(LAYOUT).keys("Enter");
    looked(&mut desk, node());
    assert_eq!(job(&desk).import.node.storage_conf.name(), "edit");
}

#[test]
fn what_there_is_no_room_for_is_left_out_by_whole_sentences() {
    let sentence = |number: usize, words: usize| format!("{number} {}ENDS.", "word ".repeat(words));
    for words in 12..24 {
        let mut desk = aimed();
        let mut failure = Failure::new(Kind::Network, sentence(0, words));
        failure.hints = (1..6).map(|number| sentence(number, words * number / 2)).collect();
        plans(&mut desk, &Ended::Failed(failure));
        let screen = desk.wait(10).screen();
        let lines: Vec<&str> = screen.lines().collect();
        let cut = lines.iter().position(|line| line.contains(" more line")).unwrap();
        assert!(lines[cut - 1].ends_with("ENDS."), "{words}: {screen}");
    }
}

#[test]
fn an_import_that_was_undone_is_not_told_as_imported_on_leaving_nor_in_its_report() {
    let mut desk = into_a_runtime();
    let said = desk.app.parting().join("\n");
    assert!(said.contains("imported") && !said.contains("undone"), "{said}");
    desk.keys("u Right Enter").effects.clear();
    take_back(&mut desk);
    let said = desk.app.parting().join("\n");
    assert!(said.contains("! WARN  verified; its import of 2026-11-20 08:15Z was undone"), "{said}");
    assert_eq!(said.matches(".txt").count(), 1, "{said}");
    let kept = desk.effects.iter().find_map(|effect| match effect {
        Effect::Save(file, text) => Some((file.display().to_string(), text)),
        _ => None,
    });
    let (file, text) = kept.unwrap();
    assert!(file.ends_with("-imported.txt"), "{file}");
    assert!(
        text.contains("was undone") && text.contains("removed: docker.io/library/nginx:1.25.3"),
        "{text}"
    );
    assert!(!text.contains(": added"), "{text}");
    assert!(desk.keys("Esc 4").screen().contains("was undone"), "{}", desk.screen());
}
