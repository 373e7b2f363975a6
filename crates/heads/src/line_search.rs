//! The line search of Moré and Thuente (ACM TOMS 20, 1994): a step that satisfies the strong Wolfe conditions.

/// Function values must fall by at least this share of the first slope.
const SUFFICIENT_DECREASE: f64 = 1e-3;
/// The slope must shrink to this share.
const CURVATURE: f64 = 0.9;
/// The search gives up where the interval is narrower than this share of its end.
const NARROW: f64 = 0.1;
/// The largest step.
const LARGEST: f64 = 1e10;

/// A step with the value and slope of the function there.
#[derive(Clone, Copy, Debug)]
struct Point {
    step: f64,
    value: f64,
    slope: f64,
}

/// What the search says about the step that was tried last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It is taken: the conditions hold, or no better one can be found.
    Taken,
    /// Try this one.
    Try(f64),
}

/// The state of one search, as the L-BFGS-B program runs it.
#[derive(Clone, Debug)]
pub(crate) struct LineSearch {
    start: Point,
    /// The best step so far, one end of the interval.
    best: Point,
    /// The other end.
    other: Point,
    bracketed: bool,
    /// The first stage seeks a minimum of the function less the sufficient decrease.
    first_stage: bool,
    width: f64,
    previous_width: f64,
    smallest: f64,
    largest: f64,
    step: f64,
}

impl LineSearch {
    /// A search from a point with this value and this slope, below 0, along the direction; `step` is tried first.
    pub(crate) fn new(value: f64, slope: f64, step: f64) -> Self {
        let start = Point {
            step: 0.0,
            value,
            slope,
        };
        Self {
            start,
            best: start,
            other: start,
            bracketed: false,
            first_stage: true,
            width: LARGEST,
            previous_width: 2.0 * LARGEST,
            smallest: 0.0,
            largest: step + 4.0 * step,
            step: step.min(LARGEST),
        }
    }

    /// The step to be tried.
    pub(crate) fn step(&self) -> f64 {
        self.step
    }

    /// Takes value and slope at the step that was to be tried.
    pub(crate) fn judge(&mut self, value: f64, slope: f64) -> Verdict {
        let tried = Point {
            step: self.step,
            value,
            slope,
        };
        let demanded = SUFFICIENT_DECREASE * self.start.slope;
        let limit = self.start.value + tried.step * demanded;
        if self.first_stage && value <= limit && slope >= 0.0 {
            self.first_stage = false;
        }
        let outside = tried.step <= self.smallest || tried.step >= self.largest;
        let exhausted = self.bracketed && (outside || self.is_narrow());
        let at_largest = tried.step == LARGEST && value <= limit && slope <= demanded;
        let at_zero = tried.step == 0.0 && (value > limit || slope >= demanded);
        let holds = value <= limit && slope.abs() <= CURVATURE * -self.start.slope;
        if exhausted || at_largest || at_zero || holds {
            return Verdict::Taken;
        }
        if self.first_stage && value <= self.best.value && value > limit {
            // Of the function less the sufficient decrease.
            let lower = |p: Point| Point {
                value: p.value - p.step * demanded,
                slope: p.slope - demanded,
                ..p
            };
            let raise = |p: Point| Point {
                value: p.value + p.step * demanded,
                slope: p.slope + demanded,
                ..p
            };
            (self.best, self.other) = (lower(self.best), lower(self.other));
            self.next_step(lower(tried));
            (self.best, self.other) = (raise(self.best), raise(self.other));
        } else {
            self.next_step(tried);
        }
        let (best, other) = (self.best.step, self.other.step);
        if self.bracketed {
            if (other - best).abs() >= 0.66 * self.previous_width {
                self.step = best + 0.5 * (other - best);
            }
            self.previous_width = self.width;
            self.width = (other - best).abs();
            (self.smallest, self.largest) = (best.min(other), best.max(other));
        } else {
            self.smallest = self.step + 1.1 * (self.step - best);
            self.largest = self.step + 4.0 * (self.step - best);
        }
        self.step = self.step.clamp(0.0, LARGEST);
        let outside = self.step <= self.smallest || self.step >= self.largest;
        if self.bracketed && (outside || self.is_narrow()) {
            // No further progress: the best so far.
            self.step = best;
        }
        Verdict::Try(self.step)
    }

    fn is_narrow(&self) -> bool {
        self.largest - self.smallest <= NARROW * self.largest
    }

    /// Updates the interval with the step that was tried, and proposes the next (the paper's section 4).
    fn next_step(&mut self, tried: Point) {
        let (best, other) = (self.best, self.other);
        let opposite = tried.slope * best.slope.signum() < 0.0;
        // Towards the best point, of the cubic and of the secant.
        let secant =
            tried.step + tried.slope / (tried.slope - best.slope) * (best.step - tried.step);
        let nearer = |a: f64, b: f64, to: f64| {
            if (a - to).abs() < (b - to).abs() {
                a
            } else {
                b
            }
        };
        let farther = |a: f64, b: f64, to: f64| {
            if (a - to).abs() > (b - to).abs() {
                a
            } else {
                b
            }
        };
        let next = if tried.value > best.value {
            // Higher: a minimum is bracketed.
            let cubic = Cubic::new(best, tried).minimum_from(best, tried, tried.step < best.step);
            let rise = (best.value - tried.value) / (tried.step - best.step);
            let quadratic =
                best.step + best.slope / (rise + best.slope) / 2.0 * (tried.step - best.step);
            self.bracketed = true;
            if (cubic - best.step).abs() < (quadratic - best.step).abs() {
                cubic
            } else {
                cubic + (quadratic - cubic) / 2.0
            }
        } else if opposite {
            // Lower, and the slope changed its sign: bracketed.
            let cubic = Cubic::new(best, tried).minimum_from(tried, best, tried.step > best.step);
            self.bracketed = true;
            farther(cubic, secant, tried.step)
        } else if tried.slope.abs() < best.slope.abs() {
            // Lower, of the same sign, flatter.
            let cubic =
                Cubic::new(best, tried).minimum_beyond(best, tried, (self.smallest, self.largest));
            if self.bracketed {
                let next = nearer(cubic, secant, tried.step);
                let limit = tried.step + 0.66 * (other.step - tried.step);
                if tried.step > best.step {
                    next.min(limit)
                } else {
                    next.max(limit)
                }
            } else {
                farther(cubic, secant, tried.step)
                    .min(self.largest)
                    .max(self.smallest)
            }
        } else if self.bracketed {
            // Lower, of the same sign, not flatter.
            Cubic::new(other, tried).minimum_from(tried, other, tried.step > other.step)
        } else if tried.step > best.step {
            self.largest
        } else {
            self.smallest
        };
        if tried.value > best.value {
            self.other = tried;
        } else {
            if opposite {
                self.other = best;
            }
            self.best = tried;
        }
        self.step = next;
    }
}

/// The cubic through two points' values and slopes.
struct Cubic {
    theta: f64,
    scale: f64,
    discriminant: f64,
}

impl Cubic {
    fn new(a: Point, b: Point) -> Self {
        let theta = 3.0 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope;
        let scale = theta.abs().max(a.slope.abs()).max(b.slope.abs());
        Self {
            theta,
            scale,
            discriminant: (theta / scale).powi(2) - a.slope / scale * (b.slope / scale),
        }
    }

    fn gamma(&self, negative: bool) -> f64 {
        let gamma = self.scale * self.discriminant.sqrt();
        if negative { -gamma } else { gamma }
    }

    /// Its minimum, as a share of the way from `a` to `b`.
    fn minimum_from(&self, a: Point, b: Point, negative: bool) -> f64 {
        let gamma = self.gamma(negative);
        let p = (gamma - a.slope) + self.theta;
        let q = ((gamma - a.slope) + gamma) + b.slope;
        a.step + p / q * (b.step - a.step)
    }

    /// Its minimum beyond `tried`, seen from `best`; a limit where it has none there.
    fn minimum_beyond(mut self, best: Point, tried: Point, (smallest, largest): (f64, f64)) -> f64 {
        self.discriminant = self.discriminant.max(0.0);
        let gamma = self.gamma(tried.step > best.step);
        let p = (gamma - tried.slope) + self.theta;
        let q = (gamma + (best.slope - tried.slope)) + gamma;
        let r = p / q;
        if r < 0.0 && gamma != 0.0 {
            tried.step + r * (best.step - tried.step)
        } else if tried.step > best.step {
            largest
        } else {
            smallest
        }
    }
}
