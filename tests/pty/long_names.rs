//! The longest name a registry takes, through every screen of both sides: none is torn by it, and none loses which image it is.

use airlift::engine::demo::sample::ImageSpec;

use crate::console::{Console, Setting};
use crate::rig::world::World;
use crate::steps;

/// The frame is whole: what stands in its first and last rows is there, and a row of its own says which image it is.
fn whole(console: &mut Console, step: &str, tag: &str) {
    console.wait(step);
    // What is filtered by names nothing.
    let named = |row: &str| row.contains(tag) && !row.contains("filter");
    console.wait_for("a row with the end of the tag", |screen| screen.lines().any(named)).settle();
    let screen = console.screen();
    let rows: Vec<&str> = screen.lines().collect();
    assert!(rows[0].contains("airlift") && rows[0].contains(step), "{screen}");
    assert!(rows.iter().rev().any(|row| row.contains("? help")), "{screen}");
    assert!(rows.iter().any(|row| named(row)), "{screen}");
}

#[test]
fn a_reference_of_300_characters_is_carried_from_list_to_import_and_tears_no_screen() {
    let Some(world) = World::start() else { return };
    let (path, tag) = ("deep/".repeat(31) + "app", "v1.".repeat(42) + "9z");
    let reference = format!("{}/{path}:{tag}", world.registry.host());
    assert!(reference.len() >= 300, "{}", reference.len());
    world.push(|layout, _| layout.image(&reference, &ImageSpec::small("long")).unwrap());
    let home = world.root.join("home");
    let end = "1.9z";

    let mut console = Console::start(&Setting { alone: true, ..Setting::new(&home) });
    steps::pick(&mut console, std::slice::from_ref(&reference));
    whole(&mut console, "step 1/5 Images", end);
    steps::verify(&mut console);
    whole(&mut console, "step 2/5 Verify", end);
    console.keys("d").wait("sha256:");
    whole(&mut console, "step 2/5 Verify", end);
    console.keys("Esc");
    steps::choose(&mut console, &world.medium());
    steps::assemble(&mut console);
    console.wait("Assemble ok");
    whole(&mut console, "step 4/5 Assemble", end);
    console.keys("5").wait("step 5/5 Report").keys("/").wait("filter").keys(end).keys("Enter");
    whole(&mut console, "step 5/5 Report", end);
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);

    let layout = world.root.join("layout");
    let mut console = Console::start(&Setting { alone: true, ..Setting::new(&home) });
    console.wait("Build media").keys("g");
    steps::open(&mut console, &world.medium().join("bundle-1"));
    steps::aim(&mut console, &format!("oci:{}", layout.display()));
    console.wait("1 add");
    whole(&mut console, "step 3/4 Import", end);
    console.keys("Enter").wait("Import this?").keys("Right Enter").wait("+ OK ");
    whole(&mut console, "step 3/4 Import", end);
    console.keys("Enter").wait("step 4/4 Report").keys("/").wait("filter").keys(end).keys("Enter");
    whole(&mut console, "step 4/4 Report", end);
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
    let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
    assert!(index.contains(&reference), "{index}");
}
