//! Curves over two axes. Pure: numbers in, text out.

/// The whole picture, in pixels.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// Where the axes are.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 540.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 366.0;

/// A colour for each curve, which also people who see few colours can tell apart (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// What runs along one side.
pub(super) struct Axis {
    pub(super) title: &'static str,
    pub(super) is_logarithmic: bool,
}

/// One curve.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A picture of some curves.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
}

/// For each value how many percent are at most as large, as stairs.
pub(super) fn shares(sorted: &[f64]) -> Vec<(f64, f64)> {
    let share = |n: usize| n as f64 * 100.0 / sorted.len() as f64;
    sorted.iter().enumerate().flat_map(|(n, value)| [(*value, share(n)), (*value, share(n + 1))]).collect()
}

/// From values to pixels along one axis.
struct Scale {
    low: f64,
    high: f64,
    is_logarithmic: bool,
}

impl Scale {
    /// Marks around the values; or from 0 to a hundred percent.
    fn of(axis: &Axis, values: impl Iterator<Item = f64>) -> Self {
        if !axis.is_logarithmic {
            return Self { low: 0.0, high: 100.0, is_logarithmic: false };
        }
        let tens = values.filter(|value| *value > 0.0).map(f64::log10);
        let (low, high) = tens.fold((f64::MAX, f64::MIN), |(low, high), ten| (low.min(ten), high.max(ten)));
        let (low, high) = (mark_below(low.min(high)), mark_above(high));
        Self { low, high: if high > low { high } else { low + 1.0 }, is_logarithmic: true }
    }

    /// 0 at the low end, 1 at the high one.
    fn share(&self, value: f64) -> f64 {
        let at = if self.is_logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value };
        ((at - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Where lines are drawn across the picture.
    fn marks(&self) -> Vec<f64> {
        if !self.is_logarithmic {
            return (0..=4).map(|n| f64::from(n) * 25.0).collect();
        }
        let within = |mark: &f64| (self.low - NEAR..=self.high + NEAR).contains(&mark.log10());
        let tens = self.low.floor() as i32..=self.high.ceil() as i32;
        let all = tens.flat_map(|ten| MARKS.map(|mark| (mark, format!("{mark}e{ten}").parse().expect("a number"))));
        let all: Vec<(u8, f64)> = all.filter(|(_, value)| within(value)).collect();
        // On a long axis labels would touch: whole powers of ten alone.
        let is_long = all.len() > MARKS_MAX;
        all.into_iter().filter(|(mark, _)| *mark == 1 || !is_long).map(|(_, value)| value).collect()
    }
}

/// Marks of a logarithmic axis, within each ten.
const MARKS: [u8; 3] = [1, 2, 5];
/// So many have room beside each other.
const MARKS_MAX: usize = 10;
/// What a logarithm may be wrong by.
const NEAR: f64 = 1e-9;

/// The logarithms of the marks around this one.
fn mark_below(log: f64) -> f64 {
    let ten = log.floor();
    MARKS.map(|mark| ten + f64::from(mark).log10()).into_iter().rfind(|mark| *mark <= log + NEAR).unwrap_or(ten)
}

fn mark_above(log: f64) -> f64 {
    let ten = log.floor();
    MARKS.map(|mark| ten + f64::from(mark).log10()).into_iter().find(|mark| *mark >= log - NEAR).unwrap_or(ten + 1.0)
}

impl Chart {
    /// The picture.
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let x = Scale::of(&self.x, points().map(|(x, _)| x));
        let y = Scale::of(&self.y, points().map(|(_, y)| y));
        let mut page = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH:.0}\" height=\"{HEIGHT:.0}\" \
             viewBox=\"0 0 {WIDTH:.0} {HEIGHT:.0}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#222222\">\n\
             <title>{}</title>\n<path d=\"M0 0H{WIDTH:.0}V{HEIGHT:.0}H0Z\" fill=\"#ffffff\"/>\n",
            self.title
        );
        page += &text(LEFT, 24.0, "start", "font-size=\"15\" font-weight=\"bold\"", self.title);
        page += &self.axes(&x, &y);
        for (n, series) in self.series.iter().enumerate() {
            page += &curve(n, series, &x, &y);
        }
        page + "</svg>\n"
    }

    fn axes(&self, x: &Scale, y: &Scale) -> String {
        let mut drawn = String::new();
        for mark in x.marks() {
            let at = across(x, mark);
            drawn += &line(at, TOP, at, BOTTOM);
            drawn += &text(at, BOTTOM + 16.0, "middle", "", &number(mark));
        }
        for mark in y.marks() {
            let at = up(y, mark);
            drawn += &line(LEFT, at, RIGHT, at);
            drawn += &text(LEFT - 8.0, at + 4.0, "end", "", &number(mark));
        }
        drawn += &text((LEFT + RIGHT) / 2.0, BOTTOM + 36.0, "middle", "", self.x.title);
        drawn + &text(LEFT, TOP - 8.0, "middle", "", self.y.title)
    }
}

fn across(scale: &Scale, value: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * scale.share(value)
}

fn up(scale: &Scale, value: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * scale.share(value)
}

/// A curve, and its name beside the picture.
fn curve(n: usize, series: &Series, x: &Scale, y: &Scale) -> String {
    let colour = COLOURS[n % COLOURS.len()];
    let at = |(a, b): &(f64, f64)| format!("{:.1} {:.1}", across(x, *a), up(y, *b));
    let path = series.points.iter().map(at).collect::<Vec<_>>().join("L");
    let top = TOP + 6.0 + 20.0 * n as f64;
    format!(
        "<path class=\"curve\" d=\"M{path}\" stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\"/>\n\
         <path d=\"M{:.1} {top:.1}h18\" stroke=\"{colour}\" stroke-width=\"3\"/>\n{}",
        RIGHT + 16.0,
        text(RIGHT + 40.0, top + 4.0, "start", "", series.name)
    )
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#00000022\"/>\n")
}

/// Texts are our own: none of them has a character that would end a tag.
fn text(x: f64, y: f64, anchor: &str, more: &str, content: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {more}>{content}</text>\n")
}

/// A power of ten, or a percentage, as short as it can be.
fn number(value: f64) -> String {
    if value >= 1_000.0 { format!("{}k", value / 1_000.0) } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_climb_to_a_hundred_percent() {
        assert_eq!(shares(&[3.0, 5.0]), [(3.0, 0.0), (3.0, 50.0), (5.0, 50.0), (5.0, 100.0)]);
        assert_eq!(shares(&[]), []);
    }

    #[test]
    fn a_logarithmic_axis_ends_at_the_marks_around_its_values() {
        let axis = Axis { title: "ms", is_logarithmic: true };
        let marks = |values: &[f64]| Scale::of(&axis, values.iter().copied()).marks();
        assert_eq!(marks(&[3.0, 70.0]), [2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(marks(&[0.02, 1_000.0]), [0.1, 1.0, 10.0, 100.0, 1_000.0], "a long axis has fewer");
        assert_eq!(marks(&[1.0]), [1.0, 2.0, 5.0, 10.0], "one value is no axis");
        let scale = Scale::of(&axis, [1.0, 1_000.0].into_iter());
        assert!((scale.share(10.0) - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn every_curve_is_within_the_picture_and_named() {
        let series = |name, points| Series { name, points };
        let chart = Chart {
            title: "rates",
            x: Axis { title: "clients", is_logarithmic: true },
            y: Axis { title: "per s", is_logarithmic: true },
            series: vec![series("ours", vec![(1.0, 900.0), (256.0, 20_000.0)]), series("theirs", vec![(1.0, 0.0)])],
        };
        let svg = chart.svg();
        assert_eq!(svg.matches("class=\"curve\"").count(), 2);
        assert!(svg.contains(">ours</text>") && svg.contains(">20k</text>"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
