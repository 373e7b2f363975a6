//! Arithmetic with the same result on every machine: only `+ - * /`, `sqrt` and rounding, which
//! IEEE 754 defines to the last bit. The sine of the standard library comes from the platform and
//! does not.

use crate::random::grid_unit;

/// Sine of an angle in turns, accurate to 0.0011: Bhaskara's parabola, corrected once.
pub(crate) fn sine(turns: f32) -> f32 {
    let x = fract(turns) * 2.0 - 1.0;
    let parabola = 4.0 * x * (x.abs() - 1.0);
    0.225 * (parabola * parabola.abs() - parabola) + parabola
}

/// Cosine of an angle in turns.
pub(crate) fn cosine(turns: f32) -> f32 {
    sine(turns + 0.25)
}

pub(crate) fn fract(x: f32) -> f32 {
    x - x.floor()
}

pub(crate) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// From 0 to 1 while `x` goes from `low` to `high`, without corners.
pub(crate) fn smooth(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Smooth noise, 0 to 1, that changes about once per unit.
pub(crate) fn noise(x: f32, y: f32, seed: u32) -> f32 {
    let (ix, iy) = (x.floor(), y.floor());
    let (fx, fy) = (x - ix, y - iy);
    let (sx, sy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
    let (ix, iy) = (ix as i32, iy as i32);
    let corner = |dx, dy| grid_unit(ix.wrapping_add(dx), iy.wrapping_add(dy), seed);
    let top = mix(corner(0, 0), corner(1, 0), sx);
    let bottom = mix(corner(0, 1), corner(1, 1), sx);
    mix(top, bottom, sy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_is_near_the_true_one() {
        for i in -2000..2000 {
            let turns = i as f32 / 777.0;
            let error = (sine(turns) - (turns * std::f32::consts::TAU).sin()).abs();
            assert!(error < 0.0012, "{turns}: {error}");
        }
    }
}
