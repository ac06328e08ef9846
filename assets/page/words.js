// Numbers and states as people read them.

/** "0:07", "3:20", "1:02:05"; a minus for what is over. */
export function clock(ms) {
  const s = Math.abs(Math.round(ms / 1000)), two = n => String(n).padStart(2, "0");
  const text = s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return ms <= -500 ? `−${text}` : text;
}

/** Tenths for what is nearly over: a cook sees it move. */
export const countdown = ms => (ms < 10_000 ? `${(Math.max(0, ms) / 1000).toFixed(1)} s` : clock(ms));

/** "in_progress" and "IN_PROGRESS" as "in progress". */
export const plain = word => String(word).toLowerCase().replaceAll("_", " ");

/** With the first letter large. */
export const capital = text => text.charAt(0).toUpperCase() + text.slice(1);

export const amount = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

const TONES = { good: "NORMAL IDLE READY COLLECTED PACKED leader", busy: "BUSY BAKING LOADING UNLOADING PREPPING FINISHING IN_PROGRESS",
  warn: "DEGRADED DRAINING HELD SUSPENDED SUSPECT PENDING MAINTENANCE UNCERTAIN candidate learner RETURNED",
  bad: "OUT_OF_ORDER LOST STUCK QUARANTINED FAILED DISCARDED stopped" };
const TONE = new Map(Object.entries(TONES).flatMap(([tone, words]) => words.split(" ").map(word => [word, tone])));

/** Which colour a state has: good, busy, warn, bad, or none for what waits. Words say the same: nobody needs to tell colours apart. */
export const tone = state => TONE.get(state) ?? "";
