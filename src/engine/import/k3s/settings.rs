//! The configuration of the k3s or RKE2 that an images directory belongs to: `config.yaml`, its drop-ins, `registries.yaml`.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::k3s::{BELOW_DATA, Settings};
use crate::engine::directory;
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::yaml::{Values, values};

/// A configuration file with more bytes is not read.
const MAX_CONFIG: u64 = 1 << 20;
/// Drop-ins beyond this number are not read.
const MAX_DROP_INS: usize = 1000;

/// What an images directory can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// As its own project writes it.
    pub(super) name: &'static str,
    /// How it is started anew.
    pub(super) restart: &'static str,
    /// Its data, below the root.
    data: &'static str,
    /// Its configuration, below the root.
    configuration: &'static str,
}

const PROGRAMS: [Program; 2] = [
    Program {
        name: "k3s",
        restart: "systemctl restart k3s (on an agent: k3s-agent)",
        data: "var/lib/rancher/k3s",
        configuration: "etc/rancher/k3s",
    },
    Program {
        name: "RKE2",
        restart: "systemctl restart rke2-server (on an agent: rke2-agent)",
        data: "var/lib/rancher/rke2",
        configuration: "etc/rancher/rke2",
    },
];

/// Reads what is there; what cannot be read is said in the second part. Blocks.
pub(super) fn read(files: &dyn Files, images: &Path) -> (Settings, Vec<String>) {
    let mut problems = Vec::new();
    let mut settings = Settings::default();
    let Some((root, program)) = home(files, images) else { return (settings, problems) };
    let configuration = root.join(program.configuration);
    let mut values = Values::new();
    for path in config_files(files, &configuration) {
        values.extend(take(files, &path, &mut problems));
    }
    let last =
        |key: &str| values.iter().rev().find(|(keys, _)| keys == &[key]).map(|(_, value)| value.clone());
    settings.system_registry = last("system-default-registry").filter(|registry| !registry.is_empty());
    settings.pause_image = last("pause-image").filter(|image| !image.is_empty());
    let extra = values.iter().filter(|(keys, _)| keys == &["airgap-extra-registry"]);
    settings.extra_registries = extra.map(|(_, value)| value.clone()).collect();
    let registries = last("private-registry")
        .map_or_else(|| configuration.join("registries.yaml"), |path| below(&root, Path::new(&path)));
    settings.mirrors = mirrors(&take(files, &registries, &mut problems));
    (settings, problems)
}

/// The root that an images directory lies below, and what it belongs to; nothing where this host knows of nothing that
/// reads it. Blocks.
pub(super) fn home(files: &dyn Files, images: &Path) -> Option<(PathBuf, Program)> {
    let absolute = std::path::absolute(images).ok()?;
    let data = above(&absolute, Path::new(BELOW_DATA))?;
    for program in PROGRAMS {
        if let Some(root) = above(&data, Path::new(program.data)) {
            return Some((root, program));
        }
    }
    // Elsewhere it is by `data-dir`, on this host.
    let says = |program: &Program| {
        config_files(files, &Path::new("/").join(program.configuration)).iter().any(|path| {
            let values = take(files, path, &mut Vec::new());
            values.iter().any(|(keys, value)| keys == &["data-dir"] && Path::new(value) == data)
        })
    };
    PROGRAMS.into_iter().find(says).map(|program| (PathBuf::from("/"), program))
}

/// Where the program that reads an images directory has its data; where its path does not tell, what it lies in.
pub(super) fn data(images: &Path) -> PathBuf {
    let absolute = std::path::absolute(images).unwrap_or_else(|_| images.to_owned());
    above(&absolute, Path::new(BELOW_DATA)).unwrap_or_else(|| directory::above(&absolute).to_owned())
}

/// The images directories of the programs where nothing else is set.
pub(super) fn usual() -> impl Iterator<Item = PathBuf> {
    PROGRAMS.into_iter().map(|program| Path::new("/").join(program.data).join(BELOW_DATA))
}

/// `path` without its last components, where those are `end`.
fn above(path: &Path, end: &Path) -> Option<PathBuf> {
    path.ends_with(end).then(|| path.ancestors().nth(end.components().count()).map(Path::to_owned)).flatten()
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// `config.yaml`, then its drop-ins, which win.
fn config_files(files: &dyn Files, configuration: &Path) -> Vec<PathBuf> {
    let drop_ins = configuration.join("config.yaml.d");
    let mut names: Vec<String> = files
        .entries(&drop_ins, MAX_DROP_INS)
        .unwrap_or_default()
        .into_iter()
        .map(|entry| entry.path)
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .collect();
    names.sort();
    let drop_ins = names.into_iter().map(|name| drop_ins.join(name));
    [configuration.join("config.yaml")].into_iter().chain(drop_ins).collect()
}

/// The values of a file; nothing where it is not there.
fn take(files: &dyn Files, path: &Path, problems: &mut Vec<String>) -> Values {
    match text(files, path) {
        Ok(None) => Values::new(),
        Ok(Some(text)) => values(&text).unwrap_or_else(|reason| {
            problems.push(format!("{} could not be understood: {reason}", path.display()));
            Values::new()
        }),
        Err(reason) => {
            problems.push(format!("{} could not be read: {reason}", path.display()));
            Values::new()
        }
    }
}

fn text(files: &dyn Files, path: &Path) -> Result<Option<String>, String> {
    let open = match open_named(files, path) {
        Ok(open) => open,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.source.to_string()),
    };
    if open.size > MAX_CONFIG {
        return Err(format!("it has {} bytes, at most {MAX_CONFIG} are read", open.size));
    }
    let bytes = read_whole(open, MAX_CONFIG).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map(Some).map_err(|_| "it is not UTF-8".to_owned())
}

/// Registries with the hosts of their endpoints.
fn mirrors(values: &Values) -> Vec<(String, String)> {
    let endpoint = |(keys, value): &(Vec<String>, String)| match keys.as_slice() {
        [mirrors, registry, endpoint] if mirrors == "mirrors" && endpoint == "endpoint" => {
            let rest = value.split_once("://").map_or(value.as_str(), |(_, rest)| rest);
            let host = rest.split('/').next().unwrap_or(rest);
            Some((registry.clone(), host.to_owned()))
        }
        _ => None,
    };
    values.iter().filter_map(endpoint).collect()
}

/// Where `.cache.json` of a directory says that an archive was imported: its size then, in bytes.
pub(super) fn remembered(files: &dyn Files, images: &Path, archive: &str, cache: &str) -> Remembered {
    #[derive(serde::Deserialize)]
    struct Seen {
        size: u64,
    }
    let path = images.join(cache);
    let Ok(open) = files.open(directory::above(&path), cache) else { return Remembered::NoCache };
    let bytes = read_whole(open, MAX_CONFIG).unwrap_or_default();
    // Empty until the first start, and whatever k3s cannot read it starts anew.
    let seen: std::collections::BTreeMap<PathBuf, Seen> = serde_json::from_slice(&bytes).unwrap_or_default();
    let ours = |path: &&PathBuf| path.file_name().is_some_and(|name| name == archive);
    match seen.keys().find(ours).and_then(|path| seen.get(path)) {
        Some(seen) => Remembered::Imported { size: seen.size },
        None => Remembered::NotYet,
    }
}

/// What the cache file of k3s knows of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remembered {
    /// There is no such file: every archive is imported at every start.
    NoCache,
    /// There is one, without this archive.
    NotYet,
    /// It was imported when it had `size` bytes.
    Imported {
        /// In bytes.
        size: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    fn written(root: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn the_configuration_beside_the_directory_counts_with_its_drop_ins() {
        let root = tempfile::tempdir().unwrap();
        written(
            root.path(),
            &[
                (
                    "etc/rancher/rke2/config.yaml",
                    "system-default-registry: old\npause-image: \"a/pause:1\"\n",
                ),
                (
                    "etc/rancher/rke2/config.yaml.d/50.yaml",
                    "system-default-registry: reg.example:5000\nairgap-extra-registry: [x.example, y.example]\n",
                ),
                (
                    "etc/rancher/rke2/registries.yaml",
                    "mirrors:\n  docker.io:\n    endpoint:\n      - https://m.example:5000/v2\n    rewrite:\n      a: b\n  \"*\": {endpoint: [plain]}\n",
                ),
                ("etc/rancher/k3s/config.yaml", "system-default-registry: other\n"),
            ],
        );
        let images = root.path().join("var/lib/rancher/rke2/agent/images");
        let (settings, problems) = read(&RealFiles, &images);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            settings,
            Settings {
                system_registry: Some("reg.example:5000".to_owned()),
                extra_registries: vec!["x.example".to_owned(), "y.example".to_owned()],
                pause_image: Some("a/pause:1".to_owned()),
                mirrors: vec![
                    ("docker.io".to_owned(), "m.example:5000".to_owned()),
                    ("*".to_owned(), "plain".to_owned()),
                ],
            }
        );
    }

    #[test]
    fn what_cannot_be_understood_is_said_and_aliases_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        written(
            root.path(),
            &[
                ("etc/rancher/k3s/config.yaml", "a: [\n"),
                ("etc/rancher/k3s/registries.yaml", "x: &x [a]\nmirrors: *x\n"),
            ],
        );
        let (settings, problems) = read(&RealFiles, &root.path().join("var/lib/rancher/k3s/agent/images"));
        assert_eq!(settings, Settings::default());
        assert!(
            problems.len() == 1 && problems[0].contains("config.yaml could not be understood"),
            "{problems:?}"
        );
        assert!(values(&"[".repeat(100)).is_err());
    }

    #[test]
    fn the_cache_file_is_read_as_k3s_writes_it() {
        let root = tempfile::tempdir().unwrap();
        let ask = |archive| remembered(&RealFiles, root.path(), archive, ".cache.json");
        assert_eq!(ask("a.tar"), Remembered::NoCache);
        written(root.path(), &[(".cache.json", "")]);
        assert_eq!(ask("a.tar"), Remembered::NotYet);
        let text =
            r#"{"/var/lib/rancher/k3s/agent/images/a.tar":{"size":7,"modTime":"2026-07-22T22:58:25Z"}}"#;
        written(root.path(), &[(".cache.json", text)]);
        assert_eq!(ask("a.tar"), Remembered::Imported { size: 7 });
        assert_eq!(ask("b.tar"), Remembered::NotYet);
    }
}
