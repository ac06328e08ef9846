// The replicas, who is in charge and was, and how the kitchen stands with the main backend.

import { may } from "./access.js";
import { transfer } from "./actions.js";
import { h } from "./dom.js";
import { isMember, link } from "./link.js";
import { left, since, store } from "./store.js";
import { amount, clock, plain, tone } from "./words.js";

export function cluster() {
  const c = store.cluster, charge = store.kitchen?.in_charge;
  if (!c) return [];
  return [
    h("p", {}, charge ? [h("b", {}, `Replica ${charge.node} is in charge`), ` for ${clock(since(charge.since_ms, "kitchen"))}`, h("span.soft", {}, ` · epoch ${charge.epoch}`)]
      : h("b.bad", {}, "Nobody is in charge"), c.leader === null && h("span.bad", {}, " · replica ", c.seen_by, " knows no leader")),
    h("table", {}, h("thead", {}, h("tr", {}, ["Replica", "Role", "Behind by", "Answers", ""].map(t => h("th", { scope: "col" }, t)))),
      h("tbody", {}, c.members.map(member))),
    c.storage.low && h("p.bad", {}, "The disk of this replica is nearly full: no new orders."),
    brokers(),
    !isMember() && h("p.warn", {}, `The replicas do not know this page's address, ${location.host}: open it at ${c.members.map(m => m.api).filter(Boolean).join(" or ")} to be led on when this replica dies.`),
    h("h3", {}, "Who took charge, and when"),
    h("ul.plain", {}, store.failovers.map(f => h("li", { key: f.epoch }, h("time", {}, new Date(f.at).toLocaleTimeString()), ` replica ${f.node} `, h("small.soft", {}, `epoch ${f.epoch}`)))),
    ...backend(),
  ].filter(Boolean);
}

function member(m) {
  const ready = store.ready.get(m.node), role = store.cluster.leader === m.node ? "leader" : m.role;
  const lag = store.led?.members?.find(x => x.node === m.node)?.lag;
  const reads = store.cluster.seen_by === m.node ? " · this page reads here" : "";
  const answer = ready ? h("span.good", {}, "ready") : ready === false ? h("span.warn", {}, "not ready") : isMember() ? h("span.bad", {}, "no answer") : h("span.soft", {}, "not asked");
  return h("tr", { key: m.node }, h("td", {}, h("b", {}, String(m.node)), " ", h("small.soft", {}, m.api ?? "")), h("td", { class: ready === null ? "soft" : tone(role) }, role),
    h("td", { class: lag > 100 ? "bad" : "" }, lag === undefined || lag === null ? "?" : amount(lag, "entry", "entries")), h("td", {}, answer, h("small.soft", {}, reads)),
    h("td", {}, role !== "leader" && may("/v1/cluster/transfer") && h("button.quiet", { onclick: () => transfer(m.node), "aria-label": `hand leadership over to replica ${m.node}` }, "Hand over")));
}

/** Only the replica in charge speaks of its brokers. */
function brokers() {
  const all = store.led?.tenure?.brokers ?? [], away = all.filter(b => !b.connected);
  return all.length > 0 && h("p.soft", {}, `Brokers: ${all.length - away.length} of ${all.length} connected`, away.length > 0 && h("span.bad", {}, ` · away: ${away.map(b => b.url).join(", ")}`));
}

function backend() {
  const k = store.kitchen, b = k?.backend;
  if (!b) return [];
  const lease = left(b.lease_left_ms, "kitchen");
  return [h("h3", {}, "The main backend"),
    h("p", {}, lease > 0 ? [h("b.good", {}, clock(lease)), " of the lease left"] : h("b.bad", {}, "The lease is over: its orders are not begun"),
      ` · ${amount(k.feed_waiting, "outcome")} waiting · configuration ${b.configuration}`),
    b.configuration_refused && h("p.warn", {}, `Refused of it: ${b.configuration_refused}`),
    b.outcomes_dropped > 0 && h("p.bad", {}, `${b.outcomes_dropped} outcomes were dropped: look after the link`)];
}

/** How the page itself is linked. */
export function linked() {
  const for_ms = performance.now() - link.since, old = performance.now() - store.readAt;
  if (link.state === "live" && old < 4_000) return h("span.pill.good", { title: link.at }, `live · replica ${store.cluster?.seen_by ?? "…"}`);
  return h("span.pill.bad", {}, `${plain(link.state)} · ${clock(Math.max(for_ms, old))}`);
}
