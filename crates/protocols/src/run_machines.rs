//! The machines that a sweep's run was made on: a file beside its result, which is the same wherever it is made.

use std::path::{Path, PathBuf};

use promptsrc::Machine;
use promptsrc_files::{SaveError, read_regular_json};
use serde::{Deserialize, Serialize};

use crate::saved_json::save_json;

/// Name of the file in a run's folder.
pub const MACHINES: &str = "machines.json";
/// Most bytes of the file.
const LARGEST: u64 = 1 << 20;

/// The machines of a run, each once; `None` stands for one that was not recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMachines {
    /// Where it was trained; empty where nothing is learned.
    pub trained_on: Vec<Option<Machine>>,
    /// Where it was measured.
    pub evaluated_on: Vec<Option<Machine>>,
}

/// A file of machines that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} does not say on which machines a run was made: {source}; if it is damaged, remove it, and they count as \
     not recorded",
    path.display()
)]
pub struct MachinesError {
    /// The file.
    path: PathBuf,
    /// What is wrong.
    source: std::io::Error,
}

impl RunMachines {
    /// Saves them in a run's folder, atomically.
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn save(&self, folder: &Path) -> Result<(), SaveError> {
        save_json(folder.join(MACHINES), self)
    }

    /// Reads those in a run's folder; `None` where no file says them, as in those of earlier versions.
    ///
    /// # Errors
    /// [`MachinesError`] if there is a file and it cannot be read.
    pub fn load(folder: &Path) -> Result<Option<Self>, MachinesError> {
        let path = folder.join(MACHINES);
        let bytes = match read_regular_json(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(MachinesError { path, source }),
        };
        match serde_json::from_slice(&bytes) {
            Ok(machines) => Ok(Some(machines)),
            Err(e) => Err(MachinesError {
                path,
                source: std::io::Error::new(std::io::ErrorKind::InvalidData, e),
            }),
        }
    }

    /// Adds the machine of a measurement, unless it is there.
    pub(crate) fn measured_on(&mut self, machine: Machine) {
        let machine = Some(machine);
        if !self.evaluated_on.contains(&machine) {
            self.evaluated_on.push(machine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_kept_once_and_read_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(RunMachines::load(folder.path()).expect("no file"), None);
        let mut machines = RunMachines {
            trained_on: vec![None],
            evaluated_on: vec![None],
        };
        machines.measured_on(Machine::here());
        machines.measured_on(Machine::here());
        assert_eq!(machines.evaluated_on, [None, Some(Machine::here())]);
        machines.save(folder.path()).expect("room");
        let read = RunMachines::load(folder.path()).expect("a sound file");
        assert_eq!(read, Some(machines));
        std::fs::write(folder.path().join(MACHINES), "{").expect("room");
        let error = RunMachines::load(folder.path()).expect_err("a damaged file");
        assert!(error.to_string().contains(MACHINES), "{error}");
    }
}
