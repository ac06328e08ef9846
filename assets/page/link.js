// The link to the kitchen: requests, and the stream of events, at one replica, and at another one when that stays away.
//
// Nothing here knows what the kitchen is. The page was loaded from one replica; the others are learned from /v1/cluster (store.js) and
// answer this page because its origin is the address of a member (src/http/origin.rs).

import { access, enter, headers, refused } from "./access.js";

/** Where the page reads at present, and how that goes. `skew` is the kitchen's clock minus the browser's. */
export const link = { at: location.origin, state: "connecting", since: performance.now(), moves: 0, skew: 0 };

const PROBE_MS = 1_000;
const READ_MS = 5_000;
/** A stream says where it is every ten seconds. One that does not is dead, whatever the socket says. */
const SILENCE_MS = 15_000;

let others = [];
let known = [];
let stream = null;

/** The addresses of the other replicas, from the cluster's members. */
export function learn(members) {
  known = members.filter(m => m.api).map(m => (m.api.includes("://") ? m.api : `${location.protocol}//${m.api}`).replace(/\/$/, ""));
  others = [...new Set([location.origin, ...known])];
}

/** False if this page was opened under a name by which the kitchen's members do not know each other: they won't answer it. */
export const isMember = () => known.length === 0 || known.includes(location.origin);

/** One request. Throws an Error with a sentence for people, and `problem` where there is one. */
export async function ask(path, { at = link.at, body, limitMs = READ_MS } = {}) {
  const options = { signal: AbortSignal.timeout(limitMs), cache: "no-store", headers: headers() };
  if (body) Object.assign(options, { method: "POST", headers: headers({ "content-type": "application/json" }), body: JSON.stringify(body) });
  const answer = await fetch(at + path, options);
  // The stream is looked for anew, and that asks for a token.
  if (answer.status === 401) { refused(); leave(); }
  const date = Date.parse(answer.headers.get("date") ?? "");
  if (date && Math.abs(date - Date.now() - link.skew) > 1_500) link.skew = date - Date.now();
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(json.detail || json.title || answer.statusText), { problem: json, status: answer.status });
  return { json, index: Number(answer.headers.get("brigade-index")) };
}

/** Whether a replica says that it should be asked: true, false with an answer, null without one. */
export async function isReady(at) {
  try {
    return (await fetch(`${at}/readyz`, { signal: AbortSignal.timeout(PROBE_MS), cache: "no-store" })).ok;
  } catch {
    return null;
  }
}

/** The replica to read at: the present one if it is ready, else another one, else any that answers. */
async function choose() {
  let answering = null;
  for (const at of [link.at, ...others.filter(o => o !== link.at)]) {
    const ready = await isReady(at);
    if (ready) return at;
    if (ready === false) answering ??= at;
  }
  return answering;
}

function become(state) {
  if (link.state !== state) link.since = performance.now();
  link.state = state;
}

/** Ends the present stream: the replica seems dead or cut off, and the next one is looked for. */
export const leave = () => stream?.abort();

/**
 * Follows the kitchen for ever. `whence()` is called with each new link and returns the log index to go on from; `told(entry)` with each entry.
 */
export async function follow({ whence, told }) {
  for (;;) {
    const at = await choose();
    if (at) {
      if (at !== link.at) link.moves += 1;
      link.at = at;
      try {
        if (!access.in) become("closed");
        await enter(at);
        await read(`${at}/v1/events?after=${await whence()}`, told);
      } catch {
        // What broke does not matter: the answer is to look for a replica again.
      }
    }
    become("searching");
    await new Promise(resolve => setTimeout(resolve, 250));
  }
}

/** Reads one stream to its end. Not an EventSource: that hides the status, and the silence of a frozen replica. */
async function read(url, told) {
  stream = new AbortController();
  const opening = setTimeout(leave, READ_MS);
  const answer = await fetch(url, { signal: stream.signal, cache: "no-store", headers: headers({ accept: "text/event-stream" }) });
  clearTimeout(opening);
  if (!answer.ok) throw Object.assign(new Error(answer.statusText), { status: answer.status });
  become("live");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const silence = setTimeout(leave, SILENCE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const messages = (rest + value).split("\n\n");
    rest = messages.pop();
    for (const message of messages) hear(message, told);
  }
}

function hear(message, told) {
  if (message.startsWith("event: gone")) throw new Error("this replica no longer has these events");
  const data = message.split("\n").find(line => line.startsWith("data:"));
  if (data) told(JSON.parse(data.slice(5)));
}
