//! Finds stored credentials: auth files of podman and docker, namespaced keys, credential helpers with a time-out.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::helper;

/// No auth file is larger.
const MAX_FILE: u64 = 1 << 20;

/// What to log in with; its Debug form shows no secret.
#[derive(Clone, Debug)]
pub(super) enum Credential {
    /// A name and a password or access token.
    Login {
        /// Name.
        user: String,
        /// Password.
        password: SecretString,
    },
    /// An OAuth2 refresh token.
    Identity(SecretString),
}

/// The files to look into, in order.
#[derive(Clone, Debug)]
pub(super) struct CredentialFiles {
    files: Vec<PathBuf>,
    /// The operator named the file: it must be there.
    explicit: bool,
    helper: Duration,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AuthFile {
    auths: HashMap<String, Box<RawValue>>,
    #[serde(rename = "credHelpers")]
    helpers: HashMap<String, String>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

impl CredentialFiles {
    /// `authfile` alone if given, else `$REGISTRY_AUTH_FILE` alone if set, else podman's files and docker's.
    pub(super) fn new(authfile: Option<PathBuf>, helper: Duration) -> Self {
        let env = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(file) = authfile.or_else(|| env("REGISTRY_AUTH_FILE")) {
            return Self { files: vec![file], explicit: true, helper };
        }
        let home = env("HOME");
        let in_home = |rest: &str| home.as_ref().map(|home| home.join(rest));
        let containers = |dir: PathBuf| dir.join("containers/auth.json");
        let files = [
            env("XDG_RUNTIME_DIR").map(containers),
            env("XDG_CONFIG_HOME").or_else(|| in_home(".config")).map(containers),
            env("DOCKER_CONFIG").or_else(|| in_home(".docker")).map(|dir| dir.join("config.json")),
        ];
        Self { files: files.into_iter().flatten().collect(), explicit: false, helper }
    }

    /// The credential for a repository (empty: the registry itself), and the file it is from.
    ///
    /// # Errors
    /// In words: a file that cannot be read, a helper that fails or does not answer.
    pub(super) async fn find(
        &self,
        host: &str,
        repository: &str,
    ) -> Result<Option<(Credential, PathBuf)>, String> {
        for path in &self.files {
            let Some(file) = self.load(path)? else { continue };
            let Some(request) = pick(&file, host, repository) else { continue };
            if let Some(found) = self.run(request, path).await? {
                return Ok(Some((found, path.clone())));
            }
        }
        Ok(None)
    }

    fn load(&self, path: &Path) -> Result<Option<AuthFile>, String> {
        let name = path.display();
        let mut text = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text));
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.explicit => return Ok(None),
            Err(error) => return Err(format!("cannot read the credentials in {name}: {error}")),
            Ok(size) if size as u64 > MAX_FILE => {
                return Err(format!("{name} is too large for an auth file"));
            }
            Ok(_) => {}
        }
        // The error of serde_json tells line and column, never the content.
        serde_json::from_slice(&text).map(Some).map_err(|error| format!("{name} is no auth file: {error}"))
    }

    async fn run(&self, request: Request, path: &Path) -> Result<Option<Credential>, String> {
        let (config, key) = match request {
            Request::Entry { config, key } => (config, key),
            Request::Helper { name, server } => {
                let program = format!("docker-credential-{name}");
                let answer = helper::ask(&program, &server, self.helper).await;
                return answer.map_err(|reason| format!("{program} (named in {}) {reason}", path.display()));
            }
        };
        match get_credential_from_reader(config.as_bytes(), &key) {
            Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::Identity(token.into()))),
            Ok(DockerCredential::UsernamePassword(user, password)) => {
                Ok(Some(Credential::Login { user, password: password.into() }))
            }
            Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
            Err(error) => Err(format!("the entry in {}: {error}", path.display())),
        }
    }
}

/// Where the credential is.
enum Request {
    /// In the file: a configuration for docker_credential with nothing but this key.
    Entry { config: String, key: String },
    /// With a helper.
    Helper { name: String, server: String },
}

fn pick(file: &AuthFile, host: &str, repository: &str) -> Option<Request> {
    let names = aliases(host);
    if let Some((name, helper)) = names.iter().find_map(|n| file.helpers.get_key_value(n.as_str()))
        && is_helper(helper)
    {
        return Some(ask_helper(helper, name));
    }
    let mut best: Option<(usize, &String, &RawValue)> = None;
    for (key, entry) in &file.auths {
        let depth = names.iter().filter_map(|name| match_depth(key, name, repository)).max();
        if let Some(depth) = depth
            && has_secret(entry)
            && best.is_none_or(|(other, ..)| depth > other)
        {
            best = Some((depth, key, entry));
        }
    }
    if let Some((_, key, entry)) = best {
        let key_text = serde_json::to_string(key).ok()?;
        let config = format!(r#"{{"auths":{{{key_text}:{}}}}}"#, entry.get());
        return Some(Request::Entry { config, key: key.clone() });
    }
    let store = file.store.as_deref().filter(|store| is_helper(store))?;
    let server = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
    Some(ask_helper(store, server))
}

fn ask_helper(helper: &str, server: &str) -> Request {
    Request::Helper { name: helper.to_owned(), server: server.to_owned() }
}

/// A helper is named by a suffix; a path in it would run something else.
fn is_helper(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn has_secret(entry: &RawValue) -> bool {
    let fields: HashMap<String, serde_json::Value> = serde_json::from_str(entry.get()).unwrap_or_default();
    let filled = |name: &str| fields.get(name).and_then(|v| v.as_str()).is_some_and(|text| !text.is_empty());
    filled("auth") || filled("identitytoken") || filled("password")
}

/// The names under which credentials of a host are kept.
fn aliases(host: &str) -> Vec<String> {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => {
            ["docker.io", "index.docker.io", "registry-1.docker.io"].map(str::to_owned).to_vec()
        }
        other => vec![other.to_ascii_lowercase()],
    }
}

/// How specific `key` is for this host and repository, or nothing when it is for another.
fn match_depth(key: &str, host: &str, repository: &str) -> Option<usize> {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let (name, path) = key.split_once('/').unwrap_or((key, ""));
    if !name.eq_ignore_ascii_case(host) {
        return None;
    }
    // docker login writes API paths, which are no namespaces.
    if matches!(path, "" | "v1" | "v2") {
        return Some(0);
    }
    let inside = repository.strip_prefix(path)?;
    (inside.is_empty() || inside.starts_with('/')).then_some(path.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn files(dir: &Path, text: &str) -> CredentialFiles {
        let path = dir.join("auth.json");
        std::fs::write(&path, text).unwrap();
        CredentialFiles::new(Some(path), Duration::from_secs(5))
    }

    async fn who(files: &CredentialFiles, host: &str, repository: &str) -> Option<String> {
        files.find(host, repository).await.unwrap().map(|(credential, _)| match credential {
            Credential::Login { user, password } => format!("{user}:{}", password.expose_secret()),
            Credential::Identity(token) => token.expose_secret().to_owned(),
        })
    }

    #[tokio::test]
    async fn the_longest_matching_namespace_wins() {
        let dir = tempfile::tempdir().unwrap();
        // YTpi is a:b, Yzpk is c:d, ZTpm is e:f
        let files = files(
            dir.path(),
            r#"{"auths":{"r.example":{"auth":"YTpi"},"r.example/team":{"auth":"Yzpk"},
                "https://index.docker.io/v1/":{"auth":"ZTpm"},"t.example":{"identitytoken":"tok"},
                "empty.example":{}}}"#,
        );
        for (host, repository, expected) in [
            ("r.example", "other/app", Some("a:b")),
            ("r.example", "team/app", Some("c:d")),
            ("r.example", "teamwork/app", Some("a:b")),
            ("r.example", "", Some("a:b")),
            ("docker.io", "library/nginx", Some("e:f")),
            ("t.example", "x", Some("tok")),
            ("empty.example", "x", None),
            ("none.example", "x", None),
        ] {
            assert_eq!(who(&files, host, repository).await.as_deref(), expected, "{host}/{repository}");
        }
    }

    #[tokio::test]
    async fn a_named_file_must_be_readable_and_errors_show_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let missing = CredentialFiles::new(Some(dir.path().join("none")), Duration::from_secs(1));
        assert!(missing.find("r.example", "").await.unwrap_err().contains("none"));
        let broken = files(dir.path(), r#"{"auths":{"r.example":{"auth":"Y2FuYXJ5 canary"}"#);
        let error = broken.find("r.example", "").await.unwrap_err();
        assert!(!error.contains("canary"), "{error}");
        let undecodable = files(dir.path(), r#"{"auths":{"r.example":{"auth":"canary!"}}}"#);
        let error = undecodable.find("r.example", "").await.unwrap_err();
        assert!(!error.contains("canary"), "{error}");
        let secret = Credential::Login { user: "u".into(), password: "canary".to_owned().into() };
        assert!(!format!("{secret:?}").contains("canary"));
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_named_and_a_path_is_never_run() {
        let dir = tempfile::tempdir().unwrap();
        let absent = files(dir.path(), r#"{"credHelpers":{"r.example":"airlift-test-absent"}}"#);
        let error = absent.find("r.example", "").await.unwrap_err();
        assert!(error.contains("docker-credential-airlift-test-absent"), "{error}");
        let path = files(dir.path(), r#"{"credsStore":"x/../../../../bin/sh"}"#);
        assert!(path.find("r.example", "").await.unwrap().is_none());
    }
}
