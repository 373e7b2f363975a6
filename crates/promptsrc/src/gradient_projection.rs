//! ProGrad's rule for gradients that oppose each other.

/// The norm of the guiding gradient, as a fraction of the other's, below which it is rounding noise
/// and has no direction: where the learned texts are those of the frozen CLIP, as at the start of a
/// context that is initialised with the words of the template. (The published program then removes
/// the component along a random direction in half of the runs.)
const VANISHING: f64 = 1e-5;

/// The gradient of one parameter that is applied: `own`, without the fraction `lambda` of its component
/// along `guide` if the two oppose each other (Zhu et al., equation 5).
pub(crate) fn project(own: &[f32], guide: &[f32], lambda: f64) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let (along, guide_square, own_square) = (dot(own, guide), dot(guide, guide), dot(own, own));
    let vanishes = guide_square <= VANISHING * VANISHING * own_square;
    if along >= 0.0 || vanishes {
        return own.to_vec();
    }
    let factor = lambda * along / guide_square;
    own.iter()
        .zip(guide)
        .map(|(own, guide)| (f64::from(*own) - factor * f64::from(*guide)) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::project;

    #[test]
    fn only_what_opposes_the_guide_is_removed() {
        // Opposing: the component along (0, 1) is -2.
        assert_eq!(project(&[3.0, -2.0], &[0.0, 5.0], 1.0), [3.0, 0.0]);
        assert_eq!(project(&[3.0, -2.0], &[0.0, 5.0], 0.5), [3.0, -1.0]);
        // In agreement, and at a right angle.
        assert_eq!(project(&[3.0, 2.0], &[0.0, 5.0], 1.0), [3.0, 2.0]);
        assert_eq!(project(&[3.0, 0.0], &[0.0, 5.0], 1.0), [3.0, 0.0]);
    }

    #[test]
    fn a_guide_that_vanishes_has_no_direction() {
        assert_eq!(project(&[3.0, -2.0], &[0.0, 0.0], 1.0), [3.0, -2.0]);
        assert_eq!(project(&[3.0, -2.0], &[1e-6, 1e-6], 1.0), [3.0, -2.0]);
    }
}
