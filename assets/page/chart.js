// Efficiency beside the physical limit, and the last hour as two small lines. What was before the page was opened is not known here.

import { h } from "./dom.js";
import { store } from "./store.js";
import { clock } from "./words.js";

const WIDE = 300, HIGH = 56;

export function rate() {
  const k = store.kitchen, r = k?.rate, s = store.statistics;
  if (!k) return [];
  return [
    h("div.figures", {},
      figure(r ? Math.round(r.pizzas_per_hour) : "–", "pizzas an hour", r && `of at most ${Math.round(r.limit_per_hour)}`),
      figure(r ? `${Math.round(r.efficiency_percent)} %` : "–", "of the limit", r && `${r.bottleneck} bound it: one more gives ${Math.round(r.one_more_gives_percent)} %`),
      figure(k.open_pizzas, "open pizzas", k.limit && k.limit.queued_pizzas > 0 && `the queue takes ${clock(k.limit.lower_bound_ms)} at least`),
      s && figure(s.promises.kept, "promises kept", h("span", { class: s.promises.broken ? "bad" : "" }, `${s.promises.broken} broken`)),
      s && figure(s.pizzas_packed, "pizzas packed", `${s.pizzas_discarded} discarded`)),
    h("div.charts", {},
      chart("Pizzas an hour", p => p.made, p => p.limit, "the limit is dashed"),
      chart("Open orders", p => p.open)),
  ];
}

const figure = (n, what, note) => h("div.figure", {}, h("b", {}, String(n)), h("span", {}, what), h("small.soft", {}, note || ""));

function chart(title, value, limit, note) {
  const points = store.history, top = Math.max(1, ...points.map(value), ...(limit ? points.map(limit) : []));
  const span = points.length > 1 ? points.at(-1).at - points[0].at : 0;
  const path = of => points.map((p, i) => `${((i * WIDE) / Math.max(1, points.length - 1)).toFixed(1)},${(HIGH - (of(p) / top) * (HIGH - 4) - 2).toFixed(1)}`).join(" ");
  const now = points.length ? Math.round(value(points.at(-1))) : 0;
  return h("figure", { key: title },
    h("figcaption", {}, h("b", {}, title), h("small.soft", {}, ` the last ${clock(span)}, up to ${Math.round(top)}${note ? `, ${note}` : ""}`)),
    h("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}: ${now} now, at most ${Math.round(top)}` },
      limit && h("polyline", { class: "limit", points: path(limit) }),
      h("polyline", { class: "made", points: path(value) })));
}
