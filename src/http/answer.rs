//! Reads and writes as handlers use them, and the headers of their answers.
//!
//! A read waits for the barrier unless the caller takes what is here; a write returns once it is applied here. `brigade-index` is
//! the log index that the answer's content stands for: events behind it continue from it without gap.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};

use crate::kitchen::{Asked, Command, Kitchen, Millis, Reply};
use crate::raft::ReadError;

use super::Api;
use super::extract::Consistency;
use super::problems::{Kind, Problem};

/// The log index that an answer stands for.
pub const INDEX_HEADER: HeaderName = HeaderName::from_static("brigade-index");
/// On stale reads: how many milliseconds the answer may be behind, or `unknown`.
pub const STALENESS_HEADER: HeaderName = HeaderName::from_static("brigade-staleness-ms");

/// How long a request waits for somebody to lead, in an election.
pub const LEADER_WAIT: Duration = Duration::from_millis(1_000);
/// The longest pause between two looks at who leads.
pub const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// An answer with the index that it stands for.
pub struct Answer<T> {
    /// The content.
    pub body: T,
    /// The last entry that is in it.
    pub index: u64,
    /// None for a linearizable read or a write.
    pub staleness: Option<Staleness>,
    /// 200, or what else fits.
    pub status: StatusCode,
}

/// How old a stale answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// At most so many milliseconds: this replica leads, and a majority confirmed it so long ago.
    AtMost(u64),
    /// A follower does not know what it has not heard.
    Unknown,
}

impl<T> Answer<T> {
    /// The same with another body.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { body: map(self.body), index: self.index, staleness: self.staleness, status: self.status }
    }
}

impl<T> Answer<Option<T>> {
    /// The content or, where there is none, this problem.
    pub fn or(self, otherwise: impl FnOnce() -> Problem) -> Result<Answer<T>, Problem> {
        let Self { body, index, staleness, status } = self;
        Ok(Answer { body: body.ok_or_else(otherwise)?, index, staleness, status })
    }
}

impl<T> Answer<Result<T, Problem>> {
    /// The content, or the problem in its place.
    pub fn settled(self) -> Result<Answer<T>, Problem> {
        let Self { body, index, staleness, status } = self;
        Ok(Answer { body: body?, index, staleness, status })
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body)).into_response();
        let headers = response.headers_mut();
        headers.insert(INDEX_HEADER, HeaderValue::from(self.index));
        match self.staleness {
            Some(Staleness::AtMost(ms)) => headers.insert(STALENESS_HEADER, HeaderValue::from(ms)),
            Some(Staleness::Unknown) => headers.insert(STALENESS_HEADER, HeaderValue::from_static("unknown")),
            None => None,
        };
        response
    }
}

impl Api {
    /// Reads from the kitchen as fresh as asked; `read` gets the kitchen and its time now.
    pub(super) async fn read<T>(
        &self,
        consistency: Consistency,
        read: impl FnOnce(&Kitchen, Millis) -> T,
    ) -> Result<Answer<T>, Problem> {
        let staleness = self.be_as_fresh_as(consistency).await?;
        Ok(Answer { staleness, ..self.look(read) })
    }

    /// Reads what is here, after a write.
    pub(super) fn look<T>(&self, read: impl FnOnce(&Kitchen, Millis) -> T) -> Answer<T> {
        let now = self.node().now();
        let (body, index) = self.node().with_kitchen(|kitchen| (read(kitchen, now), kitchen.meta().index));
        Answer { body, index, staleness: None, status: StatusCode::OK }
    }

    async fn be_as_fresh_as(&self, consistency: Consistency) -> Result<Option<Staleness>, Problem> {
        match consistency {
            Consistency::Linearizable => self.read_barrier().await.map(|()| None),
            Consistency::Stale => {
                let age = self.node().quorum_age_ms();
                Ok(Some(age.map_or(Staleness::Unknown, Staleness::AtMost)))
            }
        }
    }

    /// Waits through an election, but not longer than `LEADER_WAIT`.
    async fn read_barrier(&self) -> Result<(), Problem> {
        let limit = Instant::now() + LEADER_WAIT;
        let mut status = self.node().watch_status();
        loop {
            match self.node().read_barrier().await {
                Ok(_) => return Ok(()),
                Err(error @ ReadError::Stopped) => return Err(error.into()),
                Err(error) if Instant::now() > limit => return Err(error.into()),
                // What changed is seen by trying again.
                Err(_) => drop(timeout(LOOK_AGAIN, status.changed()).await),
            }
        }
    }

    /// Puts what somebody asked for into the log. A refusal is a problem.
    pub(super) async fn write(&self, asked: Asked, command: Command) -> Result<Reply, Problem> {
        match self.node().propose_for(asked, command, None).await?.reply {
            Reply::Refused(refusal) => Err(refusal.into()),
            reply => Ok(reply),
        }
    }

    /// Returns once the database holds what the kitchen showed at `index`: an order that just ended leaves the memory a moment
    /// before its archive row is written.
    pub(super) async fn wait_until_written(&self, index: u64) -> Result<(), Problem> {
        let mut applied = self.node().applied_watch();
        let limit = Instant::now() + LEADER_WAIT;
        match timeout_at(limit, applied.wait_for(|applied| *applied >= index)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ReadError::Stopped.into()),
            Err(_) => Err(Problem::new(Kind::TimeLimit, "this replica writes slowly: try again, or ask another one")),
        }
    }
}
