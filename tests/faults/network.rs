//! What the program says to the network: nothing on the air-gapped side, and on the other side only to the registry it was given.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;

use crate::machine::{strace, under};
use crate::rig::world::{Ran, World};
use crate::rig::{need, need_root};

struct Site {
    world: World,
    first: PathBuf,
    second: PathBuf,
}

fn site() -> Option<Site> {
    let world = World::start()?;
    world.push(|layout, host| {
        let layers = vec![LayerSpec::noise(1, 200_000), LayerSpec::text("a", "a")];
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers).docker()).unwrap();
        layout.image(&format!("{host}/team/app:2"), &ImageSpec::small("two")).unwrap()
    });
    let first = world.packed(&["HOST/team/app:1"]);
    let second = world.packed(&["HOST/team/app:1", "HOST/team/app:2"]);
    Some(Site { world, first, second })
}

/// Everything that is done with a bundle on a host without a network.
fn commands(site: &Site, round: &str) -> Vec<Command> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (first, second) = (text(&site.first), text(&site.second));
    let key = text(&site.world.key(&format!("key-{round}")));
    let public = format!("{key}.pub");
    let out =
        |kind: &str, name: &str| format!("{kind}:{}", text(&site.world.root.join(format!("{name}-{round}"))));
    let words: [&[&str]; 10] = [
        &["verify", &second, "--deep"],
        &["inspect", &second],
        &["diff", &first, &second],
        &["key", "list"],
        &["key", "show"],
        &["key", "trust", &public, "--principal", round],
        &["sign", &second, "--key", &key],
        &["import", &second, "--into", &out("oci", "layout")],
        &["import", &second, "--into", &out("oci-archive", "oci.tar")],
        &["import", &second, "--into", &out("docker-archive", "docker.tar")],
    ];
    let command = |words: &&[&str]| {
        let mut command = site.world.command();
        command.args(*words);
        command
    };
    words.iter().map(command).collect()
}

/// The network calls of one run; a pair of sockets inside the process, by which it hears of its signals, is none.
fn calls(strace: &Path, world: &World, command: &Command) -> (Vec<String>, Ran) {
    let log = world.root.join("log");
    let log_text = log.to_str().unwrap();
    let ran = Ran::of(under(strace, &["-f", "-o", log_text, "-e", "trace=%network"], command));
    (outward(&log), ran)
}

fn outward(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    let outward = ["socket(", "connect(", "bind(", "listen(", "accept4(", "sendto(", "sendmsg(", "sendmmsg("];
    let call = |line: &&str| outward.iter().any(|name| line.contains(name));
    let own_pair = |line: &&str| line.contains("sendto(") && line.contains("NULL, 0)");
    text.lines().filter(call).filter(|line| !own_pair(line)).map(str::to_owned).collect()
}

#[test]
fn r27_the_air_gapped_side_opens_no_socket() {
    let Some(strace) = strace() else { return };
    let Some(site) = site() else { return };
    for command in commands(&site, "traced") {
        let (calls, ran) = calls(&strace, &site.world, &command);
        assert_eq!(ran.exit, Some(0), "{command:?}: {}", ran.said());
        assert_eq!(calls, Vec::<String>::new(), "{command:?}");
    }
}

#[test]
fn r27_serving_listens_where_it_was_told_to_and_speaks_to_nobody_else() {
    let Some(strace) = strace() else { return };
    let Some(site) = site() else { return };
    let log = site.world.root.join("log");
    let mut serve = site.world.command();
    serve.arg("serve").arg(&site.second).args(["--listen", "127.0.0.1:0"]);
    let mut traced = under(&strace, &["-f", "-o", log.to_str().unwrap(), "-e", "trace=%network"], &serve);
    let mut tracer = traced.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(tracer.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().rsplit_once(':').unwrap_or_else(|| panic!("not an address: {line:?}")).1;
    let children = format!("/proc/{0}/task/{0}/children", tracer.id());
    let children = std::fs::read_to_string(children).unwrap();
    let server = rustix::process::Pid::from_raw(children.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(server, rustix::process::Signal::TERM).unwrap();
    assert!(tracer.wait().unwrap().success());
    let calls = outward(&log);
    let of = |name: &str| calls.iter().filter(|call| call.contains(name)).collect::<Vec<_>>();
    assert_eq!((of("bind(").len(), of("listen(").len(), of("socket(").len()), (1, 1, 1), "{calls:?}");
    assert!(of("bind(")[0].contains("127.0.0.1"), "{calls:?}");
    assert!(port.parse::<u16>().is_ok_and(|port| port != 0), "{line:?}");
    assert!(of("connect(").is_empty() && of("send").is_empty(), "{calls:?}");
}

#[test]
fn r27_the_air_gapped_side_works_where_there_is_no_network_at_all() {
    let Some(unshare) = need("unshare") else { return };
    if !need_root() {
        return;
    }
    let Some(site) = site() else { return };
    for command in commands(&site, "alone") {
        Ran::of(under(&unshare, &["-n"], &command)).code(0);
    }
}

#[test]
fn packing_speaks_to_the_registry_it_was_given_and_to_nobody_else() {
    let Some(strace) = strace() else { return };
    let Some(site) = site() else { return };
    let mut command = site.world.command();
    command.args(["pack", "--no-tool", "--name", "again", "--to"]).arg(site.world.medium());
    command.arg(site.world.reference("team/app:1"));
    let (calls, ran) = calls(&strace, &site.world, &command);
    assert_eq!(ran.exit, Some(0), "{}", ran.said());
    let (host, port) =
        site.world.registry.host().split_once(':').map(|(h, p)| (h.to_owned(), p.to_owned())).unwrap();
    let connects: Vec<&String> = calls.iter().filter(|call| call.contains("connect(")).collect();
    assert!(!connects.is_empty());
    for call in connects {
        assert!(call.contains(&format!("htons({port})")) && call.contains(&host), "{call}");
    }
    assert!(!calls.iter().any(|call| call.contains("bind(") || call.contains("listen(")), "{calls:?}");
}
