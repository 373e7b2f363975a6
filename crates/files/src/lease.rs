//! A lease: the right to write in a folder, given to one process at a time on any number of machines.
//!
//! Locks of the system do not reach every machine that shares a folder, and a machine that is lost
//! cannot release one. A lease is a file `<name>.lease.<number>`, made by its holder with the next
//! number, and written anew every few seconds. Who sees that a lease stays the same for a minute may make
//! the next one; making a file that must not exist is what only one process succeeds in. A holder that
//! slept meanwhile sees the higher number before it writes again, and ends.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A holder without a sign of life for so long is lost. Longer than a network file system may show an
/// old content.
const LOST: Duration = Duration::from_secs(60);
/// Longest lease file that is read.
const LARGEST: u64 = 4096;

/// A lease that this process holds until the value is dropped.
#[derive(Debug)]
pub struct Lease {
    base: PathBuf,
    number: u64,
    /// What its file begins with, and no other.
    signature: String,
    /// Says when dropped that the heart may stop.
    alive: Option<Sender<()>>,
    heart: Option<JoinHandle<()>>,
}

/// Whether another process holds a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// It showed a sign of life a short while ago.
    Alive,
    /// It ended, or it was lost.
    Gone,
}

/// What was seen of a lease of another process, and since when it is the same.
static SEEN: LazyLock<Mutex<BTreeMap<PathBuf, (String, Instant)>>> = LazyLock::new(Mutex::default);

impl Lease {
    /// Takes the lease beside the lock file `base`; `None` while another process holds it. One that was
    /// lost is recognised after a minute of asking, at once if it ran on this machine and has ended.
    ///
    /// # Errors
    /// What the system says of the files.
    ///
    /// `alone`: no other process of this machine can hold it, as a lock of the system says.
    pub fn take(base: &Path, alone: bool) -> io::Result<Option<Self>> {
        Self::take_within(base, alone, LOST, HEARTBEAT)
    }

    /// As [`take`](Self::take); waits where the holder is silent, until it shows a sign of life or is
    /// lost.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_patiently(base: &Path, alone: bool) -> io::Result<Option<Self>> {
        const PAUSE: Duration = Duration::from_millis(250);
        let mut first = None;
        loop {
            if let Some(lease) = Self::take(base, alone)? {
                return Ok(Some(lease));
            }
            let last = leases(base)?.last().map(|number| of(base, *number));
            let now =
                last.and_then(|path| Some((crate::read_regular_text(&path, LARGEST).ok()?, path)));
            match (&first, now) {
                (None, now) => first = now,
                (Some(first), Some(now)) if *first == now => {}
                _ => return Ok(None),
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn take_within(
        base: &Path,
        alone: bool,
        lost: Duration,
        heartbeat: Duration,
    ) -> io::Result<Option<Self>> {
        let there = leases(base)?;
        if let Some(last) = there.last()
            && holder(&of(base, *last), alone, lost)? == Holder::Alive
        {
            return Ok(None);
        }
        let number = there.last().map_or(1, |last| last.saturating_add(1));
        let path = of(base, number);
        let signature = signature();
        match OpenOptions::new().create_new(true).write(true).open(&path) {
            Ok(mut file) => file.write_all(sign(&signature, 0).as_bytes())?,
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error),
        }
        // One that was slow may have made a number that others are beyond.
        if !is_held(base, number, &signature)? {
            remove(&path)?;
            return Ok(None);
        }
        let (alive, ended) = channel::<()>();
        let heart = {
            let (base, signature) = (base.to_path_buf(), signature.clone());
            std::thread::spawn(move || {
                let mut beats = 0u64;
                while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(heartbeat) {
                    beats += 1;
                    // One that fails is followed by others; a lease that was lost is left alone.
                    if let Ok(false) = is_held(&base, number, &signature) {
                        return;
                    }
                    let _ = rewrite(&of(&base, number), &sign(&signature, beats));
                }
            })
        };
        let lease = Self {
            base: base.to_path_buf(),
            number,
            signature,
            alive: Some(alive),
            heart: Some(heart),
        };
        for old in there {
            remove(&of(base, old))?;
        }
        Ok(Some(lease))
    }

    /// Fails if another process has taken the lease over, because this one gave no sign of life.
    ///
    /// # Errors
    /// What the system says, or that the lease is lost.
    pub fn check(&self) -> io::Result<()> {
        match is_held(&self.base, self.number, &self.signature)? {
            true => Ok(()),
            false => Err(io::Error::other(
                "another process has taken over, because this one gave no sign of life for a minute",
            )),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(heart) = self.heart.take() {
            let _ = heart.join();
        }
        // What remains is taken over.
        if let Ok(true) = is_held(&self.base, self.number, &self.signature) {
            let _ = remove(&of(&self.base, self.number));
        }
    }
}

/// Who holds a lease: a machine, a process, and a moment.
fn signature() -> String {
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    let moment = SystemTime::now().duration_since(UNIX_EPOCH);
    let moment = moment.map_or(0, |since| since.as_nanos());
    let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
    format!("{} {} {moment}.{taken}", host(), std::process::id())
}

/// The content of a lease: who holds it, and how often it gave a sign of life.
fn sign(signature: &str, beats: u64) -> String {
    format!("{signature} {beats}\n")
}

/// Writes in place: a new file of that name could bring back a lease that was taken over.
fn rewrite(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a process still holds its lease: no higher number is there, and its own is of its making.
fn is_held(base: &Path, number: u64, signature: &str) -> io::Result<bool> {
    if leases(base)?.last() != Some(&number) {
        return Ok(false);
    }
    match crate::read_regular_text(&of(base, number), LARGEST) {
        Ok(text) => Ok(text
            .rsplit_once(' ')
            .is_some_and(|(who, _)| who == signature)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn of(base: &Path, number: u64) -> PathBuf {
    let mut name = base.as_os_str().to_os_string();
    name.push(format!(".lease.{number}"));
    PathBuf::from(name)
}

/// The numbers of the leases, in their order.
fn leases(base: &Path) -> io::Result<Vec<u64>> {
    let folder = match base.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = base.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!("{name}.lease.");
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?.file_name();
        let number = entry.to_string_lossy();
        let number = number.strip_prefix(&prefix).map(str::parse);
        if let Some(Ok(number)) = number {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// What is known of the holder of a lease.
fn holder(path: &Path, alone: bool, lost: Duration) -> io::Result<Holder> {
    let text = match crate::read_regular_text(path, LARGEST) {
        Ok(text) => text,
        // Released meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Holder::Gone),
        Err(error) => return Err(error),
    };
    let mut words = text.split_whitespace();
    if let (Some(host_of), Some(Ok(process))) = (words.next(), words.next().map(str::parse))
        && host_of == host()
        && (alone || is_running(process) == Some(false))
    {
        return Ok(Holder::Gone);
    }
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    match seen.get(path) {
        Some((before, since)) if *before == text => Ok(match now - *since > lost {
            true => {
                seen.remove(path);
                Holder::Gone
            }
            false => Holder::Alive,
        }),
        _ => {
            seen.insert(path.to_path_buf(), (text, now));
            Ok(Holder::Alive)
        }
    }
}

/// Whether a process of this machine runs; `None` where that cannot be known.
fn is_running(process: u32) -> Option<bool> {
    let processes = Path::new("/proc");
    (processes.join("self").exists()).then(|| processes.join(process.to_string()).exists())
}

/// The name of this machine.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.ok().or_else(|| std::env::var("HOSTNAME").ok());
    let name = name.unwrap_or_default();
    // One word, in a file of words.
    match name.split_whitespace().next() {
        Some(name) => name.to_string(),
        None => "unknown".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for a busy machine to let a heart beat in it.
    const SHORT: Duration = Duration::from_secs(1);

    #[test]
    fn a_lease_is_held_once_gives_signs_of_life_and_leaves_nothing() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let base = folder.path().join(".lock");
        let held = Lease::take_within(&base, false, SHORT, SHORT / 10)?.expect("the lease");
        let until = Instant::now() + 2 * SHORT;
        while Instant::now() < until {
            assert!(Lease::take_within(&base, false, SHORT, SHORT / 10)?.is_none());
            std::thread::sleep(SHORT / 20);
        }
        held.check()?;
        drop(held);
        assert_eq!(fs::read_dir(folder.path())?.count(), 0);
        assert!(Lease::take(&base, false)?.is_some());
        Ok(())
    }

    #[test]
    fn a_lost_machine_is_found_and_its_process_writes_no_more() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let base = folder.path().join(".lock");
        // It shows no sign of life for an hour: a process that sleeps.
        let asleep =
            Lease::take_within(&base, false, SHORT, Duration::from_secs(3600))?.expect("a lease");
        let first = of(&base, 1);
        fs::write(&first, "elsewhere 17 1.0 3\n")?;
        let began = Instant::now();
        let taken = loop {
            match Lease::take_within(&base, false, SHORT, SHORT)? {
                Some(lease) => break lease,
                None => std::thread::sleep(SHORT / 20),
            }
        };
        assert!(began.elapsed() >= SHORT);
        assert!(asleep.check().is_err());
        taken.check()?;
        assert!(!first.exists());
        // Nor where the other has ended, and a third has begun with the same number.
        drop(taken);
        fs::write(&first, "third 17 2.0 0\n")?;
        assert!(asleep.check().is_err());
        drop(asleep);
        assert!(first.exists());
        Ok(())
    }

    #[test]
    fn what_a_dead_process_of_this_machine_left_is_taken_over_at_once() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let base = folder.path().join(".lock");
        // No process has this number.
        fs::write(of(&base, 41), format!("{} 4194305 1.0 9\n", host()))?;
        let lease = Lease::take(&base, false)?.expect("the lease");
        assert_eq!(lease.number, 42);
        drop(lease);
        // A process of this number runs, but not with the lock of the system.
        let me = format!("{} {} 1.0 9\n", host(), std::process::id());
        fs::write(of(&base, 7), me)?;
        assert!(Lease::take(&base, false)?.is_none());
        assert!(Lease::take(&base, true)?.is_some());
        Ok(())
    }

    #[test]
    fn of_many_that_find_a_lost_lease_one_gets_it() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let base = folder.path().join(".lock");
        for round in 0..4 {
            fs::write(of(&base, 1), format!("elsewhere {round} 1.0 3\n"))?;
            let won = Mutex::new(Vec::new());
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let until = Instant::now() + SHORT;
                        while Instant::now() < until {
                            let taken = Lease::take_within(&base, false, SHORT / 10, SHORT / 40);
                            if let Ok(Some(lease)) = taken {
                                won.lock().expect("no panic").push(lease);
                            }
                        }
                    });
                }
            });
            let won = won.into_inner().expect("no panic");
            // On a busy machine a holder may be taken for lost, and then knows it.
            let holders = won.iter().filter(|lease| lease.check().is_ok());
            assert_eq!(holders.count(), 1);
        }
        Ok(())
    }
}
