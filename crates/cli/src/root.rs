//! Where `promptsrc bench` finds its data sets: the built-in world, or a folder of CoOp's.

use std::path::{Path, PathBuf};

use promptsrc::benchmark::{Role, Root, RootError, RootSet, SetSize};
use promptsrc_clip::templates;
use promptsrc_data::{DataSource, Dataset, Part};
use promptsrc_world::{Purpose, WorldSet, pictures_per_class, sets};

use crate::failure::Failure;
use crate::resolve;

/// Its name where a root is asked for.
pub const WORLD: &str = "world";

/// The data sets that are drawn.
pub struct World;

impl Root for World {
    fn sets(&self) -> Vec<RootSet> {
        let set = |set: &WorldSet| {
            let classes = set.class_names().len();
            RootSet {
                name: set.name().to_string(),
                aliases: vec![format!("world:{}", set.name())],
                role: match set.purpose() {
                    Purpose::BaseToNovel => Role::Target,
                    Purpose::Source => Role::Source,
                    Purpose::Shifted => Role::Shifted,
                    Purpose::Tuning => Role::Apart,
                },
                is_own: set.purpose() == Purpose::BaseToNovel,
                size: SetSize {
                    classes,
                    test: classes * pictures_per_class(Part::Test),
                },
            }
        };
        sets().iter().map(set).collect()
    }

    fn open(&self, name: &str) -> Result<Dataset, RootError> {
        match WorldSet::find(name) {
            Ok(set) => Ok(set.dataset()),
            Err(source) => Err(RootError {
                name: name.to_string(),
                source: source.into(),
            }),
        }
    }

    fn template(&self, _name: &str) -> String {
        PHOTO.to_string()
    }

    fn place(&self, name: &str) -> String {
        format!("world:{name}")
    }
}

const PHOTO: &str = "a photo of a {}.";

/// A data set of the benchmark: name, folder below the root, part in transfers, classes and test
/// pictures.
type Known = (&'static str, &'static str, Role, usize, usize);

/// In the order of the paper's tables.
const KNOWN: [Known; 15] = [
    ("ImageNet", "imagenet", Role::Source, 1000, 50_000),
    ("Caltech101", "caltech-101", Role::Target, 100, 2465),
    ("OxfordPets", "oxford_pets", Role::Target, 37, 3669),
    ("StanfordCars", "stanford_cars", Role::Target, 196, 8041),
    ("OxfordFlowers", "oxford_flowers", Role::Target, 102, 2463),
    ("Food101", "food-101", Role::Target, 101, 30_300),
    ("FGVCAircraft", "fgvc_aircraft", Role::Target, 100, 3333),
    ("SUN397", "sun397", Role::Target, 397, 19_850),
    ("DTD", "dtd", Role::Target, 47, 1692),
    ("EuroSAT", "eurosat", Role::Target, 10, 8100),
    ("UCF101", "ucf101", Role::Target, 101, 3783),
    ("ImageNetV2", "imagenetv2", Role::Shifted, 1000, 10_000),
    (
        "ImageNet-Sketch",
        "imagenet-sketch",
        Role::Shifted,
        1000,
        50_889,
    ),
    (
        "ImageNet-A",
        "imagenet-adversarial",
        Role::Shifted,
        200,
        7500,
    ),
    (
        "ImageNet-R",
        "imagenet-rendition",
        Role::Shifted,
        200,
        30_000,
    ),
];

/// A folder with the data sets in the folders that CoOp gives them.
pub struct Folder {
    root: PathBuf,
    allow_missing: bool,
}

impl Folder {
    pub fn new(root: &Path, allow_missing: bool) -> Result<Self, Failure> {
        match root.is_dir() {
            true => Ok(Self {
                root: root.to_path_buf(),
                allow_missing,
            }),
            false => Err(Failure::failed(format!(
                "--root {}: there is no such folder; give that of the data sets, or world for the \
                 built-in ones",
                root.display()
            ))),
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let known = KNOWN.iter().find(|known| known.0 == name);
        self.root.join(known.map_or(name, |known| known.1))
    }

    /// Fails where the folder of a data set that a plan needs is not there.
    pub fn check(&self, names: &[String]) -> Result<(), Failure> {
        let missing: Vec<String> = names
            .iter()
            .filter(|name| !self.folder(name).is_dir())
            .map(|name| format!("{name} ({})", self.folder(name).display()))
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Failure::failed(format!(
                "not there: {}; choose among those that are with --datasets",
                missing.join(", ")
            ))),
        }
    }
}

impl Root for Folder {
    fn sets(&self) -> Vec<RootSet> {
        let set = |(name, folder, role, classes, test): &Known| RootSet {
            name: name.to_string(),
            aliases: vec![folder.to_string()],
            role: *role,
            is_own: matches!(role, Role::Source | Role::Target),
            size: SetSize {
                classes: *classes,
                test: *test,
            },
        };
        KNOWN.iter().map(set).collect()
    }

    fn open(&self, name: &str) -> Result<Dataset, RootError> {
        let source = DataSource {
            allow_missing: self.allow_missing,
            ..DataSource::new(self.folder(name))
        };
        match source.read() {
            Ok((dataset, _)) => Ok(dataset),
            Err(source) => Err(RootError {
                name: name.to_string(),
                source: source.into(),
            }),
        }
    }

    fn template(&self, name: &str) -> String {
        templates::data_set_template(name)
            .unwrap_or(PHOTO)
            .to_string()
    }

    fn place(&self, name: &str) -> String {
        resolve::absolute(&self.folder(name))
    }
}
