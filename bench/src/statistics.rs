//! Medians, percentiles and spread.

/// What is said of a set of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many samples.
    pub count: usize,
    /// The smallest.
    pub min: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The smallest that 99 of 100 do not exceed (nearest rank).
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// Sums up samples; nothing of no samples, or of some that are no numbers.
#[must_use]
pub fn summary(samples: &[f64]) -> Option<Summary> {
    if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
        return None;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index.min(sorted.len() - 1)).copied();
    let middle = sorted.len() / 2;
    let median = if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle - 1)?, at(middle)?)
    } else {
        at(middle)?
    };
    Some(Summary {
        count: sorted.len(),
        min: at(0)?,
        median,
        p99: at((sorted.len() * 99).div_ceil(100) - 1)?,
        max: at(sorted.len() - 1)?,
    })
}

/// Three significant digits; what is whole as it is.
#[must_use]
pub fn shown(value: f64) -> String {
    let size = value.abs();
    if size.fract() == 0.0 || size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.0995 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        let even = summary(&[4.0, 1.0, 3.0, 2.0]).expect("there are samples");
        assert_eq!(
            (even.median, even.min, even.max, even.count),
            (2.5, 1.0, 4.0, 4)
        );
        assert_eq!(
            summary(&[5.0, 1.0, 3.0]).map(|summary| summary.median),
            Some(3.0)
        );
    }

    #[test]
    fn p99_of_300_leaves_out_the_three_worst() {
        let samples: Vec<f64> = (1..=300).map(f64::from).collect();
        assert_eq!(summary(&samples).map(|summary| summary.p99), Some(297.0));
        assert_eq!(summary(&[7.0]).map(|summary| summary.p99), Some(7.0));
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn figures_have_three_digits() {
        let all: Vec<String> = [0.0, 0.0123, 0.456, 3.456, 45.67, 456.7, 99.99]
            .into_iter()
            .map(shown)
            .collect();
        assert_eq!(all, ["0", "0.012", "0.46", "3.46", "45.7", "457", "100"]);
    }
}
