//! What k3s and RKE2 make of a directory of image archives: which files they read, in which order, and which names arise.

use super::bundle;
use super::reference::Reference;

/// Where k3s looks where nothing else is said.
pub const IMAGES: &str = "/var/lib/rancher/k3s/agent/images";
/// The directory below the data directory of k3s or RKE2.
pub const BELOW_DATA: &str = "agent/images";
/// Where the containerd of both listens, also where their data lie elsewhere.
pub const SOCKET: &str = "/run/k3s/containerd/containerd.sock";
/// File in which they remember what was imported, where it was made by the operator.
pub const CACHE: &str = ".cache.json";

/// Endings of file names that are read; anything else lies there unseen (wharfie, `pkg/tarfile`).
const READ: [&str; 9] =
    [".tar", ".tar.lz4", ".tar.bz2", ".tbz", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".txt"];

/// What begins the name of every archive of ours.
const OURS: &str = "airlift-";

/// Whether a file of that name is imported.
pub fn is_read(name: &str) -> bool {
    READ.iter().any(|ending| name.ends_with(ending))
}

/// The archive of a bundle. The serial has a fixed width, as archives are imported in the order of their names and
/// the last one has a tag for good.
pub fn archive(name: &str, serial: u64) -> String {
    format!("{OURS}{name}-{serial:08}.tar")
}

/// The bundle that an archive of that name came from, as the bundle's own directory is called.
pub fn bundle_of(archive: &str) -> Option<String> {
    let (name, serial) = archive.strip_prefix(OURS)?.strip_suffix(".tar")?.rsplit_once('-')?;
    let digits = serial.len() >= 8 && serial.bytes().all(|byte| byte.is_ascii_digit());
    Some(bundle::directory(name, serial.parse().ok().filter(|_| digits)?))
}

/// What the configuration of k3s or RKE2 says about names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The registry in the names of their own images (`system-default-registry`).
    pub system_registry: Option<String>,
    /// More registries under whose names archives are imported (`airgap-extra-registry`).
    pub extra_registries: Vec<String>,
    /// The sandbox image, where it is not their default (`pause-image`).
    pub pause_image: Option<String>,
    /// Registries, and the hosts that are asked in their place (`registries.yaml`).
    pub mirrors: Vec<(String, String)>,
}

impl Settings {
    /// The names that k3s gives an image of an archive besides those in it.
    pub fn names_of(&self, image: &Reference) -> Vec<String> {
        let Some(tag) = image.tag() else { return Vec::new() };
        let mut names = Vec::new();
        for registry in self.renamed().filter(|registry| *registry != image.host()) {
            let name = format!("{registry}/{}:{tag}", image.repository());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Registries under which k3s names every tagged image of an archive once more.
    fn renamed(&self) -> impl Iterator<Item = &String> {
        self.extra_registries.iter().chain(&self.system_registry)
    }

    /// What will not be as expected with the name of an image.
    pub fn of_image(&self, image: &Reference) -> Vec<String> {
        let mut notes = Vec::new();
        if image.tag().is_none() {
            let under =
                if self.renamed().next().is_some() { ", and has no name under other registries" } else { "" };
            notes.push(format!(
                "it has no tag: k3s and RKE2 log \"failed to parse tag\" for it; it is there by its digest alone{under}"
            ));
        }
        let mirrored =
            self.mirrors.iter().filter(|(registry, host)| host == image.host() && registry != host);
        notes.extend(mirrored.map(|(registry, host)| {
            let registry = if registry == "*" { "any registry" } else { registry };
            format!(
                "{host} is a mirror of {registry} in registries.yaml: pods that name {registry} do not find this \
                 name; pack the image under the name that pods use"
            )
        }));
        if self.renamed().any(|registry| registry == image.host()) {
            notes.push(format!(
                "system-default-registry or airgap-extra-registry is {} already: releases before August 2026 may fail \
                 to import the archive with \"already exists\"; a restart imports it again",
                image.host()
            ));
        }
        notes
    }

    /// What holds for all images of an archive; `images` are those that the directory will have, as far as it
    /// was looked into.
    pub fn general(&self, images: &[&Reference], unseen: bool) -> Vec<String> {
        let mut notes = Vec::new();
        let renamed: Vec<&str> = self.renamed().map(String::as_str).collect();
        if !renamed.is_empty() {
            notes.push(format!(
                "every image with a tag gets its name under {} too, from k3s or RKE2 itself",
                renamed.join(" and ")
            ));
        }
        if let Some(pause) = &self.pause_image {
            let wanted = pause.parse::<Reference>().ok();
            let same = |image: &&Reference| Some(*image) == wanted.as_ref();
            if !images.iter().any(same) {
                let unless = if unseen { "; it may be in an archive that was not looked into" } else { "" };
                notes.push(format!(
                    "pause-image is {pause}, which is neither among these images nor in another bundle's archive there: \
                     no pod starts without it{unless}"
                ));
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn only_names_with_an_archive_ending_are_read() {
        for name in ["a.tar", "a.tar.zst", "images.txt", ".hidden.tar", &archive("site", 3)] {
            assert!(is_read(name), "{name}");
        }
        for name in ["a.tar.airlift-tmp", "a", ".cache.json", "a.tar.part", "a.zip"] {
            assert!(!is_read(name), "{name}");
        }
    }

    #[test]
    fn archives_sort_by_serial_and_tell_their_bundle() {
        let names: Vec<String> = [2, 10, 9, 100].map(|serial| archive("site-a", serial)).to_vec();
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(sorted, [2, 9, 10, 100].map(|serial| archive("site-a", serial)));
        assert_eq!(bundle_of(&archive("site-a", 10)).as_deref(), Some("site-a-10"));
        for other in
            ["k3s-airgap-images-amd64.tar", "airlift-x.tar", "airlift-x-1.tar", "airlift-x-00000001.tar.gz"]
        {
            assert_eq!(bundle_of(other), None, "{other}");
        }
    }

    #[test]
    fn names_that_pods_will_not_find_are_said() {
        let settings = Settings {
            mirrors: vec![
                ("docker.io".to_owned(), "mirror:5000".to_owned()),
                ("quay.io".to_owned(), "quay.io".to_owned()),
            ],
            system_registry: Some("reg.example".to_owned()),
            ..Settings::default()
        };
        let said = |text| settings.of_image(&reference(text)).join("\n");
        assert_eq!(said("docker.io/library/nginx:1"), "");
        assert_eq!(said("quay.io/a/b:1"), "");
        assert!(said("mirror:5000/library/nginx:1").contains("mirror:5000 is a mirror of docker.io"));
        assert!(said("reg.example/rancher/pause:3").contains("already exists"));
        let digest = format!("docker.io/a/b@sha256:{}", "0".repeat(64));
        assert!(said(&digest).contains("no tag") && said(&digest).contains("other registries"));
    }

    #[test]
    fn an_image_with_a_tag_gets_a_name_under_every_other_registry() {
        let settings = Settings {
            system_registry: Some("reg.example".to_owned()),
            extra_registries: vec!["x.example:5000".to_owned(), "reg.example".to_owned()],
            ..Settings::default()
        };
        let names = |text| settings.names_of(&reference(text));
        assert_eq!(names("nginx:1"), ["x.example:5000/library/nginx:1", "reg.example/library/nginx:1"]);
        assert_eq!(names("reg.example/a:1"), ["x.example:5000/a:1"]);
        assert_eq!(names(&format!("docker.io/a/b@sha256:{}", "0".repeat(64))), Vec::<String>::new());
        assert_eq!(Settings::default().names_of(&reference("nginx:1")), Vec::<String>::new());
    }

    #[test]
    fn a_sandbox_image_that_is_not_carried_is_said() {
        let pause_image = Some("rancher/mirrored-pause:3.6".to_owned());
        let settings = Settings { pause_image, ..Settings::default() };
        let there = reference("docker.io/rancher/mirrored-pause:3.6");
        assert!(settings.general(&[&there], false).is_empty());
        assert!(settings.general(&[], false)[0].ends_with("no pod starts without it"));
        assert!(settings.general(&[], true)[0].ends_with("that was not looked into"));
    }
}
