//! How far a run has come, by what its folder holds.

use std::path::Path;

use promptsrc::run_folder;
use serde::Serialize;

use crate::plan::PlannedRun;
use crate::results::{Configuration, RunResult};
use crate::sweep_error::SweepError;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It has not been started.
    New,
    /// It has been started.
    Begun,
    /// It is finished: each of its targets has been measured.
    Finished,
}

impl RunState {
    /// The state of a run in a folder.
    ///
    /// # Errors
    /// [`SweepError::Result`], [`SweepError::Run`] where a file in the folder cannot be read.
    pub fn of(run: &PlannedRun, folder: &Path) -> Result<Self, SweepError> {
        Ok(Self::with_configuration(run, folder)?.0)
    }

    /// The state, and the configuration that the folder holds.
    pub(crate) fn with_configuration(
        run: &PlannedRun,
        folder: &Path,
    ) -> Result<(Self, Option<Configuration>), SweepError> {
        if let Some(result) = RunResult::load(folder)? {
            let finished = run.targets.iter().all(|target| result.of(target).is_some());
            let state = match finished {
                true => Self::Finished,
                false => Self::Begun,
            };
            return Ok((state, Some(result.configuration)));
        }
        let config = folder.join(run_folder::CONFIG);
        if !config.exists() || !run_folder::is_begun(folder) {
            return Ok((Self::New, None));
        }
        let saved = run_folder::read_config(&config)?;
        let configuration = Configuration {
            clip: saved.clip.fingerprint,
            clip_settings: saved.clip.settings,
            preprocessing: saved.clip.preprocessing,
            precision: saved.clip.precision,
            allow_missing: saved.data.allow_missing,
            exif: saved.data.exif,
            train: Some(saved.train),
        };
        Ok((Self::Begun, Some(configuration)))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Begun => "begun",
            Self::Finished => "finished",
        }
    }
}
