//! The text templates that class names are inserted into.

/// The 60 templates of PromptSRC's frozen text teacher, in the reference's order
/// (`trainers/imagenet_templates.py`): OpenAI's ImageNet templates with "a photo of a {}." first,
/// and the last twenty left out.
pub const TEACHER: [&str; 60] = [
    PHOTO,
    "a bad photo of a {}.",
    "a photo of many {}.",
    "a sculpture of a {}.",
    "a photo of the hard to see {}.",
    "a low resolution photo of the {}.",
    "a rendering of a {}.",
    "graffiti of a {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
    "a tattoo of a {}.",
    "the embroidered {}.",
    "a photo of a hard to see {}.",
    "a bright photo of a {}.",
    "a photo of a clean {}.",
    "a photo of a dirty {}.",
    "a dark photo of the {}.",
    "a drawing of a {}.",
    "a photo of my {}.",
    "the plastic {}.",
    "a photo of the cool {}.",
    "a close-up photo of a {}.",
    "a black and white photo of the {}.",
    "a painting of the {}.",
    "a painting of a {}.",
    "a pixelated photo of the {}.",
    "a sculpture of the {}.",
    "a bright photo of the {}.",
    "a cropped photo of a {}.",
    "a plastic {}.",
    "a photo of the dirty {}.",
    "a jpeg corrupted photo of a {}.",
    "a blurry photo of the {}.",
    "a photo of the {}.",
    "a good photo of the {}.",
    "a rendering of the {}.",
    "a {} in a video game.",
    "a photo of one {}.",
    "a doodle of a {}.",
    "a close-up photo of the {}.",
    "the origami {}.",
    "the {} in a video game.",
    "a sketch of a {}.",
    "a doodle of the {}.",
    "a origami {}.",
    "a low resolution photo of a {}.",
    "the toy {}.",
    "a rendition of the {}.",
    "a photo of the clean {}.",
    "a photo of a large {}.",
    "a rendition of a {}.",
    "a photo of a nice {}.",
    "a photo of a weird {}.",
    "a blurry photo of a {}.",
    "a cartoon {}.",
    "art of a {}.",
    "a sketch of the {}.",
    "a embroidered {}.",
    "a pixelated photo of a {}.",
    "itap of the {}.",
];

/// The seven templates whose ensemble OpenAI found best on ImageNet, in the reference's order.
pub const SELECT: [&str; 7] = [
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
];

/// The template for any data set without one of its own.
pub const PHOTO: &str = "a photo of a {}.";

/// The zero-shot template of a data set of the paper; `None` for a data set that is not one of
/// its fifteen.
///
/// A data set is named by its class in the reference or by its folder, in any case and with or
/// without hyphens and underscores: `"OxfordPets"`, `"oxford_pets"`, `"DescribableTextures"`, `"dtd"`.
pub fn data_set_template(name: &str) -> Option<&'static str> {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | ' '))
        .flat_map(char::to_lowercase)
        .collect();
    Some(match plain.as_str() {
        "oxfordpets" => "a photo of a {}, a type of pet.",
        "oxfordflowers" => "a photo of a {}, a type of flower.",
        "fgvcaircraft" => "a photo of a {}, a type of aircraft.",
        "describabletextures" | "dtd" => "{} texture.",
        "eurosat" => "a centered satellite photo of {}.",
        "food101" => "a photo of {}, a type of food.",
        "ucf101" => "a photo of a person doing {}.",
        "stanfordcars"
        | "sun397"
        | "caltech101"
        | "imagenet"
        | "imagenetv2"
        | "imagenetsketch"
        | "imageneta"
        | "imagenetadversarial"
        | "imagenetr"
        | "imagenetrendition" => PHOTO,
        _ => return None,
    })
}

/// A template with each `{}` replaced by a class name, whose underscores become spaces.
///
/// Plain replacement: braces in a class name mean nothing, and a template without `{}` is returned
/// as it is.
pub fn fill(template: &str, class_name: &str) -> String {
    template.replace("{}", &class_name.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_of_the_name_become_spaces_and_braces_stay() {
        assert_eq!(
            fill("a {} and a {}.", "tiger_lily"),
            "a tiger lily and a tiger lily."
        );
        assert_eq!(fill("a {}.", "{}_{0}"), "a {} {0}.");
        assert_eq!(fill("a_b", "c"), "a_b");
    }

    #[test]
    fn a_data_set_is_named_by_its_folder_too() {
        for folder in [
            "imagenet",
            "caltech-101",
            "oxford_pets",
            "stanford_cars",
            "oxford_flowers",
            "food-101",
            "fgvc_aircraft",
            "sun397",
            "dtd",
            "eurosat",
            "ucf101",
            "imagenetv2",
            "imagenet-sketch",
            "imagenet-adversarial",
            "imagenet-rendition",
        ] {
            assert!(data_set_template(folder).is_some(), "{folder}");
        }
        assert_eq!(
            data_set_template("EuroSAT"),
            Some("a centered satellite photo of {}.")
        );
        assert_eq!(data_set_template("my images"), None);
    }

    #[test]
    fn every_template_has_one_place_for_the_name() {
        for template in TEACHER.iter().chain(&SELECT) {
            assert_eq!(template.matches("{}").count(), 1, "{template}");
        }
    }
}
