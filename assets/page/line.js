// The line, from left to right as a pizza goes: robots before the oven, ovens with their countdowns, robots after it, cameras, people.

import { aboutDevice } from "./actions.js";
import { h } from "./dom.js";
import { left, since, store } from "./store.js";
import { amount, clock, countdown, plain, tone } from "./words.js";

const STAGES = [
  ["robot.before_oven", "Before the oven", "prep"],
  ["oven", "Ovens", "bake"],
  ["robot.after_oven", "After the oven", "finish"],
  ["camera", "Cameras", "inspect"],
  ["human", "People", null],
];

/** The whole line. */
export function line() {
  if (!store.devices) return [h("p.soft", {}, "Asking the replica…")];
  const pizzas = idPizzas();
  const stages = STAGES.map(([kind, title, stage]) => [kind, title, stage, store.devices.filter(d => d.kind === kind && d.standing !== "RETIRED")]);
  return [h("div.line", {}, stages.filter(([, , , devices]) => devices.length).map(([kind, title, stage, devices]) =>
    h("section.stage", { key: kind, "aria-label": title, class: kind.replace(".", "-") },
      h("h3", {}, title, " ", h("small", {}, up(stage), waiting(kind))),
      h("div.devices", {}, devices.map(d => device(d, pizzas))))))];
}

/** The pizzas of the orders that were read, and those that were read by themselves. */
export const idPizzas = () => new Map([...store.pizzas, ...(store.open ?? []).flatMap(o => o.pizzas.map(p => [p.id, p]))]);

function up(stage) {
  const capacity = store.kitchen?.capacity[stage];
  return capacity && h("span", { class: capacity.up < capacity.of ? "bad" : "" }, `${capacity.up} of ${capacity.of} up`);
}

/** How many pizzas wait in front of a stage. */
function waiting(kind) {
  const n = store.kitchen?.pizzas[{ "robot.before_oven": "QUEUED", "robot.after_oven": "SHELVED" }[kind]];
  return n ? ` · ${n} wait` : null;
}

function device(d, pizzas) {
  const why = store.why.get(d.id);
  const idle = why && why.reason !== "working" && why.text;
  return h("article.device", { key: d.id, class: `${tone(d.state)} ${d.kind === "camera" ? "small" : ""}` },
    h("button.device-name", { onclick: () => aboutDevice(d), "aria-label": `${d.id}, ${plain(d.state)}: what is to be done with it` },
      h("b", {}, d.id), h("span.state", {}, plain(d.state)), d.zone && h("small.soft", {}, d.zone)),
    d.lanes.filter(l => l.content || l.attempts.length || l.incident).map(l => lane(d, l, pizzas)),
    d.errors.length > 0 && h("p.bad", {}, d.errors.join(", ")),
    quarantine(d),
    idle && h("p.why", {}, why.text));
}

function quarantine(d) {
  if (!d.quarantine) return d.recovery !== "READY" && h("p.warn", {}, `comes back: ${plain(d.recovery)}`);
  const ends = d.quarantine.ends_in_ms;
  return h("p.bad", {}, ends === null ? "quarantined until it is released" : `quarantined for ${clock(Math.max(0, left(ends, "devices")))}`);
}

function lane(d, l, pizzas) {
  const several = d.lanes.length > 1 && h("small.soft", {}, `${d.kind === "oven" ? "slot" : "lane"} ${l.lane} `);
  if (l.incident) return h("p.bad", { key: l.lane }, several, `waits for the answer to question ${l.incident}`);
  if (l.content === "unknown") return h("p.warn", { key: l.lane }, several, "something lies here");
  const attempt = /^(\S+?)-(.+)#/.exec(l.attempts[0] ?? ""), id = l.content ?? attempt?.[1];
  const pizza = pizzas.get(id);
  const step = attempt ? attempt[2].replaceAll("-", " ") : "holds it";
  return h("div.lane", { key: l.lane }, several,
    h("span.pizza", { title: `pizza ${id}` }, h("b", {}, pizza?.recipe ?? `pizza ${id}`), " ", h("small.soft", {}, pizza?.order ?? "")),
    d.kind === "oven" && pizza?.baked_in_ms !== undefined ? bake(pizza) : h("span.step", {}, step, pizza && duration(pizza, d)));
}

const duration = (pizza, d) => d.kind !== "camera" && ` · ${clock(age(pizza))}`;

/** An oven's slot: how long until it is done, then how long until it burns. */
function bake(pizza) {
  // The window in which it must be taken out begins when it is done.
  const window = store.recipes?.find(r => r.id === pizza.recipe)?.window_ms ?? 1;
  const done = ahead(pizza, pizza.baked_in_ms), burns = ahead(pizza, pizza.burns_in_ms ?? pizza.baked_in_ms + window);
  const whole = Math.max(1, pizza.since_ms + pizza.baked_in_ms);
  if (done > 0) {
    return h("div.bake", {}, h("div.row", {}, h("span.count", {}, countdown(done)), h("span.soft", {}, "to done"), h("span.soft.burns", {}, `burns in ${countdown(burns)}`)), bar(1 - done / whole, "busy"));
  }
  const late = burns < window / 3;
  return h("div.bake", { class: late ? "late" : "done" }, h("span.count", { class: late ? "bad" : "warn" }, countdown(burns)),
    h("span", { class: late ? "bad" : "warn" }, burns > 0 ? " to burning: take it out" : " burnt?"), bar(burns / window, late ? "bad" : "warn"));
}

const bar = (share, colour) => h("div.bar", { class: colour, style: { "--share": Math.min(1, Math.max(0, share)).toFixed(3) } });

// A pizza was read with its order, or by itself.
export const ahead = (pizza, ms) => (pizza.at ? ms - (performance.now() - pizza.at) : left(ms, "open"));
const age = pizza => (pizza.at ? pizza.since_ms + (performance.now() - pizza.at) : since(pizza.since_ms, "open"));

/** One sentence for who can't see the line. */
export const summary = () => store.kitchen && `${amount(store.kitchen.open_orders, "open order")}, ${amount(store.kitchen.open_pizzas, "open pizza")}`;
