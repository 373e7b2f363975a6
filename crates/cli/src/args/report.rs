//! The arguments of `promptsrc report`.

use std::path::PathBuf;

use clap::Args;
use promptsrc::Parts;

use super::eval::TemplatesArg;
use super::labelled::DataOptions;

#[derive(Args, Debug)]
#[command(
    override_usage = "promptsrc report [OPTIONS] --out <FILE> <RUN>...\n       \
                      promptsrc report [OPTIONS] --out <FILE> <SWEEP>"
)]
pub struct ReportArgs {
    /// Folders of runs, which are shown side by side; or the folder of a sweep.
    #[arg(value_name = "RUN", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Page to write, such as report.html. Its folder is created if it does not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the page if it exists.
    #[arg(long)]
    pub force: bool,
    /// Evaluate nothing: a page of what the folder of the run has. It needs neither CLIP nor images.
    #[arg(long, conflicts_with_all = ["clip", "data", "templates", "template", "part"])]
    pub no_evaluation: bool,
    /// Images of each kind (confident mistakes, unsure hits) on the page; 0 shows none.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(0..=100))]
    pub images: u16,
    /// CLIP of the runs, as for train [default: the one that each run recorded].
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Images of the runs, as for train [default: those that each run recorded].
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub more: DataOptions,
    /// Images to evaluate on; all takes those of all parts as one.
    #[arg(long, default_value = "test")]
    pub part: Parts,
    /// Templates of zero-shot CLIP [default: the data set's own if one is known, or else single].
    #[arg(long)]
    pub templates: Option<TemplatesArg>,
    /// Template with {} for the class name; can be given more than once.
    #[arg(long, value_name = "TEXT", conflicts_with = "templates")]
    pub template: Vec<String>,
    /// Method of a sweep that the others are compared with, with paired t-tests in the tables
    /// [default: zero-shot, or else the first method; without tests].
    #[arg(long, value_name = "METHOD")]
    pub baseline: Option<String>,
    /// Add the published results to the tables of a sweep [default: where every result of the table can be
    /// compared with them].
    #[arg(long)]
    pub published: bool,
}

impl ReportArgs {
    /// The first option that was given and is for runs.
    pub fn of_runs(&self) -> Option<&'static str> {
        let given = [
            ("--no-evaluation", self.no_evaluation),
            ("--clip", self.clip.is_some()),
            ("--data", self.data.is_some()),
            ("--split", self.more.split.is_some()),
            ("--class-names", self.more.class_names.is_some()),
            ("--allow-missing", self.more.allow_missing),
            ("--allow-unreadable", self.more.allow_unreadable),
            ("--exif", self.more.exif.exif.is_some()),
            ("--templates", self.templates.is_some()),
            ("--template", !self.template.is_empty()),
            ("--part", self.part != Parts::Test),
        ];
        let mut given = given.into_iter().filter(|(_, given)| *given);
        given.next().map(|(option, _)| option)
    }

    /// The first option that was given and is for sweeps.
    pub fn of_sweeps(&self) -> Option<&'static str> {
        match (&self.baseline, self.published) {
            (Some(_), _) => Some("--baseline"),
            (None, true) => Some("--published"),
            (None, false) => None,
        }
    }
}
