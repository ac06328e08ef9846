//! Reads a kitchen from one replica, and from another one when that is dead, slow or cut off.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::super::client::Client;

/// How long one answer may take: a frozen replica is left soon.
const LIMIT: Duration = Duration::from_secs(2);

/// What a replica shows of the kitchen, as its API says it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Which replica.
    pub url: String,
    /// `/v1/cluster`
    pub cluster: Value,
    /// `/v1/kitchen`
    pub kitchen: Value,
    /// `/v1/devices`
    pub devices: Value,
    /// `/v1/orders`, the open ones that are due first
    pub orders: Value,
    /// `/v1/incidents`, the open ones
    pub incidents: Value,
    /// `/v1/statistics`
    pub statistics: Value,
}

/// The replicas that are known, and the one that is asked.
pub struct Link<'a> {
    client: &'a Client,
    urls: Vec<String>,
    at: usize,
    /// Who led at the last look, and who did not answer since that began.
    leader: Option<u64>,
    silent: BTreeSet<String>,
}

impl<'a> Link<'a> {
    /// Begins with those that were named.
    pub fn new(client: &'a Client) -> Self {
        Self { client, urls: client.urls().to_vec(), at: 0, leader: None, silent: BTreeSet::new() }
    }

    /// What the first replica shows that answers and knows a leader; without one, what any shows. Err is a sentence.
    pub async fn read(&mut self) -> Result<Seen, String> {
        let (mut leaderless, mut why) = (None, String::new());
        for _ in 0..self.urls.len() {
            let url = self.urls[self.at].clone();
            match self.read_from(&url).await {
                Ok(seen) => {
                    self.learn(&seen.cluster);
                    self.turn_to_leader(&seen.cluster);
                    if seen.cluster["leader"].is_u64() {
                        return Ok(seen);
                    }
                    // It may be the one that is cut off.
                    leaderless = Some(seen);
                }
                Err(error) => {
                    why = format!("{url}: {error}");
                    self.silent.insert(url);
                }
            }
            self.at = (self.at + 1) % self.urls.len();
        }
        leaderless.ok_or(why)
    }

    async fn read_from(&self, url: &str) -> Result<Seen, String> {
        Ok(Seen {
            url: url.to_owned(),
            cluster: self.ask(url, "/v1/cluster").await?,
            kitchen: self.ask(url, "/v1/kitchen?consistency=stale").await?,
            devices: self.ask(url, "/v1/devices?consistency=stale").await?,
            orders: self.ask(url, "/v1/orders?status=open&order=oldest&limit=100&consistency=stale").await?,
            incidents: self.ask(url, "/v1/incidents?open=true&consistency=stale").await?,
            statistics: self.ask(url, "/v1/statistics?consistency=stale").await?,
        })
    }

    async fn ask(&self, url: &str, path: &str) -> Result<Value, String> {
        let text = self.client.read(url, path, LIMIT).await?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    /// The leader alone knows lags and brokers: it is asked next, unless it did not answer since it leads (it may have another address here).
    fn turn_to_leader(&mut self, cluster: &Value) {
        let leader = cluster["leader"].as_u64();
        if leader != self.leader {
            self.silent.clear();
            self.leader = leader;
        }
        let members = cluster["members"].as_array().into_iter().flatten();
        let member = members.into_iter().find(|member| leader.is_some() && member["node"].as_u64() == leader);
        let url = member.map(|member| self.url(member));
        let at = url.and_then(|url| self.urls.iter().position(|known| *known == url && !self.silent.contains(known)));
        self.at = at.unwrap_or(self.at);
    }

    fn url(&self, member: &Value) -> String {
        let scheme = self.urls[0].split_once("://").map_or("http", |(scheme, _)| scheme);
        format!("{scheme}://{}", member["api"].as_str().unwrap_or_default())
    }

    /// The other members' addresses: the view goes on when the replica dies that was named alone.
    fn learn(&mut self, cluster: &Value) {
        for member in cluster["members"].as_array().into_iter().flatten() {
            let url = self.url(member);
            if !self.urls.contains(&url) {
                self.urls.push(url);
            }
        }
    }
}
