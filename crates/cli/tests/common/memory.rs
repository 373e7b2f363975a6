//! The most memory that a command takes, as Linux counts it.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Ending, PATIENCE, PROMPTSRC, checked, scratch};

/// Address space of a command under test, in KiB: what asks for more is refused by the system, so that a
/// failing test does not take the machine with it.
const ADDRESSES: u64 = 8 << 20;

/// MiB beyond which a small file must not take a command.
pub const FOR_A_SMALL_FILE: u64 = 300;

/// How a command ended, and the most memory that it held.
#[derive(Debug)]
pub struct Measured {
    /// How it ended.
    pub ending: Ending,
    /// The highest resident size, in MiB; 0 where the system does not tell, or the command ended before it
    /// was asked.
    pub peak: u64,
}

impl Measured {
    /// It held at most this many MiB.
    #[track_caller]
    pub fn within(self, most: u64) -> Ending {
        assert!(self.peak <= most, "{} MiB\n{}", self.peak, self.ending);
        self.ending
    }
}

/// Runs `promptsrc`, and asks the system every millisecond for the highest size so far.
pub fn measured(args: &[&str]) -> Measured {
    let folder = scratch();
    let [out, err] = ["out", "err"].map(|name| folder.path().join(name));
    let into = |path| File::create(path).expect("a file for the output");
    let limit = format!("ulimit -v {ADDRESSES}; exec \"$0\" \"$@\"");
    let mut child = Command::new("sh")
        .args(["-c", &limit, PROMPTSRC])
        .args(args)
        .env("HF_HUB_OFFLINE", "1")
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .stdout(into(&out))
        .stderr(into(&err))
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let (began, mut peak) = (Instant::now(), 0);
    let code = loop {
        // It never falls, and what the command holds at its end it has held for a while.
        peak = peak.max(peak_in(&status).unwrap_or(0));
        if let Some(status) = child.try_wait().expect("a child") {
            break status.code();
        }
        assert!(began.elapsed() < PATIENCE, "it hangs: {args:?}");
        std::thread::sleep(Duration::from_millis(1));
    };
    let text = |path| String::from_utf8_lossy(&fs::read(path).expect("output")).into_owned();
    let ending = Ending {
        line: format!("{PROMPTSRC} {}", args.join(" ")),
        code,
        stdout: text(&out),
        stderr: text(&err),
    };
    Measured {
        ending: checked(ending),
        peak,
    }
}

fn peak_in(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib.div_ceil(1024))
}
