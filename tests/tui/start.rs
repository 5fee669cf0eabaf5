//! The start screen, and what every screen has: help, palette, themes, leaving, too little room.

use std::collections::BTreeMap;
use std::sync::Arc;

use airlift::actions::Act;
use airlift::domain::carrier::Carrier;
use airlift::domain::job::JobId;
use airlift::domain::media::{Blocked, BundleWords, Bus, FileSystem, FoundBundle, Medium, Volume};
use airlift::engine::bundle::unfinished::{Share, Unfinished};
use airlift::engine::error::Kind;
use airlift::engine::host::{HostFacts, KeyFacts};
use airlift::engine::import::changes::NotedRun;
use airlift::engine::jobs::record::InterruptedJob;
use airlift::engine::media::MediaReport;
use airlift::engine::sign::keys::KeyReport;
use airlift::engine::spec::{Images, JobReport, JobSpec, PackJob, SignerSpec};
use airlift::failure::Failure;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg, Query};
use airlift::tui::resume::{Cut, Cuts, Left};
use airlift::widgets::stepper::StepState;

use crate::import::stopped;
use crate::made::looked;
use crate::rig::{Desk, host, text};

pub(crate) fn pack() -> JobSpec {
    let data = "/home/op/.local/share/airlift";
    JobSpec::Pack(PackJob {
        images: Images { signatures: true, ..Images::default() },
        lock: Some(format!("{data}/work/images.lock").into()),
        name: "web".into(),
        tool: false,
        ..PackJob::new(
            "/media/op/AIRGAP".into(),
            SignerSpec::Key(format!("{data}/signing_key").into()),
            format!("{data}/state").into(),
        )
    })
}

pub(crate) fn cut(spec: JobSpec) -> Cut {
    let started = "2026-11-21T10:14:00Z".parse().unwrap();
    let path: std::path::PathBuf = "/media/op/AIRGAP/web-42".into();
    let progress = Unfinished {
        path: path.clone(),
        name: "web".into(),
        serial: 42,
        begun: started,
        first: started,
        images: 38,
        blobs: Share { done: 312, total: 340 },
        bytes: Share { done: 56_000_000_000, total: 61_200_000_000 },
        held: Some(56_000_000_000),
        files: Arc::default(),
        resumable: true,
    };
    let point: std::path::PathBuf = "/media/op/AIRGAP".into();
    let carrier = Carrier::of(point, "/dev/sdb1".into(), Some(&stick()));
    let job = InterruptedJob {
        id: uuid::Uuid::from_u128(7),
        started,
        spec,
        carrier,
        bundle: Some(path),
        signed: None,
    };
    Cut { job, left: Left::Unfinished(progress) }
}

#[test]
fn rows_that_there_is_no_room_for_are_counted() {
    let mut desk = Desk::new();
    let screen = text(&desk.frame(60, 16));
    assert!(screen.contains(" more below, on a higher screen"), "{screen}");
    assert!(!desk.screen().contains("more below"), "{}", desk.screen());
    // What is to be chosen is among those that there is room for.
    desk.tell(Msg::Found(Found::Media(Arc::new(MediaReport { media: vec![stick()] }))));
    let screen = text(&desk.frame(60, 16));
    assert!(screen.contains("media ") && screen.contains(" more below, on a higher screen"), "{screen}");
}

#[test]
fn a_pack_that_was_gone_on_with_says_when_it_was_begun_and_when_it_was_resumed() {
    let mut once = cut(pack());
    assert!(once.words().ends_with(", begun 11-21 10:14Z"), "{}", once.words());
    once.job.started = "2026-11-21T13:40:00Z".parse().unwrap();
    // Its journal is that of its last run, and knows of the first.
    if let Left::Unfinished(progress) = &mut once.left {
        progress.begun = "2026-11-21T13:40:02Z".parse().unwrap();
    }
    assert!(once.words().ends_with(", begun 11-21 10:14Z, resumed 13:40Z"), "{}", once.words());
    let full = once.full_words();
    assert!(full.starts_with("begun 2026-11-21T10:14:00Z, resumed 2026-11-21T13:40:00Z; "), "{full}");
}

pub(crate) fn stick() -> Medium {
    let words = BundleWords {
        id: uuid::Uuid::nil(),
        document: crate::made::digest(0x41),
        name: "web".into(),
        serial: 41,
        created: jiff::Timestamp::UNIX_EPOCH,
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
        path: "/media/op/AIRGAP/web-41".into(),
        verified: false,
        words: Some(words),
        fault: None,
    };
    let volume = Volume {
        device: "/dev/sdb1".into(),
        size: 128_000_000_000,
        file_system: Some(FileSystem::Ext),
        label: Some("AIRGAP".into()),
        uuid: None,
        mount_points: vec!["/media/op/AIRGAP".into()],
        read_only: false,
        after_error: false,
        writable: Some(true),
        free: Some(64_000_000_000),
        limits: None,
        bundles: vec![bundle],
        begun: BTreeMap::new(),
        blocked: None,
    };
    Medium {
        name: "sdb".into(),
        device: "/dev/sdb".into(),
        model: Some("KINGSTON DataTraveler".into()),
        serial: Some("00117F2A".into()),
        bus: Bus::Usb,
        removable: true,
        read_only: false,
        size: 128_000_000_000,
        sequence: Some(3),
        file: None,
        volumes: vec![volume],
        blocked: None,
        notes: Vec::new(),
    }
}

fn key() -> KeyFacts {
    KeyFacts {
        path: "/home/op/.local/share/airlift/signing_key".into(),
        fingerprint: "SHA256:Zq3vM0xM6m7oJcJd3o0rA7m0cD1n2b3c4d5e6f7g8h9".into(),
        id: "9c41d2e0a7b35f18".into(),
    }
}

/// A host with a key, two media and nothing else to do.
fn at_work() -> Desk {
    let mut desk = Desk::new();
    let runtimes = vec!["containerd".into(), "docker".into()];
    desk.tell(Msg::Found(Found::Host(Arc::new(HostFacts {
        key: Some(key()),
        trusted: 2,
        runtimes,
        ..host()
    }))));
    let holds = vec!["/".into()];
    let system = Medium {
        name: "nvme0n1".into(),
        model: Some("Samsung SSD".into()),
        volumes: Vec::new(),
        blocked: Some(Blocked::System { holds }),
        ..stick()
    };
    desk.tell(Msg::Found(Found::Media(Arc::new(MediaReport { media: vec![stick(), system] }))));
    desk
}

pub(crate) fn interrupted() -> Desk {
    let mut desk = at_work();
    let cuts = Cuts { packs: vec![cut(pack())], ..Cuts::default() };
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
    desk
}

fn started(desk: &Desk) -> Option<(&Act, &JobSpec)> {
    desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(act, spec) => Some((act, &**spec)),
        _ => None,
    })
}

#[test]
fn keys_trust_media_and_the_bundles_on_them_are_told_and_the_system_disk_is_not() {
    insta::assert_snapshot!(at_work().picture());
}

#[test]
fn a_medium_that_cannot_be_written_to_is_told_with_the_reason() {
    let mut protected = stick();
    protected.blocked = Some(Blocked::WriteProtected);
    let mut read_only = stick();
    read_only.volumes[0].blocked = Some(Blocked::MountedReadOnly);
    let mut half = read_only.clone();
    half.volumes.push(stick().volumes.remove(0));
    for (medium, words, told) in [
        (protected, ", read-only; bundle", true),
        (read_only, ", read-only; bundle", true),
        (half, "read-only", false),
    ] {
        let mut desk = Desk::new();
        desk.tell(Msg::Found(Found::Media(Arc::new(MediaReport { media: vec![medium] }))));
        let screen = desk.screen();
        assert_eq!(screen.contains(words), told, "{screen}");
    }
}

#[test]
fn a_bundle_on_a_medium_that_nobody_signed_is_called_so() {
    let mut medium = stick();
    medium.volumes[0].bundles[0].words.as_mut().unwrap().signatures = 0;
    for (medium, unsigned) in [(stick(), false), (medium, true)] {
        let mut desk = Desk::new();
        desk.tell(Msg::Found(Found::Media(Arc::new(MediaReport { media: vec![medium] }))));
        let screen = desk.screen();
        let said = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("64.0 GB free; bundle web-41"), "{screen}");
        assert_eq!(said.contains("bundle web-41 NOT SIGNED"), unsigned, "{screen}");
    }
}

#[test]
fn the_row_of_the_signing_key_tells_the_one_that_signs_and_what_makes_one_where_there_is_none() {
    let row = |desk: &mut Desk| {
        let screen = desk.screen();
        let row = screen.lines().find_map(|line| line.trim().strip_prefix("signing key"));
        row.unwrap_or_else(|| panic!("{screen}")).trim().to_owned()
    };
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Host(Arc::new(HostFacts { key: None, ..host() }))));
    assert_eq!(row(&mut desk), "none: K makes one");
    let mut desk = at_work();
    let own = key();
    let end = &own.fingerprint[own.fingerprint.len() - 8..];
    assert_eq!(row(&mut desk), format!("{end}  {}", own.path.display()));
    // What is gone on with is signed by its own key, which the agent is asked for.
    let JobSpec::Pack(job) = pack() else { unreachable!() };
    let job = PackJob { signer: SignerSpec::Agent(None), ..job };
    let cuts = Cuts { packs: vec![cut(JobSpec::Pack(job))], ..Cuts::default() };
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts)))).keys("Home Enter");
    looked(&mut desk, Some(stick()));
    assert_eq!(row(desk.keys("0")), "looking whose key signs ...");
    let held = KeyReport {
        fingerprint: crate::made::FINGERPRINT.into(),
        path: None,
        public: "ssh-ed25519 AAAAC3Nz ops@jump01".into(),
        key_id: "eb2d98a744ab91b5".into(),
        algorithm: "ssh-ed25519".into(),
    };
    desk.tell(Msg::Found(Found::AgentKeys(Ok(vec![held]))));
    let end = &crate::made::FINGERPRINT[crate::made::FINGERPRINT.len() - 8..];
    assert_eq!(row(&mut desk), format!("{end}  held by ssh-agent"));
}

#[test]
fn a_pack_that_was_cut_off_comes_first_and_goes_on_as_it_was() {
    let mut desk = interrupted();
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Home Enter");
    assert_eq!(started(&desk), None, "where it goes was not looked at yet");
    looked(&mut desk, Some(stick()));
    assert_eq!(started(&desk), Some((&Act::Pack, &pack())));
    assert_eq!(desk.app.model.place, Place::Assemble);
    let to = desk.app.model.assembly.to.as_ref().unwrap();
    assert_eq!(
        (to.to.to_str(), to.words.as_str()),
        (Some("/media/op/AIRGAP"), "KINGSTON DataTraveler ..7F2A")
    );
    assert_eq!((desk.app.model.assembly.name.as_str(), desk.app.model.assembly.tool), ("web", false));
    // Only one job at a time.
    desk.effects.clear();
    assert!(desk.keys("0 R").screen().contains("not now: pack is running: 4 shows it"));
    assert!(desk.screen().contains("pack is running: 4 shows it"));
    desk.app.model.job.as_mut().unwrap().paused = true;
    assert!(desk.keys("3").screen().contains("pack is paused: 4 shows it, p goes on"), "{}", desk.screen());
    assert_eq!(started(&desk), None);
}

#[test]
fn a_pack_without_an_unfinished_bundle_says_what_lies_there_of_it() {
    for (left, title, words, more) in [
        (Left::Finished(42), "See web-42 ", "finished and signed, not reported", "is finished and signed in"),
        (Left::Signed(41), "Resume web ", "serial 41 signed there", "what is there is kept"),
        (Left::Nothing, "Resume web ", "nothing is written yet", "nothing of it is in"),
        (Left::Away, "Resume web ", "its medium is missing", "is its medium plugged in?"),
    ] {
        let mut desk = at_work();
        let cuts = Cuts { packs: vec![Cut { left, ..cut(pack()) }], ..Cuts::default() };
        desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
        // What has no room in one row goes on in the next.
        let screen = desk.keys("Home").screen().replace("\n ", " ");
        for words in [title, words, more] {
            assert!(screen.contains(words), "{words}: {screen}");
        }
    }
}

#[test]
fn forgetting_a_pack_is_asked_about_first() {
    let mut desk = interrupted();
    desk.keys("D");
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Enter");
    assert!(desk.effects.is_empty(), "Cancel is where one stands");
    desk.keys("D Right Enter");
    assert!(matches!(desk.effects.as_slice(), [Effect::Forget(id)] if id.as_u128() == 7));
    desk.tell(Msg::Found(Found::Interrupted(Arc::default())));
    assert!(desk.keys("R").screen().contains("not now: no job was interrupted"));
}

/// A registry has half of what was to come, and nothing is left to take back.
pub(crate) fn half_in_a_registry() -> Desk {
    let run = stopped("site-42");
    let begun =
        serde_json::to_string(&run.begun).unwrap().replace("\"containerd\"", "\"registry:r.example\"");
    let begun = serde_json::from_str(&begun).unwrap();
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Noted(vec![NotedRun { begun, targets: Vec::new(), ..run }])));
    desk
}

#[test]
fn an_import_that_cannot_be_taken_back_is_dismissed_with_a_word_of_what_stays() {
    let mut desk = half_in_a_registry();
    assert!(desk.screen().contains("Go on importing site-42"), "{}", desk.screen());
    desk.keys("D");
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Enter");
    assert!(desk.effects.is_empty(), "Cancel is where one stands");
    desk.keys("D Right Enter");
    let file = stopped("site-42").file;
    assert!(matches!(desk.effects.as_slice(), [Effect::Dismiss(run)] if *run == file), "{:?}", desk.effects);
    desk.tell(Msg::Found(Found::Noted(Vec::new())));
    assert!(desk.keys("D").screen().contains("not now: no job was interrupted"), "{}", desk.screen());
    let mut desk = interrupted();
    desk.tell(Msg::Found(Found::Noted(vec![stopped("site-42")])));
    let screen = desk.keys("D").screen();
    assert!(screen.contains("Forget the interrupted pack?"), "{screen}");
    let screen = desk.keys("Esc Down D").screen();
    for words in ["Forget the interrupted import?", "u on Import, or airlift undo site-42, still takes"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
}

#[test]
fn an_import_that_failed_once_all_images_were_in_is_offered_for_going_on() {
    let run = stopped("site-42");
    let begun = serde_json::to_string(&run.begun).unwrap();
    let begun = begun
        .replace("interrupted", "failed")
        .replace("\"there\":2,\"all\":4", "\"there\":4,\"all\":4,\"failed\":true");
    let begun = begun.replace("\"containerd\"", "\"containers-storage:/x\"");
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Noted(vec![NotedRun {
        begun: serde_json::from_str(&begun).unwrap(),
        ..run
    }])));
    let screen = desk.keys("Home").screen().replace("\n ", " ");
    assert!(screen.contains("containers-storage:/x 11-20 08:15Z: not …"), "{screen}");
    assert!(screen.contains("failed at its end, with all of 4 images in containers-storage:/x"), "{screen}");
}

#[test]
fn a_record_that_cannot_be_read_is_a_warning() {
    let mut desk = at_work();
    let cuts = Cuts { damaged: vec!["/x/7.json: expected value".into()], ..Cuts::default() };
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
    assert!(desk.screen().contains("a job record: /x/7.json: expected value"));
}

#[test]
fn a_signing_key_is_made_with_a_passphrase_typed_twice() {
    let mut desk = Desk::new();
    desk.effects.clear();
    desk.keys("K");
    let path = "/home/op/.local/share/airlift/signing_key";
    let Some((Act::KeyGenerate, JobSpec::KeyGenerate(job))) = started(&desk) else {
        panic!("{:?}", desk.effects)
    };
    assert!(job.protected && job.path.to_str() == Some(path) && job.comment == "airlift@jump01");
    desk.tell(Msg::NeedsNewPassphrase(path.into()));
    insta::assert_snapshot!("new_passphrase", desk.picture());
    desk.effects.clear();
    let given = |desk: &Desk| desk.effects.iter().any(|effect| matches!(effect, Effect::Passphrase(_)));
    desk.typed("hunter2").keys("Enter");
    assert!(desk.screen().contains("x fewer than 8 characters; type a longer one"), "{}", desk.screen());
    desk.typed("hunter22").keys("Enter").typed("hunter23").keys("Enter");
    assert!(desk.screen().contains("x they differ"), "{}", desk.screen());
    assert!(!given(&desk), "{:?}", desk.effects);
    desk.typed("hunter22").keys("Enter").typed("hunter22").keys("Enter");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Passphrase(Some(_)))));
    let report = KeyReport {
        path: Some(path.into()),
        public: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHd1 airlift@jump01".into(),
        fingerprint: "SHA256:Zq3vM0xM6m7oJcJd3o0rA7m0cD1n2b3c4d5e6f7g8h9".into(),
        key_id: "9c41d2e0a7b35f18".into(),
        algorithm: "ssh-ed25519".into(),
    };
    desk.effects.clear();
    desk.tell(Msg::Ended(JobId(1), Ended::Succeeded(Arc::new(JobReport::Key(report)))));
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::Host))));
    insta::assert_snapshot!("key_made", desk.picture());
}

#[test]
fn once_a_key_is_made_from_its_row_the_cursor_is_where_it_is_used() {
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Host(Arc::new(host())))).keys("End");
    let on_it = |line: &str| line.starts_with('>') && line.contains("Make a signing key");
    assert!(desk.screen().lines().any(on_it), "{}", desk.screen());
    desk.tell(Msg::Found(Found::Host(Arc::new(HostFacts { key: Some(key()), ..host() }))));
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Images);
}

#[test]
fn no_key_is_made_without_a_passphrase_and_one_that_is_there_stays() {
    let mut desk = Desk::new();
    desk.keys("K").tell(Msg::NeedsNewPassphrase("/x/signing_key".into()));
    desk.keys("Esc");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Passphrase(None))));
    let failure = Failure::new(Kind::Interrupted, "interrupted");
    desk.tell(Msg::Ended(JobId(1), Ended::Failed(failure)));
    assert!(desk.screen().contains("no key was created"));
    assert!(at_work().keys("K").screen().contains("not now: there is a key already"));
}

#[test]
fn it_says_what_the_host_is_and_which_side_that_suggests() {
    insta::assert_snapshot!(Desk::new().picture());
}

#[test]
fn it_can_be_used_before_the_host_was_looked_at() {
    let mut desk = Desk::bare();
    assert!(desk.screen().contains("checking this host"));
    assert!(desk.keys("b").screen().contains("step 1/5 Images"));
}

#[test]
fn help_is_searched_and_done() {
    let mut desk = Desk::new();
    desk.keys("?");
    insta::assert_snapshot!(desk.picture());
    assert!(desk.keys("build Enter").screen().contains("CONNECTED"));
}

#[test]
fn help_of_every_step_has_the_keys_of_the_others() {
    let mut desk = Desk::new();
    for step in ["b", "2"] {
        desk.keys(step);
        for (typed, says) in [("step.1", "Go to step 1: Images"), ("step.5", "Go to step 5: Report")] {
            let screen = desk.keys("?").typed(typed).screen();
            assert!(screen.contains(says), "{screen}");
            desk.keys("Esc Esc");
        }
    }
}

#[test]
fn a_step_is_found_by_its_name_on_the_side_where_one_is() {
    let connected = ["images", "verify", "media", "assemble", "report"].as_slice();
    let sides = [("b", connected), ("g", &["bundle", "verify", "import", "report"])];
    for (side, steps) in sides {
        let mut desk = Desk::new();
        desk.keys(side);
        for (number, name) in (1..).zip(steps) {
            let screen = desk.keys(":").typed(name).screen();
            let says = format!("Go to step {number}: ");
            let row = screen.lines().find(|line| line.contains(&says));
            assert!(row.is_some_and(|row| row.to_lowercase().contains(name)), "{name}: {screen}");
            desk.keys("Esc Esc");
        }
    }
    let mut desk = Desk::new();
    desk.keys("b :").typed("report");
    assert!(desk.keys("Enter").screen().contains("step 5/5 Report"), "{}", desk.screen());
    desk.keys(":").typed("media");
    assert!(
        desk.keys("Enter").screen().contains("step 3/5 Media"),
        "not what is done with one: {}",
        desk.screen()
    );
    desk.keys("0 :").typed("images");
    assert!(desk.screen().contains("Go to step 1: Images"), "also from the start screen: {}", desk.screen());
}

#[test]
fn a_theme_is_chosen_and_seen_at_once() {
    let mut desk = Desk::new();
    desk.keys("F2");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Down Down Down Enter");
    assert_eq!(desk.app.look.theme.name, "mono");
}

#[test]
fn esc_never_leaves_and_q_does() {
    let mut desk = Desk::new();
    desk.effects.clear();
    desk.keys("Esc Esc Esc");
    assert!(desk.effects.is_empty());
    desk.keys("q");
    assert!(matches!(desk.effects.as_slice(), [Effect::Quit]));
}

#[test]
fn a_key_without_a_meaning_says_so() {
    assert!(Desk::new().keys("z").screen().contains("z does nothing here; ? shows what does"));
}

#[test]
fn too_little_room_says_how_much_is_needed_and_sixty_by_sixteen_is_enough() {
    let mut desk = Desk::new();
    assert!(text(&desk.frame(40, 10)).starts_with("too small: need 60x16, now 40x10"));
    assert!(text(&desk.frame(60, 16)).contains("? help"));
    desk.tell(Msg::Resize(1, 1));
}

#[test]
fn footers_never_show_more_than_six_keys_and_help_is_the_first() {
    for keys in ["", "b", "b Esc"] {
        let mut desk = Desk::new();
        let screen = desk.keys(keys).screen();
        let footer = screen.lines().last().unwrap();
        assert!(footer.trim_start().starts_with("? help"), "{footer}");
        assert!(footer.split("   ").filter(|hint| !hint.trim().is_empty()).count() <= 6, "{footer}");
    }
}

#[test]
fn the_footer_names_the_keys_of_what_has_the_keyboard() {
    for (keys, footer) in [
        ("b n", " F1 help   Enter accept   Esc cancel"),
        ("l", " ? help   Esc close   / filter   v level: all   w cut   s save"),
        ("C", " F1 help   Enter select   Esc cancel"),
        ("?", " Enter run   Esc close"),
        ("/", " Enter keep   Esc show all"),
        ("C Esc", " ? help   Enter go   b build media   g air gap   : commands   q quit"),
    ] {
        let screen = Desk::new().keys(keys).screen();
        assert_eq!(screen.lines().last(), Some(footer), "{keys}");
    }
}

#[test]
fn a_lone_interrupt_is_forgotten_with_its_words() {
    let mut desk = Desk::new();
    desk.effects.clear();
    desk.keys("Ctrl-c").wait(60).keys("Ctrl-c");
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Quit)));
    desk.keys("Ctrl-c");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Quit)));
}

#[test]
fn the_cursor_stays_on_its_door_when_what_was_cut_off_comes_with_its_medium() {
    let mut desk = Desk::new();
    desk.keys("Down");
    let cuts = Cuts { packs: vec![cut(pack())], ..Cuts::default() };
    desk.tell(Msg::Found(Found::Interrupted(Arc::new(cuts))));
    desk.effects.clear();
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Bundle);
}

#[test]
fn an_operation_is_found_by_its_name_and_done_from_the_list_of_all() {
    for (typed, place) in [("build media", Place::Images), ("air gap", Place::Bundle)] {
        let mut desk = Desk::new();
        desk.keys(":").typed(typed).keys("Enter");
        assert_eq!(desk.app.model.place, place, "{typed}");
    }
    let mut desk = Desk::new();
    desk.effects.clear();
    desk.keys(":").typed("ed25519").keys("Enter");
    assert!(
        matches!(started(&desk), Some((Act::KeyGenerate, JobSpec::KeyGenerate(_)))),
        "{:?}",
        desk.effects
    );
    // A look at the other side takes nothing from the list; it is done on the side that has it.
    for typed in ["sign", "diff"] {
        let mut desk = Desk::new();
        let screen = desk.keys("g 0 :").typed(typed).screen();
        assert!(screen.lines().any(|line| line.contains(&format!(" {typed} "))), "{screen}");
        let screen = desk.keys("Enter").screen();
        assert!(screen.contains("nothing is packed yet"), "{screen}");
    }
    // What cannot be done now says why, and the list stays open.
    let mut desk = Desk::new();
    desk.effects.clear();
    let screen = desk.keys(":").typed("interrupted").keys("Enter").screen();
    assert!(screen.contains("no job was interrupted") && screen.contains("Commands"), "{screen}");
    assert!(started(&desk).is_none());
}

#[test]
fn what_is_done_on_another_screen_is_found_anywhere_and_one_is_taken_there() {
    for (keys, typed, says, place) in [
        ("b", "trust", "on Bundle (AIR-GAPPED): Trust the key that signed this bundle", Place::Bundle),
        ("b 5", "public key to sign", "on Verify (AIR-GAPPED): Trust a public key", Place::Check),
        ("g 2", "resume", "on Start: Resume the interrupted job", Place::Start),
        ("b 4", "kubeadm", "on Images: Take the images of a Kubernetes version", Place::Images),
    ] {
        let mut desk = Desk::new();
        let screen = desk.keys(keys).keys(":").typed(typed).screen();
        assert!(screen.contains(says), "{typed}: {screen}");
        let asked = desk.keys("Enter").screen();
        let key = desk.app.model.key(match place {
            Place::Bundle => Act::BundleTrust,
            Place::Check => Act::KeyTrust,
            Place::Start => Act::Resume,
            _ => Act::ImagesKubeadm,
        });
        assert_eq!(desk.app.model.place, place, "{typed}: {asked}");
        assert!(asked.contains(&format!("{key} does that here: ")), "{typed}: {asked}");
    }
    // What no screen has is told with its command.
    let mut desk = Desk::new();
    let screen = desk.keys("b :").typed("read-only registry").keys("Enter").screen();
    assert!(screen.contains("x this is a command alone: airlift serve"), "{screen}");
    // Help is about what is had here.
    let mut desk = Desk::new();
    assert!(!desk.keys("b ?").typed("kubeadm").screen().contains("on Images"), "{}", desk.screen());
    assert!(
        desk.keys("Esc Esc ?").typed("trust").screen().contains("no operation matches"),
        "{}",
        desk.screen()
    );
}

#[test]
fn references_that_are_pasted_here_go_onto_the_list() {
    let mut desk = Desk::new();
    let screen = desk.tell(Msg::Paste("%%% ///\n".into())).screen();
    assert!(screen.contains("names no image") && desk.app.model.place == Place::Start, "{screen}");
    let screen = desk.tell(Msg::Paste("quay.io/a/b:1.0.0\nquay.io/a/c:1.0.0\n".into())).screen();
    assert!(screen.contains("step 1/5 Images") && screen.contains("2 added"), "{screen}");
    assert_eq!(desk.app.model.picked.images.len(), 2);
}

#[test]
fn steps_of_the_side_that_was_worked_on_are_reached_from_here() {
    let mut desk = Desk::new();
    assert!(desk.keys("4").screen().contains("choose a side first"));
    desk.keys("g 0 3");
    assert_eq!(desk.app.model.place, Place::Import);
    desk.keys("0 b 0 4");
    assert_eq!(desk.app.model.place, Place::Assemble);
}

#[test]
fn q_during_a_job_offers_to_leave_once_it_is_done() {
    let mut desk = crate::assemble::under_way();
    desk.effects.clear();
    desk.keys("q");
    let screen = desk.screen();
    assert!(screen.contains("Stop safely and quit") && screen.contains("Wait, then quit"), "{screen}");
    desk.keys("Right Right Enter");
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Quit | Effect::Cancel(_))));
    assert!(desk.screen().contains("left as soon as the job is done"), "{}", desk.screen());
    let quits =
        |desk: &Desk| desk.effects.iter().any(|effect| matches!(effect, Effect::Quit | Effect::AwaitWrites));
    let packed = || crate::made::done(JobReport::Pack(crate::made::packed()));
    let failed = Failure::new(Kind::Network, "the registry is gone");
    let mut other = crate::assemble::under_way();
    other.keys("q Right Right Enter").effects.clear();
    other.tell(Msg::Ended(other.job(), Ended::Failed(failed)));
    assert!(!quits(&other), "what failed is there to be read");
    let mut stays = crate::assemble::under_way();
    stays.keys("q Right Right Enter q Esc").effects.clear();
    assert!(stays.screen().contains("cancelled; the pack goes on"), "{}", stays.screen());
    stays.tell(Msg::Ended(stays.job(), packed()));
    assert!(!quits(&stays), "asked again, it was not wanted");
    desk.tell(Msg::Ended(desk.job(), packed()));
    assert!(quits(&desk));
}

#[test]
fn a_paused_job_goes_on_when_it_is_to_be_left_after_it() {
    let mut desk = crate::assemble::under_way();
    let screen = desk.keys("p").screen();
    assert!(
        screen.contains("[4 Assemble paused]") && screen.contains("paused at the next safe point; p"),
        "{screen}"
    );
    let frame = text(&desk.keys("q").frame(60, 16));
    for words in ["A job is paused.", "[ Stop safely and quit ]", "[ Resume, then quit ]"] {
        assert!(frame.contains(words), "{words}: {frame}");
    }
    desk.effects.clear();
    desk.keys("Right Right Enter");
    assert!(matches!(desk.effects.as_slice(), [.., Effect::Pause(_, false)]), "{:?}", desk.effects);
    assert_eq!(desk.app.model.state(Place::Assemble), StepState::Running);
    let screen = desk.keys("p").screen();
    assert!(screen.contains("not left before it goes on and is done"), "{screen}");
    assert!(desk.keys("p").screen().contains("it goes on"), "{}", desk.screen());
    desk.effects.clear();
    desk.tell(Msg::Ended(desk.job(), crate::made::done(JobReport::Pack(crate::made::packed()))));
    desk.tell(Msg::Written(None));
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Quit)), "{:?}", desk.effects);
}

#[test]
fn pausing_is_said_on_every_screen_and_so_is_going_on() {
    let mut desk = crate::assemble::under_way();
    for keys in ["0", "1", "2", "3", "5"] {
        let screen = desk.keys(keys).keys("p").screen();
        assert!(screen.contains("paused at the next safe point; p goes on"), "{keys}: {screen}");
        let screen = desk.keys("p").screen();
        assert!(screen.contains("it goes on"), "{keys}: {screen}");
    }
}

#[test]
fn a_passphrase_for_a_key_is_not_asked_for_once_its_job_is_stopping_or_gone() {
    let asks = |desk: &mut Desk| desk.tell(Msg::NeedsNewPassphrase("/keys/ops".into())).screen();
    let refused = |effect: &Effect| matches!(effect, Effect::Passphrase(None));
    let mut desk = Desk::new();
    desk.keys("K");
    assert!(asks(&mut desk).contains("assphrase"), "{}", desk.screen());
    for stop in ["Esc x Right Enter", "Esc"] {
        let mut desk = Desk::new();
        desk.keys("K").keys(stop);
        if stop == "Esc" {
            desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
        }
        desk.effects.clear();
        let screen = asks(&mut desk);
        assert!(!screen.contains("assphrase"), "{stop}: {screen}");
        assert!(desk.effects.iter().any(refused), "{stop}: {:?}", desk.effects);
    }
}

#[test]
fn a_job_that_runs_has_a_row_with_its_state_and_enter_goes_to_it() {
    let mut desk = crate::assemble::under_way();
    desk.keys("0 Home");
    let screen = desk.screen();
    let row = screen.lines().find(|line| line.starts_with('>')).unwrap_or_default();
    assert!(row.contains("Running: pack bundle") && row.contains("53 %"), "{screen}");
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, airlift::tui::model::Place::Assemble);
    desk.keys("p 0");
    assert!(desk.screen().contains("paused; p goes on"), "{}", desk.screen());
}

#[test]
fn without_colours_a_theme_is_refused_with_the_reason() {
    let mut desk = Desk::new();
    desk.app.no_color = Some("NO_COLOR is set");
    let screen = desk.keys("C").screen();
    assert!(screen.contains("not now: NO_COLOR is set: a theme changes nothing"), "{screen}");
    desk.app.no_color = None;
    assert!(desk.keys("C").screen().contains("Theme"), "{}", desk.screen());
}

#[test]
fn an_import_that_was_stopped_is_told_with_what_is_in_and_can_be_taken_back() {
    let mut desk = Desk::new();
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::Noted))));
    let run = stopped("site-42");
    desk.tell(Msg::Found(Found::Noted(vec![run.clone()])));
    insta::assert_snapshot!(desk.picture());
    desk.keys("Home Down Enter");
    assert!(desk.screen().contains("Undo the import?"), "{}", desk.screen());
    desk.keys("Right Enter");
    let undo = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, spec) => match &**spec {
            JobSpec::Undo(spec) => spec.file.clone(),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(undo, Some(run.file.clone()));
    let whole = |text: &str| {
        let begun = serde_json::to_string(&run.begun).unwrap().replace("\"interrupted\"", text);
        NotedRun { begun: serde_json::from_str(&begun).unwrap(), ..run.clone() }
    };
    for (end, told) in [("\"whole\"", 0), ("\"failed\"", 1)] {
        let mut desk = Desk::new();
        desk.tell(Msg::Found(Found::Noted(vec![whole(end), run.clone()])));
        let screen = desk.screen();
        assert_eq!(screen.matches("Go on importing site-42").count(), told, "{end}: {screen}");
    }
}

#[test]
fn an_import_that_was_stopped_before_an_image_was_there_is_offered_as_one_that_was_stopped() {
    let run = stopped("site-42");
    let begun = |left: bool| {
        let mut begun = run.begun.clone();
        begun.left.iter_mut().for_each(|left| left.there = 0);
        begun.left.retain(|_| left);
        NotedRun { begun, targets: Vec::new(), ..run.clone() }
    };
    for (left, row, line) in [
        (true, "stopped, 0 of 4", "stopped with 0 of 4 images in containerd"),
        (false, "11-20 08:15Z: stopped", "stopped on the way into containerd"),
    ] {
        let mut desk = Desk::new();
        desk.tell(Msg::Found(Found::Noted(vec![begun(left)])));
        let screen = desk.screen();
        for words in ["Go on importing site-42", row] {
            assert!(screen.contains(words), "{words}: {screen}");
        }
        let screen = desk.keys("D").screen();
        assert!(screen.contains(line), "{line}: {screen}");
        let screen = desk.keys("Esc R").screen();
        assert!(!screen.contains("not now"), "{screen}");
    }
}

#[test]
fn imports_that_ended_early_stay_each_with_its_own_rows_whatever_ran_after_them() {
    let mut other = NotedRun { targets: Vec::new(), ..crate::import::noted("site-50", 0) };
    other.begun.ended = Some(airlift::engine::import::changes::Ended::Whole);
    let runs = vec![other, stopped("site-42"), stopped("site-41")];
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Noted(runs)));
    let screen = desk.keys("Home").screen();
    for words in ["Go on importing site-42", "Go on importing site-41"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(!screen.contains("importing site-50"), "{screen}");
    let screen = desk.keys("End Enter").screen();
    for words in [
        "Not the last import, but site-41: site-41, 2026-11-20 08:15Z.",
        "1 later import changed something, too",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    desk.keys("Esc D Right Enter");
    let file = stopped("site-41").file;
    assert!(matches!(desk.effects.last(), Some(Effect::Dismiss(run)) if *run == file), "{:?}", desk.effects);
    let screen = desk.keys("Up Enter").screen();
    assert!(
        screen.contains("Enter opens site-41, then v verifies it: it goes on as it was begun"),
        "{screen}"
    );
}

#[test]
fn an_import_of_another_process_is_told_and_neither_gone_on_with_nor_taken_back() {
    let run = stopped("site-42");
    let mut begun = run.begun.clone();
    (begun.ended, begun.left, begun.running) = (None, Vec::new(), true);
    let running = NotedRun { begun, ..run };
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Noted(vec![running, stopped("site-41")])));
    let screen = desk.screen();
    assert!(screen.contains("another process is importing site-42 right now"), "{screen}");
    assert!(!screen.contains("Go on importing site-42"), "{screen}");
    let screen = desk.keys("Home Down Enter").screen();
    assert!(screen.contains("not now: another process is importing site-42 right now"), "{screen}");
    desk.keys("g 3").effects.clear();
    let screen = desk.keys("u").screen();
    assert!(screen.contains("not now: another process is importing site-42 right now"), "{screen}");
    let again = |effect: &Effect| matches!(effect, Effect::Ask(Query::Noted));
    assert!(desk.effects.iter().any(again), "it is looked at again: {:?}", desk.effects);
    desk.tell(Msg::Found(Found::Noted(vec![stopped("site-41")])));
    let screen = desk.keys("u").screen();
    assert!(screen.contains("Undo the import?"), "{screen}");
}

#[test]
fn resume_goes_on_with_what_the_cursor_is_on_else_with_what_was_begun_last() {
    for (keys, at) in [("Home R", Place::Bundle), ("End R", Place::Bundle)] {
        let mut desk = Desk::new();
        desk.tell(Msg::Found(Found::Noted(vec![stopped("site-42")])));
        let screen = desk.keys(keys).screen();
        assert_eq!(desk.app.model.place, at, "{keys}: {screen}");
        assert!(screen.contains("Enter opens site-42, then v verifies it"), "{keys}: {screen}");
    }
    // The pack was begun earlier than the import.
    for (keys, import) in [("Home R", false), ("Home Down R", true), ("End R", true)] {
        let mut desk = interrupted();
        let run = stopped("site-42");
        let begun = serde_json::to_string(&run.begun).unwrap().replace("2026-11-20", "2031-11-20");
        let run = NotedRun { begun: serde_json::from_str(&begun).unwrap(), ..run };
        desk.tell(Msg::Found(Found::Noted(vec![run])));
        desk.keys(keys);
        assert_eq!(desk.app.model.place == Place::Bundle, import, "{keys}: {}", desk.screen());
    }
}
