// A person's tablet: shows the one thing that is asked of him, and sends what he says. The page asks for the desk again and again, and
// that is what makes him present: closed, hidden or without a battery it asks no more, and the kitchen gives him nothing.
//
// Nothing is decided here. What is shown is what the program answered last; a word counts only for the attempt that was on the screen.

const at = id => document.getElementById(id);
const KEY = "brigade-tablet-token", OLD_MS = 5_000, DRAW_MS = 200;

const WHAT = { prep: "Make it", load: "Put it in", unload: "Take it out", finish: "Slice and pack", shelve: "Put it down", discard: "Throw it away", inspect: "Look at it" };
const LIGHTS = { kitchen: ["good", "Connected"], broker: ["warn", "No controller answers"], nobody: ["bad", "No connection"] };

let desk = null, readAt = 0, change = null, choosing = null, fault = "", sending = false;

async function ask(path, body) {
  const headers = { authorization: `Bearer ${localStorage.getItem(KEY) ?? ""}` };
  const options = { headers, cache: "no-store", signal: AbortSignal.timeout(6_000) };
  if (body) Object.assign(options, { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) });
  const answer = await fetch(path, options);
  if (answer.status === 401) await enter();
  const json = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(json.detail), { told: true });
  return json;
}

/** Asks for the token, once for all who ask. */
function enter() {
  at("refused").textContent = localStorage.getItem(KEY) ? "This token is not good." : "";
  if (!at("door").open) at("door").showModal();
  return new Promise(resolve => at("door").addEventListener("close", resolve, { once: true }));
}
at("door").addEventListener("close", () => localStorage.setItem(KEY, new FormData(at("door").querySelector("form")).get("token").trim()));
at("door").addEventListener("cancel", event => event.preventDefault());

function take(answer) {
  const before = desk?.task && `${desk.task.task}#${desk.task.att}`, now = answer.task && `${answer.task.task}#${answer.task.att}`;
  if (before !== now) { choosing = null; fault = ""; }
  const isNew = change !== answer.change;
  [desk, readAt, change] = [answer, performance.now(), answer.change];
  if (isNew) draw();
}

/** Who can't see the page is not there: a hidden page asks for nothing. */
async function follow() {
  for (;;) {
    if (document.hidden) {
      change = null;
      await new Promise(resolve => document.addEventListener("visibilitychange", resolve, { once: true }));
    }
    try {
      take(await ask(change === null ? "/desk" : `/desk?after=${change}`));
    } catch {
      change = null;
      await new Promise(resolve => setTimeout(resolve, 500));
    }
  }
}

async function say(path, body) {
  if (sending) return;
  sending = true;
  try {
    fault = "";
    take(await ask(path, body));
  } catch (error) {
    fault = error.told ? error.message : "This did not get through: press it again.";
  }
  sending = false;
  draw();
}

const word = (what, more = {}) => say("/desk/word", { task: desk.task.task, att: desk.task.att, word: what, ...more });
const works = yes => { choosing = null; say("/desk/presence", { works: yes }); };

/** The buttons of this moment: [key, text, class, what it does]. */
function buttons() {
  const t = desk.task;
  if (!t) return desk.works ? [] : [["s", "I take work", "good large", () => works(true)]];
  if (t.stops) return [["d", "I have stopped", "danger large", () => word("stopped")]];
  if (t.state === "WAITING") return desk.works ? [["s", "Start", "good large", () => word("start")]] : [["s", "I take work", "good large", () => works(true)]];
  if (choosing) return [...t.reasons.map((r, n) => [String(n + 1), r.text, "danger", () => word("failed", { code: r.code })]), ["b", "Back", "", () => { choosing = null; draw(); }]];
  const failed = ["f", "Failed …", "danger", () => { choosing = true; draw(); }];
  if (t.act === "inspect") return [["1", "Good", "good", () => word("done", { verdict: "PASS" })], ["2", "Bad", "danger", () => word("done", { verdict: "FAIL" })], ["3", "I can't tell", "", () => word("done", { verdict: "UNSURE" })], failed];
  return [["d", "Done", "good large", () => word("done")], failed];
}

/** The headline, the state that colours it, and a sentence. */
function headline() {
  const t = desk.task;
  if (t?.stops) return ["STOP", "stop", `The kitchen does not want ${t.act} of this pizza any more. Stop where you are.`];
  if (desk.held) return ["HOLD", "held", "Stand still: the kitchen is on hold."];
  if (t && t.state === "WAITING" && !desk.works) return ["You are away", "away", ""];
  if (t) return [WHAT[t.act] ?? t.act, t.state === "WAITING" ? "waiting" : "running", choosing ? "What went wrong?" : ""];
  if (desk.unanswered) return ["You are away", "away", "Nobody began what was asked three times. Press the button when you are back."];
  if (!desk.works) return ["You are away", "away", "The kitchen gives you nothing."];
  return ["Nothing to do", "idle", "You will be asked here."];
}

function draw() {
  if (!desk) return;
  const t = desk.task, [what, state, note] = headline();
  document.body.dataset.state = state;
  at("who").textContent = `${desk.device} · ${desk.station.replace("-", " ")}`;
  set("what", what); set("note", note);
  set("pizza", t ? [t.recipe, `pizza ${t.pizza}`].filter(Boolean).join(" · ") : "");
  set("from", t?.from ?? ""); set("to", t?.to ?? "");
  at("way").classList.toggle("none", !t || !(t.from || t.to));
  set("last", desk.last ?? "");
  const [tone, text] = old() ? ["bad", "No connection to this tablet's program"] : LIGHTS[desk.light];
  at("light").className = `pill ${tone}`; set("light", text);
  at("fault").hidden = !fault; set("fault", fault);
  at("presence").hidden = !desk.works; set("presence", "Busy: give me nothing");
  document.title = t ? `${what}: ${t.pizza}` : `${desk.device}: ${what}`;
  hold(); press(buttons()); tick();
}

function set(id, text) { if (at(id).textContent !== text) at(id).textContent = text; }

/** What the kitchen believes that he holds; if it is wrong while nothing runs, he says so. */
function hold() {
  const is = at("hands"), text = desk.hands ? `You hold ${desk.hands}` : "";
  if (is.dataset.text === text + Boolean(desk.task)) return;
  is.dataset.text = text + Boolean(desk.task);
  is.replaceChildren(text);
  if (!desk.hands || desk.task) return;
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "I hold nothing" });
  button.onclick = () => { if (button.dataset.sure) say("/desk/hands", {}); button.dataset.sure = "yes"; button.textContent = "Really nothing?"; };
  is.append(button);
}

/** Buttons stay where they are while they are the same, with the focus. The large one has it when it is new. */
function press(wanted) {
  const place = at("buttons"), now = JSON.stringify([wanted.map(b => b.slice(0, 3)), desk.task?.task, desk.task?.att]);
  place.wanted = wanted;
  for (const button of place.children) button.disabled = sending || old();
  if (place.dataset.now === now) return;
  place.dataset.now = now;
  place.replaceChildren(...wanted.map(([key, text, kind], n) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: kind, textContent: text, disabled: old() });
    button.append(Object.assign(document.createElement("small"), { textContent: `key ${key.toUpperCase()}` }));
    button.onclick = () => place.wanted[n]?.[3]();
    return button;
  }));
  // Not onto "Done": who presses Enter to begin must not end it with the same key held down.
  if (wanted.length === 1) place.firstChild.focus({ preventScroll: true });
}

const old = () => performance.now() - readAt > OLD_MS;

/** The countdown: until a task that nobody begins goes elsewhere, then until the kitchen takes it for failed. */
function tick() {
  if (!desk) return;
  const t = desk.task;
  const left = t?.ends_in_ms == null ? null : Math.max(0, t.ends_in_ms - (performance.now() - readAt));
  if (left === null || !["waiting", "running"].includes(document.body.dataset.state)) return set("clock", "");
  const s = Math.ceil(left / 1_000), late = left < 5_000;
  set("clock", t.state === "WAITING" ? `${s} s to begin` : `${s} s left`);
  at("clock").classList.toggle("late", late); at("left").classList.toggle("late", late);
  const key = `${t.task}#${t.att}${t.state}`;
  if (tick.key !== key) [tick.key, tick.whole] = [key, Math.max(1, left)];
  at("left").style.setProperty("--share", (left / tick.whole).toFixed(3));
}

addEventListener("keydown", event => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || at("door").open || !desk) return;
  const key = event.key.toLowerCase();
  if (key === "p" && desk.works) return works(false);
  const button = [...at("buttons").children][at("buttons").wanted?.findIndex(b => b[0] === key) ?? -1];
  if (button && !button.disabled) { event.preventDefault(); button.click(); }
});
at("presence").onclick = () => works(false);
document.querySelector(".keys").textContent = "Keys: S start, D done, F failed, B back, P busy";

let wasOld = false;
setInterval(() => { if (desk && wasOld !== old()) { wasOld = old(); draw(); } tick(); }, DRAW_MS);
// A screen that goes dark takes the person away. Browsers allow this over https and on the tablet itself.
const stayAwake = () => navigator.wakeLock?.request("screen").catch(() => {});
addEventListener("pointerdown", stayAwake);
document.addEventListener("visibilitychange", () => { if (!document.hidden) stayAwake(); });
globalThis.brigade = { get desk() { return desk; } };
follow();
