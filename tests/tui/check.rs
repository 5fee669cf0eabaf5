//! Verifying a bundle: the list that fills, what stands in the way, pinning a first key, and real bundles good and bad.

use std::sync::Arc;
use std::time::Duration;

use airlift::actions::Act;
use airlift::domain::job::JobId;
use airlift::domain::media::{Bus, Medium};
use airlift::domain::progress::{Check, Event, Phase};
use airlift::domain::trust::{AllowRollback, SerialDecision};
use airlift::domain::view::JobView;
use airlift::engine::bundle::offer::Said;
use airlift::engine::bundle::verify::{History, VerifyReport};
use airlift::engine::error::Kind;
use airlift::engine::sign::keys::KeyReport;
use airlift::engine::sign::{AllowedSigners, Outcome, TrustError};
use airlift::engine::spec::{JobReport, JobSpec};
use airlift::failure::Failure;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Ended, Found, Msg, Query};
use airlift::widgets::stepper::StepState;

use crate::import::{bundle, stopped_at, verified};
use crate::live::Live;
use crate::made::{FINGERPRINT, done};
use crate::offers::{expired, found, offer};
use crate::rig::{Desk, now, text};

fn desk(decision: Option<SerialDecision>) -> Desk {
    let mut desk = Desk::new();
    desk.keys("g").tell(found(vec![offer(42, decision)]));
    desk.keys("Enter");
    desk
}

/// A bundle whose key is not trusted here.
pub(crate) fn unknown() -> Desk {
    desk(None)
}

/// A bundle older than one that was accepted.
pub(crate) fn older() -> Desk {
    desk(Some(SerialDecision::Rollback { accepted: 43, offered: 42 }))
}

/// Every byte is being read.
pub(crate) fn under_way() -> Desk {
    let mut desk = desk(newer());
    desk.keys("v").tell(view(6, false));
    desk
}

fn newer() -> Option<SerialDecision> {
    Some(SerialDecision::Newer { from: 41 })
}

fn differs() -> String {
    let (expected, actual) = ("ab".repeat(32), "cd".repeat(32));
    format!("blobs/sha256/{expected}: expected sha256:{expected}, the bytes hash to sha256:{actual}")
}

pub(crate) fn view(passed: usize, failed: bool) -> Msg {
    let mut view = JobView::default();
    let at = Duration::ZERO;
    for check in &Check::ALL[..passed] {
        view.apply(
            &Event::Passed { check: *check, words: format!("its {} is as it should be", check.name()) },
            at,
        );
    }
    let phase = Phase::Verify;
    if passed == Check::ALL.len() - 1 {
        view.apply(&Event::Started { phase, items: 14, bytes: 61_200_000_000 }, at);
        view.apply(&Event::Bytes { phase, done: 24_900_000_000 }, Duration::from_secs(200));
        if failed {
            let item = format!("sha256:{}", "ab".repeat(32));
            view.apply(&Event::Failed { phase, item, reason: differs() }, Duration::from_secs(201));
            let item = "registry.k8s.io/etcd:3.5.12".to_owned();
            let reason = format!("needs blobs/sha256/{}, which is damaged", "ab".repeat(32));
            view.apply(&Event::Failed { phase, item, reason }, Duration::from_secs(201));
        }
    }
    Msg::Job(JobId(1), Arc::new(view))
}

fn failed(kind: Kind, message: &str, hint: &str) -> Msg {
    Msg::Ended(JobId(1), Ended::Failed(Failure::new(kind, message).hint(hint)))
}

#[test]
fn without_a_bundle_it_says_where_there_are_some() {
    let mut desk = Desk::new();
    assert!(desk.keys("g 2").screen().contains("No bundle is chosen"));
    assert!(desk.keys("v").screen().contains("not now: no bundle is chosen"));
}

#[test]
fn a_fingerprint_that_is_pasted_is_sent_to_the_key_that_asks_for_it() {
    let mut desk = desk(newer());
    for (step, words) in [
        ("1", "pasted text: K asks for a fingerprint; nothing"),
        ("2", "pasted text: K asks for a fingerprint; nothing"),
        ("3", "pasted text: open a dialog first; nothing"),
    ] {
        desk.keys(step).tell(Msg::Paste(FINGERPRINT.to_owned().into()));
        assert!(desk.screen().contains(words), "{step}: {}", desk.screen());
    }
}

#[test]
fn a_check_that_held_keeps_its_column_whatever_its_words_begin_with() {
    let mut desk = desk(newer());
    desk.keys("v").tell(view(6, false));
    let screen = desk.screen();
    assert!(screen.contains("manifests   its manifests is as it should be"), "{screen}");
}

#[test]
fn what_will_be_checked_stands_there_before_it_is() {
    insta::assert_snapshot!(desk(newer()).picture());
}

#[test]
fn the_list_fills_while_the_bytes_are_read() {
    let mut desk = desk(newer());
    desk.keys("v").tell(view(6, false));
    desk.wait(210);
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn a_serial_with_nothing_to_compare_it_with_is_a_warning_in_its_row_too() {
    let row = |desk: &mut Desk| {
        let screen = desk.wait(10).screen();
        screen.lines().find(|line| line.contains("rollback is as it should be")).unwrap().to_owned()
    };
    for (decision, state) in [
        (SerialDecision::First, "! warn"),
        (SerialDecision::Newer { from: 41 }, "ok"),
        (SerialDecision::Same, "ok"),
    ] {
        let mut desk = desk(Some(decision.clone()));
        desk.keys("v").tell(view(6, false));
        assert!(row(&mut desk).trim_start().starts_with(state), "{decision:?}: {}", row(&mut desk));
        // What the report says of it holds, whatever was seen before.
        let history = vec![History { fingerprint: FINGERPRINT.to_owned(), decision }];
        let report = VerifyReport { history, ..crate::import::verified() };
        desk.tell(Msg::Ended(JobId(1), done(JobReport::Verify(report))));
        assert!(row(&mut desk).trim_start().starts_with(state), "{}", row(&mut desk));
    }
}

#[test]
fn a_damaged_file_stands_above_the_images_and_says_what_it_should_be() {
    let mut desk = desk(newer());
    desk.keys("v").tell(view(6, true));
    desk.tell(failed(
        Kind::Integrity,
        &differs(),
        "the medium or the copy is damaged: copy or pack it again; do not trust this medium",
    ));
    insta::assert_snapshot!(desk.picture());
    let screen = desk.screen();
    assert_eq!(screen.matches("hash to sha256:cdcdcdcd").count(), 1, "{screen}");
    assert!(screen.contains("expected sha256:abababab…, the bytes"), "{screen}");
    assert!(screen.contains("x FAIL   registry.k8s.io/etcd:3.5.12"), "{screen}");
    assert!(screen.contains("-        docker.io/library/nginx:1.25.3"), "{screen}");
    desk.keys("Down d");
    insta::assert_snapshot!(desk.picture());
    let screen = desk.screen();
    for letters in ["ab", "cd"] {
        assert!(screen.contains(&format!("│ sha256:{} ", letters.repeat(32))), "{screen}");
    }
}

#[test]
fn a_key_that_is_not_trusted_is_shown_but_for_what_is_to_be_typed_from_paper() {
    let mut desk = desk(None);
    insta::assert_snapshot!(desk.picture());
    let small = crate::rig::text(&desk.frame(60, 16));
    let whole = small.split_whitespace().collect::<Vec<_>>().join(" ");
    let next = "The last 8 are not shown: K asks for them, from its signer's paper.";
    assert!(whole.contains("It was signed by:") && whole.contains(next), "{small}");
    desk.keys("K");
    insta::assert_snapshot!(desk.picture());
    // Too few are no alarm; those of another key are.
    let screen = desk.typed("LuE4c").keys("Enter").screen();
    assert!(screen.contains("x 8 characters wanted, 5 typed"), "{screen}");
    desk.keys("Ctrl-U").typed("qv8aLuE4").keys("Enter");
    let screen = desk.screen();
    assert!(screen.contains("given: qv8aLuE4") && screen.contains("Capitals count."), "{screen}");
    assert!(!screen.contains("signed by: "), "what signed is not to be copied from there: {screen}");
    insta::assert_snapshot!(desk.picture());
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))));
    // What is typed next is not behind what was wrong.
    let screen = desk.keys("Esc").screen();
    assert!(
        !screen.contains("qv8aLuE4") && screen.contains("x no fingerprint of this bundle ends so"),
        "{screen}"
    );
    let screen = desk.typed("Qv8aLuE4c").keys("Enter").screen();
    assert!(screen.contains("Trust a key: its owner") && screen.contains(FINGERPRINT), "{screen}");
}

#[test]
fn the_keys_that_signed_stay_in_sight_after_a_refusal_and_nowhere_with_their_ends() {
    let mut desk = unknown();
    let Some(Ok(said)) = desk.app.model.gap.offer().map(|offer| &offer.said) else { panic!() };
    let message = TrustError(Box::new(said.trust.clone())).to_string();
    desk.keys("v").tell(view(1, false)).tell(failed(Kind::Trust, &message, "ask its signer"));
    let (shown, end) = FINGERPRINT.split_at(FINGERPRINT.len() - 8);
    let shown = format!("{shown}........");
    let screen = desk.screen();
    assert!(screen.contains("x REFUSED (trust)") && screen.contains(&format!("     {shown}\n")), "{screen}");
    assert!(screen.contains("The last 8 are not shown: K asks for them"), "{screen}");
    assert!(!screen.contains(end), "{screen}");
    let screen = desk.keys("d").screen();
    assert!(
        screen.contains("signatures failed") && screen.contains(&shown) && !screen.contains(end),
        "{screen}"
    );
    let screen = desk.keys("Esc 1").screen();
    assert!(screen.contains(&shown) && !screen.contains(end), "where K is a key, too: {screen}");
    assert!(screen.contains("refused: nothing of it may be used; 2 says why"), "{screen}");
    let report = text(&desk.keys("2 c 4 c").frame(120, 60));
    assert!(report.contains(&shown) && !report.replace(' ', "").contains(end), "{report}");
    assert!(!report.contains("key ends in"), "what is typed to trust it comes from paper: {report}");
    let given = desk.effects.iter().filter_map(|effect| match effect {
        Effect::Copy(text) => Some(text.clone()),
        Effect::Save(_, text) => Some(text.clone()),
        _ => None,
    });
    let given: Vec<String> = given.chain([desk.app.parting().join("\n")]).collect();
    assert!(given.len() > 3 && given.iter().all(|text| !text.contains(end)), "{given:?}");
}

#[test]
fn of_two_keys_that_signed_the_one_is_trusted_whose_end_is_typed() {
    let mut desk = by_two(false);
    let Some(Ok(said)) = desk.app.model.gap.offer().map(|offer| offer.said.clone()) else { panic!() };
    let mut offer = offer(42, None);
    if let Ok(other) = &mut offer.said {
        **other = (*said).clone();
        other.trust.signed_by.clear();
        other.trust.signatures.iter_mut().for_each(|judged| judged.outcome = Outcome::UnknownKey);
    }
    desk.tell(found(vec![offer]));
    let screen = desk.screen();
    for shown in ["5xQ........", "SHA256:secondkeysecondkeysecondkeysecondke........"] {
        assert!(screen.contains(shown), "{screen}");
    }
    assert!(screen.contains("K asks for those of one key, from paper"), "{screen}");
    let screen = desk.keys("K").screen();
    assert!(screen.contains("2 keys signed that are not trusted here; the one that ends so is"), "{screen}");
    desk.typed("ysecondk").keys("Enter").typed("second@example.com").keys("Enter");
    let started = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(Act::KeyTrust, job) => Some(format!("{job:?}")),
        _ => None,
    });
    let started = started.unwrap();
    assert!(started.contains("SHA256:secondkey") && !started.contains(FINGERPRINT), "{started}");
}

/// The trusted keys of this host, asked for on Verify.
pub(crate) fn trusted_keys() -> Desk {
    let mut desk = unknown();
    desk.keys("k");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    let text =
        format!("# by hand\nrelease@example.com {key}\nops@example.com valid-before=\"20270101Z\" {key}\n");
    let path = desk.app.model.settings.places().trust;
    let signers = AllowedSigners::parse(&path, &text, &jiff::tz::TimeZone::UTC).unwrap();
    desk.tell(Msg::Ended(desk.job(), done(JobReport::TrustList(signers))));
    desk
}

#[test]
fn the_trusted_keys_are_listed_with_whose_they_are_and_the_line_that_trusts_them() {
    let screen = trusted_keys().screen();
    for words in
        ["2 trusted keys in", "release@example.com", "SHA256:", "trusted by line 2 there, without an end"]
    {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(screen.contains("trusted by line 3 there, until 2027-01-01T00:00:00Z"), "{screen}");
    let mut desk = unknown();
    desk.keys("k");
    let none = AllowedSigners { path: "/t".into(), entries: Vec::new(), notes: Vec::new() };
    let screen = desk.tell(Msg::Ended(desk.job(), done(JobReport::TrustList(none)))).screen();
    assert!(screen.contains("No key is trusted here yet: every bundle is refused."), "{screen}");
    assert!(under_way().keys("k").screen().contains("not now: verify is running"));
}

#[test]
fn an_import_stands_when_its_bundle_is_verified_once_more_and_not_when_that_is_refused() {
    let again = |end: Ended| {
        let mut desk = crate::import::imported();
        assert_eq!(desk.app.model.state(Place::Import), StepState::Ok, "{}", desk.screen());
        desk.keys("2 v").tell(Msg::Ended(JobId(60), end));
        desk
    };
    let mut desk = again(done(JobReport::Verify(verified())));
    assert_eq!(desk.app.model.state(Place::Import), StepState::Ok, "{}", desk.screen());
    assert!(desk.app.model.gap.import.run.is_some());
    let mut desk = again(Ended::Failed(Failure::new(Kind::Integrity, "damaged")));
    assert_ne!(desk.app.model.state(Place::Import), StepState::Ok, "{}", desk.screen());
}

#[test]
fn what_held_is_not_called_strict_where_that_was_asked_for_only_then() {
    let mut desk = desk(newer());
    desk.keys("v").tell(Msg::Ended(JobId(1), done(JobReport::Verify(verified())))).wait(60);
    let screen = desk.keys("s").wait(60).screen();
    assert!(screen.contains("4 is the report, of what was verified without strict"), "{screen}");
    let title = screen.lines().find(|line| line.contains("14 blobs")).unwrap();
    assert!(!title.contains("strict"), "{title}");
    assert!(
        screen.contains("! todo   every byte  hashed and compared; strict: layers are not unpacked yet"),
        "{screen}"
    );
    let lacks = "strict: no layer was unpacked yet; v verifies so, s turns it off";
    assert!(screen.contains(&format!("! {lacks}")) && screen.contains("v verify"), "{screen}");
    assert!(desk.keys("Enter").screen().contains(&format!("not now: {lacks}")), "{}", desk.screen());
    assert_eq!(desk.app.model.place, Place::Check);
    // Nothing was lost by it.
    desk.keys("s").wait(60);
    assert!(
        desk.screen().contains("OK  verified") && !desk.screen().contains("strict:"),
        "{}",
        desk.screen()
    );
    desk.keys("s v").tell(Msg::Ended(JobId(2), done(JobReport::Verify(verified())))).wait(60);
    assert!(!desk.screen().contains("unpacked yet"), "{}", desk.screen());
    assert_eq!(desk.keys("Enter").app.model.place, Place::Import);
}

#[test]
fn strict_is_said_as_long_as_it_is_on() {
    let mut desk = desk(newer());
    let title =
        |desk: &mut Desk| desk.screen().lines().find(|line| line.contains("14 blobs")).unwrap().to_owned();
    assert!(!title(&mut desk).contains("strict"), "{}", desk.screen());
    desk.keys("s").wait(60);
    assert!(title(&mut desk).contains("  strict  "), "{}", desk.screen());
    assert!(
        desk.screen().contains("hashed and compared; strict: layers are unpacked, too"),
        "{}",
        desk.screen()
    );
    desk.keys("v").tell(Msg::Ended(JobId(1), done(JobReport::Verify(crate::import::verified())))).wait(60);
    assert!(title(&mut desk).contains("  strict  "), "{}", desk.screen());
    desk.keys("s");
    assert!(!title(&mut desk).contains("strict"), "{}", desk.screen());
}

#[test]
fn what_held_is_told_to_its_end_with_its_digest_shortened() {
    let mut desk = desk(newer());
    let mut view = JobView::default();
    let document = format!("9.1 kB, sha256:{}", "ab".repeat(32));
    let signed = "1 trusted, 1 needed: release-engineering@example.com, key ends in v8aLuE4c";
    for (check, words) in [(Check::Document, &*document), (Check::Signatures, signed)] {
        view.apply(&Event::Passed { check, words: words.to_owned() }, Duration::ZERO);
    }
    desk.keys("v").tell(Msg::Job(JobId(1), Arc::new(view)));
    let screen = desk.screen();
    assert!(screen.contains("document    9.1 kB, sha256:abababab…\n"), "{screen}");
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(signed), "{screen}");
    assert!(desk.keys("d").screen().contains(&"ab".repeat(24)), "its page has all of it: {}", desk.screen());
}

/// Signed by two keys, of which the first is trusted here, or both.
pub(crate) fn by_two(both: bool) -> Desk {
    let mut offer = offer(42, newer());
    if let Ok(said) = &mut offer.said {
        let second = "SHA256:secondkeysecondkeysecondkeysecondkeysecondk";
        let mut signature = said.report.signatures[0].clone();
        signature.path = "airlift/signatures/77aa00112233bbcc.sig".into();
        signature.fingerprint = Some(second.into());
        said.report.signatures.push(signature);
        let mut judged = said.trust.signatures[0].clone();
        judged.file = "airlift/signatures/77aa00112233bbcc.sig".into();
        judged.fingerprint = Some(second.into());
        if both {
            said.trust.signed_by.push(second.into());
        } else {
            judged.outcome = Outcome::UnknownKey;
        }
        said.trust.signatures.push(judged);
    }
    let mut desk = Desk::new();
    desk.keys("g").tell(found(vec![offer]));
    desk.keys("Enter");
    desk
}

fn verifies(desk: &mut Desk) -> String {
    desk.effects.clear();
    desk.keys("v");
    let started = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, spec) => Some(spec.command_line(&desk.app.model.settings.places()).join(" ")),
        _ => None,
    });
    started.unwrap_or_default()
}

#[test]
fn two_signatures_are_asked_for_where_a_bundle_has_them_and_the_command_asks_for_them_too() {
    let mut desk = by_two(true);
    let screen = desk.screen();
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("by trusted keys; 2 signed, m asks for more"), "{screen}");
    assert!(screen.contains("m signatures"), "{screen}");
    desk.keys("m");
    insta::assert_snapshot!(desk.picture());
    assert!(desk.typed("0").keys("Enter").screen().contains("x a number from 1 to 64"));
    // The next row is the next number.
    desk.keys("Esc Down Enter");
    let screen = desk.screen();
    assert!(screen.contains("2 signatures by different trusted keys are wanted; v verifies"), "{screen}");
    assert!(screen.contains("by 2 different trusted keys"), "{screen}");
    assert!(desk.wait(10).screen().contains("2 signatures wanted"), "{}", desk.screen());
    let line = verifies(&mut desk);
    assert!(line.contains("--min-signatures 2"), "{line}");
}

#[test]
fn what_was_verified_for_one_signature_is_not_imported_once_two_are_wanted() {
    let mut desk = by_two(true);
    desk.keys("v").tell(Msg::Ended(JobId(1), done(JobReport::Verify(crate::import::verified()))));
    assert!(desk.screen().contains("OK  verified"), "{}", desk.screen());
    desk.keys("m").typed("2").keys("Enter");
    assert!(!desk.screen().contains("OK  verified"), "{}", desk.screen());
    assert_eq!(desk.app.model.state(Place::Check), StepState::Stale);
    assert!(desk.keys("3").screen().contains("not verified yet"), "{}", desk.screen());
    // The next bundle has to have them, too.
    desk.keys("2 v").tell(Msg::Ended(JobId(2), done(JobReport::Verify(crate::import::verified()))));
    desk.keys("4 n Right Enter");
    assert_eq!(desk.app.model.gap.signers(), 2);
}

#[test]
fn what_was_verified_without_strict_is_not_imported_once_that_is_asked_for() {
    let mut desk = by_two(true);
    desk.keys("v").tell(Msg::Ended(JobId(1), done(JobReport::Verify(crate::import::verified()))));
    desk.keys("s");
    desk.effects.clear();
    let screen = desk.keys("3").screen();
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = "strict: no layer was unpacked yet; v verifies so, s turns it off, both on Verify (2)";
    assert!(words.contains(why), "{screen}");
    assert!(desk.keys("Enter").effects.iter().all(|effect| !matches!(effect, Effect::Start(..))));
    desk.keys("2 s 3");
    assert!(!desk.screen().contains("no layer was unpacked"), "{}", desk.screen());
}

#[test]
fn the_second_key_is_trusted_where_two_are_wanted_and_one_is_known() {
    let mut desk = by_two(false);
    assert!(!desk.screen().contains("! todo"), "{}", desk.screen());
    desk.keys("m").typed("2").keys("Enter");
    let screen = desk.screen();
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("! todo signatures by 1 trusted key, 2 are wanted; K trusts another"), "{screen}");
    assert!(words.contains("! 1 key of 2 wanted that are trusted here signed this bundle"), "{screen}");
    assert!(screen.contains("K trust"), "{screen}");
    assert!(desk.keys("K").screen().contains("Trust a key: is it the one on paper?"));
}

#[test]
fn a_path_in_a_reason_is_read_from_its_beginning_to_its_end() {
    let path = "/home/administrator/.config/airlift/allowed_signers";
    let mut desk = desk(newer());
    desk.keys("v").tell(view(1, false));
    let message = format!("there is no trust file: {path} could not be read, and nobody is trusted");
    desk.tell(failed(Kind::Trust, &message, "airlift key trust FILE.pub adds one"));
    assert!(desk.screen().contains(path), "{}", desk.screen());
    for (columns, rows) in [(80, 24), (60, 24)] {
        let frame = crate::rig::text(&desk.frame(columns, rows));
        let letters: String = frame.split_whitespace().collect();
        let rows = frame.split_once("STATE").unwrap().1;
        assert!(letters.contains(path) && !rows.contains('…'), "{frame}");
    }
    // Each of its rows is the same check.
    desk.frame(80, 24);
    for keys in ["d", "Esc Down d"] {
        assert!(desk.keys(keys).screen().contains("signatures failed"), "{}", desk.screen());
    }
}

#[test]
fn rows_that_there_is_no_room_for_are_counted() {
    let mut desk = desk(newer());
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.contains(" more below"), "{screen}");
    assert!(!desk.screen().contains("more below"), "{}", desk.screen());
    desk.keys("G");
    assert!(!crate::rig::text(&desk.frame(60, 16)).contains("more below"));
}

/// A bundle on a stick that is plugged in, verified.
pub(crate) fn received() -> Desk {
    let mut desk = desk(newer());
    crate::media::seen(&mut desk, vec![crate::media::stick(1, Some("/media/op/KINGSTON"))]);
    desk.keys("v").tell(Msg::Ended(JobId(1), done(JobReport::Verify(crate::import::verified()))));
    desk.keys("4").wait(10);
    desk
}

#[test]
fn the_medium_of_a_received_bundle_is_ejected_from_its_report() {
    let mut desk = received();
    assert!(desk.screen().contains("E eject"), "{}", desk.screen());
    insta::assert_snapshot!(desk.keys("E").picture());
    desk.effects.clear();
    desk.keys("Right Enter");
    let spec = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, spec) => match &**spec {
            JobSpec::MediaEject(spec) => Some(spec.clone()),
            _ => None,
        },
        _ => None,
    });
    let spec = spec.unwrap();
    assert_eq!(spec.path.display().to_string(), "/media/op/KINGSTON/site-42");
    assert_eq!(spec.verified.as_deref(), Some("its bundle was verified here"));
    assert!(spec.only.is_some(), "that medium, or none");
    desk.effects.clear();
    let truth = |words: &str| crate::report::truth(true, words);
    let report =
        crate::report::ejected(truth("the device has everything"), truth("here"), truth("by udisks2"));
    desk.tell(Msg::Ended(desk.job(), done(report)));
    assert!(desk.screen().contains("Safe to remove: synced"), "{}", desk.screen());
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Ask(Query::Media))));
    let failure = Failure::new(Kind::Medium, "/dev/sdb1 is in use");
    desk.keys("E Right Enter");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(failure)));
    assert!(desk.screen().contains("/dev/sdb1 is in use"), "{}", desk.screen());
}

#[test]
fn what_lies_on_no_medium_is_not_ejected_and_the_reason_is_said() {
    let mut desk = received();
    let stick = || crate::media::stick(1, Some("/media/op/KINGSTON"));
    for (media, reason) in [
        (Vec::new(), "the bundle is not on a medium"),
        (vec![crate::media::system_disk()], "this host's own disk"),
        (vec![Medium { removable: false, bus: Bus::Ata, ..stick() }], "a built-in disk"),
    ] {
        crate::media::seen(&mut desk, media);
        let screen = desk.keys("E").screen();
        assert!(screen.contains("not now: the bundle is") && screen.contains(reason), "{screen}");
    }
}

#[test]
fn the_end_of_a_fingerprint_is_taken_with_the_blanks_of_its_groups() {
    for typed in ["v8aLuE4c", "v8a LuE4c", "5xQv8aLu E4c", FINGERPRINT] {
        let mut desk = desk(None);
        let screen = desk.keys("K").typed(typed).keys("Enter").screen();
        assert!(screen.contains("Trust a key: its owner"), "{typed}: {screen}");
    }
    let sheet = crate::made::packed_sheet();
    assert!(sheet.contains("key ends in   v8aLuE4c"), "{sheet}");
}

#[test]
fn an_older_bundle_is_let_through_only_by_typing_its_id() {
    let mut desk = desk(Some(SerialDecision::Rollback { accepted: 43, offered: 42 }));
    insta::assert_snapshot!(desk.picture());
    desk.keys("O");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    assert!(desk.app.model.running().is_none());
    desk.typed("5e1f20c47f2a").keys("Enter");
    let started = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(_, spec) => Some(spec.command_line(&desk.app.model.settings.places()).join(" ")),
        _ => None,
    });
    let id = "--allow-rollback=0193a5c8-1d2e-7b44-9a53-5e1f20c47f2a";
    assert!(started.as_ref().is_some_and(|line| line.contains(id)), "{started:?}");
    // It holds as long as that bundle is the chosen one, also once its medium was looked through again.
    desk.tell(failed(Kind::Rollback, "serial 42", "type it"));
    let rollback = || Some(SerialDecision::Rollback { accepted: 43, offered: 42 });
    desk.tell(found(vec![offer(42, rollback())]));
    let command =
        |desk: &mut Desk| desk.keys("y").screen().replace('│', " ").split_whitespace().collect::<String>();
    let shown = command(&mut desk);
    assert!(shown.contains(id), "{shown}");
    let mut other = offer(42, rollback());
    if let Ok(said) = &mut other.said {
        said.report.id = "0193a5c8-1d2e-7b44-9a53-000000000001".parse().unwrap();
    }
    desk.keys("Esc").tell(found(vec![other]));
    let shown = command(&mut desk);
    assert!(!shown.contains("--allow-rollback"), "{shown}");
}

#[test]
fn an_older_bundle_that_was_let_through_for_an_import_is_so_for_going_on_with_it_while_nothing_changed() {
    let id = "0193a5c8-1d2e-7b44-9a53-5e1f20c47f2a";
    let older = |accepted| SerialDecision::Rollback { accepted, offered: 42 };
    let only = AllowRollback::Only(id.parse().unwrap());
    for (of, then, now, wanted) in [
        (id, Some(43), 43, only),
        (id, Some(43), 44, AllowRollback::No),
        (id, None, 43, AllowRollback::No),
        ("0193a5c8-1d2e-7b44-9a53-000000000001", Some(43), 43, AllowRollback::No),
    ] {
        let mut run = stopped_at("site-42", "/media/op/KINGSTON/site-42", of);
        run.begun.choices.as_mut().unwrap().bundle.as_mut().unwrap().let_through = then.map(older);
        let mut desk = Desk::new();
        desk.tell(Msg::Found(Found::Noted(vec![run]))).keys("Home Enter");
        desk.tell(found(vec![offer(42, Some(older(now)))])).keys("Enter");
        let words = desk.screen().split_whitespace().collect::<Vec<_>>().join(" ");
        let said = words.contains("43 was accepted; let through on request");
        assert_eq!(said, wanted == only, "{}", desk.screen());
        desk.keys("v");
        let verify = desk.effects.iter().find_map(|effect| match effect {
            Effect::Start(_, spec) => match &**spec {
                JobSpec::Verify(spec) => Some(spec.allow_rollback),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(verify, Some(wanted), "{of} {then:?} {now}");
        // What was chosen for it is taken over, and it holds for another look at the bundle.
        desk.app.model.aim_as_before();
        assert_eq!(desk.app.model.gap.let_through(), wanted, "{of} {then:?} {now}");
    }
}

#[test]
fn the_id_of_one_bundle_lets_no_other_one_through_that_came_to_lie_at_its_place() {
    let decision = || Some(SerialDecision::Rollback { accepted: 43, offered: 42 });
    let changes: [fn(&mut Said); 2] = [
        |said| said.report.id = "0193a5c8-1d2e-7b44-9a53-000000000001".parse().unwrap(),
        |said| said.report.manifest_digest = crate::made::digest(9),
    ];
    for change in changes {
        let mut desk = desk(decision());
        desk.keys("O");
        let mut other = offer(42, decision());
        if let Ok(said) = &mut other.said {
            change(said);
        }
        desk.tell(found(vec![other]));
        desk.typed("5e1f20c47f2a").keys("Enter");
        assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Start(..))), "{:?}", desk.effects);
        let screen = desk.screen();
        assert!(screen.contains("the bundle there has changed; nothing was accepted"), "{screen}");
    }
}

#[test]
fn an_expired_bundle_is_foreseen_and_nothing_overrides_it() {
    let mut desk = Desk::new();
    desk.keys("g").tell(found(vec![expired(42)])).keys("Enter");
    let screen = desk.screen();
    assert!(screen.contains("expired 2026-11-20T00:00:00Z"), "{screen}");
    let screen = desk.keys("O").screen();
    assert!(screen.contains("its serial is not in the way; nothing else can be overridden"), "{screen}");
    let screen = unknown().keys("O").screen();
    assert!(screen.contains("no serial was compared yet") && !screen.contains("fine"), "{screen}");
}

#[test]
fn a_real_bundle_by_an_unknown_key_is_pinned_verified_and_remembered() {
    let mut live = Live::at(now());
    let bundle = live.kept("medium/demo-1");
    live.open(&bundle);
    let fingerprint = live.fingerprint();
    let (shown, end) = fingerprint.split_at(fingerprint.len() - 8);
    assert!(live.desk.screen().contains(&format!("{shown}........")) && !live.desk.screen().contains(end));
    live.desk.keys("K").typed(&fingerprint[fingerprint.len() - 8..]).keys("Enter");
    live.desk.typed("release@example.com");
    live.job("Enter");
    let verified = |desk: &Desk| desk.app.model.gap.checked.is_some();
    live.until("it is verified", verified);
    let screen = live.desk.screen();
    assert!(screen.contains("OK  verified") && !screen.contains(" todo   "), "{screen}");
    assert!(screen.contains("signatures  1 trusted, 1 needed: release@example.com, key ends in"), "{screen}");
    let trusted = std::fs::read_to_string(live.desk.app.model.settings.places().trust).unwrap();
    assert!(trusted.contains("release@example.com") && trusted.contains("ssh-ed25519"), "{trusted}");
    live.desk.keys("Esc");
    live.until("it is known as accepted", |desk| {
        let said = desk.app.model.gap.said();
        said.is_some_and(|said| said.serial == Some(SerialDecision::Same))
    });
}

#[test]
fn a_public_key_file_that_came_another_way_is_compared_with_the_keys_that_signed() {
    let file = |desk: &mut Desk, path: &str, fingerprint: &str| {
        desk.keys("K").typed(path).keys("Enter");
        let asked = desk.effects.iter().any(|effect| {
            matches!(effect, Effect::Ask(Query::PaperKey(asked, bundle))
                if asked.to_str() == Some("/home/op/courier.pub") && bundle.ends_with("KINGSTON/site-42"))
        });
        assert!(asked, "{:?}", desk.effects);
        let public = KeyReport {
            path: Some("/home/op/courier.pub".into()),
            public: "ssh-ed25519 AAAA release@example.com".to_owned(),
            fingerprint: fingerprint.to_owned(),
            key_id: "eb2d98a744ab91b5".to_owned(),
            algorithm: "ssh-ed25519".to_owned(),
        };
        desk.tell(Msg::Found(Found::PublicKey("/home/op/courier.pub".into(), Box::new(public))));
        desk.screen()
    };
    for path in ["/home/op/courier.pub", "~/courier.pub"] {
        let mut desk = unknown();
        let screen = file(&mut desk, path, FINGERPRINT);
        assert!(
            screen.contains("Trust a key: its owner") && screen.contains("release@example.com"),
            "{screen}"
        );
        desk.keys("Enter");
        let trusted = desk.effects.iter().any(|effect| {
            matches!(effect, Effect::Start(Act::KeyTrust, job) if format!("{job:?}").contains(FINGERPRINT))
        });
        assert!(trusted, "{:?}", desk.effects);
    }
    let screen = file(&mut unknown(), "/home/op/courier.pub", "SHA256:another");
    assert!(screen.contains("x Nothing was trusted") && screen.contains("SHA256:another"), "{screen}");
    assert!(!screen.contains("Capitals count"), "a file was not typed: {screen}");
}

#[test]
fn a_real_bundle_with_a_changed_byte_names_the_file() {
    let mut live = Live::at(now());
    live.trust();
    let bundle = live.kept("damaged");
    live.open(&bundle);
    live.job("v");
    let screen = live.desk.screen();
    assert!(screen.contains("x REFUSED (integrity)") && screen.contains("blobs/sha256/"), "{screen}");
    // Of the images, just the one that needs it is named.
    let stands = |state: &str, image: &str| {
        screen.lines().any(|line| line.contains(state) && line.contains(&format!("/airlift/{image}")))
    };
    assert!(
        stands("x FAIL  ", "plain") && stands("   -   ", "multi") && stands("   -   ", "latest"),
        "{screen}"
    );
    let screen = live.desk.keys("Enter").screen();
    assert!(screen.contains("step 4/4 Report") && screen.contains("[4 Report FAILED]"), "{screen}");
    // The next report is read from its top, and the copy is known for what it is.
    live.desk.keys("G 2");
    live.job("v");
    let screen = live.desk.keys("Enter").screen();
    assert!(screen.contains(">  Bundle"), "{screen}");
    let screen = live.desk.keys("1").screen();
    assert!(screen.contains("x REFUSED (integrity)"), "{screen}");
}

#[test]
fn a_real_older_bundle_is_refused_and_then_let_through_with_a_word_in_the_report() {
    let mut live = Live::at(now());
    live.trust();
    let bundle = live.kept("medium/demo-1");
    live.open(&bundle);
    live.accepted(9);
    live.job("v");
    let screen = live.desk.screen();
    assert!(screen.contains("x REFUSED (rollback") && screen.contains("serial 9"), "{screen}");
    live.until("the history is known", |desk| desk.app.model.gap.rollback().is_some());
    let id = live.desk.app.model.gap.said().unwrap().report.id.to_string();
    live.desk.keys("O").typed(id.rsplit('-').next().unwrap());
    live.job("Enter");
    let screen = live.desk.screen();
    assert!(screen.contains("OK  verified, with warnings") && screen.contains("! serial 1 of"), "{screen}");
    let screen = live.desk.keys("4").screen();
    assert!(screen.contains("WARN  verified; serial 1 of") && screen.contains("[4 Report warn]"), "{screen}");
}

#[test]
fn a_clock_that_is_behind_is_called_that_and_not_expired() {
    let mut live = Live::at("2020-01-01T00:00:00Z".parse().unwrap());
    live.trust();
    let bundle = live.kept("medium/demo-1");
    live.open(&bundle);
    live.job("v");
    let screen = live.desk.screen();
    assert!(screen.contains("clock is behind"), "{screen}");
}

#[test]
fn a_bundle_by_a_key_that_is_not_trusted_names_the_key_that_helps_and_gives_nothing_to_carry() {
    let mut live = Live::at(now());
    live.open(&live.kept("medium/demo-1"));
    live.job("v");
    let screen = live.desk.screen();
    assert!(screen.contains("REFUSED (trust)") && screen.contains("K asks for them"), "{screen}");
    assert!(!screen.contains("airlift key trust"), "{screen}");
    let screen = live.desk.keys("Enter").screen();
    assert!(screen.contains("To compare with the paper"), "{screen}");
    assert!(!screen.contains("To carry on paper"), "{screen}");
}

/// Two bundles on a stick, the first of which is being verified.
fn first_of_two() -> Desk {
    let mut desk = Desk::new();
    desk.keys("g").tell(found(vec![bundle(), offer(43, newer())])).keys("Enter v");
    desk
}

#[test]
fn no_other_bundle_is_opened_while_one_is_verified() {
    let mut desk = first_of_two();
    let screen = desk.keys("1 Down Enter").screen();
    assert!(screen.contains("not now: verify is running: 2 shows it"), "{screen}");
    assert_eq!(desk.app.model.gap.chosen, Some(bundle().path));
    let screen = desk.keys("4 n").screen();
    assert!(screen.contains("not now: verify is running: 2 shows it"), "{screen}");
    desk.keys("1 Up Enter");
    assert_eq!(desk.app.model.place, Place::Check, "the one that is verified is shown");
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Verify(verified()))));
    assert!(desk.app.model.gap.checked.is_some());
    desk.keys("1 Down Enter");
    assert!(desk.app.model.gap.checked.is_none() && desk.app.model.place == Place::Check);
}

#[test]
fn what_was_verified_of_one_bundle_is_never_said_of_another() {
    let changes: [fn(&mut Desk); 2] = [
        |desk| assert!(desk.app.model.gap.choose(offer(43, None).path)),
        |desk| {
            let mut other = bundle();
            other.said.as_mut().unwrap().report.manifest_digest = crate::made::digest(9);
            desk.tell(found(vec![other]));
        },
    ];
    let ends =
        || [done(JobReport::Verify(verified())), Ended::Failed(Failure::new(Kind::Integrity, "damaged"))];
    for change in changes {
        for end in ends() {
            let mut desk = first_of_two();
            desk.tell(view(6, false));
            change(&mut desk);
            let screen = desk.screen();
            assert!(!screen.contains("is as it should be"), "its progress: {screen}");
            desk.tell(Msg::Ended(JobId(1), end));
            assert!(desk.app.model.gap.checked.is_none());
            assert_eq!(desk.app.model.state(Place::Check), StepState::Todo);
            let screen = desk.screen();
            assert!(screen.contains("what was verified is not the bundle there now"), "{screen}");
            assert!(!screen.contains("OK  verified") && !screen.contains("REFUSED"), "{screen}");
        }
    }
}

#[test]
fn a_stick_that_is_pulled_after_its_bundle_was_verified_is_missed_and_the_rows_stay() {
    let mut desk = Desk::new();
    desk.keys("g").tell(found(vec![bundle()])).keys("Enter v");
    desk.tell(Msg::Ended(JobId(1), done(JobReport::Verify(verified())))).tell(found(vec![bundle()]));
    assert!(!desk.wait(10).screen().contains("not there any more"));
    // Looked for twice: it stays known what was in it.
    for _ in 0..2 {
        let screen = desk.tell(found(Vec::new())).wait(10).screen();
        assert!(screen.contains("! It is not there any more: put its medium in again"), "{screen}");
        assert!(screen.contains("docker.io/library/nginx:1.25.3"), "{screen}");
    }
    let screen = desk.tell(found(vec![bundle()])).wait(10).screen();
    assert!(!screen.contains("not there any more") && screen.contains("OK  verified"), "{screen}");
}

#[test]
fn a_damaged_copy_of_a_bundle_that_is_being_verified_is_not_called_verified() {
    let mut live = Live::at(now());
    live.trust();
    live.open(&live.kept("medium/demo-1"));
    let damaged = live.kept("damaged");
    live.desk.keys("1 o").typed(&damaged.display().to_string()).keys("Enter");
    live.until("both are listed", |desk| desk.app.model.gap.list().len() == 2);
    let screen = live.desk.keys("2 v 1 Enter").screen();
    assert!(screen.contains("not now: verify is running"), "{screen}");
    live.until("the job is over", |desk| desk.app.model.running().is_none());
    assert!(live.desk.app.model.gap.checked.as_ref().is_some_and(|checked| checked.held()));
    let screen = live.desk.keys("Enter").screen();
    assert!(screen.contains("/damaged") && screen.contains("nothing of this bundle is verified"), "{screen}");
    live.job("v");
    let screen = live.desk.screen();
    assert!(screen.contains("x REFUSED (integrity)"), "{screen}");
}

#[test]
fn what_is_said_of_a_verification_is_not_said_of_another_job() {
    let verifying = "verifying; nothing is used until everything is verified";
    let mut desk = under_way();
    assert!(desk.wait(10).screen().contains(verifying), "{}", desk.screen());
    let screen = crate::import::under_way().keys("2").wait(10).screen();
    assert!(!screen.contains("verifying") && screen.contains("4 is the report"), "{screen}");
    let mut desk = crate::assemble::under_way();
    desk.keys("0 g").tell(found(vec![bundle()])).keys("Enter").wait(10);
    let screen = desk.screen();
    assert!(
        !screen.contains("verifying") && screen.contains("nothing of this bundle is verified"),
        "{screen}"
    );
    assert!(screen.lines().last().unwrap().contains("v verify"), "{screen}");
}

#[test]
fn a_key_file_from_the_bundle_is_no_paper_however_its_path_is_typed() {
    let mut live = Live::at(now());
    let bundle = live.kept("medium/demo-1");
    live.open(&bundle);
    let public = live.desk.app.model.gap.said().unwrap().report.signatures[0].public_key.clone().unwrap();
    // The copy on this host lies beside other things, which did not come with it.
    let [inside, beside] = [bundle.join("../demo-1/./airlift/key.pub"), live.kept("paper.pub")];
    for file in [&inside, &beside] {
        std::fs::write(file, &public).unwrap();
    }
    live.desk.keys("K").typed(&inside.display().to_string()).keys("Enter");
    live.until_seen("came with the bundle");
    live.desk.keys("Esc K").typed(&beside.display().to_string()).keys("Enter");
    live.until_seen("Trust a key: its owner");
}

#[test]
fn to_stop_a_verification_is_not_said_to_keep_anything_of_it() {
    // One was verified before, which is not what was stopped.
    let mut desk = desk(newer());
    desk.keys("v").tell(Msg::Ended(JobId(1), done(JobReport::Verify(verified()))));
    assert!(!desk.app.parting().is_empty());
    desk.keys("2 v").tell(Msg::Job(JobId(2), Arc::default()));
    let flat = |screen: String| screen.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let screen = flat(desk.keys("x").screen());
    assert!(screen.contains("Nothing of it is kept; it") && !screen.contains("resumes"), "{screen}");
    let screen = flat(desk.keys("Esc q").screen());
    assert!(screen.contains("nothing of it is kept") && !screen.contains("offers to resume"), "{screen}");
    desk.keys("Right Enter").tell(Msg::Ended(JobId(2), Ended::Cancelled));
    let said = desk.app.farewell();
    assert!(said[0].starts_with("stopped at a safe point: verify "), "{said:?}");
    assert!(said[1].starts_with("this begins it anew: airlift verify "), "{said:?}");
    let before = desk.app.parting();
    assert!(before[0] == "before that:" && before[1].contains("OK"), "{before:?}");
}

#[test]
fn where_there_is_little_room_a_check_stays_in_sight_below_the_keys_that_signed() {
    let mut desk = unknown();
    let Some(Ok(said)) = desk.app.model.gap.offer().map(|offer| &offer.said) else { panic!() };
    let message = TrustError(Box::new(said.trust.clone())).to_string();
    let least = |desk: &mut Desk| {
        let screen = text(&desk.frame(60, 16));
        assert!(screen.contains("K asks for them"), "{screen}");
        let list = screen.split("STATE").nth(1).unwrap_or_default();
        assert!(list.lines().nth(1).is_some_and(|row| row.starts_with(">  ")), "{screen}");
    };
    least(&mut desk);
    desk.keys("v").tell(view(1, false)).tell(failed(Kind::Trust, &message, "ask its signer"));
    least(&mut desk);
}
