//! libjpeg's "fancy" upsampling (`jdsample.c`): a triangle filter for ratios of 2, copies otherwise.

use super::frame::Component;

/// Writes row `y` of the picture, at least `width` samples, from a component's samples.
#[inline(always)]
pub(super) fn row(
    component: &Component,
    max_h: usize,
    max_v: usize,
    y: usize,
    width: usize,
    row: &mut Vec<u8>,
) {
    row.clear();
    let (across, down) = (max_h / component.h, max_v / component.v);
    let stride = 8 * component.blocks.0;
    // Beyond the picture's edges its outermost rows are repeated.
    let line = |index: usize| {
        let start = index.min(component.height.saturating_sub(1)) * stride;
        component
            .samples
            .get(start..start + component.width)
            .unwrap_or_default()
    };
    let near = line(y / down);
    let far = || {
        let (above, below) = ((y / down).saturating_sub(1), y / down + 1);
        line(if y.is_multiple_of(down) { above } else { below })
    };
    match (across, down) {
        (1, 1) => row.extend_from_slice(near),
        (2, 1) if component.width > 2 => {
            let sums = near.iter().map(|v| u16::from(*v));
            row.resize(2 * component.width, 0);
            widen(sums, [1, 2], 2, row);
        }
        (1, 2) => {
            let bias = if y.is_multiple_of(2) { 1 } else { 2 };
            row.extend(
                near.iter().zip(far()).map(|(near, far)| {
                    ((3 * u16::from(*near) + u16::from(*far) + bias) >> 2) as u8
                }),
            );
        }
        (2, 2) if component.width > 2 => {
            let sums = near
                .iter()
                .zip(far())
                .map(|(n, f)| 3 * u16::from(*n) + u16::from(*f));
            row.resize(2 * component.width, 0);
            widen(sums, [8, 7], 4, row);
        }
        _ => row.extend(near.iter().flat_map(|v| std::iter::repeat_n(*v, across))),
    }
    // A picture never needs more samples than its components give; this keeps that plain.
    row.resize(row.len().max(width), 0);
}

/// Doubles a row: each result is three parts of the nearer source and one of the farther, with the
/// outermost sources standing for their missing neighbours.
#[inline(always)]
fn widen(
    sources: impl Iterator<Item = u16> + Clone,
    [left_bias, right_bias]: [u16; 2],
    shift: u32,
    row: &mut [u8],
) {
    let edge = sources.clone().next().into_iter();
    let before = edge.chain(sources.clone());
    let last = sources.clone().last();
    let after = sources.clone().skip(1).chain(last);
    for (pair, ((before, this), after)) in row
        .as_chunks_mut::<2>()
        .0
        .iter_mut()
        .zip(before.zip(sources).zip(after))
    {
        *pair = [
            ((3 * this + before + left_bias) >> shift) as u8,
            ((3 * this + after + right_bias) >> shift) as u8,
        ];
    }
}
