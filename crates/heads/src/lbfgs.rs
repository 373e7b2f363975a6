//! L-BFGS as SciPy's L-BFGS-B runs it where nothing is bounded.
//!
//! The direction is that of the compact representation with ten corrections, here by the two loops of Nocedal
//! (Mathematics of Computation 35, 1980), which compute the same vector; step, restarts and the
//! tests for the end are those of the program, for without them an early end is another result.

use std::collections::VecDeque;

use crate::line_search::{LineSearch, Verdict};

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Largest gradient of any variable.
    pub(crate) gradient: f64,
    /// Decrease of the function in a step, relative to the largest of its values and 1.
    pub(crate) decrease: f64,
    pub(crate) iterations: usize,
    /// Evaluations in one line search.
    pub(crate) line_search: usize,
    /// Evaluations in all; the iteration in progress is completed.
    pub(crate) evaluations: usize,
}

/// Where it stopped.
#[derive(Clone, Debug)]
pub(crate) struct Minimum {
    pub(crate) x: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) iterations: usize,
}

/// Corrections that are remembered.
const CORRECTIONS: usize = 10;

/// Step and change of gradient of an iteration, and their scalar product.
struct Correction {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

/// Minimises `function`, which gives value and gradient, from `x`.
///
/// # Errors
/// Those of the function.
pub(crate) fn minimise<E>(
    mut x: Vec<f64>,
    limits: Limits,
    mut function: impl FnMut(&[f64]) -> Result<(f64, Vec<f64>), E>,
) -> Result<Minimum, E> {
    let (mut value, mut gradient) = function(&x)?;
    let mut evaluations = 1;
    let mut iterations = 0;
    let mut memory: VecDeque<Correction> = VecDeque::new();
    let mut scale = 1.0;
    while largest(&gradient) > limits.gradient {
        let mut direction = newton_direction(&gradient, &memory, scale);
        let slope = dot(&direction, &gradient);
        let found = if slope < 0.0 {
            let first = if iterations == 0 {
                1.0 / dot(&direction, &direction).sqrt()
            } else {
                1.0
            };
            let search = LineSearch::new(value, slope, first);
            along(
                &x,
                &direction,
                search,
                limits,
                &mut evaluations,
                &mut function,
            )?
        } else {
            None
        };
        let Some(found) = found else {
            if memory.is_empty() {
                break;
            }
            // The memory is of no use any more: steepest descent.
            memory.clear();
            scale = 1.0;
            continue;
        };
        iterations += 1;
        let previous = std::mem::replace(&mut value, found.value);
        let decrease = previous - value;
        let magnitude = previous.abs().max(value.abs()).max(1.0);
        x = found.x;
        let old_gradient = std::mem::replace(&mut gradient, found.gradient);
        if iterations >= limits.iterations
            || evaluations > limits.evaluations
            || decrease <= limits.decrease * magnitude
        {
            break;
        }
        let change: Vec<f64> = gradient
            .iter()
            .zip(&old_gradient)
            .map(|(a, b)| a - b)
            .collect();
        let product = (found.slope - slope) * found.step;
        if product > f64::EPSILON * -slope * found.step {
            direction.iter_mut().for_each(|d| *d *= found.step);
            scale = dot(&change, &change) / product;
            if memory.len() == CORRECTIONS {
                memory.pop_front();
            }
            memory.push_back(Correction {
                step: direction,
                change,
                product,
            });
        }
    }
    Ok(Minimum {
        x,
        value,
        iterations,
    })
}

/// The point that a line search took.
struct Taken {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    slope: f64,
    step: f64,
}

/// Searches along a direction; none where the search has no end.
fn along<E>(
    x: &[f64],
    direction: &[f64],
    mut search: LineSearch,
    limits: Limits,
    evaluations: &mut usize,
    function: &mut impl FnMut(&[f64]) -> Result<(f64, Vec<f64>), E>,
) -> Result<Option<Taken>, E> {
    for _ in 0..limits.line_search {
        let step = search.step();
        let at: Vec<f64> = x.iter().zip(direction).map(|(x, d)| step * d + x).collect();
        let (value, gradient) = function(&at)?;
        *evaluations += 1;
        let slope = dot(direction, &gradient);
        if search.judge(value, slope) == Verdict::Taken {
            return Ok(Some(Taken {
                x: at,
                value,
                gradient,
                slope,
                step,
            }));
        }
    }
    Ok(None)
}

/// Minus the inverse of the approximate Hessian times the gradient; `scale` is the Hessian's before corrections.
fn newton_direction(gradient: &[f64], memory: &VecDeque<Correction>, scale: f64) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for c in memory.iter().rev() {
        let share = dot(&c.step, &q) / c.product;
        add(&mut q, -share, &c.change);
        shares.push(share);
    }
    q.iter_mut().for_each(|q| *q /= scale);
    for (c, share) in memory.iter().zip(shares.iter().rev()) {
        let back = dot(&c.change, &q) / c.product;
        add(&mut q, share - back, &c.step);
    }
    q
}

fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    to.iter_mut()
        .zip(values)
        .for_each(|(to, v)| *to += factor * v);
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums, so that the processor need not wait for each addition; their order is fixed.
    let (chunks_a, rest_a) = a.as_chunks::<4>();
    let (chunks_b, rest_b) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in chunks_a.iter().zip(chunks_b) {
        for i in 0..4 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, v| most.max(v.abs()))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const LIMITS: Limits = Limits {
        gradient: 1e-10,
        decrease: 0.0,
        iterations: 1000,
        line_search: 50,
        evaluations: 15000,
    };

    #[test]
    fn the_minimum_of_a_curved_valley_is_found() {
        // Rosenbrock's function of 4 variables: minimum 0 at ones.
        let found = minimise(vec![-1.2, 1.0, -1.2, 1.0], LIMITS, |x| {
            let mut gradient = vec![0.0; x.len()];
            let mut value = 0.0;
            for i in 0..x.len() - 1 {
                let (a, b) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
                value += 100.0 * a * a + b * b;
                gradient[i] += -400.0 * a * x[i] - 2.0 * b;
                gradient[i + 1] += 200.0 * a;
            }
            Ok::<_, Infallible>((value, gradient))
        });
        let Ok(found) = found;
        assert!(found.value < 1e-15, "{found:?}");
        assert!(found.x.iter().all(|x| (x - 1.0).abs() < 1e-7), "{found:?}");
    }

    #[test]
    fn it_ends_at_once_where_the_gradient_is_small() {
        let found = minimise(vec![0.0; 3], LIMITS, |_| {
            Ok::<_, Infallible>((5.0, vec![0.0; 3]))
        });
        let Ok(found) = found;
        assert_eq!((found.iterations, found.value), (0, 5.0));
    }
}
