//! `brigade device`: a line of simulated robots, ovens and cameras in one process, each a task with its own connection.

use std::path::PathBuf;

use anyhow::Result;

use crate::device::line::{self, Line};
use crate::{protocol, shutdown, telemetry};

/// What the command is told. What is named here goes before what the file says.
#[derive(clap::Args)]
pub struct Args {
    /// The line: kitchen, brokers, devices and their faults (TOML); without it, 2 + 4 + 2 and 3 cameras
    #[arg(long, value_name = "FILE")]
    line: Option<PathBuf>,
    /// The kitchen's name
    #[arg(long)]
    kitchen: Option<protocol::Id>,
    /// A broker, the preferred one first; repeatable
    #[arg(long, value_name = "URL")]
    broker: Vec<String>,
    /// So many percent as fast as life: scales the devices' own durations
    #[arg(long, value_name = "PERCENT")]
    speed_pct: Option<u32>,
    /// Where physical facts are recorded (JSON lines)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Runs the line until SIGTERM.
pub async fn run(args: Args) -> Result<()> {
    telemetry::start(&telemetry::Options::default());
    let stop = shutdown::on_signals()?;
    line::run(args.line()?, stop).await?;
    Ok(())
}

impl Args {
    fn line(self) -> Result<Line> {
        let mut line = match &self.line {
            Some(path) => Line::load(path)?,
            None => Line::built_in("demo".parse()?, vec!["mqtt://127.0.0.1:1883".to_owned()]),
        };
        if let Some(kitchen) = self.kitchen {
            line.kitchen = kitchen;
        }
        if !self.broker.is_empty() {
            line.brokers = self.broker;
        }
        if let Some(speed_pct) = self.speed_pct {
            line.speed_pct = speed_pct;
        }
        line.record = self.record.or(line.record);
        Ok(line)
    }
}
