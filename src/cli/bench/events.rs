//! A follower of events at one replica: when it learns of an order.

use std::time::Instant;

use anyhow::{Result, bail};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::tls::Dialer;

/// Messages that may wait to be looked at.
const ROOM: usize = 1_024;

/// A stream of events, until it is dropped.
pub(super) struct Follower {
    told: mpsc::Receiver<(Instant, String)>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Follows the events of the replica at this address. Returns once the stream is open.
    pub(super) async fn of(api: &str) -> Result<Self> {
        let http = Dialer::plain().http().build()?;
        let answer = http.get(format!("{api}/v1/events")).send().await?.error_for_status()?;
        let (sender, told) = mpsc::channel(ROOM);
        let task = tokio::spawn(async move {
            let (mut bytes, mut text) = (answer.bytes_stream(), String::new());
            while let Some(Ok(chunk)) = bytes.next().await {
                let at = Instant::now();
                text.push_str(&String::from_utf8_lossy(&chunk));
                while let Some((message, rest)) = text.split_once("\n\n") {
                    let told = (at, message.to_owned());
                    text = rest.to_owned();
                    if sender.send(told).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self { told, task })
    }

    /// When the stream said that this order is accepted.
    pub(super) async fn told_of(&mut self, order: &str) -> Result<Instant> {
        let quoted = format!("\"{order}\"");
        while let Some((at, message)) = self.told.recv().await {
            if message.contains(&quoted) && message.contains("order_accepted") {
                return Ok(at);
            }
        }
        bail!("the stream of events ended")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}
