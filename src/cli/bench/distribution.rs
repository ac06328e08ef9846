//! What was measured many times, as a few numbers or whole.

use std::time::Duration;

use serde::Serialize;

/// A distribution, in the unit that its name ends with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution {
    /// How many were measured.
    pub count: usize,
    /// The smallest.
    pub min: f64,
    /// The middle one.
    pub p50: f64,
    /// 99 of 100 are not larger.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Distribution {
    /// The distribution of these values.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self::of_sorted(&values)
    }

    fn of_sorted(values: &[f64]) -> Self {
        let Some(last) = values.len().checked_sub(1) else { return Self::default() };
        let at = |share: f64| values[(share * last as f64).round() as usize];
        Self { count: values.len(), min: values[0], p50: at(0.5), p99: at(0.99), max: values[last] }
    }
}

/// A distribution with all of its values, for histograms and curves: of things that are measured hundreds of times, not millions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The few numbers.
    #[serde(flatten)]
    pub distribution: Distribution,
    /// Edge and count: so many values are at most as large as this edge, and larger than the one before. Each edge is about a quarter larger.
    pub histogram: Vec<(f64, usize)>,
    /// All values, the smallest first; to the microsecond where the unit is a millisecond.
    pub values: Vec<f64>,
}

impl Spread {
    /// The spread of these spans, in milliseconds.
    pub fn of_spans(spans: &[Duration]) -> Self {
        Self::of(spans.iter().map(|span| span.as_micros() as f64 / 1_000.0).collect())
    }

    /// The spread of these values.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { distribution: Distribution::of_sorted(&values), histogram: histogram(&values), values }
    }
}

/// Edges of a histogram within each ten.
const EDGES: [&str; 10] = ["1", "1.25", "1.6", "2", "2.5", "3.15", "4", "5", "6.3", "8"];

/// How many values are below each edge, without the empty ends.
fn histogram(sorted: &[f64]) -> Vec<(f64, usize)> {
    // As text, because a product of both would not be the number that is written so.
    let edge = |edge: &str, ten: i32| format!("{edge}e{ten}").parse::<f64>().expect("it is a number");
    let edges = (-3..7).flat_map(|ten| EDGES.map(|digits| edge(digits, ten)));
    let (mut below, mut bins) = (0, Vec::new());
    for edge in edges {
        let now = sorted.partition_point(|value| *value <= edge);
        if now > below || (below > 0 && now < sorted.len()) {
            bins.push((edge, now - below));
        }
        below = now;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_has_its_middle_and_its_ends() {
        let of = Distribution::of((1..=101).rev().map(f64::from).collect());
        assert_eq!((of.count, of.min, of.p50, of.p99, of.max), (101, 1.0, 51.0, 100.0, 101.0));
        assert_eq!(Distribution::of(Vec::new()), Distribution::default());
    }

    #[test]
    fn a_histogram_has_every_value_once() {
        let spread = Spread::of(vec![300.0, 0.15, 0.9, 1.0, 1.1, 250.0]);
        assert_eq!(spread.histogram.iter().map(|(_, count)| count).sum::<usize>(), 6);
        assert_eq!(spread.histogram[0], (0.16, 1));
        assert!(spread.histogram.contains(&(1.0, 2)), "an edge belongs to what is below it");
        assert_eq!(spread.histogram.last().map(|(_, count)| *count), Some(1), "it ends with the largest");
        assert_eq!(spread.values, [0.15, 0.9, 1.0, 1.1, 250.0, 300.0]);
    }
}
