//! Which targets a method can be measured on whose parameters belong to single classes: a classifier of
//! features, or prompts with a context for each class.
//!
//! Such a method answers the classes that it was trained on, or some of them, in any order, and no
//! other. So it has no novel classes and no other data sets, but it has the images of another domain
//! whose classes are among the trained ones: ImageNetV2 and -Sketch with all 1,000 classes, -A and -R
//! with 200 of them. This file decides it, from the class names alone.

use promptsrc_datasets::Classes;

use crate::collection::TransferRole;
use crate::protocol::{Protocol, Target};

/// The class names of a data set; `None` where it cannot be read.
pub type ClassNames<'a> = dyn Fn(&str) -> Option<Vec<String>> + 'a;

/// Splits the targets of a run that is trained on `data_set` into those that its fixed classes answer,
/// and the others. A data set whose names cannot be read, which is an error once it is measured, is
/// taken to have the source's classes if it is one of its shifted ones.
pub(crate) fn split_targets(
    protocol: Protocol,
    data_set: &str,
    targets: Vec<Target>,
    names: &ClassNames,
    role: &dyn Fn(&str) -> TransferRole,
) -> (Vec<Target>, Vec<Target>) {
    targets.into_iter().partition(|target| {
        if target.data_set == data_set {
            return target.classes == protocol.learned();
        }
        // Only transfers measure other data sets, and they learn and measure all classes.
        if (protocol.learned(), target.classes) != (Classes::All, Classes::All) {
            return false;
        }
        match (names(data_set), names(&target.data_set)) {
            (Some(trained), Some(asked)) => answers(&trained, &asked),
            _ => role(&target.data_set) == TransferRole::Shifted,
        }
    })
}

/// Whether all names that are asked for are among the trained ones, whatever their order.
fn answers(trained: &[String], asked: &[String]) -> bool {
    let trained: std::collections::BTreeSet<&String> = trained.iter().collect();
    !asked.is_empty() && asked.iter().all(|name| trained.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data sets of the targets that are kept, and of those that are not.
    fn split(
        protocol: Protocol,
        others: &[&str],
        names: &ClassNames,
    ) -> (Vec<String>, Vec<String>) {
        let chosen: Vec<String> = others.iter().map(|name| name.to_string()).collect();
        let targets = protocol.targets("source", &chosen);
        let role = |name: &str| match name {
            "sketch" | "some" => TransferRole::Shifted,
            _ => TransferRole::Target,
        };
        let (kept, left_out) = split_targets(protocol, "source", targets, names, &role);
        let text = |targets: Vec<Target>| {
            let text = targets
                .iter()
                .map(|t| format!("{} {}", t.data_set, t.classes));
            text.collect()
        };
        (text(kept), text(left_out))
    }

    fn names(data_set: &str) -> Option<Vec<String>> {
        let names: &[&str] = match data_set {
            "source" => &["cat", "dog", "fish"],
            "sketch" => &["fish", "cat", "dog"],
            "some" => &["dog", "cat"],
            "more" => &["cat", "dog", "fish", "owl"],
            "other" => &["red", "blue"],
            _ => return None,
        };
        Some(names.iter().map(|name| name.to_string()).collect())
    }

    #[test]
    fn the_same_classes_in_other_images_are_measured_and_other_classes_are_not() {
        let others = ["sketch", "some", "more", "other"];
        for protocol in [Protocol::DomainGeneralization, Protocol::CrossDataset] {
            let (kept, left_out) = split(protocol, &others, &names);
            assert_eq!(kept, ["source all", "sketch all", "some all"]);
            assert_eq!(left_out, ["more all", "other all"]);
        }
        let (kept, left_out) = split(Protocol::BaseToNovel, &[], &names);
        assert_eq!(kept, ["source base"]);
        assert_eq!(left_out, ["source novel"]);
        let (kept, left_out) = split(Protocol::FewShot, &[], &names);
        assert_eq!((kept.len(), left_out.len()), (1, 0));
    }

    #[test]
    fn without_names_the_part_of_a_data_set_decides() {
        let none = |_: &str| None;
        let (kept, left_out) = split(Protocol::DomainGeneralization, &["sketch", "b"], &none);
        assert_eq!(kept, ["source all", "sketch all"]);
        assert_eq!(left_out, ["b all"]);
    }
}
