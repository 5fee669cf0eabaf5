//! How the program gets at a registry: credential helpers on `PATH`, and proxies by the usual variables.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use airlift::engine::demo::sample::ImageSpec;
use base64::Engine as _;

use crate::pack::in_own_mounts;
use crate::rig::registry::{DockerRegistry, Options, PASSWORD, PROXIED, USER};
use crate::rig::world::{Ran, World};

const PASSPHRASE: (&str, &str) = ("AIRLIFT_KEY_PASSPHRASE", "canary-passphrase");
const PROXY_PASSWORD: &str = "canary-proxy";

fn world() -> Option<World> {
    let world = World::start()?;
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("a")).unwrap());
    Some(world)
}

/// The same images behind another front.
fn front(world: &World, tls: bool) -> Option<DockerRegistry> {
    let root = Some(world.registry.root());
    DockerRegistry::with(&Options { auth: true, read_only: true, root, tls, ..Options::default() })
}

fn pack(world: &World, reference: &str) -> Command {
    let mut command = world.command();
    command.args(["pack", "-vv", "--no-tool", "--to"]).arg(world.medium()).arg(reference);
    command
}

/// Puts a shell script on the program's `PATH` as a credential helper called `rig`.
fn helper(world: &World, script: &str) {
    let draft = world.root.write("draft", format!("#!/bin/sh\n{script}\n"));
    // Written by another process: what a child of another test still has open for writing cannot be run.
    let to = world.root.join("bin/docker-credential-rig");
    assert!(Command::new("install").args(["-m", "755"]).args([&draft, &to]).status().unwrap().success());
}

/// A helper that keeps what it is asked and all of its environment, and knows the account.
fn knowing_helper(world: &World) {
    let script = format!(
        r#"test "$1" = get || exit 9
/bin/cat >{home}/asked
/usr/bin/env >{home}/environment
echo '{{"ServerURL":"","Username":"{USER}","Secret":"{PASSWORD}"}}'"#,
        home = world.root.join("home").display()
    );
    helper(world, &script);
}

fn configure(world: &World, text: &str) {
    world.root.write("home/.docker/config.json", text);
}

#[test]
fn a_credential_helper_is_asked_for_the_host_and_never_sees_the_passphrase() {
    let Some((world, guarded)) = world().and_then(|world| front(&world, false).map(|front| (world, front)))
    else {
        return;
    };
    knowing_helper(&world);
    let reference = format!("{}/team/app:1", guarded.host());
    let configurations = [
        format!(r#"{{"credHelpers":{{"{}":"rig"}}}}"#, guarded.host()),
        r#"{"credsStore":"rig"}"#.to_owned(),
    ];
    for configuration in configurations {
        configure(&world, &configuration);
        let mut command = pack(&world, &reference);
        command.env(PASSPHRASE.0, PASSPHRASE.1);
        let ran = Ran::of(command).code(0);
        assert!(!ran.said().contains(PASSWORD), "{}", ran.said());
        let [asked, environment] = ["home/asked", "home/environment"].map(|name| {
            let path = world.root.join(name);
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::remove_file(path).unwrap();
            text
        });
        assert_eq!(asked.trim(), guarded.host(), "{configuration}");
        assert!(environment.contains("HOME="), "{environment}");
        assert!(!environment.contains("AIRLIFT_") && !environment.contains(PASSPHRASE.1), "{environment}");
        std::fs::remove_dir_all(world.medium()).unwrap();
        std::fs::create_dir(world.medium()).unwrap();
    }
}

#[test]
fn a_credential_helper_that_fails_is_named_and_one_without_credentials_leaves_the_refusal() {
    let Some((world, guarded)) = world().and_then(|world| front(&world, false).map(|front| (world, front)))
    else {
        return;
    };
    let reference = format!("{}/team/app:1", guarded.host());
    configure(&world, r#"{"credsStore":"rig"}"#);
    helper(&world, "echo the vault is locked; exit 1");
    let failed = Ran::of(pack(&world, &reference));
    assert!(!matches!(failed.exit, None | Some(0)), "{failed:?}");
    for words in ["docker-credential-rig", "the vault is locked", "config.json", &guarded.host()] {
        assert!(failed.stderr.contains(words), "{words}: {}", failed.stderr);
    }
    helper(&world, "echo credentials not found in native keychain; exit 1");
    let refused = Ran::of(pack(&world, &reference)).code(15);
    assert!(refused.stderr.contains("401") && !refused.stderr.contains("keychain"), "{}", refused.stderr);
}

/// A proxy that takes every name for one place on loopback and keeps the heads of what it is asked.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let (upstream, kept) = (upstream.to_owned(), Arc::clone(&heads));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, kept) = (upstream.clone(), Arc::clone(&kept));
                std::thread::spawn(move || forward(client, &upstream, &kept));
            }
        });
        Self { address, heads }
    }

    fn url(&self) -> String {
        format!("http://{USER}:{PROXY_PASSWORD}@{}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// One request of HTTP/1.1 (RFC 9112, 3.2.2 and 3.2.3), then bytes both ways until one side has no more.
fn forward(client: TcpStream, upstream: &str, kept: &Mutex<Vec<String>>) -> Option<()> {
    let mut from_client = BufReader::new(client.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from_client.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    kept.lock().unwrap().push(head.clone());
    let mut to_client = client;
    let mut upstream = TcpStream::connect(upstream).ok()?;
    if head.starts_with("CONNECT ") {
        to_client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
    } else {
        let (line, headers) = head.split_once("\r\n")?;
        let (method, address) = line.split_once(" http://")?;
        let path = format!("{method} /{}", address.split_once('/')?.1);
        let own = |header: &&str| {
            let name = header.to_ascii_lowercase();
            !name.starts_with("proxy-") && !name.starts_with("connection:") && !name.is_empty()
        };
        let headers: Vec<&str> = headers.split("\r\n").filter(own).collect();
        let head = format!("{path}\r\n{}\r\nConnection: close\r\n\r\n", headers.join("\r\n"));
        upstream.write_all(head.as_bytes()).ok()?;
    }
    let mut to_upstream = upstream.try_clone().ok()?;
    std::thread::spawn(move || {
        let copied = std::io::copy(&mut from_client, &mut to_upstream);
        copied.and_then(|_| to_upstream.shutdown(Shutdown::Write))
    });
    std::io::copy(&mut upstream, &mut to_client).ok()?;
    to_client.shutdown(Shutdown::Both).ok()
}

#[track_caller]
fn assert_no_proxy_secret(ran: &Ran) {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PROXY_PASSWORD}"));
    assert!(!ran.said().contains(PROXY_PASSWORD) && !ran.said().contains(&basic), "{}", ran.said());
}

#[test]
fn plain_http_goes_through_the_proxy_in_both_directions() {
    let Some(world) = world() else { return };
    let proxy = Proxy::start(&world.registry.host());
    let mut command = pack(&world, &format!("{PROXIED}/team/app:1"));
    command.args(["--plain-http", PROXIED]).env("HTTP_PROXY", proxy.url());
    assert_no_proxy_secret(&Ran::of(command).code(0));
    let heads = proxy.heads();
    assert!(
        heads.iter().all(|head| head.starts_with(&format!("GET http://{PROXIED}/v2/"))
            || head.starts_with(&format!("HEAD http://{PROXIED}/v2/"))),
        "{heads:?}"
    );
    assert!(heads[0].to_ascii_lowercase().contains("proxy-authorization: basic "), "{heads:?}");
    let mut command = world.command();
    command.arg("import").arg(world.medium().join("bundle-1")).env("http_proxy", proxy.url());
    command.arg("--into").arg(format!("registry:http://{PROXIED}/far"));
    assert_no_proxy_secret(&Ran::of(command).code(0));
    assert!(
        proxy.heads().iter().any(|head| head.starts_with(&format!("PUT http://{PROXIED}/v2/far/team/app/")))
    );
    let again = world.root.join("again");
    std::fs::create_dir(&again).unwrap();
    world
        .run([Path::new("pack"), world.reference("far/team/app:1").as_ref(), "--to".as_ref(), &again])
        .code(0);
}

#[test]
fn https_goes_through_a_tunnel_in_which_the_credentials_stay() {
    let Some((world, guarded)) = world().and_then(|world| front(&world, true).map(|front| (world, front)))
    else {
        return;
    };
    let proxy = Proxy::start(&guarded.host());
    knowing_helper(&world);
    configure(&world, &format!(r#"{{"credHelpers":{{"{PROXIED}":"rig"}}}}"#));
    let mut command = pack(&world, &format!("{PROXIED}/team/app:1"));
    command.arg("--ca").arg(guarded.ca_file()).env("HTTPS_PROXY", proxy.url());
    assert_no_proxy_secret(&Ran::of(command).code(0));
    let heads = proxy.heads();
    assert!(!heads.is_empty());
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    for head in heads {
        assert!(head.starts_with(&format!("CONNECT {PROXIED}:443 HTTP/1.1\r\n")), "{head}");
        assert!(!head.contains(&basic), "{head}");
    }
}

#[test]
fn loopback_is_reached_without_the_proxy() {
    let Some(world) = world() else { return };
    let proxy = Proxy::start(&world.registry.host());
    let mut command = pack(&world, &world.reference("team/app:1"));
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(variable, proxy.url());
    }
    Ran::of(command).code(0);
    assert_eq!(proxy.heads(), Vec::<String>::new());
}

#[test]
fn a_name_in_no_proxy_is_reached_without_the_proxy() {
    let Some(world) = world() else { return };
    let proxy = Proxy::start(&world.registry.host());
    world.root.write("hosts", format!("127.0.0.1 {PROXIED}\n"));
    let port = world.registry.host().rsplit_once(':').unwrap().1.to_owned();
    let host = format!("{PROXIED}:{port}");
    let reference = format!("{host}/team/app:1");
    let arguments = ["pack", &reference, "--no-tool", "--plain-http", &host, "--to", "medium"];
    for (exempt, through) in [("other.example", true), (PROXIED, false)] {
        let script = format!(
            "mount --bind hosts /etc/hosts && export HTTP_PROXY={} NO_PROXY={exempt} && exec \"$0\" \"$@\"",
            proxy.url()
        );
        let Some(ran) = in_own_mounts(&world, &script, &arguments) else { return };
        ran.code(0);
        assert_eq!(!proxy.heads().is_empty(), through, "NO_PROXY={exempt}");
        proxy.heads.lock().unwrap().clear();
    }
}
