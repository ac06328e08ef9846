// The wall: the line and the orders in type that is read from two metres, and nothing that needs a hand. What it can't show whole it counts.

import { ahead, idPizzas } from "./line.js";
import { h } from "./dom.js";
import { left, store } from "./store.js";
import { amount, clock, countdown, plain, tone } from "./words.js";

const KINDS = ["robot.before_oven", "oven", "robot.after_oven", "human", "camera"];
const TILES_MAX = 20, READY_MAX = 4;
/** A column of a screen of 1280 x 800 takes so many lines of this size. */
const LINES = 8;
const SHORT = { QUARANTINED: "out", MAINTENANCE: "service", SUSPECT: "silent?" };

export function wall() {
  if (!store.devices) return [h("p.wall-word", {}, "Asking the replica…")];
  const pizzas = idPizzas();
  const here = store.devices.filter(d => d.standing !== "RETIRED").sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
  // A camera that works needs nobody's eye.
  const shown = here.filter(d => d.kind !== "camera" || tone(d.state) === "bad");
  const columns = shown.length > 12 ? 4 : shown.length > 4 ? 3 : 2;
  return [
    h("section.wall-line", { "aria-label": "The line", class: `columns-${columns}` }, shown.slice(0, TILES_MAX).map(d => tile(d, pizzas)),
      shown.length > TILES_MAX && h("p.wall-word", { key: "more" }, `and ${shown.length - TILES_MAX} more`)),
    h("section.wall-orders", { "aria-label": "Orders" }, questions(), ready(), next()),
  ];
}

/** A device: its name, and the one thing about it that matters now. */
function tile(d, pizzas) {
  const word = d.state === "SUSPENDED" ? (d.kind === "human" ? "away" : "by hand") : SHORT[d.state] ?? plain(d.state);
  const bad = ["bad", "warn"].includes(tone(d.state)), slots = d.lanes.filter(l => l.content || l.attempts.length).slice(0, 2);
  return h("article.tile", { key: d.id, class: tone(d.state) }, h("span.tile-name", {}, d.id),
    ...(bad ? [h("b.tile-word", { key: "state" }, word)]
      : slots.length ? slots.map(l => doing(d, l, pizzas)) : [h("b.tile-word.soft", { key: "state" }, "free")]));
}

function doing(d, l, pizzas) {
  const attempt = /^(\S+?)-(.+)#/.exec(l.attempts[0] ?? ""), pizza = pizzas.get(l.content ?? attempt?.[1]);
  if (d.kind === "oven" && pizza?.baked_in_ms !== undefined) {
    const done = ahead(pizza, pizza.baked_in_ms);
    if (done > 0) return h("div", { key: l.lane }, h("b.tile-count", {}, clock(done)), h("span.tile-what", {}, pizza.recipe));
    const burns = ahead(pizza, pizza.burns_in_ms ?? pizza.baked_in_ms);
    return h("div.bad", { key: l.lane }, h("b.tile-count", {}, countdown(burns)), h("span.tile-what", {}, "take it out"));
  }
  const step = l.incident ? `question ${l.incident}` : attempt ? attempt[2].split("-")[0] : "holds";
  return h("div", { key: l.lane }, h("b.tile-word", {}, step), h("span.tile-what", {}, pizza?.recipe ?? ""));
}

/** What waits for a person: he answers it at a tablet. */
function questions() {
  const n = (store.incidents ?? []).length;
  return n > 0 && h("p.wall-question", { key: "questions" }, amount(n, "question"), " wait".concat(n === 1 ? "s" : ""));
}

function ready() {
  const all = store.handout ?? [];
  return h("div", { key: "ready" }, h("h2", {}, "Ready", h("small.soft", {}, all.length ? ` ${all.length}` : "")),
    all.length ? h("ul.wall-ready", {}, all.slice(0, READY_MAX).map(o => h("li", { key: o.id }, o.id))) : h("p.wall-word.soft", {}, "nothing"));
}

/** How many lines are left for what is due: ready orders with short names stand side by side. */
function lines() {
  const ready = (store.handout ?? []).slice(0, READY_MAX), side = ready.some(o => o.id.length > 8) ? 1 : 2;
  return LINES - Math.max(1, Math.ceil(ready.length / side)) - ((store.incidents ?? []).length > 0 ? 1 : 0);
}

/** The orders that are due first; late ones first of all. */
function next() {
  const open = [...(store.open ?? [])].sort((a, b) => a.promised_in_ms - b.promised_in_ms);
  const more = (store.kitchen?.open_orders ?? open.length) - Math.min(open.length, lines());
  const row = o => {
    const due = left(o.promised_in_ms, "open"), packed = o.pizzas.filter(p => p.state === "PACKED").length;
    return h("li", { key: o.id, class: due < 0 ? "bad" : "" }, h("b", {}, o.id), h("span.soft", {}, `${packed}/${o.items.length}`), h("span.due", {}, due < 0 ? `−${clock(-due)}` : clock(due)));
  };
  return h("div", { key: "next" }, h("h2", {}, "Due next"), h("ul.wall-next", {}, open.slice(0, lines()).map(row)), more > 0 && h("p.soft", {}, `and ${more} more`));
}
