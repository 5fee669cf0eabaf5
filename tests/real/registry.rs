//! The rig's registry is what it says: its own process, with the accounts, TLS and limits asked for.

use std::process::Command;

use crate::rig::registry::{DockerRegistry, Options, PASSWORD, USER, listens};
use crate::rig::{TempRoot, need};

#[test]
fn a_registry_is_gone_with_its_value() {
    let Some(registry) = DockerRegistry::start() else { return };
    assert_eq!(registry.status_of("/v2/_catalog"), 200);
    let port = registry.host().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap();
    assert!(!listens(std::process::id(), port), "the socket is the registry's and not this process's");
    drop(registry);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_registry_with_accounts_and_tls_lets_in_who_has_both() {
    let (Some(curl), Some(registry)) =
        (need("curl"), DockerRegistry::with(&Options { auth: true, tls: true, ..Options::default() }))
    else {
        return;
    };
    let status = |account: &str| {
        let output = Command::new(&curl)
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", account, "--cacert"])
            .arg(registry.ca_file())
            .arg(format!("https://{}/v2/", registry.host()))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(status(&format!("{USER}:{PASSWORD}")), "200", "{}", registry.log());
    assert_eq!(status(&format!("{USER}:wrong")), "401");
}

#[test]
fn a_read_only_registry_refuses_an_upload() {
    let Some(curl) = need("curl") else { return };
    let root = TempRoot::new();
    let options = Options { read_only: true, root: Some(root.join("storage")), ..Options::default() };
    let Some(registry) = DockerRegistry::with(&options) else { return };
    let output = Command::new(curl)
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST"])
        .arg(format!("http://{}/v2/a/b/blobs/uploads/", registry.host()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "405");
}
