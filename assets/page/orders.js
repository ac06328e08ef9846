// Orders: open ones with age and promise, those to be handed out, those that lately ended; and the questions to people.

import { may } from "./access.js";
import { cancelOrder, decide, handOut, remake } from "./actions.js";
import { h } from "./dom.js";
import { link } from "./link.js";
import { left, since, store } from "./store.js";
import { amount, capital, clock, plain, tone } from "./words.js";

/** Less than this until the promise is a warning. */
const SOON_MS = 120_000;
const age = o => Date.now() + link.skew - Date.parse(o.placed_at);

const stage = { QUEUED: "", PREPPING: "prep", PREPPED: "prep", LOADING: "oven", BAKING: "oven", BAKED: "oven", UNLOADING: "finish", UNLOADED: "finish",
  SHELVED: "finish", FINISHING: "finish", FINISHED: "finish", PACKED: "packed", UNCERTAIN: "lost", DISCARDED: "lost" };

/** A pizza. What is begun can be called bad by who may do that: its name is a button then. */
const chip = (p, o) => h("li.chip", { key: p.id, class: stage[p.state], title: `pizza ${p.id}` },
  p.state !== "QUEUED" && may(`/v1/pizzas/${p.id}/remake`) ? h("button.name", { onclick: () => remake(p, o), "aria-label": `${p.recipe}, ${plain(p.state)}: it is bad, make it again` }, p.recipe) : h("b", {}, p.recipe), " ", plain(p.state),
  p.waits_for && ` · waits for ${p.waits_for.replaceAll("-", " ")}`, p.incident && ` · question ${p.incident}`);

/** Open orders: late ones first, then those that are begun, then as they were placed. */
export function orders() {
  if (!store.open) return [];
  const rank = o => (left(o.promised_in_ms, "open") < 0 ? 0 : o.status === "ACCEPTED" ? 2 : 1);
  const open = [...store.open].sort((a, b) => rank(a) - rank(b) || a.number - b.number);
  const more = (store.kitchen?.open_orders ?? 0) - open.length;
  return [h("ul.orders", {}, open.map(order)), more > 0 && h("p.soft", {}, `and ${more} more, placed later`), !open.length && h("p.soft", {}, "No open orders.")].filter(Boolean);
}

function order(o) {
  const promise = left(o.promised_in_ms, "open"), late = promise < 0;
  return h("li.order", { key: o.id, class: late ? "bad" : promise < SOON_MS ? "warn" : "" },
    h("div.row", {}, h("b.id", {}, o.id), o.source !== "local" && o.source !== "LOCAL" && h("small.soft", {}, plain(o.source)), o.priority !== 0 && h("small.warn", {}, `priority ${o.priority}`),
      h("span.soft", {}, `age ${clock(Math.max(0, age(o)))}`),
      h("span.promise", {}, late ? `late by ${clock(-promise)}` : `${clock(promise)} left`),
      may(`/v1/orders/${o.id}/cancellation`) && h("button.quiet", { onclick: () => cancelOrder(o), "aria-label": `cancel order ${o.id}` }, "Cancel")),
    h("ul.chips", {}, o.pizzas.map(p => chip(p, o))),
    o.discarded.length > 0 && h("small.warn", {}, `made again: ${o.discarded.map(d => plain(d.reason)).join(", ")}`));
}

/** Orders that are ready, the one that waits longest first. */
export function ready() {
  if (!store.handout) return [];
  if (!store.handout.length) return [h("p.soft", {}, "Nothing to hand out.")];
  return [h("ul.handouts", {}, store.handout.map(o => h("li", { key: o.id },
    h("button.handout", { disabled: !may(`/v1/orders/${o.id}/collection`), onclick: () => handOut(o), "aria-label": `hand out order ${o.id}` }, h("b", {}, o.id), h("span", {}, amount(o.items.length, "pizza")),
      h("small.soft", {}, `ready for ${clock(Math.max(0, Date.now() + link.skew - Date.parse(o.ended_at)))}`)))))];
}

/** What lately ended. */
export function ended() {
  if (!store.ended) return [];
  const row = o => h("tr", { key: o.id }, h("td", {}, o.id), h("td", { class: tone(o.status) }, plain(o.status)), h("td", {}, amount(o.items.length, "pizza")),
    h("td", {}, clock(o.took_ms ?? 0)), h("td", { class: o.late_ms > 0 ? "bad" : "" }, o.late_ms > 0 ? `late by ${clock(o.late_ms)}` : `${clock(-(o.late_ms ?? 0))} early`), h("td", {}, o.reason ?? ""));
  return [h("table", {}, h("thead", {}, h("tr", {}, ["Order", "Status", "Pizzas", "Took", "Promise", "Reason"].map(t => h("th", { scope: "col" }, t)))), h("tbody", {}, store.ended.map(row)))];
}

/** Open questions, and devices that failed too often. */
export function incidents() {
  const open = store.incidents ?? [], failed = (store.escalations ?? []).filter(e => since(e.ago_ms, "escalations") < 3_600_000).slice(-5).reverse();
  return [...open.map(question), ...failed.map(escalation)];
}

function question(i) {
  const itself = i.decides_itself_in_ms;
  return h("article.question", { key: i.id },
    h("p", {}, h("b", {}, capital(plain(i.kind))), " ", h("span.soft", {}, `question ${i.id}, for ${clock(since(i.raised_ago_ms, "incidents"))}`,
      itself !== undefined && ` · answers itself the safe way in ${clock(Math.max(0, left(itself, "incidents")))}`)),
    h("p.text", { role: "alert" }, i.question),
    h("div.row", {}, i.decisions.map(d => h("button.main", { key: d, disabled: !may(`/v1/incidents/${i.id}/decision`), onclick: () => decide(i, d) }, capital(plain(d))))));
}

const escalation = e => h("p.escalation", { key: `e${e.id}` }, h("b.warn", {}, e.device), ` failed ${amount(e.failures, "time")} within ${Math.round(e.within_ms / 1000)} s, ${clock(since(e.ago_ms, "escalations"))} ago`);
