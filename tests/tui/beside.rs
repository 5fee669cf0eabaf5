//! Two workstations at once: one has the list, the other one says so, works apart, and loses nothing.

use std::sync::Arc;

use airlift::domain::view::JobView;
use airlift::engine::spec::JobReport;
use airlift::tui::beside::Beside;
use airlift::tui::msg::{Effect, Found, Msg};

use crate::rig::{Desk, now};

const WHO: &str = "process 4711 on jump01, running since 2026-11-22 05:40Z";
const BEGAN_WITH: &str = "docker.io/library/old:1.0\n";

/// Begun while another workstation has the list.
fn apart() -> Desk {
    let mut settings = Desk::bare().app.model.settings;
    settings.paths = settings.paths.working_in("/home/op/.local/share/airlift/work/apart/1".into());
    let mut desk = Desk::with(settings);
    desk.app.model.beside = Some(Beside { who: Some(WHO.to_owned()), began_with: BEGAN_WITH.to_owned() });
    desk.found_host();
    desk.tell(Msg::Found(Found::Last(BEGAN_WITH.to_owned(), now())));
    desk
}

/// What was written where, of the lists.
fn written(desk: &mut Desk) -> Vec<(String, String)> {
    let effects = desk.effects.drain(..);
    let saved = effects.filter_map(|effect| match effect {
        Effect::Save(path, text) => Some((path.display().to_string(), text)),
        _ => None,
    });
    saved.collect()
}

#[test]
fn start_and_images_say_who_has_the_list_and_what_becomes_of_what_is_picked() {
    let mut desk = apart();
    let says = |screen: &str| {
        let words: String = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["another workstation has the list", "4711 on jump01", "2026-11-22 05:40Z", "kept apart"]
        {
            assert!(words.contains(part), "{part}: {screen}");
        }
    };
    says(&desk.screen());
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::AwaitList)));
    desk.keys("b");
    says(&desk.screen());
    says(&crate::rig::text(&desk.frame(60, 16)));
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn what_is_picked_beside_another_workstation_is_kept_apart_and_that_is_said_on_leaving() {
    let mut desk = apart();
    assert_eq!(desk.app.parting(), [""; 0], "nothing was picked");
    desk.keys("b").tell(Msg::Paste("redis:7.0.1\n".into()));
    desk.effects.clear();
    desk.keys("q");
    let own = "/home/op/.local/share/airlift/work/apart/1/images.txt";
    assert_eq!(written(&mut desk), [(own.to_owned(), format!("{BEGAN_WITH}redis:7.0.1\n"))]);
    let said = desk.app.parting().join("\n");
    assert!(said.contains("is kept apart, and the next one that is started takes it in"), "{said}");
}

#[test]
fn when_the_other_workstation_ends_its_list_and_this_one_are_one_and_kept() {
    let mut desk = apart();
    desk.keys("b").tell(Msg::Paste("redis:7.0.1\n".into()));
    desk.wait(3).keys("Up Space");
    desk.effects.clear();
    desk.tell(Msg::Found(Found::Freed("docker.io/library/mid:1.0\n".to_owned())));
    let screen = desk.screen();
    assert!(!screen.contains("another workstation has"), "{screen}");
    assert!(screen.contains("the other workstation has ended"), "{screen}");
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "its list joined this one: docker.io/library/mid:1.0 came, docker.io/library/old:1.0 went";
    assert!(words.contains(said), "{screen}");
    let log = desk.keys("l").screen();
    for one in ["docker.io/library/mid:1.0 came", "docker.io/library/old:1.0 went"] {
        assert!(log.contains(one), "{one}: {log}");
    }
    desk.keys("Esc");
    desk.wait(3);
    assert!(screen.contains("! joined"), "{screen}");
    let list = "docker.io/library/mid:1.0  # from another workstation\nredis:7.0.1\n".to_owned();
    let places = ["work/apart/1/images.txt", "work/images.txt"];
    let expected = places.map(|place| (format!("/home/op/.local/share/airlift/{place}"), list.clone()));
    assert_eq!(written(&mut desk), expected);
    assert_eq!(desk.app.parting(), [""; 0]);
    desk.keys("u");
    assert_eq!(desk.app.model.picked.text(), format!("{BEGAN_WITH}redis:7.0.1\n"));
}

#[test]
fn what_went_off_the_list_as_the_other_one_took_it_off_is_named() {
    let list = |names: &[&str]| {
        names.iter().map(|name| format!("docker.io/library/{name}:1.0\n")).collect::<String>()
    };
    for (gone, words) in [
        (&[][..], "this one has the list now"),
        (&["one"], "docker.io/library/one:1.0 was taken off here, and is off the list"),
        (
            &["one", "two", "three"],
            "docker.io/library/one:1.0 and 2 more were taken off here, and are off the list",
        ),
    ] {
        let mut settings = Desk::bare().app.model.settings;
        settings.paths = settings.paths.working_in("/home/op/.local/share/airlift/work/apart/1".into());
        let mut desk = Desk::with(settings);
        let began_with = list(&["one", "two", "three", "left"]);
        desk.app.model.beside = Some(Beside { who: None, began_with: began_with.clone() });
        desk.found_host();
        desk.tell(Msg::Found(Found::Last(began_with.clone(), now())));
        desk.keys("b Home");
        for _ in gone {
            desk.keys("D Home");
        }
        // The other one still had all of them when it ended.
        desk.tell(Msg::Found(Found::Freed(began_with.clone())));
        let screen = crate::rig::text(&desk.frame(120, 40));
        let said = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{words}: {screen}");
        assert_eq!(said.contains("off the list"), !gone.is_empty(), "{screen}");
    }
}

#[test]
fn platforms_that_the_other_one_chose_are_said_and_verified_anew() {
    let mut desk = apart();
    desk.keys("b").tell(Msg::Paste("redis:7.0.1\n".into()));
    desk.tell(Msg::Found(Found::Freed(format!("# platforms: linux/arm64\n{BEGAN_WITH}"))));
    let screen = desk.screen();
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("this one has the list now; it is for linux/arm64 now"), "{screen}");
    assert_eq!(desk.app.model.picked.platform_words(), "linux/arm64");
}

/// Begun with a list to which another workstation had joined a row.
fn joined() -> Desk {
    let mut desk = Desk::new();
    let list = format!("{BEGAN_WITH}redis:7.0.1  # from another workstation\n");
    desk.tell(Msg::Found(Found::Last(list, now())));
    desk.keys("b").wait(10);
    desk
}

#[test]
fn rows_from_another_workstation_say_so_until_they_are_verified() {
    let mut desk = joined();
    desk.keys("End");
    insta::assert_snapshot!(desk.picture());
    let rows = |desk: &mut Desk| desk.screen().matches("! joined").count();
    assert_eq!(rows(&mut desk), 1);
    desk.keys("2 v");
    desk.tell(Msg::Job(desk.job(), Arc::new(JobView::default())));
    let images = ["docker.io/library/old:1.0", "docker.io/library/redis:7.0.1"];
    let mut report = crate::made::resolved();
    report.images = images.map(|name| crate::resolve::image(name, 'a')).into();
    desk.effects.clear();
    desk.tell(Msg::Ended(desk.job(), crate::made::done(JobReport::Resolve(report)))).wait(10);
    let list = "/home/op/.local/share/airlift/work/images.txt".to_owned();
    assert_eq!(
        written(&mut desk),
        [(list, format!("{BEGAN_WITH}redis:7.0.1\n"))],
        "not at the next start either"
    );
    desk.keys("1");
    assert_eq!(rows(&mut desk), 0, "{}", desk.screen());
}

#[test]
fn no_row_moves_while_a_question_about_one_is_open() {
    let mut desk = apart();
    desk.keys("b n");
    desk.tell(Msg::Found(Found::Freed("docker.io/library/mid:1.0\n".to_owned())));
    assert_eq!(desk.app.model.picked.text(), BEGAN_WITH);
    desk.keys("Esc");
    assert_eq!(desk.app.model.picked.text(), "docker.io/library/mid:1.0  # from another workstation\n");
}

#[test]
fn of_several_that_wait_each_says_who_has_the_list_now() {
    let mut desk = apart();
    desk.tell(Msg::Found(Found::Holder("process 4712 on jump01".to_owned())));
    let screen = desk.screen();
    assert!(screen.contains("process 4712") && !screen.contains("4711"), "{screen}");
}

#[test]
fn a_command_that_is_copied_names_no_file_that_goes_when_the_lists_are_one() {
    let mut desk = apart();
    desk.keys("b").tell(Msg::Paste("redis:7.0.1\n".into())).keys("2");
    desk.effects.clear();
    desk.keys("y");
    let copied = desk.effects.iter().find_map(|effect| match effect {
        Effect::Copy(text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.unwrap();
    assert!(copied.starts_with("airlift resolve") && !copied.contains("apart"), "{copied}");
    assert!(copied.contains("docker.io/library/old:1.0 redis:7.0.1"), "{copied}");
}

#[test]
fn many_that_came_by_hand_leave_room_for_the_rest_of_the_log() {
    let mut desk = Desk::new();
    desk.tell(Msg::Found(Found::Last(String::new(), now())));
    let hand: String = (0..100).map(|n| format!("quay.io/a/b{n:02}:1.0\n")).collect();
    desk.keys("b").tell(Msg::Found(Found::Edited(String::new(), hand)));
    let log = desk.app.model.log.text();
    assert_eq!(log.matches("changed in the list's file").count(), 21, "{log}");
    assert!(log.contains("80 more came"), "{log}");
}

#[test]
fn what_somebody_writes_into_the_file_of_the_list_is_on_the_list() {
    let mut desk = Desk::new();
    let was = "docker.io/library/old:1.0\n";
    desk.tell(Msg::Found(Found::Last(was.to_owned(), now())));
    desk.keys("b").tell(Msg::Paste("redis:7.0.1\n".into())).wait(3);
    let hand = "docker.io/library/hand:1.0\n";
    desk.tell(Msg::Found(Found::Edited(was.to_owned(), hand.to_owned())));
    let screen = desk.screen();
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "somebody else changed the file of the list meanwhile: docker.io/library/hand:1.0 came, docker.io/library/old:1.0 went";
    assert!(words.contains(said), "{screen}");
    let log = desk.keys("l").screen();
    assert!(log.contains("docker.io/library/hand:1.0 came") && log.contains("old:1.0 went"), "{log}");
    desk.keys("Esc");
    assert_eq!(desk.app.model.picked.text(), format!("{hand}redis:7.0.1\n"));
    desk.wait(3);
    let taken_in = desk.effects.iter().position(|effect| matches!(effect, Effect::TakenIn(1)));
    let saved = desk.effects.iter().rposition(|effect| matches!(effect, Effect::Save(..)));
    assert!(taken_in.is_some() && taken_in < saved, "{:?}", desk.effects);
    desk.keys("u");
    assert_eq!(desk.app.model.picked.text(), format!("{was}redis:7.0.1\n"));
}
