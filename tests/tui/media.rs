//! The Media step: media that come and go, why some cannot be chosen, directories, mounting, the test, and a medium that vanishes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use airlift::actions::Act;
use airlift::domain::media::{Blocked, BundleWords, Bus, FileSystem, FoundBundle, Medium, Volume};
use airlift::domain::probe::ProbePlan;
use airlift::domain::progress::{Event, Phase};
use airlift::domain::view::JobView;
use airlift::engine::bundle::readback::Method;
use airlift::engine::error::Kind;
use airlift::engine::host::HostFacts;
use airlift::engine::media::check::{Found as Checked, Spoilt};
use airlift::engine::media::{CheckReport, MediaReport, MountReport, Mounted, Place as Lies};
use airlift::engine::spec::{JobReport, JobSpec};
use airlift::failure::Failure;
use airlift::tui::medium::Chosen;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg, Query};
use airlift::tui::resume::{Cuts, Left};
use airlift::widgets::stepper::StepState;

use crate::rig::{Desk, host, text};
use crate::start::{cut, pack};

fn volume(device: &str, point: Option<&str>) -> Volume {
    let file_system = Some(FileSystem::Fat);
    let mut volume = Volume {
        device: device.into(),
        size: 30_900_000_000,
        limits: file_system.as_ref().and_then(FileSystem::limits),
        file_system,
        label: Some("CARGO".to_owned()),
        uuid: None,
        mount_points: point.map(PathBuf::from).into_iter().collect(),
        read_only: false,
        after_error: false,
        writable: point.map(|_| true),
        free: point.map(|_| 29_000_000_000),
        bundles: Vec::new(),
        begun: BTreeMap::new(),
        blocked: None,
    };
    volume.blocked = volume.blocked_for(0);
    volume
}

/// A stick, as its `insertion`th one.
pub(crate) fn stick(insertion: u64, point: Option<&str>) -> Medium {
    Medium {
        name: "sdb".to_owned(),
        device: "/dev/sdb".into(),
        model: Some("Kingston DataTraveler".to_owned()),
        serial: Some("AA00000000007F2A".to_owned()),
        bus: Bus::Usb,
        removable: true,
        read_only: false,
        size: 31_000_000_000,
        sequence: Some(insertion),
        file: None,
        volumes: vec![volume("/dev/sdb1", point)],
        blocked: None,
        notes: Vec::new(),
    }
}

pub(crate) fn system_disk() -> Medium {
    let holds = vec!["/".to_owned(), "/boot".to_owned()];
    Medium {
        name: "nvme0n1".to_owned(),
        device: "/dev/nvme0n1".into(),
        model: Some("Samsung 980".to_owned()),
        serial: Some("S64DNX0R".to_owned()),
        bus: Bus::Nvme,
        removable: false,
        size: 500_000_000_000,
        volumes: vec![Volume {
            file_system: Some(FileSystem::Ext),
            label: None,
            ..volume("/dev/nvme0n1p2", Some("/"))
        }],
        blocked: Some(Blocked::System { holds }),
        ..stick(1, None)
    }
}

fn read_only() -> Medium {
    let mut volume = Volume { read_only: true, label: None, ..volume("/dev/sdc1", Some("/media/op/OLD")) };
    volume.blocked = volume.blocked_for(0);
    Medium { name: "sdc".to_owned(), device: "/dev/sdc".into(), volumes: vec![volume], ..stick(3, None) }
}

pub(crate) fn carrying() -> Medium {
    let words = BundleWords {
        id: "01932f6a-7c00-7000-8000-000000000000".parse().unwrap(),
        document: crate::made::digest(0x41),
        name: "site".to_owned(),
        serial: 41,
        created: crate::rig::now(),
        expires: None,
        images: 38,
        bytes: 61_200_000_000,
        signatures: 1,
        complete: true,
        signers: Vec::new(),
        version: String::new(),
        program: false,
        named: BTreeMap::new(),
    };
    let bundle = FoundBundle {
        path: "/media/op/CARGO/site-41".into(),
        verified: false,
        words: Some(words),
        fault: None,
    };
    let mut stick = stick(7, Some("/media/op/CARGO"));
    stick.volumes[0].bundles = vec![bundle];
    stick
}

pub(crate) fn seen(desk: &mut Desk, media: Vec<Medium>) {
    desk.tell(Msg::Found(Found::Media(Arc::new(MediaReport { media }))));
}

fn desk(media: Vec<Medium>) -> Desk {
    let mut desk = Desk::new();
    desk.keys("b 3");
    seen(&mut desk, media);
    desk.wait(10).effects.clear();
    desk
}

/// The list is verified: 180 MB are to be carried.
pub(crate) fn verified(media: Vec<Medium>) -> Desk {
    let mut desk = crate::resolve::all_well();
    desk.keys("3");
    seen(&mut desk, media);
    desk.wait(10).effects.clear();
    desk
}

/// The plan that Assemble began by itself is over.
fn planned(desk: &mut Desk) {
    desk.tell(Msg::Job(desk.job(), Arc::new(JobView::default())));
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled)).wait(10);
    desk.effects.clear();
}

fn job(desk: &mut Desk) -> JobSpec {
    let effects = std::mem::take(&mut desk.effects);
    let mut jobs = effects.into_iter().filter_map(|effect| match effect {
        Effect::Start(_, spec) => Some(*spec),
        _ => None,
    });
    let (Some(spec), None) = (jobs.next(), jobs.next()) else { panic!("not one job") };
    let mut view = JobView::default();
    view.apply(&Event::Started { phase: Phase::Probe, items: 0, bytes: 2000 }, std::time::Duration::ZERO);
    desk.tell(Msg::Job(desk.job(), Arc::new(view)));
    spec
}

fn ended(desk: &mut Desk, ended: Ended) {
    desk.tell(Msg::Ended(desk.job(), ended));
}

fn report(spoilt: Spoilt) -> CheckReport {
    let plan = ProbePlan::new(29_000_000_000, None, None).unwrap();
    let found = Checked {
        bytes: plan.bytes(),
        spread: plan.spread(),
        whole: true,
        method: Method::Direct,
        write_rate: 11_000_000,
        read_rate: 88_000_000,
        spoilt,
        first: None,
    };
    CheckReport {
        path: "/media/op/CARGO".into(),
        device: Some("/dev/sdb".into()),
        free: 29_000_000_000,
        plan,
        found: Some(found),
    }
}

pub(crate) fn lies(path: &str, medium: Option<Medium>) -> Box<Lies> {
    Box::new(Lies {
        path: path.into(),
        mount_point: "/".into(),
        source: "/dev/nvme0n1p2".into(),
        file_system: FileSystem::Ext,
        limits: None,
        read_only: false,
        after_error: false,
        writable: true,
        free: Some(200_000_000_000),
        bundles: Vec::new(),
        medium,
    })
}

#[test]
fn without_media_it_says_what_to_do_and_they_appear_by_themselves() {
    let mut desk = desk(vec![]);
    insta::assert_snapshot!(desk.picture());
    assert!(desk.keys("Enter").screen().contains("not now: there is no medium"));
    seen(&mut desk, vec![stick(7, Some("/media/op/CARGO"))]);
    assert!(desk.screen().contains(">  sdb1       Kingston"), "{}", desk.screen());
    seen(&mut desk, vec![]);
    assert!(desk.screen().contains("Plug one in: it appears automatically"));
    assert!(Desk::bare().keys("b 3").screen().contains("Looking for media"));
}

/// One to choose and two that cannot be chosen.
pub(crate) fn three() -> Desk {
    verified(vec![carrying(), read_only(), system_disk()])
}

#[test]
fn media_are_listed_with_why_some_cannot_be_chosen() {
    let mut desk = three();
    insta::assert_snapshot!(desk.picture());
    assert!(desk.keys("Down Enter").screen().contains("not now: mounted read-only"));
    assert!(desk.keys("Down Enter").screen().contains("not now: system disk: holds /, /boot"));
    assert!(desk.keys("m").screen().contains("not now: system disk"));
    assert!(desk.keys("t").screen().contains("not now: system disk"));
    assert!(desk.effects.iter().all(|effect| matches!(effect, Effect::Redraw)), "{:?}", desk.effects);
}

#[test]
fn a_chosen_medium_is_in_the_header_and_leads_on() {
    let mut desk = verified(vec![carrying(), system_disk()]);
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Assemble);
    assert_eq!(desk.app.model.state(Place::Media), StepState::Ok);
    let to = desk.app.model.assembly.to.clone().unwrap();
    assert_eq!(to.to.to_str(), Some("/media/op/CARGO"));
    assert!(desk.screen().lines().next().unwrap().contains("Kingston DataTraveler ..7F2A"));
    planned(&mut desk);
    desk.keys("3").wait(10);
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn the_media_are_read_again_whenever_one_comes_here() {
    let mut desk = verified(vec![carrying()]);
    for keys in ["Esc", "3"] {
        desk.effects.clear();
        desk.keys(keys);
    }
    assert_eq!(desk.app.model.place, Place::Media);
    let asks = |effect: &Effect| matches!(effect, Effect::Ask(Query::Media));
    assert!(desk.effects.iter().any(asks), "{:?}", desk.effects);
}

#[test]
fn an_answer_that_comes_late_brings_what_is_free_and_leaves_cursor_filter_and_choice_as_they_are() {
    let media = |free: u64| {
        let mut stick = stick(7, Some("/media/op/CARGO"));
        stick.volumes[0].free = Some(free);
        vec![other("sda"), stick, other("sdc")]
    };
    let mut desk = verified(media(29_000_000_000));
    desk.keys("Down Enter 3 / s d").wait(10);
    assert!(row(&mut desk).contains("29.0 GB"), "{}", desk.screen());
    let mut late = media(3_000_000_000);
    late.reverse();
    seen(&mut desk, late);
    let screen = desk.keys("b").screen();
    let row = row(&mut desk);
    assert!(row.contains("sdb1") && row.contains("3.0 GB"), "{screen}");
    assert!(screen.contains("sdb"), "the filter is typed on: {screen}");
    assert_eq!(desk.app.model.chosen.as_ref().unwrap().device.to_str(), Some("/dev/sdb1"));
}

#[test]
fn what_is_free_is_asked_for_of_the_row_one_comes_to_and_told_of_no_other_insertion() {
    let media = || vec![other("sda"), stick(7, Some("/media/op/CARGO")), system_disk(), stick_unmounted()];
    let mut desk = verified(media());
    let asked = |desk: &mut Desk| {
        let rooms = desk.effects.drain(..).filter_map(|effect| match effect {
            Effect::Ask(Query::Room(of)) => Some(of),
            _ => None,
        });
        rooms.collect::<Vec<_>>()
    };
    let stick = |insertion| {
        let medium = stick(insertion, Some("/media/op/CARGO"));
        Mounted::of(&medium, &medium.volumes[0]).unwrap()
    };
    desk.keys("Down");
    assert_eq!(asked(&mut desk), [stick(7)]);
    desk.wait(10).keys("x");
    assert_eq!(asked(&mut desk), [], "a key that moves nothing asks nothing");
    desk.tell(Msg::Found(Found::Room(stick(7), Some(2_000_000_000))));
    assert!(row(&mut desk).contains("2.0 GB"), "{}", desk.screen());
    for untold in [Found::Room(stick(7), None), Found::Room(stick(6), Some(1_000_000_000))] {
        desk.tell(Msg::Found(untold));
        assert!(row(&mut desk).contains("2.0 GB"), "{}", desk.screen());
    }
    desk.keys("Down");
    assert_eq!(asked(&mut desk), [], "nothing is mounted there");
}

/// Another one, that nothing was mounted of.
fn stick_unmounted() -> Medium {
    let volumes = vec![volume("/dev/sdd1", None)];
    Medium { name: "sdd".to_owned(), device: "/dev/sdd".into(), volumes, ..stick(4, None) }
}

#[test]
fn this_program_is_counted_where_it_travels_along() {
    let mut tight = stick(7, Some("/media/op/CARGO"));
    tight.volumes[0].free = Some(200_000_000);
    let mut desk = verified(vec![tight]);
    assert!(row(&mut desk).contains("yes"), "{}", desk.screen());
    desk.tell(Msg::Found(Found::Host(Arc::new(HostFacts { program: 27_800_000, ..host() }))));
    assert!(row(&mut desk).ends_with("  no"), "{}", desk.screen());
    desk.app.model.assembly.tool = false;
    assert!(row(&mut desk).contains("yes"), "{}", desk.screen());
}

#[test]
fn what_does_not_fit_is_not_chosen() {
    let mut small = stick(7, Some("/media/op/CARGO"));
    small.volumes[0].free = Some(100_000_000);
    let mut desk = verified(vec![small]);
    let screen = desk.screen();
    assert!(
        row(&mut desk).ends_with("  no") && screen.contains("x fits: no: 90.1 MB more needed"),
        "{screen}"
    );
    assert!(desk.keys("Enter").screen().contains("not now: too small: 190 MB needed, 100 MB free"));
}

#[test]
fn what_cannot_be_written_to_is_not_said_to_be_too_small() {
    let mut protected = stick(7, Some("/media/op/CARGO"));
    (protected.volumes[0].free, protected.blocked) = (Some(100_000_000), Some(Blocked::WriteProtected));
    let mut mounted = stick(7, Some("/media/op/CARGO"));
    (mounted.volumes[0].free, mounted.volumes[0].read_only) = (Some(100_000_000), true);
    for (medium, why) in
        [(protected, "x write-protected: is there a switch?"), (mounted, "x mounted read-only")]
    {
        let screen = verified(vec![medium]).screen();
        assert!(screen.contains(&format!("\n   {why}\n")) && !screen.contains("x fits"), "{screen}");
    }
}

#[test]
fn what_lies_there_of_a_pack_that_ran_full_needs_no_room_again() {
    let mut small = stick(7, Some("/media/op/CARGO"));
    small.volumes[0].free = Some(100_000_000);
    let mut desk = verified(vec![small]);
    for (name, done, fits) in
        [("web", 150_000_000, "  no"), ("bundle", 50_000_000, "  no"), ("bundle", 150_000_000, "yes, 41 %")]
    {
        let mut left = cut(pack());
        let JobSpec::Pack(job) = &mut left.job.spec else { panic!() };
        (job.to, job.name) = ("/media/op/CARGO".into(), name.into());
        let Left::Unfinished(progress) = &mut left.left else { panic!() };
        let blob = format!("{}.tmp", crate::resolve::digest('a').layout_path());
        progress.files = Arc::new([(blob, done)].into());
        let cuts = Cuts { packs: vec![left], ..Cuts::default() };
        desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
        assert!(row(&mut desk).ends_with(fits), "{name} {done}: {}", desk.screen());
    }
}

#[test]
fn where_there_is_little_room_what_a_medium_holds_is_told_and_what_limits_its_files() {
    let mut desk = verified(vec![carrying()]);
    let screen = crate::rig::text(&desk.frame(60, 16));
    let [holds, limits] = ["holds 1 bundle (listed, not verified): site-41", "FAT: blobs of 4 GiB and more"]
        .map(|words| screen.find(words));
    assert!(holds.is_some() && holds < limits, "{screen}");
    // Rows that need the room have it: what lies there comes first then.
    let mut desk = verified((0..6).map(|_| carrying()).collect());
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.contains("holds 1 bundle") && !screen.contains("FAT: blobs"), "{screen}");
}

#[test]
fn a_chosen_medium_that_vanishes_makes_later_steps_stale_and_says_so() {
    let mut desk = verified(vec![carrying()]);
    desk.keys("Enter");
    desk.app.model.set_state(Place::Assemble, StepState::Ok);
    seen(&mut desk, vec![]);
    assert!(desk.screen().contains("Kingston DataTraveler ..7F2A is gone"), "{}", desk.screen());
    assert_eq!(desk.app.model.state(Place::Media), StepState::Failed);
    assert_eq!(desk.app.model.state(Place::Assemble), StepState::Stale);
    assert!(desk.app.model.not_ready().unwrap().contains("is gone"));
    planned(&mut desk);
    desk.keys("3").wait(10);
    insta::assert_snapshot!(desk.picture());
    // The same stick, plugged in again, is not known to be what it was.
    seen(&mut desk, vec![stick(8, Some("/media/op/CARGO"))]);
    assert!(
        desk.app
            .model
            .not_ready()
            .unwrap()
            .contains("was out, and is back: 3 chooses it again, or another one")
    );
    assert!(desk.screen().contains("..7F2A was out, and is back: Enter chooses it again"));
    desk.keys("Enter");
    assert_eq!(desk.app.model.state(Place::Media), StepState::Ok);
    assert!(desk.app.model.not_ready().is_none_or(|reason| !reason.contains("gone")));
}

#[test]
fn a_chosen_medium_that_is_mounted_read_only_meanwhile_is_not_said_to_have_been_out() {
    let mut desk = verified(vec![carrying()]);
    desk.keys("Enter");
    planned(&mut desk);
    desk.keys("3").wait(10);
    let mut medium = carrying();
    medium.volumes[0].read_only = true;
    medium.volumes[0].blocked = medium.volumes[0].blocked_for(0);
    seen(&mut desk, vec![medium]);
    let screen = desk.wait(10).screen();
    let name = "Kingston DataTraveler ..7F2A";
    let words =
        format!("x {name} is mounted read-only now: remount it writable, unless dmesg tells of an error");
    let said = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(&words) && !said.contains("was out"), "{screen}");
    assert_eq!(desk.app.model.state(Place::Media), StepState::Failed);
    // After an error, to remount it is no help.
    let mut stopped = carrying();
    (stopped.volumes[0].read_only, stopped.volumes[0].after_error) = (true, true);
    stopped.volumes[0].blocked = stopped.volumes[0].blocked_for(0);
    seen(&mut desk, vec![stopped]);
    let screen = desk.wait(10).screen();
    let words = format!("x {name} is read-only after an error: dmesg says");
    assert!(screen.contains(&words) && screen.contains("x read-only after an error"), "{screen}");
    assert!(desk.keys("Enter").screen().contains("not now: read-only after an error"), "{}", desk.screen());
    // Writable again, it is chosen again.
    seen(&mut desk, vec![carrying()]);
    desk.wait(10).keys("Enter");
    assert_eq!(desk.app.model.state(Place::Media), StepState::Ok);
}

#[test]
fn an_unmounted_medium_is_mounted_and_what_cannot_be_done_names_the_command() {
    let mut desk = desk(vec![stick(7, None)]);
    assert!(desk.screen().contains("x not mounted"), "{}", desk.screen());
    assert!(desk.keys("Enter").screen().contains("not now: not mounted: m mounts it"));
    desk.effects.clear();
    desk.keys("m");
    let JobSpec::MediaMount(spec) = job(&mut desk) else { panic!() };
    assert_eq!((spec.device.to_str(), spec.unmount), (Some("/dev/sdb1"), false));
    let failure = Failure::new(Kind::Medium, "cannot mount /dev/sdb1: udisks2 does not run here")
        .hint("as root: mount /dev/sdb1 /mnt");
    ended(&mut desk, Ended::Failed(failure));
    assert!(desk.screen().contains("next: as root: mount /dev/sdb1 /mnt"), "{}", desk.screen());
    // What was just refused is no way out of it.
    let screen = desk.keys("Esc Enter").screen();
    assert!(screen.contains("not now: not mounted; as root: mount /dev/sdb1 /mnt"), "{screen}");
    desk.keys("m");
    job(&mut desk);
    let mounted = MountReport { device: "/dev/sdb1".into(), mount_point: Some("/run/media/op/CARGO".into()) };
    ended(&mut desk, Ended::Succeeded(Arc::new(JobReport::MediaMount(mounted))));
    assert!(desk.screen().contains("/dev/sdb1 is mounted at /run/media/op/CARGO"));
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::Media))));
    seen(&mut desk, vec![stick(7, Some("/run/media/op/CARGO"))]);
    desk.effects.clear();
    desk.keys("m");
    assert!(desk.screen().contains("Unmount this medium?"), "{}", desk.screen());
    desk.keys("Enter");
    let starts = |effect: &Effect| matches!(effect, Effect::Start(..));
    assert!(!desk.effects.iter().any(starts), "Cancel is where one stands");
    desk.keys("m Right Enter");
    let JobSpec::MediaMount(spec) = job(&mut desk) else { panic!() };
    assert!(spec.unmount);
    assert_eq!(spec.only.as_deref(), Some("device=AA00000000007F2A:31000000000"), "that one, or none");
}

#[test]
fn a_stick_that_was_put_in_the_place_of_the_one_that_was_asked_about_stays_mounted() {
    let there = |insertion| stick(insertion, Some("/media/op/CARGO"));
    for now in [vec![there(8)], vec![]] {
        let mut desk = desk(vec![there(7)]);
        assert!(desk.keys("m").screen().contains("Unmount this medium?"), "{}", desk.screen());
        seen(&mut desk, now);
        desk.effects.clear();
        desk.keys("Right Enter");
        assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{:?}", desk.effects);
        let screen = desk.screen();
        assert!(screen.contains("is gone from /dev/sdb1; nothing was unmounted"), "{screen}");
    }
}

#[test]
fn a_test_is_asked_about_with_its_plan_and_its_result_stays_on_the_row() {
    let mut desk = verified(vec![carrying()]);
    desk.keys("t");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    assert!(desk.effects.iter().all(|effect| matches!(effect, Effect::Redraw)), "Enter alone starts nothing");
    desk.keys("t Right Enter");
    let JobSpec::MediaCheck(spec) = job(&mut desk) else { panic!() };
    assert_eq!((spec.path.to_str(), spec.dry_run), (Some("/media/op/CARGO"), false));
    assert_eq!(desk.app.model.state(Place::Media), StepState::Running);
    assert!(desk.screen().contains("media check /media/op/CARGO: probe: 0 %"), "{}", desk.screen());
    ended(&mut desk, Ended::Succeeded(Arc::new(JobReport::MediaCheck(report(Spoilt::default())))));
    desk.keys("Esc").wait(10);
    assert!(desk.screen().contains("+ tested: "), "{}", desk.screen());
    desk.keys("Enter");
    let rates = |desk: &Desk| desk.app.model.tested().map(|tested| (tested.write, tested.read));
    assert_eq!(rates(&desk), Some((11_000_000, 88_000_000)), "what the first pack's time is told by");
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled)).keys("3").wait(10);
    seen(&mut desk, vec![stick(8, Some("/media/op/CARGO"))]);
    assert!(!desk.screen().contains("tested: "), "another insertion was not tested");
    desk.keys("Enter Enter");
    assert_eq!(rates(&desk), None, "nor are its rates");
}

#[test]
fn a_test_runs_on_the_stick_that_was_asked_about_or_on_none() {
    let other = || {
        let volumes = vec![volume("/dev/sda1", Some("/media/op/OTHER"))];
        Medium { name: "sda".to_owned(), device: "/dev/sda".into(), volumes, ..stick(2, None) }
    };
    let asked = |point| stick(7, Some(point));
    let mut desk = verified(vec![asked("/media/op/CARGO")]);
    desk.keys("t");
    seen(&mut desk, vec![other(), asked("/media/op/CARGO")]);
    desk.effects.clear();
    desk.keys("Right Enter");
    let JobSpec::MediaCheck(spec) = job(&mut desk) else { panic!() };
    assert_eq!(spec.path.to_str(), Some("/media/op/CARGO"));
    let elsewhere = asked("/media/op/ELSEWHERE");
    for now in [vec![other()], vec![stick(8, Some("/media/op/CARGO"))], vec![elsewhere], vec![]] {
        let mut desk = verified(vec![asked("/media/op/CARGO")]);
        desk.keys("t");
        seen(&mut desk, now);
        desk.effects.clear();
        desk.keys("Right Enter");
        assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{:?}", desk.effects);
        let screen = desk.screen();
        assert!(screen.contains("is gone from /media/op/CARGO; nothing was tested"), "{screen}");
    }
}

#[test]
fn a_fake_is_called_one() {
    let mut desk = verified(vec![carrying()]);
    desk.keys("t Right Enter");
    job(&mut desk);
    let spoilt = Spoilt { lost: 3, damaged: 0, another: 412 };
    ended(&mut desk, Ended::Succeeded(Arc::new(JobReport::MediaCheck(report(spoilt)))));
    insta::assert_snapshot!(desk.picture());
}

/// A directory was typed that lies on a read-only medium.
pub(crate) fn refused() -> Desk {
    let mut desk = verified(vec![]);
    desk.keys("o").typed("/srv/ro");
    let entries = vec![airlift::dialogs::path::Entry { name: "ro".into(), directory: true }];
    desk.tell(Msg::Found(Found::Entries("/srv/".into(), Ok(entries))));
    desk.keys("Enter");
    let refused = Box::new(Lies { read_only: true, ..*lies("/srv/ro", None) });
    desk.tell(Msg::Found(Found::Place("/srv/ro".into(), refused)));
    desk
}

#[test]
fn a_directory_on_a_stick_that_is_too_small_fails_the_step() {
    let mut small = stick(7, Some("/media/op/CARGO"));
    small.volumes[0].free = Some(1_000_000);
    let mut desk = verified(vec![small.clone()]);
    desk.keys("o").typed("/media/op/CARGO/x");
    let entries = vec![airlift::dialogs::path::Entry { name: "x".into(), directory: true }];
    desk.tell(Msg::Found(Found::Entries("/media/op/CARGO/".into(), Ok(entries)))).keys("Enter");
    let place = Lies {
        mount_point: "/media/op/CARGO".into(),
        source: "/dev/sdb1".into(),
        free: Some(1_000_000),
        ..*lies("/media/op/CARGO/x", Some(small.clone()))
    };
    desk.tell(Msg::Found(Found::Place("/media/op/CARGO/x".into(), Box::new(place))));
    let screen = desk.keys("Right Enter 3").screen();
    assert!(screen.contains("[3 Media FAILED]") && screen.contains("fits: no: "), "{screen}");
    small.volumes[0].free = Some(29_000_000_000);
    seen(&mut desk, vec![small]);
    let screen = desk.screen();
    assert!(screen.contains("[3 Media ok]") && screen.contains("fits: yes"), "{screen}");
}

/// What this host signed under these names, up to that serial.
fn signed(names: &[&str], serial: u64) -> Arc<airlift::engine::state::History> {
    let directory = tempfile::tempdir().unwrap();
    let files = Arc::new(airlift::engine::files::RealFiles);
    let signed: std::collections::BTreeMap<&str, u64> = names.iter().map(|name| (*name, serial)).collect();
    let document =
        serde_json::json!({"format": "airlift-state/1", "lastSeen": null, "signed": signed, "accepted": []});
    std::fs::write(directory.path().join("state.json"), document.to_string()).unwrap();
    let state = airlift::engine::state::State::new(files, directory.path().to_owned());
    Arc::new(state.read())
}

#[test]
fn the_series_of_a_medium_that_was_signed_here_goes_on_and_a_name_that_was_given_stays() {
    let last = |name: Option<&str>, signed| Msg::Found(Found::Series(name.map(str::to_owned), signed));
    let named = |desk: &Desk| desk.app.model.assembly.name.clone();
    let desk = |series: Msg| {
        let mut desk = verified(vec![carrying()]);
        desk.tell(series);
        desk.keys("Enter");
        desk
    };
    let mut own = desk(last(None, signed(&["site", "other"], 41)));
    let words = "site, the only series on Kingston DataTraveler ..7F2A that this";
    assert!(own.screen().contains(words), "{}", own.screen());
    assert_eq!(named(&own), "site");
    // Nothing is kept that nobody gave or packed under.
    let name = |effect: &Effect| matches!(effect, Effect::Save(path, _) if path.ends_with("work/name"));
    assert!(!own.effects.iter().any(name), "{:?}", own.effects);
    for others in [signed(&[], 0), signed(&["site"], 40)] {
        assert_eq!(named(&desk(last(None, others))), "bundle", "a series of somebody else");
    }
    let mut kept = desk(last(Some("web"), signed(&["site"], 41)));
    assert!(kept.screen().contains("web, the name that this list had the last time"), "{}", kept.screen());
    assert_eq!(named(&kept), "web");
    planned(&mut kept);
    kept.keys("e Enter Ctrl-U").typed("edge").keys("Enter");
    let saved = |effect: &Effect| matches!(effect, Effect::Save(path, text) if path.ends_with("work/name") && text == "edge\n");
    assert!(kept.effects.iter().any(saved), "{:?}", kept.effects);
    kept.keys("3 Enter");
    assert_eq!(named(&kept), "edge");
}

#[test]
fn any_directory_is_looked_at_before_it_is_taken() {
    let mut desk = verified(vec![]);
    desk.keys("o").typed("/srv/out");
    let entries = vec![airlift::dialogs::path::Entry { name: "out".into(), directory: true }];
    desk.tell(Msg::Found(Found::Entries("/srv/".into(), Ok(entries))));
    desk.keys("Enter");
    let asked = |effect: &Effect| matches!(effect, Effect::Ask(Query::Place(path)) if path.to_str() == Some("/srv/out"));
    assert!(desk.effects.iter().any(asked), "{:?}", desk.effects);
    assert!(desk.screen().contains("looking at /srv/out"), "{}", desk.screen());
    desk.tell(Msg::Found(Found::Place("/srv/out".into(), lies("/srv/out", Some(system_disk())))));
    insta::assert_snapshot!(desk.picture());
    desk.keys("Right Enter");
    assert_eq!(desk.app.model.assembly.to.as_ref().unwrap().words, "out");
    assert_eq!(desk.app.model.state(Place::Media), StepState::Warn, "cannot be removed");
    let mut desk = refused();
    assert!(desk.screen().contains("x mounted read-only"), "{}", desk.screen());
}

#[test]
fn a_directory_that_is_not_there_is_made_when_it_is_taken_and_not_before() {
    let mut desk = verified(vec![]);
    desk.keys("o");
    assert!(desk.screen().contains("/home/op/"), "it begins where the workstation was started");
    desk.typed("/srv/new").tell(Msg::Found(Found::Entries("/srv/".into(), Ok(vec![]))));
    let screen = desk.screen();
    assert!(screen.contains("there is no such directory: it will be created"), "{screen}");
    let none = Err(airlift::dialogs::path::Unlisted::NotThere);
    let screen = desk.typed("/").tell(Msg::Found(Found::Entries("/srv/new/".into(), none))).screen();
    assert!(screen.contains(" there is no such directory yet") && !screen.contains("x "), "{screen}");
    desk.keys("Backspace").tell(Msg::Found(Found::Entries("/srv/".into(), Ok(vec![]))));
    desk.keys("Enter").tell(Msg::Found(Found::Entry("/srv/new".into(), Ok(None))));
    desk.tell(Msg::Found(Found::Place("/srv/new".into(), lies("/srv", Some(system_disk())))));
    let screen = desk.screen();
    assert!(screen.contains("/srv/new is not there: it will be created"), "{screen}");
    let made = |effect: &Effect| matches!(effect, Effect::Make(path) if path.to_str() == Some("/srv/new"));
    assert!(!desk.effects.iter().any(made), "before the answer");
    desk.keys("Right Enter");
    assert!(desk.effects.iter().any(made), "{:?}", desk.effects);
    assert!(desk.app.model.assembly.to.is_none(), "before it is there");
    desk.tell(Msg::Found(Found::Place("/srv/new".into(), lies("/srv/new", Some(system_disk())))));
    assert_eq!(desk.app.model.assembly.to.as_ref().unwrap().words, "new");
    assert_eq!(desk.app.model.place, Place::Assemble);
    // The next time the last one is offered.
    assert!(desk.keys("3 o").screen().contains("/srv/new"), "{}", desk.screen());
}

#[test]
fn a_directory_in_one_that_is_not_there_is_refused_each_time_and_taken_once_it_is_there() {
    let mut desk = verified(vec![]);
    let type_it = |desk: &mut Desk| {
        let none = Err(airlift::dialogs::path::Unlisted::NotThere);
        desk.keys("o").typed("/srv/a/b").tell(Msg::Found(Found::Entries("/srv/a/".into(), none)));
        desk.effects.clear();
        desk.keys("Enter");
        let asked = |effect: &Effect| matches!(effect, Effect::Ask(Query::Place(path)) if path.to_str() == Some("/srv/a/b"));
        assert!(desk.effects.iter().any(asked), "{:?}", desk.effects);
    };
    for _ in 0..2 {
        type_it(&mut desk);
        desk.tell(Msg::Found(Found::Place("/srv/a/b".into(), lies("/srv", Some(system_disk())))));
        let screen = desk.screen();
        let words = "x /srv/a is not there: make it first, or name a directory in /srv";
        assert!(screen.contains(words), "{screen}");
        desk.keys("Esc");
        assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Make(_))), "{:?}", desk.effects);
        assert!(desk.app.model.assembly.to.is_none());
    }
    type_it(&mut desk);
    desk.tell(Msg::Found(Found::Place("/srv/a/b".into(), lies("/srv/a/b", Some(system_disk())))));
    assert!(!desk.screen().contains("it will be created"), "{}", desk.screen());
    desk.keys("Right Enter");
    assert_eq!(desk.app.model.assembly.to.as_ref().unwrap().words, "b");
}

#[test]
fn a_look_that_was_left_opens_nothing_when_another_one_answers() {
    let mut desk = verified(vec![]);
    desk.keys("o").typed("/srv/out").keys("Enter Esc");
    let left = |effect: &Effect| matches!(effect, Effect::Leave(Query::Place(_)));
    assert!(desk.effects.iter().any(left), "{:?}", desk.effects);
    for _ in 0..2 {
        let place = lies("/srv/out", Some(system_disk()));
        let screen = desk.tell(Msg::Found(Found::Place("/srv/out".into(), place))).screen();
        assert!(!screen.contains("Assemble in this directory?"), "{screen}");
    }
}

#[test]
fn what_was_chosen_is_named_on_the_start_screen() {
    let mut desk = verified(vec![]);
    desk.keys("o").typed("/srv/out").keys("Enter");
    desk.tell(Msg::Found(Found::Place("/srv/out".into(), lies("/srv/out", Some(system_disk())))));
    desk.keys("Right Enter 0").tell(Msg::Found(Found::Host(std::sync::Arc::new(crate::rig::host()))));
    let screen = desk.screen();
    assert!(screen.contains("destination  /srv/out") && !screen.contains("/srv/out, "), "{screen}");
    assert!(!screen.contains("use a directory"), "{screen}");
}

#[test]
fn the_cursor_stays_on_its_device_when_others_come() {
    let mut desk = desk(vec![stick(7, Some("/media/op/CARGO")), system_disk()]);
    desk.keys("Down");
    seen(&mut desk, vec![stick(7, Some("/media/op/CARGO")), read_only(), system_disk()]);
    let row = desk.screen().lines().find(|line| line.starts_with('>')).unwrap().to_owned();
    assert!(row.contains("nvme0n1p2"), "{row}");
}

#[test]
fn who_comes_back_has_the_cursor_on_what_was_chosen_and_enter_goes_on_with_it() {
    let sticks = || vec![other("sda"), stick(7, Some("/media/op/CARGO")), system_disk()];
    let mut desk = verified(sticks());
    desk.keys("Down Enter");
    planned(&mut desk);
    assert!(row(desk.keys("2 3")).contains("sdb1"));
    desk.keys("o").typed("/srv/out").keys("Enter");
    let mut here = lies("/srv/out", Some(system_disk()));
    here.source = "/dev/nvme0n1p2".into();
    desk.tell(Msg::Found(Found::Place("/srv/out".into(), here))).keys("Right Enter");
    planned(&mut desk);
    assert!(row(desk.keys("2 3")).contains("nvme0n1p2"));
    let screen = desk.keys("Enter").screen();
    assert!(screen.contains("/srv/out stays; o takes another directory"), "{screen}");
    let chosen = desk.app.model.chosen.as_ref().unwrap();
    assert_eq!((chosen.path.to_str(), desk.app.model.place), (Some("/srv/out"), Place::Assemble));
}

/// A stick in another slot.
fn other(name: &str) -> Medium {
    let volumes = vec![volume(&format!("/dev/{name}1"), Some(&format!("/media/op/{name}")))];
    Medium { name: name.to_owned(), device: format!("/dev/{name}").into(), volumes, ..stick(2, None) }
}

fn row(desk: &mut Desk) -> String {
    desk.screen().lines().find(|line| line.starts_with('>')).unwrap().to_owned()
}

#[test]
fn the_cursor_stays_on_its_device_when_one_above_it_goes() {
    let mut desk = verified(vec![other("sda"), stick(7, Some("/media/op/CARGO")), other("sdc")]);
    desk.keys("Down");
    assert!(row(&mut desk).contains("sdb1"));
    seen(&mut desk, vec![stick(7, Some("/media/op/CARGO")), other("sdc")]);
    assert!(row(&mut desk).contains("sdb1"));
    desk.keys("Enter");
    assert_eq!(desk.app.model.chosen.as_ref().unwrap().device.to_str(), Some("/dev/sdb1"));
}

#[test]
fn what_came_under_the_cursor_by_itself_is_not_chosen_by_the_key_for_what_went() {
    for (key, act) in [("Enter", Act::MediaChoose), ("m", Act::MediaMount), ("t", Act::MediaCheck)] {
        let mut desk = verified(vec![other("sda"), stick(7, Some("/media/op/CARGO")), other("sdc")]);
        desk.keys("Down");
        seen(&mut desk, vec![other("sda"), other("sdc")]);
        let screen = desk.screen();
        assert!(screen.contains("! /dev/sdb1 went; this is another one now"), "{screen}");
        desk.effects.clear();
        let screen = desk.keys(key).screen();
        assert!(
            screen.contains("/dev/sdb1 went; this is another one now: the same key once more"),
            "{screen}"
        );
        assert!(desk.app.model.chosen.is_none() && desk.app.model.place == Place::Media, "{act:?}");
        let started = |effect: &Effect| matches!(effect, Effect::Start(..));
        assert!(!desk.effects.iter().any(started), "{:?}", desk.effects);
    }
    let mut desk = verified(vec![other("sda"), stick(7, Some("/media/op/CARGO")), other("sdc")]);
    desk.keys("Down");
    seen(&mut desk, vec![other("sda"), other("sdc")]);
    desk.keys("Enter Enter");
    assert_eq!(desk.app.model.chosen.as_ref().unwrap().device.to_str(), Some("/dev/sdc1"));
    // Who filters by its name means it.
    let mut desk = verified(vec![other("sda"), stick(7, Some("/media/op/CARGO")), other("sdc")]);
    desk.keys("Down");
    seen(&mut desk, vec![other("sda"), other("sdc")]);
    desk.keys("/").typed("sdc1").keys("Enter Enter");
    assert_eq!(desk.app.model.chosen.as_ref().unwrap().device.to_str(), Some("/dev/sdc1"));
    // A cursor that is moved is meant.
    let mut desk = verified(vec![other("sda"), stick(7, Some("/media/op/CARGO")), other("sdc")]);
    desk.keys("Down");
    seen(&mut desk, vec![other("sda"), other("sdc")]);
    desk.keys("Up Enter");
    assert_eq!(desk.app.model.chosen.as_ref().unwrap().device.to_str(), Some("/dev/sda1"));
}

#[test]
fn while_the_size_of_the_list_is_not_known_that_is_said_and_nothing_is_called_fitting() {
    let mut desk = desk(vec![stick(7, Some("/media/op/CARGO"))]);
    let screen = desk.screen();
    assert!(screen.contains("the size of the bundle is known after step 2"), "{screen}");
    assert!(row(&mut desk).contains("not known"), "{screen}");
    let screen = desk.keys("Enter").screen();
    assert!(screen.contains("it is; fits: not known before step 2"), "{screen}");
    let screen = desk.keys("3").wait(10).screen();
    assert!(screen.contains("chosen:") && screen.contains("fits: not known before step 2"), "{screen}");
    // What was verified is not what the list is now.
    let mut desk = verified(vec![stick(7, Some("/media/op/CARGO"))]);
    assert!(row(&mut desk).contains("yes, "), "{}", desk.screen());
    desk.keys("1").tell(Msg::Paste("busybox:1.36\n".into()));
    desk.keys("3").wait(10);
    assert!(row(&mut desk).contains("not known"), "{}", desk.screen());
}

#[test]
fn nothing_is_marked_or_retried_here_and_the_keys_say_so() {
    let mut desk = desk(vec![stick(7, Some("/media/op/CARGO"))]);
    assert!(desk.keys("Space").screen().contains("Space does nothing here"));
    assert!(desk.keys("r").screen().contains("r does nothing here"));
    let footer = desk.screen().lines().last().unwrap().to_owned();
    assert!(footer.split("   ").filter(|hint| !hint.trim().is_empty()).count() <= 6, "{footer}");
}

#[test]
fn hostile_names_neither_move_the_layout_nor_pass_through() {
    let hostile = format!("\u{1b}]52;c;aGk=\u{7}\u{202e}{}", "x".repeat(300));
    let mut stick = stick(7, Some("/media/op/CARGO"));
    stick.model = Some(hostile.clone());
    stick.serial = Some(hostile.clone());
    stick.volumes[0].label = Some(hostile.clone());
    stick.volumes[0].mount_points = vec![format!("/media/{hostile}").into()];
    stick.volumes[0].file_system = Some(FileSystem::Other(hostile));
    let mut desk = verified(vec![stick]);
    for keys in ["", "t", "Esc Enter", "3"] {
        for (columns, rows) in [(80, 24), (60, 16)] {
            desk.keys(keys);
            let screen = crate::rig::text(&desk.frame(columns, rows));
            assert!(screen.chars().all(|c| c == '\n' || !c.is_control()), "{screen:?}");
            assert!(!screen.contains('\u{202e}'), "{screen:?}");
            assert!(screen.lines().all(|line| line.chars().count() <= usize::from(columns)));
        }
    }
}

#[test]
fn a_failure_that_comes_by_itself_takes_no_key_of_what_is_typed() {
    let mut desk = Desk::new();
    desk.keys("b 3 o").typed("/mn");
    let failure = || Failure::new(Kind::Medium, "the list of media cannot be read");
    desk.tell(Msg::Found(Found::Failed(Query::Media, failure())));
    desk.tell(Msg::Found(Found::Failed(Query::Place("/srv".into()), failure())));
    desk.typed("t").tell(Msg::Found(Found::Entries("/".into(), Ok(Vec::new()))));
    let screen = desk.screen();
    assert!(screen.contains("/mnt") && !screen.contains("That did not work"), "{screen}");
    desk.keys("Esc");
    assert!(desk.screen().contains("That did not work"), "{}", desk.screen());
    desk.keys("Esc").tell(Msg::Found(Found::Failed(Query::Media, failure())));
    let screen = desk.screen();
    assert!(screen.contains("the list of media cannot be read; l shows the log"), "{screen}");
    assert!(!screen.contains("That did not work"), "{screen}");
}

#[test]
fn a_mount_that_was_stopped_is_not_called_a_test() {
    let mut desk = three();
    desk.keys("m Right Enter");
    let mounts = |effect: &Effect| matches!(effect, Effect::Start(Act::MediaMount, _));
    assert!(desk.effects.iter().any(mounts), "{:?}", desk.effects);
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
    let screen = desk.screen();
    assert!(screen.contains("stopped; the list shows what is mounted"), "{screen}");
}

#[test]
fn a_disk_that_only_looks_built_in_names_the_way_to_take_it_all_the_same() {
    let mut disk = stick(7, Some("/srv/out"));
    (disk.bus, disk.removable) = (Bus::Ata, false);
    disk.blocked = Some(Blocked::BuiltIn { holds: vec!["/srv/out".to_owned(), "/srv/b".to_owned()] });
    let mut desk = desk(vec![disk]);
    let screen = desk.screen();
    assert!(screen.contains("x built-in disk: holds /srv/out"), "{screen}");
    let way = "built in? o takes /srv/out as a directory; umount /srv/out /srv/b frees it";
    assert!(screen.contains(way), "{screen}");
    for key in ["Enter", "m", "t"] {
        assert!(desk.keys(key).wait(0).screen().contains(way), "{key}");
        assert!(desk.app.model.chosen.is_none());
    }
}

#[test]
fn the_command_of_a_row_is_shown_where_it_would_be_done_and_why_there_is_none_where_not() {
    let copied = |desk: &Desk| desk.effects.iter().any(|effect| matches!(effect, Effect::Copy(_)));
    let source = Medium {
        blocked: Some(Blocked::Source { holds: vec!["/home/op".to_owned()] }),
        ..stick(7, Some("/home/op"))
    };
    for (medium, reason) in [
        (system_disk(), "no command for this: system disk: holds /"),
        (source, "no command for this: source disk: holds /home/op"),
        (read_only(), "no command for this: mounted read-only"),
    ] {
        let mut desk = desk(vec![medium]);
        let screen = desk.keys("y").screen();
        assert!(screen.contains(reason), "{screen}");
        assert!(!screen.contains("airlift media") && !copied(&desk), "{screen}");
    }
    for (point, command) in [
        (None, "airlift media mount /dev/sdb1"),
        (Some("/media/op/CARGO"), "airlift media check /media/op/CARGO"),
    ] {
        let mut desk = desk(vec![stick(7, point)]);
        assert!(desk.keys("y").screen().contains(command), "{}", desk.screen());
        assert!(copied(&desk));
    }
}

#[test]
fn a_directory_with_a_very_long_name_leaves_key_and_network_in_the_header() {
    let mut desk = verified(vec![stick(7, Some("/media/op/CARGO"))]);
    desk.tell(Msg::Found(Found::Host(Arc::new(crate::made::host_with_key()))));
    let long = format!("/srv/begin{}end", "x".repeat(200));
    desk.app.model.choose(Chosen::directory(&lies(&long, None)));
    let header = |desk: &mut Desk, columns| text(&desk.frame(columns, 24)).lines().next().unwrap().to_owned();
    let wide = header(&mut desk, 160);
    assert!(wide.contains("  beginxxx") && wide.contains("xxend  key ") && wide.contains("net up"), "{wide}");
    let narrow = header(&mut desk, 81);
    assert!(narrow.ends_with("  beg…end  key ..uE4c  net up (eth0)"), "{narrow}");
    let narrow = header(&mut desk, 80);
    assert!(narrow.contains("  beginxxxx") && narrow.ends_with("xend  key ..uE4c"), "{narrow}");
}

#[test]
fn a_long_line_below_the_table_takes_the_rows_that_are_empty() {
    let mut desk = verified(vec![stick(7, Some("/media/op/CARGO"))]);
    desk.keys("Enter");
    planned(&mut desk);
    desk.keys("3").wait(10);
    seen(&mut desk, vec![Medium { size: 30_000_000_000, ..stick(8, Some("/media/op/CARGO")) }]);
    let screen = desk.wait(10).screen();
    let said = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("is in its place: plug it in again, or choose another one"), "{screen}");
}
