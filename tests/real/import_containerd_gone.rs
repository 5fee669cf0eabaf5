//! Import into a running containerd that removes, meanwhile, what the run has just seen there: it is brought anew.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;

use crate::rig::containerd::{Containerd, Line, succeeded};
use crate::rig::world::{Ran, World};

/// What is done between what a run sees and what it does: once, before the `nth` message with these bytes reaches containerd.
struct Meanwhile {
    bytes: &'static [u8],
    nth: usize,
    act: Box<dyn Fn() + Send>,
    seen: usize,
}

impl Meanwhile {
    fn look(&mut self, message: &[u8]) {
        let times = message.windows(self.bytes.len()).filter(|window| *window == self.bytes).count();
        if self.seen < self.nth && self.seen + times >= self.nth {
            (self.act)();
        }
        self.seen += times;
    }
}

/// A socket in front of a containerd's.
struct Between {
    socket: PathBuf,
    meanwhile: Arc<Mutex<Meanwhile>>,
}

impl Between {
    fn new(directory: &Path, behind: PathBuf, meanwhile: Meanwhile) -> Self {
        let socket = directory.join("between");
        let listener = UnixListener::bind(&socket).unwrap();
        let meanwhile = Arc::new(Mutex::new(meanwhile));
        let look = Arc::clone(&meanwhile);
        std::thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                let to = UnixStream::connect(&behind).unwrap();
                let (back_from, back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                let look = Arc::clone(&look);
                std::thread::spawn(move || pass(from, to, |bytes| look.lock().unwrap().look(bytes)));
                std::thread::spawn(move || pass(back_from, back_to, |_| {}));
            }
        });
        Self { socket, meanwhile }
    }

    fn happened(&self) -> bool {
        let meanwhile = self.meanwhile.lock().unwrap();
        meanwhile.seen >= meanwhile.nth
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, mut look: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(got @ 1..) = from.read(&mut buffer) {
        look(&buffer[..got]);
        if to.write_all(&buffer[..got]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
}

/// Has everything removed that nothing names or keeps.
fn collect(containerd: &Containerd) -> Box<dyn Fn() + Send> {
    let words = [["leases", "create", "--id", "of-the-test"], ["leases", "delete", "--sync", "of-the-test"]];
    let commands = Mutex::new(words.map(|words| containerd.ctr(&words)));
    Box::new(move || {
        for command in commands.lock().unwrap().iter_mut() {
            succeeded(&command.output().unwrap());
        }
    })
}

/// Takes out of a store, without asking who keeps it, what `chosen` takes of the list of it.
fn removal(containerd: &Containerd, of: &str, chosen: fn(&str) -> Option<String>) -> Box<dyn Fn() + Send> {
    let commands = Mutex::new((containerd.ctr(&[of, "ls"]), containerd.ctr(&[of, "rm"])));
    Box::new(move || {
        let (list, remove) = &mut *commands.lock().unwrap();
        let listed = succeeded(&list.output().unwrap());
        let keys: Vec<String> = listed.lines().filter_map(chosen).collect();
        assert!(!keys.is_empty(), "{listed}");
        succeeded(&remove.args(keys).output().unwrap());
    })
}

/// The lowest snapshot of a list of them.
fn base(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    (words.len() == 2 && words[1] == "Committed").then(|| words[0].to_owned())
}

/// The layers of a list of blobs.
fn layer(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let layer = words.first()?.starts_with("sha256:") && line.contains("containerd.io/uncompressed");
    layer.then(|| words[0].to_owned())
}

/// Before which message what is done, and whether everything was there before, without names.
type Moment = (&'static [u8], usize, fn(&Containerd) -> Box<dyn Fn() + Send>, bool);

/// How often a moment is looked for.
const TRIES: usize = 40;

#[test]
fn what_is_removed_between_the_look_and_the_use_is_brought_anew() {
    let Some(world) = World::start() else { return };
    world.push(|layout, host| {
        let layers = (1..=3).map(|seed| LayerSpec::noise(seed, 60_000)).collect();
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers)).unwrap();
    });
    let bundle = world.packed(&["HOST/team/app:1"]);
    let moments: [Moment; 4] = [
        // The lease is to keep the first snapshot that is there, the first blob that is there.
        (b"snapshots/overlayfs", 1, collect, true),
        (b"\x12\x07content", 1, collect, true),
        // The first layer is prepared and committed, the second is to be prepared.
        (b"containerd.io/snapshot.ref", 3, |containerd| removal(containerd, "snapshots", base), false),
        (b"containerd.io/snapshot.ref", 3, |containerd| removal(containerd, "content", layer), false),
    ];
    for line in Line::ALL {
        for (at, (bytes, nth, act, there)) in moments.iter().enumerate() {
            let Some(containerd) = Containerd::with_cri(line) else { break };
            let import = |target: &str| {
                let mut command = world.command();
                command.arg("import").arg(&bundle).args(["--json", "--into", target]);
                Ran::of(command).code(0)
            };
            // containerd may tidy up by itself before the import comes: then once more.
            let report = (0..TRIES).find_map(|_| {
                if *there {
                    import(&containerd.target());
                    let names = containerd.list(&["images", "ls", "-q"]);
                    let words: Vec<&str> =
                        ["images", "rm"].into_iter().chain(names.iter().map(String::as_str)).collect();
                    succeeded(&containerd.ctr(&words).output().unwrap());
                }
                let directory = tempfile::Builder::new().prefix("airlift-between-").tempdir().unwrap();
                let meanwhile = Meanwhile { bytes, nth: *nth, act: act(&containerd), seen: 0 };
                let between = Between::new(directory.path(), containerd.socket(), meanwhile);
                let ran = import(&format!("containerd:{}", between.socket.display()));
                between.happened().then(|| ran.report())
            });
            let report = report.unwrap_or_else(|| panic!("{line:?} {at}: it never came to that"));
            assert_eq!(
                report["targets"][0]["images"][0]["outcome"]["outcome"], "added",
                "{line:?} {at}: {report}"
            );
            let checked = succeeded(&containerd.ctr(&["images", "check"]).output().unwrap());
            assert!(
                !checked.contains("incomplete") && !checked.contains(" false"),
                "{line:?} {at}: {checked}"
            );
            assert!(containerd.list(&["leases", "ls"]).is_empty(), "no lease is left");
        }
    }
}
