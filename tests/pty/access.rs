//! A registry of a private CA from a real terminal: refused with what to do, then reached as the command line or the configuration file says.

use airlift::engine::demo::sample::ImageSpec;

use crate::console::{Console, Setting};
use crate::rig::registry::{DockerRegistry, Options};
use crate::rig::world::World;
use crate::steps;

/// The command of the verification, as the workstation shows it.
fn shown(console: &mut Console) -> String {
    console.keys("y").wait("The same as a command").settle();
    let screen = console.screen();
    console.keys("Esc");
    // It goes on behind a backslash, as in a shell.
    screen.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_registry_of_a_private_ca_is_reached_as_the_command_line_or_the_configuration_says() {
    let Some(world) = World::start() else { return };
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("a")).unwrap());
    let root = Some(world.registry.root());
    let tls = Options { tls: true, read_only: true, root, ..Options::default() };
    let Some(registry) = DockerRegistry::with(&tls) else { return };
    let (home, reference) = (world.root.join("home"), format!("{}/team/app:1", registry.host()));
    let ca = registry.ca_file().display().to_string();
    let wide = Setting { size: (120, 30), ..Setting::new(&home) };

    let mut console = Console::start(&wide);
    steps::pick(&mut console, &[reference]);
    steps::verify(&mut console);
    console.wait("Verify FAILED").keys("d").wait("(the workstation: airlift").wait("[registry]");
    assert!(console.screen().contains("private CA"), "{}", console.screen());
    console.keys("Esc q").end();

    let mut console = Console::start(&Setting { args: &["--ca", &ca], ..wide });
    console.wait("Build media").keys("b").wait("step 1/5 Images");
    steps::verify(&mut console);
    console.wait("1 verified");
    let command = shown(&mut console);
    assert!(command.contains(&format!("--ca {ca}")), "{command}");
    console.keys("q").end();

    world.root.write("home/.config/airlift/config.toml", format!("[registry]\nca = [{ca:?}]\n"));
    let wide = Setting { size: (120, 30), ..Setting::new(&home) };
    std::fs::remove_file(home.join(".local/share/airlift/work/images.lock")).unwrap();
    let mut console = Console::start(&wide);
    console.wait("Build media").keys("b").wait("step 1/5 Images");
    steps::verify(&mut console);
    console.wait("1 verified");
    let command = shown(&mut console);
    assert!(command.contains("airlift resolve") && !command.contains("--ca"), "{command}");
    console.keys("q").end();
    // What it shows does the same, as does every other command.
    let pinned = format!("{}/team/app:1", registry.host());
    world.run(["resolve", &pinned]).code(0);
    world.packed(&[&pinned]);
    let missing = world.root.join("missing.pem").display().to_string();
    assert!(world.run(["resolve", &pinned, "--ca", &missing]).code(2).said().contains(&missing));
}
