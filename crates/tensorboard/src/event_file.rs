//! An event file: what TensorBoard reads of a run, event by event.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use prost::Message as _;

use crate::messages::{Event, SessionLog, SessionStatus, Summary, Value, What};
use crate::record::record;

/// How the names begin: TensorBoard takes every file that contains it.
const PREFIX: &str = "events.out.tfevents.";
/// The format that files of today have.
const VERSION: &str = "brain.Event:2";
/// Files that one second may begin.
const MOST_AT_ONCE: u32 = 10_000;

/// An event file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct EventFileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

/// A file to which events are appended. Each is given to the system at once, so that a process that is
/// killed loses none.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// A new file in a folder, which is created if it does not exist. TensorBoard reads the files of a
    /// folder in the order of their names, so the name follows those that are there. `now`: seconds since
    /// 1970.
    ///
    /// # Errors
    /// [`EventFileError`].
    pub fn create(folder: &Path, now: f64) -> Result<Self, EventFileError> {
        let io = |source| EventFileError {
            path: folder.to_path_buf(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(io)?;
        let mut second = now.max(0.0) as u64;
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let name = name.to_string_lossy();
            let rest = name.strip_prefix(PREFIX).and_then(|r| r.split('.').next());
            // Where the clock has been set back.
            second = second.max(rest.and_then(|r| r.parse().ok()).unwrap_or(0));
        }
        for count in 0..MOST_AT_ONCE {
            let path = folder.join(format!("{PREFIX}{second:010}.promptsrc.{count:04}"));
            let opened = OpenOptions::new().append(true).create_new(true).open(&path);
            match opened {
                Ok(file) => {
                    let mut file = Self { path, file };
                    file.write(now, 0, What::FileVersion(VERSION.to_string()))?;
                    return Ok(file);
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(EventFileError { path, source }),
            }
        }
        Err(io(std::io::Error::other(format!(
            "{MOST_AT_ONCE} event files of one second"
        ))))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that the training starts, or goes on, with this step: what earlier files have of it and of
    /// later steps is not valid.
    ///
    /// # Errors
    /// [`EventFileError`].
    pub fn begin(&mut self, step: u64, now: f64) -> Result<(), EventFileError> {
        let status = SessionStatus::Start.into();
        self.write(now, step, What::SessionLog(SessionLog { status }))
    }

    /// Appends values of a step, by name.
    ///
    /// # Errors
    /// [`EventFileError`].
    pub fn scalars<'a>(
        &mut self,
        step: u64,
        now: f64,
        values: impl IntoIterator<Item = (&'a str, f32)>,
    ) -> Result<(), EventFileError> {
        let value = |(tag, value): (&str, f32)| Value {
            tag: tag.to_string(),
            simple_value: Some(value),
        };
        let value: Vec<Value> = values.into_iter().map(value).collect();
        self.write(now, step, What::Summary(Summary { value }))
    }

    fn write(&mut self, now: f64, step: u64, what: What) -> Result<(), EventFileError> {
        let event = Event {
            wall_time: now,
            step: i64::try_from(step).unwrap_or(i64::MAX),
            what: Some(what),
        };
        let bytes = record(&event.encode_to_vec());
        self.file
            .write_all(&bytes)
            .map_err(|source| EventFileError {
                path: self.path.clone(),
                source,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::records;

    fn events(path: &Path) -> Vec<Event> {
        let bytes = std::fs::read(path).expect("a file");
        let events = records(&bytes).expect("records").into_iter();
        let events = events.map(|bytes| Event::decode(bytes).expect("an event"));
        events.collect()
    }

    #[test]
    fn a_file_begins_with_its_version_and_keeps_zeros() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("new/tensorboard");
        let mut file = EventFile::create(&folder, 12.5).expect("a file");
        file.begin(3, 13.0).expect("room");
        file.scalars(3, 14.0, [("a", 0.0), ("b", -1.5)])
            .expect("room");
        let found = events(file.path());
        let event = |wall_time, step, what| Event {
            wall_time,
            step,
            what: Some(what),
        };
        let value = |tag: &str, value| Value {
            tag: tag.to_string(),
            simple_value: Some(value),
        };
        let expected = [
            event(12.5, 0, What::FileVersion("brain.Event:2".to_string())),
            event(13.0, 3, What::SessionLog(SessionLog { status: 1 })),
            event(
                14.0,
                3,
                What::Summary(Summary {
                    value: vec![value("a", 0.0), value("b", -1.5)],
                }),
            ),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_later_file_has_a_later_name_whatever_the_clock_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let names: Vec<String> = [
            1_700_000_000.0,
            1_700_000_000.9,
            1_600_000_000.0,
            1_800_000_000.0,
        ]
        .map(|now| EventFile::create(folder.path(), now).expect("a file"))
        .iter()
        .map(|file| file.path().display().to_string())
        .collect();
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(names, sorted);
    }
}
