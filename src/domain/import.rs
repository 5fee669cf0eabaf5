//! Where a bundle can be imported to, how targets are written, and what an image is called there; nothing here touches one.

mod meant;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::Digest;
use super::k3s;
use super::reference::Reference;

/// The path component of a prefix that stands for the registry an image came from.
pub const HOST_PLACEHOLDER: &str = "{host}";

/// The targets of this version, as they are written on a command line.
pub const TARGETS: [&str; 7] = [
    "registry:[http://]HOST[:PORT][/PREFIX]",
    "oci:DIR",
    "oci-archive:FILE",
    "docker-archive:FILE",
    "k3s[:DIR]",
    "containers-storage[:DIR]",
    "containerd[:SOCKET[,NAMESPACE]]",
];

/// Where containerd listens unless it is told otherwise.
const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
/// The namespace in which the CRI, and so the kubelet, has its images.
pub const KUBELET_NAMESPACE: &str = "k8s.io";

/// Something that takes images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A registry over the distribution API.
    Registry(RegistryTarget),
    /// An OCI image layout in a directory; images there stay.
    Layout(PathBuf),
    /// A tar file of an OCI image layout.
    OciArchive(PathBuf),
    /// A tar file as `docker save` writes it.
    DockerArchive(PathBuf),
    /// The directory from which k3s or RKE2 imports archives.
    K3s(PathBuf),
    /// The store of CRI-O and podman on this node: its default one, or an additional image store in a directory.
    ContainersStorage(Option<PathBuf>),
    /// The containerd of this node.
    Containerd(ContainerdTarget),
}

/// A containerd and whose images there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerdTarget {
    /// Its socket, an absolute path.
    pub socket: PathBuf,
    /// Its namespace.
    pub namespace: String,
}

impl Target {
    /// Whether it is there whole or not at all, wherever the way to it was left.
    pub const fn is_archive(&self) -> bool {
        matches!(self, Self::OciArchive(_) | Self::DockerArchive(_) | Self::K3s(_))
    }
}

impl Default for ContainerdTarget {
    fn default() -> Self {
        Self { socket: PathBuf::from(CONTAINERD_SOCKET), namespace: KUBELET_NAMESPACE.to_owned() }
    }
}

/// A registry and where in it repositories go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryTarget {
    /// Whether it was written with `http://`.
    pub plain_http: bool,
    /// Host, with its port if one was given.
    pub host: String,
    /// Path before every repository, without outer slashes; may hold [`HOST_PLACEHOLDER`] as a component. May be empty.
    pub prefix: String,
}

/// Why a text names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No known word before the first colon.
    #[error("{text:?} is not an import target: this version has {}", TARGETS.join(", "))]
    Unknown {
        /// The text as given, cut to 160 characters.
        text: String,
    },
    /// A known word with nothing usable behind it.
    #[error("{text:?} is not a {form}: {reason}")]
    Malformed {
        /// The text as given, cut to 160 characters.
        text: String,
        /// How such a target is written.
        form: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// Two images that would get one name in a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{first} and {second} would both become {name}, with different content ({first_digest} and {second_digest})"
)]
pub struct NameClash {
    /// The name in the target.
    pub name: String,
    /// The one that comes first in the bundle.
    pub first: Reference,
    /// Its digest.
    pub first_digest: Digest,
    /// The other one.
    pub second: Reference,
    /// Its digest.
    pub second_digest: Digest,
}

impl RegistryTarget {
    /// The repository an image gets here: the prefix and its own repository; the registry it came from is dropped
    /// unless the prefix holds [`HOST_PLACEHOLDER`], which becomes that host with `-` for what a path cannot hold.
    pub fn repository(&self, reference: &Reference) -> String {
        if self.prefix.is_empty() {
            return reference.repository().to_owned();
        }
        let host = host_component(reference.host());
        let prefix = self.prefix.split('/').map(|part| if part == HOST_PLACEHOLDER { &host } else { part });
        prefix.chain([reference.repository()]).collect::<Vec<_>>().join("/")
    }

    /// Every image that would take the name of another one, later ones against the first.
    pub fn clashes<'a>(
        &self,
        images: impl IntoIterator<Item = (&'a Reference, &'a Digest)>,
    ) -> Vec<NameClash> {
        let mut taken: BTreeMap<String, (&Reference, &Digest)> = BTreeMap::new();
        let mut clashes = Vec::new();
        for (reference, digest) in images {
            let Some(tag) = reference.tag() else { continue };
            let name = format!("{}/{}:{tag}", self.host, self.repository(reference));
            match taken.get(&name) {
                Some((first, first_digest)) if *first_digest != digest => clashes.push(NameClash {
                    name,
                    first: (*first).clone(),
                    first_digest: (*first_digest).clone(),
                    second: reference.clone(),
                    second_digest: digest.clone(),
                }),
                Some(_) => {}
                None => {
                    taken.insert(name, (reference, digest));
                }
            }
        }
        clashes
    }
}

/// A host as one component of a repository path: `quay.io`, `127.0.0.1-5000`, `1-5000` for `[::1]:5000`.
fn host_component(host: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mapped: String = host
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if plain(c) || c == '.' { c } else { '-' })
        .collect();
    mapped.trim_matches(|c| !plain(c)).to_owned()
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let cut = || text.chars().take(160).collect::<String>();
        if text == "k3s" {
            return Ok(Self::K3s(PathBuf::from(k3s::IMAGES)));
        }
        if text == "containers-storage" {
            return Ok(Self::ContainersStorage(None));
        }
        if text == "containerd" {
            return Ok(Self::Containerd(ContainerdTarget::default()));
        }
        let Some((word, rest)) = text.split_once(':') else {
            return Err(TargetError::Unknown { text: cut() });
        };
        let path = |form| path(rest).map_err(|reason| TargetError::Malformed { text: cut(), form, reason });
        match word {
            "registry" => registry(rest).map(Self::Registry).map_err(|reason| TargetError::Malformed {
                text: cut(),
                form: TARGETS[0],
                reason,
            }),
            "oci" => path(TARGETS[1]).map(Self::Layout),
            "oci-archive" => path(TARGETS[2]).map(Self::OciArchive),
            "docker-archive" => path(TARGETS[3]).map(Self::DockerArchive),
            "k3s" => path(TARGETS[4]).map(Self::K3s),
            "containers-storage" => store(rest)
                .map(|store| Self::ContainersStorage(Some(store)))
                .map_err(|reason| TargetError::Malformed { text: cut(), form: TARGETS[5], reason }),
            "containerd" => containerd(rest).map(Self::Containerd).map_err(|reason| TargetError::Malformed {
                text: cut(),
                form: TARGETS[6],
                reason: reason.to_owned(),
            }),
            _ => Err(TargetError::Unknown { text: cut() }),
        }
    }
}

/// A path that does not begin as a target does: `oci:oci:/srv/x` would be a directory of the name `oci:` here.
fn path(text: &str) -> Result<PathBuf, String> {
    let word = text.split_once(':').map_or("", |(word, _)| word);
    let forms = TARGETS.map(|form| form.split([':', '[']).next().unwrap_or_default());
    match text {
        "" => Err("there is no path".to_owned()),
        _ if forms.contains(&word) => Err(format!(
            "{word}: stands for a target of its own and is given once; for a path that begins so, ./{word}:"
        )),
        _ => Ok(PathBuf::from(text)),
    }
}

/// A socket's path has no comma in practice; what follows one is the namespace.
fn containerd(text: &str) -> Result<ContainerdTarget, &'static str> {
    let default = ContainerdTarget::default();
    // As crictl and the kubelet write it.
    let text = text.strip_prefix("unix://").unwrap_or(text);
    let (socket, namespace) = match text.rsplit_once(',') {
        Some((socket, namespace)) => (socket, namespace.to_owned()),
        None => (text, default.namespace),
    };
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match socket {
        _ if namespace.is_empty() || namespace.len() > 76 || !namespace.chars().all(word) => {
            Err("a namespace has letters, digits, '.', '_' and '-', at most 76")
        }
        "" => Ok(ContainerdTarget { namespace, ..default }),
        path if path.starts_with('/') => Ok(ContainerdTarget { socket: PathBuf::from(path), namespace }),
        _ => Err("a socket is an absolute path"),
    }
}

fn registry(text: &str) -> Result<RegistryTarget, String> {
    let (plain_http, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => (false, text),
    };
    let (host, prefix) =
        rest.trim_end_matches('/').split_once('/').unwrap_or((rest.trim_end_matches('/'), ""));
    if host.contains('@') {
        return Err("credentials do not belong into a target; log in, or give --authfile".to_owned());
    }
    // A reference with this host and path parses exactly where a push to it can work. The port makes a bare name a host.
    let probe_host = if host.contains(['.', ':']) { host.to_owned() } else { format!("{host}:443") };
    let sample = prefix.replace(HOST_PLACEHOLDER, "host");
    let whole = [probe_host.as_str(), sample.as_str(), "x"].into_iter().filter(|part| !part.is_empty());
    let probe = whole.collect::<Vec<_>>().join("/");
    match Reference::parse(&probe) {
        _ if host.is_empty() => Err("there is no host".to_owned()),
        _ if prefix.contains([':', '@']) => Err("a prefix has neither tag nor digest".to_owned()),
        Err(error) => Err(error.reason.to_owned()),
        Ok((reference, _)) if reference.tag() == Some("latest") => {
            Ok(RegistryTarget { plain_http, host: host.to_owned(), prefix: prefix.to_owned() })
        }
        Ok(_) => Err("a prefix has neither tag nor digest".to_owned()),
    }
}

/// The directory of an additional image store, as it can be written in a store specification and in `storage.conf`
/// (containers-transports(5)): `:`, `+` and `@` part the former, brackets and commas end its pieces.
fn store(text: &str) -> Result<PathBuf, String> {
    let bad =
        |c: char| matches!(c, ':' | '+' | '@' | '[' | ']' | ',' | '"' | '\\') || super::text::is_hostile(c);
    let mut parts = text.split('/').skip(1).filter(|part| !part.is_empty());
    if text.is_empty() {
        return Err("there is no path".to_owned());
    }
    if !text.starts_with('/') {
        return Err("the path must be absolute, as it goes into storage.conf".to_owned());
    }
    if let Some(c) = text.chars().find(|c| bad(*c)) {
        return Err(format!("containers/storage cannot have {c:?} in the path of a store"));
    }
    if parts.clone().next().is_none() || parts.any(|part| matches!(part, "." | "..")) {
        return Err("the path must name a directory of its own, without . and ..".to_owned());
    }
    // As it is compared with what storage.conf says.
    Ok(text
        .split('/')
        .skip(1)
        .filter(|part| !part.is_empty())
        .fold(PathBuf::from("/"), |path, part| path.join(part)))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(target) => target.fmt(f),
            Self::Layout(path) => write!(f, "oci:{}", path.display()),
            Self::OciArchive(path) => write!(f, "oci-archive:{}", path.display()),
            Self::DockerArchive(path) => write!(f, "docker-archive:{}", path.display()),
            Self::K3s(path) => write!(f, "k3s:{}", path.display()),
            Self::ContainersStorage(None) => f.write_str("containers-storage"),
            Self::ContainersStorage(Some(path)) => write!(f, "containers-storage:{}", path.display()),
            Self::Containerd(target) => target.fmt(f),
        }
    }
}

impl fmt::Display for ContainerdTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Self::default();
        match (self.socket == default.socket, self.namespace == default.namespace) {
            (true, true) => write!(f, "containerd"),
            (_, true) => write!(f, "containerd:{}", self.socket.display()),
            (true, false) => write!(f, "containerd:,{}", self.namespace),
            (false, false) => write!(f, "containerd:{},{}", self.socket.display(), self.namespace),
        }
    }
}

impl fmt::Display for RegistryTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plain_http { "http://" } else { "" };
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "registry:{scheme}{}{slash}{}", self.host, self.prefix)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> RegistryTarget {
        match text.parse().unwrap() {
            Target::Registry(target) => target,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn targets_parse_and_print_as_they_were_written() {
        for text in [
            "registry:mirror.example",
            "registry:mirror:5000",
            "registry:localhost",
            "registry:http://127.0.0.1:5000",
            "registry:http://127.0.0.1:5000/air/gap",
            "registry:mirror.example/{host}",
            "registry:[::1]:5000/a",
            "oci:/srv/images",
            "oci:relative/dir",
            "oci:./oci:/srv/images",
            "oci:k3s",
            "registry:registry:5000",
            "oci-archive:/srv/a:b.tar",
            "docker-archive:x.tar",
            "k3s:/var/lib/rancher/rke2/agent/images",
            "containers-storage",
            "containers-storage:/var/images",
            "containerd",
            "containerd:/run/k3s/containerd/containerd.sock",
            "containerd:/run/x.sock,ci",
            "containerd:,moby",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!(
            "containerd:/run/containerd/containerd.sock,k8s.io".parse::<Target>().unwrap().to_string(),
            "containerd"
        );
        assert_eq!(
            "containerd:unix:///run/x.sock,ci".parse::<Target>().unwrap().to_string(),
            "containerd:/run/x.sock,ci"
        );
        assert_eq!("k3s".parse::<Target>().unwrap().to_string(), "k3s:/var/lib/rancher/k3s/agent/images");
        let slashes: Target = "containers-storage://var//images/".parse().unwrap();
        assert_eq!(slashes.to_string(), "containers-storage:/var/images");
        assert_eq!(target("registry:https://m.example/a/").to_string(), "registry:m.example/a");
    }

    #[test]
    fn an_unknown_target_is_answered_with_what_there_is() {
        for text in ["containerd2", "mirror.example:5000", "", "OCI:x"] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(matches!(error, TargetError::Unknown { .. }), "{text:?}: {error}");
            assert!(TARGETS.iter().all(|form| error.to_string().contains(form)), "{error}");
        }
    }

    #[test]
    fn a_malformed_target_says_how_it_is_written() {
        for (text, reason) in [
            ("registry:", "no host"),
            ("registry:http://", "no host"),
            ("registry:m.example/UPPER", "lower case"),
            ("registry:m.example:99999", "port"),
            ("registry:user:secret@m.example", "credentials"),
            ("registry:m.example/a:b", "neither tag"),
            ("registry:m.example/{port}", "lower-case letters"),
            ("oci:", "no path"),
            ("docker-archive:", "no path"),
            ("oci:oci:/srv/images", "given once"),
            ("oci:registry:m.example", "./registry:"),
            ("oci-archive:oci:/srv/images", "given once"),
            ("docker-archive:docker-archive:x.tar", "given once"),
            ("k3s:k3s:/var/images", "given once"),
            ("registry:registry:m.example:5000", "port"),
            ("containers-storage:containers-storage:/x", "absolute"),
            ("containerd:containerd:/x", "absolute"),
            ("k3s:", "no path"),
            ("containers-storage:", "no path"),
            ("containers-storage:images", "absolute"),
            ("containers-storage:/", "of its own"),
            ("containers-storage:/var/../images", "of its own"),
            ("containers-storage:/var/a:b", "':'"),
            ("containers-storage:/var/a+b", "'+'"),
            ("containers-storage:/var/a]b", "']'"),
            ("containers-storage:/var/a\nb", "in the path"),
            ("containerd:run/x.sock", "absolute"),
            ("containerd:/run/x.sock,", "namespace"),
            ("containerd:/run/x.sock,a/b", "namespace"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn the_source_host_is_dropped_unless_the_prefix_asks_for_it() {
        for (to, image, repository) in [
            ("registry:m.example", "nginx:1", "library/nginx"),
            ("registry:m.example/air", "quay.io/a/b:1", "air/a/b"),
            ("registry:m.example/{host}", "quay.io/a/b:1", "quay.io/a/b"),
            ("registry:m.example/x/{host}/y", "127.0.0.1:5000/b:1", "x/127.0.0.1-5000/y/b"),
            ("registry:m.example/{host}", "[::1]:5000/b:1", "1--5000/b"),
        ] {
            assert_eq!(target(to).repository(&image.parse().unwrap()), repository);
        }
    }

    #[test]
    fn one_name_for_two_contents_is_a_clash_and_one_content_under_two_names_is_none() {
        let digest = |n: u8| Digest::sha256(&[n; 32]);
        let images = [
            ("docker.io/a/b:1".parse::<Reference>().unwrap(), digest(1)),
            ("quay.io/a/b:1".parse().unwrap(), digest(2)),
            ("quay.io/a/b:2".parse().unwrap(), digest(2)),
            (format!("quay.io/a/b@{}", digest(3)).parse().unwrap(), digest(3)),
            ("ghcr.io/a/b:1".parse().unwrap(), digest(1)),
        ];
        let pairs = || images.iter().map(|(reference, digest)| (reference, digest));
        let clashes = target("registry:m.example").clashes(pairs());
        assert_eq!(clashes.len(), 1);
        assert_eq!(clashes[0].name, "m.example/a/b:1");
        assert_eq!(clashes[0].second.host(), "quay.io");
        assert!(target("registry:m.example/{host}").clashes(pairs()).is_empty());
    }
}
