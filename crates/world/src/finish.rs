//! What a style does to an image as a whole.

use crate::arithmetic::{fract, mix, noise, smooth};
use crate::canvas::Canvas;
use crate::colour::{Rgb, blend, luminance, scale};
use crate::random::{Random, grid_unit};
use crate::style::Style;

/// Applies light, the style, and noise.
pub(crate) fn finish(canvas: &mut Canvas, style: Style, random: &mut Random) {
    let seed = random.bits() as u32;
    let unit = canvas.unit();
    if !matches!(
        style,
        Style::Sketch | Style::Poster | Style::Cartoon | Style::Night
    ) {
        light(canvas, random);
    }
    match style {
        Style::Photo | Style::Plastic | Style::Sketch => {}
        Style::Night => night(canvas, random),
        Style::Poster => poster(canvas, unit),
        Style::Blurred => {
            let radius = (unit * random.between(1.0, 2.2)).round().max(1.0) as isize;
            blur(canvas, radius);
            blur(canvas, (radius / 2).max(1));
        }
        Style::Pixelated => pixelate(canvas, (canvas.side / random.pick(&[16, 14, 12])).max(2)),
        Style::Cartoon => canvas.paint(|_, _, c| saturated(c, 1.25)),
        Style::Painting => paint(canvas, unit, seed),
        Style::Monochrome => canvas.paint(|_, _, c| {
            let grey = (luminance(c) - 0.5) * 1.12 + 0.5;
            [grey * 1.01, grey, grey * 0.98]
        }),
        Style::Noisy => dirty(canvas, unit, seed),
        Style::Bright => canvas.paint(|_, _, c| c.map(|v| 0.24 + 0.95 * v)),
        Style::Embroidered => embroider(canvas, unit, seed),
        Style::Mosaic => mosaic(canvas, unit * random.between(2.3, 2.9), seed),
    }
    let strength = match style {
        Style::Noisy => random.between(0.13, 0.26),
        Style::Night => random.between(0.05, 0.10),
        Style::Poster | Style::Cartoon | Style::Pixelated | Style::Mosaic => 0.015,
        Style::Photo => random.between(0.01, 0.08),
        _ => 0.03,
    };
    grain(canvas, strength, seed);
}

/// Exposure, and light from one side.
fn light(canvas: &mut Canvas, random: &mut Random) {
    let exposure = random.between(0.86, 1.08);
    let (across, down) = (random.between(-0.18, 0.18), random.between(-0.18, 0.18));
    let warm = random.between(-0.035, 0.035);
    let side = canvas.side as f32;
    canvas.paint(|x, y, c| {
        let (x, y) = (x as f32 / side - 0.5, y as f32 / side - 0.5);
        let factor = exposure + across * x + down * y;
        [
            c[0] * factor * (1.0 + warm),
            c[1] * factor,
            c[2] * factor * (1.0 - warm),
        ]
    });
}

fn night(canvas: &mut Canvas, random: &mut Random) {
    let ambient = random.between(0.22, 0.36);
    let lamp = random.between(0.22, 0.42);
    let side = canvas.side as f32;
    let (lx, ly) = (random.between(0.3, 0.7), random.between(0.25, 0.6));
    canvas.paint(|x, y, c| {
        let (x, y) = (x as f32 / side - lx, y as f32 / side - ly);
        let near = 1.0 / (1.0 + 9.0 * (x * x + y * y));
        let warm = lamp * near * near;
        [
            c[0] * (0.72 * ambient + warm) + 0.01,
            c[1] * (0.82 * ambient + 0.94 * warm) + 0.015,
            c[2] * (1.20 * ambient + 0.80 * warm) + 0.05,
        ]
    });
}

fn saturated(c: Rgb, factor: f32) -> Rgb {
    let grey = luminance(c);
    c.map(|v| grey + (v - grey) * factor)
}

/// Few flat colours inside a pale frame.
fn poster(canvas: &mut Canvas, unit: f32) {
    let last = canvas.side as isize - 1;
    let frame = (2.0 * unit).round() as isize;
    canvas.paint(|x, y, c| {
        let (x, y) = (x as isize, y as isize);
        if x.min(y).min(last - x).min(last - y) < frame {
            return [0.96, 0.93, 0.84];
        }
        let flat = saturated(c, 1.45).map(|v| (v.clamp(0.0, 1.0) * 3.0).round() / 3.0);
        // The ink is warm and never quite black.
        [
            0.07 + 0.92 * flat[0],
            0.06 + 0.90 * flat[1],
            0.10 + 0.80 * flat[2],
        ]
    });
}

/// The mean of the square around each pixel.
fn blur(canvas: &mut Canvas, radius: isize) {
    let side = canvas.side as isize;
    let width = (2 * radius + 1) as f32;
    for horizontal in [true, false] {
        let before = canvas.clone();
        let at = |along, line| {
            if horizontal {
                before.at(along, line)
            } else {
                before.at(line, along)
            }
        };
        for line in 0..side {
            for along in 0..side {
                let mut sum = [0.0; 3];
                for step in -radius..=radius {
                    let c = at(along + step, line);
                    sum = [sum[0] + c[0], sum[1] + c[1], sum[2] + c[2]];
                }
                let (x, y) = if horizontal {
                    (along, line)
                } else {
                    (line, along)
                };
                canvas.pixels[(y * side + x) as usize] = sum.map(|v| v / width);
            }
        }
    }
}

fn pixelate(canvas: &mut Canvas, block: usize) {
    let side = canvas.side;
    for top in (0..side).step_by(block) {
        for left in (0..side).step_by(block) {
            let (bottom, right) = ((top + block).min(side), (left + block).min(side));
            let mut sum = [0.0; 3];
            for y in top..bottom {
                for c in &canvas.pixels[y * side + left..y * side + right] {
                    sum = [sum[0] + c[0], sum[1] + c[1], sum[2] + c[2]];
                }
            }
            let count = ((bottom - top) * (right - left)) as f32;
            let mean = sum.map(|v| (v / count * 15.0).round() / 15.0);
            for y in top..bottom {
                canvas.pixels[y * side + left..y * side + right].fill(mean);
            }
        }
    }
}

/// Brush strokes that drag colours about.
fn paint(canvas: &mut Canvas, unit: f32, seed: u32) {
    let before = canvas.clone();
    canvas.paint(|x, y, _| {
        let (u, v) = (x as f32 / unit, y as f32 / unit);
        let dx = 5.0 * (noise(u * 0.30, v * 0.30, seed) - 0.5) * unit;
        let dy = 5.0 * (noise(u * 0.30, v * 0.30, seed ^ 1) - 0.5) * unit;
        let c = before.at(
            x as isize + dx.round() as isize,
            y as isize + dy.round() as isize,
        );
        let bristle = noise((u + v) * 0.22, (u - v) * 0.85, seed ^ 2);
        scale(saturated(c, 1.15), mix(0.80, 1.18, bristle))
    });
}

/// Blotches of dirt, and blocks as of strong compression.
fn dirty(canvas: &mut Canvas, unit: f32, seed: u32) {
    canvas.paint(|x, y, c| {
        let (u, v) = (x as f32 / unit, y as f32 / unit);
        let blotch = smooth(0.62, 0.85, noise(u * 0.16, v * 0.16, seed));
        let block = grid_unit((u / 8.0) as i32, (v / 8.0) as i32, seed) - 0.5;
        blend(c, [0.36, 0.30, 0.22], 0.5 * blotch).map(|v| v + 0.10 * block)
    });
}

/// Slanted stitches.
fn embroider(canvas: &mut Canvas, unit: f32, seed: u32) {
    let before = canvas.clone();
    canvas.paint(|x, y, _| {
        let (u, v) = (x as f32 / unit, y as f32 / unit);
        let row = (v / 3.0).floor();
        let slant = fract((u + v * if row as i32 % 2 == 0 { 0.7 } else { -0.7 }) / 3.0);
        let thread = 1.0 - (slant - 0.5).abs() * 0.9;
        let gap = if fract(v / 3.0) < 0.2 { 0.8 } else { 1.0 };
        let pull = (grid_unit((u / 3.0) as i32, row as i32, seed) - 0.5) * 2.0 * unit;
        let c = before.at(x as isize + pull.round() as isize, y as isize);
        scale(saturated(c, 1.1), 1.28 * thread * gap)
    });
}

/// Stones of one colour each.
fn mosaic(canvas: &mut Canvas, stone: f32, seed: u32) {
    let before = canvas.clone();
    canvas.paint(|x, y, _| {
        let (u, v) = ((x as f32 + 0.5) / stone, (y as f32 + 0.5) / stone);
        let (iu, iv) = (u.floor() as i32, v.floor() as i32);
        let (mut first, mut second, mut nearest) = (9.0_f32, 9.0_f32, (0.0, 0.0));
        for dy in -1..=1 {
            for dx in -1..=1 {
                let (cx, cy) = (iu + dx, iv + dy);
                let px = cx as f32 + 0.2 + 0.6 * grid_unit(cx, cy, seed);
                let py = cy as f32 + 0.2 + 0.6 * grid_unit(cx, cy, seed ^ 5);
                let distance = (px - u) * (px - u) + (py - v) * (py - v);
                if distance < first {
                    second = first;
                    first = distance;
                    nearest = (px, py);
                } else if distance < second {
                    second = distance;
                }
            }
        }
        let c = before.at((nearest.0 * stone) as isize, (nearest.1 * stone) as isize);
        let joint = smooth(0.0, 0.28, second.sqrt() - first.sqrt());
        scale(c, mix(0.62, 1.0, joint))
    });
}

fn grain(canvas: &mut Canvas, strength: f32, seed: u32) {
    canvas.paint(|x, y, c| {
        let n = |bit| grid_unit(x as i32, y as i32, seed ^ bit);
        // Mostly of brightness, a little of colour.
        let grey = n(11) + n(12) - 1.0;
        [
            c[0] + strength * (grey + 0.3 * (n(13) - 0.5)),
            c[1] + strength * grey,
            c[2] + strength * (grey + 0.3 * (n(14) - 0.5)),
        ]
    });
}
