//! The client side between replicas: one request at a time and peer, over kept-alive HTTP/1.1 connections.
//!
//! Every request has a deadline below the election timeout, except a snapshot. Heartbeats and snapshots have connections of their
//! own, so that neither waits behind entries. Nothing here retries: openraft does.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use openraft::OptionalSend;
use openraft::alias::SnapshotOf;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout as RpcTimeout, Unreachable};
use openraft::network::{RPCOption, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use reqwest::{Client, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::io::ReaderStream;

use crate::kitchen::NodeId;
use crate::tls::Dialer;

use super::codec;
use super::disks::Disks;
use super::options::Options;
use super::peer_rules::PeerRules;
use super::sideline::Sidelines;
use super::snapshot::SnapshotFile;
use super::types::{Peer, Types, Vote};
use super::wire::{self, Refused};

/// Makes the clients that openraft asks for. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Network {
    cluster: String,
    node: NodeId,
    append_deadline: Duration,
    entries: Client,
    heartbeats: Client,
    snapshots: Client,
    disks: Arc<Disks>,
    rules: Arc<PeerRules>,
    sidelines: Arc<Sidelines>,
    scheme: &'static str,
}

impl Network {
    /// Clients of this node. Nothing is connected yet.
    pub fn new(
        options: &Options,
        disks: Arc<Disks>,
        rules: Arc<PeerRules>,
        sidelines: Arc<Sidelines>,
    ) -> reqwest::Result<Self> {
        Ok(Self {
            cluster: options.cluster.clone(),
            node: options.node_id,
            append_deadline: options.append_deadline(),
            entries: client(&options.dialer)?,
            heartbeats: client(&options.dialer)?,
            snapshots: client(&options.dialer)?,
            disks,
            rules,
            sidelines,
            scheme: options.dialer.scheme(),
        })
    }

    fn to(&self, target: NodeId, peer: &Peer, client: &Client) -> PeerClient {
        PeerClient {
            client: client.clone(),
            cluster: self.cluster.clone(),
            node: self.node,
            target,
            url: format!("{}://{}", self.scheme, peer.peer),
            append_deadline: self.append_deadline,
            disks: self.disks.clone(),
            rules: self.rules.clone(),
            sidelines: self.sidelines.clone(),
        }
    }

    /// Asks the leader up to which index a read must wait here.
    pub async fn read_index(&self, target: NodeId, peer: &Peer, limit: Duration) -> Result<u64, Unanswered> {
        self.to(target, peer, &self.heartbeats).call(wire::READ_INDEX, &(), limit).await
    }

    /// Returns when the peer's process has ended, or says that it is about to.
    pub async fn stand_by(&self, target: NodeId, peer: &Peer) -> Parted {
        self.to(target, peer, &self.heartbeats).stand_by().await
    }

    /// Begins or ends the maintenance of another node.
    pub async fn set_maintenance(
        &self,
        target: NodeId,
        peer: &Peer,
        on: bool,
        limit: Duration,
    ) -> Result<(), Unanswered> {
        self.to(target, peer, &self.heartbeats).call(wire::MAINTENANCE, &on, limit).await
    }
}

fn client(dialer: &Dialer) -> reqwest::Result<Client> {
    let client = dialer.http().connect_timeout(Duration::from_millis(500));
    // Shorter than the other side keeps an idle connection.
    client.pool_idle_timeout(Duration::from_secs(60)).build()
}

impl RaftNetworkFactory<Types> for Network {
    type Network = PeerClient;

    async fn new_client(&mut self, target: NodeId, node: &Peer) -> PeerClient {
        self.to(target, node, &self.entries)
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, node: &Peer) -> PeerClient {
        self.to(target, node, &self.heartbeats)
    }

    async fn new_snapshot_client(&mut self, target: NodeId, node: &Peer) -> PeerClient {
        self.to(target, node, &self.snapshots)
    }
}

/// Talks to one peer.
pub(crate) struct PeerClient {
    client: Client,
    cluster: String,
    node: NodeId,
    target: NodeId,
    url: String,
    append_deadline: Duration,
    disks: Arc<Disks>,
    rules: Arc<PeerRules>,
    sidelines: Arc<Sidelines>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("no answer in {0:?}")]
    Late(Duration),
    #[error("{0}")]
    Refused(Refused),
    #[error("{0}")]
    Failed(String),
}

/// How a request ended that waits for the end of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parted {
    /// The connection broke: nobody said anything.
    Broken,
    /// The peer is about to stop, or can't be asked.
    Apart,
}

impl PeerClient {
    async fn stand_by(&self) -> Parted {
        let Ok(mut response) = self.request(wire::ALIVE).send().await else { return Parted::Apart };
        if !response.status().is_success() {
            return Parted::Apart;
        }
        loop {
            match response.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => return Parted::Apart,
                Err(_) => return Parted::Broken,
            }
        }
    }

    fn request(&self, path: &str) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.header(wire::CLUSTER_HEADER, &self.cluster).header(wire::TO_HEADER, self.target);
        let request = request.header(wire::FROM_HEADER, self.node).header(wire::DISK_HEADER, self.disks.own());
        let (edition, seen) = (self.disks.own_edition(), self.disks.edition_of(self.target));
        let request = request.header(wire::EDITION_HEADER, edition).header(wire::SEEN_HEADER, seen);
        let request = request.header(wire::LINEAGE_HEADER, self.disks.lineage());
        let request = request.header(wire::RULES_HEADER, self.rules.own().0);
        request.header(wire::SIDELINE_HEADER, self.sidelines.say_all())
    }

    async fn call<B: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        limit: Duration,
    ) -> Result<A, Unanswered> {
        self.answer(self.request(path).timeout(limit).body(codec::encode(body)), limit).await
    }

    async fn rpc<B: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        action: RPCTypes,
        body: &B,
        limit: Duration,
    ) -> Result<A, RPCError<Types>> {
        self.call(path, body, limit).await.map_err(|why| match why {
            Unanswered::Late(timeout) => self.late(action, timeout).into(),
            Unanswered::Refused(_) | Unanswered::Failed(_) => Unreachable::new(&why).into(),
        })
    }

    /// An answer counts only if it comes from the disk that this peer had before.
    async fn answer<A: DeserializeOwned>(&self, request: RequestBuilder, limit: Duration) -> Result<A, Unanswered> {
        let response = request.send().await.map_err(|e| failed(e, limit))?;
        let status = response.status();
        let says = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (disk, edition) = (says(wire::DISK_HEADER).to_owned(), says(wire::EDITION_HEADER).parse().unwrap_or(0));
        self.disks.is_seen_at(says(wire::SEEN_HEADER).parse().unwrap_or(0)).map_err(Unanswered::Refused)?;
        let rules = response.headers().get(wire::RULES_HEADER).and_then(|value| value.to_str().ok());
        let rules = rules.map(str::to_owned);
        let sideline = says(wire::SIDELINE_HEADER).to_owned();
        let body = response.bytes().await.map_err(|e| failed(e, limit))?;
        if !status.is_success() {
            let refused = serde_json::from_slice(&body).map(Unanswered::Refused);
            return Err(refused.unwrap_or_else(|_| Unanswered::Failed(format!("status {status}"))));
        }
        self.disks.learn(self.target, &disk, edition).map_err(Unanswered::Refused)?;
        self.rules.hear(self.target, rules.as_deref());
        self.sidelines.learn(self.target, &sideline);
        codec::decode(&body).map_err(|e| Unanswered::Failed(e.to_string()))
    }

    /// What the peer acknowledges, it must not deny later.
    fn remember(
        &self,
        request: &AppendEntriesRequest<Types>,
        answer: &AppendEntriesResponse<Types>,
    ) -> Result<(), Refused> {
        let (term, previous) = (request.vote.leader_id.term, request.prev_log_id.map(|id| id.index));
        let acknowledged = match answer {
            AppendEntriesResponse::Success => request.entries.last().map(|entry| entry.log_id.index).or(previous),
            AppendEntriesResponse::PartialSuccess(upto) => upto.map(|id| id.index),
            AppendEntriesResponse::Conflict => {
                return previous.map_or(Ok(()), |index| self.disks.deny(self.target, term, index));
            }
            AppendEntriesResponse::HigherVote(_) => None,
        };
        if let Some(index) = acknowledged {
            self.disks.acknowledge(self.target, term, index);
        }
        Ok(())
    }

    fn late(&self, action: RPCTypes, timeout: Duration) -> RpcTimeout<Types> {
        RpcTimeout { action, id: self.node, target: self.target, timeout }
    }

    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: SnapshotFile,
        limit: Duration,
    ) -> Result<SnapshotResponse<Types>, Unanswered> {
        let failed = |e: &dyn std::fmt::Display| Unanswered::Failed(e.to_string());
        let file = snapshot.into_file().map_err(|e| failed(&e))?;
        let vote = serde_json::to_string(&vote).map_err(|e| failed(&e))?;
        let content = ReaderStream::with_capacity(tokio::fs::File::from_std(file), 256 * 1024);
        let body = reqwest::Body::wrap_stream(content);
        let request = self.request(wire::SNAPSHOT).header(wire::VOTE_HEADER, vote);
        self.answer(request.timeout(limit).body(body), limit).await
    }
}

fn failed(error: reqwest::Error, limit: Duration) -> Unanswered {
    match error.is_timeout() && !error.is_connect() {
        true => Unanswered::Late(limit),
        false => Unanswered::Failed(format!("{:?}", error.without_url())),
    }
}

impl RaftNetworkV2<Types> for PeerClient {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        // A heartbeat must be answered within its interval; a disk may take longer for entries, but never an election.
        let limit = match request.entries.is_empty() {
            true => option.soft_ttl(),
            false => option.soft_ttl().max(self.append_deadline),
        };
        let answer = self.rpc(wire::APPEND, RPCTypes::AppendEntries, &request, limit).await?;
        self.remember(&request, &answer).map_err(|refused| Unreachable::new(&Unanswered::Refused(refused)))?;
        Ok(answer)
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.rpc(wire::VOTE, RPCTypes::Vote, &request, option.soft_ttl()).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.rpc(wire::PRE_VOTE, RPCTypes::Vote, &request, option.soft_ttl()).await
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        self.rpc(wire::TRANSFER, RPCTypes::TransferLeader, &request, option.soft_ttl()).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<Types, SnapshotFile>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            closed = cancel => Err(closed.into()),
            sent = self.send_snapshot(vote, snapshot.snapshot, option.soft_ttl()) => sent.map_err(|why| match why {
                Unanswered::Late(timeout) => self.late(RPCTypes::InstallSnapshot, timeout).into(),
                Unanswered::Refused(Refused::BadSnapshot { .. }) => NetworkError::new(&why).into(),
                Unanswered::Refused(_) | Unanswered::Failed(_) => Unreachable::new(&why).into(),
            }),
        }
    }
}
