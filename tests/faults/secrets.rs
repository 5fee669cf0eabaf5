//! Secrets: the passphrase of a key and the password of a registry stay in memory, whatever is said, logged, written or run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use airlift::engine::demo::sample::ImageSpec;
use base64::Engine as _;

use crate::machine::{files_below, strace, under};
use crate::rig::registry::{DockerRegistry, Options, PASSWORD, USER};
use crate::rig::world::{Ran, World};

const PASSPHRASE: &str = "canary-passphrase-5c20e7";
const VARIABLE: &str = "AIRLIFT_KEY_PASSPHRASE";

/// What nobody may see: the secrets, and the one that HTTP carries in its usual disguise.
fn secrets() -> [String; 3] {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    [PASSPHRASE.to_owned(), PASSWORD.to_owned(), basic]
}

#[track_caller]
fn assert_silent(what: &str, text: &[u8]) {
    for secret in secrets() {
        let found = text.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{what} holds a secret: {}", String::from_utf8_lossy(text));
    }
}

fn assert_tree_silent(directory: &Path) {
    for path in files_below(directory) {
        let path = directory.join(path);
        assert_silent(&path.display().to_string(), &std::fs::read(&path).unwrap());
    }
}

/// A world whose images a second registry gives out for a password only; and a protected key.
fn guarded() -> Option<(World, DockerRegistry)> {
    let world = World::start()?;
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("a")).unwrap());
    let root = Some(world.registry.root());
    let guarded = DockerRegistry::with(&Options { auth: true, read_only: true, root, ..Options::default() })?;
    let mut generate = world.command();
    generate.args(["key", "generate", "--comment", "kept", "--key"]).arg(world.root.join("kept"));
    generate.env(VARIABLE, PASSPHRASE);
    let ran = Ran::of(generate).code(0);
    assert_silent("key generate", ran.said().as_bytes());
    assert_tree_silent(world.root.path());
    world.trust("kept", &[]);
    Some((world, guarded))
}

/// A pack with everything said that can be said, from the guarded registry.
fn pack(world: &World, guarded: &DockerRegistry, passphrase: &str) -> std::process::Command {
    let mut command = world.command();
    command.args(["pack", "-vvv", "--no-tool", "--to"]).arg(world.medium());
    command.arg("--key").arg(world.root.join("kept")).arg(format!("{}/team/app:1", guarded.host()));
    command.env(VARIABLE, passphrase);
    command
}

fn credentials(world: &World, host: &str, password: &str) {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
    world.root.write("home/.docker/config.json", format!(r#"{{"auths":{{"{host}":{{"auth":"{basic}"}}}}}}"#));
}

#[test]
fn secrets_are_in_no_output_log_bundle_or_state() {
    let Some((world, guarded)) = guarded() else { return };
    credentials(&world, &guarded.host(), PASSWORD);
    let ran = Ran::of(pack(&world, &guarded, PASSPHRASE)).code(0);
    assert!(ran.stderr.lines().count() > 10, "a log was asked for: {}", ran.stderr);
    assert_silent("pack -vvv", ran.said().as_bytes());
    world.verify(&world.medium().join("bundle-1"), &[]).code(0);
    assert_tree_silent(&world.medium());
    std::fs::remove_dir_all(world.root.join("home/.docker")).unwrap();
    assert_tree_silent(&world.root.join("home"));
    assert_tree_silent(&world.root.join("tmp"));
}

#[test]
fn refusals_do_not_repeat_the_secret_that_was_wrong() {
    let Some((world, guarded)) = guarded() else { return };
    credentials(&world, &guarded.host(), PASSWORD);
    let wrong = format!("{PASSPHRASE}-and-more");
    let ran = Ran::of(pack(&world, &guarded, &wrong));
    assert!(ran.exit != Some(0) && ran.said().contains("passphrase"), "{}", ran.said());
    assert_silent("a wrong passphrase", ran.said().as_bytes());
    credentials(&world, &guarded.host(), &format!("{PASSWORD} no"));
    let ran = Ran::of(pack(&world, &guarded, PASSPHRASE)).code(15);
    assert!(ran.said().contains("401"), "{}", ran.said());
    assert_silent("a wrong password", ran.said().as_bytes());
    let nearly = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD} no"));
    assert!(!ran.said().contains(&nearly), "{}", ran.said());
}

#[test]
fn no_argument_of_any_process_holds_a_secret() {
    let Some(strace) = strace() else { return };
    let Some((world, guarded)) = guarded() else { return };
    let helper = format!(
        r#"#!/bin/sh
read host
echo '{{"Username":"{USER}","Secret":"{PASSWORD}","ServerURL":"'"$host"'"}}'
"#
    );
    let helper = world.root.write("bin/docker-credential-rig", helper);
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = format!(r#"{{"credHelpers":{{"{}":"rig"}}}}"#, guarded.host());
    world.root.write("home/.docker/config.json", config);
    let log = world.root.join("log");
    let options = ["-f", "-s", "100000", "-o", log.to_str().unwrap(), "-e", "trace=execve,execveat"];
    let ran = Ran::of(under(&strace, &options, &pack(&world, &guarded, PASSPHRASE))).code(0);
    assert_silent("pack with a helper", ran.said().as_bytes());
    let log = std::fs::read(log).unwrap();
    assert!(String::from_utf8_lossy(&log).contains("docker-credential-rig"), "the helper was asked");
    assert_silent("an argument", &log);
    assert_tree_silent(&world.medium());
}
