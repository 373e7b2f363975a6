//! UCF101's annotation: `ucfTrainTestlist/{classInd,trainlist01,testlist01}.txt`.

use std::collections::HashMap;
use std::path::Path;

use super::annotation::{Annotation, listed};
use super::generate;
use super::set::CatalogueSet;
use crate::labels::Labels;
use crate::{DataError, Dataset, Part, text};

/// Lines of `number ActionName` and of `ActionName/video.avi`. The video's middle frame is the image
/// `Action_Name/video.jpg`, and `Action_Name` is the class name.
pub(super) fn read(set: &CatalogueSet, folder: &Path) -> Result<Annotation, DataError> {
    let class_file = set.need(folder, "ucfTrainTestlist/classInd.txt")?;
    let mut known = HashMap::new();
    let mut labels = Labels::new(&class_file);
    for line in text::lines(&class_file)? {
        let fields: Vec<&str> = line.text.split_whitespace().collect();
        let [number, action] = fields.as_slice() else {
            return Err(line.wrong(
                &class_file,
                format!(
                    "expected a number and an action, found {} words",
                    fields.len()
                ),
            ));
        };
        let label = line.label_from_one(&class_file, number)?;
        labels.add(label, &words(action), || line.place(&class_file))?;
        known.insert(action.to_string(), label);
    }
    let mut dataset = Dataset {
        class_names: labels.finish()?,
        ..Dataset::default()
    };
    let train_file = set.need(folder, "ucfTrainTestlist/trainlist01.txt")?;
    let test_file = set.need(folder, "ucfTrainTestlist/testlist01.txt")?;
    for (part, file) in [(Part::Train, &train_file), (Part::Test, &test_file)] {
        for line in text::lines(file)? {
            // In the training list, the label follows the video.
            let video = line.text.split_whitespace().next().unwrap_or_default();
            let Some((action, video)) = video.split_once('/') else {
                return Err(line.wrong(file, format!("expected action/video.avi, found {video:?}")));
            };
            let Some(label) = known.get(action) else {
                return Err(line.wrong(file, format!("classInd.txt has no action {action:?}")));
            };
            let image = video.replace(".avi", ".jpg");
            dataset
                .part_mut(part)
                .push(listed(format!("{}/{image}", words(action)), *label));
        }
    }
    generate::held_out(dataset, train_file)
}

/// `ApplyEyeMakeup` -> `Apply_Eye_Makeup`; anything before the first capital is dropped, as in the
/// reference (`re.findall("[A-Z][^A-Z]*", ...)`).
fn words(action: &str) -> String {
    let mut words = String::new();
    for letter in action.chars() {
        if letter.is_ascii_uppercase() {
            if !words.is_empty() {
                words.push('_');
            }
            words.push(letter);
        } else if !words.is_empty() {
            words.push(letter);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capital_begins_a_word() {
        assert_eq!(words("ApplyEyeMakeup"), "Apply_Eye_Makeup");
        assert_eq!(words("YoYo"), "Yo_Yo");
        assert_eq!(words("PlayingTabla2"), "Playing_Tabla2");
        assert_eq!(words("xRay"), "Ray");
    }
}
