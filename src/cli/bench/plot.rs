//! Plots of a run, as SVG: curves of points, written by hand. Each has its own white ground, so that it can be read in dark viewers as well.

mod curve;

use std::path::Path;

use anyhow::{Context, Result};

use super::Figures;
use super::Spread;
use super::load::Step;
use curve::{Axis, Chart, Series};

/// Writes every plot that there are figures for into a folder.
pub(super) fn write(figures: &Figures, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("folder {}", dir.display()))?;
    let plots = [
        ("intake.svg", rates(figures)),
        ("intake-latency.svg", waits(figures)),
        ("latency.svg", latency(figures)),
        ("failover.svg", failover(figures)),
    ];
    for (name, chart) in plots.into_iter().filter(|(_, chart)| !chart.series.is_empty()) {
        let path = dir.join(name);
        std::fs::write(&path, chart.svg()).with_context(|| format!("file {}", path.display()))?;
    }
    Ok(())
}

const CLIENTS: Axis = Axis { title: "clients", is_logarithmic: true };
const SPAN: Axis = Axis { title: "ms", is_logarithmic: true };

/// Steps of each system that was measured.
fn systems(figures: &Figures) -> Vec<(&'static str, Vec<&Step>)> {
    let orders = figures.intake.iter().flat_map(|intake| intake.steps.iter().map(|taken| &taken.step));
    let bare = figures.bare.iter().flat_map(|bare| &bare.steps);
    let rivals = figures.rivals.iter().flat_map(|rivals| rivals.all());
    let own = [("Brigade, orders", orders.collect()), ("bare log", bare.collect())];
    let all = own.into_iter().chain(rivals.map(|(name, rival)| (name, rival.steps.iter().collect())));
    all.filter(|(_, steps): &(_, Vec<_>)| !steps.is_empty()).collect()
}

fn by_clients(figures: &Figures, title: &'static str, y: Axis, of: fn(&Step) -> f64) -> Chart {
    let points = |steps: Vec<&Step>| steps.into_iter().map(|step| (step.clients as f64, of(step))).collect();
    let series = systems(figures).into_iter().map(|(name, steps)| Series { name, points: points(steps) });
    Chart { title, x: CLIENTS, y, series: series.collect() }
}

fn rates(figures: &Figures) -> Chart {
    let y = Axis { title: "kept per second", is_logarithmic: true };
    by_clients(figures, "Kept on a majority, per second", y, |step| step.per_s)
}

fn waits(figures: &Figures) -> Chart {
    let y = Axis { title: "ms, median", is_logarithmic: true };
    by_clients(figures, "From the request to its answer", y, |step| step.ms.p50)
}

/// Shares of trials that were over after so long.
fn shares(title: &'static str, spreads: Vec<(&'static str, &Spread)>) -> Chart {
    let measured = spreads.into_iter().filter(|(_, spread)| !spread.values.is_empty());
    let series = measured.map(|(name, spread)| Series { name, points: curve::shares(&spread.values) });
    let y = Axis { title: "% of trials", is_logarithmic: false };
    Chart { title, x: SPAN, y, series: series.collect() }
}

fn latency(figures: &Figures) -> Chart {
    let spreads = figures.latency.iter().flat_map(|latency| {
        [
            ("asked → answered", &latency.answered_ms),
            ("asked → instruction", &latency.instructed_ms),
            ("report → instruction", &latency.report_to_instruction_ms),
            ("asked → event at a follower", &latency.followed_ms),
        ]
    });
    shares("One order at a time: over after so long", spreads.collect())
}

fn failover(figures: &Figures) -> Chart {
    let own = figures.failover.iter().flat_map(|failover| &failover.instructed_ms);
    let own = own.map(|(fault, spread)| (fault.name(), spread));
    let etcd =
        figures.rivals.iter().filter_map(|rivals| Some(("etcd: leader killed", rivals.etcd.killed_ms.as_ref()?)));
    shares("Until the next instruction at a device (etcd: the next write)", own.chain(etcd).collect())
}
