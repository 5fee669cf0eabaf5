//! A workstation whose effects are really carried out: real queries and jobs over real bundles, made once by the demonstration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlift::config::paths::Paths;
use airlift::domain::trust::Accepted;
use airlift::engine::ctx::{FixedClock, JobCtx};
use airlift::engine::demo::run::{DemoSpec, run};
use airlift::engine::media::Host;
use airlift::engine::registry::RegistryOptions;
use airlift::engine::state::{Acceptance, State};
use airlift::tui::effects::Runner;
use airlift::tui::model::Settings;
use airlift::tui::msg::Msg;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::rig::{Desk, now};

/// For how long something may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host on the air-gapped side, and a medium with a bundle.
pub(crate) struct Live {
    pub(crate) desk: Desk,
    runtime: Runtime,
    runner: Runner,
    told: UnboundedReceiver<Msg>,
    dir: TempDir,
}

impl Live {
    /// At the screen of bundles, with a clock that stands at `clock`.
    pub(crate) fn at(clock: jiff::Timestamp) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let made = JobCtx { clock: Arc::new(FixedClock(now())), ..JobCtx::silent() };
        let spec = DemoSpec { keep: Some(dir.path().join("kept")), fast: true };
        runtime.block_on(run(spec, &made)).unwrap();
        let settings = Settings {
            paths: Paths::new(dir.path().join("config"), dir.path().join("data")),
            registry: RegistryOptions::default(),
            configured: RegistryOptions::default(),
            home: None,
            zone: jiff::tz::TimeZone::UTC,
            host: without_media(dir.path()),
        };
        let (tell, told) = unbounded_channel();
        let ctx = JobCtx { clock: Arc::new(FixedClock(clock)), ..JobCtx::silent() };
        let inside = runtime.enter();
        let runner = Runner::new(tell, settings.clone(), ctx);
        let desk = Desk::with(settings);
        drop(inside);
        let mut live = Self { desk, runtime, runner, told, dir };
        live.until("the host is known", |desk| desk.app.model.host.is_some());
        live.desk.keys("g");
        live.until("media were looked through", |desk| desk.app.model.gap.offers.is_some());
        live
    }

    /// A bundle of the demonstration: `medium/demo-1` or `damaged`.
    pub(crate) fn kept(&self, name: &str) -> PathBuf {
        self.dir.path().join("kept").join(name)
    }

    /// Opens a directory, and the bundle in it.
    pub(crate) fn open(&mut self, path: &Path) {
        self.desk.keys("o").typed(&path.display().to_string()).keys("Enter");
        self.until("the bundle is listed", |desk| !desk.app.model.gap.list().is_empty());
        self.desk.keys("Enter");
        assert!(self.desk.screen().contains("step 2/4 Verify"), "{}", self.desk.screen());
    }

    /// Presses keys that start a job, and waits for its end.
    pub(crate) fn job(&mut self, keys: &str) {
        self.desk.keys(keys);
        self.until("the job is over", |desk| desk.app.model.running().is_none());
    }

    /// Trusts the key of the demonstration beforehand.
    pub(crate) fn trust(&self) {
        std::fs::create_dir_all(self.dir.path().join("config")).unwrap();
        std::fs::copy(self.kept("allowed_signers"), self.dir.path().join("config/allowed_signers")).unwrap();
    }

    /// This host accepted a bundle of that serial before.
    pub(crate) fn accepted(&self, serial: u64) {
        let said = self.desk.app.model.gap.list().first().unwrap().said.as_ref().unwrap();
        let key = said.report.signatures[0].fingerprint.clone().unwrap();
        let bundle = Accepted { serial, digest: said.report.manifest_digest.clone(), created: now() };
        let name = said.report.name.clone();
        let acceptance = Acceptance { name, keys: vec![key], bundle, decided_at: now() };
        let files = JobCtx::silent().files;
        State::new(files, self.desk.app.model.settings.places().state).accept(&acceptance).unwrap();
    }

    /// The fingerprint of the one key that signed.
    pub(crate) fn fingerprint(&self) -> String {
        let said = self.desk.app.model.gap.said().unwrap();
        said.report.signatures[0].fingerprint.clone().unwrap()
    }

    /// Carries out what is asked for and takes in what comes of it, until something is so.
    pub(crate) fn until(&mut self, what: &str, so: impl Fn(&Desk) -> bool) {
        let end = Instant::now() + PATIENCE;
        self.carry_out();
        while !so(&self.desk) {
            let left = end.saturating_duration_since(Instant::now());
            let told = &mut self.told;
            let msg = self.runtime.block_on(async { tokio::time::timeout(left, told.recv()).await });
            match msg {
                Ok(Some(msg)) => drop(self.desk.tell(msg)),
                _ => panic!("waited in vain until {what}:\n{}", self.desk.screen()),
            }
            self.carry_out();
        }
    }

    /// The same, until words are on the screen.
    pub(crate) fn until_seen(&mut self, words: &str) {
        let end = Instant::now() + PATIENCE;
        self.carry_out();
        while !self.desk.screen().contains(words) {
            let left = end.saturating_duration_since(Instant::now());
            let told = &mut self.told;
            let msg = self.runtime.block_on(async { tokio::time::timeout(left, told.recv()).await });
            match msg {
                Ok(Some(msg)) => drop(self.desk.tell(msg)),
                _ => panic!("waited in vain for {words}:\n{}", self.desk.screen()),
            }
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        let _inside = self.runtime.enter();
        for effect in std::mem::take(&mut self.desk.effects) {
            // What is left is the terminal's, and there is none.
            drop(self.runner.carry_out(effect));
        }
    }
}

/// A host like this one, of which neither devices nor what they have mounted are seen: what lies there is none of the
/// test's.
fn without_media(dir: &Path) -> Host {
    let (mountinfo, sys) = (dir.join("mountinfo"), dir.join("sys"));
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let around = |line: &&str| line.split(' ').nth(4).is_some_and(|point| dir.starts_with(point));
    let lines: Vec<&str> = table.lines().filter(around).collect();
    std::fs::write(&mountinfo, lines.join("\n")).unwrap();
    Host { mountinfo, sys, ..Host::default() }
}

#[test]
fn media_of_the_host_are_none_of_a_tests() {
    let mut live = Live::at(now());
    live.until("media were looked for", |desk| desk.app.model.media.is_some());
    assert_eq!(live.desk.app.model.media.as_ref().map(|report| report.media.len()), Some(0));
    assert_eq!(live.desk.app.model.gap.list().len(), 0);
}

#[test]
fn a_job_is_stopped_while_it_waits_for_a_passphrase() {
    let mut live = Live::at(now());
    live.desk.keys("0 K");
    live.until("a passphrase is asked for", |desk| {
        desk.app.model.running().is_some_and(|job| job.id.is_some())
    });
    live.until_seen("Passphrase:");
    live.desk.typed("half").keys("Ctrl-C Ctrl-C");
    live.until("the job is over", |desk| desk.app.model.running().is_none());
    let key = live.desk.app.model.settings.paths.key();
    assert!(!key.exists());
}

#[test]
fn a_passphrase_is_typed_or_refused_and_the_job_hears_of_it() {
    let mut live = Live::at(now());
    live.desk.keys("0 K");
    live.until_seen("Passphrase:");
    live.desk.keys("Esc");
    live.until("the job is over", |desk| desk.app.model.running().is_none());
    let key = live.desk.app.model.settings.paths.key();
    assert!(!key.exists());
    live.desk.keys("K");
    live.until_seen("Passphrase:");
    live.desk.typed("hunter22").keys("Enter").typed("hunter22").keys("Enter");
    live.until("the job is over", |desk| desk.app.model.running().is_none());
    assert!(key.exists());
}

#[test]
fn a_file_that_is_there_is_replaced_only_where_one_says_so() {
    let mut live = Live::at(now());
    let path = live.dir.path().join("mine.txt");
    live.desk.keys("0 b").tell(Msg::Paste("nginx:1.25.3\n".into()));
    let save = |live: &mut Live| {
        // Without waiting for the directory to be listed.
        live.desk.keys("s Ctrl-U").typed(&path.display().to_string()).keys("Enter");
    };
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    save(&mut live);
    live.until("it is written", |_| read(&path).contains("nginx:1.25.3"));
    std::fs::write(&path, "precious").unwrap();
    save(&mut live);
    live.until_seen("Overwrite existing files?");
    live.desk.keys("Enter");
    live.until_seen("nothing was written");
    assert_eq!(read(&path), "precious");
    save(&mut live);
    live.until_seen("Overwrite existing files?");
    live.desk.keys("Right Enter");
    live.until("it is replaced", |_| read(&path).contains("nginx:1.25.3"));
}

#[test]
fn a_directory_that_is_there_since_it_was_listed_is_taken() {
    let mut live = Live::at(now());
    let late = live.dir.path().join("late");
    let around = format!("{}/", live.dir.path().display());
    live.desk.keys("o").typed(&around);
    live.until_seen("kept/");
    live.desk.typed("late").keys("Enter");
    live.until_seen("x no such file or directory");
    std::fs::create_dir(&late).unwrap();
    live.desk.keys("Enter");
    live.until("it is looked through", |desk| desk.app.model.gap.given == [late.clone()]);
}
