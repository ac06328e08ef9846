// What the page knows of the kitchen. An event only says that something changed: what is shown is always read, from the replica that
// sent the event, so that nothing is reckoned here that the kitchen reckons. Reads are spaced, however many events come.

import { access } from "./access.js";
import { ask, isReady, leave, learn, link } from "./link.js";

export const store = { why: new Map(), pizzas: new Map(), ready: new Map(), failovers: [], history: [], last: null, events: 0, readAt: performance.now() };

/** Called when something is to be drawn again; main.js sets it. */
export const listeners = { changed: () => {} };

const STALE = "consistency=stale";
/** What is read, how soon after an event, how often without one (in ms), and by which events. */
const READS = [
  { name: "kitchen", path: `/v1/kitchen?${STALE}`, gap: 500, idle: 2_000, wakes: /order|pizza|device|kitchen|charge|incident/ },
  { name: "devices", path: `/v1/devices?${STALE}`, gap: 200, idle: 2_000, wakes: /attempt|device|pizza|escalated|kitchen|incident/ },
  { name: "open", path: `/v1/orders?status=open&order=oldest&limit=40&${STALE}`, gap: 300, idle: 5_000, wakes: /order|pizza|incident/ },
  { name: "handout", path: `/v1/orders?status=ready&order=oldest&limit=100&${STALE}`, gap: 1_000, idle: 10_000, wakes: /order/ },
  { name: "ended", path: `/v1/orders?status=ended&limit=12&${STALE}`, gap: 1_000, idle: 10_000, wakes: /order/ },
  { name: "incidents", path: `/v1/incidents?open=true&${STALE}`, gap: 200, idle: 3_000, wakes: /incident/ },
  { name: "escalations", path: `/v1/escalations?${STALE}`, gap: 500, idle: 15_000, wakes: /escalated/ },
  { name: "statistics", path: `/v1/statistics?${STALE}`, gap: 2_000, idle: 10_000, wakes: /order/ },
  { name: "recipes", path: `/v1/recipes?${STALE}`, gap: 500, idle: 60_000, wakes: /recipe/ },
  { name: "cluster", read: readCluster, gap: 300, idle: 2_000, wakes: /charge/ },
  { name: "explanations", read: explainIdle, gap: 800, idle: 1_500, wakes: /device|attempt/ },
  { name: "strays", read: findStrays, gap: 500, idle: 1_500, wakes: /$^/ },
].map(read => ({ ...read, asked: -Infinity, waits: true, runs: false }));

/** How long until (or since) something, counted on from the moment it was read. */
export const left = (ms, name) => ms - (performance.now() - (store[`${name}At`] ?? performance.now()));
export const since = (ms, name) => ms + (performance.now() - (store[`${name}At`] ?? performance.now()));

/** With each new link everything is read again; the stream goes on where it broke, if there was one. */
export async function whence() {
  for (const read of READS) Object.assign(read, { waits: true, runs: false });
  const after = store.last ?? (await ask(`/v1/kitchen?${STALE}`)).index;
  // If the replica no longer has what follows this index, the next try begins at what is there then.
  store.last = null;
  pump();
  return after;
}

/** An entry of the log. */
export function told(entry) {
  store.last = entry.index;
  store.events += entry.events.length;
  store.heard = entry.at;
  for (const { event, node, epoch } of entry.events) {
    for (const read of READS) if (read.wakes.test(event)) read.waits = true;
    if (event === "in_charge" && !store.failovers.some(f => f.epoch === epoch)) store.failovers = [{ node, epoch, at: entry.at }, ...store.failovers].slice(0, 8);
  }
}

/** Starts what is due; main.js calls it often. */
export function pump() {
  if (!access.in) return;
  const now = performance.now();
  for (const read of READS) {
    const age = now - read.asked;
    if (!read.runs && ((read.waits && age >= read.gap) || age >= read.idle)) start(read, now);
  }
}

async function start(read, now) {
  Object.assign(read, { asked: now, waits: false, runs: true });
  try {
    if (read.read) await read.read();
    else {
      const asked = performance.now();
      const { json } = await ask(read.path);
      // Half of the way there and back: countdowns are reckoned from when the replica looked.
      store[`${read.name}At`] = (asked + performance.now()) / 2;
      store[read.name] = json.items ?? json;
      if (read.name === "kitchen") noteCharge(json.in_charge);
      if (read.name === "kitchen" && !store.history.length) sample();
    }
    if (link.state === "live") store.readAt = performance.now();
  } catch {
    // The stream notices a dead replica, and the age of what is shown is on the page.
  }
  read.runs = false;
  listeners.changed();
}

/** Who is in charge now, also if it happened before the page was opened, or while it had no link. */
function noteCharge(charge) {
  if (!charge || store.failovers.some(f => f.epoch >= charge.epoch)) return;
  const at = new Date(Date.now() + link.skew - charge.since_ms).toISOString();
  store.failovers = [{ node: charge.node, epoch: charge.epoch, at }, ...store.failovers].slice(0, 8);
}

let doubts = 0;

/** The cluster as our replica sees it; how far the others are only the leader knows. It is also the pulse of our replica. */
async function readCluster() {
  try {
    const { json } = await ask("/v1/cluster", { limitMs: 1_000 });
    store.cluster = json;
    learn(json.members);
    doubts = json.leader === null ? doubts + 1 : 0;
  } catch (error) {
    doubts += 2;
    throw error;
  } finally {
    // Frozen twice, or for longer than an election takes without a leader: another replica may know more.
    if (doubts >= 4) leave();
    if (doubts >= 4) doubts = 0;
  }
  const addresses = store.cluster.members.filter(m => m.api).map(m => [m.node, `${location.protocol}//${m.api}`]);
  const leader = addresses.find(([node]) => node === store.cluster.leader && node !== store.cluster.seen_by);
  store.led = leader ? (await ask("/v1/cluster", { at: leader[1], limitMs: 1_000 }).catch(() => ({}))).json : store.cluster;
  await Promise.all(addresses.map(async ([node, at]) => store.ready.set(node, await isReady(node === store.cluster.seen_by ? link.at : at))));
}

/** Why each device that does nothing does nothing; one that only holds a pizza does nothing either. */
async function explainIdle() {
  const works = d => d.state === "BUSY" && d.lanes.every(l => !l.content || l.attempts.length);
  const idle = (store.devices ?? []).filter(d => !works(d) && d.standing !== "RETIRED").slice(0, 40);
  for (const id of store.why.keys()) if (!idle.some(d => d.id === id)) store.why.delete(id);
  for (const { id } of idle) {
    const { json } = await ask(`/v1/devices/${encodeURIComponent(id)}/explanation?${STALE}`);
    store.why.set(id, { ...json.items[0], at: performance.now() });
  }
}

/** Pizzas that a device has and whose order is not among those that were read. */
async function findStrays() {
  const held = (store.devices ?? []).flatMap(d => d.lanes.map(l => l.content)).filter(id => id && id !== "unknown");
  const known = new Set((store.open ?? []).flatMap(o => o.pizzas.map(p => p.id)));
  const strays = held.filter(id => !known.has(id)).slice(0, 20);
  for (const id of store.pizzas.keys()) if (!strays.includes(id)) store.pizzas.delete(id);
  for (const id of strays) {
    const { json } = await ask(`/v1/pizzas/${id}?${STALE}`);
    store.pizzas.set(id, { ...json, at: performance.now() });
  }
}

const SAMPLES = 720;

/** One point of the chart, every five seconds; an hour is kept. */
export function sample() {
  if (!store.kitchen || link.state !== "live") return;
  const rate = store.kitchen.rate;
  store.history.push({ at: Date.now(), made: rate?.pizzas_per_hour ?? 0, limit: rate?.limit_per_hour ?? 0, open: store.kitchen.open_orders });
  if (store.history.length > SAMPLES) store.history.shift();
}
