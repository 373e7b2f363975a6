//! Many images of the world on one sheet: `contact_sheet OUT.png [SET] [SIDE]`; without a set, the
//! stream for pretraining, with its captions on the terminal.

use std::error::Error;

use image::{Rgb, RgbImage, imageops};
use promptsrc_datasets::Part;
use promptsrc_image::Image;
use promptsrc_world::{SIDE, WorldSet, draw, pretrain_sample};

const COLUMNS: usize = 16;
const ZOOM: u32 = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments
        .next()
        .ok_or("usage: contact_sheet OUT.png [SET] [SIDE]")?;
    let set = arguments.next().filter(|set| set != "pretrain");
    let side: u32 = arguments.next().map_or(Ok(SIDE), |side| side.parse())?;
    let rows: Vec<Vec<Image>> = match set {
        Some(name) => {
            let set = WorldSet::find(&name)?;
            let row = |(label, name): (usize, &String)| {
                println!("{label}: {name}");
                (0..COLUMNS)
                    .filter_map(|i| set.scene(Part::Test, label, i))
                    .map(|scene| draw(&scene, side))
                    .collect()
            };
            set.class_names().iter().enumerate().map(row).collect()
        }
        None => (0..12)
            .map(|row| {
                (0..COLUMNS)
                    .map(|column| {
                        let sample = pretrain_sample(1, (row * COLUMNS + column) as u64, side);
                        println!("{row}, {column}: {}", sample.caption);
                        sample.image
                    })
                    .collect()
            })
            .collect(),
    };
    let step = side * ZOOM + 4;
    let mut sheet = RgbImage::from_pixel(
        COLUMNS as u32 * step,
        rows.len() as u32 * step,
        Rgb([255; 3]),
    );
    for (y, row) in rows.into_iter().enumerate() {
        for (x, image) in row.into_iter().enumerate() {
            let image = RgbImage::from_raw(side, side, image.into_pixels()).ok_or("no image")?;
            let size = side * ZOOM;
            let image = imageops::resize(&image, size, size, imageops::FilterType::Nearest);
            let (x, y) = (i64::from(x as u32 * step), i64::from(y as u32 * step));
            imageops::replace(&mut sheet, &image, x, y);
        }
    }
    sheet.save(out)?;
    Ok(())
}
