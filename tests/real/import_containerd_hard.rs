//! Import into a containerd under hard conditions: killed at the worst moments, not allowed in, beside another client; and that it is on disk.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlift::domain::digest::Digest;
use airlift::engine::runtime::containerd::content::Opened;
use airlift::engine::runtime::containerd::leases::Lease;
use airlift::engine::runtime::containerd::{self as api, Blob, Labels};
use airlift::engine::runtime::error::RuntimeError;
use sha2::{Digest as _, Sha256};

use crate::import_containerd_cut::{large, names};
use crate::import_containerd_live::packed;
use crate::rig::containerd::{Containerd, Line, NAMESPACE, succeeded};
use crate::rig::world::{Ran, damaged_copy};
use crate::rig::{need, wait_until};

/// Nobody, on every system.
const NOBODY: u32 = 65534;

/// `command` under strace, which writes to `log`.
pub(crate) fn traced(strace: &Path, words: &[&str], log: &Path, command: &Command) -> Command {
    let mut outer = Command::new(strace);
    outer.env_clear().current_dir(command.get_current_dir().unwrap());
    for (key, value) in command.get_envs() {
        outer.env(key, value.unwrap());
    }
    outer.args(["-f", "-y"]).args(words).arg("-o").arg(log);
    outer.arg(command.get_program()).args(command.get_args());
    outer
}

#[test]
fn a_damaged_manifest_keeps_its_own_image_out_of_containerd_and_no_other_one() {
    let (Some(containerd), Some(mut packed)) = (Containerd::with_cri(Line::One), packed()) else { return };
    let (whole, damaged) = (packed.bundle.clone(), packed.world.root.join("damaged"));
    let (name, digest) = packed.images[2].clone();
    damaged_copy(&whole, &digest, &damaged);
    packed.bundle = damaged;
    let said = packed.import(&containerd.target(), &[]).code(10).said();
    assert!(said.contains(&name) && said.contains(digest.hex()) && said.contains("--keep-going"), "{said}");
    assert_eq!(containerd.holdings(), Vec::<String>::new());
    let report = packed.import(&containerd.target(), &["--keep-going"]).code(3).report();
    let outcomes = report["targets"][0]["images"].as_array().unwrap().iter();
    let outcomes: Vec<_> = outcomes.map(|image| image["outcome"]["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["added", "added", "failed", "added"]);
    packed.bundle = whole;
    packed.import(&containerd.target(), &[]).code(0);
}

#[test]
fn a_run_killed_while_a_layer_is_unpacked_leaves_nothing_after_the_next_one() {
    for line in Line::ALL {
        let (Some(containerd), Some(large)) = (Containerd::with_cri(line), large()) else { continue };
        let only = large.world.reference("team/large:1");
        let mut import = large.import(&containerd, &["--only", &only]);
        let mut child = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let snapshots = containerd.root().join("io.containerd.snapshotter.v1.overlayfs/snapshots");
        wait_until("a layer is being unpacked", || {
            fs::read_dir(&snapshots).is_ok_and(|mut snapshots| snapshots.next().is_some())
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names(&containerd), Vec::<String>::new(), "{line:?}");
        large.completes(&containerd);
        let left = containerd.list(&["snapshots", "ls"]);
        assert!(left.len() == 3 && !left.iter().any(|line| line.contains("Active")), "{line:?}: {left:?}");
    }
}

/// One whose first snapshots have directories already, as crashes leave them between the two; and these directories.
fn crashed(line: Line, snapshotter: &str) -> Option<(Containerd, Vec<PathBuf>)> {
    let all = format!("io.containerd.snapshotter.v1.{snapshotter}/snapshots");
    let left = |root: &Path| ["1", "2", "3"].map(|number| root.join(&all).join(number)).to_vec();
    let prepare =
        |root: &Path| left(root).iter().for_each(|one| fs::create_dir_all(one.join("fs/left")).unwrap());
    let containerd = Containerd::with_snapshotter(line, snapshotter, prepare)?;
    let directories = left(&containerd.root());
    Some((containerd, directories))
}

#[test]
fn a_containerd_that_was_killed_as_it_made_a_snapshot_takes_the_next_import() {
    for (line, snapshotter) in
        [(Line::One, "overlayfs"), (Line::Two, "overlayfs"), (Line::One, "native"), (Line::Two, "native")]
    {
        let (Some((containerd, left)), Some(large)) = (crashed(line, snapshotter), large()) else {
            continue;
        };
        Ran::of(large.import(&containerd, &[])).code(0);
        assert_eq!(names(&containerd).len(), 4, "{line:?} {snapshotter}");
        let unpacked = containerd.list(&["snapshots", "--snapshotter", snapshotter, "ls"]);
        assert!(unpacked.len() == 3 && !unpacked.iter().any(|line| line.contains("Active")), "{unpacked:?}");
        assert!(!left.iter().any(|one| one.join("fs/left").exists()), "{line:?} {snapshotter}");
    }
}

#[test]
fn all_is_synced_before_a_name_is_given_and_a_run_killed_there_named_nothing() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let Some(strace) = need("strace") else { return };
        let log = packed.world.root.join("trace");
        let import = packed.command(&containerd.target(), &[]);
        let words = ["-e", "trace=syncfs", "-e", "inject=syncfs:signal=SIGKILL:when=1"];
        traced(&strace, &words, &log, &import).output().unwrap();
        let killed = fs::read_to_string(&log).unwrap();
        assert!(killed.contains("syncfs(") && killed.contains("killed by SIGKILL"), "{line:?}: {killed}");
        assert_eq!(
            names(&containerd),
            Vec::<String>::new(),
            "{line:?}: before it is on disk, nothing has a name"
        );
        Ran::of(traced(&strace, &["-e", "trace=syncfs"], &log, &import)).code(0);
        let synced = fs::read_to_string(&log).unwrap();
        let root = format!("<{}/", containerd.root().display());
        let on_root = |line: &str| line.contains("syncfs(") && line.contains(&root) && line.ends_with("= 0");
        assert!(synced.lines().any(on_root), "{line:?}: {synced}");
        assert_eq!(names(&containerd).len(), 8);
    }
}

#[test]
fn a_user_who_may_not_use_the_socket_is_told_so() {
    let (Some(containerd), Some(packed)) = (Containerd::with_cri(Line::One), packed()) else { return };
    let root = packed.world.root.path();
    let owner = format!("{NOBODY}:{NOBODY}");
    succeeded(&Command::new("chown").arg("-R").arg(owner).arg(root).output().unwrap());
    // Only the socket itself is closed to others.
    let above = containerd.root().parent().unwrap().to_owned();
    succeeded(&Command::new("chmod").arg("755").arg(above).output().unwrap());
    let mut import = packed.command(&containerd.target(), &[]);
    import.uid(NOBODY).gid(NOBODY);
    let said = Ran::of(import).code(16).said();
    let socket = containerd.socket().display().to_string();
    assert!(said.contains(&format!("permission denied to connect to {socket} as user {NOBODY}")), "{said}");
    assert!(said.contains("run this as root"), "{said}");
}

/// Writes a blob up to its commit, has `ctr` bring the same one, and then commits.
async fn bring_beside_another(
    containerd: &Containerd,
    daemon: &api::Containerd,
    blob: &Blob,
    labels: &Labels,
    content: &'static [u8],
) {
    let Opened::Writer(mut writer) = daemon.open_blob(blob, labels.clone()).await.unwrap() else {
        panic!("it is there already")
    };
    writer.write(bytes::Bytes::from_static(content)).await.unwrap();
    let (digest, size) = (blob.digest.to_string(), content.len().to_string());
    let words = ["content", "ingest", "--expected-digest", &digest, "--expected-size", &size];
    let mut other = containerd.ctr(&words).arg("other").stdin(Stdio::piped()).spawn().unwrap();
    other.stdin.take().unwrap().write_all(content).unwrap();
    assert!(other.wait().unwrap().success());
    writer.commit().await.unwrap();
}

#[test]
fn a_blob_that_another_client_brings_meanwhile_is_kept_and_labelled_and_one_of_another_length_is_refused() {
    for line in Line::ALL {
        let Some(containerd) = Containerd::with_cri(line) else { continue };
        let content = b"a blob that two clients bring at once".as_slice();
        let hash: [u8; 32] = Sha256::digest(content).into();
        let digest = Digest::sha256(&hash);
        let blob = Blob {
            media_type: "application/octet-stream".to_owned(),
            digest: digest.clone(),
            size: content.len() as u64,
        };
        let labels = Labels::from([("containerd.io/gc.ref.content.config".to_owned(), digest.to_string())]);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let daemon = api::Containerd::connect(&containerd.socket(), NAMESPACE).await.unwrap();
            let lease = Lease {
                id: "ours".to_owned(),
                of: "a test".to_owned(),
                boot: String::new(),
                process: String::new(),
            };
            let daemon = daemon.leased(&lease).await.unwrap();
            let mut found = None;
            // What the other client brought belongs to nobody, and may be collected before it is kept: then again.
            for _ in 0..20 {
                bring_beside_another(&containerd, &daemon, &blob, &labels, content).await;
                found = daemon.blob_info(&digest).await.unwrap();
                if found.is_some() {
                    break;
                }
            }
            let (size, there) = found.expect("it was collected each time");
            assert_eq!(size, blob.size);
            assert!(labels.iter().all(|label| there.iter().any(|own| own == label)), "{line:?}: {there:?}");
            let longer = Blob { size: blob.size + 1, ..blob.clone() };
            let refused = daemon.adopt(&longer, &labels).await.unwrap_err();
            assert!(matches!(refused, RuntimeError::Length { .. }), "{line:?}: {refused}");
            daemon.release("ours", true).await.unwrap();
        });
    }
}
