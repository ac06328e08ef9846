//! So many clients that each ask again as soon as they are answered: the same program for orders, for the bare log and for the rivals.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Distribution;

/// How many clients there are, one measurement after the other.
pub(super) const CLIENTS: [usize; 4] = [1, 16, 64, 256];

/// Asked for before anything counts: connections are open, caches are warm.
const WARM_UP: Duration = Duration::from_secs(1);

/// One client with its own connection.
pub(super) trait Asks: Send + 'static {
    /// Asks for one thing to be kept, and waits for the word that it is. False if that was refused.
    fn ask(&mut self) -> impl Future<Output = Result<bool>> + Send;
}

/// What so many clients reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Step {
    /// How many at once.
    pub(super) clients: usize,
    /// Kept in each second.
    pub(super) per_s: f64,
    /// From the request to the answer.
    pub(super) ms: Distribution,
    /// Asked for and refused: not in the figures above.
    pub(super) refused: usize,
}

/// Lets the clients ask for so long, after a second that does not count.
pub(super) async fn run<C: Asks>(clients: Vec<C>, span: Duration) -> Result<Step> {
    run_after(WARM_UP, clients, span).await
}

async fn run_after<C: Asks>(warm_up: Duration, clients: Vec<C>, span: Duration) -> Result<Step> {
    let (count, from) = (clients.len(), Instant::now() + warm_up);
    let until = from + span;
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(ask_until(client, from, until));
    }
    let (mut kept_ms, mut refused) = (Vec::new(), 0);
    while let Some(client) = tasks.join_next().await {
        let (ms, no) = client??;
        kept_ms.extend(ms);
        refused += no;
    }
    if kept_ms.is_empty() {
        bail!("nothing was kept within {} s, and {refused} were refused", span.as_secs_f64());
    }
    let per_s = kept_ms.len() as f64 / span.as_secs_f64();
    Ok(Step { clients: count, per_s, ms: Distribution::of(kept_ms), refused })
}

/// How long each answer took, in milliseconds, and how many were refused.
async fn ask_until<C: Asks>(mut client: C, from: Instant, until: Instant) -> Result<(Vec<f64>, usize)> {
    let (mut kept_ms, mut refused) = (Vec::new(), 0);
    loop {
        let asked = Instant::now();
        if asked >= until {
            return Ok((kept_ms, refused));
        }
        let is_kept = client.ask().await?;
        let answered = Instant::now();
        // What is answered outside of the span is no part of its rate.
        if asked < from || answered > until {
            continue;
        }
        match is_kept {
            true => kept_ms.push((answered - asked).as_secs_f64() * 1_000.0),
            false => refused += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses every fourth time.
    struct Fourth(usize);

    impl Asks for Fourth {
        async fn ask(&mut self) -> Result<bool> {
            tokio::task::yield_now().await;
            self.0 += 1;
            Ok(!self.0.is_multiple_of(4))
        }
    }

    /// Refuses always.
    struct Never;

    impl Asks for Never {
        async fn ask(&mut self) -> Result<bool> {
            tokio::task::yield_now().await;
            Ok(false)
        }
    }

    const SPAN: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn what_is_refused_is_not_counted_as_kept() {
        let step = run_after(Duration::ZERO, vec![Fourth(0), Fourth(0)], SPAN).await.unwrap();
        assert_eq!(step.clients, 2);
        let kept = (step.per_s * SPAN.as_secs_f64()).round() as usize;
        assert_eq!(kept, step.ms.count);
        assert!(kept.abs_diff(3 * step.refused) <= 6, "{step:?}");
    }

    #[tokio::test]
    async fn a_server_that_keeps_nothing_has_no_figures() {
        let error = run_after(Duration::ZERO, vec![Never], SPAN).await.unwrap_err();
        assert!(error.to_string().starts_with("nothing was kept"), "{error}");
    }
}
