//! Report: what was made and how sure that is; saved, copied, signature added, compared, and left for another bundle.

use std::sync::Arc;
use std::time::Duration;

use airlift::actions::Act;
use airlift::dialogs::path::Entry;
use airlift::domain::diff::Diff;
use airlift::domain::job::JobId;
use airlift::domain::media::{Bus, Medium};
use airlift::domain::progress::Event;
use airlift::domain::sheet::{Checked, Grade};
use airlift::domain::view::JobView;
use airlift::engine::bundle::diff::DiffReport;
use airlift::engine::bundle::readback::Method;
use airlift::engine::error::Kind;
use airlift::engine::media::{EjectReport, Truth};
use airlift::engine::pack::PackReport;
use airlift::engine::sign::SignReport;
use airlift::engine::sign::countersign::CountersignReport;
use airlift::engine::sign::keys::KeyReport;
use airlift::engine::spec::{JobReport, JobSpec, SignerSpec};
use airlift::failure::Failure;
use airlift::tui::medium::Chosen;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg, Query};
use airlift::widgets::stepper::StepState;

use crate::made::{FINGERPRINT, digest, done, host_with_key, incomplete, looked, packed, plan, ready};
use crate::media::{seen, stick, system_disk};
use crate::rig::Desk;

/// What tells the stick from another one.
const MARK: &str = "device=AA00000000007F2A:31000000000";

/// A workstation that has packed, at the report.
fn reported(report: PackReport) -> Desk {
    reported_on(report, Some(stick(1, Some("/media/op/KINGSTON"))))
}

/// The same, onto this medium.
fn reported_on(report: PackReport, medium: Option<Medium>) -> Desk {
    let mut desk = ready();
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Plan(plan()))));
    desk.keys("Enter Right Enter");
    looked(&mut desk, medium);
    desk.tell(Msg::Ended(JobId(2), done(JobReport::Pack(report))));
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Report);
    desk.effects.clear();
    desk.wait(10);
    desk
}

fn saved(desk: &Desk) -> Vec<(String, String)> {
    let save = |effect: &Effect| match effect {
        Effect::SaveNew(files) => Some(files.clone()),
        _ => None,
    };
    let files = desk.effects.iter().filter_map(save).flatten();
    files.map(|(path, text)| (path.display().to_string(), text)).collect()
}

/// What was written over the file of a report by itself, as it is on the way out.
fn kept(desk: &Desk) -> Vec<(String, String)> {
    let save = |effect: &Effect| match effect {
        Effect::Save(path, text) if path.starts_with("/home/op/.local/share/airlift/state/reports") => {
            Some((path.display().to_string(), text.clone()))
        }
        _ => None,
    };
    desk.effects.iter().filter_map(save).collect()
}

#[test]
fn what_is_free_is_asked_for_again_when_a_pack_came_to_its_end_and_not_when_it_was_cut_off() {
    for (ended, again) in [(done(JobReport::Pack(packed())), true), (Ended::Cancelled, false)] {
        let mut desk = crate::assemble::under_way();
        desk.effects.clear();
        desk.tell(Msg::Ended(desk.job(), ended));
        let asks = |effect: &Effect| matches!(effect, Effect::Ask(Query::Media));
        assert_eq!(desk.effects.iter().any(asks), again, "{:?}", desk.effects);
    }
}

#[test]
fn a_report_is_kept_by_itself_when_its_pack_ends_and_when_it_is_left_for_that() {
    let ended = |desk: &mut Desk| {
        desk.effects.clear();
        desk.tell(Msg::Ended(desk.job(), done(JobReport::Pack(packed()))));
    };
    let mut stays = crate::assemble::under_way();
    ended(&mut stays);
    let mut leaves = crate::assemble::under_way();
    leaves.keys("p q Right Right Enter");
    ended(&mut leaves);
    leaves.tell(Msg::Written(None));
    let quits = leaves.effects.iter().position(|effect| matches!(effect, Effect::Quit));
    let saves = leaves.effects.iter().position(|effect| matches!(effect, Effect::Save(..)));
    assert!(saves.is_some() && saves < quits, "{:?}", leaves.effects);
    for desk in [&stays, &leaves] {
        let kept = kept(desk);
        assert_eq!(kept.len(), 1, "{:?}", desk.effects);
        assert!(kept[0].0.ends_with("/bundle-42-8e0b7d15-packed.txt"), "{}", kept[0].0);
        assert!(kept[0].1.contains(&digest(0x9c).to_string()), "{}", kept[0].1);
        let said = desk.app.parting().join("\n");
        let (document, file) = (digest(0x9c).to_string(), &kept[0].0);
        for needle in ["+ OK  bundle-42", &document, "key ends in   v8aLuE4c", file] {
            assert!(said.contains(needle), "{needle} in {said}");
        }
    }
    assert!(Desk::new().app.parting().is_empty(), "nothing was made");
}

#[test]
fn a_report_that_a_full_disk_does_not_take_is_not_named_as_one_that_is_there() {
    let mut desk = crate::assemble::under_way();
    desk.effects.clear();
    desk.tell(Msg::Ended(desk.job(), done(JobReport::Pack(packed()))));
    let file = kept(&desk)[0].0.clone();
    let failure = Failure::new(Kind::Space, format!("write {file}: No space left on device"))
        .hint("free space (or inodes) on that file system; the same command then goes on");
    desk.tell(Msg::Found(Found::NotSaved(file.clone().into(), failure)));
    let screen = desk.screen();
    for words in ["packed.txt was not written", "s on Report saves it,"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(desk.keys("l").screen().contains("┌ Log"), "{}", desk.screen());
    assert!(desk.keys("Esc").screen().contains("packed.txt was not written"), "{}", desk.screen());
    let said = |desk: &Desk| desk.app.parting().join("\n");
    assert!(said(&desk).contains("+ OK  bundle-42") && !said(&desk).contains(&file), "{}", said(&desk));
    desk.tell(Msg::Found(Found::Saved(vec![file.clone().into()])));
    assert!(said(&desk).contains(&file), "{}", said(&desk));
}

#[test]
fn what_was_imported_is_not_written_over_where_the_bundle_is_verified_again() {
    for (desk, end) in
        [(crate::import::imported(), "-imported.txt"), (crate::check::received(), "-verified.txt")]
    {
        let said = desk.app.parting().join("\n");
        assert_eq!((said.matches(".txt").count(), said.contains(end)), (1, true), "{end}: {said}");
    }
}

/// What lies in a directory, as the dialog asks for it.
fn listed(desk: &mut Desk, at: &str) {
    let entry = Entry { name: "bundle-42".into(), directory: true };
    desk.tell(Msg::Found(Found::Entries(at.into(), Ok(vec![entry]))));
}

#[test]
fn before_anything_is_packed_it_says_where_that_is_done() {
    let mut desk = Desk::new();
    desk.keys("b 5");
    assert!(desk.screen().contains("Nothing is packed yet: 4 does that."));
    assert!(desk.keys("s").screen().contains("not now: nothing is packed yet"));
}

#[test]
fn a_bundle_of_an_earlier_run_is_signed_and_ejected_without_a_pack() {
    let mut desk = Desk::new();
    desk.keys("b 5");
    let screen = desk.screen();
    assert!(!screen.contains("E eject") && !screen.contains("k sign"), "{screen}");
    crate::media::seen(&mut desk, vec![crate::media::carrying()]);
    insta::assert_snapshot!(desk.picture());
    desk.tell(Msg::Found(Found::Host(Arc::new(host_with_key()))));
    let started = |desk: &mut Desk| {
        let job = desk.effects.drain(..).find_map(|effect| match effect {
            Effect::Start(_, spec) => Some(*spec),
            _ => None,
        });
        desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
        job
    };
    desk.keys("k").tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    desk.keys("Enter");
    let Some(JobSpec::Sign(job)) = started(&mut desk) else { panic!() };
    assert_eq!(job.bundle.display().to_string(), "/media/op/CARGO/site-41");
    assert_eq!((job.only, job.document), (Some(MARK.to_owned()), Some(digest(0x41))), "that one, or none");
    desk.keys("E Right Enter");
    let Some(JobSpec::MediaEject(job)) = started(&mut desk) else { panic!() };
    assert_eq!((job.path.display().to_string(), job.verified), ("/media/op/CARGO/site-41".to_owned(), None));
    assert!(job.only.is_some(), "that medium, or nothing");
    let mut other = crate::media::carrying();
    other.volumes[0].device = "/dev/sdc1".into();
    crate::media::seen(&mut desk, vec![crate::media::carrying(), other]);
    assert!(desk.keys("E").screen().contains("not now: nothing is packed yet"), "which one is meant?");
}

#[test]
fn a_bundle_is_signed_and_ejected_from_the_commands_of_any_screen() {
    for keys in ["", "b", "b 2", "b 3"] {
        let mut desk = Desk::new();
        desk.keys(keys);
        crate::media::seen(&mut desk, vec![crate::media::carrying()]);
        let screen = desk.keys(":").typed("eject").screen();
        assert!(screen.contains("Bring everything onto the medium"), "{keys}: {screen}");
        desk.keys("Enter");
        assert_eq!(desk.app.model.place, Place::Report, "{keys}");
        assert!(desk.screen().contains("Eject the medium?"), "{keys}: {}", desk.screen());
        desk.keys("Esc").effects.clear();
        desk.keys("1 :").typed("add a signature").keys("Enter");
        assert_eq!(desk.app.model.place, Place::Report, "{keys}");
        assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::AgentKeys))));
    }
    // Where there is none, the reason is the one that its own screen says.
    let mut desk = Desk::new();
    let screen = desk.keys("b :").typed("eject").keys("Enter").screen();
    assert!(screen.contains("x nothing is packed yet"), "{screen}");
    // On the other side it is the medium that was received.
    let mut desk = crate::check::received();
    desk.keys("1 :").typed("eject").keys("Enter");
    assert_eq!(desk.app.model.place, Place::Checked);
    assert!(desk.screen().contains("Eject the medium?"), "{}", desk.screen());
    let screen = desk.keys("Esc 1 :").typed("add a signature").screen();
    assert!(screen.contains("on Report (CONNECTED): Add a signature to"), "{screen}");
}

#[test]
fn no_words_of_a_report_are_cut() {
    let mut desk = reported(packed());
    let screen = crate::rig::text(&desk.frame(80, 150));
    assert!(screen.contains("not of the medium") && !screen.contains('…'), "{screen}");
}

#[test]
fn while_a_pack_runs_nothing_of_an_earlier_one_stands_on_the_report() {
    let mut made = well().app.model.assembly.made.clone().unwrap();
    let how = "the device says that it has everything".to_owned();
    made.medium = vec![Checked { what: "synced", grade: Grade::Ok, how }];
    let mut desk = ready();
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Plan(plan()))));
    desk.app.model.assembly.made = Some(made);
    desk.keys("Enter Right Enter");
    looked(&mut desk, Some(stick(1, Some("/media/op/KINGSTON"))));
    let screen = desk.keys("5").screen();
    for gone in ["OK  bundle-42", "is assembled", "has everything", FINGERPRINT, "w write"] {
        assert!(!screen.contains(gone), "{gone} in {screen}");
    }
    assert!(screen.contains("What is packed now is reported here once it ends."), "{screen}");
    assert!(screen.contains("The report of bundle-42, packed before it, is kept in"), "{screen}");
    assert!(desk.keys("s").screen().contains("not now: what is packed now is reported once it ends"));
    assert!(desk.keys("y").screen().contains("airlift pack"), "{}", desk.screen());
    desk.effects.clear();
    desk.keys("Esc");
    crate::assemble::show(&mut desk, crate::assemble::fetching(), 62);
    desk.tell(Msg::Ended(desk.job(), Ended::Cancelled));
    assert!(kept(&desk).is_empty(), "nothing came of it: the report of the other bundle stays as it is");
    let screen = desk.wait(10).screen();
    assert!(screen.contains("! that is bundle-42; the pack after it did not come to its end"), "{screen}");
    let narrow = crate::rig::text(&desk.frame(60, 16)).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(narrow.contains("the pack after it did not come to its end: 4"), "{narrow}");
    assert!(!screen.contains("has everything"), "its medium was written to since: {screen}");
}

#[test]
fn a_medium_with_the_bundle_on_it_is_not_told_to_be_too_small_for_it() {
    let mut desk = reported(packed());
    let mut medium = stick(1, Some("/media/op/KINGSTON"));
    medium.volumes[0].bundles = crate::media::carrying().volumes.remove(0).bundles;
    medium.volumes[0].bundles[0].path = "/media/op/KINGSTON/bundle-42".into();
    medium.volumes[0].free = Some(1_000_000);
    desk.keys("3");
    crate::media::seen(&mut desk, vec![medium]);
    let screen = desk.wait(10).screen();
    assert!(screen.contains("+ bundle-42 was made here in this run, and read back"), "{screen}");
    assert!(screen.contains("made there") && !screen.contains("more needed"), "{screen}");
    assert!(!screen.contains("not verified"), "{screen}");
}

/// The report of one that is well.
pub(crate) fn well() -> Desk {
    reported(packed())
}

#[test]
fn a_bundle_that_is_well_is_told_with_everything_that_was_checked() {
    let mut desk = well();
    insta::assert_snapshot!(desk.picture());
    assert_eq!(desk.app.model.state(Place::Report), StepState::Ok);
    desk.keys("End PageUp");
    insta::assert_snapshot!(desk.picture());
}

/// The report of a bundle without this program, whose pack warned of these.
fn warned(warnings: &[&str]) -> Desk {
    let mut desk = ready();
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Plan(plan()))));
    desk.keys("Enter Right Enter");
    looked(&mut desk, None);
    let mut view = JobView::default();
    for text in warnings {
        view.apply(&Event::Warning { text: (*text).into() }, Duration::ZERO);
    }
    let mut report = packed();
    report.bundle.not_carried = Some("this airlift is not static".into());
    desk.tell(Msg::Job(JobId(2), Arc::new(view)));
    desk.tell(Msg::Ended(JobId(2), done(JobReport::Pack(report))));
    desk.keys("Enter");
    desk
}

#[test]
fn a_warning_stands_beside_the_verdict_that_it_lowers() {
    let mut desk = warned(&["this airlift is not static", "the clock was moved", "a tag has moved"]);
    let screen = desk.screen();
    let headline = screen.lines().skip(3).take(2).collect::<Vec<_>>().join(" ");
    let headline = headline.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(headline.starts_with("! WARN bundle-42 is assembled"), "{screen}");
    assert!(headline.contains("the clock was moved (and 1 more warning)"), "{screen}");
}

#[test]
fn a_whole_bundle_without_this_program_is_ok_and_says_that_it_lacks_it() {
    let mut desk = warned(&["this airlift is not static"]);
    let screen = desk.screen();
    assert!(
        screen.contains("+ OK  bundle-42 is assembled, read back from the medium and signed"),
        "{screen}"
    );
    assert_eq!(desk.app.model.state(Place::Report), StepState::Ok);
    let sheet = desk.app.model.assembly.made.as_ref().unwrap().sheet();
    assert_eq!(sheet.warnings, ["this airlift is not static"]);
}

#[test]
fn an_incomplete_bundle_names_what_is_missing() {
    let mut desk = reported(incomplete());
    insta::assert_snapshot!(desk.picture());
    assert_eq!(desk.app.model.state(Place::Report), StepState::Warn);
}

#[test]
fn what_was_not_read_back_or_not_from_the_medium_itself_is_no_plain_ok() {
    let mut report = packed();
    report.bundle.read_back = None;
    let screen = reported(report).screen();
    assert!(
        screen.contains("! WARN  bundle-42 is assembled and signed, but it was not read back"),
        "{screen}"
    );
    let mut report = packed();
    if let Some(read) = &mut report.bundle.read_back {
        read.method = Method::CacheDropped;
    }
    let mut desk = reported(report);
    let screen = desk.screen().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains("part of it may have come from memory"), "{screen}");
    desk.keys("/ refuses Enter");
    assert!(desk.screen().contains("! read back 61.2 GB; this file system refuses"), "{}", desk.screen());
}

#[test]
fn it_is_saved_as_text_markdown_and_json_and_not_with_the_medium() {
    let mut desk = reported(packed());
    desk.keys("s");
    listed(&mut desk, "/home/op/");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    let files = saved(&desk);
    let names: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(names, ["json", "md", "txt"].map(|end| format!("/home/op/bundle-42-report-packed.{end}")));
    let json: serde_json::Value = serde_json::from_str(&files[0].1).unwrap();
    assert_eq!((json["serial"].as_u64(), json["grade"].as_str()), (Some(42), Some("ok")));
    assert!(files[1].1.starts_with("# Airlift report: bundle-42"));
    for needle in [FINGERPRINT, &digest(0x9c).to_string(), "airlift verify MOUNT/bundle-42", "sha256sum -c"] {
        assert!(files[2].1.contains(needle), "{needle} in {}", files[2].1);
    }
    desk.tell(Msg::Found(Found::Saved(files.iter().map(|(path, _)| path.into()).collect())));
    assert!(desk.screen().contains("written: /home/op/bundle-42-report-packed.json, .md, .txt"));
}

#[test]
fn it_is_saved_in_a_directory_that_is_made_for_it_and_offered_there_again() {
    let mut desk = reported(packed());
    desk.keys("s");
    listed(&mut desk, "/home/op/");
    desk.typed("reports");
    assert!(desk.screen().contains("there is no such directory: it will be created"), "{}", desk.screen());
    desk.keys("Enter").tell(Msg::Found(Found::Entry("/home/op/reports".into(), Ok(None))));
    assert_eq!(saved(&desk)[0].0, "/home/op/reports/bundle-42-report-packed.json");
    assert!(desk.keys("s").screen().contains("/home/op/reports"), "{}", desk.screen());
}

#[test]
fn the_key_that_the_other_side_needs_is_named_with_both_ways_to_trust_it() {
    let mut desk = reported(packed());
    let text = airlift_report(&mut desk);
    let line = |what: &str| text.lines().any(|line| line.contains(what));
    assert!(line("public key") && line("signing_key.pub"), "{text}");
    assert!(line("K (trust) at the bundle"), "{text}");
    assert!(line("airlift key trust PUBLIC_KEY_FILE --fingerprint FINGERPRINT"), "{text}");
}

/// The whole report, as it is copied from a heading.
fn airlift_report(desk: &mut Desk) -> String {
    desk.keys("c");
    match desk.effects.pop() {
        Some(Effect::Copy(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_ever_saved_into_the_signed_directory() {
    let mut desk = reported(packed());
    desk.app.model.cwd = "/media/op/KINGSTON".into();
    desk.keys("s");
    assert!(desk.screen().contains("/home/op/"), "the medium is not proposed: {}", desk.screen());
    desk.keys("Ctrl-U").typed("/media/op/KINGSTON/");
    listed(&mut desk, "/media/op/KINGSTON/");
    desk.typed("bundle-42").keys("Enter");
    assert!(
        desk.screen().contains("x this is inside the bundle: name a directory outside"),
        "{}",
        desk.screen()
    );
    assert!(saved(&desk).is_empty());
    // What was refused is mended where it stands, and is not what is proposed the next time.
    desk.keys("Esc s");
    let screen = desk.screen();
    assert!(screen.contains("/home/op/") && !screen.contains("KINGSTON/bundle-42/"), "{screen}");
}

#[test]
fn the_row_under_the_cursor_is_copied_whole_and_a_heading_copies_the_report() {
    let mut desk = reported(packed());
    desk.keys("c");
    let copied = |desk: &mut Desk| match desk.effects.pop() {
        Some(Effect::Copy(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(copied(&mut desk).starts_with("Airlift report: bundle-42\n====="));
    desk.keys("/ document Enter c");
    assert_eq!(copied(&mut desk), digest(0x9c).to_string());
}

#[test]
fn a_second_key_signs_and_stands_in_the_report_beside_the_first() {
    let mut desk = reported(packed());
    desk.keys("k");
    let none = Failure::usage("there is no ssh-agent: SSH_AUTH_SOCK is not set");
    desk.tell(Msg::Found(Found::AgentKeys(Err(none))));
    desk.effects.clear();
    desk.keys("Enter");
    let job = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, spec) => match &**spec {
            JobSpec::Sign(job) => Some(job.clone()),
            _ => None,
        },
        _ => None,
    });
    let job = job.unwrap();
    assert_eq!(job.bundle.display().to_string(), "/media/op/KINGSTON/bundle-42");
    assert!(matches!(job.signer, SignerSpec::Key(_)) && !job.dry_run);
    assert_eq!((job.only.as_deref(), job.document), (Some(MARK), Some(digest(0x9c))), "that one, or none");
    // The medium holds the bundle and little more.
    let mut full = stick(1, Some("/media/op/KINGSTON"));
    full.volumes[0].free = Some(1000);
    seen(&mut desk, vec![full]);
    desk.tell(Msg::Job(desk.job(), Arc::new(JobView::default())));
    let screen = desk.screen();
    assert!(screen.contains("3 Media ok") && screen.contains("[5 Report running]"), "{screen}");
    let signature = second_signature();
    let report = CountersignReport {
        bundle: "/media/op/KINGSTON/bundle-42".into(),
        name: "bundle-42".into(),
        document: digest(0x9c),
        images: 3,
        bytes: 61_200_000_000,
        signature: Some(signature),
        would_sign: None,
    };
    // A signature of another bundle is none of this one, wherever that lay.
    desk.app.model.countersigned(&CountersignReport { document: digest(0x9d), ..report.clone() });
    assert!(desk.app.model.assembly.made.as_ref().unwrap().signatures.is_empty());
    desk.tell(Msg::Ended(JobId(3), done(JobReport::Sign(report))));
    let screen = desk.screen();
    assert!(screen.contains("SHA256:SecondKey") && screen.contains(FINGERPRINT), "{screen}");
    assert!(screen.contains("signature added") && !screen.contains("is older"));
    // The other side is told to ask for both; whose each key is stands on the paper.
    let text = airlift_report(&mut desk);
    let paper = text.split("To carry on paper").nth(1).unwrap();
    let keys: Vec<&str> = paper
        .lines()
        .map(str::trim)
        .filter(|row| row.starts_with("key") || row.starts_with("public"))
        .collect();
    let labels: Vec<&str> = keys.iter().map(|row| row.split("  ").next().unwrap()).collect();
    assert_eq!(labels, ["key", "key ends in", "public key", "key", "key ends in", "key of"], "{text}");
    assert!(keys[2].ends_with("  (of the key that ends in v8aLuE4c)"), "{text}");
    assert!(keys[5].ends_with("eve@office") && text.contains("SHA256:SecondKey (eve@office)"), "{text}");
    assert!(text.contains("airlift verify MOUNT/bundle-42 --min-signatures 2"), "{text}");
    assert!(text.contains("m (signatures) on Verify asks for as many"), "{text}");
    assert!(text.contains("the next signature, with the PRINCIPAL of its own key"), "{text}");
}

#[test]
fn what_is_signed_is_what_lay_there_when_that_was_asked_for() {
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Host(Arc::new(host_with_key())))).keys("b 5");
    crate::media::seen(&mut desk, vec![crate::media::carrying()]);
    desk.keys("k").tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    // Swapped while the question stands: another bundle of that name, at the same place.
    let mut other = crate::media::carrying();
    (other.serial, other.sequence) = (Some("BB0000000000C0DE".to_owned()), Some(9));
    if let Some(words) = &mut other.volumes[0].bundles[0].words {
        words.document = digest(0x42);
    }
    crate::media::seen(&mut desk, vec![other]);
    desk.keys("Enter");
    let job = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, spec) => match &**spec {
            JobSpec::Sign(job) => Some(job.clone()),
            _ => None,
        },
        _ => None,
    });
    let job = job.unwrap();
    assert_eq!(job.bundle.display().to_string(), "/media/op/CARGO/site-41");
    assert_eq!((job.only.as_deref(), job.document), (Some(MARK), Some(digest(0x41))));
}

#[test]
fn a_key_that_is_given_up_signs_nothing_when_its_file_was_read_at_last() {
    let key = |path: &str| {
        let public = "ssh-ed25519 AAAA ops".to_owned();
        let report = KeyReport {
            fingerprint: FINGERPRINT.into(),
            key_id: "77aa00112233bbcc".into(),
            algorithm: "ssh-ed25519".into(),
            public,
            path: Some(path.into()),
        };
        Msg::Found(Found::PublicKey(path.into(), Box::new(report)))
    };
    let chosen = || {
        let mut desk = reported(packed());
        desk.keys("k").tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
        desk.keys("Down Enter Ctrl-U").typed("/keys/ops");
        let entry = Entry { name: "ops".into(), directory: false };
        desk.tell(Msg::Found(Found::Entries("/keys/".into(), Ok(vec![entry]))));
        desk.keys("Enter");
        desk
    };
    let signs = |desk: &Desk| desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..)));
    let mut desk = chosen();
    desk.tell(key("/keys/other"));
    assert!(!signs(&desk), "another file than the one that was named");
    desk.tell(key("/keys/ops"));
    assert!(signs(&desk));
    let mut desk = chosen();
    desk.keys("k Esc").tell(key("/keys/ops"));
    assert!(!signs(&desk), "it was given up");
}

#[test]
fn a_signature_that_failed_says_why() {
    let mut desk = reported(packed());
    desk.keys("k");
    desk.tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    desk.keys("Enter");
    let failure = Failure::usage("no key").hint("make one");
    desk.tell(Msg::Ended(JobId(3), Ended::Failed(failure)));
    assert!(desk.screen().contains("x FAIL  no key") && desk.screen().contains("next: make one"));
}

#[test]
fn it_is_compared_with_the_bundle_before_it() {
    let mut desk = reported(packed());
    desk.keys("d");
    assert!(desk.screen().contains("/media/op/KINGSTON/bundle-41"), "{}", desk.screen());
    let entry = Entry { name: "bundle-41".into(), directory: true };
    desk.tell(Msg::Found(Found::Entries("/media/op/KINGSTON/".into(), Ok(vec![entry]))));
    desk.effects.clear();
    desk.keys("Enter");
    let started = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, spec) => match &**spec {
            JobSpec::Diff(spec) => Some((spec.first.clone(), spec.second.clone())),
            _ => None,
        },
        _ => None,
    });
    let (first, second) = started.unwrap();
    assert_eq!(first.file_name().unwrap(), "bundle-41");
    assert_eq!(second.file_name().unwrap(), "bundle-42");
    let diff = plan().place.previous.unwrap().changes.unwrap();
    let report = DiffReport { first: "bundle-41".into(), second: "bundle-42".into(), verified: false, diff };
    desk.tell(Msg::Ended(JobId(3), done(JobReport::Diff(report))));
    insta::assert_snapshot!(desk.picture());
    assert_eq!(Diff::default().line(), "0 added, 0 removed, 0 changed, 0 the same");
}

pub(crate) fn truth(holds: bool, words: &str) -> Truth {
    Truth { holds, words: words.to_owned() }
}

pub(crate) fn ejected(synced: Truth, verified: Truth, powered_off: Truth) -> JobReport {
    let medium = Medium {
        name: "sdb".to_owned(),
        device: "/dev/sdb".into(),
        model: Some("KINGSTON".to_owned()),
        serial: Some("AA007F2A".to_owned()),
        bus: Bus::Usb,
        removable: true,
        read_only: false,
        size: 128_000_000_000,
        sequence: Some(7),
        file: None,
        volumes: Vec::new(),
        blocked: None,
        notes: Vec::new(),
    };
    let unmounted = vec!["/media/op/KINGSTON".into()];
    JobReport::MediaEject(EjectReport { medium, synced, verified, powered_off, unmounted, dry_run: false })
}

#[test]
fn the_medium_is_let_go_after_a_question_and_three_truths_are_told_apart() {
    let mut desk = reported(packed());
    // Known from the pack alone, and as it is there.
    let screen = desk.keys("E").screen();
    assert!(screen.contains("Mounted: /dev/sdb1 at /media/op/KINGSTON"), "{screen}");
    desk.keys("Esc");
    crate::media::seen(&mut desk, vec![stick(1, Some("/media/op/KINGSTON"))]);
    desk.keys("E");
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Enter");
    assert!(desk.effects.is_empty(), "Cancel is where one stands");
    desk.keys("E Right Enter");
    let spec = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, spec) => match &**spec {
            JobSpec::MediaEject(spec) => Some(spec.clone()),
            _ => None,
        },
        _ => None,
    });
    let spec = spec.unwrap();
    assert_eq!(spec.only.as_deref(), Some(MARK), "what it was packed onto, or nothing");
    let verified = spec.verified.unwrap();
    assert_eq!(verified, "read back from the medium itself (direct I/O): 61.2 GB");
    let synced = truth(true, "the device says that it has everything");
    let off = truth(false, "unmounted, not powered off: udisks2 does not run here");
    desk.tell(Msg::Ended(JobId(3), done(ejected(synced, truth(true, &verified), off))));
    insta::assert_snapshot!(desk.picture());
    desk.keys("k");
    assert!(desk.screen().contains("not now: the medium was ejected"));
    desk.keys("s");
    assert!(desk.screen().contains("/home/op/"), "the report is saved where it can be");
}

#[test]
fn what_is_ejected_is_what_lay_there_when_that_was_asked() {
    let mut desk = Desk::new();
    desk.keys("b 5");
    crate::media::seen(&mut desk, vec![crate::media::carrying()]);
    let screen = desk.keys("E").screen();
    for needle in ["Kingston DataTraveler", "AA00000000007F2A", "/dev/sdb1 at /media/op/CARGO"] {
        assert!(screen.contains(needle), "{needle} in {screen}");
    }
    let mut other = crate::media::carrying();
    (other.serial, other.sequence) = (Some("BB0000000000C0DE".to_owned()), Some(9));
    other.volumes[0].bundles[0].path = "/media/op/CARGO/other-1".into();
    crate::media::seen(&mut desk, vec![other]);
    desk.keys("Right Enter");
    let spec = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, spec) => match &**spec {
            JobSpec::MediaEject(spec) => Some(spec.clone()),
            _ => None,
        },
        _ => None,
    });
    let spec = spec.unwrap();
    assert_eq!(spec.path.display().to_string(), "/media/op/CARGO/site-41");
    assert_eq!(spec.only.as_deref(), Some(MARK));
}

#[test]
fn what_is_no_medium_or_the_own_disk_is_not_let_go_and_the_reason_is_said() {
    let built_in = Medium { blocked: None, ..system_disk() };
    for (medium, reason) in [
        (None, "not on a medium"),
        (Some(system_disk()), "this host's own disk"),
        (Some(built_in), "a built-in disk"),
    ] {
        let mut desk = reported_on(packed(), medium);
        let screen = desk.keys("E").screen();
        assert!(screen.contains("not now: the bundle is") && screen.contains(reason), "{screen}");
        assert!(!screen.contains("Eject the medium?"), "{screen}");
    }
}

#[test]
fn a_medium_that_was_not_read_back_is_never_told_as_verified() {
    let mut report = packed();
    report.bundle.read_back = None;
    let mut desk = reported(report);
    desk.keys("E");
    assert!(desk.screen().contains("It was NOT read back"));
    desk.effects.clear();
    desk.keys("Right Enter");
    let told = desk.effects.iter().any(|effect| match effect {
        Effect::Start(_, spec) => matches!(&**spec, JobSpec::MediaEject(spec) if spec.verified.is_none()),
        _ => false,
    });
    assert!(told);
    let not = truth(false, "not known here; airlift verify BUNDLE reads it back");
    desk.tell(Msg::Ended(
        JobId(3),
        done(ejected(truth(false, "cannot sync: EIO"), not, truth(true, "by udisks2"))),
    ));
    let screen = desk.screen();
    assert!(screen.contains("synced       x NO: cannot sync: EIO"), "{screen}");
    assert!(screen.contains("verified     ! NO: not known here"), "{screen}");
}

#[test]
fn the_command_of_a_report_is_the_one_that_made_the_bundle() {
    let mut desk = reported(packed());
    desk.app.model.assembly.name = "other".to_owned();
    let screen = desk.keys("y").screen();
    assert!(screen.contains("airlift pack") && !screen.contains("--name other"), "{screen}");
    assert!(screen.contains("Copied, where the terminal takes OSC 52"), "{screen}");
    let copied = desk.effects.iter().find_map(|effect| match effect {
        Effect::Copy(text) => Some(text.as_str()),
        _ => None,
    });
    assert!(copied.is_some_and(|text| text.starts_with("airlift pack ")), "{copied:?}");
}

#[test]
fn another_bundle_is_begun_with_the_same_list_or_an_empty_one() {
    let mut desk = reported(packed());
    desk.keys("n");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    assert_eq!(desk.app.model.place, Place::Report, "Cancel is where one stands");
    desk.keys("n Right Enter");
    assert_eq!((desk.app.model.place, desk.app.model.picked.images.len()), (Place::Images, 3));
    assert!(desk.app.model.assembly.made.is_none() && desk.app.model.assembly.to.is_none());
    assert_eq!(desk.app.model.state(Place::Report), StepState::Todo);
    // Tags may have moved since the bundle before: they are asked for again.
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Stale);
    desk.effects.clear();
    desk.keys("v");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Start(Act::Resolve, _))));
    // One that is put in again is offered like any other: nothing says that it is chosen while nothing goes there.
    let mut desk = reported(packed());
    let medium = stick(1, Some("/media/op/KINGSTON"));
    desk.app.model.choose(Chosen::volume(&medium, &medium.volumes[0]).unwrap());
    crate::media::seen(&mut desk, vec![]);
    desk.keys("n Right Enter");
    crate::media::seen(&mut desk, vec![stick(1, Some("/media/op/KINGSTON"))]);
    assert_eq!(desk.app.model.state(Place::Media), StepState::Todo);
    let screen = desk.keys("3").wait(10).screen();
    assert!(screen.contains("no medium chosen yet"), "{screen}");
    let mut desk = reported(packed());
    desk.keys("n Right Right Enter");
    assert!(desk.app.model.picked.images.is_empty());
}

#[test]
fn a_job_of_this_screen_is_stopped_and_paused_here() {
    let mut desk = reported(packed());
    assert!(desk.keys("x").screen().contains("x does nothing here"), "without a job there is no such key");
    desk.keys("E Right Enter").tell(Msg::Job(JobId(3), std::sync::Arc::default()));
    desk.effects.clear();
    desk.keys("p p");
    let pauses = desk.effects.iter().filter(|effect| matches!(effect, Effect::Pause(JobId(3), _)));
    assert_eq!(pauses.count(), 2);
    assert!(desk.keys("x").screen().contains("Stop the job?"), "{}", desk.screen());
    desk.keys("Right Enter");
    assert!(
        desk.effects.iter().any(|effect| matches!(effect, Effect::Cancel(JobId(3)))),
        "{:?}",
        desk.effects
    );
}

fn second_signature() -> SignReport {
    SignReport {
        path: "airlift/signatures/77aa00112233bbcc.sig".into(),
        fingerprint: "SHA256:SecondKey".into(),
        key_id: "77aa00112233bbcc".into(),
        algorithm: "ssh-ed25519".into(),
        comment: Some("eve@office".into()),
        added: true,
    }
}

#[test]
fn a_report_that_was_saved_before_a_second_signature_is_said_to_be_older_until_it_is_saved_again() {
    let mut desk = reported(packed());
    let save = |desk: &mut Desk| desk.keys("s Ctrl-U").typed("/home/op").keys("Enter").screen();
    assert!(!save(&mut desk).contains("is older"));
    let saved = |desk: &mut Desk| {
        desk.tell(Msg::Found(Found::Saved(vec!["/home/op/site-42-report.txt".into()]))).wait(10);
    };
    saved(&mut desk);
    desk.app.model.assembly.made.as_mut().unwrap().signatures.push(second_signature());
    let screen = desk.tell(Msg::Tick).keys("Down Up").screen();
    assert!(screen.contains("the report saved in /home/op is older than this: s saves it again"), "{screen}");
    assert!(save(&mut desk).contains("is older"), "not before it is written: {}", desk.screen());
    saved(&mut desk);
    assert!(!desk.screen().contains("is older"), "{}", desk.screen());
}

#[test]
fn an_eject_makes_a_saved_report_older_only_where_the_medium_did_not_take_everything() {
    for synced in [true, false] {
        let mut desk = reported(packed());
        desk.keys("s Ctrl-U").typed("/home/op").keys("Enter");
        desk.tell(Msg::Found(Found::Saved(vec!["/home/op/site-42-report.txt".into()]))).wait(10);
        desk.keys("E Right Enter");
        let report = ejected(truth(synced, "so"), truth(true, "so"), truth(true, "so"));
        let screen = desk.tell(Msg::Ended(JobId(3), done(report))).wait(10).screen();
        assert!(screen.contains("take it out"), "{screen}");
        assert_eq!(screen.contains("is older than this"), !synced, "{screen}");
        assert!(
            screen.contains("the report saved in /home/op is from before the eject: s saves it again"),
            "{screen}"
        );
        desk.keys("s Ctrl-U").typed("/home/op").keys("Enter");
        desk.tell(Msg::Found(Found::Saved(vec!["/home/op/site-42-report.txt".into()]))).wait(10);
        assert!(!desk.screen().contains("before the eject"), "{}", desk.screen());
    }
}

#[test]
fn after_an_eject_it_is_said_whether_the_medium_may_be_pulled() {
    for (synced, off, words) in [
        (true, true, "take it out  + yes, now"),
        (true, false, "take it out  + yes, now; a disk that spins, once it stands still"),
        (false, false, "take it out  x it is unmounted, but not everything is on it: pack it"),
    ] {
        let mut desk = reported(packed());
        desk.keys("E Right Enter");
        let report = ejected(truth(synced, "so"), truth(true, "so"), truth(off, "so"));
        desk.tell(Msg::Ended(JobId(3), done(report)));
        let screen = desk.wait(10).screen();
        assert!(screen.contains(words), "{words}: {screen}");
        assert_eq!(screen.contains("NO: so"), !off, "{screen}");
        assert!(!screen.contains("! NO: so"), "a drive that keeps its power is no reason to wait: {screen}");
    }
}
