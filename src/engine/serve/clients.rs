//! What clients need to know of a registry: where it answers, for which images, and what containerd and podman take to ask it.

use std::net::SocketAddr;

use serde::Serialize;

use super::catalog::Catalog;
use crate::domain::text;

/// Where containerd looks for the registries of a host.
const CERTS: &str = "/etc/containerd/certs.d";

/// A registry as its clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Clients {
    /// `http://HOST:PORT` or `https://HOST:PORT`; `THIS-HOST` where it listens on every address, as no client can ask
    /// for that one.
    pub url: String,
    /// The address of it alone.
    #[serde(skip)]
    reached: String,
    /// How many references it has.
    pub references: usize,
    /// The upstream hosts of them, sorted.
    pub hosts: Vec<String>,
    /// One of them, as a client asks for it: `repository:tag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

impl Clients {
    /// Of what is served at an address.
    pub fn of(catalog: &Catalog, address: SocketAddr, tls: bool) -> Self {
        let reached = match address.ip().is_unspecified() {
            true => format!("THIS-HOST:{}", address.port()),
            false => address.to_string(),
        };
        Self {
            url: format!("{}://{reached}", if tls { "https" } else { "http" }),
            reached,
            references: catalog.references().len(),
            hosts: catalog.hosts().into_iter().map(str::to_owned).collect(),
            example: catalog.example(),
        }
    }

    /// How many images of which hosts.
    pub fn count(&self) -> String {
        let of = if self.hosts.is_empty() { String::new() } else { format!(" of {}", self.hosts.join(", ")) };
        format!("{}{of}", text::count(self.references as u64, "reference"))
    }

    /// What to set for containerd, one file for each host, and how to pull by hand.
    pub fn setting(&self) -> Vec<String> {
        let first = self.hosts.first().map_or("docker.io", String::as_str);
        let others = match self.hosts.get(1..) {
            Some(others @ [_, ..]) => format!(", and the same for {}", others.join(", ")),
            _ => String::new(),
        };
        let mut lines = vec![
            format!("containerd, in {CERTS}/{first}/hosts.toml{others}:"),
            format!("  [host.\"{}\"]", self.url),
            "    capabilities = [\"pull\", \"resolve\"]".to_owned(),
            format!(
                "  containerd reads that where `containerd config dump | grep config_path` shows {CERTS};"
            ),
            format!("  where not, set config_path = \"{CERTS}\" in its config.toml, in the section"),
            "  [plugins.\"io.containerd.cri.v1.images\".registry] (before containerd 2.0:".to_owned(),
            "  [plugins.\"io.containerd.grpc.v1.cri\".registry]), and restart containerd".to_owned(),
        ];
        if let Some(name) = &self.example {
            let insecure = if self.url.starts_with("https:") { "" } else { " --tls-verify=false" };
            lines.push(format!("podman, by hand: podman pull{insecure} {}/{name}", self.reached));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(hosts: &[&str]) -> Clients {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Clients { hosts, example: Some("a/b:1".to_owned()), ..at("127.0.0.1:5000", false) }
    }

    fn at(address: &str, tls: bool) -> Clients {
        Clients::of(&Catalog::default(), address.parse().unwrap(), tls)
    }

    #[test]
    fn each_host_needs_its_file_and_the_address_is_one_that_can_be_asked() {
        let lines = clients(&["docker.io", "quay.io", "registry.k8s.io"]).setting();
        assert_eq!(
            lines[0],
            "containerd, in /etc/containerd/certs.d/docker.io/hosts.toml, and the same for quay.io, registry.k8s.io:"
        );
        assert_eq!(lines[1], "  [host.\"http://127.0.0.1:5000\"]");
        let last = lines.last().unwrap();
        assert_eq!(last, "podman, by hand: podman pull --tls-verify=false 127.0.0.1:5000/a/b:1");
        let told = lines[3..].join("\n");
        for words in [
            "config dump | grep config_path",
            "cri.v1.images\".registry]",
            "grpc.v1.cri\".registry]",
            "restart",
        ] {
            assert!(told.contains(words), "{words} is not in {told}");
        }
        assert_eq!(
            clients(&["quay.io"]).setting()[0],
            "containerd, in /etc/containerd/certs.d/quay.io/hosts.toml:"
        );
        assert_eq!(at("0.0.0.0:443", true).url, "https://THIS-HOST:443");
        assert_eq!(at("[::]:5000", false).url, "http://THIS-HOST:5000");
    }
}
