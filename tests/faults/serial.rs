//! Where serials are noted there is no room: nothing is signed that another bundle's serial could be, and the same command goes on.

use std::path::Path;

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;

use crate::machine::{Mount, signatures, strace, tampered};
use crate::rig::world::{Ran, World, copy_tree};

fn world() -> Option<World> {
    let world = World::start()?;
    push(&world, 1);
    Some(world)
}

/// An image under the one tag, another one for each seed.
fn push(world: &World, seed: u64) {
    world.push(|layout, host| {
        let spec = ImageSpec::new(vec![LayerSpec::noise(seed, 300_000)]);
        layout.image(&format!("{host}/team/app:1"), &spec).map(drop).unwrap();
    });
}

fn pack(world: &World, state: &Path) -> std::process::Command {
    let mut command = world.command();
    command.args(["pack", "--json", "--no-tool", "--to"]).arg(world.medium()).arg("--state").arg(state);
    command.arg(world.reference("team/app:1"));
    command
}

fn assert_refused(world: &World, ran: &Ran) {
    assert_eq!(ran.exit, Some(14), "{}", ran.said());
    for words in ["cannot note in", "that bundle 1 is used", "nothing is signed before"] {
        assert!(ran.said().contains(words), "{words:?} is not in {}", ran.said());
    }
    assert_eq!(signatures(&world.medium()), Vec::<String>::new());
}

#[test]
fn a_full_disk_below_the_serials_is_told_before_anything_is_fetched_and_the_next_run_completes() {
    let Some(world) = world() else { return };
    let state = world.root.join("full");
    std::fs::create_dir(&state).unwrap();
    let Some(_disk) = Mount::tmpfs(&state, "size=64k") else { return };
    // The locks need no room of their own.
    std::fs::write(state.join("bundle.lock"), "").unwrap();
    std::fs::write(state.join("state.lock"), "").unwrap();
    let filling = state.join("filling");
    std::fs::write(&filling, vec![0; 128 << 10]).expect_err("the disk is full");
    assert_refused(&world, &Ran::of(pack(&world, &state)));
    assert!(!world.medium().join("bundle-1/blobs").exists(), "nothing was fetched");
    std::fs::remove_file(filling).unwrap();
    let bundle = Ran::of(pack(&world, &state)).code(0).bundle();
    assert!(bundle.ends_with("bundle-1"), "{}", bundle.display());
    world.verify(&bundle, &[]).code(0);
}

#[test]
fn a_disk_that_ran_full_meanwhile_keeps_the_bundle_unsigned_and_the_next_run_signs_it() {
    let (Some(strace), Some(world)) = (strace(), world()) else { return };
    let (state, log) = (world.root.join("ran-full"), world.root.join("log"));
    let noted = state.join("state.json.tmp");
    let full = tampered(&strace, ("write", &noted), "error=ENOSPC:when=1", &log, &pack(&world, &state));
    assert_refused(&world, &Ran::of(full));
    let again = Ran::of(pack(&world, &state)).code(0);
    assert!(
        again.bundle().ends_with("bundle-1") && again.report()["bundle"]["fetchedBytes"] == 0,
        "{}",
        again.said()
    );
    world.verify(&again.bundle(), &[]).code(0);
}

#[test]
fn what_was_signed_once_goes_on_under_the_next_serial_though_its_signature_is_gone() {
    let Some(world) = world() else { return };
    let state = world.root.join("signed");
    let first = Ran::of(pack(&world, &state)).code(0);
    let (bundle, id) = (first.bundle(), |ran: &Ran| ran.report()["bundle"]["id"].clone());
    for signature in signatures(&world.medium()) {
        std::fs::remove_file(world.medium().join(signature)).unwrap();
    }
    push(&world, 2);
    let mut plan = pack(&world, &state);
    plan.arg("--dry-run");
    let plan = Ran::of(plan).code(0);
    assert_eq!(plan.report()["unsigned"], bundle.display().to_string(), "{}", plan.said());
    let (to, state_at, app) = (world.medium(), state.display().to_string(), world.reference("team/app:1"));
    let words = ["pack", "-n", "--no-tool", "--to", &to.display().to_string(), "--state", &state_at, &app];
    let planned = world.run(words).code(0).said();
    let sign = format!("airlift sign {}", bundle.display());
    let words =
        format!("that serial was signed here; what lies there lost its signature: {sign} signs it again");
    assert!(planned.contains(&words), "{planned}");
    let copy = world.root.join("copy/bundle-1");
    copy_tree(&bundle, &copy);
    world.run([Path::new("sign"), &copy]).code(0);
    world.verify(&copy, &[]).code(0);
    let again = Ran::of(pack(&world, &state)).code(0);
    assert!(bundle.ends_with("bundle-1") && again.bundle().ends_with("bundle-2"), "{}", again.said());
    assert!(again.said().contains("its serial has been used meanwhile"), "{}", again.said());
    assert!(id(&again) != id(&first) && id(&first).is_string(), "{}", again.said());
    world.verify(&again.bundle(), &[]).code(0);
}
