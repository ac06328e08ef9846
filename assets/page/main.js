// Starts the page, and draws it: at most ten times a second, however many events come, and four times when none do, as countdowns run.

import { access, may, who } from "./access.js";
import { aboutKitchen, aboutZones } from "./actions.js";
import { rate } from "./chart.js";
import { cluster, linked } from "./cluster.js";
import { h, patch } from "./dom.js";
import { line, summary } from "./line.js";
import { follow, link } from "./link.js";
import { ended, incidents, orders, ready } from "./orders.js";
import { listeners, pump, sample, store, told, whence } from "./store.js";
import { wall } from "./wall.js";
import { plain } from "./words.js";

const at = id => document.getElementById(id);
const DRAW_MS = 100;
const OLD_MS = 5_000;

/** For tests and for who looks after the page: what came, what was drawn, and how far the drawing was behind the kitchen's clock. */
const counts = (globalThis.brigade = { link, store, draws: 0, behindMs: 0, drawMs: 0 });

let waits = false;
let drawn = -Infinity;

/** Something changed: it is drawn with whatever else changes until the next frame that may be drawn. */
function changed() {
  if (waits) return;
  waits = true;
  setTimeout(() => requestAnimationFrame(draw), Math.max(0, drawn + DRAW_MS - performance.now()));
}

function draw() {
  waits = false;
  drawn = performance.now();
  patch(at("head"), head());
  fault();
  if (view() === "wall") patch(at("wall"), wall());
  else drawPage();
  counts.draws += 1;
  counts.drawMs = performance.now() - drawn;
}

function drawPage() {
  const questions = incidents();
  at("people").hidden = questions.length === 0 && !isTablet();
  patch(at("incidents"), questions.length ? questions : [h("p.soft", {}, "No open questions.")]);
  patch(at("ready"), ready());
  if (!isTablet()) {
    patch(at("line"), line());
    patch(at("orders"), orders());
    patch(at("rate"), rate());
    patch(at("cluster"), cluster());
    patch(at("ended"), ended());
  }
}

/** How it is shown: whole, for hands at a tablet, or for eyes at a wall. `?view=wall` is for screens that can't be told a fragment. */
const view = () => (["#tablet", "#wall"].includes(location.hash) ? location.hash.slice(1) : location.hash === "" && new URLSearchParams(location.search).get("view") === "wall" ? "wall" : "whole");
const isTablet = () => view() === "tablet";

const VIEWS = [["whole", "#whole", "Whole page"], ["tablet", "#tablet", "Tablet"], ["wall", "#wall", "Wall"]];

function head() {
  const k = store.kitchen;
  if (!k) return [h("h1", {}, "Brigade"), linked()];
  const zones = [...new Set((store.devices ?? []).map(d => d.zone))].filter(Boolean).sort(), held = k.held_zones.includes("");
  const state = { NORMAL: "good", OUT_OF_ORDER: "bad" }[k.state] ?? "warn";
  return [h("h1", {}, k.kitchen), h("span.pill", { class: state }, plain(k.status).replace("(", " (")), held && h("span.pill.bad", {}, "held"),
    ...k.held_zones.filter(Boolean).map(zone => h("span.pill.bad", {}, `${zone} held`)), h("span", {}, summary()), linked(), who(),
    h("nav.row", { "aria-label": "Kitchen" },
      may("/v1/kitchen/hold") && h("button.danger", { onclick: () => aboutKitchen(held ? "resume" : "hold") }, held ? "Resume all" : "Hold all"),
      may("/v1/kitchen/hold") && zones.length > 0 && h("button", { onclick: () => aboutZones(zones) }, "Zones"),
      may("/v1/kitchen/drain") && h("button", { onclick: () => aboutKitchen(k.draining ? "undrain" : "drain") }, k.draining ? "Take orders again" : "Take no orders"),
      ...VIEWS.filter(([name]) => name !== view()).map(([name, href, text]) => h("a", { key: name, href }, text)))].filter(Boolean);
}

/** What is shown may be old: nobody must act on it without knowing. */
function fault() {
  const old = performance.now() - store.readAt;
  // Who waits for a token knows why nothing comes.
  at("fault").hidden = old < OLD_MS || !access.in;
  document.body.classList.toggle("old", old >= OLD_MS || !access.in);
  // A moment and not a span: what is read aloud must not change each second.
  const when = new Date(Date.now() - old).toLocaleTimeString(), text = `No replica has answered since ${when}: what you see is old. The page goes on by itself.`;
  if (old >= OLD_MS && at("fault").textContent !== text) at("fault").textContent = text;
}

function turn() {
  for (const name of ["tablet", "wall"]) document.body.classList.toggle(name, view() === name);
  changed();
}

listeners.changed = changed;
addEventListener("hashchange", () => { turn(); scrollTo(0, 0); });
turn();
setInterval(changed, 250);
setInterval(pump, 50);
setInterval(sample, 5_000);
follow({ whence, told: entry => { told(entry); counts.behindMs = Date.now() + link.skew - Date.parse(entry.at); pump(); } });
