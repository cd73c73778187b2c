//! The vertical axis of a plot.

use super::text;

/// A loss whose largest value is this many times its smallest is drawn to a logarithmic scale: on a linear one all but
/// the first epoch would lie on the floor.
const LOGARITHMIC: f64 = 20.0;

/// How values become heights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    /// Heights of the lower and the upper end.
    pub(super) bounds: [f64; 2],
    /// Heights are decimal logarithms.
    pub(super) logarithmic: bool,
}

impl Scale {
    /// The scale that shows all of `values` with a little air; `None` without values.
    ///
    /// It is logarithmic only where `may_be_logarithmic`. Air never reaches beyond `limits`: no accuracy above 100 %.
    pub(super) fn of(values: impl Iterator<Item = f64>, limits: [f64; 2], may_be_logarithmic: bool) -> Option<Scale> {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(y), high.max(y)));
        if low > high {
            return None;
        }
        if may_be_logarithmic && low > 0.0 && high > low * LOGARITHMIC {
            let (low, high) = (low.log10(), high.log10());
            let air = (high - low) * 0.05;
            return Some(Scale { bounds: [low - air, high + air], logarithmic: true });
        }
        let air = if high > low { (high - low) * 0.05 } else { (high.abs() * 0.05).max(1e-6) };
        let bottom = if low >= limits[0] { (low - air).max(limits[0]) } else { low - air };
        let top = if high <= limits[1] { (high + air).min(limits[1]) } else { high + air };
        // A metric that sits at its limit, such as an accuracy of 100 %, still needs an axis of some length.
        let bounds = if top > bottom { [bottom, top] } else { [low - air, high + air] };
        Some(Scale { bounds, logarithmic: false })
    }

    /// Points at their heights; those without one (zero has no logarithm) are left out.
    pub(super) fn place(&self, points: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
        if !self.logarithmic {
            return points.into_iter().collect();
        }
        points.into_iter().filter(|point| point.1 > 0.0).map(|(x, y)| (x, y.log10())).collect()
    }

    /// `count` labels from the lower to the upper end.
    pub(super) fn labels(&self, count: usize) -> Vec<String> {
        let [low, high] = self.bounds;
        let height = |i: usize| low + (high - low) * i as f64 / count.saturating_sub(1).max(1) as f64;
        let label = |i| match self.logarithmic {
            true => text::number(10_f64.powf(height(i)), None),
            false => text::axis(height(i), high - low),
        };
        (0..count).map(label).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSS: [f64; 2] = [0.0, f64::INFINITY];

    fn scale(values: &[f64], limits: [f64; 2], may_be_logarithmic: bool) -> Option<Scale> {
        Scale::of(values.iter().copied(), limits, may_be_logarithmic)
    }

    #[test]
    fn air_ends_at_the_limits() {
        assert_eq!(scale(&[], LOSS, true), None);
        assert_eq!(scale(&[0.0, 1.0], LOSS, false).unwrap().bounds[0], 0.0);
        assert_eq!(scale(&[90.0, 99.9], [0.0, 100.0], false).unwrap().bounds[1], 100.0);
    }

    #[test]
    fn a_constant_has_an_axis() {
        for value in [0.0, 0.01, 100.0] {
            let [low, high] = scale(&[value; 3], [0.0, 100.0], true).unwrap().bounds;
            assert!(low <= value && value <= high && low < high, "{value}: {low}..{high}");
        }
    }

    #[test]
    fn a_loss_that_fell_far_is_logarithmic() {
        let points = [(0.0, 2.0), (1.0, 0.02), (2.0, 0.0)];
        let fell = scale(&[2.0, 0.02], LOSS, true).unwrap();
        assert!(fell.logarithmic);
        assert_eq!(fell.place(points).len(), 2, "zero has no logarithm");
        assert!(fell.labels(2)[0].starts_with("0.01"), "labels are values, not logarithms: {:?}", fell.labels(2));
        assert!(!scale(&[2.0, 0.2], LOSS, true).unwrap().logarithmic);
        assert!(!scale(&[2.0, 0.02], LOSS, false).unwrap().logarithmic);
        assert!(!scale(&[2.0, 0.0], LOSS, true).unwrap().logarithmic);
    }
}
