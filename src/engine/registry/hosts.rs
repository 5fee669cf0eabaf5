//! Where a registry lives: its base URL, and how near an address is (this machine, the private network, the world).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// How near an address is. Registries must not send us nearer than they are themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Globally routed, or a name that does not resolve here (a proxy may know it).
    Public,
    /// RFC 1918, RFC 6598, RFC 4193.
    Private,
    /// 169.254/16 and fe80::/10: cloud metadata services.
    LinkLocal,
    /// This machine.
    Loopback,
}

/// Whether the text of a host, with or without brackets and port, names this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = bare(host);
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| reach_of(ip) == Reach::Loopback)
}

/// The name without brackets and port.
fn bare(host: &str) -> &str {
    if let Some((inner, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inner;
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

/// The port written in a host.
pub(super) fn port(host: &str) -> Option<u16> {
    let tail = host.rsplit_once(']').map_or(host, |(_, tail)| tail);
    tail.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
}

/// How near an IP address is.
pub(super) fn reach_of(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => reach_v4(v4),
            None => reach_v6(v6),
        },
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    let [a, b, ..] = ip.octets();
    if ip.is_loopback() || ip.is_unspecified() {
        Reach::Loopback
    } else if ip.is_link_local() || ip.is_broadcast() {
        Reach::LinkLocal
    } else if ip.is_private() || (a == 100 && b & 0xc0 == 64) {
        Reach::Private
    } else {
        Reach::Public
    }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    if ip.is_loopback() || ip.is_unspecified() {
        Reach::Loopback
    } else if ip.segments()[0] & 0xffc0 == 0xfe80 {
        Reach::LinkLocal
    } else if ip.segments()[0] & 0xfe00 == 0xfc00 {
        Reach::Private
    } else {
        Reach::Public
    }
}

/// How near the host of `url` is, resolving its name; of several addresses the nearest counts.
pub(super) async fn reach(url: &Url) -> Reach {
    let ips: Vec<IpAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => vec![ip.into()],
        Some(Host::Ipv6(ip)) => vec![ip.into()],
        Some(Host::Domain(name)) if is_loopback(name) => return Reach::Loopback,
        Some(Host::Domain(name)) => {
            let port = url.port_or_known_default().unwrap_or(443);
            match tokio::net::lookup_host((name, port)).await {
                Ok(found) => found.map(|address| address.ip()).collect(),
                Err(_) => Vec::new(),
            }
        }
        None => Vec::new(),
    };
    let nearest = |wanted| ips.iter().any(|ip| reach_of(*ip) == wanted).then_some(wanted);
    nearest(Reach::LinkLocal)
        .or_else(|| nearest(Reach::Loopback))
        .or_else(|| nearest(Reach::Private))
        .unwrap_or(Reach::Public)
}

/// Scheme, host and port: what must be the same for credentials to go along.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

/// `host[:port]` as an operator would write it.
pub(super) fn authority(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

/// The host that answers for a registry: Docker Hub's API has a name of its own.
pub(super) fn api_host(host: &str) -> &str {
    match host {
        "docker.io" | "index.docker.io" => "registry-1.docker.io",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_in_every_spelling() {
        for host in
            ["localhost", "localhost:5000", "127.0.0.1", "127.1.2.3:80", "[::1]:5000", "::1", "a.localhost"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "[fe80::1]", "registry.example:5000"] {
            assert!(!is_loopback(host), "{host}");
        }
        assert_eq!(port("[::1]:5000"), Some(5000));
        assert_eq!(port("[::1]"), None);
        assert_eq!(port("example"), None);
    }

    #[test]
    fn addresses_are_sorted_by_how_near_they_are() {
        for (ip, reach) in [
            ("127.0.0.1", Reach::Loopback),
            ("0.0.0.0", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("169.254.169.254", Reach::LinkLocal),
            ("fe80::1", Reach::LinkLocal),
            ("10.1.2.3", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("fd00::1", Reach::Private),
            ("8.8.8.8", Reach::Public),
            ("2001:4860::1", Reach::Public),
        ] {
            assert_eq!(reach_of(ip.parse().unwrap()), reach, "{ip}");
        }
    }
}
