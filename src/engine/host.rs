//! What this host is: its name, whether a network is up, which container runtimes are here, whose keys it has. Opens no socket.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::bundle::contents::program_room;
use super::files::{Files, RealFiles, read_whole};
use super::node;
use super::sign::keys::load_public;
use super::sign::{AllowedSigners, fingerprint, key_id};

/// Where to look.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// `/`, or what stands for it.
    pub root: PathBuf,
    /// The private signing key.
    pub key: PathBuf,
    /// The `allowed_signers` file.
    pub trust: PathBuf,
}

/// What was found. Everything but the name may be missing; what could not be read is in `problems`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostFacts {
    /// Its name.
    pub name: String,
    /// Interfaces that are up and lead somewhere else than to this host.
    pub interfaces: Vec<String>,
    /// Whether one of them has a route to everywhere.
    pub default_route: bool,
    /// Container runtimes that are here, and which of them do not run.
    pub runtimes: Vec<String>,
    /// The signing key.
    pub key: Option<KeyFacts>,
    /// How many keys are trusted.
    pub trusted: usize,
    /// Bytes that this program takes in a bundle that carries it; 0 where it cannot be carried.
    pub program: u64,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// The signing key of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyFacts {
    /// The private half's file.
    pub path: PathBuf,
    /// As OpenSSH prints it.
    pub fingerprint: String,
    /// As signature files are called.
    pub id: String,
}

/// The kernel's id of this boot; nothing where it cannot be read. Blocks.
pub(crate) fn boot_id(files: &dyn Files) -> Option<String> {
    let open = files.open(Path::new("/proc/sys/kernel/random"), "boot_id").ok()?;
    let bytes = read_whole(open, 64).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Looks around; blocks on small reads of the kernel's own files alone.
pub fn look(spec: &HostSpec) -> HostFacts {
    let mut facts = HostFacts { name: name(), ..HostFacts::default() };
    facts.interfaces = interfaces(&spec.root.join("sys/class/net"));
    facts.default_route = default_route(&spec.root.join("proc/net"));
    facts.runtimes = node::names(&spec.root, &RealFiles);
    facts.program = program_room(&HashMap::new());
    match key(&spec.key) {
        Ok(key) => facts.key = key,
        Err(problem) => facts.problems.push(problem),
    }
    if spec.trust.exists() {
        match AllowedSigners::load(&RealFiles, &spec.trust) {
            Ok(trusted) => facts.trusted = trusted.entries.len(),
            Err(error) => facts.problems.push(error.message()),
        }
    }
    facts
}

fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// By sysfs: links that are up, without the loopback.
fn interfaces(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let up = |name: &String| {
        let state = std::fs::read_to_string(dir.join(name).join("operstate")).unwrap_or_default();
        // Tunnels and bridges of some drivers say unknown while they carry traffic.
        name != "lo" && matches!(state.trim(), "up" | "unknown")
    };
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).filter(up).collect();
    names.sort_unstable();
    names
}

/// By procfs: a route of mask 0, of IPv4 or IPv6.
fn default_route(dir: &Path) -> bool {
    let v4 = std::fs::read_to_string(dir.join("route")).unwrap_or_default();
    let v4 = v4.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")
    });
    let v6 = std::fs::read_to_string(dir.join("ipv6_route")).unwrap_or_default();
    let v6 = v6.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&"00") && fields.get(9).is_some_and(|device| *device != "lo")
    });
    v4 || v6
}

fn key(path: &Path) -> Result<Option<KeyFacts>, String> {
    if !path.exists() {
        return Ok(None);
    }
    let public = load_public(path).map_err(|error| error.message())?;
    Ok(Some(KeyFacts {
        path: path.to_owned(),
        fingerprint: fingerprint(public.key_data()),
        id: key_id(public.key_data()),
    }))
}

impl HostFacts {
    /// The network in two or three words, for a header.
    pub fn network_words(&self) -> String {
        match (self.interfaces.first(), self.default_route) {
            (None, _) => "net down".to_owned(),
            (Some(name), true) => format!("net up ({name})"),
            (Some(name), false) => format!("net local ({name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn facts(root: &Path) -> HostFacts {
        let spec = HostSpec { root: root.to_owned(), key: root.join("key"), trust: root.join("trust") };
        look(&spec)
    }

    #[test]
    fn the_network_is_what_leads_away_from_this_host() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "sys/class/net/lo/operstate", "unknown\n");
        assert_eq!(facts(root.path()).network_words(), "net down");
        write(root.path(), "sys/class/net/eth0/operstate", "up\n");
        write(root.path(), "sys/class/net/eth1/operstate", "down\n");
        assert_eq!(facts(root.path()).network_words(), "net local (eth0)");
        let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n";
        write(
            root.path(),
            "proc/net/route",
            &format!("{head}eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"),
        );
        assert_eq!(facts(root.path()).network_words(), "net up (eth0)");
    }

    #[tokio::test]
    async fn runtimes_are_found_by_their_sockets_or_programs_and_a_damaged_key_is_a_problem() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "run/crio/crio.sock", "");
        write(root.path(), "key", "not a key");
        let facts = facts(root.path());
        assert_eq!(facts.runtimes, ["CRI-O"]);
        // As an import finds them: with podman there is a store to write to, whoever listens.
        write(root.path(), "usr/bin/podman", "");
        write(root.path(), "usr/bin/containerd", "");
        let names = self::facts(root.path()).runtimes;
        assert_eq!(names, ["containerd (not running)", "CRI-O", "podman"]);
        assert_eq!(node::find(root.path(), &RealFiles).await.runtimes.len(), names.len());
        assert!(facts.key.is_none() && facts.problems.len() == 1);
    }
}
