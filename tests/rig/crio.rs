//! A real CRI-O with root, state and socket of its own, private to one test and gone with it; asked through crictl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::containerd::succeeded;
use super::{TempRoot, need, need_root, wait_until};

/// How CRI-O is set up.
#[derive(Default)]
pub(crate) struct Options<'a> {
    /// Additional image stores, in `storage.conf`.
    pub(crate) additional: &'a [&'a Path],
    /// Whether those are mounted read-only for it.
    pub(crate) read_only: bool,
    /// Drop-in files of `crio.conf.d`, by name.
    pub(crate) drop_ins: &'a [(&'a str, &'a str)],
}

/// The running daemon; ends when dropped.
pub(crate) struct Crio {
    child: Child,
    crictl: PathBuf,
    dir: tempfile::TempDir,
}

impl Crio {
    /// Starts one; `None` after a said skip where it cannot be.
    pub(crate) fn start(options: &Options<'_>) -> Option<Self> {
        let (program, crictl, unshare) = (need("crio")?, need("crictl")?, need("unshare")?);
        let (conmon, runc) = (need("conmon")?, need("runc")?);
        if !need_root() {
            return None;
        }
        // Short: a socket's path has 107 bytes.
        let dir = tempfile::Builder::new().prefix("airlift-crio-").tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name).display().to_string();
        fs::create_dir(path("conf.d")).expect("a directory of drop-ins");
        for (name, text) in options.drop_ins {
            fs::write(dir.path().join("conf.d").join(name), text).expect("a drop-in");
        }
        let policy = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
        fs::write(path("policy.json"), policy).expect("a policy");
        fs::write(path("storage.conf"), storage_conf(dir.path(), options.additional)).expect("storage.conf");
        let config = config(dir.path(), &conmon, &runc);
        fs::write(path("crio.conf"), config).expect("CRI-O's configuration");
        let log = fs::File::create(path("log")).expect("CRI-O's log");
        let mut script = String::from("set -e\n");
        for store in options.additional.iter().filter(|_| options.read_only) {
            let store = store.display();
            script += &format!("mount --bind {store} {store}\nmount -o remount,ro,bind {store}\n");
        }
        script += "exec \"$0\" \"$@\"\n";
        let child = Command::new(unshare)
            .args(["-m", "sh", "-c", &script])
            .arg(program)
            .args(["--config", &path("crio.conf"), "--config-dir", &path("conf.d")])
            .env("CONTAINERS_STORAGE_CONF", path("storage.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .expect("CRI-O runs");
        let mut crio = Self { child, crictl, dir };
        wait_until("CRI-O answers", || {
            let ended = crio.child.try_wait().expect("the state of CRI-O");
            assert!(ended.is_none(), "CRI-O: {}", crio.log());
            crio.crictl(&["version"]).output().expect("crictl runs").status.success()
        });
        Some(crio)
    }

    /// What it wrote so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("CRI-O's log")
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    /// A name in its own store, as skopeo writes it.
    pub(crate) fn own_store(&self, name: &str) -> String {
        let (root, run) = (self.dir.path().join("root"), self.dir.path().join("runroot"));
        format!(
            "containers-storage:[overlay@{}+{}:overlay.skip_mount_home=true]{name}",
            root.display(),
            run.display()
        )
    }

    /// What lets it run pods of an image with busybox, as a drop-in; `None` after a said skip.
    pub(crate) fn pods_of(image: &str) -> Option<String> {
        let pinns = need("pinns")?;
        Some(format!(
            "[crio.image]\npause_image = {image:?}\npause_command = \"/bin/busybox sleep 1000\"\n\
             [crio.runtime]\npinns_path = {pinns:?}\n"
        ))
    }

    /// Runs a pod with a container of an image, waits until that has spoken, and takes it away; `root` is for its papers.
    pub(crate) fn runs(&self, root: &TempRoot, image: &str, command: &[&str], words: &str) {
        let logs = root.join("logs");
        fs::create_dir(&logs).expect("a directory of logs");
        let said = |arguments: &[&str]| {
            let said = succeeded(&self.crictl(arguments).output().expect("crictl runs"));
            said.trim().to_owned()
        };
        // The host's name spaces: there is no network plugin, and no network that is used.
        let linux = json!({"security_context": {"namespace_options": {"network": 2, "pid": 2, "ipc": 2}}});
        let pod = json!({
            "metadata": {"name": "pod", "namespace": "default", "uid": "one", "attempt": 1},
            "log_directory": logs, "linux": linux,
        });
        let container = json!({
            "metadata": {"name": "app"}, "image": {"image": image}, "log_path": "app.log", "linux": linux,
            "command": command,
        });
        let written = |name: &str, what: &Value| root.write(name, what.to_string()).display().to_string();
        let (pod, container) = (written("pod.json", &pod), written("container.json", &container));
        let pod_id = said(&["runp", &pod]);
        let container_id = said(&["create", "--no-pull", &pod_id, &container, &pod]);
        said(&["start", &container_id]);
        let log = || fs::read_to_string(logs.join("app.log")).unwrap_or_default();
        wait_until("the container has spoken", || log().contains(words));
        said(&["rmp", "--force", &pod_id]);
    }

    /// `crictl` on it.
    pub(crate) fn crictl(&self, arguments: &[&str]) -> Command {
        let endpoint = format!("unix://{}", self.socket().display());
        let mut command = Command::new(&self.crictl);
        command.args(["--config", "/dev/null", "--timeout", "10s"]);
        command.args(["--runtime-endpoint", &endpoint, "--image-endpoint", &endpoint]).args(arguments);
        command
    }

    /// Its answer to `ListImages`.
    pub(crate) fn images(&self) -> Vec<Value> {
        let said = succeeded(&self.crictl(&["images", "-o", "json"]).output().expect("crictl runs"));
        let said: Value = serde_json::from_str(&said).expect("JSON");
        said["images"].as_array().cloned().unwrap_or_default()
    }

    /// Its answer to `ImageStatus`; nothing where it has no such image.
    pub(crate) fn status(&self, name: &str) -> Option<Value> {
        let output = self.crictl(&["inspecti", "-o", "json", name]).output().expect("crictl runs");
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(words.contains("no such image"), "{name}: {words}");
            return None;
        }
        let said: Value = serde_json::from_str(&succeeded(&output)).expect("JSON");
        Some(said["status"].clone())
    }
}

impl Drop for Crio {
    fn drop(&mut self) {
        // By SIGTERM, so that it unmounts what it has mounted; both fail only when it has ended by itself.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        drop(self.child.wait());
        // The driver leaves this one behind.
        let _ =
            Command::new("umount").arg(self.dir.path().join("root/overlay")).stderr(Stdio::null()).status();
    }
}

fn storage_conf(dir: &Path, additional: &[&Path]) -> String {
    format!(
        "[storage]\ndriver = \"overlay\"\ngraphroot = {:?}\nrunroot = {:?}\n[storage.options]\nadditionalimagestores = {additional:?}\n",
        dir.join("root"),
        dir.join("runroot")
    )
}

fn config(dir: &Path, conmon: &Path, runc: &Path) -> String {
    let path = |name: &str| dir.join(name);
    format!(
        "[crio]\nroot = {:?}\nrunroot = {:?}\nstorage_driver = \"overlay\"\nlog_dir = {:?}\nversion_file = {:?}\n\
         clean_shutdown_file = {:?}\n[crio.api]\nlisten = {:?}\nstream_port = \"0\"\n\
         [crio.runtime]\ncgroup_manager = \"cgroupfs\"\nconmon_cgroup = \"pod\"\npinns_path = \"/bin/true\"\n\
         default_runtime = \"runc\"\ncontainer_exits_dir = {:?}\ncontainer_attach_socket_dir = {:?}\nnamespaces_dir = {:?}\n\
         [crio.runtime.runtimes.runc]\nruntime_path = {runc:?}\nruntime_type = \"oci\"\nruntime_root = {:?}\nmonitor_path = {conmon:?}\n\
         [crio.network]\nnetwork_dir = {:?}\nplugin_dirs = [{:?}]\n[crio.image]\nsignature_policy = {:?}\nsignature_policy_dir = {:?}\n\
         [crio.metrics]\nenable_metrics = false\n[crio.nri]\nenable_nri = false\n",
        path("root"),
        path("runroot"),
        path("log.d"),
        path("version"),
        path("clean.shutdown"),
        path("sock"),
        path("exits"),
        path("attach"),
        path("ns"),
        path("runc"),
        path("cni"),
        path("plugins"),
        path("policy.json"),
        path("policies")
    )
}
