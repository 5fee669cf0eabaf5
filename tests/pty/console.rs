//! A pseudo-terminal with the program in it: keys are written as a terminal sends them, the screen is read as one shows it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// The longest anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How the program is started.
pub(crate) struct Setting<'a> {
    /// Where its configuration and data are.
    pub(crate) home: &'a Path,
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    /// `TERM`.
    pub(crate) term: &'a str,
    /// Further variables.
    pub(crate) env: &'a [(&'a str, &'a str)],
    /// Its arguments.
    pub(crate) args: &'a [&'a str],
    /// Another build of the program than the one of these tests.
    pub(crate) program: Option<&'a OsStr>,
    /// Whether it sees nothing of what this host has mounted from devices, where that can be hidden from it.
    pub(crate) alone: bool,
}

impl<'a> Setting<'a> {
    /// 80 by 24, a terminal of today.
    pub(crate) fn new(home: &'a Path) -> Self {
        Self {
            home,
            size: (80, 24),
            term: "xterm-256color",
            env: &[],
            args: &[],
            program: None,
            alone: false,
        }
    }
}

/// The words before a program that take away what is mounted from devices, but for what it and its home need: in a
/// name space of mounts of its own, so that nobody else misses it. None where this is not root, who alone may do that.
fn hiding(home: &Path, program: &OsStr) -> Vec<OsString> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let needed = [home, Path::new(program), Path::new("/usr/bin"), Path::new("/etc")];
    let kept = |point: &str| needed.iter().any(|path| path.starts_with(point) || point.starts_with("/etc/"));
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("/dev/")?.split(' ').nth(1));
    // Blanks in names are written as octal digits, which printf reads.
    let points: Vec<&str> = rows.filter(|point| !kept(point)).collect();
    let script = format!(
        "for point in {}; do umount -l \"$(printf \"$point\")\"; done; exec \"$@\"",
        points.iter().map(|point| format!("'{point}'")).collect::<Vec<_>>().join(" ")
    );
    ["unshare", "--mount", "--propagation", "private", "sh", "-c", &script, "sh"].map(OsString::from).to_vec()
}

/// The program in its terminal.
pub(crate) struct Console {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    parser: vt100::Parser,
    /// Every byte it wrote.
    pub(crate) bytes: Vec<u8>,
}

impl Console {
    /// Starts the program.
    pub(crate) fn start(setting: &Setting<'_>) -> Self {
        let (columns, rows) = setting.size;
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let program = setting.program.unwrap_or(env!("CARGO_BIN_EXE_airlift").as_ref());
        let mut words = if setting.alone { hiding(setting.home, program) } else { Vec::new() };
        words.push(program.to_owned());
        let mut command = CommandBuilder::new(&words[0]);
        command.args(&words[1..]);
        command.env_clear();
        command.env("PATH", std::env::var("PATH").unwrap());
        command.env("HOME", setting.home);
        command.env("LANG", "C.UTF-8");
        command.env("TERM", setting.term);
        command.cwd(setting.home);
        command.args(setting.args);
        setting.env.iter().for_each(|(name, value)| command.env(name, value));
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            // When something came is to be known even on a busy machine; as anyone but root this changes nothing.
            let _ = rustix::process::setpriority_process(None, -10);
            let mut buffer = vec![0; 65536];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if send.send((Instant::now(), buffer[..read].to_vec())).is_err() {
                    break;
                }
            }
        });
        // A line that reports no size is drawn on as one of 80 by 24.
        let (rows, columns) = if rows == 0 || columns == 0 { (24, 80) } else { (rows, columns) };
        Self {
            child,
            keys: pair.master.take_writer().unwrap(),
            master: pair.master,
            output,
            parser: vt100::Parser::new(rows, columns, 0),
            bytes: Vec::new(),
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Presses keys by name: `b n Enter Ctrl-L`; what is no name is typed as it stands.
    pub(crate) fn keys(&mut self, names: &str) -> &mut Self {
        for name in names.split_whitespace() {
            self.press(name);
            // A terminal's user does not press Esc and the next key in the same microsecond.
            if name == "Esc" {
                self.settle();
            }
        }
        self
    }

    fn press(&mut self, name: &str) {
        let bytes: Vec<u8> = match name {
            "Enter" => b"\r".to_vec(),
            "Esc" => b"\x1b".to_vec(),
            "Space" => b" ".to_vec(),
            "Tab" => b"\t".to_vec(),
            "Home" => b"\x1b[H".to_vec(),
            "End" => b"\x1b[F".to_vec(),
            "Up" => b"\x1b[A".to_vec(),
            "Down" => b"\x1b[B".to_vec(),
            "Right" => b"\x1b[C".to_vec(),
            "Left" => b"\x1b[D".to_vec(),
            "Backspace" => b"\x7f".to_vec(),
            "F2" => b"\x1bOQ".to_vec(),
            "F4" => b"\x1bOS".to_vec(),
            _ => match name.strip_prefix("Ctrl-").and_then(|rest| rest.bytes().next()) {
                Some(letter) => vec![letter & 0x1f],
                None => name.as_bytes().to_vec(),
            },
        };
        self.send(&bytes);
    }

    /// Pastes text, as terminals with bracketed paste do.
    pub(crate) fn paste(&mut self, text: &str) -> &mut Self {
        self.send(format!("\x1b[200~{text}\x1b[201~").as_bytes())
    }

    /// Writes text as it stands, as a terminal pastes that does not mark it.
    pub(crate) fn unmarked(&mut self, text: &str) -> &mut Self {
        self.send(text.replace('\n', "\r").as_bytes())
    }

    /// Presses the left button of the mouse there, both counted from 0, as terminals report it (SGR).
    pub(crate) fn click(&mut self, column: usize, row: usize) -> &mut Self {
        self.send(format!("\x1b[<0;{0};{1}M\x1b[<0;{0};{1}m", column + 1, row + 1).as_bytes())
    }

    /// Turns the wheel of the mouse down by one notch.
    pub(crate) fn wheel_down(&mut self) -> &mut Self {
        self.send(b"\x1b[<65;10;10M")
    }

    /// Writes bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> &mut Self {
        self.keys.write_all(bytes).unwrap();
        self.keys.flush().unwrap();
        self
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.resize(size).unwrap();
        self.parser.screen_mut().set_size(rows, columns);
    }

    /// The screen as text.
    pub(crate) fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    /// The state of the terminal.
    pub(crate) fn terminal(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Takes in what was written at once, waiting up to `patience` for it; when it came.
    fn take(&mut self, patience: Duration) -> Result<Instant, RecvTimeoutError> {
        let (when, bytes) = self.output.recv_timeout(patience)?;
        self.parser.process(&bytes);
        self.bytes.extend(bytes);
        Ok(when)
    }

    /// Presses one key; how long it took until the screen was as `condition` wants.
    pub(crate) fn timed(&mut self, key: &str, condition: impl Fn(&vt100::Screen) -> bool) -> Duration {
        while self.take(Duration::ZERO).is_ok() {}
        assert!(!condition(self.terminal()), "{key} changes nothing; the screen is\n{}", self.screen());
        let start = Instant::now();
        self.press(key);
        self.came(condition) - start
    }

    /// When what made the screen as `condition` wants came in.
    pub(crate) fn came(&mut self, condition: impl Fn(&vt100::Screen) -> bool) -> Instant {
        loop {
            let came = self.take(PATIENCE);
            let when = came.unwrap_or_else(|_| panic!("waited in vain; the screen is\n{}", self.screen()));
            if condition(self.terminal()) {
                return when;
            }
        }
    }

    /// How often each thread of the process gave up the processor and came back, by its number.
    pub(crate) fn wake_ups(&self) -> BTreeMap<OsString, u64> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let count = |task: std::fs::DirEntry| {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            (task.file_name(), line.and_then(|count| count.trim().parse().ok()).unwrap_or(0))
        };
        tasks.map(|task| count(task.unwrap())).collect()
    }

    /// How often threads came back since; those that ended meanwhile are left out.
    pub(crate) fn woken_since(&self, before: &BTreeMap<OsString, u64>) -> u64 {
        let now = self.wake_ups();
        now.iter().map(|(thread, count)| count - before.get(thread).unwrap_or(&0)).sum()
    }

    /// Takes in what comes until nothing came for a moment.
    pub(crate) fn settle(&mut self) {
        while self.take(Duration::from_millis(80)).is_ok() {}
    }

    /// What `read` makes of the screen once nothing on it changes it for a moment.
    pub(crate) fn settled_at<T: PartialEq>(&mut self, read: impl Fn(&str) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let before = read(&self.screen());
            self.watch(Duration::from_millis(700));
            let after = read(&self.screen());
            if let (true, Some(value)) = (before == after, after) {
                return value;
            }
            assert!(start.elapsed() < PATIENCE, "it does not settle; the screen is\n{}", self.screen());
        }
    }

    /// Takes in what comes for a while.
    pub(crate) fn watch(&mut self, span: Duration) {
        let start = Instant::now();
        while let Some(left) = span.checked_sub(start.elapsed()) {
            // Nothing came in the rest of it.
            let _ = self.take(left);
        }
    }

    /// Waits until the screen shows `text`.
    pub(crate) fn wait(&mut self, text: &str) -> &mut Self {
        self.wait_for(text, |screen| screen.contains(text))
    }

    /// The same where the program itself is patient for a minute.
    pub(crate) fn wait_long(&mut self, text: &str) -> &mut Self {
        self.wait_within(PATIENCE * 3, text, |screen| screen.contains(text))
    }

    /// Waits until the screen is as `condition` wants; panics with the screen when it never is.
    pub(crate) fn wait_for(&mut self, what: &str, condition: impl Fn(&str) -> bool) -> &mut Self {
        self.wait_within(PATIENCE, what, condition)
    }

    fn wait_within(&mut self, most: Duration, what: &str, condition: impl Fn(&str) -> bool) -> &mut Self {
        let start = Instant::now();
        while !condition(&self.screen()) {
            let gone = self.take(Duration::from_millis(200)) == Err(RecvTimeoutError::Disconnected);
            let late = start.elapsed() > most;
            assert!(!gone && !late, "waited in vain for {what:?}; the screen is\n{}", self.screen());
        }
        self
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end and takes in all it wrote.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            let more = self.take(Duration::from_millis(50));
            let status = self.child.try_wait().unwrap();
            if let (Some(status), Err(RecvTimeoutError::Disconnected)) = (status, more) {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end; the screen is\n{}", self.screen());
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
