//! What the backend answered, as commands for the log.
//!
//! `plan` is a decider: it reads the kitchen and returns what to propose, in this order: configuration first (orders may name its recipes), then
//! the lease with revocations and acknowledgements, then new orders. What comes twice is left out or absorbed by apply.

use futures::future::join_all;

use crate::kitchen::assignment::Followed;
use crate::kitchen::feed::News;
use crate::kitchen::{
    Asked, AssignedOrder, BackendAnswer, Command, Epoch, Kitchen, Millis, OrderId, Recipe, RecipeId, Reply, Settings,
};
use crate::protocol::Id;
use crate::protocol::exchange::{Configuration, ExchangeAnswer, Held};
use crate::raft::RaftNode;

/// What to propose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Recipes and settings, each with its name.
    pub configuration: Vec<(String, Result<Command, String>)>,
    /// The rest but the orders; none if nothing in it is new.
    pub follow: Option<BackendAnswer>,
    /// Orders that are not here yet.
    pub orders: Vec<AssignedOrder>,
}

/// Why an answer was not followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It claims to answer a question from the future.
    #[error("it answers a question of {as_of} ms, and it is {now} ms now")]
    FromTheFuture {
        /// The answer's.
        as_of: Millis,
        /// The kitchen's time.
        now: Millis,
    },
    /// The log took it not, or not in time: the next exchange repeats it.
    #[error("an entry did not go through: {0}")]
    Log(#[from] crate::raft::ProposeError),
}

/// Follows an answer, under the epoch of the node in charge. What it changes is on record as asked for by the main backend.
pub async fn heed(
    node: &RaftNode,
    epoch: Epoch,
    margin_ms: Millis,
    asked: &Asked,
    answer: ExchangeAnswer,
) -> Result<(), Error> {
    let now = node.now();
    if answer.as_of > now {
        return Err(Error::FromTheFuture { as_of: answer.as_of, now });
    }
    let plan = node.with_kitchen(|kitchen| plan(kitchen, &answer, margin_ms));
    let mut refused = Vec::new();
    for (name, command) in plan.configuration {
        let said = match command {
            Ok(command) => match node.propose_for(asked.clone(), command, None).await?.reply {
                Reply::Refused(refusal) => Some(refusal.to_string()),
                Reply::Done | Reply::Unchanged | Reply::Placed { .. } | Reply::InCharge { .. } => None,
            },
            Err(why) => Some(why),
        };
        refused.extend(said.map(|why| format!("{name}: {why}")));
    }
    if let Some(mut follow) = plan.follow {
        if let Some(followed) = &mut follow.configuration {
            followed.refused = (!refused.is_empty()).then(|| refused.join("; ").chars().take(500).collect());
        }
        node.propose(Command::FollowBackend(follow), Some(epoch)).await?;
    }
    let take = |order| node.propose_for(asked.clone(), Command::TakeAssignment(order), Some(epoch));
    let orders = plan.orders.into_iter().map(take);
    for placed in join_all(orders).await {
        placed?;
    }
    Ok(())
}

/// What an answer means for this kitchen.
pub fn plan(kitchen: &Kitchen, answer: &ExchangeAnswer, margin_ms: Millis) -> Plan {
    let is_here = |order: &Id, assignment: u64| {
        order_id(order).and_then(|id| kitchen.order(&id)).is_some_and(|o| o.is_assigned(assignment))
    };
    // What is told already is under way to the backend: it has not heard yet that the order ended, or went back.
    let is_told = |order: &Id, number: u64| {
        let same = |news: &News| match news {
            News::Order { order: id, assignment, .. } => id.as_str() == order.as_str() && *assignment == number,
            News::Starting { .. } | News::Kitchen { .. } | News::Escalation { .. } => false,
        };
        kitchen.feed().any(|o| same(&o.news))
    };
    let is_new = |order: &Id, number: u64| !is_here(order, number) && !is_told(order, number);
    let assigned = answer.assignments.iter().filter(|a| is_new(&a.order, a.assignment));
    let orders: Vec<AssignedOrder> = assigned
        .filter_map(|a| {
            let items: Option<Vec<RecipeId>> = a.items.iter().map(|item| item.as_str().parse().ok()).collect();
            let (id, items) = (order_id(&a.order)?, items?);
            Some(AssignedOrder { id, assignment: a.assignment, items, priority: a.priority, promise_ms: a.promise_ms })
        })
        .collect();
    let configuration = answer.configuration.as_ref();
    let configuration = configuration.filter(|c| c.version > kitchen.meta().backend.configuration.version);
    Plan {
        configuration: configuration.map(|c| commands(kitchen, c)).unwrap_or_default(),
        follow: follow(kitchen, answer, margin_ms, configuration, !orders.is_empty()),
        orders,
    }
}

/// None when it would change nothing: an idle kitchen writes no entry for an exchange.
fn follow(
    kitchen: &Kitchen,
    answer: &ExchangeAnswer,
    margin_ms: Millis,
    configuration: Option<&Configuration>,
    has_new: bool,
) -> Option<BackendAnswer> {
    let here = |held: &Held| {
        let id = order_id(&held.order)?;
        kitchen.order(&id).filter(|o| o.is_assigned(held.assignment)).map(|_| (id, held.assignment))
    };
    let cancelled = answer.cancellations.iter().filter_map(|c| {
        let (id, number) = here(&Held { order: c.order.clone(), assignment: c.assignment })?;
        Some((id, number, c.reason.chars().take(200).collect()))
    });
    let standing = &kitchen.meta().backend;
    let follow = BackendAnswer {
        lease_until: answer.as_of + answer.lease_ms.saturating_sub(margin_ms),
        acknowledged: answer.acknowledged,
        logged: answer.logs_acknowledged.filter(|index| *index > standing.logged),
        revoked: answer.revoked.iter().filter_map(here).collect(),
        cancelled: cancelled.collect(),
        configuration: configuration.map(|c| Followed { version: c.version, refused: None }),
    };
    let waits = has_new || kitchen.orders().any(crate::kitchen::Order::is_returnable);
    let renews = waits && follow.lease_until > standing.lease_until;
    let acknowledges = kitchen.feed().next().is_some_and(|o| o.number <= follow.acknowledged);
    let says = follow.logged.is_some() || follow.configuration.is_some();
    let ends = !follow.revoked.is_empty() || !follow.cancelled.is_empty();
    (renews || acknowledges || says || ends || !standing.known).then_some(follow)
}

fn order_id(id: &Id) -> Option<OrderId> {
    id.as_str().parse().ok()
}

/// A configuration as commands. What can't be understood is told back and changes nothing.
fn commands(kitchen: &Kitchen, configuration: &Configuration) -> Vec<(String, Result<Command, String>)> {
    let mut commands: Vec<_> = configuration
        .recipes
        .iter()
        .map(|(name, body)| (format!("recipe {name}"), recipe(name, body).map(|recipe| Command::PutRecipe { recipe })))
        .collect();
    if !configuration.settings.is_empty() {
        let settings = settings(kitchen.settings(), configuration);
        commands.push(("settings".to_owned(), settings.map(|settings| Command::Configure { settings })));
    }
    commands
}

fn recipe(name: &Id, body: &serde_json::Value) -> Result<Recipe, String> {
    let mut body = body.clone();
    let fields = body.as_object_mut().ok_or("a recipe is a JSON object")?;
    fields.insert("id".to_owned(), name.as_str().into());
    fields.remove("version");
    serde_json::from_value(body).map_err(|error| error.to_string())
}

/// The present settings with what the configuration changes.
fn settings(present: &Settings, configuration: &Configuration) -> Result<Settings, String> {
    let mut all = serde_json::to_value(present).map_err(|error| error.to_string())?;
    let fields = all.as_object_mut().ok_or("settings are a JSON object")?;
    fields.extend(configuration.settings.iter().map(|(name, value)| (name.clone(), value.clone())));
    serde_json::from_value(all).map_err(|error| error.to_string())
}
