//! The registry as a service of a node: its systemd unit, written so that no path can say more than a path.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::text;

/// The unit's name.
pub const UNIT: &str = "airlift-serve.service";
/// The directory of what the service is set up with.
pub const CONFIGURATION: &str = "/etc/airlift/serve";
/// Whom the service trusts.
pub const TRUST: &str = "/etc/airlift/serve/allowed_signers";
/// What was written by an installation, to be taken away again.
pub const RECORD: &str = "/etc/airlift/serve/installed.json";
/// Where the unit lies.
pub const UNIT_FILE: &str = "/etc/systemd/system/airlift-serve.service";
/// What starts it at boot.
pub const LINK: &str = "/etc/systemd/system/multi-user.target.wants/airlift-serve.service";
/// What that link points at.
pub const LINK_TO: &str = "../airlift-serve.service";
/// Directories for the program, the first that can be written to.
pub const PROGRAM_DIRECTORIES: [&str; 2] = ["/usr/local/bin", "/opt/bin"];

/// Below these the service sees nothing, or something else than everybody.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

const TEMPLATE: &str = include_str!("../../assets/airlift-serve.service");

/// What the service is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The program.
    pub program: PathBuf,
    /// Directories of bundles, absolute.
    pub bundles: Vec<PathBuf>,
    /// How many different trusted keys must have signed.
    pub min_signatures: usize,
    /// Address and port.
    pub listen: SocketAddr,
    /// Certificate chain and key, absolute.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// Why no service can be made of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A path that a unit file cannot hold.
    #[error("the path {path:?} has a character that a unit file cannot hold")]
    Path {
        /// The path, as far as it can be shown.
        path: String,
    },
    /// A path that the service does not see.
    #[error("{} lies below {hidden}, which is hidden from the service for its safety", path.display())]
    Hidden {
        /// The path.
        path: PathBuf,
        /// What is kept from it.
        hidden: &'static str,
    },
    /// A port that would be another one at every start.
    #[error("a service cannot listen on port 0, which is another port at every start")]
    AnyPort,
}

impl Unit {
    /// The unit file.
    ///
    /// # Errors
    /// [`UnitError`].
    pub fn render(&self) -> Result<String, UnitError> {
        if self.listen.port() == 0 {
            return Err(UnitError::AnyPort);
        }
        let tls: Vec<&PathBuf> = self.tls.iter().flat_map(|(certificate, key)| [certificate, key]).collect();
        for path in &self.bundles {
            visible(path)?;
        }
        let mounts = self.bundles.iter().chain(tls.iter().copied()).map(|path| word(path));
        let mounts = mounts.collect::<Result<Vec<_>, _>>()?.join(" ");
        let address = self.listen.ip();
        let everywhere = address.is_loopback() || address.is_unspecified();
        // An address of a network can be listened on once the network has it.
        let network = if everywhere { "" } else { " network-online.target\nWants=network-online.target" };
        let filled = [
            ("{mounts}", mounts),
            ("{network}", network.to_owned()),
            ("{exec}", self.exec()?),
            ("{rights}", self.rights()?),
        ];
        Ok(filled.iter().fold(TEMPLATE.to_owned(), |text, (mark, value)| text.replacen(mark, value, 1)))
    }

    fn exec(&self) -> Result<String, UnitError> {
        let mut words = vec![word(&self.program)?, "serve".to_owned(), "--listen".to_owned()];
        words.push(self.listen.to_string());
        words.extend(["--trust", TRUST, "--state", "${STATE_DIRECTORY}"].map(str::to_owned));
        if self.min_signatures != 1 {
            words.extend(["--min-signatures".to_owned(), self.min_signatures.to_string()]);
        }
        if self.tls.is_some() {
            let files = [
                "--tls-cert",
                "${CREDENTIALS_DIRECTORY}/tls.crt",
                "--tls-key",
                "${CREDENTIALS_DIRECTORY}/tls.key",
            ];
            words.extend(files.map(str::to_owned));
        }
        for bundle in &self.bundles {
            // Absolute, so that none looks like an option.
            words.push(word(bundle)?.replace('$', "$$"));
        }
        Ok(words.join(" "))
    }

    /// What it may do beyond the least, as far as the address asks for it.
    fn rights(&self) -> Result<String, UnitError> {
        let mut lines = Vec::new();
        if let Some((certificate, key)) = &self.tls {
            // Read by systemd: the service's user need not be able to.
            lines.push(format!("LoadCredential={}", credential("tls.crt", certificate)?));
            lines.push(format!("LoadCredential={}", credential("tls.key", key)?));
        }
        if self.listen.port() < 1024 {
            lines.push("CapabilityBoundingSet=CAP_NET_BIND_SERVICE".to_owned());
            lines.push("AmbientCapabilities=CAP_NET_BIND_SERVICE".to_owned());
        } else {
            lines.extend(["CapabilityBoundingSet=", "PrivateUsers=yes"].map(str::to_owned));
        }
        if self.listen.ip().is_loopback() {
            lines.extend(["IPAddressDeny=any", "IPAddressAllow=localhost"].map(str::to_owned));
        }
        Ok(lines.join("\n"))
    }
}

/// Refuses what the service would not see.
fn visible(path: &Path) -> Result<(), UnitError> {
    match HIDDEN.iter().find(|hidden| path.starts_with(hidden)) {
        Some(hidden) => Err(UnitError::Hidden { path: path.to_owned(), hidden }),
        None => Ok(()),
    }
}

/// A path as one word of a unit file (systemd.syntax(7), systemd.unit(5), "Specifiers").
fn word(path: &Path) -> Result<String, UnitError> {
    let text = plain(path)?;
    let quoted = text.contains([' ', '\'', '"', '\\', ';']);
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    Ok(if quoted { format!("\"{escaped}\"") } else { escaped })
}

/// A credential; its path ends with the line, and a colon ends nothing.
fn credential(name: &str, path: &Path) -> Result<String, UnitError> {
    let text = plain(path)?;
    if text.contains([' ', '\'', '"', '\\']) {
        return Err(UnitError::Path { path: text.to_owned() });
    }
    Ok(format!("{name}:{}", text.replace('%', "%%")))
}

fn plain(path: &Path) -> Result<&str, UnitError> {
    let bad = |text: &str| text.chars().any(|c| c.is_control() || text::is_hostile(c));
    let shown = || UnitError::Path { path: path.display().to_string() };
    path.to_str().filter(|text| !bad(text) && text.starts_with('/')).ok_or_else(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(bundle: &str) -> Unit {
        Unit {
            program: "/usr/local/bin/airlift".into(),
            bundles: vec![bundle.into()],
            min_signatures: 1,
            listen: "127.0.0.1:5000".parse().unwrap(),
            tls: None,
        }
    }

    #[test]
    fn a_path_stays_one_word_whatever_it_holds() {
        for (path, mounts, exec) in [
            ("/srv/b-1", "=/srv/b-1\n", " /srv/b-1\n"),
            ("/srv/a b/c-1", "=\"/srv/a b/c-1\"\n", " \"/srv/a b/c-1\"\n"),
            ("/srv/50%/$x-1", "=/srv/50%%/$x-1\n", " /srv/50%%/$$x-1\n"),
            ("/srv/\"q\\-1", "=\"/srv/\\\"q\\\\-1\"\n", " \"/srv/\\\"q\\\\-1\"\n"),
        ] {
            let text = unit(path).render().unwrap();
            assert!(text.contains(&format!("RequiresMountsFor{mounts}")), "{path}: {text}");
            let line = text.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
            assert!(format!("{line}\n").ends_with(exec), "{path}: {line}");
            assert!(!text.contains('{') || text.contains("${STATE_DIRECTORY}"), "{text}");
        }
    }

    #[test]
    fn what_the_service_could_not_serve_is_refused() {
        for path in ["/srv/a\nExecStartPre=/bin/sh-1", "relative-1", "/srv/\u{202e}x-1"] {
            assert!(matches!(unit(path).render(), Err(UnitError::Path { .. })), "{path:?}");
        }
        for path in ["/home/me/b-1", "/root/b-1", "/tmp/b-1", "/run/user/0/b-1"] {
            assert!(matches!(unit(path).render(), Err(UnitError::Hidden { .. })), "{path}");
        }
        let any = Unit { listen: "127.0.0.1:0".parse().unwrap(), ..unit("/srv/b-1") };
        assert_eq!(any.render(), Err(UnitError::AnyPort));
    }

    #[test]
    fn rights_follow_the_address_and_secrets_come_as_credentials() {
        let loopback = unit("/srv/b-1").render().unwrap();
        for line in ["CapabilityBoundingSet=\n", "IPAddressDeny=any\n", "After=local-fs.target\n"] {
            assert!(loopback.contains(line), "{line}: {loopback}");
        }
        let tls = Some(("/etc/tls/a.crt".into(), "/etc/tls/a.key".into()));
        let open =
            Unit { listen: "10.0.0.1:443".parse().unwrap(), tls, ..unit("/srv/b-1") }.render().unwrap();
        for line in [
            "AmbientCapabilities=CAP_NET_BIND_SERVICE\n",
            "LoadCredential=tls.key:/etc/tls/a.key\n",
            "--tls-key ${CREDENTIALS_DIRECTORY}/tls.key",
            "After=local-fs.target network-online.target\nWants=network-online.target\n",
            "RequiresMountsFor=/srv/b-1 /etc/tls/a.crt /etc/tls/a.key\n",
        ] {
            assert!(open.contains(line), "{line}: {open}");
        }
        assert!(!open.contains("IPAddressDeny") && !open.contains("PrivateUsers"), "{open}");
    }
}
