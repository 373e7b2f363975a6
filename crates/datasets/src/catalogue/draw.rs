//! Splits made where none is published, and their files.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::{DataError, Dataset, Item, MersenneTwister, Part};

/// The reference draws with whatever the run's seed left; we always with this one.
const SEED: u64 = 1;

/// How [`shares`] divides, in words.
pub(super) const SHARES: &str = "each class was divided into 50 % train, 20 % val and 30 % test";
/// How [`hold_out`] divides, in words.
pub(super) const HELD_OUT: &str = "20 % of each class's training images became val";

/// Divides the images of each class into 50 % train, 20 % val and 30 % test, as the reference
/// does (`DescribableTextures.read_and_split_data`, `OxfordFlowers.read_data`): one stream of
/// random numbers over all classes, shares rounded half to even.
pub(super) fn shares(
    classes: Vec<Vec<Item>>,
    dataset: &mut Dataset,
    source: &Path,
) -> Result<(), DataError> {
    let mut random = MersenneTwister::new(SEED);
    for mut items in classes {
        random.shuffle(&mut items);
        let share = |part: f64| (items.len() as f64 * part).round_ties_even() as usize;
        let (train, val) = (share(0.5), share(0.2));
        if train == 0 || val == 0 || train + val >= items.len() {
            return Err(too_few(dataset, &items, source, SHARES));
        }
        for (index, item) in items.into_iter().enumerate() {
            let part = if index < train {
                Part::Train
            } else if index < train + val {
                Part::Val
            } else {
                Part::Test
            };
            dataset.part_mut(part).push(item);
        }
    }
    Ok(())
}

/// Takes 20 % of each class's training images for validation, as the reference does
/// (`OxfordPets.split_trainval`): classes in the order of their first appearance, one stream of
/// random numbers, the number rounded half to even.
pub(super) fn hold_out(dataset: &mut Dataset, source: &Path) -> Result<(), DataError> {
    let mut random = MersenneTwister::new(SEED);
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut classes: Vec<Vec<Item>> = Vec::new();
    for item in std::mem::take(&mut dataset.train) {
        let place = *place.entry(item.label).or_insert(classes.len());
        match classes.get_mut(place) {
            Some(class) => class.push(item),
            None => classes.push(vec![item]),
        }
    }
    for mut items in classes {
        let val = (items.len() as f64 * 0.2).round_ties_even() as usize;
        if val == 0 {
            return Err(too_few(dataset, &items, source, HELD_OUT));
        }
        random.shuffle(&mut items);
        let train = items.split_off(val);
        dataset.val.append(&mut items);
        dataset.train.extend(train);
    }
    Ok(())
}

fn too_few(dataset: &Dataset, items: &[Item], source: &Path, shares: &'static str) -> DataError {
    let name = items
        .first()
        .and_then(|item| dataset.class_names.get(item.label));
    DataError::TooFewToDivide {
        folder: source.to_path_buf(),
        name: name.cloned().unwrap_or_default(),
        images: items.len(),
        shares,
    }
}

#[derive(Serialize)]
struct SplitFile<'a> {
    train: Vec<(String, usize, &'a str)>,
    val: Vec<(String, usize, &'a str)>,
    test: Vec<(String, usize, &'a str)>,
}

/// Writes a split with relative paths where the reference would look for it, whole or not at all.
pub(super) fn save(dataset: &Dataset, file: &Path) -> std::io::Result<()> {
    let entries = |part: Part| {
        dataset
            .part(part)
            .iter()
            .map(|item| {
                let parts: Option<Vec<&str>> =
                    item.path.iter().map(std::ffi::OsStr::to_str).collect();
                let Some(parts) = parts else {
                    return Err(std::io::Error::other(format!(
                        "the name {} is not UTF-8 text",
                        item.path.display()
                    )));
                };
                let name = dataset.class_names.get(item.label);
                Ok((parts.join("/"), item.label, name.map_or("", String::as_str)))
            })
            .collect::<Result<Vec<_>, _>>()
    };
    let split = SplitFile {
        train: entries(Part::Train)?,
        val: entries(Part::Val)?,
        test: entries(Part::Test)?,
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".promptsrc-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As an ordinary new file would have it; the process's mask still applies.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut saved = builder.tempfile_in(file.parent().unwrap_or(Path::new(".")))?;
    let mut text = Vec::new();
    // Four blanks, as the reference writes it.
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    split.serialize(&mut serde_json::Serializer::with_formatter(
        &mut text, format,
    ))?;
    saved.as_file_mut().write_all(&text)?;
    saved.as_file().sync_all()?;
    saved.persist(file).map_err(|e| e.error)?;
    Ok(())
}
