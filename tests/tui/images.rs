//! The list of images: every way to fill it, what is done about findings, and how it is kept.

use airlift::actions::Act;
use airlift::domain::keep_going::KeepGoing;
use airlift::domain::reference::Repository;
use airlift::domain::selection::{Candidate, Origin, Problem, Request, Requests};
use airlift::engine::error::Kind;
use airlift::engine::select::Source;
use airlift::engine::spec::Images;
use airlift::failure::Failure;
use airlift::tui::model::Place;
use airlift::tui::msg::{Effect, Found, Msg, Query};
use airlift::widgets::stepper::StepState;

use crate::rig::Desk;

const HOST: &str = "registry.example.com:5000";

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.keys("b");
    desk
}

fn pasted(lines: &str) -> Desk {
    let mut desk = desk();
    desk.tell(Msg::Paste(lines.into())).wait(10);
    desk
}

/// What was asked for last, of what a dialog waits for.
fn asked(desk: &mut Desk) -> Query {
    let effects = std::mem::take(&mut desk.effects);
    let asked = effects.into_iter().rev().find_map(|effect| match effect {
        Effect::Ask(query) => Some(query),
        _ => None,
    });
    asked.expect("nothing was asked")
}

fn kept(desk: &mut Desk) -> Vec<String> {
    let effects = std::mem::take(&mut desk.effects);
    let kept = effects.into_iter().filter_map(|effect| match effect {
        Effect::Save(path, text) if path.ends_with("work/images.txt") => Some(text),
        _ => None,
    });
    kept.collect()
}

fn repository(path: &str) -> Repository {
    Repository { host: HOST.into(), path: path.into() }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn refused() -> Failure {
    Failure::new(Kind::Network, format!("cannot list the repositories of {HOST}: 401 Unauthorized"))
        .hint(format!("log in to {HOST} (podman login, docker login) or give --authfile FILE"))
}

#[test]
fn an_empty_list_teaches_how_to_fill_it() {
    insta::assert_snapshot!(desk().picture());
}

#[test]
fn pasted_lines_are_added_and_what_is_no_reference_is_named() {
    let mut desk = desk();
    desk.tell(Msg::Paste("nginx:1.25.3\nregistry.example.com:5000/team/app:1.0\nUPPER:x\n".into()));
    assert!(desk.screen().contains("line 3: "));
    insta::assert_snapshot!("refused_lines", desk.picture());
    desk.keys("Esc");
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn a_registry_that_was_typed_as_an_image_is_looked_through_instead() {
    let mut desk = desk();
    desk.keys("n").typed("127.0.0.1:39671").keys("Enter");
    let screen = desk.screen();
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("127.0.0.1:39671 is a registry, and no image in it is named"), "{screen}");
    assert!(desk.app.model.picked.images.is_empty(), "no image of the Docker Hub");
    desk.keys("Enter");
    let asked = |effect: &Effect| matches!(effect, Effect::Ask(Query::Repositories(host)) if host == "127.0.0.1:39671");
    assert!(desk.effects.iter().any(asked), "{:?}", desk.effects);
    // Among others it is refused with the same word.
    let mut desk = self::desk();
    desk.tell(Msg::Paste("nginx:1.25.3\nregistry.example.com:5000\n".into()));
    assert_eq!(desk.app.model.picked.images.len(), 1);
    assert!(desk.screen().contains("line 2: a registry, and no image in it is named"), "{}", desk.screen());
}

#[test]
fn on_the_smallest_screen_no_way_to_begin_and_no_next_step_is_lost() {
    let mut desk = desk();
    let screen = crate::rig::text(&desk.frame(60, 16));
    let content = |screen: &str| screen.lines().skip(3).take(10).any(|line| line.contains('…'));
    assert!(screen.contains("No images yet") && !content(&screen), "{screen}");
    desk.tell(Msg::Paste("quay.io/a/b:v1.2.3\n".into()));
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.lines().last().unwrap().contains("v verify"), "{screen}");
    desk.keys("2");
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.contains("Nothing is verified yet: v asks for 1 reference"), "{screen}");
    let screen = crate::rig::text(&desk.keys("0").frame(60, 16));
    assert!(screen.contains("signed and verified"), "{screen}");
    desk.keys("1 f");
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.contains("Tab complete   Down list   Esc cancel"), "{screen}");
}

#[test]
fn the_reason_comes_before_a_reference_however_long_that_is() {
    let long = format!("registry.example.com/{}/app:1.0", "Team".repeat(70));
    for pasted in [format!("{long}\n"), format!("{long}\nUPPER:x\n")] {
        let mut desk = desk();
        desk.tell(Msg::Paste(pasted.into()));
        for (columns, rows) in [(80, 24), (60, 16)] {
            let screen = crate::rig::text(&desk.frame(columns, rows));
            assert!(screen.contains("line 1: the repository name is longer"), "{screen}");
        }
    }
}

#[test]
fn rows_that_there_is_no_room_for_are_counted() {
    let mut desk = desk();
    let lines: String = (0..8).map(|at| format!("registry.example.com/team/app:1.0.{at}\n")).collect();
    desk.tell(Msg::Paste(lines.into()));
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.contains(" 3 more below"), "{screen}");
    assert!(!desk.screen().contains("more below"));
    desk.keys("2");
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.contains(" 2 more below"), "{screen}");
    desk.keys("G");
    assert!(!crate::rig::text(&desk.frame(60, 16)).contains("more below"));
}

#[test]
fn the_cursor_stays_on_its_image_when_others_are_dropped() {
    let mut desk = desk();
    desk.tell(Msg::Paste("a:1.0\nb:1.0\nc:1.0\nd:1.0\n".into()));
    desk.keys("Space Down D D");
    assert_eq!(
        desk.app.model.picked.text(),
        "b:1.0\nd:1.0\n",
        "first the marked one, then that of the cursor"
    );
}

#[test]
fn what_a_filter_hides_is_removed_only_when_asked_about() {
    let lines = "h.example/a/one:1.0\nh.example/b/two:1.0\nh.example/b/three:1.0\nh.example/c/four:1.0\n";
    let left = |desk: &Desk| desk.app.model.picked.images.len();
    let mut desk = pasted(lines);
    let screen = desk.keys("Space Space D").screen();
    assert!(screen.contains("2 off the list, u brings them back: one:1.0, two:1.0"), "{screen}");
    let screen = desk.keys("u D").screen();
    assert!(screen.contains("2 off the list") && left(&desk) == 2, "{screen}");
    // One is marked and hidden, another one is under the cursor.
    let marked = |keys: &str| {
        let mut desk = pasted(lines);
        desk.keys("Space / b/ Enter").keys(keys).keys("D");
        assert_eq!(left(&desk), 4, "nothing goes unasked");
        desk
    };
    let mut desk = marked("");
    insta::assert_snapshot!("remove_hidden_or_this", desk.picture());
    let screen = desk.keys("Right Enter").screen();
    assert!(screen.contains("off the list, u brings it back: h.example/b/two:1.0"), "{screen}");
    let screen = marked("").keys("Right Right Enter").screen();
    assert!(screen.contains("off the list, u brings it back: h.example/a/one:1.0"), "{screen}");
    let mut desk = marked("Space");
    insta::assert_snapshot!("remove_hidden_too", desk.picture());
    desk.keys("Right Enter Esc");
    assert_eq!(desk.app.model.picked.text(), lines.replace("h.example/b/two:1.0\n", ""));
    let mut desk = marked("Space");
    desk.keys("Right Right Enter Esc");
    assert_eq!(desk.app.model.picked.text(), "h.example/b/three:1.0\nh.example/c/four:1.0\n");
    desk.keys("u");
    assert_eq!(desk.app.model.picked.text(), lines);
    assert_eq!(left(marked("").keys("Enter")), 4);
    // No row is seen at all.
    let mut desk = pasted(lines);
    desk.keys("Space / nothing Enter D");
    assert!(desk.screen().contains("[ The 1 hidden ]"), "{}", desk.screen());
    assert_eq!(left(desk.keys("Right Enter")), 3);
}

#[test]
fn what_is_pasted_over_a_line_that_was_refused_is_not_glued_to_it() {
    let mut desk = desk();
    desk.keys("n").typed("UPPER:x").keys("Enter").tell(Msg::Paste("nginx:1.25.3".into())).keys("Enter");
    assert_eq!(desk.app.model.picked.text(), "nginx:1.25.3\n");
}

#[test]
fn refused_lines_are_listed_and_stay_to_be_corrected() {
    let mut desk = desk();
    desk.tell(Msg::Paste("a:1.0\nskopeo copy docker://quay.io/b:1 oci:x\nc:1.0\nUPPER:x\n".into()));
    let copy = "skopeo copy docker://quay.io/b:1 oci:x";
    let unread = format!("{copy}  # from typed here, line 2\nUPPER:x  # from typed here, line 4\n");
    assert_eq!(desk.app.model.picked.text(), format!("a:1.0\nc:1.0\n{unread}"), "of no line a part is taken");
    insta::assert_snapshot!("refused_lines_all", desk.picture());
    desk.keys("Esc");
    insta::assert_snapshot!("refused_lines_corrected", desk.picture());
    desk.keys("Ctrl-U quay.io/b:1 Down Enter");
    let unread = "UPPER:x  # from typed here, line 2\n";
    assert_eq!(desk.app.model.picked.text(), format!("a:1.0\nc:1.0\nquay.io/b:1\n{unread}"));
    // What is refused still is asked for still.
    let screen = desk.screen();
    assert!(screen.contains("Add references") && screen.contains("line 2: "), "{screen}");
    desk.keys("Ctrl-U upper:x Enter");
    assert_eq!(desk.app.model.picked.text(), "a:1.0\nc:1.0\nquay.io/b:1\nupper:x\n");
    assert!(!desk.screen().contains("Add references"));
}

#[test]
fn refused_lines_that_are_not_corrected_stay_as_rows() {
    let mut desk = desk();
    desk.tell(Msg::Paste("a:1.0\nUPPER:x\nhttp://b\n".into())).keys("Esc Esc");
    let screen = desk.screen();
    assert!(
        screen.contains("They stay at the end of the list: Enter there mends one, D takes it off."),
        "{screen}"
    );
    let screen = desk.wait(10).screen();
    assert!(screen.matches("x not read").count() == 2 && screen.contains("1 image, 2 not read"), "{screen}");
    assert_eq!(desk.app.model.state(Place::Images), StepState::Failed);
    // It is not marked, and says so where that is asked for.
    let screen = desk.keys("G Space").screen();
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    let why =
        "not now: what was not read is not marked; Enter mends it, D takes it off where nothing is marked";
    assert!(words.contains(why), "{screen}");
    // What is marked is what is dropped then, and that is said on the row.
    let screen = desk.keys("g Space G").screen();
    assert!(screen.contains("D takes the 1 marked off the list"), "{screen}");
    desk.keys("g Space");
    // What is typed then is about nothing of that.
    desk.keys("n").typed("c:1.0").keys("Enter");
    assert!(desk.app.model.picked.text().contains("UPPER:x"), "{}", desk.app.model.picked.text());
    desk.keys("u u");
    assert_eq!(desk.app.model.picked.text(), "");
}

#[test]
fn what_was_said_goes_with_the_next_key_and_with_the_screen() {
    let mut desk = pasted("a:1.0\nb:1.0\n");
    let said = "W does nothing here";
    assert!(desk.keys("W").screen().contains(said));
    assert!(!desk.keys("Down").screen().contains(said));
    assert!(desk.keys("W").screen().contains(said));
    assert!(!desk.keys("3").screen().contains(said));
    // What a key says that leads elsewhere is said there.
    assert!(desk.keys("3").screen().contains("you are here already"));
    desk.app.model.place = Place::Images;
    desk.keys("W");
    desk.tell(Msg::Found(Found::Last(String::new(), crate::rig::now())));
    assert!(desk.screen().contains(said), "what comes by itself takes it from nobody's eyes");
}

#[test]
fn marks_survive_a_filter() {
    let mut desk = pasted("nginx:1.25.3\nredis:7.0.1\nnginx:1.27.0\n");
    desk.keys("/ nginx Enter a");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Esc");
    assert_eq!(desk.app.model.picked.marked(), 2);
    assert!(desk.wait(10).screen().contains("3 images, 2 marked"));
    desk.keys("D");
    assert_eq!(desk.app.model.picked.text(), "redis:7.0.1\n");
    desk.keys("u");
    assert_eq!(desk.app.model.picked.text(), "nginx:1.25.3\nredis:7.0.1\nnginx:1.27.0\n");
}

#[test]
fn hostile_and_endless_names_neither_move_the_layout_nor_pass_through() {
    let mut desk = desk();
    let long = format!("registry.example.com/{}:{}", "a/".repeat(85) + "b", "v1.0.".repeat(22));
    assert!(long.len() > 300);
    desk.tell(Msg::Paste(format!("{}\n", long.trim_end_matches('.')).into()));
    assert_eq!(desk.app.model.picked.images.len(), 1);
    desk.tell(Msg::Paste("evil\u{1b}]52;c;aGk=\u{7}\n\u{202e}gnp:1\n".into()));
    for keys in ["", "Esc", "d"] {
        let screen = desk.keys(keys).screen();
        assert!(screen.chars().all(|c| c == '\n' || !c.is_control()), "{screen:?}");
        assert!(!screen.contains('\u{202e}'));
        assert!(screen.lines().all(|line| line.chars().count() <= 80));
    }
}

#[test]
fn five_hundred_references_are_listed_and_filtered() {
    let lines: String = (0..500).map(|at| format!("{HOST}/team/app-{at}:1.0.{at}\n")).collect();
    let mut desk = pasted(&lines);
    desk.keys("G");
    assert!(desk.screen().contains("500 images, all platforms"));
    insta::assert_snapshot!(desk.picture());
    assert!(desk.keys("/ app-49").screen().contains("filter 11/500: app-49"));
}

#[test]
fn what_is_said_is_seen_while_a_filter_is_kept_but_not_while_it_is_typed() {
    let mut desk = pasted("nginx:1.25.3\nredis:7.0.1\n");
    desk.keys("/ nginx Enter");
    assert!(desk.screen().contains("filter 1/2: nginx"));
    let screen = desk.keys("9").screen();
    assert!(screen.contains("9 does nothing here") && !screen.contains("filter 1/2"), "{screen}");
    assert!(desk.wait(10).screen().contains("filter 1/2: nginx"));
    desk.keys("9 /");
    assert!(desk.screen().contains("filter 1/2: nginx"), "{}", desk.screen());
}

#[test]
fn keys_that_came_at_once_are_an_image_only_where_they_name_one() {
    let mut desk = pasted("nginx:1.25.3\n");
    let screen = desk.tell(Msg::Burst("jjjkkk\n".into())).screen();
    assert!(screen.contains("keys that came at once and name no image"), "{screen}");
    assert_eq!(desk.app.model.picked.text(), "nginx:1.25.3\n");
    desk.tell(Msg::Burst("quay.io/a/b:v1.2.3\n".into())).tell(Msg::Burst("nginx\nredis\n".into()));
    assert_eq!(desk.app.model.picked.images.len(), 4);
}

#[test]
fn enter_qualifies_a_name_and_goes_on_to_the_next_finding() {
    let mut desk = pasted("quay.io/a/b:v1.2.3\nnginx:1.25.3\nredis:7.0.1\n");
    desk.keys("Down Enter");
    assert_eq!(
        desk.app.model.picked.images[1].request.requested, "nginx:1.25.3",
        "nothing is written unasked"
    );
    insta::assert_snapshot!("qualify", desk.picture());
    desk.keys("Enter");
    let screen = desk.screen();
    assert!(screen.contains("docker.io/library/nginx:1.25.3 it is now"), "{screen}");
    assert!(screen.contains("was nginx:1.25.3"), "{screen}");
    desk.keys("Enter Enter");
    let text = "quay.io/a/b:v1.2.3\ndocker.io/library/nginx:1.25.3\ndocker.io/library/redis:7.0.1\n";
    assert_eq!(desk.app.model.picked.text(), text);
    assert!(!desk.wait(10).screen().contains("to fix"));
    desk.keys("u u");
    assert_eq!(desk.app.model.picked.text(), "quay.io/a/b:v1.2.3\nnginx:1.25.3\nredis:7.0.1\n");
}

#[test]
fn another_registry_is_typed_over_the_one_that_is_offered() {
    let mut desk = pasted("nginx:1.25.3\n");
    desk.keys("Enter Ctrl-U").typed("mirror.example.com/NGINX:1.25.3").keys("Enter");
    let screen = desk.screen();
    assert!(screen.contains("Instead of nginx:1.25.3") && screen.contains("x "), "{screen}");
    desk.keys("Ctrl-U").typed("mirror.example.com/hub/nginx:1.25.3").keys("Enter");
    assert_eq!(desk.app.model.picked.text(), "mirror.example.com/hub/nginx:1.25.3\n");
    desk.keys("u");
    assert_eq!(desk.app.model.picked.text(), "nginx:1.25.3\n");
    desk.keys("Enter Esc");
    assert_eq!(desk.app.model.picked.text(), "nginx:1.25.3\n");
}

#[test]
fn a_name_that_is_written_as_it_stood_is_no_change() {
    let mut desk = pasted("nginx:1.25.3\n");
    desk.keys("Enter Ctrl-U").typed("nginx:1.25.3").keys("Enter");
    assert!(
        desk.screen().contains("nothing was changed: nginx:1.25.3 stood there already"),
        "{}",
        desk.screen()
    );
    desk.keys("u");
    assert_eq!(desk.app.model.picked.text(), "", "adding it was the last change");
}

#[test]
fn a_tag_that_moves_gives_way_to_one_that_stays_or_to_the_digest() {
    let mut desk = pasted(&format!("{HOST}/team/app:latest\n{HOST}/team/db:latest\n"));
    desk.keys("Enter");
    assert_eq!(asked(&mut desk), Query::Tags(repository("team/app")));
    let tags = strings(&["1.9.0", "1.10.2", "1.10", "1", "latest", "stable"]);
    desk.tell(Msg::Found(Found::Tags(repository("team/app"), Ok(tags.clone()))));
    insta::assert_snapshot!(desk.picture());
    desk.keys("Down Enter Enter");
    assert_eq!(desk.app.model.picked.images[0].request.requested, format!("{HOST}/team/app:1.10.2"));
    assert_eq!(asked(&mut desk), Query::Tags(repository("team/db")));
    desk.tell(Msg::Found(Found::Tags(repository("team/db"), Ok(tags)))).keys("Enter");
    let reference = format!("{HOST}/team/db:latest").parse().unwrap();
    assert_eq!(asked(&mut desk), Query::Digest(reference));
    let reference = format!("{HOST}/team/db:latest").parse().unwrap();
    let digest: airlift::domain::digest::Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
    desk.tell(Msg::Found(Found::Digest(reference, Ok(digest.clone()))));
    assert_eq!(desk.app.model.picked.images[1].request.requested, format!("{HOST}/team/db:latest@{digest}"));
    // Waiting was to be given up, and the screen below was not to be left.
    let screen = desk.keys("Esc").screen();
    assert!(screen.contains("Esc came when the answer had come; nothing was left"), "{screen}");
    assert_eq!(desk.app.model.place, Place::Images);
    desk.keys("Esc");
    assert_eq!(desk.app.model.place, Place::Start);
}

#[test]
fn where_no_tags_can_be_listed_another_name_can_be_written() {
    let mut desk = pasted(&format!("{HOST}/team/nothing:latest\n"));
    desk.keys("Enter");
    let failure = Failure::new(Kind::Network, "cannot list the tags: HTTP 404 NAME_UNKNOWN");
    desk.tell(Msg::Found(Found::Tags(repository("team/nothing"), Err(failure))));
    assert!(desk.screen().contains("NAME_UNKNOWN"), "{}", desk.screen());
    let screen = desk.keys("Esc").screen();
    assert!(screen.contains(&format!("Instead of {HOST}/team/nothing:latest")), "{screen}");
    desk.keys("Ctrl-U").typed(&format!("{HOST}/team/app:1.0.0")).keys("Enter");
    assert_eq!(desk.app.model.picked.text(), format!("{HOST}/team/app:1.0.0\n"));
}

#[test]
fn details_say_all_that_is_known() {
    let mut desk = pasted("nginx\n");
    desk.keys("d");
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn a_list_file_is_found_by_completion_and_what_it_names_is_added() {
    let mut desk = desk();
    desk.keys("f");
    assert_eq!(asked(&mut desk), Query::Entries("/home/op/".into()));
    let entry = |name: &str, directory| airlift::dialogs::path::Entry { name: name.into(), directory };
    let entries = vec![entry("charts", true), entry("web-images.txt", false), entry("web-old.txt", false)];
    desk.tell(Msg::Found(Found::Entries("/home/op/".into(), Ok(entries))));
    insta::assert_snapshot!(desk.picture());
    desk.keys("w Tab i Tab Enter");
    let images = Images {
        sources: vec![Source::List("/home/op/web-images.txt".into())],
        signatures: true,
        ..Images::default()
    };
    assert_eq!(asked(&mut desk), Query::Select(images.clone()));
    let requests = Requests {
        wanted: vec![Request::parse("quay.io/a/b:v1.2.3").unwrap()],
        problems: vec![Problem {
            origin: Origin::line("web-images.txt", 2),
            reason: "\"UPPER:x\" is not an image reference".into(),
            text: Some("UPPER:x".into()),
        }],
        ..Requests::default()
    };
    desk.tell(Msg::Found(Found::Selected(images, Box::new(requests))));
    assert!(desk.screen().contains("1 could not be read"));
    let screen = desk.keys("Esc").screen();
    assert!(screen.contains("1 added, 1 not read"), "{screen}");
    let list = "quay.io/a/b:v1.2.3  # from command line\nUPPER:x  # from web-images.txt:2\n";
    assert_eq!(desk.app.model.picked.text(), list);
}

/// A list of which one line could not be read, as it is kept.
const HALF: &str = "quay.io/a/b:v1.2.3\nUPPER:x  # from web-images.txt:2\n";

/// That list of the last time, the cursor on the line.
fn half_read() -> Desk {
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Last(HALF.into(), "2026-11-20T09:30:00Z".parse().unwrap())));
    desk.keys("b Down");
    desk
}

#[test]
fn a_line_that_could_not_be_read_stays_until_it_is_mended_or_removed() {
    let mut desk = half_read();
    let screen = desk.wait(10).screen();
    for words in ["UPPER:x", "x not read", "x web-images.txt:2: ", "Enter writes a reference in its place"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(screen.contains("1 image, 1 not read"), "{screen}");
    assert_eq!(desk.app.model.state(Place::Images), StepState::Failed);
    assert_eq!(desk.app.model.picked.text(), HALF, "it is kept for the next run");
    desk.keys("D");
    assert_eq!(desk.app.model.picked.text(), "quay.io/a/b:v1.2.3\n");
    desk.keys("u");
    assert_eq!(desk.app.model.picked.text(), HALF);
    desk.keys("Down Enter Ctrl-U").typed("upper:x").keys("Enter");
    assert_eq!(
        desk.app.model.picked.text(),
        "quay.io/a/b:v1.2.3\nupper:x  # from web-images.txt:2\n",
        "{}",
        desk.screen()
    );
}

/// A document of a directory of manifests that does not parse, the cursor on its row.
pub(crate) fn unparsed() -> Desk {
    let mut desk = Desk::new();
    desk.keys("b");
    let images = Images { sources: vec![Source::Manifests("/srv/web".into())], ..Images::default() };
    let problem = Problem {
        origin: Origin::line("/srv/web/bad.yaml", 2),
        reason: "the document does not parse as YAML: did not find expected node content".into(),
        text: None,
    };
    let requests = Requests { problems: vec![problem], ..Requests::default() };
    desk.tell(Msg::Found(Found::Selected(images, Box::new(requests)))).keys("Esc");
    desk
}

#[test]
fn a_file_that_does_not_parse_is_read_again_once_it_is_mended() {
    let mut desk = unparsed();
    let screen = desk.wait(10).screen();
    assert!(screen.contains("Enter reads the file again once it is mended, D takes it off"), "{screen}");
    desk.keys("Enter Enter");
    let Query::Select(images) = asked(&mut desk) else { panic!() };
    assert_eq!(images.sources, [Source::Manifests("/srv/web/bad.yaml".into())]);
    let requests =
        Requests { wanted: vec![Request::parse("quay.io/a/b:v1.2.3").unwrap()], ..Requests::default() };
    desk.tell(Msg::Found(Found::Selected(images, Box::new(requests))));
    assert_eq!(desk.app.model.picked.text(), "quay.io/a/b:v1.2.3  # from command line\n");
}

#[test]
fn in_the_place_of_a_file_that_does_not_parse_a_reference_is_typed_from_nothing() {
    let mut desk = unparsed();
    desk.keys("Enter Down Enter");
    let screen = desk.screen();
    assert!(screen.contains("Instead of /srv/web/bad.yaml:2"), "{screen}");
    desk.typed("quay.io/a/b:v1.2.3").keys("Enter");
    assert_eq!(desk.app.model.picked.text(), "quay.io/a/b:v1.2.3  # from /srv/web/bad.yaml:2\n");
}

#[test]
fn what_was_mended_in_its_file_is_no_longer_unread_once_that_is_read_again() {
    let mut desk = desk();
    let images = Images { sources: vec![Source::Manifests("/srv/web".into())], ..Images::default() };
    let unread = |file: &str| Problem {
        origin: Origin::line(file, 2),
        reason: "the document does not parse as YAML".into(),
        text: None,
    };
    let mut read = |problems: Vec<Problem>| {
        let close = if problems.is_empty() { "" } else { "Esc" };
        let requests = Requests { problems, ..Requests::default() };
        desk.tell(Msg::Found(Found::Selected(images.clone(), Box::new(requests))));
        desk.keys(close);
        desk.app.model.picked.unread_words()
    };
    assert_eq!(read(vec![unread("/srv/web/a.yml"), unread("/srv/web/b.yml")]).unwrap(), "2 not read");
    assert_eq!(read(vec![unread("/srv/web/b.yml")]).unwrap(), "1 not read");
    assert_eq!(read(vec![]), None);
    desk.keys("u");
    assert_eq!(desk.app.model.picked.unread_words().unwrap(), "1 not read");
}

#[test]
fn a_list_that_was_not_all_read_is_not_whole_once_all_of_it_is_verified() {
    let mut desk = half_read();
    let picked = &mut desk.app.model.picked;
    picked.begin_all();
    assert!(picked.has_unaccepted() && !picked.leaves_out());
    assert!(picked.is_current());
    picked.accept_failed();
    assert!(!picked.has_unaccepted() && picked.leaves_out(), "the bundle is marked incomplete");
    assert_eq!(desk.app.model.keeps_going(), KeepGoing::Unresolved);
    // Without it the list is another one: the lock file still speaks of it.
    desk.keys("D");
    assert!(!desk.app.model.picked.is_current());
    assert_eq!(desk.app.model.keeps_going(), KeepGoing::No);
}

#[test]
fn the_images_of_a_kubernetes_version_are_a_choice_away() {
    let mut desk = desk();
    desk.keys("k");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Enter");
    let Query::Select(images) = asked(&mut desk) else { panic!() };
    assert_eq!(images.sources, [Source::Kubeadm("1.36.3".into())]);
    desk.keys("Esc k another Enter").typed("1.31").keys("Enter");
    let Query::Select(images) = asked(&mut desk) else { panic!() };
    assert_eq!(images.sources, [Source::Kubeadm("1.31".into())]);
}

/// What looks like images in manifests is offered.
fn guessed() -> Desk {
    let mut desk = desk();
    desk.keys("m").typed("/srv/charts/").keys("Enter");
    let Query::Select(images) = asked(&mut desk) else { panic!() };
    assert_eq!(images.sources, [Source::Manifests("/srv/charts/".into())]);
    let guess = |text: &str, line| {
        Candidate::unsure(text, Origin::line("/srv/charts/app.yaml", line), "an argument of a container")
    };
    let requests = Requests {
        wanted: vec![Request::parse("quay.io/a/b:v1.2.3").unwrap()],
        unsure: vec![guess("quay.io/a/init:v1.0.0", 14), guess("redis:6379", 31)],
        ..Requests::default()
    };
    desk.tell(Msg::Found(Found::Selected(images, Box::new(requests))));
    desk
}

#[test]
fn what_only_looks_like_an_image_in_manifests_is_offered_and_never_taken_by_itself() {
    let mut desk = guessed();
    insta::assert_snapshot!(desk.picture());
    desk.keys("Space Enter");
    assert_eq!(
        desk.app.model.picked.text(),
        "quay.io/a/b:v1.2.3  # from command line\nquay.io/a/init:v1.0.0\n"
    );
}

#[test]
fn a_registry_is_browsed_down_to_its_tags() {
    let mut desk = desk();
    desk.keys("b");
    insta::assert_snapshot!("browse_place", desk.picture());
    desk.typed(HOST).keys("Enter");
    assert_eq!(asked(&mut desk), Query::Repositories(HOST.into()));
    desk.wait(0).wait(7);
    insta::assert_snapshot!("browse_waiting", desk.picture());
    let repositories = strings(&["infra/proxy", "team/app", "team/db"]);
    desk.tell(Msg::Found(Found::Repositories(HOST.into(), Ok(repositories))));
    insta::assert_snapshot!("browse_repositories", desk.picture());
    desk.typed("app").keys("Enter");
    assert_eq!(asked(&mut desk), Query::Tags(repository("team/app")));
    let tags = strings(&["1.9.0", "1.10.2", "latest", "1.10.1"]);
    desk.tell(Msg::Found(Found::Tags(repository("team/app"), Ok(tags))));
    desk.keys("Space Space");
    insta::assert_snapshot!("browse_tags", desk.picture());
    desk.keys("Enter");
    let line = |tag: &str| format!("{HOST}/team/app:{tag}  # from browsing {HOST}\n");
    assert_eq!(desk.app.model.picked.text(), line("1.10.2") + &line("1.10.1"));
}

#[test]
fn a_registry_that_refuses_is_explained_and_one_that_is_slow_is_left() {
    let mut desk = desk();
    desk.keys("b").typed(HOST).keys("Enter");
    desk.tell(Msg::Found(Found::Repositories(HOST.into(), Err(refused()))));
    insta::assert_snapshot!(desk.picture());
    // Behind the reason waits the question, with what helps written already.
    desk.keys("Esc").typed("team/app").keys("Enter");
    assert_eq!(asked(&mut desk), Query::Tags(repository("team/app")));
    desk.keys("Esc");
    let left = std::mem::take(&mut desk.effects);
    assert!(left.iter().any(|effect| matches!(effect, Effect::Leave(Query::Tags(_)))), "{left:?}");
    // The answer that comes all the same finds nobody.
    desk.tell(Msg::Found(Found::Tags(repository("team/app"), Ok(strings(&["1.0.0"])))));
    assert!(!desk.screen().contains("tags of"));
    assert!(desk.app.model.picked.images.is_empty());
}

#[test]
fn twenty_thousand_tags_are_filtered_as_one_types() {
    let mut desk = desk();
    desk.keys("b").typed(&format!("{HOST}/team/app")).keys("Enter");
    let tags: Vec<String> = (0..20_000).map(|tag| format!("v1.{}.{}", tag / 100, tag % 100)).collect();
    desk.tell(Msg::Found(Found::Tags(repository("team/app"), Ok(tags))));
    let screen = desk.screen();
    assert!(screen.contains("20000 tags of") && screen.contains("v1.199.99"), "{screen}");
    let screen = desk.typed("1.199.7").screen();
    assert!(screen.contains("11/20000"), "{screen}");
    desk.keys("Enter");
    let line = format!("{HOST}/team/app:v1.199.79  # from browsing {HOST}\n");
    assert_eq!(desk.app.model.picked.text(), line);
}

#[test]
fn why_one_tag_is_warned_of_and_another_only_may_move_is_told() {
    let mut desk = pasted("quay.io/a/debian:12\nquay.io/a/python:3.11\nquay.io/a/etcd:3.5.12\n");
    let rows: Vec<String> = desk.screen().lines().map(str::to_owned).collect();
    for (name, finding) in
        [("debian:12", "! mutable-tag"), ("python:3.11", "may move"), ("etcd:3.5.12", "name ok")]
    {
        let row = rows.iter().find(|row| row.contains(name)).unwrap();
        assert!(row.ends_with(finding), "{row}");
    }
    desk.keys("Home");
    let unwrapped = |screen: String| screen.split_whitespace().collect::<Vec<_>>().join(" ");
    let screen = unwrapped(desk.screen());
    assert!(
        screen.contains("tag 12 looks like a major version, which moves with every release:"),
        "{screen}"
    );
    let screen = desk.keys("Down").screen();
    assert!(
        screen.contains("may move: tag 3.11 looks like a minor version, which moves with patches:"),
        "{screen}"
    );
}

#[test]
fn platforms_are_marked_or_typed() {
    let mut desk = pasted("quay.io/a/b:v1.2.3\n");
    desk.keys("t Space Down");
    insta::assert_snapshot!(desk.picture());
    desk.keys("End Space Enter").typed("linux/loong64").keys("Enter");
    let words = "linux/amd64, linux/loong64";
    assert_eq!(desk.app.model.picked.platform_words(), words);
    assert!(desk.wait(10).screen().contains(words));
    // An earlier choice is marked when one comes back.
    assert!(desk.keys("t").screen().contains("2 marked"));
}

#[test]
fn the_list_is_saved_where_one_says() {
    let mut desk = pasted("quay.io/a/b:v1.2.3\n");
    desk.keys("s");
    insta::assert_snapshot!(desk.picture());
    desk.effects.clear();
    desk.keys("Ctrl-U").typed("/tmp/web.txt").keys("Enter");
    let saved = desk.effects.iter().any(|effect| {
        matches!(effect, Effect::SaveNew(files)
            if files[0].0.ends_with("web.txt") && files[0].1 == "quay.io/a/b:v1.2.3\n")
    });
    assert!(saved, "{:?}", desk.effects);
}

#[test]
fn the_list_is_kept_after_a_pause_on_leaving_and_before_a_job() {
    let mut desk = desk();
    desk.tell(Msg::Paste("a:1.0.0\n".into()));
    desk.effects.clear();
    desk.tell(Msg::Paste("b:1.0.0\n".into()));
    assert!(kept(&mut desk).is_empty() && desk.app.moves());
    assert_eq!(kept(desk.wait(2)), ["a:1.0.0\nb:1.0.0\n"]);
    assert!(kept(desk.wait(2)).is_empty(), "once");
    desk.keys("D");
    assert_eq!(kept(desk.keys("0")), ["b:1.0.0\n"], "on leaving");
    desk.keys("b D");
    let effects = std::mem::take(&mut desk.keys("q").effects);
    let at = |wanted: fn(&Effect) -> bool| effects.iter().position(wanted).unwrap();
    let (save, written) = (at(|e| matches!(e, Effect::Save(..))), at(|e| matches!(e, Effect::AwaitWrites)));
    assert!(save < written && !effects.iter().any(|effect| matches!(effect, Effect::Quit)));
    desk.tell(Msg::Written(None));
    assert!(quits(&desk), "it is written");
}

fn quits(desk: &Desk) -> bool {
    desk.effects.iter().any(|effect| matches!(effect, Effect::Quit))
}

/// One who would leave, with a list on a disk that is full.
pub(crate) fn unsaved() -> Desk {
    let mut desk = pasted("quay.io/a/b:v1.2.3\n");
    desk.keys("q");
    let list = desk.app.model.settings.list_file();
    let failure = Failure::new(Kind::Space, format!("write {}: No space left on device", list.display()));
    desk.tell(Msg::Found(Found::NotSaved(list, failure.clone())));
    desk.tell(Msg::Written(Some(failure)));
    desk
}

#[test]
fn a_list_that_cannot_be_saved_is_not_left_unasked() {
    let mut desk = unsaved();
    assert!(!quits(&desk), "{:?}", desk.effects);
    let screen = desk.keys("Enter").screen();
    assert!(screen.contains("cancelled; nothing was done") && !quits(&desk), "{screen}");
    // It was told once: no page of its own comes after the question.
    assert!(!screen.contains("was not written"), "{screen}");
    let asks = |desk: &Desk| desk.effects.iter().any(|effect| matches!(effect, Effect::AwaitWrites));
    desk.effects.clear();
    desk.keys("0 q");
    assert!(asks(&desk) && kept(&mut desk).len() == 1, "it is tried again, wherever one is");
    desk.tell(Msg::Written(Some(Failure::new(Kind::Space, "no space"))));
    desk.keys("Right Right Enter");
    assert!(quits(&desk) && !desk.app.saved_elsewhere());
}

#[test]
fn that_the_list_is_not_saved_stands_on_every_screen_until_it_is() {
    const WORDS: &str = "! the list is not saved: s on Images saves it elsewhere, l says why";
    let mut desk = pasted("quay.io/a/b:v1.2.3\n");
    assert!(!desk.screen().contains("is not saved"), "{}", desk.screen());
    let list = desk.app.model.settings.list_file();
    let failure = || Failure::new(Kind::Space, "No space left on device");
    desk.wait(2).tell(Msg::Found(Found::NotSaved(list.clone(), failure())));
    assert!(desk.keys("Esc").screen().contains(WORDS), "{}", desk.screen());
    desk.tell(Msg::Paste("b:1.0.0\n".into()));
    let screen = desk.screen();
    assert!(screen.contains("1 added") && screen.contains(WORDS), "{screen}");
    desk.wait(2).tell(Msg::Found(Found::NotSaved(list.clone(), failure())));
    let screen = desk.screen();
    assert!(screen.contains("1 added"), "it is not said again in the place of other words: {screen}");
    for keys in ["0", "b 2", "3", "1 /"] {
        assert!(desk.keys(keys).screen().contains(WORDS), "{keys}: {}", desk.screen());
    }
    // A reason that takes two rows has both of them.
    let reason = format!("the list of media cannot be read: {}to its very end", "it went wrong, ".repeat(4));
    let failed = Failure::new(Kind::Medium, reason);
    desk.keys("Esc").wait(2).tell(Msg::Found(Found::Failed(Query::Media, failed)));
    let screen = desk.screen();
    assert!(screen.contains("very end; l shows") && screen.contains(WORDS), "{screen}");
    let screen = crate::rig::text(&desk.frame(60, 16));
    assert!(screen.contains("! list not saved: s on Images saves it, l says why"), "{screen}");
    desk.tell(Msg::Found(Found::Saved(vec![list])));
    assert!(!desk.screen().contains("not saved"), "{}", desk.screen());
}

#[test]
fn a_list_that_was_saved_elsewhere_is_left_without_a_question() {
    let mut desk = unsaved();
    desk.keys("0 Esc 0 q");
    desk.tell(Msg::Written(Some(Failure::new(Kind::Space, "no space"))));
    let screen = desk.keys("Right Enter").screen();
    assert!(screen.contains("Save the list as") && screen.contains("1/5 Images"), "{screen}");
    desk.effects.clear();
    desk.keys("Ctrl-U").typed("/tmp/web.txt").keys("Enter");
    desk.tell(Msg::Found(Found::Saved(vec!["/tmp/web.txt".into()])));
    assert!(desk.app.saved_elsewhere() && quits(&desk), "that was asked for");
    // Whoever gives that up stays, and leaves without a question once it is saved.
    let mut desk = unsaved();
    desk.keys("0 Esc 0 q");
    desk.tell(Msg::Written(Some(Failure::new(Kind::Space, "no space"))));
    desk.keys("Right Enter Esc s Ctrl-U").typed("/tmp/web.txt").keys("Enter");
    desk.tell(Msg::Found(Found::Saved(vec!["/tmp/web.txt".into()])));
    assert!(desk.app.saved_elsewhere() && !quits(&desk));
    desk.keys("q");
    assert!(quits(&desk));
}

#[test]
fn one_who_would_not_wait_for_the_list_leaves_at_once() {
    let mut desk = pasted("quay.io/a/b:v1.2.3\n");
    let screen = desk.keys("q").screen();
    assert!(screen.contains("the list is saved first; q again waits for nothing"), "{screen}");
    desk.keys("q");
    assert!(quits(&desk));
    let mut desk = pasted("quay.io/a/b:v1.2.3\n");
    for (times, leaves) in [(1, false), (2, false), (3, true)] {
        desk.keys("Ctrl-C");
        assert_eq!(quits(&desk), leaves, "{times}");
    }
}

#[test]
fn a_version_that_nobody_knows_is_there_to_be_mended_once_the_reason_was_read() {
    let mut desk = desk();
    desk.keys("k End Enter").typed("1.99x").keys("Enter");
    let query = asked(&mut desk);
    let failure = Failure::usage("\"1.99x\" is no Kubernetes version: expected MAJOR.MINOR");
    desk.tell(Msg::Found(Found::Failed(query, failure)));
    assert!(desk.screen().contains("That did not work"), "{}", desk.screen());
    let screen = desk.keys("Esc").screen();
    for words in ["Images for which Kubernetes version?", "1.99x", "x \"1.99x\" is no Kubernetes version"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    desk.keys("Backspace Enter");
    assert!(matches!(asked(&mut desk), query if query.version() == Some("1.99")));
}

#[test]
fn what_is_unsure_and_not_chosen_changes_no_list() {
    let mut desk = guessed();
    for place in [Place::Resolve, Place::Media] {
        desk.app.model.set_state(place, StepState::Ok);
    }
    desk.keys("Enter");
    assert!(desk.screen().contains("none marked: 2 unsure ones left out"), "{}", desk.screen());
    assert_eq!(
        desk.app.model.picked.text(),
        "quay.io/a/b:v1.2.3  # from command line\n",
        "none of them was chosen"
    );
    assert_eq!(desk.app.model.state(Place::Resolve), StepState::Ok, "nothing of it was added");
}

#[test]
fn the_list_of_the_last_time_is_there_again() {
    let mut desk = Desk::new();
    let text = "# platforms: linux/arm64\nquay.io/a/b:v1.2.3\nquay.io/a/c:v1.2.3\n";
    desk.tell(Msg::Found(Found::Last(text.into(), "2026-11-20T09:30:00Z".parse().unwrap())));
    let screen = desk.keys("b").screen();
    assert!(screen.contains("2 images kept since 2026-11-20 09:30Z; n adds, D removes"), "{screen}");
    assert!(kept(desk.wait(10)).is_empty(), "what was read is not written again");
    assert_eq!(desk.app.model.picked.platform_words(), "linux/arm64");
}

#[test]
fn a_list_that_was_emptied_is_not_said_to_be_kept() {
    let mut desk = Desk::new();
    let text = "quay.io/a/b:v1.2.3\nquay.io/a/c:v1.2.3\n";
    desk.tell(Msg::Found(Found::Last(text.into(), "2026-11-20T09:30:00Z".parse().unwrap())));
    desk.app.model.picked.drop_rows(&[0, 1].into());
    let screen = desk.keys("b").screen();
    assert!(screen.contains("No images yet") && !screen.contains("kept since"), "{screen}");
}

#[test]
fn v_goes_on_to_verify_and_verifies_once_something_is_listed() {
    let mut desk = desk();
    assert!(desk.keys("v").screen().contains("not now: the list is empty"));
    let mut desk = pasted("quay.io/a/b:v1.2.3\n");
    desk.effects.clear();
    desk.keys("v");
    assert_eq!(desk.app.model.place, Place::Resolve);
    let starts = |effect: &Effect| matches!(effect, Effect::Start(Act::Resolve, _));
    assert!(desk.effects.iter().any(starts), "it verifies at once: {:?}", desk.effects);
    let screen = pasted("nginx:1.25.3\n").keys("o").screen();
    assert!(screen.contains("not asked yet: v on Images asks"), "{screen}");
}

#[test]
fn a_blank_in_a_line_is_refused_and_makes_no_second_image() {
    let mut desk = desk();
    desk.keys("n").typed("ngnix:1.2 2").keys("Enter");
    assert!(desk.app.model.picked.images.is_empty());
    let screen = desk.screen();
    assert!(screen.contains("line 1: one reference a line, without blanks"), "{screen}");
}

#[test]
fn a_list_that_could_not_be_read_is_kept_beside_the_one_that_takes_its_place() {
    let mut desk = desk();
    let failure =
        airlift::failure::Failure::new(airlift::engine::error::Kind::Other, "cannot read images.txt");
    desk.tell(Msg::Found(Found::Failed(Query::Last, failure))).keys("Esc").effects.clear();
    desk.tell(Msg::Paste("quay.io/a/b:v1.2.3\n".into())).wait(5);
    let moved = |effect: &Effect| matches!(effect, Effect::Aside);
    let aside = desk.effects.iter().position(moved).expect("it is kept");
    let saved = desk.effects.iter().position(|effect| matches!(effect, Effect::Save(..))).unwrap();
    assert!(aside < saved, "{:?}", desk.effects);
    desk.effects.clear();
    desk.tell(Msg::Paste("quay.io/a/c:v1.2.3\n".into())).wait(5);
    assert!(!desk.effects.iter().any(moved), "once: {:?}", desk.effects);
}
