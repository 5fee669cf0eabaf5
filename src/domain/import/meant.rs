//! What is likely meant by a text that names no target: another name of a runtime, its socket, a directory, a slip.

use super::TargetError;

impl TargetError {
    /// What is likely meant, where that can be told.
    pub fn meant(&self) -> Option<String> {
        match self {
            Self::Unknown { text } => meant(text),
            Self::Malformed { .. } => None,
        }
    }
}

/// What a text stands for that is no target: another name of a runtime, its socket, a directory, a registry.
fn meant(text: &str) -> Option<String> {
    let (word, rest) = text.split_once(':').map_or((text, None), |(word, rest)| (word, Some(rest)));
    let word = word.to_ascii_lowercase();
    let known =
        ["containerd", "containers-storage", "k3s", "registry", "oci", "oci-archive", "docker-archive"];
    let small = known.iter().find(|one| **one == word);
    let slip = |one: &&&str| word.len() > 3 && one_slip(&word, one);
    match (word.as_str(), rest) {
        ("podman" | "cri-o" | "crio" | "skopeo" | "buildah", _) => {
            Some("containers-storage, the store of podman and CRI-O".to_owned())
        }
        ("docker" | "moby" | "dockerd", _) => {
            Some("docker-archive:FILE, then docker load -i FILE".to_owned())
        }
        ("rke2", _) => Some("k3s:/var/lib/rancher/rke2/agent/images".to_owned()),
        ("cri" | "containerd.sock" | "ctr" | "crictl" | "nerdctl", _) => {
            Some("containerd, or containerd:SOCKET".to_owned())
        }
        ("unix", Some(path)) => Some(format!("containerd:{}", path.trim_start_matches("//"))),
        ("http" | "https", Some(_)) => Some(format!("registry:{text}")),
        ("dir" | "layout", Some(path)) => Some(format!("oci:{path}")),
        ("tar" | "archive", Some(path)) => Some(format!("oci-archive:{path}")),
        _ if text.ends_with(".sock") => Some(format!("containerd:{text}")),
        _ if text.ends_with(".tar") => Some(format!("oci-archive:{text}")),
        _ if text.starts_with(['/', '.']) => Some(format!("oci:{text}")),
        _ => match (small.or_else(|| known.iter().find(slip)), rest) {
            (Some(known), Some(rest)) => Some(format!("{known}:{rest}")),
            (Some(known), None) => Some(bare(known)),
            (None, _) if word.contains('.') || word == "localhost" => Some(format!("registry:{text}")),
            (None, _) => None,
        },
    }
}

/// A target without what stands behind its name: with the place of that, where it cannot be left out.
fn bare(known: &str) -> String {
    match known {
        "registry" => "registry:HOST".to_owned(),
        "oci" => "oci:DIR".to_owned(),
        "oci-archive" | "docker-archive" => format!("{known}:FILE"),
        _ => known.to_owned(),
    }
}

/// Whether two words differ in one letter, put in, left out or another one, or in a few at one place.
fn one_slip(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[start..], &other[start..]);
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    one.len() - end <= 2 && other.len() - end <= 2
}

#[cfg(test)]
mod tests {
    use super::super::Target;

    #[test]
    fn what_is_likely_meant_by_a_mistyped_target_is_told_and_is_one() {
        for (text, meant) in [
            ("podman", "containers-storage, the store of podman and CRI-O"),
            ("cri-o:/x", "containers-storage, the store of podman and CRI-O"),
            ("docker", "docker-archive:FILE, then docker load -i FILE"),
            ("rke2", "k3s:/var/lib/rancher/rke2/agent/images"),
            ("unix:///run/containerd/containerd.sock", "containerd:/run/containerd/containerd.sock"),
            ("/run/k3s/containerd/containerd.sock", "containerd:/run/k3s/containerd/containerd.sock"),
            ("contanerd", "containerd"),
            ("containerd2", "containerd"),
            ("OCI:x", "oci:x"),
            ("oci", "oci:DIR"),
            ("registry", "registry:HOST"),
            ("oci-archiv", "oci-archive:FILE"),
            ("registy:m.example", "registry:m.example"),
            ("mirror.example:5000", "registry:mirror.example:5000"),
            ("https://m.example", "registry:https://m.example"),
            ("./images.tar", "oci-archive:./images.tar"),
            ("/srv/images", "oci:/srv/images"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert_eq!(error.meant().as_deref(), Some(meant), "{text}");
            let target = meant.split([',', ' ']).next().unwrap_or_default();
            assert!(target.parse::<Target>().is_ok(), "{target}");
        }
        for text in ["", "xyz", "nothing:like it"] {
            assert_eq!(text.parse::<Target>().unwrap_err().meant(), None, "{text}");
        }
    }
}
