//! The vectorised resampling against the same arithmetic in its plainest form: Pillow's
//! `Resample.c`, one result at a time.

use promptsrc_image::{Crop, Image, Interpolation::Bicubic, resize, resize_window};
use proptest::prelude::*;

/// Fractional bits of a weight.
const BITS: u32 = 22;

/// Keys' cubic with a = -0.5.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    } else {
        0.0
    }
}

/// First source and weights of result `at`, when `from` sources become `to` results.
fn weights(from: usize, to: usize, at: usize) -> (usize, Vec<i64>) {
    let scale = from as f64 / to as f64;
    let stretch = if scale < 1.0 { 1.0 } else { scale };
    let centre = (at as f64 + 0.5) * scale;
    let first = (centre - 2.0 * stretch + 0.5).max(0.0) as usize;
    let end = ((centre + 2.0 * stretch + 0.5) as usize).min(from);
    let exact: Vec<f64> = (first..end)
        .map(|source| cubic((source as f64 - centre + 0.5) * (1.0 / stretch)))
        .collect();
    let sum: f64 = exact.iter().sum();
    let fixed = exact.iter().map(|weight| {
        let scaled = weight / sum * f64::from(1 << BITS);
        (scaled + if *weight < 0.0 { -0.5 } else { 0.5 }) as i64
    });
    (first, fixed.collect())
}

fn clip(sum: i64) -> u8 {
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

/// Rows of `[r, g, b]` to rows of another width.
fn across(rows: &[Vec<[u8; 3]>], width: usize) -> Vec<Vec<[u8; 3]>> {
    let result = |row: &Vec<[u8; 3]>, x: usize| {
        let (first, weights) = weights(row.len(), width, x);
        [0, 1, 2].map(|channel| {
            let sources = weights.iter().zip(&row[first..]);
            clip(
                sources
                    .map(|(w, pixel)| w * i64::from(pixel[channel]))
                    .sum(),
            )
        })
    };
    rows.iter()
        .map(|row| (0..width).map(|x| result(row, x)).collect())
        .collect()
}

fn transposed(rows: &[Vec<[u8; 3]>]) -> Vec<Vec<[u8; 3]>> {
    (0..rows[0].len())
        .map(|x| rows.iter().map(|row| row[x]).collect())
        .collect()
}

fn plain(image: &Image, crop: Crop, width: u32, height: u32) -> Vec<u8> {
    let rows: Vec<Vec<[u8; 3]>> = image
        .pixels()
        .chunks(3 * image.width() as usize)
        .skip(crop.top as usize)
        .take(crop.height as usize)
        .map(|row| {
            let pixels = row.as_chunks::<3>().0;
            pixels[crop.left as usize..][..crop.width as usize].to_vec()
        })
        .collect();
    let narrowed = across(&rows, width as usize);
    let result = transposed(&across(&transposed(&narrowed), height as usize));
    result.into_iter().flatten().flatten().collect()
}

/// Short sides, one pixel among them, and long ones: together they give all proportions.
fn side() -> impl Strategy<Value = u32> {
    prop_oneof![1_u32..4, 1_u32..80, 200_u32..400]
}

/// Noise with many extremes, which make sums overshoot on both sides.
fn image() -> impl Strategy<Value = Image> {
    (side(), side(), any::<u64>()).prop_map(|(width, height, seed)| {
        let mut state = seed | 1;
        let pixels = (0..3 * width * height)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                match state % 4 {
                    0 => 0,
                    1 => 255,
                    _ => (state >> 32) as u8,
                }
            })
            .collect();
        Image::new(width, height, pixels).unwrap()
    })
}

/// A part of an area of `width` x `height`.
fn part(width: u32, height: u32, random: [u32; 4]) -> Crop {
    let (left, top) = (random[0] % width, random[1] % height);
    Crop {
        left,
        top,
        width: 1 + random[2] % (width - left),
        height: 1 + random[3] % (height - top),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_part_at_any_size_has_the_bytes_of_the_plain_form(
        image in image(), random in any::<[u32; 4]>(), whole in any::<bool>(),
        width in side(), height in side(),
    ) {
        let crop = if whole {
            image.whole()
        } else {
            part(image.width(), image.height(), random)
        };
        let found = resize(&image, Bicubic, Some(crop), width, height).unwrap();
        prop_assert!(found.pixels() == plain(&image, crop, width, height), "{image:?} {crop:?}");
    }

    #[test]
    fn any_window_has_the_bytes_of_the_plain_form(
        image in image(), random in any::<[u32; 4]>(), width in side(), height in side(),
    ) {
        let window = part(width, height, random);
        let found = resize_window(&image, Bicubic, None, (width, height), window).unwrap();
        let all = Image::new(width, height, plain(&image, image.whole(), width, height)).unwrap();
        // Equal sizes copy.
        let expected = plain(&all, window, window.width, window.height);
        prop_assert!(found.pixels() == expected, "{image:?} {width} x {height} {window:?}");
    }
}
