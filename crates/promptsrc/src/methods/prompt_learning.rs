//! Independent vision-language prompts in both towers, with and without self-regulation.

use std::path::Path;

use promptsrc_clip::ClipModel;

use crate::adapter::Adapter;
use crate::classifier::Classifier;
use crate::config::{self, TrainConfig};
use crate::events::Event;
use crate::methods::{Classify, Method, MethodError, Training};
use crate::run_folder::{self, RunConfig};
use crate::train::{TrainError, TrainJob};

/// PromptSRC or IVLP: the same prompts, learned by [`TrainJob`] and kept as an [`Adapter`].
#[derive(Clone, Copy, Debug)]
pub struct PromptLearning {
    method: config::Method,
    paper_name: &'static str,
}

impl PromptLearning {
    /// Prompts learned by cross-entropy alone.
    pub const IVLP: Self = Self {
        method: config::Method::Ivlp,
        paper_name: "IVLP",
    };
    /// Prompts learned with the three self-regulations.
    pub const PROMPTSRC: Self = Self {
        method: config::Method::PromptSrc,
        paper_name: "PromptSRC",
    };
}

impl Method for PromptLearning {
    fn name(&self) -> &'static str {
        self.method.name()
    }

    fn paper_name(&self) -> &'static str {
        self.paper_name
    }

    fn training(&self) -> Option<&dyn Training> {
        Some(self)
    }

    fn classifier<'a>(
        &self,
        clip: &'a ClipModel,
        run: &Path,
        names: &[String],
        _template: &str,
    ) -> Result<Box<dyn Classify + 'a>, MethodError> {
        let adapter = Adapter::load(&run.join(run_folder::ADAPTER))?;
        Ok(Box::new(Classifier::prompted(clip, &adapter, names)?))
    }
}

impl Training for PromptLearning {
    fn configure(&self, preset: TrainConfig) -> TrainConfig {
        preset.with_method(self.method)
    }

    fn train(
        &self,
        job: &TrainJob,
        run: &Path,
        config: &RunConfig,
        observe: &mut dyn FnMut(&Event),
    ) -> Result<(), TrainError> {
        job.run_in(run, config, true, observe).map(|_| ())
    }

    fn is_trained(&self, run: &Path) -> bool {
        // Written last.
        run.join(run_folder::METRICS).exists()
    }
}
