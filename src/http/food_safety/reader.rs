//! Reads records from the archive: pages by number, and the numbers that belong to a span of time.

use std::io;

use crate::kitchen::food_safety::{KeptRecord, archive_key, number_of};
use crate::raft::RaftNode;

use super::super::Api;
use super::super::problems::Problem;
use super::Range;

/// A record and its number.
pub(super) struct Record {
    /// Where it is in the chain.
    pub number: u64,
    /// Its wall time.
    wall: u64,
    /// Its text.
    pub line: String,
}

/// The archive, as far as it holds records.
#[derive(Clone)]
pub(super) struct Reader(RaftNode);

impl Reader {
    pub fn new(api: &Api) -> Self {
        Self(api.node().clone())
    }

    /// The numbers behind `cursor` of what was recorded from `from` on and before `to`, among the first `records`.
    ///
    /// Found by bisection: records are in the order of the log, so what comes out has no gaps, also where clocks of different
    /// replicas disagreed by a moment.
    pub async fn range(
        &self,
        from: Option<u64>,
        to: Option<u64>,
        cursor: Option<u64>,
        records: u64,
    ) -> Result<Range, Problem> {
        let reader = self.clone();
        let work = move || -> io::Result<Range> {
            let after = from.map_or(Ok(0), |from| reader.before(from, records))?;
            let last = to.map_or(Ok(records), |to| reader.before(to, records))?;
            Ok(Range { after: after.max(cursor.unwrap_or(0)), last })
        };
        tokio::task::spawn_blocking(work).await.map_err(Problem::storage)?.map_err(Problem::storage)
    }

    /// At most `limit` records of a range, in order.
    pub async fn page(&self, range: Range, limit: usize) -> Result<Vec<Record>, Problem> {
        let reader = self.clone();
        let work = move || reader.behind(range.after, limit);
        let records = tokio::task::spawn_blocking(work).await.map_err(Problem::storage)?.map_err(Problem::storage)?;
        Ok(records.into_iter().filter(|record| record.number <= range.last).collect())
    }

    /// How many of the first `records` were recorded before this moment.
    fn before(&self, wall: u64, records: u64) -> io::Result<u64> {
        let (mut low, mut high) = (0, records);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.behind(middle, 1)?.first() {
                Some(record) if record.wall < wall => low = record.number.min(high),
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }

    fn behind(&self, number: u64, limit: usize) -> io::Result<Vec<Record>> {
        let rows = self.0.archive_page(Some(&archive_key(number)), limit)?;
        let numbered = rows.into_iter().map_while(|(key, value)| Some((number_of(&key)?, value)));
        numbered.map(|(number, value)| record(number, &value)).collect()
    }
}

fn record(number: u64, value: &[u8]) -> io::Result<Record> {
    let kept = KeptRecord::read(value).map_err(|why| io::Error::other(format!("record {number}: {why}")))?;
    Ok(Record { number, wall: kept.wall, line: kept.line })
}
