//! What stands beside tables: whole where there are rows that they do not need, never wider than the screen.

use std::sync::Arc;

use airlift::domain::text::width;
use airlift::engine::bundle::offer::Offer;
use airlift::engine::host::HostFacts;
use airlift::engine::spec::JobSpec;
use airlift::tui::medium::Chosen;
use airlift::tui::msg::{Found, Msg};

use crate::check::view;
use crate::media::lies;
use crate::offers::{found, offer};
use crate::rig::{Desk, host, text};

/// A list as it was kept.
fn kept(list: &str) -> Desk {
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Last(list.into(), "2026-11-20T09:30:00Z".parse().unwrap())));
    desk.keys("b").wait(10);
    desk
}

/// The screen at a size; no line of it is wider.
fn drawn(desk: &mut Desk, (columns, rows): (u16, u16)) -> String {
    let screen = text(&desk.frame(columns, rows));
    // The cell after a wide letter is empty in the buffer, a blank in its text.
    let wide = |line: &str| line.chars().filter(|c| width(&c.to_string()) == 2).count();
    let over = screen.lines().find(|line| width(line) - wide(line) > usize::from(columns));
    assert_eq!(over, None, "{screen}");
    screen
}

/// Without what folding puts between the letters.
fn joined(screen: &str) -> String {
    screen.split_whitespace().collect()
}

const SIZES: [(u16, u16); 2] = [(80, 24), (60, 16)];

fn long(end: &str) -> (String, String) {
    let name = format!("registry.example.com:5000/{}end:v{end}", "team/part/".repeat(10));
    (name, format!("/srv/{}images.txt:12", "clusters/".repeat(8)))
}

#[test]
fn of_a_short_list_a_long_reference_and_where_it_is_from_are_read_whole() {
    let (name, from) = long("1.2.3");
    let mut desk = kept(&format!("{name}  # from {from}\n"));
    for size in SIZES {
        let screen = joined(&drawn(&mut desk, size));
        assert!(screen.contains(&name), "{size:?}: {screen}");
        assert!(screen.contains(&format!("from{from}ddetails")), "{size:?}: {screen}");
    }
}

#[test]
fn of_a_short_list_all_reasons_are_read_and_the_key_that_helps() {
    let (_, from) = long("1.2.3");
    let unread = format!("UPPER:x  # from {from}");
    let helps = ":arepositorynamemustbelowercaseEnterwritesareferenceinitsplace,Dtakesitoffthelist";
    for (line, whole) in [
        ("quay.io/a/b:v1.0", "othercontentunderthesamenamelesserfindings:"),
        ("nginx:1.25.3", "orrefusetoguessEnteroffersdocker.io/library/nginx:1.25.3"),
        (&unread, &format!("x{from}{helps}")),
    ] {
        let mut desk = kept(&format!("{line}\n"));
        for size in SIZES {
            let screen = joined(&drawn(&mut desk, size));
            assert!(screen.contains(whole), "{size:?}: {screen}");
        }
    }
}

#[test]
fn a_full_list_keeps_its_rows() {
    for (size, seen) in SIZES.into_iter().zip([13, 6]) {
        let (name, from) = long("1.2.3");
        let others: String = (0..40).map(|at| format!("quay.io/a/b{at:02}:v1.2.3\n")).collect();
        let mut desk = kept(&format!("{name}  # from {from}\n{others}"));
        let screen = drawn(&mut desk, size);
        assert_eq!(screen.lines().filter(|line| line.contains(":v1.2.3")).count(), seen, "{screen}");
        assert!(screen.contains("d details"), "{screen}");
    }
}

#[test]
fn wide_and_hostile_letters_stay_within_the_screen() {
    let from = format!("/srv/{}\u{1b}[31m\u{202e}/{}.txt:3", "倉庫".repeat(40), "港".repeat(31));
    for list in [format!("quay.io/a/b:v1.2.3  # from {from}\n"), format!("倉庫:{}\n", "港".repeat(80))] {
        let mut desk = kept(&list);
        for size in SIZES {
            let screen = drawn(&mut desk, size);
            assert!(screen.contains("倉 庫") && !screen.contains('\u{202e}'), "{screen}");
        }
    }
}

#[test]
fn start_tells_a_long_path_and_a_long_warning_whole() {
    let mut desk = Desk::new();
    let at = format!("/srv/{}end", "clusters/".repeat(10));
    let problem =
        format!("the trust file {at}/allowed_signers has others than its owner write it: nobody is trusted");
    let host = HostFacts { problems: vec![problem.clone()], ..host() };
    desk.tell(Msg::Found(Found::Host(Arc::new(host))));
    let whole = |screen: &str, words: &str| joined(screen).contains(&joined(words));
    for size in SIZES {
        let screen = drawn(&mut desk, size);
        assert_eq!(whole(&screen, &problem), size == SIZES[0], "{screen}");
    }
    desk.app.model.choose(Chosen::directory(&lies(&at, None)));
    let screen = drawn(&mut desk, SIZES[0]);
    assert!(whole(&screen, &at) && whole(&screen, &problem), "{screen}");
}

#[test]
fn where_a_bundle_lies_is_read_whole_above_its_checks_and_its_images() {
    let at = format!("/srv/{}bundle-42", "clusters/".repeat(10));
    let mut desk = Desk::new();
    let lying = Offer { path: at.clone().into(), ..offer(42, None) };
    desk.keys("g").tell(found(vec![lying])).keys("Enter");
    for place in ["2", "3"] {
        let screen = drawn(desk.keys(place), SIZES[0]);
        assert!(joined(&screen).contains(&at), "{place}: {screen}");
        // Where rows are few it has one of them.
        let screen = drawn(&mut desk, SIZES[1]);
        let row = screen.lines().nth(3).unwrap();
        assert!(row.contains("/srv/clust") && row.ends_with("bundle-42"), "{place}: {screen}");
    }
    desk.keys("2 v").tell(view(6, false));
    let screen = drawn(&mut desk, SIZES[0]);
    assert!(joined(&screen).contains(&at), "{screen}");
    assert_eq!(screen.lines().filter(|line| line.contains(" verify ")).count(), 1, "{screen}");
}

#[test]
fn dialogs_say_a_long_path_whole() {
    let at = format!("/srv/{}signing_key", "clusters/".repeat(10));
    let mut desk = Desk::new();
    desk.keys("K").tell(Msg::NeedsNewPassphrase(at.clone().into()));
    let mut waits = crate::media::three();
    waits.keys("o Ctrl-U").typed(&at).keys("Enter");
    for (desk, last) in [(&mut desk, "Passphrase:"), (&mut waits, "0 s")] {
        for size in SIZES {
            let screen = drawn(desk, size);
            let inside = screen.lines().map(|line| line.split('│').nth(1).unwrap_or_default());
            assert!(joined(&inside.collect::<String>()).contains(&at), "{size:?}: {screen}");
            assert!(screen.contains(last) && screen.contains("Esc cancel"), "{size:?}: {screen}");
        }
    }
}

#[test]
fn where_a_pack_writes_leaves_how_long_it_runs_on_the_screen() {
    let mut desk = crate::assemble::running();
    let at = format!("/srv/{}end", "clusters/".repeat(10));
    if let Some(JobSpec::Pack(pack)) = desk.app.model.job.as_mut().map(|job| &mut job.spec) {
        pack.to = at.into();
    }
    for size in SIZES {
        let screen = drawn(&mut desk, size);
        let head = screen.lines().nth(3).unwrap();
        assert!(head.contains("   to /srv/") && head.contains("end   0:00:0"), "{screen}");
    }
}
