//! libjpeg's "fancy" upsampling (`jdsample.c`): a triangle filter for ratios of 2, copies
//! otherwise.

use super::frame::Component;

/// One row of a component at the image's resolution, and a buffer for making it.
#[derive(Default)]
pub(super) struct Row {
    samples: Vec<u8>,
    /// Weighted sums of the component's own row and its neighbour, the first and the last twice.
    sums: Vec<u16>,
}

impl Row {
    /// The first `width` samples.
    #[inline(always)]
    pub(super) fn first(&self, width: usize) -> &[u8] {
        self.samples.get(..width).unwrap_or_default()
    }

    /// Makes row `y` of the image, at least `width` samples, from the component's samples.
    #[inline(always)]
    pub(super) fn fill(
        &mut self,
        component: &Component,
        max_h: usize,
        max_v: usize,
        y: usize,
        width: usize,
    ) {
        let (across, down) = (max_h / component.h, max_v / component.v);
        let stride = 8 * component.blocks.0;
        // Beyond the image's edges its outermost rows are repeated.
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
        let row = &mut self.samples;
        row.clear();
        match (across, down) {
            (1, 1) => row.extend_from_slice(near),
            (2, 1) if component.width > 2 => {
                self.sum(near.iter().map(|v| u16::from(*v)));
                self.widen([1, 2], 2);
            }
            (1, 2) => {
                let bias = if y.is_multiple_of(2) { 1 } else { 2 };
                row.extend(near.iter().zip(far()).map(|(near, far)| {
                    ((3 * u16::from(*near) + u16::from(*far) + bias) >> 2) as u8
                }));
            }
            (2, 2) if component.width > 2 => {
                let pairs = near.iter().zip(far());
                self.sum(pairs.map(|(near, far)| 3 * u16::from(*near) + u16::from(*far)));
                self.widen([8, 7], 4);
            }
            _ => row.extend(near.iter().flat_map(|v| std::iter::repeat_n(*v, across))),
        }
        // An image never needs more samples than its components have; this makes sure of it.
        let row = &mut self.samples;
        row.resize(row.len().max(width), 0);
    }

    #[inline(always)]
    fn sum(&mut self, sums: impl Iterator<Item = u16>) {
        self.sums.clear();
        self.sums.push(0);
        self.sums.extend(sums);
        // The outermost samples take the place of their missing neighbours.
        let last = self.sums.last().copied().unwrap_or(0);
        self.sums.push(last);
        if let [edge, first, ..] = self.sums.as_mut_slice() {
            *edge = *first;
        }
    }

    /// Doubles the row of sums: each result is three parts of the nearer and one of the farther.
    #[inline(always)]
    fn widen(&mut self, [left_bias, right_bias]: [u16; 2], shift: u32) {
        let sums = self.sums.as_slice();
        let width = sums.len().saturating_sub(2);
        self.samples.resize(2 * width, 0);
        let pairs = self.samples.as_chunks_mut::<2>().0;
        let [before, this, after] = [0, 1, 2].map(|n| sums.get(n..n + width).unwrap_or_default());
        for (pair, ((before, this), after)) in
            pairs.iter_mut().zip(before.iter().zip(this).zip(after))
        {
            let left = (3 * this + before + left_bias) >> shift;
            let right = (3 * this + after + right_bias) >> shift;
            // One 16-bit store: the compiler makes wide vectors of these, not of single bytes.
            *pair = (left | right << 8).to_le_bytes();
        }
    }
}
