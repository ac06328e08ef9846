//! Which orders come, and when.

use anyhow::{Context, Result, bail};

use crate::kitchen::Recipe;
use crate::kitchen::limit::{Line, steady_rate};
use crate::simulate::LinePlan;
use crate::simulate::arrivals::{Rate, at_once, at_rate, from_text};
use crate::simulate::plan::Arrival;

use super::args::Args;
use super::menu::Menu;

/// Without a rate, so many per cent of what the first line can keep up.
const LOAD_PERCENT: f64 = 80.0;

/// Where orders come from.
pub enum Orders {
    /// So many pizzas at the start.
    AtOnce(usize),
    /// Drawn from the seed of each run.
    AtRate(Rate),
    /// A file, as text.
    Text { path: String, text: String },
    /// What a real kitchen was asked for.
    Replay(Vec<Arrival>),
}

impl Orders {
    /// As the command line says.
    pub fn of(args: &Args, menu: &Menu, line: LinePlan) -> Result<Self> {
        if let Some(pizzas) = args.at_once {
            return Ok(Self::AtOnce(pizzas as usize));
        }
        if let Some(path) = &args.orders {
            let text = std::fs::read_to_string(path).with_context(|| format!("the orders {}", path.display()))?;
            return Ok(Self::Text { path: path.display().to_string(), text });
        }
        let kept_up = limit_per_hour(&menu.recipes(None, args.seed), line);
        Ok(Self::AtRate(Rate {
            pizzas_per_hour: args.rate.unwrap_or(kept_up * LOAD_PERCENT / 100.0),
            span_ms: (args.hours * 3_600_000.0) as u64,
            peak: args.peak,
            items_max: args.items_max,
        }))
    }

    /// The orders of a run.
    pub fn arrivals(&self, menu: &[Recipe], seed: u64) -> Result<Vec<Arrival>> {
        let arrivals = match self {
            Self::AtOnce(pizzas) => at_once(menu, *pizzas, None),
            Self::AtRate(rate) => at_rate(menu, *rate, seed),
            Self::Text { path, text } => from_text(text, menu).with_context(|| format!("the orders {path}"))?,
            Self::Replay(arrivals) => arrivals.clone(),
        };
        if arrivals.is_empty() {
            bail!("no order comes: use a higher --rate, more --hours, or a file that has some");
        }
        Ok(arrivals)
    }

    /// How many recipes the reference set should have.
    pub fn kinds_wanted(&self) -> Option<usize> {
        match self {
            Self::AtOnce(pizzas) => Some(*pizzas),
            Self::AtRate(_) | Self::Text { .. } | Self::Replay(_) => None,
        }
    }

    /// For people.
    pub fn name(&self) -> String {
        match self {
            Self::AtOnce(pizzas) => format!("{pizzas} pizzas at once"),
            Self::AtRate(rate) => {
                let hours = rate.span_ms as f64 / 3_600_000.0;
                let peak =
                    if rate.peak == 1.0 { String::new() } else { format!(", {} times in the middle", rate.peak) };
                format!("{:.0} pizzas/h for {hours} h{peak}", rate.pizzas_per_hour)
            }
            Self::Text { path, .. } => format!("orders of {path}"),
            Self::Replay(arrivals) => format!("{} orders of a real kitchen", arrivals.len()),
        }
    }
}

/// What a line can keep up, in pizzas an hour.
fn limit_per_hour(mix: &[Recipe], line: LinePlan) -> f64 {
    let line = Line { before: line.before, slots: line.ovens * line.slots_per_oven, after: line.after };
    steady_rate(&mix.iter().collect(), line).map_or(0.0, |rate| rate.milli_per_hour as f64 / 1_000.0)
}
