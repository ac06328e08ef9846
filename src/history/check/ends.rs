//! Invariant 3: every accepted order ends in exactly one terminal state, and delivers at most one pizza for each item; a READY one
//! delivers exactly one. Invariant 8: it ends. A run that is judged has mended everything, and looked at each order last.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{Answer, Ask, Call, History, calls};

/// What is known of an order.
#[derive(Default)]
struct Order {
    number: u64,
    items: usize,
    /// The line that accepted it.
    accepted: usize,
    /// The end that was seen, and where.
    end: Option<(String, usize)>,
    /// The line of the last look at it.
    seen: usize,
}

/// Compares what clients were told with what devices packed.
pub(super) fn ends_once(history: &History) -> Result<(), Violation> {
    let orders = orders(history)?;
    let delivered = delivered(history)?;
    orders.iter().try_for_each(|(id, order)| judge_order(id, order, &delivered))
}

/// Looks for orders that were accepted and not seen to end.
pub(super) fn all_end(history: &History) -> Result<(), Violation> {
    // Who ends twice is told by the other check.
    let orders = orders(history).unwrap_or_default();
    let open = orders.iter().find(|(_, order)| order.accepted > 0 && order.end.is_none());
    open.map_or(Ok(()), |(id, order)| {
        Err(Violation::new(format!("order {id} was accepted and not seen to end"), [order.accepted, order.seen]))
    })
}

fn orders(history: &History) -> Result<BTreeMap<String, Order>, Violation> {
    let mut orders: BTreeMap<String, Order> = BTreeMap::new();
    for call in calls(history) {
        take(&mut orders, &call)?;
    }
    Ok(orders)
}

fn take(orders: &mut BTreeMap<String, Order>, call: &Call<'_>) -> Result<(), Violation> {
    let (Some(answer), Some(line)) = (call.answer, call.answer_line) else { return Ok(()) };
    match (call.ask, answer) {
        (Ask::Place { order, items }, Answer::Placed { number, .. }) => {
            let known = orders.entry(order.clone()).or_default();
            (known.number, known.items, known.seen) = (*number, items.len(), line.max(known.seen));
            known.accepted = if known.accepted == 0 { line } else { known.accepted };
        }
        (Ask::Show { order, stale: false }, Answer::Shown { status, .. }) => {
            let known = orders.entry(order.clone()).or_default();
            known.seen = line;
            if let Some(end) = end_of(status) {
                let before = known.end.get_or_insert((end.to_owned(), line));
                if before.0 != end {
                    let why = format!("order {order} ended {} and {end}", before.0);
                    return Err(Violation::new(why, [before.1, line]));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// COLLECTED is a READY order that was handed out.
fn end_of(status: &str) -> Option<&str> {
    match status {
        "READY" | "COLLECTED" => Some("READY"),
        "CANCELLED" | "FAILED" | "RETURNED" => Some(status),
        _ => None,
    }
}

/// The line that packed each item. A camera may reject a packed one; that one counts for nothing.
fn delivered(history: &History) -> Result<BTreeMap<(u64, u32), usize>, Violation> {
    let rejected: Vec<&str> =
        history.devices().filter(|(_, f)| f.event == "rejected").filter_map(|(_, f)| f.pizza.as_deref()).collect();
    let mut delivered = BTreeMap::new();
    for (line, fact) in history.devices().filter(|(_, fact)| fact.event == "packed") {
        let (Some(item), Some(pizza)) = (fact.item(), fact.pizza.as_deref()) else { continue };
        if rejected.contains(&pizza) {
            continue;
        }
        if let Some(before) = delivered.insert(item, line) {
            let why = format!("item {} of order number {} was delivered twice", item.1, item.0);
            return Err(Violation::new(why, [before, line]));
        }
    }
    Ok(delivered)
}

fn judge_order(id: &str, order: &Order, delivered: &BTreeMap<(u64, u32), usize>) -> Result<(), Violation> {
    let Some((end, line)) = order.end.as_ref().filter(|_| order.accepted > 0) else { return Ok(()) };
    let missing = (0..order.items as u32).find(|item| !delivered.contains_key(&(order.number, *item)));
    match missing.filter(|_| end == "READY") {
        Some(item) => Err(Violation::new(format!("order {id} is READY and its item {item} was not packed"), [*line])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{call, did, history, place, placed, show, shown};
    use crate::history::{DeviceFact, Fact};

    fn packed(t_ms: u64, pizza: &str) -> Fact {
        Fact::Device(did(t_ms, "robot3", "packed", pizza))
    }

    fn story(middle: impl IntoIterator<Item = Fact>, end: &str) -> History {
        let begin = call(1, 1, 2, place("quick"), placed(true));
        history(begin.into_iter().chain(middle).chain(call(2, 98, 99, show(), shown(end))))
    }

    #[test]
    fn an_order_that_is_packed_once_and_ends_is_fine() {
        assert_eq!(ends_once(&story([packed(5, "5.0.0")], "READY")), Ok(()));
        assert_eq!(ends_once(&story([], "CANCELLED")), Ok(()));
        let rejected = Fact::Device(DeviceFact { ..did(6, "camera3", "rejected", "5.0.0") });
        assert_eq!(ends_once(&story([packed(5, "5.0.0"), rejected, packed(7, "5.0.1")], "READY")), Ok(()));
    }

    #[test]
    fn an_order_that_does_not_end_is_found() {
        assert_eq!(all_end(&story([], "IN_PROGRESS")).unwrap_err().lines, vec![2, 4]);
        assert_eq!(all_end(&story([], "CANCELLED")), Ok(()));
    }

    #[test]
    fn an_order_that_ends_twice_is_found() {
        let earlier = call(9, 50, 51, show(), shown("CANCELLED"));
        assert!(ends_once(&story(earlier.into_iter().chain([packed(5, "5.0.0")]), "READY")).is_err());
    }

    #[test]
    fn an_item_that_is_delivered_twice_or_never_is_found() {
        let twice = ends_once(&story([packed(5, "5.0.0"), packed(6, "5.0.1")], "READY")).unwrap_err();
        assert_eq!(twice.lines, vec![3, 4]);
        assert!(ends_once(&story([], "READY")).unwrap_err().why.contains("not packed"));
    }
}
