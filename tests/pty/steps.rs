//! The way through both sides, key by key as an operator goes it.

use std::path::Path;

use crate::console::Console;

/// What is said as soon as the plan can be started.
pub(crate) const PLANNED: &str = "Enter asks for confirmation, then starts";

/// From the start screen to a list of images.
pub(crate) fn pick(console: &mut Console, references: &[String]) {
    console.wait("Build media").keys("b").wait("step 1/5 Images");
    console.paste(&format!("{}\n", references.join("\n")));
    console.wait(&format!("{} added", references.len()));
}

/// Asks the registries for all of it and waits until nothing runs any more.
pub(crate) fn verify(console: &mut Console) {
    console.keys("2").wait("step 2/5 Verify").keys("v");
    console.wait_for("everything was asked for", |screen| {
        screen.contains("[2 Verify ok]")
            || screen.contains("[2 Verify warn]")
            || screen.contains("[2 Verify FAILED]")
    });
}

/// Chooses a directory to assemble in.
pub(crate) fn choose(console: &mut Console, directory: &Path) {
    console.keys("3").wait("step 3/5 Media").keys("o");
    console.wait("directory").keys("Ctrl-U").keys(directory.to_str().unwrap()).keys("Enter");
    console.wait("Take it").keys("Right Enter");
    console.wait("step 4/5 Assemble");
}

/// Puts the cursor on a device in the list of media.
pub(crate) fn find_listed(console: &mut Console, device: &str) {
    console.keys("3").wait("step 3/5 Media");
    let name = device.rsplit('/').next().unwrap().to_owned();
    console.keys("/").keys(device).keys("Enter").wait("Esc shows all");
    console.wait_for("the device under the cursor", |screen| {
        screen.lines().any(|line| line.starts_with('>') && line.split_whitespace().any(|word| word == name))
    });
}

/// Chooses a medium from the list.
pub(crate) fn choose_listed(console: &mut Console, device: &str) {
    find_listed(console, device);
    console.keys("Enter").wait("step 4/5 Assemble");
}

/// Has the plan worked out, without carrying the program that these tests are built with, and starts it.
pub(crate) fn assemble(console: &mut Console) {
    console.keys("4").wait("step 4/5 Assemble").wait(PLANNED);
    console.keys("e").wait("Carry this program").keys("Down Down Down Enter").wait("no").keys("Esc");
    // The plan that was there before says as much of its start. Of one with more rows than fit, this is among the last.
    let told = |screen: &str| screen.lines().any(|line| line.trim_end().ends_with(" not carried"));
    let more = |screen: &str| screen.contains("Up and Down go to the others");
    console.settled_at(|screen| {
        let planned = screen.contains(PLANNED) && (told(screen) || more(screen));
        planned.then(|| screen.to_owned())
    });
    if !told(&console.screen()) {
        console.keys("End").wait_for("the plan without the program", told);
        console.keys("Home").wait(PLANNED);
    }
    console.keys("Enter").wait("Assemble and sign this?").keys("Right Enter");
    console.wait("Assemble running");
}

/// On the other side, from the first step to the import of a bundle that verifies.
pub(crate) fn open(console: &mut Console, bundle: &Path) {
    console.wait("step 1/4 Bundle").keys("o").wait("Open a directory");
    console.keys("Ctrl-U").keys(bundle.to_str().unwrap()).keys("Enter").wait(">  bundle-1");
    console.keys("Enter").wait("step 2/4 Verify").keys("v").wait("Enter goes on to the import");
    console.keys("Enter").wait("step 3/4 Import");
}

/// Types a target, and waits until it is among those that are chosen.
pub(crate) fn aim(console: &mut Console, target: &str) {
    console.keys("o").wait("Another target").keys(target).keys("Enter");
    let end = target.rsplit('/').next().unwrap().to_owned();
    console.wait_for("the target is chosen", move |screen| {
        screen.lines().any(|line| line.starts_with(" * ") && line.contains(&end))
    });
}
