//! A real registry (distribution, as `docker-registry` or version 3) on a free loopback port, private to one test and gone with it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{PATIENCE, need, skip, wait_until};

/// The account that [`Options::auth`] asks for.
pub(crate) const USER: &str = "courier";
/// Its password.
pub(crate) const PASSWORD: &str = "open sesame";
const PASSWORD_BCRYPT: &str = "$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW";

/// A name that is far from loopback, for those who reach the registry through a proxy.
pub(crate) const PROXIED: &str = "registry.example";

/// How the registry is set up.
#[derive(Default, Clone)]
pub(crate) struct Options {
    /// Asks for [`USER`] and [`PASSWORD`] by Basic authentication.
    pub(crate) auth: bool,
    /// Serves TLS with a certificate for `localhost`, `127.0.0.1` and [`PROXIED`] by [`DockerRegistry::ca_file`].
    pub(crate) tls: bool,
    /// With `tls`, its certificate is its own authority, as `openssl req -x509` makes one.
    pub(crate) self_signed: bool,
    /// Allows `DELETE`.
    pub(crate) delete: bool,
    /// Refuses every write; with `root` of an earlier registry.
    pub(crate) read_only: bool,
    /// Keeps its storage here instead of in a directory of its own.
    pub(crate) root: Option<PathBuf>,
    /// Is distribution 3, the program `registry`, and not `docker-registry` 2.8.
    pub(crate) version_3: bool,
    /// Takes an index of which manifests are missing; version 3 alone can.
    pub(crate) sparse: bool,
}

/// The running registry; ends when dropped.
pub(crate) struct DockerRegistry {
    program: PathBuf,
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl DockerRegistry {
    /// Starts a plain one; `None` after a said skip when the program is missing.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&Options::default())
    }

    /// Starts one set up by `options`; `None` after a said skip when the program is missing.
    pub(crate) fn with(options: &Options) -> Option<Self> {
        let program = if options.version_3 { need_version_3()? } else { need("docker-registry")? };
        // The port is free but not ours until the registry has it: another process may take it in between.
        let started = (0..5).find_map(|_| Self::try_start(&program, options));
        Some(started.expect("docker-registry starts on one of five free ports"))
    }

    fn try_start(program: &Path, options: &Options) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("airlift-registry-").tempdir().expect("a directory");
        let port = free_port();
        let config = dir.path().join("config.yml");
        fs::write(&config, config_text(dir.path(), port, options)).expect("the registry's configuration");
        let mut registry = Self { program: program.to_owned(), child: run(program, dir.path()), port, dir };
        if !registry.comes_up() {
            assert!(registry.log().contains("address already in use"), "docker-registry: {}", registry.log());
            return None;
        }
        if !options.tls {
            let status = registry.status_of("/v2/");
            assert_eq!(status, if options.auth { 401 } else { 200 }, "docker-registry: {}", registry.log());
        }
        Some(registry)
    }

    /// Waits until it listens; false when it has ended.
    fn comes_up(&mut self) -> bool {
        let mut ended = false;
        wait_until("docker-registry listens or ends", || {
            ended = self.child.try_wait().expect("the state of docker-registry").is_some();
            ended || listens(self.child.id(), self.port)
        });
        !ended
    }

    /// Ends it in the middle of whatever it does; what it stored stays.
    pub(crate) fn die(&mut self) {
        self.child.kill().expect("docker-registry is killed");
        self.child.wait().expect("its end is taken note of");
    }

    /// Starts it again after [`DockerRegistry::die`], where it was and with what it stored.
    pub(crate) fn come_back(&mut self) {
        self.child = run(&self.program, self.dir.path());
        assert!(self.comes_up(), "docker-registry: {}", self.log());
    }

    /// `127.0.0.1:PORT`, as it stands in a reference.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate to trust when it was started with [`Options::tls`].
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Where it keeps blobs and manifests, unless [`Options::root`] said otherwise.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("storage")
    }

    /// What it wrote so far: one line for each request among others.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("the registry's log")
    }

    /// The status of a plain `GET` of `path`.
    pub(crate) fn status_of(&self, path: &str) -> u16 {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a bound for reading");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host());
        stream.write_all(request.as_bytes()).expect("the request goes out");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the answer comes in");
        let head = String::from_utf8_lossy(&answer);
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        status.unwrap_or_else(|| panic!("not an HTTP answer: {head}"))
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Distribution 3, or a said skip where the program `registry` is missing or another one.
fn need_version_3() -> Option<PathBuf> {
    let program = need("registry")?;
    let version = Command::new(&program).arg("--version").output().expect("registry --version runs").stdout;
    if String::from_utf8_lossy(&version).contains("distribution/v3 ") {
        return Some(program);
    }
    skip("registry");
    None
}

/// Starts the program on the configuration in `dir`; what it says is added to the log there.
fn run(program: &Path, dir: &Path) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("log"));
    let log = log.expect("the registry's log");
    Command::new(program)
        .arg("serve")
        .arg(dir.join("config.yml"))
        .env_clear()
        // Version 3 would look for a collector of traces on loopback.
        .env("OTEL_TRACES_EXPORTER", "none")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle of the log"))
        .stderr(log)
        .spawn()
        .expect("docker-registry runs")
}

/// A loopback port nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    listener.local_addr().expect("its address").port()
}

/// Whether process `pid` itself holds the listening loopback socket of `port`, by `/proc`.
pub(crate) fn listens(pid: u32, port: u16) -> bool {
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let local = format!("0100007F:{port:04X}");
    let sockets: Vec<String> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 9 && fields[1] == local && fields[3] == "0A")
        .map(|fields| format!("socket:[{}]", fields[9]))
        .collect();
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}

fn config_text(dir: &Path, port: u16, options: &Options) -> String {
    let own_root = dir.join("storage");
    let root = options.root.as_deref().unwrap_or(&own_root).display();
    let mut text = format!(
        "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {root}\n  \
         delete:\n    enabled: {}\n  maintenance:\n    readonly:\n      enabled: {}\nhttp:\n  \
         addr: 127.0.0.1:{port}\n",
        options.delete, options.read_only
    );
    if options.tls {
        let (certificate, key) = write_certificate(dir, options.self_signed);
        text += &format!("  tls:\n    certificate: {}\n    key: {}\n", certificate.display(), key.display());
    }
    if options.sparse {
        text += "validation:\n  manifests:\n    indexes:\n      platforms: none\n";
    }
    if options.auth {
        let accounts = dir.join("htpasswd");
        fs::write(&accounts, format!("{USER}:{PASSWORD_BCRYPT}\n")).expect("the registry's accounts");
        text += &format!("auth:\n  htpasswd:\n    realm: rig\n    path: {}\n", accounts.display());
    }
    text
}

fn write_certificate(dir: &Path, self_signed: bool) -> (PathBuf, PathBuf) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("an authority's parameters");
    // By default both certificates bear one name, and the server's then looks self-signed.
    authority.distinguished_name.push(rcgen::DnType::CommonName, "rig authority");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().expect("an authority's key");
    let authority_certificate = authority.self_signed(&authority_key).expect("an authority");
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().expect("a server's key");
    let names = ["localhost", "127.0.0.1", PROXIED].map(str::to_owned).to_vec();
    let mut server = rcgen::CertificateParams::new(names).expect("a server's parameters");
    let (authority, certificate) = if self_signed {
        server.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let own = server.self_signed(&key).expect("a certificate");
        (own.pem(), own)
    } else {
        (authority_certificate.pem(), server.signed_by(&key, &issuer).expect("a server's certificate"))
    };
    let (certificate_file, key_file) = (dir.join("server.pem"), dir.join("server.key"));
    fs::write(dir.join("ca.pem"), authority).expect("the authority's file");
    fs::write(&certificate_file, certificate.pem()).expect("the certificate's file");
    fs::write(&key_file, key.serialize_pem()).expect("the key's file");
    (certificate_file, key_file)
}
