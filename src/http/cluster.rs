//! The replicas: who they are, who joins, who leaves, and handing leadership over.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::kitchen::{Act, Asked, Command, Kitchen, NodeId};
use crate::leader::Wish;
use crate::raft::{MemberError, Peer, Role, Status, TransferError};

use super::Api;
use super::answer::Answer;
use super::asker::{Asker, Word};
use super::extract::{Json, MaybeJson};
use super::problems::{Kind, Problem};
use super::views::cluster::{BrokerView, ClusterView, LogView, MemberView, TenureView, TransferView};

/// `GET /v1/cluster`: the replicas, as the one that answers sees them, also without a majority.
#[utoipa::path(get, path = "/v1/cluster", operation_id = "show_cluster", tag = "cluster", responses((status = 200, body = ClusterView)))]
pub async fn show(State(api): State<Api>) -> Answer<ClusterView> {
    let (status, index) = (api.node().status(), api.node().applied_index());
    let options = api.node().options();
    let log = LogView { last: status.last_log, committed: status.committed, applied: index, snapshot: status.snapshot };
    let body = ClusterView {
        cluster: options.cluster.clone(),
        kitchen: api.sources().cluster.kitchen.clone(),
        version: api.sources().cluster.version.clone(),
        rules: api.node().with_kitchen(Kitchen::rules).0,
        seen_by: api.node().node_id(),
        leader: status.leader.as_ref().map(|l| l.node),
        term: status.term,
        members: status.voters.keys().chain(status.learners.keys()).map(|node| member(&api, &status, *node)).collect(),
        tolerates: api.node().tolerates(),
        log,
        quorum_age_ms: api.node().quorum_age_ms(),
        tenure: tenure(&api),
        storage: api.node().space().into(),
    };
    Answer { body, index, staleness: None, status: StatusCode::OK }
}

fn member(api: &Api, status: &Status, node: NodeId) -> MemberView {
    let leads = status.leader.as_ref().is_some_and(|l| l.node == node);
    let role = match () {
        () if node == api.node().node_id() => status.role,
        () if leads => Role::Leader,
        () if status.learners.contains_key(&node) => Role::Learner,
        () => Role::Follower,
    };
    let own = (node == api.node().node_id() && !status.matched.is_empty()).then_some(status.last_log).flatten();
    let stored = status.matched.get(&node).copied().flatten().or(own);
    MemberView {
        node,
        role: role_word(role).to_owned(),
        api: api.node().peers().remove(&node).map(|p| p.api),
        rules: api.node().watch_rules().borrow().get(&node).map(|rules| rules.0),
        peer: status.voters.get(&node).or(status.learners.get(&node)).cloned().unwrap_or_default(),
        stored,
        sideline: api.node().sideline_of(node).map(|sideline| sideline.word().to_owned()),
        lag: stored.and_then(|stored| Some(status.last_log?.saturating_sub(stored))),
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Learner => "learner",
        Role::Follower => "follower",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
        Role::Stopped => "stopped",
    }
}

fn tenure(api: &Api) -> TenureView {
    let leader = api.sources().leader.borrow().clone();
    let brokers = leader.brokers.into_iter().map(|b| BrokerView { url: b.url, connected: b.connected });
    TenureView {
        in_charge: leader.in_charge,
        epoch: leader.epoch.map(|e| e.0),
        tenures: leader.tenures,
        instructions_published: leader.instructions_published,
        leases_answered: leader.leases_answered,
        payloads_refused: leader.payloads_refused,
        brokers: brokers.collect(),
        storage_low: leader.storage_low,
    }
}

/// Whom to hand leadership to.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "to": 2, "actor": "ann", "reason": "an update" })))]
pub struct TransferBody {
    /// A voter; the one that has stored most, if it is missing.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    to: Option<NodeId>,
    /// Who says so.
    #[serde(default)]
    #[schema(max_length = 100)]
    actor: Option<String>,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 200)]
    reason: Option<String>,
}

/// `POST /v1/cluster/transfer`: leadership is handed over.
#[utoipa::path(post, path = "/v1/cluster/transfer", operation_id = "transfer_leadership", tag = "cluster", request_body = Option<TransferBody>,
    responses((status = 200, body = TransferView), (status = 422, description = "no-such-voter"), (status = 503, description = "transfer-failed")))]
pub async fn transfer(
    State(api): State<Api>,
    asker: Asker,
    MaybeJson(body): MaybeJson<TransferBody>,
) -> Result<Answer<TransferView>, Problem> {
    let said = Word { actor: body.actor, reason: body.reason };
    let asked = asker.says(&said)?;
    if body.to == Some(api.node().node_id()) {
        return Ok(api.look(|_, _| TransferView { leader: api.node().node_id() }));
    }
    api.note(&asked, Act::Transfer { to: body.to }, None).await?;
    // Through the tenure: it stops answering heartbeats before anybody else can be elected.
    let (answer, answered) = oneshot::channel();
    let wished = api.sources().wish.send(Wish { to: body.to, answer }).await;
    let leader = match (wished, answered.await) {
        (Ok(()), Ok(Ok(leader))) => leader,
        (Ok(()), Ok(Err(error))) => return Err(api.note_refusal(&asked, Act::Transfer { to: body.to }, error).await),
        _ => return Err(TransferError::Stopped.into()),
    };
    Ok(api.look(|_, _| TransferView { leader }))
}

/// So much of a refusal is put on record, in characters.
const REFUSAL_LENGTH_MAX: usize = 500;

/// How long a request waits for a newcomer; who asked repeats it. Less than a follower waits for the leader's answer.
const JOIN_WAIT: Duration = Duration::from_secs(5);

/// A replica that joins.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "node": 4, "peer": "10.0.0.14:7300", "api": "10.0.0.14:7400" })))]
pub struct JoinBody {
    /// Its number: never one that was used before.
    #[schema(value_type = u64)]
    node: NodeId,
    /// `host:port` where other replicas reach it.
    peer: String,
    /// `host:port` where clients reach it.
    api: String,
}

/// `POST /v1/cluster/join`: a new replica learns, and votes when it has caught up. Safe to repeat, until the answer is 200.
#[utoipa::path(post, path = "/v1/cluster/join", operation_id = "join_cluster", tag = "cluster", request_body = JoinBody,
    responses((status = 200, body = ClusterView), (status = 409, description = "members-unchanged, quorum-at-risk"), (status = 503, description = "catching-up")))]
pub async fn join(
    State(api): State<Api>,
    asker: Asker,
    Json(body): Json<JoinBody>,
) -> Result<Answer<ClusterView>, Problem> {
    let JoinBody { node, peer, api: address } = body;
    let (asked, act) = (asker.asked()?, Act::Join { node, peer: peer.clone() });
    // It is repeated until the newcomer has caught up: one record is enough.
    if !api.node().is_member(node) {
        api.note(&asked, act.clone(), None).await?;
    }
    let joining = api.node().join(node, Peer { peer: peer.clone(), api: address });
    let Ok(joined) = timeout(JOIN_WAIT, joining).await else { return Err(catching_up(node, &peer)) };
    changed(api, &asked, act, joined).await
}

/// The members after a change of them; or why there was none, which is put on record.
async fn changed(
    api: Api,
    asked: &Asked,
    act: Act,
    result: Result<(), MemberError>,
) -> Result<Answer<ClusterView>, Problem> {
    match result {
        Ok(()) => Ok(show(State(api)).await),
        Err(error) => Err(api.note_refusal(asked, act, error).await),
    }
}

/// A replica that leaves.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "node": 2 })))]
pub struct LeaveBody {
    /// Its number.
    #[schema(value_type = u64)]
    node: NodeId,
}

/// `POST /v1/cluster/leave`: a replica votes no longer, and is no member. Safe to repeat.
#[utoipa::path(post, path = "/v1/cluster/leave", operation_id = "leave_cluster", tag = "cluster", request_body = LeaveBody,
    responses((status = 200, body = ClusterView), (status = 409, description = "members-unchanged, quorum-at-risk")))]
pub async fn leave(
    State(api): State<Api>,
    asker: Asker,
    Json(body): Json<LeaveBody>,
) -> Result<Answer<ClusterView>, Problem> {
    let (asked, act) = (asker.asked()?, Act::Leave { node: body.node });
    api.note(&asked, act.clone(), None).await?;
    let left = api.node().leave(body.node).await;
    changed(api, &asked, act, left).await
}

/// A replica that takes the place of another.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "node": 2, "with": 4, "peer": "10.0.0.12:7300", "api": "10.0.0.12:7400" })))]
pub struct ReplaceBody {
    /// The number of the one that goes.
    #[schema(value_type = u64)]
    node: NodeId,
    /// The number of the one that comes: never one that was used before.
    #[schema(value_type = u64)]
    with: NodeId,
    /// `host:port` where other replicas reach it.
    peer: String,
    /// `host:port` where clients reach it.
    api: String,
}

/// `POST /v1/cluster/replace`: a new replica learns, and when it has caught up, one change gives it the vote of another, which is no member
/// any more. Safe to repeat, until the answer is 200.
#[utoipa::path(post, path = "/v1/cluster/replace", operation_id = "replace_replica", tag = "cluster", request_body = ReplaceBody,
    responses((status = 200, body = ClusterView), (status = 409, description = "members-unchanged, quorum-at-risk"), (status = 503, description = "catching-up")))]
pub async fn replace(
    State(api): State<Api>,
    asker: Asker,
    Json(body): Json<ReplaceBody>,
) -> Result<Answer<ClusterView>, Problem> {
    let ReplaceBody { node, with, peer, api: address } = body;
    let (asked, act) = (asker.asked()?, Act::Leave { node });
    if !api.node().is_member(with) {
        api.note(&asked, Act::Join { node: with, peer: peer.clone() }, None).await?;
        api.note(&asked, act.clone(), None).await?;
    }
    let replacing = api.node().replace(node, with, Peer { peer: peer.clone(), api: address });
    let Ok(replaced) = timeout(JOIN_WAIT, replacing).await else { return Err(catching_up(with, &peer)) };
    changed(api, &asked, act, replaced).await
}

/// A replica that an operator works on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "node": 2, "on": true, "actor": "ann", "reason": "a new disk" })))]
pub struct MaintenanceBody {
    /// Its number.
    #[schema(value_type = u64)]
    node: NodeId,
    /// Whether it is in maintenance from now on.
    on: bool,
    /// Who says so.
    #[serde(default)]
    #[schema(max_length = 100)]
    actor: Option<String>,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 200)]
    reason: Option<String>,
}

/// `POST /v1/cluster/maintenance`: a replica hands leadership over and is not in charge until its maintenance ends. It goes on voting and
/// keeping the log, and remembers it over restarts. Safe to repeat.
#[utoipa::path(post, path = "/v1/cluster/maintenance", operation_id = "set_maintenance", tag = "cluster", request_body = MaintenanceBody,
    responses((status = 200, body = ClusterView), (status = 409, description = "members-unchanged, nobody-else")))]
pub async fn maintenance(
    State(api): State<Api>,
    asker: Asker,
    Json(body): Json<MaintenanceBody>,
) -> Result<Answer<ClusterView>, Problem> {
    let MaintenanceBody { node, on, actor, reason } = body;
    let said = Word { actor, reason };
    // On record as leadership that moves, which replicas of every version read; `change` says what for.
    let change = format!("maintenance of node {node} {}", if on { "begins" } else { "ends" });
    let (asked, act) = (Asked { change, ..asker.says(&said)? }, Act::Transfer { to: None });
    api.note(&asked, act.clone(), None).await?;
    match api.node().set_maintenance(node, on).await {
        Ok(()) => Ok(show(State(api)).await),
        Err(error) => Err(api.note_refusal(&asked, act, error).await),
    }
}

fn catching_up(node: NodeId, peer: &str) -> Problem {
    let detail = format!("node {node} has not caught up, or does not answer at {peer}: repeat this until it has");
    Problem::new(Kind::CatchingUp, detail)
}

impl Api {
    /// Puts on record what is about to be done to the cluster, before it is: nothing is done without.
    async fn note(&self, asked: &Asked, act: Act, refused: Option<String>) -> Result<(), Problem> {
        self.write(asked.clone(), Command::NoteAct { act, refused }).await.map(drop)
    }

    /// Puts on record that it was not done after all, as far as this replica still can.
    async fn note_refusal<E: ToString + Into<Problem>>(&self, asked: &Asked, act: Act, error: E) -> Problem {
        let refused = Some(error.to_string().chars().take(REFUSAL_LENGTH_MAX).collect());
        if let Err(problem) = self.note(asked, act, refused).await {
            tracing::warn!(?problem, actor = asked.actor, "A refusal is not in the audit log: {problem:?}");
        }
        error.into()
    }
}
