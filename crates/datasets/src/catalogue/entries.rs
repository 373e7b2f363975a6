//! The table of the 15 data sets: folders, published counts, download addresses.
//!
//! Folders and addresses are those of the reference's `datasets/*.py` and of CoOp's `DATASETS.md`;
//! addresses that have moved since are updated. The counts are those of the published split files.

use super::set::{CatalogueSet, Download, FolderRules, Format};

/// The 15 data sets, in the order of the paper's tables: eleven to train on, then the four variants
/// of ImageNet.
pub const CATALOGUE: [CatalogueSet; 15] = [
    CatalogueSet {
        name: "ImageNet",
        published_name: "ImageNet",
        folder: "imagenet",
        images: "images",
        split_file: None,
        classes: 1000,
        counts: [1_281_167, 50_000, 50_000],
        test_halves: Some((25_000, 25_000)),
        downloads: &[
            needed(
                "images",
                "https://image-net.org/download.php (ILSVRC2012: train and val, one folder per class)",
            ),
            needed(
                "classnames.txt",
                "https://drive.google.com/file/d/1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF/view",
            ),
        ],
        format: Format::ImageNet,
        aliases: &[],
    },
    CatalogueSet {
        name: "Caltech101",
        published_name: "Caltech101",
        folder: "caltech-101",
        images: "101_ObjectCategories",
        split_file: Some("split_zhou_Caltech101.json"),
        classes: 100,
        counts: [4128, 1649, 2465],
        test_halves: Some((1549, 916)),
        downloads: &[
            needed(
                "101_ObjectCategories",
                "https://data.caltech.edu/records/mzrjq-6wc02",
            ),
            optional(
                "split_zhou_Caltech101.json",
                "https://drive.google.com/file/d/1hyarUivQE36mY6jSomru6Fjd-JzwcCzN/view",
            ),
        ],
        format: Format::ClassFolders(CALTECH),
        aliases: &["caltech"],
    },
    CatalogueSet {
        name: "OxfordPets",
        published_name: "OxfordPets",
        folder: "oxford_pets",
        images: "images",
        split_file: Some("split_zhou_OxfordPets.json"),
        classes: 37,
        counts: [2944, 736, 3669],
        test_halves: Some((1881, 1788)),
        downloads: &[
            needed(
                "images",
                "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
            ),
            optional(
                "annotations",
                "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
            ),
            optional(
                "split_zhou_OxfordPets.json",
                "https://drive.google.com/file/d/1501r8Ber4nNKvmlFVQZ8SeUHTcdTTEqs/view",
            ),
        ],
        format: Format::Pets,
        aliases: &["pets"],
    },
    CatalogueSet {
        name: "StanfordCars",
        published_name: "StanfordCars",
        folder: "stanford_cars",
        images: "",
        split_file: Some("split_zhou_StanfordCars.json"),
        classes: 196,
        counts: [6509, 1635, 8041],
        test_halves: Some((4002, 4039)),
        downloads: &[
            needed(
                "cars_train",
                "http://ai.stanford.edu/~jkrause/car196/cars_train.tgz",
            ),
            needed(
                "cars_test",
                "http://ai.stanford.edu/~jkrause/car196/cars_test.tgz",
            ),
            optional(
                "devkit",
                "https://ai.stanford.edu/~jkrause/cars/car_devkit.tgz",
            ),
            optional(
                "cars_test_annos_withlabels.mat",
                "http://ai.stanford.edu/~jkrause/car196/cars_test_annos_withlabels.mat",
            ),
            optional(
                "split_zhou_StanfordCars.json",
                "https://drive.google.com/file/d/1ObCFbaAgVu0I-k_Au-gIUcefirdAuizT/view",
            ),
        ],
        format: Format::Cars,
        aliases: &["cars"],
    },
    CatalogueSet {
        name: "OxfordFlowers",
        published_name: "Flowers102",
        folder: "oxford_flowers",
        images: "jpg",
        split_file: Some("split_zhou_OxfordFlowers.json"),
        classes: 102,
        counts: [4093, 1633, 2463],
        test_halves: Some((1053, 1410)),
        downloads: &[
            needed(
                "jpg",
                "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/102flowers.tgz",
            ),
            optional(
                "imagelabels.mat",
                "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/imagelabels.mat",
            ),
            optional(
                "cat_to_name.json",
                "https://drive.google.com/file/d/1AkcxCXeK_RCGCEC_GvmWxjcjaNhu-at0/view",
            ),
            optional(
                "split_zhou_OxfordFlowers.json",
                "https://drive.google.com/file/d/1Pp0sRXzZFZq15zVOzKjKBu4A9i01nozT/view",
            ),
        ],
        format: Format::Flowers,
        aliases: &["flowers"],
    },
    CatalogueSet {
        name: "Food101",
        published_name: "Food101",
        folder: "food-101",
        images: "images",
        split_file: Some("split_zhou_Food101.json"),
        classes: 101,
        counts: [50_500, 20_200, 30_300],
        test_halves: Some((15_300, 15_000)),
        downloads: &[
            needed(
                "images",
                "https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
            ),
            optional(
                "split_zhou_Food101.json",
                "https://drive.google.com/file/d/1QK0tGi096I0Ba6kggatX1ee6dJFIcEJl/view",
            ),
        ],
        format: Format::ClassFolders(UNCHANGED_NAMES),
        aliases: &["food"],
    },
    CatalogueSet {
        name: "FGVCAircraft",
        published_name: "FGVCAircraft",
        folder: "fgvc_aircraft",
        images: "images",
        split_file: None,
        classes: 100,
        counts: [3334, 3333, 3333],
        test_halves: None,
        downloads: &[
            needed(
                "images",
                "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz (the folder data in it)",
            ),
            needed(
                "variants.txt",
                "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz (the folder data in it)",
            ),
            needed(
                "images_variant_train.txt",
                "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz (the folder data in it)",
            ),
            needed(
                "images_variant_val.txt",
                "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz (the folder data in it)",
            ),
            needed(
                "images_variant_test.txt",
                "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz (the folder data in it)",
            ),
        ],
        format: Format::Aircraft,
        aliases: &["aircraft"],
    },
    CatalogueSet {
        name: "SUN397",
        published_name: "SUN397",
        folder: "sun397",
        images: "SUN397",
        split_file: Some("split_zhou_SUN397.json"),
        classes: 397,
        counts: [15_880, 3970, 19_850],
        test_halves: Some((9950, 9900)),
        downloads: &[
            needed(
                "SUN397",
                "http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz",
            ),
            optional(
                "ClassName.txt",
                "https://vision.princeton.edu/projects/2010/SUN/download/Partitions.zip",
            ),
            optional(
                "Training_01.txt",
                "https://vision.princeton.edu/projects/2010/SUN/download/Partitions.zip",
            ),
            optional(
                "Testing_01.txt",
                "https://vision.princeton.edu/projects/2010/SUN/download/Partitions.zip",
            ),
            optional(
                "split_zhou_SUN397.json",
                "https://drive.google.com/file/d/1y2RD81BYuiyvebdN-JymPfyWYcd8_MUq/view",
            ),
        ],
        format: Format::Sun397,
        aliases: &["sun"],
    },
    CatalogueSet {
        name: "DescribableTextures",
        published_name: "DTD",
        folder: "dtd",
        images: "images",
        split_file: Some("split_zhou_DescribableTextures.json"),
        classes: 47,
        counts: [2820, 1128, 1692],
        test_halves: Some((864, 828)),
        downloads: &[
            needed(
                "images",
                "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",
            ),
            optional(
                "split_zhou_DescribableTextures.json",
                "https://drive.google.com/file/d/1u3_QfB467jqHgNXC00UIzbLZRQCg2S7x/view",
            ),
        ],
        format: Format::ClassFolders(UNCHANGED_NAMES),
        aliases: &[],
    },
    CatalogueSet {
        name: "EuroSAT",
        published_name: "EuroSAT",
        folder: "eurosat",
        images: "2750",
        split_file: Some("split_zhou_EuroSAT.json"),
        classes: 10,
        counts: [13_500, 5400, 8100],
        test_halves: Some((4200, 3900)),
        downloads: &[
            needed(
                "2750",
                "https://zenodo.org/records/7711810 (EuroSAT_RGB.zip; rename its folder to 2750)",
            ),
            optional(
                "split_zhou_EuroSAT.json",
                "https://drive.google.com/file/d/1Ip7yaCWFi0eaOFUGga0lUdVi_DDQth1o/view",
            ),
        ],
        format: Format::ClassFolders(EUROSAT),
        aliases: &[],
    },
    CatalogueSet {
        name: "UCF101",
        published_name: "UCF101",
        folder: "ucf101",
        images: "UCF-101-midframes",
        split_file: Some("split_zhou_UCF101.json"),
        classes: 101,
        counts: [7639, 1898, 3783],
        test_halves: Some((1934, 1849)),
        downloads: &[
            needed(
                "UCF-101-midframes",
                "https://drive.google.com/file/d/10Jqome3vtUA2keJkNanAiFpgbyC9Hc2O/view",
            ),
            optional(
                "ucfTrainTestlist",
                "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip",
            ),
            optional(
                "split_zhou_UCF101.json",
                "https://drive.google.com/file/d/1I0S0q91hJfsV9Gf4xDIjgDq4AqBNJb1y/view",
            ),
        ],
        format: Format::Ucf101,
        aliases: &["ucf"],
    },
    CatalogueSet {
        name: "ImageNetV2",
        published_name: "ImageNetV2",
        folder: "imagenetv2",
        images: "imagenetv2-matched-frequency-format-val",
        split_file: None,
        classes: 1000,
        counts: [0, 0, 10_000],
        test_halves: None,
        downloads: &[
            needed(
                "imagenetv2-matched-frequency-format-val",
                "https://huggingface.co/datasets/vaishaal/ImageNetV2 (imagenetv2-matched-frequency.tar.gz)",
            ),
            needed(
                "classnames.txt",
                "https://drive.google.com/file/d/1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF/view",
            ),
        ],
        format: Format::ImageNetV2,
        aliases: &["v2"],
    },
    CatalogueSet {
        name: "ImageNetSketch",
        published_name: "ImageNet-Sketch",
        folder: "imagenet-sketch",
        images: "images",
        split_file: None,
        classes: 1000,
        counts: [0, 0, 50_889],
        test_halves: None,
        downloads: &[
            needed("images", "https://github.com/HaohanWang/ImageNet-Sketch"),
            needed(
                "classnames.txt",
                "https://drive.google.com/file/d/1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF/view",
            ),
        ],
        format: Format::ImageNetVariant,
        aliases: &["sketch", "imagenets"],
    },
    CatalogueSet {
        name: "ImageNetA",
        published_name: "ImageNet-A",
        folder: "imagenet-adversarial",
        images: "imagenet-a",
        split_file: None,
        classes: 200,
        counts: [0, 0, 7500],
        test_halves: None,
        downloads: &[
            needed(
                "imagenet-a",
                "https://github.com/hendrycks/natural-adv-examples",
            ),
            needed(
                "classnames.txt",
                "https://drive.google.com/file/d/1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF/view",
            ),
        ],
        format: Format::ImageNetVariant,
        aliases: &["a"],
    },
    CatalogueSet {
        name: "ImageNetR",
        published_name: "ImageNet-R",
        folder: "imagenet-rendition",
        images: "imagenet-r",
        split_file: None,
        classes: 200,
        counts: [0, 0, 30_000],
        test_halves: None,
        downloads: &[
            needed("imagenet-r", "https://github.com/hendrycks/imagenet-r"),
            needed(
                "classnames.txt",
                "https://drive.google.com/file/d/1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF/view",
            ),
        ],
        format: Format::ImageNetVariant,
        aliases: &["r"],
    },
];

const fn needed(path: &'static str, address: &'static str) -> Download {
    Download {
        path,
        address,
        optional: false,
    }
}

const fn optional(path: &'static str, address: &'static str) -> Download {
    Download {
        path,
        address,
        optional: true,
    }
}

const UNCHANGED_NAMES: FolderRules = FolderRules {
    ignored: &[],
    renamed: &[],
    all_renamed: false,
};

const CALTECH: FolderRules = FolderRules {
    ignored: &["BACKGROUND_Google", "Faces_easy"],
    renamed: &[
        ("airplanes", "airplane"),
        ("Faces", "face"),
        ("Leopards", "leopard"),
        ("Motorbikes", "motorbike"),
    ],
    all_renamed: false,
};

const EUROSAT: FolderRules = FolderRules {
    ignored: &[],
    renamed: &[
        ("AnnualCrop", "Annual Crop Land"),
        ("Forest", "Forest"),
        ("HerbaceousVegetation", "Herbaceous Vegetation Land"),
        ("Highway", "Highway or Road"),
        ("Industrial", "Industrial Buildings"),
        ("Pasture", "Pasture Land"),
        ("PermanentCrop", "Permanent Crop Land"),
        ("Residential", "Residential Buildings"),
        ("River", "River"),
        ("SeaLake", "Sea or Lake"),
    ],
    all_renamed: true,
};
