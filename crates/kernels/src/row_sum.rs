//! A sum along a row in an order that suits vector instructions and is the same on every processor.

/// Partial sums that a sum along a row is made of, so that it can be computed in vectors.
pub(crate) const LANES: usize = 16;

/// `term(0) + ... + term(n - 1)`.
#[inline(always)]
pub(crate) fn sum_of(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let whole = n / LANES * LANES;
    for i in (0..whole).step_by(LANES) {
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += term(i + l);
        }
    }
    for i in whole..n {
        lanes[i - whole] += term(i);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_take_every_term_once() {
        for n in [0, 1, 15, 16, 17, 64, 100] {
            let expected: usize = (0..n).sum();
            assert_eq!(sum_of(n, |i| i as f32), expected as f32);
        }
    }
}
